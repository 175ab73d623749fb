from __future__ import annotations

import asyncio
import sys
import threading
from array import array
from typing import TYPE_CHECKING

import pytest

from duologue.audio import microphone as microphone_module
from duologue.audio.microphone import Microphone
from duologue.config import AudioSource
from duologue.errors import AudioError, ConfigError

if TYPE_CHECKING:
    from tests.audio.conftest import StandInSoundDevice


def frame(number: int, samples: int = 320) -> bytes:
    return array("h", [number] * samples).tobytes()


async def listen(mic: Microphone, into: list[bytes]) -> None:
    async for got in mic:
        into.append(got)


async def until(sound_device: StandInSoundDevice) -> None:
    while not sound_device.streams:
        await asyncio.sleep(0)


async def test_frames_cross_from_the_devices_thread(sound_device: StandInSoundDevice) -> None:
    mic = Microphone()
    assert isinstance(mic, AudioSource)
    assert (mic.sample_rate, mic.channels) == (16_000, 1)
    heard: list[bytes] = []
    task = asyncio.create_task(listen(mic, heard))
    await until(sound_device)
    (stream,) = sound_device.streams
    assert {key: stream.options[key] for key in ("samplerate", "blocksize", "channels", "dtype")} == {
        "samplerate": 16_000,
        "blocksize": 320,
        "channels": 1,
        "dtype": "int16",
    }
    with pytest.raises(AudioError, match="being read already"):
        await anext(aiter(mic))

    def give() -> None:
        for number in range(5):
            stream.give(frame(number))

    device = threading.Thread(target=give)
    device.start()
    device.join()
    while len(heard) < 5:
        await asyncio.sleep(0)
    assert heard == [frame(number) for number in range(5)]
    await mic.aclose()
    await mic.aclose()
    await task
    assert stream.state == "closed"
    assert [got async for got in mic] == []


async def test_another_rate_and_stereo_become_what_was_asked_for(sound_device: StandInSoundDevice) -> None:
    sound_device.rates, sound_device.channels = (48_000,), (2,)
    mic = Microphone()
    assert mic.sample_rate == 16_000
    heard: list[bytes] = []
    task = asyncio.create_task(listen(mic, heard))
    await until(sound_device)
    (stream,) = sound_device.streams
    assert (stream.options["samplerate"], stream.options["blocksize"]) == (48_000, 960)
    for _ in range(20):
        stream.give(array("h", [1000, 3000] * 960).tobytes())
    while len(heard) < 15:
        await asyncio.sleep(0)
    assert {len(got) for got in heard} == {640}
    assert set(array("h", b"".join(heard[2:]))) <= {1999, 2000, 2001}
    await mic.aclose()
    await task


async def test_without_soxr_the_devices_own_rate_is_declared(
    sound_device: StandInSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("duologue.audio.devices.soxr_available", lambda: False)
    monkeypatch.setitem(sys.modules, "soxr", None)
    sound_device.rates = (48_000,)
    mic = Microphone()
    assert mic.sample_rate == 48_000
    heard: list[bytes] = []
    task = asyncio.create_task(listen(mic, heard))
    await until(sound_device)
    sound_device.streams[0].give(frame(7, 960))
    while not heard:
        await asyncio.sleep(0)
    assert heard == [frame(7, 960)]
    await mic.aclose()
    await task


async def test_a_slow_reader_loses_the_oldest_and_it_is_counted(sound_device: StandInSoundDevice) -> None:
    mic = Microphone()
    frames = aiter(mic)
    first = asyncio.ensure_future(anext(frames))
    await until(sound_device)
    (stream,) = sound_device.streams
    for number in range(255):
        stream.give(frame(number), input_overflow=number == 3)
    assert await first == frame(5)  # five seconds are 250 frames
    assert (mic.dropped_frames, mic.overflows) == (5, 1)
    await mic.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(frames)


async def test_a_silent_device_is_reported_and_released(
    sound_device: StandInSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(microphone_module, "_DEAD_AFTER_S", 0.01)
    mic = Microphone()
    with pytest.raises(AudioError, match=r"'desk mic' has given no sound for 0.01 s"):
        await anext(aiter(mic))
    assert sound_device.streams[0].state == "closed"


async def test_a_cancelled_reader_releases_the_device(sound_device: StandInSoundDevice) -> None:
    mic = Microphone()
    heard: list[bytes] = []
    task = asyncio.create_task(listen(mic, heard))
    await until(sound_device)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sound_device.streams[0].state == "closed"


async def test_a_device_that_is_taken_says_so(sound_device: StandInSoundDevice) -> None:
    sound_device.refuses_to_open = True
    with pytest.raises(AudioError, match="'desk mic' cannot be opened: Device unavailable"):
        await anext(aiter(Microphone()))


def test_a_frame_after_the_loop_has_closed_is_nobodys_fault(sound_device: StandInSoundDevice) -> None:
    async def leave_open() -> None:
        task = asyncio.ensure_future(anext(aiter(Microphone())))
        await until(sound_device)
        sound_device.streams[0].give(frame(1))
        await task

    asyncio.run(leave_open())
    for _ in range(2):
        sound_device.streams[0].give(frame(2))


def test_bad_options_are_refused_when_made() -> None:
    with pytest.raises(ConfigError, match="frame_ms=1,"):
        Microphone(frame_ms=1)
    with pytest.raises(ConfigError, match="sample_rate=0"):
        Microphone(sample_rate=0)

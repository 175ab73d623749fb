from __future__ import annotations

import asyncio
import logging
import threading
from array import array
from typing import TYPE_CHECKING

import numpy as np
import pytest

from duologue.audio import speaker as speaker_module
from duologue.audio.playout import Playhead, Playout
from duologue.audio.speaker import Speaker, SpeakerFeed
from duologue.config import AudioSink
from duologue.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.audio.conftest import StandInSoundDevice

FRAME = array("h", [7] * 480).tobytes()
SILENT = bytes(960)
Heads = list[tuple[str, int]]


def started(speaker: Speaker) -> Heads:
    heads: Heads = []
    speaker.start(lambda generation_id, played_ms: heads.append((generation_id, played_ms)))
    return heads


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_the_device_takes_moves_the_playhead(sound_device: StandInSoundDevice) -> None:
    speaker = Speaker()
    assert isinstance(speaker, AudioSink)
    speaker.write("a", FRAME * 2)  # before the start: kept
    heads = started(speaker)
    (stream,) = sound_device.streams
    assert {key: stream.options[key] for key in ("samplerate", "blocksize", "channels", "latency")} == {
        "samplerate": 24_000,
        "blocksize": 480,
        "channels": 1,
        "latency": 0.06,
    }
    speaker.write("a", FRAME)
    speaker.end("a")
    waiting = asyncio.create_task(speaker.drained())
    await settle()
    assert heads == []
    assert [stream.take() for _ in range(3)] == [FRAME] * 3
    await waiting
    assert heads == [("a", 20), ("a", 40), ("a", 60)]
    assert speaker.is_playing  # what was pulled is still on its way out
    await speaker.drained()
    assert (speaker.underruns, speaker.underflows) == (0, 0)
    await speaker.aclose()
    assert stream.state == "closed"
    assert not speaker.is_playing


async def test_sound_goes_on_while_the_loop_is_blocked(sound_device: StandInSoundDevice) -> None:
    speaker = Speaker()
    heads = started(speaker)
    speaker.write("a", FRAME * 20)
    taken: list[bytes] = []
    device = threading.Thread(target=lambda: taken.extend(sound_device.streams[0].take() for _ in range(10)))
    device.start()
    device.join()  # the loop does nothing meanwhile
    assert taken == [FRAME] * 10
    assert heads == []
    await settle()
    assert heads[-1] == ("a", 200)
    await speaker.aclose()


async def test_a_flush_silences_the_next_callback(sound_device: StandInSoundDevice) -> None:
    speaker = Speaker()
    heads = started(speaker)
    stream = sound_device.streams[0]
    speaker.write("a", FRAME * 50)
    stream.take()
    waiting = asyncio.create_task(speaker.drained())
    await settle()
    assert not waiting.done()
    speaker.flush()
    tail = array("h", stream.take())
    assert list(tail[96:]) == [0] * 384
    assert max(tail) < 7
    await waiting
    assert heads == [("a", 20)]
    assert stream.take() == SILENT
    await speaker.aclose()


async def test_the_playhead_waits_for_the_devices_latency(
    sound_device: StandInSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.audio.conftest._Stream.latency", 0.02, raising=True)
    speaker = Speaker(latency="low")
    heads = started(speaker)
    speaker.latency_s = 0.02
    speaker.write("a", FRAME)
    speaker.end("a")
    loop = asyncio.get_running_loop()
    pulled_at = loop.time()
    sound_device.streams[0].take()
    await settle()
    assert heads == []
    await speaker.drained()
    assert loop.time() - pulled_at >= 0.019
    assert heads == [("a", 20)]
    await speaker.aclose()


async def test_news_from_before_a_write_does_not_end_the_waiting_for_it(
    sound_device: StandInSoundDevice,
) -> None:
    speaker = Speaker()
    started(speaker)
    stream = sound_device.streams[0]
    speaker.write("a", FRAME)
    speaker.end("a")
    stream.take()  # "all heard" is on its way to the loop
    speaker.write("b", FRAME)
    speaker.end("b")
    waiting = asyncio.create_task(speaker.drained())
    await asyncio.sleep(0.001)
    assert not waiting.done()
    stream.take()
    await waiting
    await speaker.aclose()


async def test_closing_takes_back_what_was_not_heard(
    sound_device: StandInSoundDevice, caplog: pytest.LogCaptureFixture
) -> None:
    speaker = Speaker()
    heads = started(speaker)
    speaker.latency_s = 0.01
    speaker.write("a", FRAME * 50)
    waiting = asyncio.create_task(speaker.drained())
    await settle()
    sound_device.streams[0].take()
    await settle()
    await speaker.aclose()
    await waiting
    await asyncio.sleep(0.02)
    assert (heads, caplog.records) == ([], [])
    speaker.write("a", FRAME)
    speaker.flush()
    await speaker.aclose()
    with pytest.raises(AudioError, match="is closed"):
        started(speaker)


async def test_a_device_that_died_ends_the_waiting(
    sound_device: StandInSoundDevice, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(speaker_module, "_DEAD_AFTER_S", 0.01)
    speaker = Speaker()
    started(speaker)
    speaker.write("a", FRAME)
    with (
        caplog.at_level(logging.ERROR, "duologue.audio"),
        pytest.raises(AudioError, match="'desk box' has taken"),
    ):
        await speaker.drained()
    with pytest.raises(AudioError, match="taken no sound"):
        await speaker.aclose()


async def test_a_device_that_takes_sound_is_alive(
    sound_device: StandInSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speaker_module, "_DEAD_AFTER_S", 0.01)
    speaker = Speaker()
    started(speaker)
    for _ in range(6):
        sound_device.streams[0].take(output_underflow=True)
        await asyncio.sleep(0.004)
    assert speaker.underflows == 6
    await speaker.aclose()


async def test_a_device_that_is_taken_says_so_and_leaves_a_sink_to_close(
    sound_device: StandInSoundDevice,
) -> None:
    sound_device.refuses_to_open = True
    speaker = Speaker()
    speaker.write("a", FRAME * 4)
    with pytest.raises(AudioError, match="'desk box' cannot be opened: Device unavailable"):
        started(speaker)
    sound_device.refuses_to_open = False
    heads = started(speaker)  # once it is free again
    sound_device.streams[0].take()
    await settle()
    assert heads == [("a", 20)]
    await speaker.aclose()


async def test_half_a_sample_at_the_end_is_left_out(sound_device: StandInSoundDevice) -> None:
    speaker = Speaker()
    heads = started(speaker)
    speaker.write("a", FRAME + b"\x07")
    speaker.write("a", b"\x08")
    speaker.end("a")
    assert sound_device.streams[0].take() == FRAME
    await settle()
    assert heads == [("a", 20)]
    await speaker.aclose()


async def test_a_fault_on_the_devices_thread_becomes_silence_and_a_failure(
    sound_device: StandInSoundDevice, caplog: pytest.LogCaptureFixture
) -> None:
    speaker = Speaker()
    started(speaker)
    assert speaker._feed is not None
    speaker._feed.commands.append(lambda: 1 // 0)
    with caplog.at_level(logging.ERROR, "duologue.audio"):
        assert sound_device.streams[0].take() == SILENT
        await settle()
    with pytest.raises(AudioError, match="Speaker stopped: integer division"):
        await speaker.aclose()


@pytest.mark.parametrize(("device_hz", "channels"), [(24_000, 2), (48_000, 1), (44_100, 2)])
def test_other_device_formats_sound_the_same(
    tone: Callable[..., bytes], device_hz: int, channels: int
) -> None:
    feed = SpeakerFeed(Playout(prebuffer_ms=0), device_hz, channels)
    feed.commands.append(lambda: feed.playout.write("a", tone(1000, 400, 24_000)))
    out = bytearray()
    progress: list[Playhead] = []
    for _ in range(25):
        frame = bytearray(b"\x55" * (device_hz // 50 * 2 * channels))
        heard = feed.fill(memoryview(frame))
        progress += heard.progress if heard else ()
        out += frame
    samples = np.frombuffer(out, "<i2").reshape(-1, channels).astype(float)
    assert len(samples) == device_hz // 2
    assert np.array_equal(samples[:, 0], samples[:, -1])
    steady = samples[device_hz // 20 : device_hz // 3, 0]
    assert np.sqrt(np.mean(steady**2)) == pytest.approx(12_000 / np.sqrt(2), rel=0.01)
    crossings = np.count_nonzero(np.diff(np.signbit(steady)))
    assert crossings / 2 / (len(steady) / device_hz) == pytest.approx(1000, rel=0.01)
    assert not samples[-device_hz // 20 :].any()
    assert progress[-1] == Playhead("a", 400)


def test_a_feed_tells_only_what_changed() -> None:
    feed = SpeakerFeed(Playout(prebuffer_ms=0), 24_000, 1)
    frame = bytearray(960)
    assert feed.fill(frame) is None
    feed.commands.append(lambda: feed.playout.write("a", FRAME))
    heard = feed.fill(frame)
    assert heard is not None
    assert (heard.commands, heard.progress, heard.queued) == (1, (Playhead("a", 20),), ())
    assert feed.fill(frame) is None

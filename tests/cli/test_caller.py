"""The caller as a source: a room that goes on, lines at the instants that were promised."""

from __future__ import annotations

import asyncio
import random
import wave
from array import array
from typing import TYPE_CHECKING

import pytest

from duologue.audio import rms_dbfs
from duologue.cli.caller import Caller, Line, line_from_wav, prepare_lines
from duologue.cli.scene import CallerOptions, Say
from duologue.errors import AudioError, ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def _wav(path: Path, samples: list[int], rate_hz: int = 16_000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(array("h", samples).tobytes())
    return path


async def _frames(caller: Caller, count: int) -> list[bytes]:
    frames: list[bytes] = []
    async for frame in caller:
        frames.append(frame)
        if len(frames) == count:
            await caller.aclose()
    return frames


async def test_the_room_is_as_loud_as_was_asked_and_the_same_by_seed() -> None:
    rooms = [await _frames(Caller(CallerOptions(noise_dbfs=-50, seed=seed)), 5) for seed in (1, 1, 2)]
    assert rooms[0] == rooms[1] != rooms[2]
    assert {len(frame) for frame in rooms[0]} == {640}
    assert abs(rms_dbfs(b"".join(rooms[0])) - -50) < 1.5


async def test_a_line_is_where_its_utterance_says() -> None:
    caller = Caller(CallerOptions(noise_dbfs=None))
    # 100 quiet samples, 500 loud, 200 quiet: begins in one frame, ends in the next
    line = Line("x", array("h", [0] * 100 + [9000] * 500 + [0] * 200).tobytes(), ((100, 599),))
    frames: list[bytes] = []
    said = None
    async for frame in caller:
        frames.append(frame)
        if len(frames) == 1:
            assert caller.is_live
            said = caller.say(line)
        if said is not None and len(frames) == 2:
            assert not said.spoken.is_set()
        if len(frames) == 5:
            await caller.aclose()
    assert said is not None
    assert said.spoken.is_set()
    samples = array("h", b"".join(frames))
    loud = [at for at, sample in enumerate(samples) if sample]
    assert (loud[0], loud[-1]) == (320 + 100, 320 + 599)
    ((began_at, ended_at),) = said.stretches
    assert ended_at - began_at == pytest.approx(500 / 16_000)


async def test_its_pace_is_real_time() -> None:
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    await _frames(Caller(), 3)
    assert 0.055 < loop.time() - began_at < 0.5


async def test_a_loud_line_over_a_loud_room_is_clipped_not_wrapped() -> None:
    caller = Caller(CallerOptions(noise_dbfs=-20))
    line = Line("x", array("h", [32767] * 320).tobytes(), ((0, 319),))
    frames: list[bytes] = []
    async for frame in caller:
        frames.append(frame)
        if len(frames) == 1:
            caller.say(line)
        if len(frames) == 2:
            await caller.aclose()
    assert min(array("h", frames[1])) > 0


def test_a_recording_becomes_a_line(tmp_path: Path) -> None:
    line = line_from_wav(_wav(tmp_path / "a.wav", [0] * 1600 + [9000, -9000] * 800 + [0] * 1600))
    assert (line.text, line.first_voiced_sample, line.last_voiced_sample) == ("a.wav", 1600, 3199)


def _hiss(count: int, seed: int = 0) -> list[int]:
    """Noise as the silence of an 8-bit file has it: one step up and down, about -42 dBFS."""
    draw = random.Random(seed)
    return [draw.choice((-256, 256)) for _ in range(count)]


def test_voice_is_what_stands_out_of_a_noise_that_goes_on(tmp_path: Path) -> None:
    line = line_from_wav(_wav(tmp_path / "a.wav", [*_hiss(8000), *([9000, -9000] * 4000), *_hiss(8000, 1)]))
    assert line.stretches == ((8000, 15_999),)


def test_a_pause_parts_the_stretches_of_a_recording(tmp_path: Path) -> None:
    voice, gap, pause = [9000, -9000] * 1600, [0] * 1600, [0] * 6400
    line = line_from_wav(_wav(tmp_path / "a.wav", [*voice, *gap, *voice, *pause, *voice]))
    assert line.stretches == ((0, 7999), (14_400, 17_599))


def test_other_rates_are_converted(tmp_path: Path) -> None:
    line = line_from_wav(_wav(tmp_path / "a.wav", [9000, 9000, -9000, -9000] * 2000, 8000))
    assert abs(len(line.pcm) - 2 * 16_000) < 100


def test_a_recording_without_voice_counts_from_end_to_end(tmp_path: Path) -> None:
    line = line_from_wav(_wav(tmp_path / "a.wav", [0] * 480))
    assert (line.first_voiced_sample, line.last_voiced_sample) == (0, 479)


@pytest.mark.parametrize(
    ("content", "word"), [(None, "No such file"), (b"", "0 bytes"), (b"MThd" * 20, "no WAV file")]
)
def test_odd_recordings_are_named(tmp_path: Path, content: bytes | None, word: str) -> None:
    path = tmp_path / "odd.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AudioError, match=rf"(?s)odd\.wav.*{word}"):
        line_from_wav(path)


def test_a_recording_without_a_sample_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"odd\.wav"):
        line_from_wav(_wav(tmp_path / "odd.wav", []))


async def test_recordings_need_no_voice(tmp_path: Path) -> None:
    path = _wav(tmp_path / "a.wav", [9000, -9000] * 500)
    say = Say("a.wav", path)
    lines = await prepare_lines([say, say], CallerOptions(voice="there is none"))
    assert list(lines) == [say]


async def test_a_voice_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="nobody"):
        await prepare_lines([Say("Hi.")], CallerOptions(voice="nobody"))

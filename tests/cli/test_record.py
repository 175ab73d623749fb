"""Both sides land at the right place on the common time."""

from __future__ import annotations

import math
import wave
from array import array
from typing import TYPE_CHECKING

import pytest

from duologue.cli.record import RecordedSource, Recorder, Track
from duologue.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def _tone(duration_ms: int, rate_hz: int = 24_000) -> bytes:
    step = 2 * math.pi * 440 / rate_hz
    return array(
        "h", [round(8000 * math.sin(step * n)) for n in range(duration_ms * rate_hz // 1000)]
    ).tobytes()


def _first_loud(side: array[int]) -> int:
    return next(at for at, sample in enumerate(side) if abs(sample) > 1000)


def _sides(path: Path) -> tuple[array[int], array[int]]:
    with wave.open(str(path)) as sound:
        assert (sound.getnchannels(), sound.getframerate(), sound.getsampwidth()) == (2, 24_000, 2)
        both = array("h", sound.readframes(sound.getnframes()))
    return both[0::2], both[1::2]


class _Source:
    sample_rate = 16_000
    channels = 1

    def __init__(self, frames: list[bytes]) -> None:
        self.frames = frames

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for frame in self.frames:
            yield frame

    async def aclose(self) -> None:
        pass


def test_a_track_fills_gaps_and_measures_levels() -> None:
    track = Track()
    track.put(_tone(20))
    track.pad_to(1440)
    track.put(_tone(20))
    track.pad_to(3)
    assert track.end_bytes == 2 * 1920
    assert track.take(2 * 1920) == _tone(20) + bytes(2 * 960) + _tone(20)
    assert track.take(2 * 1920 + 4) == bytes(4)
    assert [level > -40 for level in track.levels_dbfs] == [True, False, False, True, False]


async def test_both_sides_are_aligned(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "deep" / "out")
    recorder.open()
    now_s, passed = [1.02], list[bytes]()
    frames = [bytes(640)] * 50 + [_tone(20, 16_000)] * 10
    source = RecordedSource(
        _Source(frames),
        recorder.caller,
        now=lambda: now_s[0],
        on_frame=lambda frame, began_at_s, ended_at_s: passed.append(frame),
        on_level=lambda dbfs: None,
    )
    async for _ in source:  # 1.0 s after the loudspeaker: a second of silence, then a tone at 2.0 s
        now_s[0] += 0.02
        recorder.settle()
    recorder.model.put(bytes(2 * 24_000) + _tone(2000))  # a tone at 1.0 s, to 3.0 s
    recorder.close()
    recorder.close()
    assert passed == frames
    left, right = _sides(tmp_path / "deep" / "out" / "conversation.wav")
    assert len(left) == len(right) == 3 * 24_000
    assert abs(_first_loud(left) - 2 * 24_000) < 24  # within a millisecond
    assert abs(_first_loud(right) - 1 * 24_000) < 24
    with wave.open(str(tmp_path / "deep" / "out" / "reply.wav")) as sound:
        assert (sound.getnchannels(), sound.getframerate()) == (1, 24_000)
        assert array("h", sound.readframes(sound.getnframes())) == right


async def test_lost_sound_becomes_silence(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    instants_s = [0.02, 0.04, 2.0]
    source = RecordedSource(
        _Source([_tone(20, 16_000)] * 3),
        recorder.caller,
        now=lambda: instants_s.pop(0),
        on_frame=None,
        on_level=lambda dbfs: None,
    )
    async for _ in source:
        pass
    levels = Track()
    levels.put(recorder.caller.take(2 * 48_000))
    levels.take(2 * 48_000)
    loud = [at for at, level in enumerate(levels.levels_dbfs) if level > -40]
    assert loud == [0, 1, 99]


def test_memory_is_bounded_and_sound_is_on_disk_while_the_call_runs(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    recorder.open()
    for _ in range(50 * 5):
        recorder.caller.put(_tone(20))
        recorder.model.put(_tone(20))
        recorder.settle()
    assert len(recorder.model._waiting) <= 2 * 24_000 + 960
    assert (tmp_path / "reply.wav.part").stat().st_size > 2 * 24_000 * 3
    assert not (tmp_path / "reply.wav").exists()
    recorder.close()
    assert (tmp_path / "reply.wav").stat().st_size == 44 + 2 * 24_000 * 5
    assert recorder.files == (tmp_path / "reply.wav", tmp_path / "conversation.wav")


def test_a_side_that_ended_does_not_hold_the_other_up(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    recorder.open()
    for _ in range(50 * 30):
        recorder.model.put(bytes(960))
        recorder.settle()
    assert len(recorder.model._waiting) <= 11 * 2 * 24_000
    recorder.close()


def test_a_call_that_never_began_leaves_no_files(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "out")
    recorder.close()
    assert recorder.files == ()
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_in_the_folders_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(AudioError, match=r"cannot make the folder .*out"):
        Recorder(tmp_path / "out")

from __future__ import annotations

import asyncio
from array import array
from typing import TYPE_CHECKING

import pytest

from duologue.audio.files import WavFile, WavSink, WavSource
from duologue.audio.wav import WavWriter, read_wav
from duologue.config import AudioSink, AudioSource
from duologue.errors import AudioError, ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.audio.conftest import VirtualClock

VOICE = array("h", range(1, 801)).tobytes()  # 50 ms at 16 kHz
FRAME = array("h", [7] * 480).tobytes()


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    path = tmp_path / "voice.wav"
    with WavWriter(path, 16_000) as writer:
        writer.write(VOICE)
    return path


def test_the_two_ends_can_be_told_apart(tmp_path: Path, voice: Path) -> None:
    source, sink = WavFile(voice), WavFile(tmp_path / "out.wav", mode="w")
    assert isinstance(source, WavSource)
    assert isinstance(sink, WavSink)
    assert isinstance(source, AudioSource)
    assert not isinstance(source, AudioSink)
    assert isinstance(sink, AudioSink)
    assert not isinstance(sink, AudioSource)
    assert (source.sample_rate, source.channels, source.duration_ms) == (16_000, 1, 50)


async def test_a_source_gives_the_file_and_then_silence(voice: Path) -> None:
    source = WavFile(voice, realtime=False, trailing_silence_s=0.045)
    frames = [frame async for frame in source]
    assert {len(frame) for frame in frames} == {640}
    assert b"".join(frames) == VOICE + bytes(5 * 640 - len(VOICE))
    assert [frame async for frame in source] == frames  # each iteration from the beginning
    await source.aclose()
    await source.aclose()
    assert [frame async for frame in source] == []


async def test_a_source_resamples_when_asked(voice: Path) -> None:
    source = WavFile(voice, sample_rate=24_000, realtime=False, trailing_silence_s=0)
    assert source.sample_rate == 24_000
    frames = [frame async for frame in source]
    assert [len(frame) for frame in frames] == [960, 960, 960]
    assert frames[2][480:] == bytes(480)


async def test_a_source_keeps_to_absolute_deadlines(voice: Path, clock: VirtualClock) -> None:
    source = WavFile(voice, clock=clock, trailing_silence_s=0.2)
    began_at = clock.now()
    at: list[float] = []

    async def listen() -> None:
        async for _ in source:
            at.append(round(clock.now() - began_at, 6))
            if len(at) == 4:
                clock.advance(0.05)  # a slow reader: the frames missed meanwhile come at once

    task = asyncio.create_task(listen())
    while not task.done():
        await asyncio.sleep(0.001)
        if clock.pending:
            clock.advance(0.01)
    assert at == [0.02, 0.04, 0.06, 0.08, 0.13, 0.13, 0.14, 0.16, 0.18, 0.2, 0.22, 0.24, 0.26]


async def test_a_source_ends_soon_after_it_is_closed(voice: Path, clock: VirtualClock) -> None:
    source = WavFile(voice, frame_ms=5)
    got = 0
    async for _ in source:
        got += 1
        if got == 2:
            await source.aclose()
    assert got == 2


def test_what_cannot_be_spoken_is_refused_when_made(tmp_path: Path, voice: Path) -> None:
    with pytest.raises(AudioError, match=r"gone.wav"):
        WavFile(tmp_path / "gone.wav")
    with pytest.raises(ConfigError, match="frame_ms=0"):
        WavFile(voice, frame_ms=0)
    with pytest.raises(ConfigError, match="sample_rate=-1"):
        WavFile(voice, sample_rate=-1)
    with pytest.raises(ConfigError, match="mode='rw'"):
        WavFile(voice, mode="rw")  # type: ignore[call-overload]  # what an untyped caller may do


@pytest.mark.parametrize("gaps", [True, False])
async def test_a_sink_writes_what_was_heard_when_it_was_heard(
    tmp_path: Path, clock: VirtualClock, gaps: bool
) -> None:
    path = tmp_path / "heard.wav"
    sink = WavFile(path, mode="w", gaps=gaps, clock=clock)
    heads: list[tuple[str, int]] = []
    sink.start(lambda *head: heads.append(head))
    clock.advance(0.1)
    sink.write("a", FRAME * 50)
    clock.advance(0.1)
    sink.flush()
    clock.advance(0.1)
    sink.write("b", FRAME[:200])
    sink.end("b")
    clock.advance(0.1)
    assert not path.exists()
    await sink.aclose()
    pcm = read_wav(path, sample_rate=24_000)
    if not gaps:
        assert pcm == FRAME * 5 + FRAME[:200]
        return
    assert len(pcm) == 20 * 960
    assert pcm[: 5 * 960] == bytes(5 * 960)
    assert pcm[5 * 960 : 10 * 960] == FRAME * 5
    assert set(array("h", pcm[10 * 960 : 15 * 960])[96:]) == {0}  # after the ramp of 4 ms
    assert pcm[15 * 960 :][:200] == FRAME[:200]
    assert heads[-1] == ("b", 4)


async def test_a_sink_that_never_started_makes_no_file(tmp_path: Path) -> None:
    sink = WavFile(tmp_path / "heard.wav", mode="w")
    await sink.aclose()
    assert list(tmp_path.iterdir()) == []


async def test_a_sink_that_cannot_write_says_so_at_start_and_still_closes(tmp_path: Path) -> None:
    sink = WavFile(tmp_path, mode="w")
    with pytest.raises(AudioError, match="Is a directory"):
        sink.start(lambda *_: None)
    await sink.aclose()

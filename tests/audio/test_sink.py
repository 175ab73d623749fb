from __future__ import annotations

import asyncio
import logging
from array import array
from typing import TYPE_CHECKING

import pytest

from duologue.audio.sink import NullSink, PacedSink, RecordingSink, SinkState
from duologue.config import AudioSink
from duologue.errors import AudioError, ConfigError

if TYPE_CHECKING:
    from tests.audio.conftest import VirtualClock

FRAME = array("h", [7] * 480).tobytes()
Heads = list[tuple[str, int]]


def started(sink: PacedSink) -> Heads:
    heads: Heads = []
    sink.start(lambda generation_id, played_ms: heads.append((generation_id, played_ms)))
    return heads


async def test_the_playhead_moves_with_the_clock_and_not_with_the_writes(clock: VirtualClock) -> None:
    sink = RecordingSink(clock=clock)
    heads = started(sink)
    clock.advance(0.1)
    sink.write("a", FRAME * 50)  # one second at once
    assert heads == []
    clock.advance(0.06)
    assert heads == [("a", 20), ("a", 40), ("a", 60)]
    assert sink.is_playing
    clock.advance(2.0)
    assert heads[-1] == ("a", 1000)
    assert sink.pcm == FRAME * 50
    assert [(span.offset_samples, len(span.pcm)) for span in sink.spans] == [(5 * 480, 50 * 960)]
    await sink.aclose()
    assert clock.pending == 0


async def test_a_flush_silences_the_next_frame(clock: VirtualClock) -> None:
    sink = RecordingSink(clock=clock)
    heads = started(sink)
    sink.write("a", FRAME * 50)
    clock.advance(0.2)
    sink.flush()
    assert not sink.is_playing
    clock.advance(0.2)
    sink.write("b", FRAME * 5)
    sink.end("b")
    clock.advance(0.2)
    assert heads[9:] == [("a", 200), ("b", 20), ("b", 40), ("b", 60), ("b", 80), ("b", 100)]
    assert [(span.offset_samples, len(span.pcm)) for span in sink.spans] == [(0, 9600), (9600, 4800)]
    await sink.aclose()


async def test_a_blocked_loop_is_caught_up_with(clock: VirtualClock) -> None:
    sink = RecordingSink(clock=clock)
    heads = started(sink)
    sink.write("a", FRAME * 50)
    clock.jump(0.5)
    assert heads[-1] == ("a", 500)
    clock.advance(600)
    assert sink.elapsed_samples == 600.5 * 24_000  # ten minutes and no drift
    await sink.aclose()


async def test_drained_waits_for_what_was_queued_and_not_for_later_generations(clock: VirtualClock) -> None:
    sink = NullSink(clock=clock)
    started(sink)
    await sink.drained()
    sink.write("a", FRAME * 10)
    waiting = asyncio.create_task(sink.drained())
    await asyncio.sleep(0)
    sink.write("b", FRAME * 100)
    clock.advance(0.18)
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.advance(0.04)
    await waiting
    assert sink.playout.queued_generations() == ("b",)
    await sink.aclose()


@pytest.mark.parametrize("way", ["flush", "aclose"])
async def test_drained_returns_when_the_sound_is_thrown_away(clock: VirtualClock, way: str) -> None:
    sink = NullSink(clock=clock)
    started(sink)
    sink.write("a", FRAME * 100)
    waiting = asyncio.create_task(sink.drained())
    await asyncio.sleep(0)
    if way == "flush":
        sink.flush()
    else:
        await sink.aclose()
    await waiting
    await sink.aclose()


async def test_a_cancelled_waiter_leaves_nothing_behind(clock: VirtualClock) -> None:
    sink = NullSink(clock=clock)
    started(sink)
    sink.write("a", FRAME * 10)
    waiting = asyncio.create_task(sink.drained())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    clock.advance(1.0)
    await sink.drained()
    await sink.aclose()


async def test_a_sink_that_never_started_says_so_instead_of_waiting(clock: VirtualClock) -> None:
    sink = NullSink(clock=clock)
    await sink.drained()
    sink.write("a", FRAME)
    with pytest.raises(AudioError, match="never started"):
        await sink.drained()
    heads = started(sink)  # what was written before is played
    clock.advance(1.0)
    assert heads == [("a", 20)]
    await sink.aclose()


async def test_its_life_goes_one_way(clock: VirtualClock) -> None:
    sink = NullSink(clock=clock)
    assert isinstance(sink, AudioSink)
    started(sink)
    with pytest.raises(AudioError, match="NullSink is running; one is started once"):
        started(sink)
    await sink.aclose()
    await sink.aclose()
    assert sink.state is SinkState.CLOSED
    sink.write("a", FRAME)
    sink.end("a")
    sink.flush()
    await sink.drained()
    assert not sink.is_playing
    with pytest.raises(AudioError, match="is closed"):
        started(sink)
    await NullSink().aclose()


class BrokenSink(PacedSink):
    """Takes two frames, then its disk is full."""

    frames = 0

    def _emit(self, frame: bytes, heard_samples: int) -> None:
        self.frames += 1
        if self.frames > 2:
            raise OSError("no space left")


async def test_a_failure_reaches_whoever_waits(clock: VirtualClock, caplog: pytest.LogCaptureFixture) -> None:
    sink = BrokenSink(clock=clock)
    started(sink)
    sink.write("a", FRAME * 10)
    waiting = asyncio.create_task(sink.drained())
    await asyncio.sleep(0)
    with caplog.at_level(logging.ERROR, "duologue.audio"):
        clock.advance(1.0)
    with pytest.raises(AudioError, match="BrokenSink stopped: no space left") as caught:
        await waiting
    assert isinstance(caught.value.__cause__, OSError)
    assert (sink.state, sink.frames, clock.pending) == (SinkState.FAILED, 3, 0)
    assert "no space left" in caplog.text
    sink.write("a", FRAME)  # dropped: nobody would hear it
    with pytest.raises(AudioError, match="no space left"):
        await sink.drained()
    with pytest.raises(AudioError, match="no space left"):
        await sink.aclose()
    await sink.aclose()


async def test_a_recording_stops_at_its_bound_and_counts(clock: VirtualClock) -> None:
    sink = RecordingSink(clock=clock, max_s=0.05)
    heads = started(sink)
    sink.write("a", FRAME * 4)
    clock.advance(1.0)
    assert sink.pcm == (FRAME * 3)[: 1200 * 2]
    assert sink.unrecorded_samples == 4 * 480 - 1200
    assert heads[-1] == ("a", 80)
    await sink.aclose()


async def test_real_time_without_a_clock_given() -> None:
    sink = RecordingSink(frame_ms=2, prebuffer_ms=0)
    heads = started(sink)
    loop = asyncio.get_running_loop()
    before = loop.time()
    sink.write("a", FRAME)
    sink.end("a")
    await sink.drained()
    assert loop.time() - before >= 0.02 - 1e-6
    assert heads[-1] == ("a", 20)
    await sink.aclose()


def test_a_frame_has_a_length() -> None:
    with pytest.raises(ConfigError, match="frame_ms=0"):
        NullSink(frame_ms=0)

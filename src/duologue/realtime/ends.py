"""Microphones and speakers attached to a session: who pumps what where."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from duologue.config import AudioSink, AudioSource
from duologue.errors import ConfigError, SessionClosed
from duologue.events import AudioOutput, GenerationCompleted, Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from duologue.io.fanout import Fanout
    from duologue.realtime.microphone import Intake

__all__ = ["Ends"]


class Ends:
    """Holds what was attached and moves sound between it and the session.

    Args:
        fanout: Where the model's sound comes from.
        intake: Where the caller's sound goes.
        report_playhead: Told by every sink what was heard.
        source_ended: Called when a source has nothing more to give.
    """

    def __init__(
        self,
        fanout: Fanout,
        intake: Intake,
        report_playhead: Callable[[str, int], None],
        source_ended: Callable[[], None],
    ) -> None:
        self._fanout = fanout
        self._intake = intake
        self._report = report_playhead
        self._source_ended = source_ended
        self._sources: list[AudioSource] = []
        self._sinks: list[AudioSink] = []
        self._spawn: Callable[[Coroutine[Any, Any, None]], None] | None = None
        self._closed = False
        self._running = 0

    def attach(self, *ends: object) -> None:
        """Add ends; they start at once when the session runs."""
        if self._closed:
            raise SessionClosed("attach: the session has ended")
        for end in ends:
            if isinstance(end, AudioSink):
                self._sinks.append(end)
                if self._spawn is not None:
                    self._start_sink(end)
            elif isinstance(end, AudioSource):
                self._sources.append(end)
                if self._spawn is not None:
                    self._spawn(self._pump(end))
            else:
                raise ConfigError(f"attach: a {type(end).__name__} is neither a source nor a sink of sound")

    def start(self, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        """The session runs: begin to move sound."""
        self._spawn = spawn
        for sink in self._sinks:
            self._start_sink(sink)
        for source in self._sources:
            spawn(self._pump(source))

    async def drained(self) -> None:
        """Return once every sink has played what it was given."""
        for sink in self._sinks:
            await sink.drained()

    async def aclose(self) -> None:
        """Close every end; files are whole afterwards."""
        self._closed = True
        sources, self._sources = self._sources, []
        sinks, self._sinks = self._sinks, []
        ends: list[AudioSource | AudioSink] = [*sources, *sinks]
        for end in ends:
            with contextlib.suppress(Exception):  # closing one must not keep the next from closing
                await end.aclose()

    def _start_sink(self, sink: AudioSink) -> None:
        sink.start(self._report)
        self._fanout.on(frozenset({AudioOutput}), lambda event: _play(sink, event))
        self._fanout.on(frozenset({Interrupted}), lambda event: sink.flush())  # noqa: ARG005
        self._fanout.on(frozenset({GenerationCompleted}), lambda event: self._ended(sink, event.id))

    def _ended(self, sink: AudioSink, generation_id: str) -> None:
        sink.end(generation_id)
        if self._spawn is not None:
            self._spawn(sink.drained())  # a sink that failed says so there: it becomes a SessionError

    async def _pump(self, source: AudioSource) -> None:
        self._running += 1
        try:
            async for frame in source:
                self._intake.push(frame, sample_rate=source.sample_rate, channels=source.channels)
            if self._running == 1:  # another source still speaks: the sound goes on
                self._source_ended()
        except (SessionClosed, asyncio.CancelledError):
            return
        finally:
            self._running -= 1
            await source.aclose()


def _play(sink: AudioSink, event: AudioOutput) -> None:
    """Pass on a piece of sound, without half a sample: that is the last of a generation (Q-odd-audio)."""
    size_bytes = len(event.pcm) // 2 * 2
    if size_bytes:
        sink.write(event.generation_id, event.pcm[:size_bytes])

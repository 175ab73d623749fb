"""Sinks that run at the pace of real time: the base of all, and those without a device.

``BaseSink`` is the life of a sink (a state table, who waits for what, a failure kept until someone
asks), ``PacedSink`` adds a ``Playout`` and a ticker that pulls one frame after another as a device
would, so that a program without loudspeakers hears at the same moments as one with them.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from duologue.audio.format import FRAME_MS, OUTPUT_RATE, SAMPLE_BYTES, bytes_to_samples, ms_to_samples
from duologue.audio.pace import LoopClock, Ticker
from duologue.audio.playout import Playhead, Playout
from duologue.errors import AudioError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from duologue.config import Clock

__all__ = ["BaseSink", "NullSink", "PacedSink", "RecordingSink", "SinkState", "Span"]

_log = logging.getLogger("duologue.audio")


class SinkState(Enum):
    """Where a sink is in its life."""

    NEW = "new"
    RUNNING = "running"
    FAILED = "failed"
    CLOSED = "closed"


_TRANSITIONS: Final[Mapping[SinkState, frozenset[SinkState]]] = {
    SinkState.NEW: frozenset({SinkState.RUNNING, SinkState.CLOSED}),
    SinkState.RUNNING: frozenset({SinkState.FAILED, SinkState.CLOSED}),
    SinkState.FAILED: frozenset({SinkState.CLOSED}),
    SinkState.CLOSED: frozenset(),
}


@dataclass(slots=True)
class _Waiter:
    """Someone who waits for generations to be gone, seen after ``commands`` commands or later."""

    done: asyncio.Future[None]
    commands: int
    generations: frozenset[str]


class BaseSink(ABC):
    """The life of an ``AudioSink``: started once, observed while it plays, closed from any state.

    A subclass carries out commands (write, end, flush), numbers them by ``_count_command``, and tells
    ``_observe`` after how many of them what has been heard and what is still queued. All methods are
    for the loop's thread.
    """

    def __init__(self) -> None:
        self._state = SinkState.NEW
        self._report: Callable[[str, int], None] | None = None
        self._commands: int = 0
        self._written: dict[str, int] = {}
        self._seen_commands: int = 0
        self._seen_queued: frozenset[str] = frozenset()
        self._waiters: list[_Waiter] = []
        self._failure: AudioError | None = None

    @property
    def state(self) -> SinkState:
        """Where it is in its life."""
        return self._state

    @property
    @abstractmethod
    def is_playing(self) -> bool:
        """Whether sound is coming out now."""

    def start(self, report_playhead: Callable[[str, int], None]) -> None:
        """Begin playing; call ``report_playhead(generation_id, played_ms)`` as sound is heard.

        Raises:
            AudioError: It was started before, is closed, or what it plays on cannot be opened.
        """
        if self._state is not SinkState.NEW:
            msg = f"this {type(self).__name__} is {self._state.value}; one is started once, make another"
            raise AudioError(msg)
        self._report = report_playhead
        self._open()
        self._to(SinkState.RUNNING)

    @abstractmethod
    def write(self, generation_id: str, pcm: bytes) -> None:
        """Queue s16le mono 24 kHz sound of a generation; dropped when it has failed or is closed.

        Half a sample at its end is left out.
        """

    @abstractmethod
    def end(self, generation_id: str) -> None:
        """Tell that no more sound of this generation will be written."""

    @abstractmethod
    def flush(self) -> None:
        """Fall silent now: everything queued and unheard is thrown away."""

    async def drained(self) -> None:
        """Return once every generation that has sound queued now has been heard or flushed.

        Sound written later to one of these generations is waited for too.

        Raises:
            AudioError: The sink was never started and has sound queued, or it failed.
        """
        if self._failure is not None:
            raise self._failure
        generations = self._seen_queued.union(self._written)
        if self._state is SinkState.CLOSED or not generations:
            return
        if self._state is SinkState.NEW:
            msg = f"this {type(self).__name__} has sound but was never started, so it would wait forever"
            raise AudioError(msg)
        waiter = _Waiter(asyncio.get_running_loop().create_future(), self._commands, generations)
        self._waiters.append(waiter)
        try:
            await waiter.done
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    async def aclose(self) -> None:
        """Stop at once and release what it plays on; idempotent. What is queued is not heard.

        Raises:
            AudioError: The sink failed while it played and nobody was told yet, or closing failed.
        """
        if self._state is SinkState.CLOSED:
            return
        self._to(SinkState.CLOSED)
        for waiter in self._waiters:
            if not waiter.done.done():
                waiter.done.set_result(None)
        self._waiters.clear()
        self._report = None
        failure, self._failure = self._failure, None
        try:
            self._close()
        finally:
            if failure is not None:
                raise failure

    @abstractmethod
    def _open(self) -> None:
        """Open what it plays on and begin to pull."""

    @abstractmethod
    def _close(self) -> None:
        """Stop pulling and release what it plays on; also called when it was never opened."""

    def _observe(self, commands: int, progress: Iterable[Playhead], queued: Iterable[str]) -> None:
        """Report what was heard, and wake those who waited for it.

        Args:
            commands: How many commands had been carried out then.
            progress: The playheads that moved.
            queued: The generations with unheard sound.
        """
        if self._report is not None:
            for playhead in progress:
                self._report(playhead.generation_id, playhead.played_ms)
        if commands != self._seen_commands:
            self._written = {name: number for name, number in self._written.items() if number > commands}
        self._seen_commands = commands
        self._seen_queued = frozenset(queued)
        for waiter in self._waiters:
            if commands < waiter.commands:
                continue
            waiter.generations &= self._seen_queued
            if not waiter.generations and not waiter.done.done():
                waiter.done.set_result(None)

    def _count_command(self, written: str | None = None) -> None:
        """Number a command; ``written`` names the generation that it gave sound to."""
        self._commands += 1
        if written is not None:
            self._written[written] = self._commands

    def _fail(self, error: Exception) -> None:
        """Go silent for good: whoever waits is told now, else ``aclose`` tells. Later failures are logged only."""
        _log.error("%s stopped: %s", type(self).__name__, error)
        if self._state is not SinkState.RUNNING:
            return
        failure = (
            error if isinstance(error, AudioError) else AudioError(f"{type(self).__name__} stopped: {error}")
        )
        if failure is not error:
            failure.__cause__ = error
        self._to(SinkState.FAILED)
        self._failure = failure
        for waiter in self._waiters:
            if not waiter.done.done():
                waiter.done.set_exception(failure)

    def _to(self, state: SinkState) -> None:
        if state not in _TRANSITIONS[self._state]:
            msg = f"{type(self).__name__} cannot go from {self._state.name} to {state.name}"
            raise RuntimeError(msg)
        self._state = state


class PacedSink(BaseSink):
    """Play in real time onto something that is no device: override ``_emit``.

    One frame every ``frame_ms`` by absolute deadlines, silence included, from ``start`` on. A loop
    that was blocked gets the missed frames at once, so the sound always agrees with the clock. Owns
    a timer and no task.

    Args:
        sample_rate: Of what is written, in Hz.
        frame_ms: Length of a frame, 1..1000 ms.
        prebuffer_ms: As for ``Playout``.
        clock: Whose time counts; the running loop's by default.

    Raises:
        ConfigError: A value out of its range.
    """

    def __init__(
        self,
        *,
        sample_rate: int = OUTPUT_RATE,
        frame_ms: int = FRAME_MS,
        prebuffer_ms: int = 60,
        clock: Clock | None = None,
    ) -> None:
        super().__init__()
        if not 1 <= frame_ms <= 1000:
            msg = f"{type(self).__name__} got frame_ms={frame_ms}; give 1 to 1000 milliseconds"
            raise ConfigError(msg)
        self.playout = Playout(sample_rate=sample_rate, prebuffer_ms=prebuffer_ms)
        self._frame_samples = ms_to_samples(frame_ms, sample_rate)
        self._clock = clock
        self._ticker: Ticker | None = None

    @property
    def is_playing(self) -> bool:
        """Whether sound is coming out now."""
        return self._state is SinkState.RUNNING and self.playout.is_playing

    def write(self, generation_id: str, pcm: bytes) -> None:
        """Queue s16le mono sound of a generation; dropped when it has failed or is closed.

        Half a sample at its end is left out.
        """
        if self._state in (SinkState.NEW, SinkState.RUNNING):
            self.playout.write(generation_id, pcm)
            self._count_command(generation_id)

    def end(self, generation_id: str) -> None:
        """Tell that no more sound of this generation will be written."""
        self._count_command()
        self.playout.end(generation_id)

    def flush(self) -> None:
        """Fall silent now: everything queued and unheard is thrown away."""
        self._count_command()
        self.playout.flush()
        self._look()

    def _emit(self, frame: bytes, heard_samples: int) -> None:
        """Take the next frame.

        Args:
            frame: ``frame_ms`` of s16le mono.
            heard_samples: How many samples at its start are sound of a generation; the rest is silence.
        """

    def _open(self) -> None:
        clock = self._clock if self._clock is not None else LoopClock()
        self._ticker = Ticker(clock, self._frame_samples / self.playout.sample_rate, self._tick)
        self._ticker.start()

    def _close(self) -> None:
        if self._ticker is not None:
            self._ticker.stop()
        self.playout.flush()

    def _tick(self) -> None:
        frame = bytearray(self._frame_samples * SAMPLE_BYTES)
        heard_samples = self.playout.read_into(frame)
        try:
            self._emit(bytes(frame), heard_samples)
            self._look()
        except Exception as error:
            if self._ticker is not None:
                self._ticker.stop()
            self._fail(error)

    def _look(self) -> None:
        self._observe(self._commands, self.playout.take_progress(), self.playout.queued_generations())


class NullSink(PacedSink):
    """Hear nothing, in real time: the playhead moves as with a loudspeaker."""


@dataclass(frozen=True, slots=True)
class Span:
    """Sound that was heard without a pause."""

    offset_samples: int
    """Where it began, counted from ``start``."""
    pcm: bytes


class RecordingSink(PacedSink):
    """Keep in memory what was heard and when, for tests and short calls.

    Holds ``max_s`` of sound; beyond that nothing more is kept, and ``unrecorded_samples`` counts it.

    Args:
        max_s: Sound kept at most, in seconds.
        **paced: As for ``PacedSink``.
    """

    def __init__(
        self,
        *,
        max_s: float = 600.0,
        sample_rate: int = OUTPUT_RATE,
        frame_ms: int = FRAME_MS,
        prebuffer_ms: int = 60,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(sample_rate=sample_rate, frame_ms=frame_ms, prebuffer_ms=prebuffer_ms, clock=clock)
        self._room_samples = int(max_s * sample_rate)
        self._heard: list[tuple[int, bytearray]] = []
        self.elapsed_samples = 0
        self.unrecorded_samples = 0

    @property
    def spans(self) -> tuple[Span, ...]:
        """The stretches of sound, in order."""
        return tuple(Span(at, bytes(pcm)) for at, pcm in self._heard)

    @property
    def pcm(self) -> bytes:
        """All that was heard, without the pauses."""
        return b"".join(pcm for _, pcm in self._heard)

    def _emit(self, frame: bytes, heard_samples: int) -> None:
        at = self.elapsed_samples
        self.elapsed_samples += bytes_to_samples(frame)
        kept = min(heard_samples, self._room_samples)
        self.unrecorded_samples += heard_samples - kept
        if not kept:
            return
        self._room_samples -= kept
        sound = frame[: kept * SAMPLE_BYTES]
        if self._heard and self._heard[-1][0] + bytes_to_samples(self._heard[-1][1]) == at:
            self._heard[-1][1].extend(sound)
        else:
            self._heard.append((at, bytearray(sound)))

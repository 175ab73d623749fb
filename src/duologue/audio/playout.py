"""The jitter buffer between the model's bursts and a device that wants one frame after another.

Pure: no clock, no thread, no task. Time is what has been pulled: a device that takes 480 samples
has let 20 ms pass. So the playhead is what was really handed to the device, not what was sent.

The states::

    IDLE ── write ──▶ BUFFERING ── enough, ended, or waited long enough ──▶ PLAYING
      ▲                   ▲                                                    │
      │                   └─ write ── STARVED ◀── ran dry, generation open ────┤
      └── flush (from any), end, or ran dry with the generation ended ─────────┘

Generations play one after another in the order in which they first wrote; more sound of one that
is still queued joins it there. A generation whose end was never told is left as soon as it is dry
and another waits.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from duologue.audio.fade import Declick
from duologue.audio.format import (
    FRAME_MS,
    OUTPUT_RATE,
    SAMPLE_BYTES,
    bytes_to_samples,
    ms_to_samples,
    samples_to_ms,
    whole_samples,
)
from duologue.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Playhead", "Playout", "PlayoutState"]

_REMEMBERED_GENERATIONS: Final = 64
"""Of how many past generations the playhead is known, should more of their sound come."""


class PlayoutState(Enum):
    """Where a ``Playout`` is; see the drawing at the top of the module."""

    IDLE = "idle"
    BUFFERING = "buffering"
    PLAYING = "playing"
    STARVED = "starved"


_TRANSITIONS: Final[Mapping[PlayoutState, frozenset[PlayoutState]]] = {
    PlayoutState.IDLE: frozenset({PlayoutState.BUFFERING}),
    PlayoutState.BUFFERING: frozenset({PlayoutState.PLAYING, PlayoutState.IDLE}),
    PlayoutState.PLAYING: frozenset({PlayoutState.STARVED, PlayoutState.IDLE}),
    PlayoutState.STARVED: frozenset({PlayoutState.BUFFERING, PlayoutState.IDLE}),
}


@dataclass(frozen=True, slots=True)
class Playhead:
    """How much of a generation has been pulled."""

    generation_id: str
    played_ms: int


@dataclass(slots=True)
class _Queued:
    """The unplayed sound of one generation."""

    generation_id: str
    pcm: bytearray = field(default_factory=bytearray)
    ended: bool = False
    ran_dry: bool = False


class Playout:
    """Hold the model's sound and give it out in order, one frame at a time.

    Not for several threads at once. Every sample written comes out exactly once, unchanged and in
    the order of its generation, unless it was flushed or the buffer overflowed; where there is
    none, silence comes out, led into by a ramp of at most ``fade_ms`` so that nothing clicks.

    After a generation ran dry in its middle (an underrun) twice as much is collected before it goes
    on, up to ``max_prebuffer_ms``; generations without one bring that back down.

    Args:
        sample_rate: Of what is written and read, in Hz.
        prebuffer_ms: Sound collected before a generation begins, 0..``max_prebuffer_ms``. No
            generation waits longer than twice this (20 ms at least) for more to come.
        max_prebuffer_ms: The most that underruns raise it to.
        max_buffer_s: Sound held at most. Beyond it the oldest unplayed sound is thrown away and
            counted in ``overflowed_samples``.
        fade_ms: Length of the ramp into silence, 0..20.

    Raises:
        ConfigError: A value out of its range.
    """

    def __init__(
        self,
        *,
        sample_rate: int = OUTPUT_RATE,
        prebuffer_ms: int = 60,
        max_prebuffer_ms: int = 400,
        max_buffer_s: float = 600.0,
        fade_ms: int = 4,
    ) -> None:
        sizes_ok = sample_rate > 0 and max_buffer_s > 0 and 0 <= fade_ms <= 20
        if not (sizes_ok and 0 <= prebuffer_ms <= max_prebuffer_ms):
            msg = (
                f"Playout got sample_rate={sample_rate}, prebuffer_ms={prebuffer_ms}, max_prebuffer_ms="
                f"{max_prebuffer_ms}, max_buffer_s={max_buffer_s}, fade_ms={fade_ms}; give a positive rate and "
                "buffer, a prebuffer of 0 to max_prebuffer_ms, and a fade of 0 to 20 ms"
            )
            raise ConfigError(msg)
        self.sample_rate = sample_rate
        self._base = ms_to_samples(prebuffer_ms, sample_rate)
        self._most = ms_to_samples(max_prebuffer_ms, sample_rate)
        self._capacity_bytes = max(1, int(max_buffer_s * sample_rate)) * SAMPLE_BYTES
        self._grain = max(1, ms_to_samples(FRAME_MS, sample_rate))
        self._target = self._base
        self._state = PlayoutState.IDLE
        self._queue: OrderedDict[str, _Queued] = OrderedDict()
        self._queued_bytes = 0
        self._played: OrderedDict[str, int] = OrderedDict()
        self._progressed: dict[str, None] = {}
        self._waited_samples = 0
        self._declick = Declick(ms_to_samples(fade_ms, sample_rate))
        self.underruns = 0
        self.written_samples = 0
        self.played_samples = 0
        self.flushed_samples = 0
        self.overflowed_samples = 0

    @property
    def state(self) -> PlayoutState:
        """Where it is now."""
        return self._state

    @property
    def is_playing(self) -> bool:
        """Whether sound is coming out, and more of it is there for the next read."""
        return self._state is PlayoutState.PLAYING

    @property
    def queued_samples(self) -> int:
        """Samples written and neither pulled nor thrown away."""
        return self._queued_bytes // SAMPLE_BYTES

    @property
    def queued_ms(self) -> int:
        """``queued_samples`` in whole milliseconds."""
        return samples_to_ms(self.queued_samples, self.sample_rate)

    @property
    def prebuffer_ms(self) -> int:
        """What is collected before sound (re)starts, as it stands after the underruns so far."""
        return samples_to_ms(self._target, self.sample_rate)

    def queued_generations(self) -> tuple[str, ...]:
        """Name the generations with unplayed sound, in the order in which they will play."""
        return tuple(name for name, queued in self._queue.items() if queued.pcm)

    @property
    def playhead(self) -> Playhead | None:
        """The generation last heard and how much of it was; None before any was."""
        if not self._played:
            return None
        return self._head_of(next(reversed(self._played)))

    def take_progress(self) -> tuple[Playhead, ...]:
        """Return the playheads that moved since the last call, in the order in which they did."""
        moved = tuple(map(self._head_of, self._progressed))
        self._progressed.clear()
        return moved

    def write(self, generation_id: str, pcm: bytes | bytearray | memoryview) -> None:
        """Queue sound of a generation.

        Does not tell an interrupted generation from a new one: sound written after a ``flush`` will
        be heard, so whoever writes leaves out what came late.

        Args:
            generation_id: Whose sound it is.
            pcm: Mono s16le at ``sample_rate``, of any length; copied. Half a sample at its end, the last of
                a recording cut short, is left out.
        """
        pcm = whole_samples(pcm)
        samples = bytes_to_samples(pcm)
        if not samples:
            return
        queued = self._queue.get(generation_id)
        if queued is None:
            queued = self._queue[generation_id] = _Queued(generation_id)
        queued.pcm += pcm
        self._queued_bytes += samples * SAMPLE_BYTES
        self.written_samples += samples
        if self._queued_bytes > self._capacity_bytes:
            self._drop_oldest(self._queued_bytes - self._capacity_bytes)
        if self._state is PlayoutState.STARVED and not self._leave_dry_head():
            queued.ran_dry = True
            self.underruns += 1
            self._target = min(max(2 * self._target, self._grain), self._most)
        if self._state in (PlayoutState.IDLE, PlayoutState.STARVED):
            self._waited_samples = 0
            self._to(PlayoutState.BUFFERING)

    def end(self, generation_id: str) -> None:
        """Tell that a generation has no more sound: what is there need not wait. Unknown ids are fine."""
        queued = self._queue.get(generation_id)
        if queued is None:
            return
        queued.ended = True
        if self._state is PlayoutState.STARVED:
            self._leave_dry_head()

    def flush(self) -> int:
        """Throw away all that is queued: the next read is a ramp of at most ``fade_ms``, then silence.

        Returns:
            The samples thrown away.
        """
        thrown = self.queued_samples
        self.flushed_samples += thrown
        self._queue.clear()
        self._queued_bytes = 0
        if self._state is not PlayoutState.IDLE:
            self._to(PlayoutState.IDLE)
        return thrown

    def read(self, samples: int) -> bytes:
        """Pull the next samples: sound, or silence where there is none.

        Args:
            samples: How many, 0 or more.
        """
        frame = bytearray(samples * SAMPLE_BYTES)
        self.read_into(frame)
        return bytes(frame)

    def read_into(self, frame: bytearray | memoryview) -> int:
        """Fill a frame as ``read`` does, without making one; for device callbacks.

        Args:
            frame: Writable bytes, a whole number of samples; all of them are overwritten.

        Returns:
            How many samples at its start are sound of a generation. The rest is silence.
        """
        wanted_bytes = len(frame) - len(frame) % SAMPLE_BYTES
        filled_bytes = 0
        if self._state is PlayoutState.BUFFERING:
            self._maybe_start(wanted_bytes // SAMPLE_BYTES)
        while filled_bytes < wanted_bytes and self._state is PlayoutState.PLAYING:
            queued = next(iter(self._queue.values()))
            taken_bytes = min(len(queued.pcm), wanted_bytes - filled_bytes)
            if taken_bytes:
                frame[filled_bytes : filled_bytes + taken_bytes] = queued.pcm[:taken_bytes]
                del queued.pcm[:taken_bytes]  # moves a pointer, not the rest
                filled_bytes += taken_bytes
                self._count_played(queued.generation_id, taken_bytes)
            if not queued.pcm:
                self._leave_dry_head()
        self._declick.finish(frame, filled_bytes)
        return filled_bytes // SAMPLE_BYTES

    def _maybe_start(self, samples: int) -> None:
        head = next(iter(self._queue.values()))
        enough = self._queued_bytes >= self._target * SAMPLE_BYTES
        patience = max(2 * self._target, self._grain)
        if enough or head.ended or self._waited_samples >= patience:
            self._to(PlayoutState.PLAYING)
        else:
            self._waited_samples += samples

    def _leave_dry_head(self) -> bool:
        """Drop generations that are dry and over, or dry with others waiting; tell whether any was."""
        left = False
        while self._queue:
            head = next(iter(self._queue.values()))
            if head.pcm or not (head.ended or len(self._queue) > 1):
                break
            del self._queue[head.generation_id]
            left = True
            if not head.ran_dry:
                self._target = max(self._base, self._target // 2)
        if not self._queue:
            self._to(PlayoutState.IDLE)
        elif self._state is PlayoutState.PLAYING and not self._queued_bytes:
            self._to(PlayoutState.STARVED)
        return left

    def _drop_oldest(self, excess_bytes: int) -> None:
        self.overflowed_samples += excess_bytes // SAMPLE_BYTES
        self._queued_bytes -= excess_bytes
        for queued in self._queue.values():
            dropped_bytes = min(excess_bytes, len(queued.pcm))
            del queued.pcm[:dropped_bytes]
            excess_bytes -= dropped_bytes
            if not excess_bytes:
                return

    def _count_played(self, generation_id: str, taken_bytes: int) -> None:
        samples = taken_bytes // SAMPLE_BYTES
        self._queued_bytes -= taken_bytes
        self.played_samples += samples
        self._played[generation_id] = self._played.pop(generation_id, 0) + samples
        self._progressed[generation_id] = None
        if len(self._played) > _REMEMBERED_GENERATIONS:
            forgotten, _ = self._played.popitem(last=False)
            self._progressed.pop(forgotten, None)

    def _head_of(self, generation_id: str) -> Playhead:
        return Playhead(generation_id, samples_to_ms(self._played[generation_id], self.sample_rate))

    def _to(self, state: PlayoutState) -> None:
        if state not in _TRANSITIONS[self._state]:
            msg = f"Playout cannot go from {self._state.name} to {state.name}"
            raise RuntimeError(msg)
        self._state = state

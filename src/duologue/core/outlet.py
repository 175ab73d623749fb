"""Where the core's results collect until the driver drains them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from duologue.events import AudioOutput, Event, RawMessage, TextOutput, Thought, Transcript

if TYPE_CHECKING:
    from duologue.errors import ReplyError

__all__ = ["BULK", "Frame", "Notice", "Outlet", "ReplyFailed", "ReplyStarted"]

BULK: frozenset[type] = frozenset({AudioOutput, TextOutput, Thought, Transcript, RawMessage})
"""Events that are built only when somebody wants them; all others always are."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Frame:
    """One message for the wire. Audio may be dropped when it cannot be written; the rest may not."""

    data: bytes
    audio_ms: float = 0.0
    """Length of the sound inside; 0 for everything that is not sound."""


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """``generate_reply`` number ``reply_id`` is answered by this generation."""

    reply_id: int
    generation_id: str


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    """``generate_reply`` number ``reply_id`` will not be answered."""

    reply_id: int
    error: ReplyError


Notice = ReplyStarted | ReplyFailed
"""What the core tells its façade beside the public events, in the same order."""


class Outlet:
    """Collects events and frames; counts what was discarded and why."""

    __slots__ = ("_events", "_frames", "counters", "interest")

    def __init__(self) -> None:
        self._events: list[Event | Notice] = []
        self._frames: list[Frame] = []
        self.interest: frozenset[type] = BULK
        self.counters: dict[str, int] = {}

    @property
    def waiting(self) -> bool:
        """Whether anything waits to be drained."""
        return bool(self._frames or self._events)

    def wants(self, kind: type) -> bool:
        """Tell whether a bulk event of this kind would be read by anybody."""
        return kind in self.interest

    def emit(self, event: Event | Notice) -> None:
        """Add an event."""
        self._events.append(event)

    def send(self, data: bytes, *, audio_ms: float = 0.0) -> None:
        """Add a frame for the wire."""
        self._frames.append(Frame(data, audio_ms))

    def count(self, what: str, by: int = 1) -> None:
        """Add to a counter; ``docs/quirks.md`` names them."""
        self.counters[what] = self.counters.get(what, 0) + by

    def drain_events(self) -> list[Event | Notice]:
        """Return and forget the events so far."""
        events, self._events = self._events, []
        return events

    def drain_frames(self) -> list[Frame]:
        """Return and forget the frames so far."""
        frames, self._frames = self._frames, []
        return frames

"""What happened in a call, when: collected from events while it runs, a value afterwards.

Transcript, timeline and summary are made from a ``CallRecord``; nothing in here draws or writes. All
instants are seconds since the loudspeaker started.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import singledispatchmethod
from statistics import median
from typing import TYPE_CHECKING, Any, Final, Literal

from duologue.events import (
    AudioOutput,
    Event,
    GenerationCompleted,
    GenerationCreated,
    Interrupted,
    SessionEnded,
    SessionError,
    ToolCall,
    ToolResult,
    Transcript,
    TurnCompleted,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CallLog", "CallRecord", "CallerTurn", "Fragment", "Reply", "ToolUse"]

_FRESH_S: Final = 0.8
"""Speech after a shorter pause than this still belongs to the same turn of the caller."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """Words of a reply, and where in its sound they are (as near as the wire tells)."""

    offset_ms: int
    text: str


@dataclass(slots=True)
class CallerTurn:
    """Something the caller said or typed."""

    began_at_s: float
    ended_at_s: float
    """Of the last voiced sample."""
    kind: Literal["spoken", "typed", "instruction"] = "spoken"
    said: str | None = None
    """What it was meant to be, where we know: the line of a scene."""
    heard: str = ""
    """What the model's side understood."""


@dataclass(slots=True)
class Reply:
    """One generation of the model."""

    id: str
    created_at_s: float
    fragments: list[Fragment] = field(default_factory=list[Fragment])
    received_ms: int = 0
    heard_ms: int = 0
    began_at_s: float | None = None
    """When its first sound left the loudspeaker."""
    ended_at_s: float | None = None
    """When its last heard sound did."""
    interrupted_at_s: float | None = None
    latency_ms: int | None = None
    """From the caller's last voiced sample to ``began_at_s``; of the first sound after speech only."""
    status: str = ""

    @property
    def text(self) -> str:
        """All its words."""
        return "".join(piece.text for piece in self.fragments).strip()

    @property
    def heard_text(self) -> str:
        """The words whose sound began before it was cut off; all of them when it was not."""
        if self.interrupted_at_s is None:
            return self.text
        return "".join(piece.text for piece in self.fragments if piece.offset_ms < self.heard_ms).strip()


@dataclass(slots=True)
class ToolUse:
    """A function the model called."""

    call_id: str
    name: str
    arguments: Mapping[str, Any]
    asked_at_s: float
    ended_at_s: float | None = None
    result: Mapping[str, Any] | None = None
    outcome: str = ""
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call, over. Everything in order of time."""

    model: str
    where: str
    """Who answered: the local emulator or a host."""
    duration_s: float
    caller: tuple[CallerTurn, ...]
    replies: tuple[Reply, ...]
    tools: tuple[ToolUse, ...]
    problems: tuple[str, ...] = ()
    caller_levels_dbfs: tuple[float, ...] = ()
    model_levels_dbfs: tuple[float, ...] = ()

    @property
    def interruptions(self) -> tuple[Reply, ...]:
        """Replies that were cut off."""
        return tuple(reply for reply in self.replies if reply.interrupted_at_s is not None)

    @property
    def latencies_ms(self) -> tuple[int, ...]:
        """Response latencies, in order."""
        return tuple(reply.latency_ms for reply in self.replies if reply.latency_ms is not None)

    @property
    def median_latency_ms(self) -> int | None:
        """The middle response latency; None when there is none."""
        return round(median(self.latencies_ms)) if self.latencies_ms else None


class CallLog:
    """Listens to a session and remembers what a reader would want to know.

    Not for several threads. It is told the time with every event and reads no clock.
    """

    def __init__(self) -> None:
        self.caller: list[CallerTurn] = []
        self.replies: dict[str, Reply] = {}
        self.tools: dict[str, ToolUse] = {}
        self.problems: list[str] = []
        self.ended: SessionEnded | None = None
        self.interrupted_at_s: float | None = None
        """The newest interruption."""
        self.closed_turns: set[str] = set()
        """Generations whose turn was completed."""
        self._items: dict[str, CallerTurn] = {}
        self._heard: dict[str, str] = {}

    # -- what the application did -------------------------------------------------------------

    def caller_speaks(self, began_at_s: float, ended_at_s: float, said: str | None = None) -> CallerTurn:
        """Note speech of the caller; ``ended_at_s`` may lie ahead and may be moved later."""
        turn = CallerTurn(began_at_s, ended_at_s, said=said)
        self.caller.append(turn)
        return turn

    def caller_voiced(self, began_at_s: float, ended_at_s: float) -> None:
        """Note voiced sound where no line is known: joined with what was just said, or a new turn."""
        last = self.caller[-1] if self.caller else None
        if last is not None and last.kind == "spoken" and began_at_s - last.ended_at_s < _FRESH_S:
            last.ended_at_s = max(last.ended_at_s, ended_at_s)
        else:
            self.caller_speaks(began_at_s, ended_at_s)

    def caller_types(self, text: str, at_s: float, kind: Literal["typed", "instruction"] = "typed") -> None:
        """Note a typed turn or an instruction."""
        self.caller.append(CallerTurn(at_s, at_s, kind=kind, said=text, heard=text))

    def heard(self, generation_id: str, heard_ms: int, at_s: float) -> None:
        """Note how much of a reply has left the loudspeaker at an instant."""
        reply = self.replies.get(generation_id)
        if reply is None:
            return
        if reply.began_at_s is None:
            # Of the first frame only its end is known, and not how much silence came first.
            reply.began_at_s = max(reply.created_at_s, at_s - heard_ms / 1000)
            reply.latency_ms = self._latency_ms(reply)
        reply.heard_ms = heard_ms
        reply.ended_at_s = at_s

    def _latency_ms(self, reply: Reply) -> int | None:
        began_at_s = reply.began_at_s
        turns = [turn for turn in self.caller if began_at_s is not None and turn.ended_at_s <= began_at_s]
        if not turns or began_at_s is None or turns[-1].kind != "spoken":
            return None
        ended_at_s = turns[-1].ended_at_s
        others = (other for other in self.replies.values() if other is not reply)
        answered = any(other.began_at_s is not None and other.began_at_s >= ended_at_s for other in others)
        return None if answered else round(1000 * (began_at_s - ended_at_s))

    # -- what the session told ----------------------------------------------------------------

    @singledispatchmethod
    def observe(self, event: Event, at_s: float) -> None:
        """Take an event; kinds that nobody reads about are left out."""

    @observe.register
    def _(self, event: GenerationCreated, at_s: float) -> None:
        self.replies[event.id] = Reply(event.id, at_s)

    @observe.register
    def _(self, event: AudioOutput, at_s: float) -> None:  # noqa: ARG002 -- one signature for all
        if event.generation_id in self.replies:
            self.replies[event.generation_id].received_ms = event.offset_ms + len(event.pcm) // 48

    @observe.register
    def _(self, event: Transcript, at_s: float) -> None:
        if event.role == "model":
            if self.replies and event.delta:
                reply = next(reversed(self.replies.values()))
                reply.fragments.append(Fragment(reply.received_ms, event.delta))
            return
        turn = self._items.get(event.item_id)
        if turn is None:
            turn = self._items[event.item_id] = self._turn_at(at_s)
            self._heard[event.item_id] = turn.heard
        before = self._heard[event.item_id]
        turn.heard = f"{before} {event.text.strip()}".strip()

    def _turn_at(self, at_s: float) -> CallerTurn:
        spoken = [turn for turn in self.caller if turn.kind == "spoken" and turn.began_at_s <= at_s]
        return spoken[-1] if spoken else self.caller_speaks(at_s, at_s)

    @observe.register
    def _(self, event: ToolCall, at_s: float) -> None:
        self.tools[event.call_id] = ToolUse(event.call_id, event.name, event.arguments, at_s)

    @observe.register
    def _(self, event: ToolResult, at_s: float) -> None:
        if use := self.tools.get(event.call_id):
            use.ended_at_s, use.result = at_s, event.result
            use.outcome, use.is_error = event.outcome, event.is_error

    @observe.register
    def _(self, event: Interrupted, at_s: float) -> None:
        self.interrupted_at_s = at_s
        for generation_id in event.generations:
            reply = self.replies.get(generation_id)
            if reply is not None and reply.interrupted_at_s is None and reply.heard_ms < reply.received_ms:
                reply.interrupted_at_s = at_s

    @observe.register
    def _(self, event: GenerationCompleted, at_s: float) -> None:  # noqa: ARG002 -- one signature for all
        if event.id in self.replies:
            self.replies[event.id].status = event.status

    @observe.register
    def _(self, event: TurnCompleted, at_s: float) -> None:  # noqa: ARG002 -- one signature for all
        self.closed_turns.update(event.generations)

    @observe.register
    def _(self, event: SessionError, at_s: float) -> None:
        self.problems.append(f"{at_s:.1f} s: {event.error}")

    @observe.register
    def _(self, event: SessionEnded, at_s: float) -> None:
        self.ended = event
        if event.error is not None:
            self.problems.append(f"{at_s:.1f} s: {event.error}")

    # -- afterwards ---------------------------------------------------------------------------

    def record(
        self,
        *,
        model: str,
        where: str,
        duration_s: float,
        caller_levels_dbfs: tuple[float, ...] = (),
        model_levels_dbfs: tuple[float, ...] = (),
    ) -> CallRecord:
        """Return the call as a value; noise that nobody understood as words is left out."""
        turns = [turn for turn in self.caller if turn.heard or turn.said]
        return CallRecord(
            model=model,
            where=where,
            duration_s=duration_s,
            caller=tuple(sorted(turns, key=lambda turn: turn.began_at_s)),
            replies=tuple(reply for reply in self.replies.values() if reply.fragments or reply.received_ms),
            tools=tuple(self.tools.values()),
            problems=tuple(self.problems),
            caller_levels_dbfs=caller_levels_dbfs,
            model_levels_dbfs=model_levels_dbfs,
        )

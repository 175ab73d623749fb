"""What happened in a call, when: collected from events while it runs, a value afterwards.

Transcript, timeline and summary are made from a ``CallRecord``; nothing in here draws or writes. All
instants are seconds since the loudspeaker started.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import singledispatchmethod
from statistics import median
from typing import TYPE_CHECKING, Any, Final, Literal

from duologue.cli.utterances import CallerTurn, CallerVoice
from duologue.events import (
    AudioOutput,
    Event,
    GenerationCompleted,
    GenerationCreated,
    InputSpeechStarted,
    InputSpeechStopped,
    Interrupted,
    SessionEnded,
    SessionError,
    ToolCall,
    ToolResult,
    Transcript,
    TurnCompleted,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["CallLog", "CallRecord", "CallerTurn", "Fragment", "Reply", "ToolUse"]

_UNHEARD_MS: Final = 100
"""More sound than this that was never heard makes a reply one that was cut off."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """Words of a reply, and where in its sound they are (as near as the wire tells)."""

    offset_ms: int
    text: str


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
    broke_in_at_s: float | None = None
    """When the speech that interrupted it began."""
    latency_ms: int | None = None
    """From the caller's last voiced sample to ``began_at_s``; of the first sound after speech only."""
    status: str = ""
    is_over: bool = False
    """Nothing more of it will be heard."""

    @property
    def text(self) -> str:
        """All its words."""
        return "".join(piece.text for piece in self.fragments).strip()

    @property
    def spoken_at_s(self) -> float:
        """When it began to be heard; of one that never was, when it was made."""
        return self.created_at_s if self.began_at_s is None else self.began_at_s

    @property
    def cut_off(self) -> bool:
        """Whether the call ended in the middle of it."""
        is_short = self.heard_ms < self.received_ms - _UNHEARD_MS
        return self.interrupted_at_s is None and self.is_over and is_short

    @property
    def heard_text(self) -> str:
        """The words whose sound began before it was cut off; all of them when it was not."""
        if self.interrupted_at_s is None and not self.cut_off:
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
        """Replies that the caller or the application cut off."""
        return tuple(reply for reply in self.replies if reply.interrupted_at_s is not None)

    @property
    def turns(self) -> int:
        """How many turns the caller had; what the call's end cut off is none."""
        return sum(not turn.cut_off for turn in self.caller)

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
        self.voice = CallerVoice()
        self.replies: dict[str, Reply] = {}
        self.tools: dict[str, ToolUse] = {}
        self.problems: list[str] = []
        self.ended: SessionEnded | None = None
        self.interrupted_at_s: float | None = None
        """The newest interruption."""
        self.closed_turns: set[str] = set()
        """Generations whose turn was completed."""
        self._typed: list[CallerTurn] = []

    # -- what the application did -------------------------------------------------------------

    def caller_speaks(self, stretches: Sequence[tuple[float, float]], said: str | None = None) -> None:
        """Note a line by (begin, end) of its voiced stretches, which may lie ahead; None: a recording."""
        self.voice.line(stretches, said)

    def caller_types(self, text: str, at_s: float, kind: Literal["typed", "instruction"] = "typed") -> None:
        """Note a typed turn or an instruction."""
        self._typed.append(CallerTurn(at_s, at_s, kind=kind, said=text, heard=text))

    def turns(self, until_s: float = math.inf) -> list[CallerTurn]:
        """Return the caller's turns so far, in order of time, noise included."""
        turns = [*self.voice.turns(until_s), *self._typed]
        return sorted(turns, key=lambda turn: turn.began_at_s)

    def heard(self, generation_id: str, heard_ms: int, at_s: float) -> None:
        """Note how much of a reply has left the loudspeaker at an instant."""
        reply = self.replies.get(generation_id)
        if reply is None:
            return
        if reply.began_at_s is None:
            # Of the first frame only its end is known, and not how much silence came first.
            reply.began_at_s = max(reply.created_at_s, at_s - heard_ms / 1000)
        reply.heard_ms = heard_ms
        reply.ended_at_s = at_s

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
        self.voice.words(event.item_id, event.text, at_s)

    @observe.register
    def _(self, event: InputSpeechStarted, at_s: float) -> None:
        self.voice.started(at_s, event.audio_offset_ms)

    @observe.register
    def _(self, event: InputSpeechStopped, at_s: float) -> None:
        self.voice.stopped(at_s, event.audio_offset_ms)

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
        for reply in self.replies.values():
            reply.is_over = True
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
        turns = self.turns(duration_s)
        replies = [reply for reply in self.replies.values() if reply.fragments or reply.received_ms]
        for reply in replies:
            reply.is_over = True
            reply.latency_ms = _latency_ms(reply, turns, replies)
            reply.broke_in_at_s = _broke_in_at_s(reply, turns)
        return CallRecord(
            model=model,
            where=where,
            duration_s=duration_s,
            caller=tuple(turn for turn in turns if turn.heard or turn.said is not None),
            replies=tuple(replies),
            tools=tuple(self.tools.values()),
            problems=tuple(self.problems),
            caller_levels_dbfs=caller_levels_dbfs,
            model_levels_dbfs=model_levels_dbfs,
        )


def _latency_ms(reply: Reply, turns: Sequence[CallerTurn], replies: Sequence[Reply]) -> int | None:
    """Return how long after the turn before it a reply began; None when it is not the first answer."""
    began_at_s = reply.began_at_s
    if began_at_s is None:
        return None
    before = [turn for turn in turns if turn.began_at_s <= began_at_s]
    if not before or before[-1].kind != "spoken" or before[-1].ended_at_s > began_at_s:
        return None
    ended_at_s = before[-1].ended_at_s
    others = (other.began_at_s for other in replies if other is not reply)
    answered = any(at_s is not None and ended_at_s <= at_s <= began_at_s for at_s in others)
    return None if answered else round(1000 * (began_at_s - ended_at_s))


def _broke_in_at_s(reply: Reply, turns: Sequence[CallerTurn]) -> float | None:
    """Return when the caller began what cut a reply off: the nearest beginning before it fell silent."""
    if reply.interrupted_at_s is None or reply.began_at_s is None:
        return None
    silent_at_s = reply.interrupted_at_s if reply.ended_at_s is None else reply.ended_at_s
    begun = [turn.began_at_s for turn in turns if reply.began_at_s <= turn.began_at_s <= silent_at_s]
    return begun[-1] if begun else None

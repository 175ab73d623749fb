"""Our session's events against the recording: every difference in one line, nothing is waved through."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tests.tapes.expected import Turn, conversation_of
from tests.tapes.purposes import Result, purposes_of
from tests.tapes.tape import Received

from duologue.events import (
    AudioOutput,
    GenerationCompleted,
    GenerationCreated,
    GoAway,
    Grounding,
    Interrupted,
    ResumptionUpdate,
    SessionEnded,
    SessionError,
    SessionReady,
    TextOutput,
    Thought,
    ToolCall,
    ToolCallCancelled,
    Transcript,
    TurnCompleted,
    UsageReported,
    WaitingForInput,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.tapes.expected import Conversation
    from tests.tapes.tape import Link

__all__ = ["differences", "expectation"]


def expectation(link: Link) -> Conversation:
    """Return what this recording must lead to."""
    results: dict[str, int] = {}
    taken = 0
    for entry in link.entries:
        if isinstance(entry, Received):
            taken += len(entry.messages)
            continue
        for purpose in purposes_of(entry.message):
            if isinstance(purpose, Result) and purpose.final:
                results.setdefault(purpose.call, taken)
    return conversation_of(link.received, results)


def differences(expected: Conversation, events: Sequence[Any]) -> list[str]:
    """Return what the session told otherwise than it was recorded."""
    return [
        *_turns(expected, _Told(events)),
        *_transcript_items(events),
        *_samples(events),
        *_lists(expected, events),
        *_ends(expected, events),
    ]


@dataclass
class _ToldTurn:
    pieces: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])
    deltas: dict[str, str] = field(default_factory=lambda: {"user": "", "model": ""})
    finals: dict[str, list[str]] = field(default_factory=lambda: {"user": [], "model": []})
    thoughts: list[str] = field(default_factory=list[str])
    texts: list[str] = field(default_factory=list[str])
    calls: list[ToolCall] = field(default_factory=list[ToolCall])
    end: TurnCompleted | None = None


class _Told:
    """Events cut at every ``TurnCompleted``."""

    def __init__(self, events: Sequence[Any]) -> None:
        self.turns = [_ToldTurn()]
        for event in events:
            self._take(event, self.turns[-1])

    def _take(self, event: Any, turn: _ToldTurn) -> None:
        match event:
            case AudioOutput():
                turn.pieces.append((event.generation_id, event.pcm))
            case Transcript():
                turn.deltas[event.role] += event.delta
                if event.final:
                    turn.finals[event.role].append(event.text)
            case Thought():
                turn.thoughts.append(event.text)
            case TextOutput():
                turn.texts.append(event.text)
            case ToolCall():
                turn.calls.append(event)
            case TurnCompleted():
                turn.end = event
                self.turns.append(_ToldTurn())
            case _:
                pass


def _turns(expected: Conversation, told: _Told) -> Iterator[str]:
    completed = sum(turn.end is not None for turn in told.turns)
    if completed != len(expected.completed):
        yield f"{completed} TurnCompleted for {len(expected.completed)} turnComplete"
    for number, (theirs, ours) in enumerate(zip(expected.turns, told.turns, strict=False), start=1):
        for difference in _turn(theirs, ours):
            yield f"turn {number}: {difference}"


def _turn(theirs: Turn, ours: _ToldTurn) -> Iterator[str]:
    sound = b"".join(pcm for _, pcm in ours.pieces)
    if sound not in theirs.sounds():
        yield f"{len(sound)} bytes of sound are not the recorded {sum(map(len, theirs.sound))}"
    for role, fragments in (("user", theirs.user), ("model", theirs.model)):
        if ours.deltas[role] != fragments:
            yield f"{role} said {fragments!r}, told as {ours.deltas[role]!r}"
    for what, wanted, got in (
        ("thoughts", theirs.thoughts, ours.thoughts),
        ("texts", theirs.texts, ours.texts),
    ):
        if wanted != got:
            yield f"{what} {wanted} told as {got}"
    calls = [(call.call_id, call.name, dict(call.arguments)) for call in ours.calls]
    named = [
        (i or (calls[n][0] if n < len(calls) else ""), *rest) for n, (i, *rest) in enumerate(theirs.calls)
    ]
    if calls != named or not all(call_id for call_id, *_ in calls):
        yield f"calls {theirs.calls} told as {calls}"
    if ours.end is not None:
        yield from _turn_end(theirs, ours, ours.end)


def _turn_end(theirs: Turn, ours: _ToldTurn, end: TurnCompleted) -> Iterator[str]:
    strangers = {generation for generation, _ in ours.pieces} - set(end.generations)
    if strangers:
        yield f"sound of {strangers}, which are not in its TurnCompleted"
    usage = asdict(end.usage) if end.usage is not None else None
    # A count that came before the end may have been told alone already.
    if usage != theirs.usage and (theirs.usage_at_end or usage is not None):
        yield f"usage {theirs.usage} told as {usage}"
    if end.reason != theirs.reason:
        yield f"reason {theirs.reason} told as {end.reason}"


def _transcript_items(events: Sequence[Any]) -> Iterator[str]:
    """Each item grows by its deltas, loses the leading blank once, and ends once."""
    spoken: dict[str, str] = defaultdict(str)
    ended: set[str] = set()
    for event in events:
        if not isinstance(event, Transcript):
            continue
        spoken[event.item_id] += event.delta
        if event.text != spoken[event.item_id].lstrip() or event.item_id in ended:
            yield f"transcript item {event.item_id}: {event.text!r} after {spoken[event.item_id]!r}"
        if event.final:
            ended.add(event.item_id)
    if ended != set(spoken):
        yield f"transcript items {set(spoken) - ended} never became final"


def _samples(events: Sequence[Any]) -> Iterator[str]:
    """Whole samples in every piece but a generation's last, offsets that follow, and the odd ones told."""
    sizes: dict[str, int] = defaultdict(int)
    for event in events:
        if not isinstance(event, AudioOutput):
            continue
        size = sizes[event.generation_id]
        if size % 2 or not event.pcm:
            yield f"{event.generation_id}: sound after half a sample, or none"
        if event.offset_ms != size // 48:
            yield f"{event.generation_id}: offset {event.offset_ms} ms after {size} bytes"
        sizes[event.generation_id] += len(event.pcm)
    told = [
        e for e in events if isinstance(e, SessionError) and getattr(e.error, "code", None) == "odd_audio"
    ]
    odd = sum(size % 2 for size in sizes.values())
    if len(told) != odd or not all(event.recoverable for event in told):
        yield f"{odd} generations end in half a sample; told {len(told)} times"
    for event in events:
        if isinstance(event, GenerationCompleted) and event.audio_ms != sizes[event.id] // 48:
            yield f"{event.id}: audio_ms {event.audio_ms} after {sizes[event.id]} bytes"


def _lists(expected: Conversation, events: Sequence[Any]) -> Iterator[str]:
    def of(kind: type) -> list[Any]:
        return [event for event in events if isinstance(event, kind)]

    pairs: list[tuple[str, Any, Any]] = [
        ("late usage", expected.late_usage, [asdict(e.usage) for e in of(UsageReported)]),
        ("cancellations", expected.cancelled, [e.call_id for e in of(ToolCallCancelled)]),
        ("goAway", expected.go_aways, [e.time_left_s for e in of(GoAway)]),
        ("handles", expected.handles, [(e.handle, e.resumable) for e in of(ResumptionUpdate)]),
        ("waitingForInput", expected.waits, len(of(WaitingForInput))),
        (
            "created and completed",
            [e.id for e in of(GenerationCreated)],
            [e.id for e in of(GenerationCompleted)],
        ),
    ]
    for what, wanted, got in pairs:
        if wanted != got:
            yield f"{what} {wanted} told as {got}"
    least, most = expected.interruptions
    if not least <= len(of(Interrupted)) <= most:
        yield f"{len(of(Interrupted))} Interrupted for {least} to {most} marks"
    shown = [dict(e.metadata) for e in of(Grounding)]
    if len(shown) != len(expected.grounding) or not all(map(_within, shown, expected.grounding)):
        yield f"grounding {expected.grounding} told as {shown}"


def _within(shown: Any, recorded: Any) -> bool:
    """Tell whether nothing is shown that was not recorded; fields we don't know may be missing."""
    if isinstance(shown, dict):
        return isinstance(recorded, dict) and all(
            k in recorded and _within(v, recorded[k]) for k, v in shown.items()
        )
    if isinstance(shown, list):
        return (
            isinstance(recorded, list) and len(shown) == len(recorded) and all(map(_within, shown, recorded))
        )
    return bool(shown == recorded)


def _ends(expected: Conversation, events: Sequence[Any]) -> Iterator[str]:
    ready = [event for event in events if isinstance(event, SessionReady)]
    ids = [event.session_id for event in ready if expected.session_id is not None]
    if len(ready) != expected.ready or ids != [expected.session_id] * len(ids):
        yield f"session {expected.session_id} told as {ready}"
    errors = [
        e.error for e in events if isinstance(e, SessionError) and getattr(e.error, "code", 0) != "odd_audio"
    ]
    if len(errors) != expected.errors:
        yield f"{expected.errors} errors, told as {errors}"
    if not isinstance(events[-1] if events else None, SessionEnded):
        yield "SessionEnded is not the last event"

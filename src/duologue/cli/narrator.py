"""Which events deserve a line for people, and when: once it is known what was heard, not when words arrive.

Words come ahead of their sound, so a reply is told when its turn is over: with what was heard of it.
Every line carries the instant at which its speech began, as the transcript does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from duologue.cli.wording import call_text, clean, result_text
from duologue.events import (
    Event,
    Interrupted,
    SessionEnded,
    SessionError,
    ToolCall,
    ToolResult,
    Transcript,
    TurnCompleted,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from duologue.cli.call_log import CallLog, Reply

__all__ = ["Narrator", "Shown"]


@dataclass(frozen=True, slots=True)
class Shown:
    """One line: when it began, whose it is, and what it says."""

    at_s: float
    who: str
    """``caller``, ``model``, ``tool`` or ``problem``."""
    text: str


class Narrator:
    """Turns events into lines; each reply is told once.

    Args:
        log: Has taken every event before it is given to ``lines``.
    """

    def __init__(self, log: CallLog) -> None:
        self._log = log
        self._told: set[str] = set()

    def lines(self, event: Event, at_s: float) -> Iterator[Shown]:
        """Yield what an event gives to tell."""
        match event:
            case Transcript(role="user", text=text, final=True, item_id=item_id) if text.strip():
                turn = self._log.voice.turn_of(item_id, at_s)
                yield Shown(at_s if turn is None else turn.began_at_s, "caller", clean(text))
            case ToolCall(name=name, arguments=arguments):
                yield Shown(at_s, "tool", call_text(name, arguments))
            case ToolResult(result=result, outcome=outcome, name=name):
                said = result_text(result, limit=120) if result is not None else outcome
                yield Shown(at_s, "tool", f"{clean(name)} → {said}")
            case Interrupted(generations=ids) | TurnCompleted(generations=ids):
                yield from self._replies(ids)
            case SessionError(error=error):
                yield Shown(at_s, "problem", clean(str(error)))
            case SessionEnded():
                yield from self._replies(tuple(self._log.replies))
            case _:
                pass

    def _replies(self, ids: Iterable[str]) -> Iterator[Shown]:
        for generation_id in ids:
            reply = self._log.replies.get(generation_id)
            if reply is None or generation_id in self._told:
                continue
            self._told.add(generation_id)
            if text := _words(reply):
                yield Shown(reply.spoken_at_s, "model", text)


def _words(reply: Reply) -> str:
    """Return what was heard of a reply, and how it ended when it did not end by itself."""
    heard = clean(reply.heard_text)
    if reply.interrupted_at_s is None and not reply.cut_off:
        return heard
    how = "interrupted" if reply.interrupted_at_s is not None else "cut off"
    return f"{heard} — {how} after {reply.heard_ms / 1000:.1f} s".lstrip(" —")

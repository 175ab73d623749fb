"""What the caller said, utterance by utterance: voiced sound, the service's marks and its words put together.

Sound alone does not tell where one utterance ends and the next begins, and marks alone come late by a
network. So marks (``InputSpeechStarted``, ``InputSpeechStopped``) say how many utterances there were
and roughly when; the voiced sound in each says when exactly. All instants are seconds of the call.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["CallerTurn", "CallerVoice"]

_JOINED_S: Final = 0.2
"""Voiced sound after a shorter gap is the same stretch."""
_EARLY_S: Final = 0.4
"""How long before a mark, which comes by way of a detector and a network, its sound may begin."""
_LATE_S: Final = 0.15
"""How long after the end that a mark tells its sound may begin."""
_UNDERSTOOD_S: Final = 1.0
"""How long after a line its words are to be expected."""
_PAUSE_S: Final = 1.5
"""Where no mark says when speech began, sound before a longer pause than this is not part of it."""


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
    cut_off: bool = False
    """The call ended in the middle of it, or before anybody could make something of it."""


@dataclass(slots=True)
class _Stretch:
    began_at_s: float
    ended_at_s: float


@dataclass(slots=True)
class _Line:
    """Something the caller was given to say."""

    stretches: list[_Stretch]
    said: str | None
    """None of a recording: its words are not known."""

    @property
    def began_at_s(self) -> float:
        return self.stretches[0].began_at_s

    @property
    def ended_at_s(self) -> float:
        return self.stretches[-1].ended_at_s


@dataclass(slots=True)
class _Activity:
    """One utterance as the session tells it."""

    told_at_s: float
    offset_ms: int | None
    stopped_at_s: float = math.inf
    stopped_offset_ms: int | None = None
    is_implied: bool = False
    """By words that came without a mark; more of them make it longer."""
    items: dict[str, str] = field(default_factory=dict[str, str])
    """Its words so far, by item."""

    @property
    def heard(self) -> str:
        return " ".join(" ".join(self.items.values()).split())


class CallerVoice:
    """Collects what is known of the caller's speech; ``turns`` puts it together at any moment."""

    def __init__(self) -> None:
        self._stretches: list[_Stretch] = []
        self._lines: list[_Line] = []
        self._activities: list[_Activity] = []

    # -- sound --------------------------------------------------------------------------------

    def line(self, stretches: Sequence[tuple[float, float]], said: str | None) -> None:
        """Note a line by its voiced stretches, in order; they may lie ahead."""
        made = [_Stretch(began_at_s, ended_at_s) for began_at_s, ended_at_s in stretches]
        self._stretches += made
        self._lines.append(_Line(made, said))

    def voiced(self, began_at_s: float, ended_at_s: float) -> None:
        """Note voiced sound of which nothing else is known."""
        last = self._stretches[-1] if self._stretches else None
        if last is not None and began_at_s - last.ended_at_s < _JOINED_S:
            last.ended_at_s = max(last.ended_at_s, ended_at_s)
        else:
            self._stretches.append(_Stretch(began_at_s, ended_at_s))

    # -- marks and words ----------------------------------------------------------------------

    def started(self, at_s: float, offset_ms: int | None) -> None:
        """Note that the session tells the beginning of speech."""
        self._activities.append(_Activity(at_s, offset_ms))

    def stopped(self, at_s: float, offset_ms: int | None) -> None:
        """Note that the session tells its end."""
        if self._activities and self._activities[-1].stopped_at_s == math.inf:
            self._activities[-1].stopped_at_s = at_s
            self._activities[-1].stopped_offset_ms = offset_ms

    @property
    def is_open(self) -> bool:
        """Whether the session takes the caller to be speaking."""
        return bool(self._activities) and self._activities[-1].stopped_at_s == math.inf

    def words(self, item_id: str, text: str, at_s: float) -> None:
        """Note words: all of an item so far."""
        activity = self._activity_of(item_id, at_s)
        activity.items[item_id] = text
        if activity.is_implied:
            activity.stopped_at_s = at_s

    def _activity_of(self, item_id: str, at_s: float) -> _Activity:
        for activity in reversed(self._activities):
            if item_id in activity.items:
                return activity
        newest = self._activities[-1] if self._activities else None
        if newest is None or (newest.items and newest.stopped_at_s < at_s):
            newest = _Activity(at_s, None, is_implied=True)
            self._activities.append(newest)
        elif self.is_open and len(self._activities) > 1 and not self._activities[-2].items:
            return self._activities[-2]  # the words of what was said before, a moment late
        return newest

    # -- together -----------------------------------------------------------------------------

    def turn_of(self, item_id: str, until_s: float = math.inf) -> CallerTurn | None:
        """Return the turn that an item of words belongs to, by what was said until an instant."""
        turns = self._matched(until_s)
        for number, (activity, _) in enumerate(turns):
            if item_id in activity.items:
                owned = [turn for _, turn in turns[: number + 1] if turn is not None]
                return owned[-1] if owned else None
        return None

    def turns(self, until_s: float = math.inf) -> list[CallerTurn]:
        """Return what was said, in order of time, misunderstood lines and noise included.

        Args:
            until_s: When the call ended; what lies after it was not said.
        """
        found = [turn for _, turn in self._matched(until_s) if turn is not None]
        for line in self._lines:
            within = [turn for turn in found if _overlap(turn, line)]
            if within and line.said is not None:
                first = within[0]
                first.said = line.said if first.said is None else f"{first.said} {line.said}"
            if not within or not (line.said or any(turn.heard for turn in within)):
                found = [turn for turn in found if turn not in within]
                found.append(CallerTurn(line.began_at_s, line.ended_at_s, said=line.said or ""))
        return sorted(_ended(found, until_s), key=lambda turn: turn.began_at_s)

    def _matched(self, until_s: float) -> list[tuple[_Activity, CallerTurn | None]]:
        """Give each activity its sound. Words of one without any belong to the turn before."""
        begun = (stretch for stretch in self._stretches if stretch.began_at_s < until_s)
        stretches = sorted(begun, key=lambda stretch: stretch.began_at_s)
        at = 0  # what lies before belongs to older activities, or to none
        matched: list[tuple[_Activity, CallerTurn | None]] = []
        last: CallerTurn | None = None
        for activity, (from_s, to_s) in zip(self._activities, self._windows(), strict=True):
            at = _skip(stretches, at, from_s - _EARLY_S)
            inside = _between(stretches, at, from_s - _EARLY_S, to_s + _LATE_S)
            if activity.offset_ms is None:
                inside = _since_pause(inside)
            turn = _turn(activity, inside, from_s, to_s)
            if turn is None and last is None and activity.heard:
                turn = CallerTurn(activity.told_at_s, activity.told_at_s)  # words, and no sound is known
            if turn is not None:
                last = turn
                at = _skip(stretches, at, turn.ended_at_s)
            if last is not None:
                last.heard = f"{last.heard} {activity.heard}".strip()
            matched.append((activity, turn))
        return matched

    def _windows(self) -> Iterator[tuple[float, float]]:
        """Yield from when until when each activity lasted, as far as the marks tell."""
        zeros = (a.told_at_s - a.offset_ms / 1000 for a in self._activities if a.offset_ms is not None)
        zero_s = min(zeros, default=0.0)  # of the sound that the service counts
        before_s = 0.0
        for activity in self._activities:
            from_s, to_s = before_s, activity.stopped_at_s
            if activity.offset_ms is not None:
                from_s = max(before_s, zero_s + activity.offset_ms / 1000)
            if activity.stopped_offset_ms is not None:
                to_s = max(from_s, zero_s + activity.stopped_offset_ms / 1000)
            yield from_s, to_s
            before_s = to_s if to_s < math.inf else before_s


def _skip(stretches: Sequence[_Stretch], at: int, until_s: float) -> int:
    """Return the first place from ``at`` on where a stretch goes on after an instant."""
    while at < len(stretches) and stretches[at].ended_at_s <= until_s:
        at += 1
    return at


def _between(stretches: Sequence[_Stretch], at: int, from_s: float, to_s: float) -> list[_Stretch]:
    """Return the stretches from place ``at`` on that lie, in part at least, between two instants."""
    found: list[_Stretch] = []
    for stretch in islice(stretches, at, None):
        if stretch.began_at_s > to_s:
            break
        if stretch.ended_at_s > from_s:
            found.append(stretch)
    return found


def _overlap(turn: CallerTurn, line: _Line) -> bool:
    return turn.began_at_s <= line.ended_at_s and turn.ended_at_s >= line.began_at_s


def _since_pause(stretches: list[_Stretch]) -> list[_Stretch]:
    """Keep the stretches at the end that no long pause parts."""
    kept = stretches[-1:]
    for stretch in reversed(stretches[:-1]):
        if kept[0].began_at_s - stretch.ended_at_s > _PAUSE_S:
            break
        kept.insert(0, stretch)
    return kept


def _turn(activity: _Activity, stretches: list[_Stretch], from_s: float, to_s: float) -> CallerTurn | None:
    if not stretches:
        return None
    began_at_s, ended_at_s = stretches[0].began_at_s, stretches[-1].ended_at_s
    if activity.offset_ms is not None and began_at_s < from_s - _EARLY_S:
        began_at_s = from_s  # the sound before it is a noise that the service does not take for speech
    if ended_at_s > to_s + _EARLY_S:
        ended_at_s = max(began_at_s, to_s)
    return CallerTurn(began_at_s, ended_at_s)


def _ended(turns: list[CallerTurn], until_s: float) -> Iterator[CallerTurn]:
    for turn in turns:
        if turn.began_at_s < until_s:
            too_late = turn.said is not None and not turn.heard and turn.ended_at_s > until_s - _UNDERSTOOD_S
            turn.cut_off = turn.ended_at_s > until_s or too_late
            turn.ended_at_s = min(turn.ended_at_s, until_s)
            yield turn

"""A tape fed to a core again: fast, for its events; strictly, to see whether everything comes out the same.

The core is a function of its journal, so it needs no clock and no waiting here.
"""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from duologue.core.journal import INPUTS
from duologue.core.session import Session
from duologue.errors import DuologueError, TapeError
from duologue.tape.secrets import Scrubber, is_scrubbed
from duologue.tape.values import arguments_of, event_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duologue.core.outlet import Frame, Notice
    from duologue.events import Event
    from duologue.tape.format import Line
    from duologue.tape.reader import Tape

__all__ = ["Difference", "Replayed", "StrictResult", "replay", "replay_strictly"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What one input made the core tell."""

    line: int
    at: float
    """The time of the last input that had one."""
    cause: Line
    events: tuple[Event | Notice, ...]
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that did not come out as it is on the tape."""

    line: int
    """Of the journal; 1 is the header."""
    taped: str | None
    """None when the tape has nothing there."""
    replayed: str | None


@dataclass(frozen=True, slots=True)
class StrictResult:
    """How a strict replay ended."""

    events: int
    frames: int
    """How many came out the same."""
    whole: bool
    """False for a tape that was cut off: then what came last may be missing from it."""
    difference: Difference | None = None


def replay(tape: Tape, *, everything: bool = False) -> Iterator[Replayed]:
    """Feed a tape to a new core; yield what comes of each input, also when it is nothing.

    Args:
        tape: Any.
        everything: Build every event, also those that nobody was interested in at the time.

    Raises:
        TapeError: The tape cannot be read, or holds an input that is none.
    """
    core, at = Session(tape.plan()), 0.0
    for number, line in tape.lines():
        if line.do is None and line.got is None:
            continue
        if everything and line.do == "set_interest":
            continue
        at = line.at if line.at is not None else at
        _feed(core, tape, number, line)
        yield Replayed(number, at, line, tuple(core.events()), tuple(core.to_send()))


def _feed(core: Session, tape: Tape, number: int, line: Line) -> None:
    """Give the core one input; what it refuses now it refused then."""
    name, arguments = _input(tape, number, line)
    if name not in INPUTS:
        raise TapeError(f"{tape.path}, line {number}: {name!r} is no input of a session")
    if line.at is not None:
        arguments["now"] = line.at
    try:
        with contextlib.suppress(DuologueError):
            getattr(core, name)(**arguments)
    except Exception as error:  # arguments of the wrong type or number, from whoever wrote the tape
        msg = f"{tape.path}, line {number}: {name} cannot be replayed: {type(error).__name__}: {error}"
        raise TapeError(msg) from error


def _input(tape: Tape, number: int, line: Line) -> tuple[str, dict[str, Any]]:
    if line.do is None:
        return "receive_frame", {"frame": tape.frame(number, line)}
    try:
        arguments = arguments_of(line.do, line.args or {})
    except TapeError as error:
        raise TapeError(f"{tape.path}, line {number}: {error}") from error
    if line.do == "push_audio":
        arguments["pcm"] = tape.pushed(number, line)
    return line.do, arguments


def replay_strictly(tape: Tape) -> StrictResult:
    """Replay a tape of ours; compare every event and every frame with what it holds.

    Raises:
        TapeError: The tape cannot be read; or is an import: its times are made up, so nothing on it has
            to come out the same; or holds the frames of a probe, behind which no session stood.
    """
    if tape.header.times != "measured":
        raise TapeError(
            f"{tape.path} was imported: its times are made up, and there is nothing to compare a strict "
            "replay with. Replay it without --strict"
        )
    first = next((line for _, line in tape.lines()), None)
    if first is not None and first.do is None and first.end is None:
        raise TapeError(
            f"{tape.path} holds frames without the inputs of a session, as `duologue verify` writes them: there "
            "is nothing to compare a strict replay with. Replay it without --strict"
        )
    return _Comparison(tape).run()


class _Comparison:
    """Events and frames as they come out, held against those on the tape, in the order of each."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._core = Session(tape.plan())
        self._scrubber = Scrubber()
        self._events: deque[tuple[int, str]] = deque()
        self._frames: deque[tuple[int, str]] = deque()
        self._equal = {"events": 0, "frames": 0}

    def run(self) -> StrictResult:
        difference = self._first_difference()
        whole = self._tape.ending is not None
        if difference is None and whole:
            left = sorted([*self._events, *self._frames])
            if left:
                difference = Difference(left[0][0], None, left[0][1])
        return StrictResult(self._equal["events"], self._equal["frames"], whole, difference)

    def _first_difference(self) -> Difference | None:
        for number, line in self._tape.lines():
            difference = None
            if line.event is not None:
                taped = _event(line.event, line.args or {})
                difference = self._compare("events", self._events, number, taped)
            elif line.sent is not None:
                frame = self._tape.frame(number, line).decode(errors="backslashreplace")
                difference = self._compare("frames", self._frames, number, _frame(frame, line.audio_ms))
            elif line.do is not None or line.got is not None:
                _feed(self._core, self._tape, number, line)
                self._collect(number)
            if difference is not None:
                return difference
        return None

    def _collect(self, number: int) -> None:
        for event in self._core.events():
            # What the recorder would have hidden of it is hidden here too.
            value = self._scrubber.clean(msgspec.json.decode(msgspec.json.encode(event_value(event))))
            self._events.append((number, _event(type(event).__name__, value)))
        for frame in self._core.to_send():
            text = self._scrubber.frame(frame.data.decode(errors="backslashreplace"))
            self._frames.append((number, _frame(text, frame.audio_ms)))

    def _compare(
        self, what: str, replayed: deque[tuple[int, str]], number: int, taped: str
    ) -> Difference | None:
        _, text = replayed.popleft() if replayed else (number, None)
        if text != taped:
            return Difference(number, taped, text)
        self._equal[what] += 1
        return None


def _event(name: str, values: dict[str, Any]) -> str:
    if name == "ToolCall" and is_scrubbed(str(values.get("arguments"))):
        # The key is a digest of arguments that are not on the tape.
        values = {**values, "idempotency_key": None}
    return msgspec.json.encode({"event": name, "with": values}).decode()


def _frame(text: str, audio_ms: float) -> str:
    return f"{text} [{audio_ms} ms of sound]" if audio_ms else text

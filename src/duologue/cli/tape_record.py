"""From a tape to what a timeline is drawn of: the session is replayed, and a playback made up beside it.

Where sinks reported what they played, that counts; else sound is taken to be played at once and in order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from duologue.audio import rms_dbfs
from duologue.audio.level import SILENCE_DBFS
from duologue.cli.call_log import CallLog
from duologue.cli.caller import VOICED_DBFS
from duologue.core.outlet import ReplyFailed, ReplyStarted
from duologue.events import AudioOutput, Interrupted
from duologue.tape.replay import replay

if TYPE_CHECKING:
    from duologue.cli.call_log import CallRecord
    from duologue.core.outlet import Notice
    from duologue.events import Event
    from duologue.tape.format import Line
    from duologue.tape.reader import Tape
    from duologue.tape.replay import Replayed

__all__ = ["record_of"]

_LEVEL_S: Final = 0.02
_OUTPUT_HZ: Final = 24_000
_MAX_LEVELS: Final = 24 * 3600 * 50
"""A day; made-up times of a hostile tape could ask for any number."""


def record_of(tape: Tape) -> CallRecord:
    """Return a taped session as a value to draw.

    Raises:
        TapeError: The tape cannot be replayed.
    """
    listener = _Listener(tape)
    for step in replay(tape, everything=True):
        listener.take(step)
    return listener.record()


@dataclass(slots=True)
class _Levels:
    """The loudness of a stretch of sound, in pieces of 20 ms."""

    rate_hz: int
    dbfs: list[float] = field(default_factory=list[float])
    _rest: bytearray = field(default_factory=bytearray)

    def add(self, pcm: bytes) -> list[float]:
        """Take sound; return the levels it completes."""
        size = max(2, int(self.rate_hz * _LEVEL_S) * 2)
        self._rest += pcm
        fresh: list[float] = []
        while len(self._rest) >= size:
            fresh.append(rms_dbfs(bytes(self._rest[:size])))
            del self._rest[:size]
        self.dbfs += fresh
        return fresh


@dataclass(slots=True)
class _Spoken:
    """The sound of one generation, and when it is played."""

    began_at_s: float
    levels: _Levels = field(default_factory=lambda: _Levels(_OUTPUT_HZ))
    length_s: float = 0.0
    heard_s: float | None = None
    """Less than its length, of one that was cut off."""
    measured: bool = False

    @property
    def ended_at_s(self) -> float:
        return self.began_at_s + (self.length_s if self.heard_s is None else self.heard_s)


class _Listener:
    """Takes a replay step by step and keeps what a timeline shows."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._log = CallLog()
        self._began_at: float | None = None
        self._now_s = 0.0
        self._spoken: dict[str, _Spoken] = {}
        self._caller = _Grid()
        self._pushed: _Levels | None = None
        self._pushed_until_s = 0.0

    def take(self, step: Replayed) -> None:
        """Take what one line of the tape did."""
        if self._began_at is None and step.cause.at is not None:
            self._began_at = step.cause.at
        self._now_s = max(self._now_s, step.at - (self._began_at if self._began_at is not None else step.at))
        self._command(step.line, step.cause)
        for event in step.events:
            self._event(event)

    def _command(self, number: int, line: Line) -> None:
        arguments = line.args or {}
        match line.do:
            case "push_audio":
                self._heard_caller(self._tape.pushed(number, line), int(arguments.get("rate_hz", 0)))
            case "send_text":
                self._log.caller_types(str(arguments.get("text", "")), self._now_s)
            case "send_turns" | "send_content":
                if said := _words(arguments.get("turns") or []):
                    self._log.caller_types(said, self._now_s)
            case "generate_reply":
                said = str(arguments.get("instructions") or "")
                self._log.caller_types(said, self._now_s, "instruction")
            case "report_playhead":
                spoken = self._spoken.get(str(arguments.get("generation_id")))
                if spoken is not None:
                    played_s = float(arguments.get("played_ms", 0)) / 1000
                    if not spoken.measured:
                        spoken.began_at_s = max(0.0, self._now_s - played_s)
                    spoken.measured, spoken.heard_s = True, played_s
            case _:
                pass

    def _heard_caller(self, pcm: bytes, rate_hz: int) -> None:
        if rate_hz <= 0:
            return
        length_s = len(pcm) / 2 / rate_hz
        if self._pushed is None or self._pushed.rate_hz != rate_hz:
            self._pushed = _Levels(rate_hz)
        # What is pushed at once, as a file is, follows what was pushed before.
        began_at_s = max(self._pushed_until_s, self._now_s - length_s)
        self._pushed_until_s = began_at_s + length_s
        for level in self._pushed.add(pcm):
            self._caller.put(began_at_s, level)
            if level >= VOICED_DBFS:
                self._log.voice.voiced(began_at_s, began_at_s + _LEVEL_S)
            began_at_s += _LEVEL_S

    def _event(self, event: Event | Notice) -> None:
        if isinstance(event, AudioOutput):
            self._heard_model(event)
        elif isinstance(event, Interrupted):
            for spoken in (self._spoken.get(name) for name in event.generations):
                if spoken is not None and not spoken.measured and spoken.ended_at_s > self._now_s:
                    spoken.heard_s = max(0.0, self._now_s - spoken.began_at_s)
        if not isinstance(event, ReplyStarted | ReplyFailed):
            self._log.observe(event, self._now_s)

    def _heard_model(self, event: AudioOutput) -> None:
        spoken = self._spoken.get(event.generation_id)
        if spoken is None:
            before = max((other.ended_at_s for other in self._spoken.values()), default=0.0)
            spoken = self._spoken[event.generation_id] = _Spoken(max(self._now_s, before))
        spoken.length_s += len(event.pcm) / 2 / _OUTPUT_HZ
        spoken.levels.add(event.pcm)

    def record(self) -> CallRecord:
        """Return the whole session."""
        model, duration_s = _Grid(), self._now_s
        for name, spoken in self._spoken.items():
            heard_s = spoken.ended_at_s - spoken.began_at_s
            self._log.heard(name, 0, spoken.began_at_s)
            self._log.heard(name, round(1000 * heard_s), spoken.ended_at_s)
            duration_s = max(duration_s, spoken.ended_at_s)
            for number, level in enumerate(spoken.levels.dbfs[: int(heard_s / _LEVEL_S) + 1]):
                model.put(spoken.began_at_s + number * _LEVEL_S, level)
        header = self._tape.header
        return self._log.record(
            model=header.model,
            where="imported, times made up" if header.times == "made up" else "tape",
            duration_s=duration_s,
            caller_levels_dbfs=tuple(self._caller.levels),
            model_levels_dbfs=tuple(model.levels),
        )


@dataclass(slots=True)
class _Grid:
    """Levels by time; silence where there is none."""

    levels: list[float] = field(default_factory=list[float])

    def put(self, at_s: float, level: float) -> None:
        """Set the level at an instant."""
        number = round(at_s / _LEVEL_S)
        if number >= _MAX_LEVELS:
            return
        if number >= len(self.levels):
            self.levels += [SILENCE_DBFS] * (number + 1 - len(self.levels))
        self.levels[number] = level


def _words(turns: list[dict[str, Any]]) -> str:
    """Return what the user says in turns that were typed; the replay has taken them, so they are turns."""
    said: list[str] = []
    for turn in turns:
        if turn.get("role") != "model":
            parts: list[dict[str, Any]] = turn.get("parts") or [turn]
            said += [part["text"] for part in parts if part.get("text")]
    return " ".join(said)

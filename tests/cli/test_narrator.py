"""Lines for people: told when it is known what was heard, with the time at which speech began."""

from __future__ import annotations

from duologue.cli.call_log import CallLog
from duologue.cli.narrator import Narrator
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
    TurnTimings,
)


class _Told:
    def __init__(self) -> None:
        self.log = CallLog()
        self.lines: list[tuple[float, str, str]] = []
        self._narrator = Narrator(self.log)

    def hears(self, at_s: float, *events: Event) -> None:
        for event in events:
            self.log.observe(event, at_s)
            self.lines += [(line.at_s, line.who, line.text) for line in self._narrator.lines(event, at_s)]

    def replies(self, at_s: float, name: str) -> None:
        self.hears(at_s, GenerationCreated(name, False), Transcript("model", "One, ", "One, ", False, name))
        self.hears(at_s, AudioOutput(name, bytes(48_000), 0))
        self.hears(
            at_s, Transcript("model", "One, two.", "two.", True, name), AudioOutput(name, bytes(48_000), 1000)
        )
        self.hears(at_s, GenerationCompleted(name, "completed", 2000))


def _turn(*generations: str) -> TurnCompleted:
    return TurnCompleted(generations, None, 0, False, TurnTimings())


def test_the_caller_is_told_with_the_beginning_of_speech() -> None:
    told = _Told()
    told.log.caller_speaks([(1.0, 2.0)], "Hello.")
    told.hears(1.1, InputSpeechStarted(1050))
    told.hears(2.6, InputSpeechStopped(2000), Transcript("user", "Hello\x1b[2J", "Hello", True, "u"))
    assert told.lines == [(1.0, "caller", "Hello [2J")]


def test_a_reply_is_told_when_its_turn_is_over() -> None:
    told = _Told()
    told.replies(3.0, "g")
    told.log.heard("g", 20, 3.12)
    assert told.lines == []
    told.log.heard("g", 2000, 5.1)
    told.hears(5.2, _turn("g"))
    told.hears(9.0, SessionEnded(1000, "", None))
    assert told.lines == [(3.1, "model", "One, two.")]


def test_of_an_interrupted_reply_only_what_was_heard_is_told() -> None:
    told = _Told()
    told.replies(3.0, "g")
    told.log.heard("g", 20, 3.02)
    told.log.heard("g", 900, 3.9)
    told.hears(3.95, Interrupted(("g",), "service", 900, False), _turn("g"))
    assert told.lines == [(3.0, "model", "One, — interrupted after 0.9 s")]


def test_of_a_reply_that_the_end_cut_off_likewise() -> None:
    told = _Told()
    told.replies(3.0, "g")
    told.log.heard("g", 900, 3.9)
    told.hears(3.95, SessionEnded(1000, "", None))
    assert told.lines == [(3.0, "model", "One, — cut off after 0.9 s")]


def test_tools_and_problems_are_told_at_once() -> None:
    told = _Told()
    told.hears(1.0, ToolCall("c", "get_weather", {"city": "London"}, "g", "k"))
    told.hears(2.0, ToolResult("c", {"output": "Fog."}, "answered", "get_weather"))
    told.hears(3.0, ToolResult("d", None, "cancelled", "f"), SessionError(ValueError("no\nsuch city")))
    assert told.lines == [
        (1.0, "tool", 'get_weather(city="London")'),
        (2.0, "tool", "get_weather → Fog."),
        (3.0, "tool", "f → cancelled"),
        (3.0, "problem", "no such city"),
    ]

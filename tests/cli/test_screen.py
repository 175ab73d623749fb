"""What is shown while a call goes on: plain lines, or an object a line."""

from __future__ import annotations

import io
import json
from typing import Any

from duologue.cli.narrator import Shown
from duologue.cli.screen import JsonScreen, LiveScreen, PlainScreen
from duologue.cli.wording import call_text, clean, clock_text, length_text, result_text
from duologue.errors import LinkLost, ToolError
from duologue.events import (
    AudioOutput,
    Event,
    Interrupted,
    ResumptionUpdate,
    SessionEnded,
    SessionError,
    ToolCall,
    ToolResult,
    Transcript,
    TurnCompleted,
    TurnTimings,
)

SUMMARY: dict[str, Any] = {
    "files": ["out/reply.wav"],
    "turns": 1,
    "latencies_ms": [600, 701],
    "interruptions": 2,
    "tool_calls": [{}],
    "notes": ["no timeline.png"],
}
EVENTS: list[Event] = [
    Transcript("user", "Hel", "Hel", False, "u"),
    Transcript("user", "Hello\x1b[2J", "", True, "u"),
    ToolCall("c", "get_weather", {"city": "London", "days": 2}, "g", "k"),
    ToolResult("c", {"output": "Fog."}, "answered", "get_weather"),
    AudioOutput("g", b"\0\0", 0),
    Interrupted(("g",), "service", 1234, False),
    SessionError(ToolError("no such city")),
    TurnCompleted(("g",), None, 1, False, TurnTimings(created_at=1.0)),
    ResumptionUpdate("a-secret-handle", True),
    SessionEnded(1011, "Deadline", LinkLost("the link was closed")),
]


def test_plain_lines() -> None:
    out = io.StringIO()
    screen = PlainScreen(out)
    screen.open()
    screen.status("connecting")
    screen.typed("What?", 61.04)
    screen.level("caller", -3.0)
    for event in EVENTS:
        screen.event(event, 2.0)
    screen.line(Shown(2.0, "caller", "Hello"))
    screen.line(Shown(3.0, "problem", "no such city"))
    screen.summary(SUMMARY)
    screen.close()
    assert out.getvalue().splitlines() == [
        "… connecting",
        "  1:01.0  caller  What?",
        "  0:02.0  caller  Hello",
        "  0:03.0  problem no such city",
        "1 turn by the caller, 1 tool call, 2 interruptions, median response 650 ms",
        "  out/reply.wav",
        "no timeline.png",
    ]


class _Gone(io.StringIO):
    """A pipe whose reader has left."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_reader_that_leaves_does_not_end_the_call() -> None:
    for screen in (PlainScreen(_Gone()), JsonScreen(_Gone())):
        screen.status("connecting")
        screen.typed("What?", 1.0)
        screen.summary(SUMMARY)


def test_json_lines() -> None:
    out = io.StringIO()
    screen = JsonScreen(out)
    screen.status("connecting")
    screen.typed("What?", 1.0)
    for event in EVENTS:
        screen.event(event, 2.0004)
    screen.summary(SUMMARY)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["type"] for line in lines] == [
        "status",
        "typed",
        *(type(event).__name__ for event in EVENTS if not isinstance(event, AudioOutput)),
        "summary",
    ]
    assert lines[2] == {
        "type": "Transcript",
        "at_s": 2.0,
        "role": "user",
        "text": "Hel",
        "delta": "Hel",
        "final": False,
        "item_id": "u",
    }
    assert lines[-2]["error"] == "the link was closed"
    assert "secret" not in out.getvalue()


def test_the_live_picture_draws_at_any_width() -> None:
    from rich.console import Console

    for width in (12, 40, 120):
        out = io.StringIO()
        screen = LiveScreen(Console(file=out, width=width, force_terminal=True, highlight=False))
        screen.open()
        screen.status("in conversation")
        for dbfs in (-100.0, -40.0, -6.0, 0.0):
            screen.level("model", dbfs)
        screen.event(Transcript("model", "It is [bold] " + "long " * 99, "x", False, "m"), 1.0)
        for event in EVENTS:
            screen.event(event, 2.0)
        screen.line(Shown(2.0, "model", "[bold] " + "long " * 99))
        screen.summary(SUMMARY)
        screen.close()
        assert "\x1b[2J" not in out.getvalue()
    assert "2 interruptions" in out.getvalue()


def test_wording() -> None:
    assert clean(" a\x00b\u202e\n\tc ") == "a b c"
    assert call_text("f", {}) == "f()"
    assert result_text(None) == "none"
    assert result_text({"output": {"a": 1}}) == '{"a": 1}'
    assert result_text({"a": 1, "b": [2]}) == '{"a": 1, "b": [2]}'
    assert result_text({"output": "x" * 9}, limit=4) == "xxx…"
    assert [length_text(duration_s) for duration_s in (0.04, 25.24, 125)] == ["0.0 s", "25.2 s", "2 min 5 s"]
    assert [clock_text(at_s) for at_s in (-1, 0.04, 59.96, 3600)] == ["0:00.0", "0:00.0", "1:00.0", "60:00.0"]

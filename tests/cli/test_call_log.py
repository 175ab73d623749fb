"""From events to what a reader wants to know; the transcript page and the picture made of it."""

from __future__ import annotations

import itertools
import struct
from typing import Any

import pytest

from duologue.cli.call_log import CallLog, CallRecord
from duologue.cli.timeline import draw_timeline, rows_of
from duologue.cli.transcript import transcript_markdown
from duologue.errors import LinkLost, ToolError
from duologue.events import (
    AudioOutput,
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


def _turn(*generations: str) -> TurnCompleted:
    return TurnCompleted(generations, None, 0, False, TurnTimings())


def _speak(log: CallLog, name: str, words: list[tuple[str, int]], at_s: float) -> None:
    """Let a reply stream: words with how many milliseconds of sound follow them."""
    log.observe(GenerationCreated(name, False), at_s)
    offset_ms, text = 0, ""
    for delta, sound_ms in words:
        text += delta
        log.observe(Transcript("model", text, delta, False, f"item-{name}"), at_s)
        log.observe(AudioOutput(name, bytes(48 * sound_ms), offset_ms), at_s)
        offset_ms += sound_ms


def _conversation() -> CallLog:
    """A caller says something, a tool is used, a long answer is cut off."""
    log = CallLog()
    log.caller_speaks([(0.5, 2.5)], "What is the weather like in London?")
    log.observe(Transcript("user", "What is the", "What is the", False, "u1"), 3.0)
    log.observe(Transcript("user", "What is the weather like in London?", "", True, "u1"), 3.0)
    log.observe(GenerationCreated("g1", False), 3.0)
    log.observe(ToolCall("c1", "get_weather", {"city": "London"}, "g1", "k"), 3.0)
    log.observe(GenerationCompleted("g1", "tool_calls"), 3.0)
    log.observe(ToolResult("c1", {"output": "It is foggy."}, "answered", "get_weather"), 3.2)
    _speak(log, "g2", [("It is foggy.", 1000)], 3.25)
    log.heard("g2", 20, 3.32)
    log.heard("g2", 1000, 4.3)
    log.observe(GenerationCompleted("g2", "completed", 1000), 3.4)
    log.observe(_turn("g1", "g2"), 4.3)
    log.caller_speaks([(5.0, 6.0)], "A story!")
    log.observe(Transcript("user", "A story.", "A story.", True, "u2"), 6.5)
    _speak(log, "g3", [("Once upon", 800), (" a time", 800), (" there was.", 800)], 6.6)
    log.heard("g3", 20, 6.62)
    log.caller_speaks([(7.5, 8.0)], "My favourite colour?")
    log.heard("g3", 1000, 7.6)
    log.observe(Interrupted(("g3",), "service", 1000, False), 7.65)
    log.observe(GenerationCompleted("g3", "interrupted", 2400), 7.65)
    log.observe(_turn("g3"), 7.66)
    log.observe(Transcript("user", "My favorite color", "My favorite color", True, "u3"), 8.5)
    return log


def _record(log: CallLog, **changes: Any) -> CallRecord:
    options: dict[str, Any] = {"model": "m", "where": "here", "duration_s": 9.0}
    return log.record(**(options | changes))


def test_a_conversation_is_remembered() -> None:
    record = _record(_conversation())
    assert [turn.heard for turn in record.caller] == [
        "What is the weather like in London?",
        "A story.",
        "My favorite color",
    ]
    assert [reply.id for reply in record.replies] == ["g2", "g3"]
    weather, story = record.replies
    assert weather.began_at_s == pytest.approx(3.3)
    assert weather.ended_at_s == 4.3
    assert record.latencies_ms == (800, 600)
    assert record.interruptions == (story,)
    assert story.heard_text == "Once upon a time"
    assert story.text == "Once upon a time there was."
    (use,) = record.tools
    assert (use.name, use.outcome, use.ended_at_s) == ("get_weather", "answered", 3.2)


def test_the_transcript_page() -> None:
    page = transcript_markdown(_record(_conversation()))
    assert page.splitlines()[2] == (
        "m, here · 9.0 s long · answers began 700 ms after the caller's last sound (median of 2)"
        " · 1 tool call · 1 interruption"
    )
    assert page.split("\n\n")[2:] == [
        "`0:00.5` **Caller**: What is the weather like in London?",
        '`0:03.0` **Tool** `get_weather(city="London")` returned in 200 ms: It is foggy.',
        "`0:03.3` **Model** *(800 ms)*: It is foggy.",
        "`0:05.0` **Caller**: A story.",
        "`0:06.6` **Model** *(600 ms)*: Once upon a time — **interrupted** after 1.0 s  \n*not heard: there was.*",
        "`0:07.5` **Caller**: My favorite color\n",
    ]


def test_what_was_misheard_stands_beside_what_was_said() -> None:
    log = CallLog()
    log.caller_speaks([(0.0, 1.0)], "My colour is plum.")
    log.observe(Transcript("user", "My color is plumb.", "", True, "u"), 1.5)
    log.caller_speaks([(2.0, 3.0)], "Hm.")
    page = transcript_markdown(_record(log))
    assert "**Caller**: My color is plumb.  \n*said: My colour is plum.*" in page
    assert "**Caller**: *(not understood)*  \n*said: Hm.*" in page


def test_what_strangers_say_cannot_format_the_page_or_the_terminal() -> None:
    log = CallLog()
    log.caller_types("# *hi* <b>\x1b[31m\nx", 0.0)
    log.observe(GenerationCreated("g", False), 0.1)
    log.observe(ToolCall("c", "f", {"a": "`\x1b]0;x\x07"}, "g", "k"), 0.1)
    page = transcript_markdown(_record(log))
    assert r"\# \*hi\* \<b\> \[31m x" in page
    assert "\x1b" not in page
    assert page.count("`") == 2 + 4


def test_an_interruption_after_the_last_sound_is_none() -> None:
    log = CallLog()
    _speak(log, "g", [("Hi.", 500)], 1.0)
    log.heard("g", 500, 1.6)
    log.observe(Interrupted(("g",), "service", 500, False), 1.7)
    assert _record(log).interruptions == ()


def test_only_the_first_sound_after_speech_has_a_latency() -> None:
    log = CallLog()
    log.caller_types("Hello?", 0.0)
    _speak(log, "g1", [("Typed to.", 200)], 0.1)
    log.heard("g1", 20, 0.12)
    log.caller_speaks([(1.0, 2.0)])
    for name, at_s in (("g2", 2.5), ("g3", 3.5)):
        _speak(log, name, [("Hi.", 200)], at_s)
        log.heard(name, 20, at_s + 0.02)
    assert _record(log).latencies_ms == (500,)


def test_speech_into_a_microphone_is_joined_and_noise_left_out() -> None:
    log = CallLog()
    for at_s in (1.0, 1.02, 1.5, 4.0):
        log.voice.voiced(at_s, at_s + 0.02)
    log.observe(Transcript("user", "Hi there", "Hi there", True, "u"), 3.0)
    (turn,) = _record(log).caller
    assert (turn.began_at_s, turn.ended_at_s, turn.heard) == (1.0, 1.52, "Hi there")


def test_two_items_in_one_stretch_of_speech_are_both_kept() -> None:
    log = CallLog()
    log.caller_speaks([(0.0, 4.0)], "Hello. I am Ada.")
    for item, text in (("a", "Hello."), ("b", "I am"), ("b", "I am Ada.")):
        log.observe(Transcript("user", text, "", False, item), 4.5)
    assert _record(log).caller[0].heard == "Hello. I am Ada."


def test_an_interruption_is_measured_from_the_speech_nearest_before_it() -> None:
    log = CallLog()
    log.caller_speaks([(0.0, 1.0), (3.0, 4.0), (6.0, 7.0)])
    for number, (from_s, to_s) in enumerate(((0.0, 1.0), (3.0, 4.0), (6.0, 7.0))):
        log.observe(InputSpeechStarted(round(1000 * from_s)), from_s + 0.1)
        if number:
            log.observe(Interrupted((f"g{number - 1}",), "service", 1400, False), from_s + 0.1)
        log.observe(InputSpeechStopped(round(1000 * to_s)), to_s + 0.5)
        log.observe(Transcript("user", f"{number}.", "", True, f"u{number}"), to_s + 0.5)
        _speak(log, f"g{number}", [("Hm", 3000)], to_s + 0.5)
        log.heard(f"g{number}", 20, to_s + 0.62)
        log.heard(f"g{number}", 1480, to_s + 2.08)
    record = _record(log)
    assert [turn.heard for turn in record.caller] == ["0.", "1.", "2."]
    assert record.latencies_ms == (600, 600, 600)
    assert [reply.broke_in_at_s for reply in record.replies] == [3.0, 6.0, None]
    assert record.replies[2].cut_off, "the call ended before it was heard"


def test_what_the_end_of_the_call_cut_off_is_no_turn() -> None:
    log = CallLog()
    log.caller_speaks([(1.0, 2.0)], "Hello.")
    log.observe(Transcript("user", "Hello.", "", True, "u"), 2.5)
    _speak(log, "g", [("Well, ", 500), ("hello.", 1500)], 2.5)
    log.heard("g", 20, 2.62)
    log.heard("g", 400, 3.0)
    log.caller_speaks([(3.0, 9.0)], "And so on.")
    record = _record(log, duration_s=4.0)
    page = transcript_markdown(record)
    assert record.turns == 1
    assert "`0:03.0` **Caller**: *(cut off)*  \n*said: And so on.*" in page
    assert "**Model** *(600 ms)*: Well, — *(cut off)* after 0.4 s  \n*not heard: hello.*" in page
    assert record.interruptions == ()


def test_problems_are_told() -> None:
    log = CallLog()
    log.observe(SessionError(ToolError("no *such* city")), 1.0)
    log.observe(SessionEnded(1011, "Deadline", LinkLost("the link was closed", code=1011)), 2.0)
    page = transcript_markdown(_record(log))
    assert "## Problems\n\n- 1.0 s: no \\*such\\* city\n- 2.0 s: the link was closed\n" in page
    assert "Nothing was said." in page


# --- the picture -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("duration_s", "rows", "length_s"), [(0.1, 1, 12), (9, 1, 12), (26, 1, 26), (27, 2, 14), (3600, 24, 150)]
)
def test_rows_are_even_and_cover_the_call(duration_s: float, rows: int, length_s: float) -> None:
    found = rows_of(duration_s)
    assert len(found) == rows
    assert found[0][0] == 0
    assert found[0][1] == length_s
    assert found[-1][1] >= duration_s
    assert all(a[1] == b[0] for a, b in itertools.pairwise(found))


def _size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_the_picture_grows_with_the_call() -> None:
    levels = (-20.0,) * 400
    short = draw_timeline(_record(_conversation(), caller_levels_dbfs=levels, model_levels_dbfs=levels))
    long = draw_timeline(_record(_conversation(), duration_s=60.0))
    assert _size(short)[0] == _size(long)[0] == 2250
    assert _size(long)[1] > 2 * _size(short)[1] - 300


def test_what_is_drawn_changes_the_picture() -> None:
    with_all = draw_timeline(_record(_conversation()))
    log = _conversation()
    log.replies["g3"].interrupted_at_s = None
    assert draw_timeline(_record(log)) != with_all
    log = _conversation()
    log.tools.clear()
    assert draw_timeline(_record(log)) != with_all


def test_odd_words_do_not_break_the_picture() -> None:
    log = CallLog()
    log.caller_types("$x_$ 你好 \x1b[0m" + "w" * 500, 0.0)
    log.caller_types("", 0.0)
    _speak(log, "g", [("$", 100)], 11.99)
    log.heard("g", 20, 12.0)
    log.observe(GenerationCreated("h", False), 5.0)
    log.observe(ToolCall("c", "f", {"a": ["$"] * 99}, "h", "k"), 5.0)
    assert _size(draw_timeline(_record(log, duration_s=12.0)))[0] == 2250


def test_a_call_without_a_word_has_a_picture() -> None:
    assert _size(draw_timeline(_record(CallLog(), duration_s=0.02)))[0] == 2250

"""When a step is over: milestones told apart from events, with time as the test wants it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from duologue.cli import director as director_module
from duologue.cli.call_log import CallLog
from duologue.cli.caller import Line, Utterance
from duologue.cli.director import Director, SceneError, Stage
from duologue.cli.scene import Await, Instruct, Pause, Say, TypeText
from duologue.errors import LinkLost
from duologue.events import (
    AudioOutput,
    GenerationCompleted,
    GenerationCreated,
    Interrupted,
    SessionEnded,
    ToolCall,
    ToolResult,
    Transcript,
    TurnCompleted,
    TurnTimings,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from duologue.cli.scene import Step
    from duologue.events import Event


@dataclass
class Call:
    """A call whose clock moves by 20 ms whenever the director looks around."""

    script: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    log: CallLog = field(default_factory=CallLog)
    at_s: float = 0.0
    is_silent: bool = True
    is_live: bool = True
    started_at: float = 0.0
    said: list[str] = field(default_factory=list)
    lines: dict[Say, Line] = field(default_factory=dict)

    async def send_text(self, text: str) -> None:
        self.said.append(text)

    async def generate_reply(self, instructions: str) -> None:
        self.said.append(instructions)

    async def look(self, _duration_s: float) -> None:
        self.at_s = round(self.at_s + 0.02, 3)
        while self.script and self.script[0][0] <= self.at_s:
            self.script.pop(0)[1]()

    def at(self, at_s: float, *events: Event) -> None:
        for event in events:
            self.script.append((at_s, partial(self._observe, event)))

    def plays(self, from_s: float, to_s: float, name: str) -> None:
        """Let a reply be heard, told twice a second as a loudspeaker tells it all the time."""
        steps = round((to_s - from_s) * 2)
        for step in range(steps + 1):
            at_s = from_s + step / 2
            self.script.append((at_s, partial(self._hear, name, 20 + 500 * step, step == steps)))

    def _observe(self, event: Event) -> None:
        self.log.observe(event, self.at_s)

    def _hear(self, name: str, heard_ms: int, is_last: bool) -> None:
        self.is_silent = is_last
        self.log.heard(name, heard_ms, self.at_s)

    def say(self, line: Line) -> Utterance:
        utterance = Utterance(line, self.at_s)
        ended_at_s = utterance.stretches[-1][1]
        self.script.append((ended_at_s, utterance.spoken.set))
        self.script.sort(key=lambda entry: entry[0])
        return utterance

    async def play(self, *steps: Step, numbered: bool = True) -> float:
        """Play steps; return when the last was over."""
        self.script.sort(key=lambda entry: entry[0])
        stage = Stage(
            cast("Any", self),
            self.log,
            cast("Any", self),
            cast("Any", self),
            self.lines,
            lambda: self.at_s,
            lambda text, at_s: None,
        )
        await asyncio.wait_for(Director(stage, numbered=numbered).play(steps), 5)
        return self.at_s


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Call:
    made = Call()
    monkeypatch.setattr(director_module, "_sleep", made.look)
    return made


def _turn(*generations: str) -> TurnCompleted:
    return TurnCompleted(generations, None, 0, False, TurnTimings())


def _answer(call: Call, name: str, at_s: float, *, heard_until_s: float) -> None:
    call.at(at_s, GenerationCreated(name, False), Transcript("model", "Hi.", "Hi.", True, name))
    call.at(at_s, AudioOutput(name, bytes(960), 0), GenerationCompleted(name, "completed", 20))
    call.plays(at_s, heard_until_s, name)


async def test_a_reply_is_over_when_its_turn_is_and_it_was_heard(call: Call) -> None:
    _answer(call, "g", 0.5, heard_until_s=3.0)
    call.at(2.0, _turn("g"))
    assert await call.play(TypeText("Hello?"), Await("reply")) == pytest.approx(3.3, abs=0.1)
    assert call.said == ["Hello?"]


async def test_playout_alone_does_not_end_a_turn(call: Call) -> None:
    _answer(call, "g", 0.5, heard_until_s=1.0)
    call.at(4.0, _turn("g"))
    assert await call.play(TypeText("Hello?"), Await("reply")) == pytest.approx(4.3, abs=0.1)


async def test_an_older_reply_does_not_count(call: Call) -> None:
    _answer(call, "old", 0.5, heard_until_s=1.0)
    call.at(1.0, _turn("old"))
    _answer(call, "new", 3.0, heard_until_s=4.0)
    call.at(4.0, _turn("new"))
    assert await call.play(Pause(2.0), TypeText("Hello?"), Await("reply")) == pytest.approx(4.3, abs=0.1)


@pytest.mark.parametrize("turn_ends_at_the_call", [True, False])
async def test_what_the_model_says_about_a_result_is_waited_for(
    call: Call, turn_ends_at_the_call: bool
) -> None:
    call.at(0.5, GenerationCreated("g1", False), ToolCall("c", "f", {}, "g1", "k"))
    call.at(0.5, GenerationCompleted("g1", "tool_calls"))
    if turn_ends_at_the_call:
        call.at(0.6, _turn("g1"))
    call.at(2.0, ToolResult("c", {}, "answered", "f"))
    _answer(call, "g2", 2.5, heard_until_s=4.0)
    call.at(4.0, _turn("g2") if turn_ends_at_the_call else _turn("g1", "g2"))
    assert await call.play(TypeText("?"), Await("tool_call"), Await("reply")) == pytest.approx(4.3, abs=0.1)


async def test_a_silent_result_is_not_waited_for_for_ever(call: Call) -> None:
    call.at(0.5, GenerationCreated("g1", False), ToolCall("c", "f", {}, "g1", "k"))
    call.at(0.6, GenerationCompleted("g1", "tool_calls"), _turn("g1"), ToolResult("c", {}, "answered", "f"))
    assert await call.play(TypeText("?"), Await("reply")) == pytest.approx(3.9, abs=0.2)


async def test_the_other_milestones(call: Call) -> None:
    _answer(call, "g", 1.0, heard_until_s=3.0)
    call.at(2.0, Interrupted(("g",), "service", 900, False))
    steps = TypeText("?"), Await("reply_started")
    assert await call.play(*steps) == pytest.approx(1.0, abs=0.05)
    assert await call.play(Await("interrupted")) == pytest.approx(2.0, abs=0.05)
    assert await call.play(Await("silence")) == pytest.approx(3.3, abs=0.1)
    assert await call.play(Instruct("Greet.")) == pytest.approx(3.3, abs=0.1)
    assert call.said == ["?", "Greet."]


async def test_giving_up_names_the_step_and_time_of_sound_does_not_count(call: Call) -> None:
    _answer(call, "g", 1.0, heard_until_s=8.0)
    with pytest.raises(SceneError, match=r"step 2: no tool call within 2 s"):
        await call.play(TypeText("?"), Await("tool_call", 2.0))
    assert call.at_s == pytest.approx(10.0, abs=0.1)


def _speaks(call: Call, *, ended_at_s: float) -> Say:
    """Let the caller speak a recording from now on, of which the last sound comes long after its words."""
    say = Say("my.wav", Path("my.wav"))
    call.lines[say] = Line("my.wav", b"", ((0, round(16_000 * ended_at_s) - 1),))
    return say


async def test_an_answer_that_came_before_a_noisy_recording_ended_counts(call: Call) -> None:
    say = _speaks(call, ended_at_s=8.0)
    _answer(call, "g", 3.0, heard_until_s=6.0)
    call.at(6.0, _turn("g"))
    assert await call.play(say, Await("reply")) == pytest.approx(8.0 + 3.0 + 0.3, abs=0.1)


async def test_the_answer_to_the_end_of_a_recording_is_waited_for(call: Call) -> None:
    say = _speaks(call, ended_at_s=8.0)
    _answer(call, "early", 3.0, heard_until_s=6.0)
    call.at(6.0, _turn("early"))
    _answer(call, "late", 10.0, heard_until_s=12.0)
    call.at(12.0, _turn("late"))
    assert await call.play(say, Await("reply")) == pytest.approx(12.3, abs=0.1)


async def test_without_a_scene_nobody_wrote_a_step(call: Call) -> None:
    with pytest.raises(SceneError, match=r"^no reply to 'Hello\?' within 1 s$"):
        await call.play(TypeText("Hello?"), Await("reply", 1.0), numbered=False)


async def test_words_that_were_not_understood_are_hinted_at(call: Call) -> None:
    call.log.caller_speaks([(0.0, 1.0)], "Mumble.")
    with pytest.raises(SceneError, match=r"step 1: no reply within 1 s; no words were understood"):
        await call.play(Await("reply", 1.0))


async def test_the_end_of_the_session_ends_the_scene(call: Call) -> None:
    call.at(1.0, SessionEnded(1011, "Deadline", LinkLost("closed", code=1011)))
    with pytest.raises(LinkLost, match="closed"):
        await call.play(TypeText("?"), Await("reply"))


async def test_a_hang_up_in_good_order_is_told_with_its_code(call: Call) -> None:
    call.at(1.0, SessionEnded(1000, "bye", None))
    with pytest.raises(LinkLost, match=r"code 1000 'bye'"):
        await call.play(Pause(9.0))

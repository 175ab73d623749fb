"""Function calls: blocking and not, results in every order, cancellation."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.emulator.rules.conftest import Call, Dial, silence, tone

from duologue.emulator.protocols import Call as FunctionCall
from duologue.emulator.protocols import Reply

WEATHER = FunctionCall("get_weather", {"city": "London"})
TIME = FunctionCall("get_time", {})


def tools(behavior: str | None = None) -> list[dict[str, Any]]:
    declared: list[dict[str, Any]] = [
        {
            "name": "get_weather",
            "description": "Weather.",
            "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}},
        },
        {"name": "get_time"},
    ]
    for one in declared:
        if behavior:
            one["behavior"] = behavior
    return [{"functionDeclarations": declared}]


def asking(
    dial: Dial, model: str, *calls: FunctionCall, behavior: str | None = None, text: str = "", **setup: Any
) -> Call:
    call = dial(replies=[Reply(text, calls or (WEATHER,)), Reply("It is foggy.")])
    call.set_up(model, tools=tools(behavior), **setup)
    call.clear()
    call.say("How is the weather?")
    return call


def test_a_blocking_round_of_2_5_in_the_recorded_order(dial: Dial) -> None:
    call = asking(dial, "2.5-native")
    assert call.kinds() == ["tool_call"]
    call.run(5)
    (call_id,) = call.call_ids()
    assert re.fullmatch(r"function-call-\d{19}", call_id)
    call.respond(call_id, output="foggy")
    call.run(10)
    order = r"tool_call (text )+(audio )+generation_complete turn_complete\+usage"
    assert re.fullmatch(order, " ".join(call.kinds()))
    history = call.prompts()[-1].history
    assert [entry.role for entry in history] == ["user", "call", "result"]
    assert history[2].call == WEATHER
    assert history[2].result == {"output": "foggy"}
    usage = call.messages("usage")[0].usage_metadata
    assert [d.modality for d in usage.response_tokens_details] == ["TEXT", "AUDIO"]


def test_declared_tools_reach_the_brain(dial: Dial) -> None:
    call = asking(dial, "2.5-native")
    spec = call.prompts()[0].tools[0]
    assert (spec.name, spec.description) == ("get_weather", "Weather.")
    assert spec.parameters["properties"]["city"] == {"type": "STRING"}


def test_parallel_calls_come_in_one_message_and_all_are_waited_for(dial: Dial) -> None:
    call = asking(dial, "2.5-native", WEATHER, TIME)
    first, second = call.call_ids()
    assert first != second
    assert len(call.messages("tool_call")) == 1
    call.respond(second, output="noon")
    call.run(5)
    assert len(call.prompts()) == 1
    call.respond(first, output="foggy")
    call.run(5)
    assert [entry.result for entry in call.prompts()[-1].history[-2:]] == [
        {"output": "noon"},
        {"output": "foggy"},
    ]
    assert call.said() == "It is foggy."


def test_input_while_blocked_is_heard_and_answered_later_on_2_5(dial: Dial) -> None:
    call = asking(dial, "2.5-native")
    call.hear(tone(1.0) + silence(1.5))
    assert "interrupted" not in call.kinds()
    assert "".join(call.heard()) == " Hello, my name is Marcelo."
    assert len(call.prompts()) == 1
    call.respond(*call.call_ids())
    call.run(20)
    assert [entry.role for entry in call.prompts()[1].history] == ["user", "call", "result"]
    assert [entry.role for entry in call.prompts()[2].history] == ["user", "call", "result", "model", "user"]
    assert call.kinds().count("turn_complete+usage") == 2


def test_speech_cancels_blocking_calls_on_3_8(dial: Dial) -> None:
    call = asking(dial, "3.8", behavior="BLOCKING")
    ids = call.call_ids()
    assert all(re.fullmatch(r"fc_\d{19}", one) for one in ids)
    call.clear()
    call.hear(tone(0.3))
    assert call.kinds()[:4] == [
        "voice_activity",
        "interrupted",
        "tool_call_cancellation",
        "turn_complete+usage",
    ]
    assert call.messages("tool_call_cancellation")[0].tool_call_cancellation.ids == ids
    call.respond(*ids)  # a race nobody can avoid
    assert call.closed is None
    assert len(call.prompts()) == 0


def test_barge_in_while_words_before_a_call_sound_cancels_it_on_2_5(dial: Dial) -> None:
    call = asking(dial, "2.5-native", text="Let me have a look at the weather for you, one moment please.")
    call.run(1.5)
    ids = call.call_ids()
    call.hear(tone(0.3))
    kinds = call.kinds()
    at = kinds.index("interrupted")
    assert kinds[at : at + 3] == ["interrupted", "tool_call_cancellation", "turn_complete+usage"]
    call.respond(*ids)
    assert call.closed is None


def test_client_content_cancels_blocking_calls(dial: Dial) -> None:
    call = asking(dial, "2.5-native")
    call.say("Never mind.")
    assert "tool_call_cancellation" in call.kinds()


def test_non_blocking_is_the_default_of_3_8_and_the_turn_ends_before_the_result(dial: Dial) -> None:
    call = asking(dial, "3.8", text="I am looking.")
    call.run(10)
    assert call.kinds()[-4:] == ["generation_complete", "turn_complete+usage", "handle", "empty"]
    ids = call.call_ids()
    call.clear()
    call.respond(*ids, output="foggy")
    call.run(10)
    assert call.said() == "It is foggy."
    assert call.kinds()[0] == "handle"
    assert call.kinds().count("turn_complete+usage") == 1


def test_a_silent_result_is_remembered_and_not_spoken_of(dial: Dial) -> None:
    call = asking(dial, "3.8")
    call.run(5)
    ids = call.call_ids()
    call.clear()
    call.respond(*ids, scheduling="SILENT")
    call.run(10)
    assert call.prompts() == []
    call.say("And?")
    assert [entry.role for entry in call.prompts()[0].history] == ["user", "call", "result", "user"]


def test_scheduling_inside_the_response_counts_and_is_not_part_of_the_result(dial: Dial) -> None:
    call = asking(dial, "3.8")
    call.run(5)
    (one,) = call.call_ids()
    response = {"id": one, "name": "get_weather", "response": {"output": "fog", "scheduling": "SILENT"}}
    call.clear()
    call.send({"toolResponse": {"functionResponses": [response]}})
    call.say("And?")
    (prompt,) = call.prompts()
    assert prompt.history[2].result == {"output": "fog"}


@pytest.mark.parametrize(("schedule", "interrupted"), [("INTERRUPT", 1), ("WHEN_IDLE", 0)])
def test_a_result_while_the_model_speaks(dial: Dial, schedule: str, interrupted: int) -> None:
    call = asking(dial, "3.8")
    call.run(5)
    (one,) = call.call_ids()
    call.replies.insert(0, Reply("Something long that is not about the weather at all, but goes on and on."))
    call.say("Tell me something.")
    call.run(0.5)
    call.clear()
    call.respond(one, output="fog", scheduling=schedule)
    call.run(0.2)
    assert call.kinds().count("interrupted") == interrupted
    call.run(20)
    assert call.said().endswith("It is foggy.")
    assert call.prompts()[-1].history[-1].role == "result"


@pytest.mark.parametrize(("model", "at_once"), [("2.5-native", True), ("3.8", False)])
def test_an_interrupting_result_while_the_caller_speaks(dial: Dial, model: str, at_once: bool) -> None:
    call = asking(dial, model, behavior="NON_BLOCKING")
    call.run(5)
    ids = call.call_ids()
    call.hear(tone(1.0))
    call.clear()
    call.respond(*ids, scheduling="INTERRUPT")
    assert bool(call.prompts()) is at_once


def test_a_result_may_come_in_parts(dial: Dial) -> None:
    call = asking(dial, "3.8")
    call.run(5)
    ids = call.call_ids()
    call.clear()
    call.respond(*ids, output="some fog", willContinue=True, scheduling="SILENT")
    call.respond(*ids, output="more fog")
    assert [entry.result for entry in call.prompts()[0].history[-2:]] == [
        {"output": "some fog"},
        {"output": "more fog"},
    ]
    call.run(10)
    call.respond(*ids)
    assert call.closed is not None


@pytest.mark.parametrize("answer_first", [False, True])
def test_an_id_that_is_not_out_ends_the_link(dial: Dial, answer_first: bool) -> None:
    call = asking(dial, "2.5-native")
    if answer_first:
        call.respond(*call.call_ids())
        call.respond(*call.call_ids())
    else:
        call.respond("function-call-1")
    assert call.closed is not None
    assert (call.closed.code, call.closed.reason) == (1008, "Requested entity was not found.")


def test_a_response_without_id_is_refused(dial: Dial) -> None:
    call = asking(dial, "2.5-native")
    call.send({"toolResponse": {"functionResponses": [{"name": "get_weather", "response": {}}]}})
    assert call.closed is not None
    assert call.closed.code == 1007


def test_a_brain_that_fails_after_the_result_ends_the_turn(dial: Dial) -> None:
    call = asking(dial, "2.5-native")
    call.replies[:] = [None]
    call.respond(*call.call_ids())
    assert call.kinds()[-1] == "turn_complete+usage"
    assert call.closed is None

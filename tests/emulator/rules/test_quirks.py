"""Oddities of the service that no other test of the rules is named after: ``docs/quirks.md``, row by row."""

from __future__ import annotations

from typing import Any

import pytest
from tests.emulator.rules.conftest import MODELS, Dial, silence, tone

from duologue.emulator.protocols import Call as ToolUse
from duologue.emulator.protocols import Reply
from duologue.emulator.rules import refuse_key


@pytest.mark.parametrize("model", MODELS)
def test_the_first_frame_answers_the_setup(dial: Dial, model: str) -> None:
    """Q-first-frame: also where a handle and an empty message follow at once."""
    call = dial()
    assert call.kinds() == []
    call.set_up(model, sessionResumption={})
    assert call.kinds()[0] == "setup_complete"
    assert call.kinds().count("setup_complete") == 1


@pytest.mark.parametrize("model", MODELS)
def test_the_end_of_speech_is_taken_after_800_ms(dial: Dial, model: str) -> None:
    """Q-silence-800: unless the setup asks for another length."""
    call = dial().set_up(model)
    call.hear(silence(0.5) + tone(1.0) + silence(2.0), chunk_ms=20)
    assert call.at("heard")[0] == pytest.approx(1.5 + 0.8, abs=0.06)


def test_speech_counts_as_one_audio_token(dial: Dial) -> None:
    """Q-one-audio-token: the rest of it goes as text; the prompt starts at hundreds of tokens."""
    call = dial().set_up("2.5-native")
    call.hear(tone(5.5) + silence(1.5))
    call.run(30)
    usage = call.messages("usage")[0].usage_metadata
    details = {detail.modality: detail.token_count for detail in usage.prompt_tokens_details}
    assert details["AUDIO"] == 1
    assert details["TEXT"] > 1117 + 5.5 * 25


def test_an_answer_to_a_call_that_was_taken_back_is_passed_over(dial: Dial) -> None:
    """Q-late-cancellation: the two crossed on the wire, which ends nothing."""
    tools: list[dict[str, Any]] = [{"functionDeclarations": [{"name": "get_weather"}]}]
    call = dial(replies=[Reply("", calls=(ToolUse("get_weather", {}),))]).set_up("2.5-native", tools=tools)
    call.say("What is the weather?")
    call.run(1)
    (asked,) = call.call_ids()
    call.say("Never mind.")
    assert "tool_call_cancellation" in call.kinds()
    call.clear()
    call.respond(asked)
    assert call.closed is None
    assert call.prompts() == []


def test_statuses_close_with_three_codes(dial: Dial) -> None:
    """Q-status-to-code: bad arguments 1007; not found and unauthenticated 1008; internal errors 1011."""
    bad, absent, broken = dial(), dial(), dial().set_up()
    bad.send({"setup": {"model": MODELS["3.8"], "tools": [{"codeExecution": {}}]}})
    absent.send({"setup": {"model": "models/gemini-0"}})
    broken.voice = lambda text: None
    broken.say("Go.")
    broken.run(1)
    closes = [bad.closed, absent.closed, refuse_key(None), broken.closed]
    assert [close.code if close else None for close in closes] == [1007, 1008, 1008, 1011]

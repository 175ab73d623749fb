"""Who interrupts whom, and what stays in the history."""

from __future__ import annotations

from typing import Any

import pytest
from tests.emulator.rules.conftest import Call, Dial, silence, tone

from duologue.emulator.protocols import Reply
from duologue.emulator.rules import Service

LONG = "Once upon a time there was a fox. It lived in a wood. Every day it went to the river, and drank, and slept."


def talking(dial: Dial, model: str = "2.5-native", **setup: Any) -> Call:
    call = dial(replies=[Reply(LONG)]).set_up(model, **setup)
    call.say("Tell me a story.")
    call.run(1.0)
    call.clear()
    return call


@pytest.mark.parametrize("model", ["2.5-native", "3.8"])
def test_speech_interrupts_a_running_generation(dial: Dial, model: str) -> None:
    call = talking(dial, model)
    call.hear(tone(0.2), chunk_ms=20)
    (at,) = call.at("interrupted")
    call.run(0.5)
    after = call.kinds()[call.kinds().index("interrupted") :]
    assert after[:2] == ["interrupted", "turn_complete+usage"]
    assert "audio" not in after
    assert "generation_complete" not in call.kinds()
    assert call.at("turn_complete") == [at]


def test_only_what_was_heard_stays_in_the_history(dial: Dial) -> None:
    call = talking(dial)
    call.run(1.0)  # two seconds of playback; nearly all has been sent
    call.clear()
    call.say("Stop.")
    (prompt,) = call.prompts()
    model = prompt.history[-2]
    assert (model.role, model.interrupted) == ("model", True)
    assert model.text == "Once upon a time there was a fox."  # 33 characters of 60 ms
    assert prompt.history[-1].text == "Stop."


def test_playback_counts_as_speaking_after_generation_complete(dial: Dial) -> None:
    call = dial(replies=[Reply("A short answer, said slowly enough to be interrupted.")]).set_up()
    call.say("Go.")
    call.run(1.5)
    assert "generation_complete" in call.kinds()
    call.clear()
    call.hear(tone(0.3))
    assert call.kinds()[:2] == ["interrupted", "turn_complete+usage"]


def test_with_immediate_playback_it_does_not(dial: Dial) -> None:
    call = dial(shared=Service(playback="immediate")).set_up()
    call.say("Go.")
    call.run(1.5)
    call.clear()
    call.hear(tone(0.3))
    assert call.kinds() == []


def test_after_the_interruption_the_caller_is_answered(dial: Dial) -> None:
    call = talking(dial)
    call.hear(tone(1.0) + silence(1.5))
    call.run(10)
    assert call.kinds().count("interrupted") == 1
    assert "".join(call.heard()) == " Hello, my name is Marcelo."
    assert call.said().endswith("All right.")
    assert call.prompts()[-1].history[-1].text == "Hello, my name is Marcelo."


def test_interrupted_while_thinking(dial: Dial) -> None:
    call = dial().set_up()
    call.answers = False
    call.say("Go.")
    (think,) = call.rules.asks()
    call.clear()
    call.hear(tone(0.3))
    assert call.kinds() == ["interrupted", "turn_complete+usage"]
    assert call.rules.asks()[0].ask_id == think.ask_id


def test_no_interruption_lets_the_model_finish_and_answers_afterwards(dial: Dial) -> None:
    call = talking(dial, realtimeInputConfig={"activityHandling": "NO_INTERRUPTION"})
    call.hear(tone(0.5) + silence(1.0))
    call.run(30)
    assert "interrupted" not in call.kinds()
    assert call.kinds().count("turn_complete+usage") == 2
    last = call.prompts()[-1].history
    assert [(entry.role, entry.text) for entry in last[-2:]] == [
        ("model", LONG),
        ("user", "Hello, my name is Marcelo."),
    ]
    assert call.kinds().index("heard") < call.kinds().index("turn_complete+usage")


@pytest.mark.parametrize("complete", [True, False])
def test_any_client_content_interrupts(dial: Dial, complete: bool) -> None:
    call = talking(dial, realtimeInputConfig={"activityHandling": "NO_INTERRUPTION"})
    call.send({"clientContent": {"turnComplete": complete}})
    call.run(20)
    assert call.kinds()[:2] == ["interrupted", "turn_complete+usage"]
    assert call.kinds().count("turn_complete+usage") == (2 if complete else 1)


def test_realtime_text_interrupts_like_speech(dial: Dial) -> None:
    call = talking(dial, "3.8")
    call.send({"realtimeInput": {"text": "Stop, please."}})
    assert call.kinds()[:2] == ["interrupted", "turn_complete+usage"]
    call.run(10)
    assert call.said().endswith("All right.")


def test_manual_activity_start_interrupts(dial: Dial) -> None:
    call = talking(dial, realtimeInputConfig={"automaticActivityDetection": {"disabled": True}})
    call.send({"realtimeInput": {"activityStart": {}}})
    assert call.kinds() == ["interrupted", "turn_complete+usage"]


def test_a_caller_who_goes_on_speaking_is_answered_once_for_both(dial: Dial) -> None:
    call = dial(words=["First part.", "Second part."]).set_up()
    call.answers = False
    call.hear(tone(1.0) + silence(1.0) + tone(0.5))
    call.answers = True
    call.settle()
    assert call.prompts() == []  # the caller is speaking again
    call.hear(silence(1.5))
    (prompt,) = call.prompts()
    assert [entry.text for entry in prompt.history] == ["First part.", "Second part."]


def test_usage_of_an_interrupted_turn_counts_what_was_sent(dial: Dial) -> None:
    call = dial(replies=[Reply(LONG)]).set_up()
    call.say("Go.")
    call.run(1.0)
    call.hear(tone(0.2))
    usage = call.messages("usage")[0].usage_metadata
    assert usage.response_token_count == round(call.sound_s() * 25)

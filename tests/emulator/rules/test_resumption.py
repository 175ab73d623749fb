"""Handles: when they come, what they restore, when they are refused; and the end of a link."""

from __future__ import annotations

import pytest
from tests.emulator.rules.conftest import Call, Dial, tone

from duologue.emulator.protocols import Reply
from duologue.emulator.rules import Service

OTHER_2_5 = "models/gemini-2.5-flash-native-audio-latest"


def conversation(dial: Dial, model: str = "2.5-native") -> Call:
    call = dial(replies=[Reply("Nice to meet you.")]).set_up(model, sessionResumption={})
    call.say("I am Alice.")
    call.run(10)
    return call


def test_handles_come_when_the_state_is_stable(dial: Dial) -> None:
    call = conversation(dial)
    kinds = call.kinds()
    assert kinds[:3] == ["setup_complete", "no_handle", "thought"]
    assert kinds[-2:] == ["turn_complete+usage", "handle"]
    update = call.messages("no_handle")[0].session_resumption_update
    assert (update.resumable, update.new_handle) == (False, None)


def test_no_handles_unless_asked_for_on_2_5(dial: Dial) -> None:
    call = dial().set_up()
    call.say("Hi.")
    call.run(10)
    assert call.handles() == []
    assert "no_handle" not in call.kinds()


@pytest.mark.parametrize("model", ["2.5-native", "3.8"])
def test_a_handle_restores_the_conversation_under_the_new_setup(dial: Dial, model: str) -> None:
    call = conversation(dial, model)
    handle = call.handles()[-1]
    call.rules.link_lost(call.now)
    again = dial(now=call.now + 60)
    again.set_up(model, sessionResumption={"handle": handle}, systemInstruction={"parts": [{"text": "New."}]})
    assert again.closed is None
    again.say("Who am I?")
    (prompt,) = again.prompts()
    assert prompt.instructions == "New."
    assert [(entry.role, entry.text) for entry in prompt.history] == [
        ("user", "I am Alice."),
        ("model", "Nice to meet you."),
        ("user", "Who am I?"),
    ]
    again.run(10)
    assert again.handles()[-1] != handle


def test_an_older_handle_restores_an_older_state_and_a_running_answer_is_lost(dial: Dial) -> None:
    call = conversation(dial)
    handle = call.handles()[-1]
    call.say("Tell me everything.")
    call.rules.link_lost(call.now)
    again = dial(now=call.now).set_up(sessionResumption={"handle": handle})
    again.run(10)
    assert again.kinds() == ["setup_complete"]
    again.say("Well?")
    assert [entry.text for entry in again.prompts()[0].history] == [
        "I am Alice.",
        "Nice to meet you.",
        "Well?",
    ]


def test_a_handle_is_refused_while_its_link_is_open(dial: Dial) -> None:
    call = conversation(dial)
    again = dial(now=call.now).set_up(sessionResumption={"handle": call.handles()[-1]})
    assert again.closed is not None
    assert again.closed.code == 1011
    call.rules.link_lost(call.now)
    assert dial(now=call.now).set_up(sessionResumption={"handle": call.handles()[-1]}).closed is None


def test_a_handle_expires(dial: Dial) -> None:
    call = conversation(dial)
    call.rules.link_lost(call.now)
    late = dial(now=call.now + 7201).set_up(sessionResumption={"handle": call.handles()[-1]})
    assert late.closed is not None
    assert (late.closed.code, late.closed.reason) == (1008, "BidiGenerateContent session not found")


@pytest.mark.parametrize(
    ("model", "handle", "code", "reason"),
    [
        ("3.8", "95e91930-b35b-482b-8880-17efc49ec2f2", 1008, "BidiGenerateContent session not found"),
        ("3.8", "nonsense", 1007, "Invalid session handle"),
        ("2.5-native", "nonsense", 1007, "Invalid session handle"),
        ("2.5-native", "Cih" + "0" * 93, 1008, "BidiGenerateContent session not found"),
    ],
)
def test_foreign_handles(dial: Dial, model: str, handle: str, code: int, reason: str) -> None:
    call = dial().set_up(model, sessionResumption={"handle": handle})
    assert call.closed is not None
    assert (call.closed.code, call.closed.reason) == (code, reason)
    assert call.kinds() == []


@pytest.mark.parametrize("model", [OTHER_2_5, "3.8"])
def test_a_handle_of_another_model(dial: Dial, model: str) -> None:
    call = conversation(dial)
    call.rules.link_lost(call.now)
    other = dial(now=call.now).set_up(model, sessionResumption={"handle": call.handles()[-1]})
    assert other.closed is not None
    assert (other.closed.code, other.closed.reason) == (1011, "Internal error encountered.")


def test_a_handle_after_a_tool_response_knows_the_result(dial: Dial) -> None:
    from duologue.emulator.protocols import Call as FunctionCall

    call = dial(replies=[Reply(calls=(FunctionCall("f", {}),)), Reply("Done.")])
    call.set_up(sessionResumption={}, tools=[{"functionDeclarations": [{"name": "f"}]}])
    call.say("Do it.")
    assert call.handles() == []
    call.respond(*call.call_ids())
    (handle,) = call.handles()
    call.rules.link_lost(call.now)
    again = dial(now=call.now).set_up(sessionResumption={"handle": handle})
    again.say("Well?")
    assert [entry.role for entry in again.prompts()[0].history] == ["user", "call", "result", "user"]


def test_go_away_and_the_end_of_the_link(dial: Dial) -> None:
    call = dial().set_up()
    call.clear()
    call.run(539.9)
    assert call.kinds() == []
    call.run(0.2)
    assert call.kinds() == ["go_away"]
    assert call.messages("go_away")[0].go_away.time_left == "60s"
    call.say("Still there?")
    call.run(59)
    assert call.said() == "All right."
    still_open = call.closed is None
    assert still_open
    call.run(1)
    assert call.closed is not None
    assert (call.closed.code, call.closed.reason) == (1008, "The operation was aborted.")


def test_time_scale_shortens_the_life_of_a_link(dial: Dial) -> None:
    call = dial(shared=Service(time_scale=60)).set_up()
    call.run(9.5)
    assert call.messages("go_away")[0].go_away.time_left == "1s"
    call.run(0.6)
    assert call.closed is not None


def test_a_link_without_a_setup_ends_as_well(dial: Dial) -> None:
    call = dial()
    call.run(600)
    assert call.closed is not None
    assert call.kinds() == []


def test_a_handle_can_be_used_at_once_after_the_rules_closed_the_link(dial: Dial) -> None:
    call = conversation(dial)
    call.run(600)
    assert call.closed is not None
    assert dial(now=call.now).set_up(sessionResumption={"handle": call.handles()[-1]}).closed is None


def test_a_session_without_compression_is_limited_over_its_links(dial: Dial) -> None:
    call = conversation(dial)
    call.run(500)
    call.rules.link_lost(call.now)
    handle = call.handles()[-1]
    short = dial(now=call.now).set_up(sessionResumption={"handle": handle})
    short.run(395)
    assert short.closed is not None
    long = dial(now=short.now).set_up(
        sessionResumption={"handle": handle}, contextWindowCompression={"slidingWindow": {}}
    )
    long.run(500)
    assert long.closed is None


def test_nothing_is_asked_or_sent_after_the_link_is_lost(dial: Dial) -> None:
    call = dial().set_up()
    call.answers = False
    call.say("Go.")
    call.rules.link_lost(call.now)
    assert [type(ask).__name__ for ask in call.rules.asks()] == ["Think", "Cancel"]
    call.hear(tone(1.0))
    assert call.rules.asks() == []
    call.rules.link_lost(call.now)


def test_the_service_forgets_the_oldest_handles() -> None:
    from duologue.emulator.rules import Snapshot

    service = Service()
    service.conversation_opened("a", "s1")
    state = Snapshot("a", "m", (), 0.0, 0.0, 0.0)
    first = service.issue(state, "uuid")
    for _ in range(4096):
        last = service.issue(state, "uuid")
    service.conversation_closed("a", "s1", 0.0)
    assert service.redeem(first, "uuid", "m", 0.0) != state
    assert service.redeem(last, "uuid", "m", 0.0) == state

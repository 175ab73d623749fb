"""What holds in every conversation, whatever happens in it and in whatever order."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.emulator.rules.conftest import Call, Dial, silence, tone

from duologue.emulator.protocols import Call as FunctionCall
from duologue.emulator.protocols import Reply
from duologue.emulator.rules import Service

if TYPE_CHECKING:
    from collections.abc import Callable

TURN = (
    r"(?:opening )?(?:thought )?(?:text |audio |text\+audio |tool_call |opening |thought )*"
    r"(?:generation_complete )?(?:interrupted (?:tool_call_cancellation )?)?turn_complete\+usage "
)
SIDE = ("heard", "voice_activity", "handle", "no_handle", "empty", "setup_complete", "go_away")


def respond_to_all(call: Call) -> None:
    taken_back = {
        one for m in call.messages("tool_call_cancellation") for one in m.tool_call_cancellation.ids
    }
    done = call.answered | taken_back
    for one in call.call_ids():
        if one not in done:
            call.answered.add(one)
            call.respond(one)


ACTIONS: dict[str, Callable[[Call], None]] = {
    "say": lambda call: call.say("Something."),
    "text": lambda call: call.send({"realtimeInput": {"text": "Something."}}),
    "add": lambda call: call.send({"clientContent": {"turnComplete": False}}),
    "speak": lambda call: call.hear(tone(0.6) + silence(1.2)),
    "start_speaking": lambda call: call.hear(tone(0.3)),
    "stream_end": lambda call: call.send({"realtimeInput": {"audioStreamEnd": True}}),
    "respond": respond_to_all,
    "wait": lambda call: call.run(0.4),
    "wait_long": lambda call: call.run(6.0),
}
F, G = FunctionCall("blocking", {}), FunctionCall("free", {})
REPLIES = [
    Reply("Short."),
    Reply("A longer answer, in two clauses. And a second sentence."),
    Reply(""),
    Reply(calls=(F,)),
    Reply("I will look.", calls=(F, G)),
    Reply(calls=(G,)),
    None,
]
TOOLS = [
    {
        "functionDeclarations": [
            {"name": "blocking", "behavior": "BLOCKING"},
            {"name": "free", "behavior": "NON_BLOCKING"},
        ]
    }
]


@pytest.mark.parametrize("model", ["2.5-native", "3.8"])
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    actions=st.lists(st.sampled_from(sorted(ACTIONS)), max_size=12),
    replies=st.lists(st.sampled_from(REPLIES), max_size=8),
    words=st.lists(st.sampled_from(["Some words.", "", None]), max_size=6),
    handling=st.sampled_from(["START_OF_ACTIVITY_INTERRUPTS", "NO_INTERRUPTION"]),
)
def test_every_turn_ends_once_and_the_call_goes_on(
    dial: Dial,
    model: str,
    actions: list[str],
    replies: list[Reply | None],
    words: list[str | None],
    handling: str,
) -> None:
    call = dial(
        replies=replies, words=words, shared=Service(connection_lifetime_s=10_000, session_limit_s=10_000)
    )
    call.set_up(model, tools=TOOLS, sessionResumption={}, realtimeInputConfig={"activityHandling": handling})
    for action in actions:
        ACTIONS[action](call)
        assert call.closed is None
    call.replies.clear()
    for _ in range(4):  # results may lead to replies; what is owed is said
        call.run(30)
        respond_to_all(call)
    call.run(30)
    call.replies[:] = [Reply("Yes, I am.")]
    call.say("Still there?")
    call.run(30)
    assert call.said().endswith("Yes, I am.")
    assert call.closed is None
    kinds = [kind for kind in call.kinds() if kind not in SIDE]
    story = "".join(f"{kind} " for kind in kinds)
    assert re.fullmatch(f"(?:{TURN})*", story), story
    assert call.handles()

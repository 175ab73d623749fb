"""Q-local-silence: after ``interrupt()`` nothing of that turn is heard and none of its functions run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from tests.core import messages as say
from tests.core.test_turns import BLOCKING, hear, names, only

from duologue.events import AudioOutput, GenerationCreated, Interrupted, ToolCall, TurnCompleted
from duologue.wire.content import FunctionCall
from duologue.wire.server import ServerMessage
from duologue.wire.server import ToolCall as WireToolCall

if TYPE_CHECKING:
    from tests.core.conftest import Begin

ASKS = ServerMessage(tool_call=WireToolCall(function_calls=[FunctionCall(id="fc_1", name="block", args={})]))


def test_late_content_of_a_silenced_turn_begins_nothing(begin: Begin) -> None:
    watched = begin()
    hear(watched, say.sound())
    watched.do("interrupt", 1.5)
    events = hear(watched, say.content(generation_complete=True), say.sound(), say.sound())
    assert not {"AudioOutput", "GenerationCreated", "GenerationCompleted"} & {*names(events)}
    ended = only(hear(watched, say.content(turn_complete=True)), TurnCompleted)
    assert len(ended.generations) == 1
    assert "GenerationCreated" in names(hear(watched, say.sound(), at=3.0))


def test_the_service_is_told_while_it_believes_the_sound_to_be_playing(begin: Begin) -> None:
    """Sound comes faster than real time: most interruptions fall between generationComplete and turnComplete."""
    watched = begin()
    hear(watched, say.sound(), say.content(generation_complete=True))
    before = len(watched.all_frames)
    watched.do("interrupt", 1.1)
    [frame] = watched.all_frames[before:]
    assert msgspec.json.decode(frame.data) == {"clientContent": {"turnComplete": False}}


def test_a_call_of_a_silenced_turn_is_refused_and_not_run(begin: Begin) -> None:
    watched = begin(tools=(BLOCKING,))
    hear(watched, say.sound())
    watched.do("interrupt", 1.5)
    before = len(watched.all_frames)
    events = hear(watched, ASKS, ASKS)
    assert not [event for event in events if isinstance(event, ToolCall)]
    [frame] = watched.all_frames[before:]
    [response] = msgspec.json.decode(frame.data)["toolResponse"]["functionResponses"]
    assert response["id"] == "fc_1"
    assert "interrupted" in response["response"]["error"]
    assert watched.session.counters["refused_calls"] == 1


def test_the_services_own_interruption_ends_the_silence(begin: Begin) -> None:
    watched = begin()
    hear(watched, say.sound())
    watched.do("interrupt", 1.5)
    events = hear(watched, say.content(interrupted=True), say.sound(), at=2.0)
    assert [type(event) for event in events if isinstance(event, Interrupted)] == []
    assert [type(e) for e in events if isinstance(e, GenerationCreated | AudioOutput)] == [
        GenerationCreated,
        AudioOutput,
    ]


def test_an_interruption_takes_in_the_turn_that_still_sounds(begin: Begin) -> None:
    watched = begin()
    hear(watched, say.sound(), say.content(generation_complete=True), say.content(turn_complete=True), at=1.0)
    hear(watched, say.sound(), at=1.001)  # the second answer begins while the first is being played
    watched.do("interrupt", 1.002)
    interrupted = only(watched.last_events, Interrupted)
    assert len(interrupted.generations) == 2


def test_a_call_after_the_user_spoke_is_run_under_a_generation_of_its_own(begin: Begin) -> None:
    """Silence ends when the user speaks, while what was silenced has not been ended by the service yet."""
    watched = begin(tools=(BLOCKING,), manual=True)
    hear(watched, say.sound(), say.content(generation_complete=True))
    watched.do("interrupt", 1.5)
    hear(watched, say.sound(), at=1.6)  # of the silenced turn: nobody is told of it
    watched.start_activity(1.7)
    events = hear(watched, ASKS, at=1.8)
    [created] = [event for event in events if isinstance(event, GenerationCreated)]
    assert only(events, ToolCall).generation_id == created.id

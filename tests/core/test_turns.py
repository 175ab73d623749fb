"""Each named rule of ``core.turns`` and ``core.conversation``, as one scene."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.core import messages as say

from duologue.events import (
    AudioOutput,
    GenerationCompleted,
    GenerationCreated,
    Grounding,
    Interrupted,
    SessionError,
    Thought,
    ToolCall,
    ToolCallCancelled,
    ToolResult,
    Transcript,
    TurnCompleted,
    UsageReported,
    WaitingForInput,
)
from duologue.wire.codec import ServerDecoder
from duologue.wire.content import Blob, Content, ExecutableCode, Part
from duologue.wire.server import ErrorStatus, ServerContent, ServerMessage, Transcription

if TYPE_CHECKING:
    from tests.core.conftest import Begin
    from tests.core.invariants import Watched

BLOCKING = {"name": "block", "behavior": "BLOCKING"}
FREE = {"name": "free", "behavior": "NON_BLOCKING"}


def hear(watched: Watched, *said: ServerMessage, at: float = 1.0) -> list[Any]:
    """Feed messages; return the events they caused."""
    events: list[Any] = []
    for message in said:
        watched.do("receive", message, at)
        events += watched.last_events
    return events


def names(events: list[Any]) -> list[str]:
    return [type(event).__name__ for event in events]


def only(events: list[Any], kind: type) -> Any:
    [found] = [event for event in events if isinstance(event, kind)]
    return found


def test_a_whole_turn(begin: Begin) -> None:
    watched = begin()
    events = hear(
        watched,
        say.heard(" Hello"),
        say.thought("hm"),
        say.said(" Hi"),
        say.sound(20),
        say.sound(30),
        say.GENERATION_COMPLETE,
        say.TURN_COMPLETE,
        at=2.0,
    )
    assert names(events) == [
        "InputSpeechStarted",
        "Transcript",
        "Transcript",
        "InputSpeechStopped",
        "GenerationCreated",
        "Thought",
        "Transcript",
        "AudioOutput",
        "AudioOutput",
        "Transcript",
        "GenerationCompleted",
        "TurnCompleted",
    ]
    assert [event.offset_ms for event in events if isinstance(event, AudioOutput)] == [0, 20]
    assert only(events, GenerationCompleted).audio_ms == 50
    assert [(m.role, m.text) for m in watched.session.chat_ctx.messages] == [
        ("user", "Hello"),
        ("model", "Hi"),
    ]


@pytest.mark.parametrize(
    "message", [say.EMPTY, say.content(), say.said(""), say.heard(None), say.parts(), say.calls()]
)
def test_lazy_generation(begin: Begin, message: ServerMessage) -> None:
    """Q-lazy-generation: empty messages begin nothing."""
    assert hear(begin(), message) == []


def test_empty_parts_begin_nothing_and_are_counted(begin: Begin) -> None:
    watched = begin()
    picture = Part(inline_data=Blob(mime_type="image/png", data="AAAA"))
    nothing = Part(inline_data=Blob(mime_type="audio/pcm", data=""))
    assert hear(watched, say.parts(Part(), picture, nothing, Part(executable_code=ExecutableCode()))) == []
    assert watched.session.counters["parts_of_other_kinds"] == 3


def test_a_blocking_call_splits(begin: Begin) -> None:
    """Q-tool-splits: what follows the result is the next generation of the same turn."""
    watched = begin(tools=(BLOCKING,))
    asked = hear(watched, say.said("wait"), say.calls(("1", "block")))
    assert only(asked, GenerationCompleted).status == "tool_calls"
    watched.do("tool_result", "1", {"output": 1}, 1.5)
    answered = hear(watched, say.sound(), say.GENERATION_COMPLETE, say.TURN_COMPLETE)
    assert only(answered, GenerationCompleted).status == "completed"
    assert only(answered, TurnCompleted).generations == ("s-gen-1", "s-gen-2")


def test_a_free_call_does_not_split(begin: Begin) -> None:
    """Q-non-blocking-default: the turn may end before the result, which starts the next one."""
    watched = begin("3.8", tools=(FREE,))
    events = hear(
        watched,
        say.sound(),
        say.calls(("1", "free")),
        say.sound(),
        say.GENERATION_COMPLETE,
        say.TURN_COMPLETE,
    )
    assert only(events, GenerationCreated).id == only(events, ToolCall).generation_id
    assert only(events, GenerationCompleted).status == "completed"
    watched.do("tool_result", "1", {"output": 1}, 2.0, scheduling="WHEN_IDLE")
    assert b'"scheduling":"WHEN_IDLE"' in watched.last_frames[0].data
    assert only(hear(watched, say.sound()), GenerationCreated).id == "s-gen-2"


def test_a_generation_of_calls_alone_says_so(begin: Begin) -> None:
    watched = begin("3.8", tools=(FREE,))
    events = hear(watched, say.thought("hm"), say.calls(("1", "free")), say.GENERATION_COMPLETE)
    assert only(events, GenerationCompleted).status == "tool_calls"


def test_mixed_calls_split_once(begin: Begin) -> None:
    """Q-parallel-calls: one toolCall, several ToolCalls, one generation."""
    watched = begin(tools=(FREE, BLOCKING))
    events = hear(watched, say.calls(("1", "free"), ("2", "block")))
    assert names(events) == ["GenerationCreated", "ToolCall", "ToolCall", "GenerationCompleted"]


def test_late_content(begin: Begin) -> None:
    """Q-late-content: a further generation of the same turn."""
    events = hear(begin(), say.sound(), say.GENERATION_COMPLETE, say.sound(), say.TURN_COMPLETE)
    assert [e.id for e in events if isinstance(e, GenerationCompleted)] == ["s-gen-1", "s-gen-2"]
    assert only(events, TurnCompleted).generations == ("s-gen-1", "s-gen-2")


def test_interrupted_within(begin: Begin) -> None:
    """Q-no-generation-complete: interrupted, then turnComplete."""
    watched = begin()
    hear(watched, say.said("one two"), say.sound(500), at=1.0)
    events = hear(watched, say.INTERRUPTED, say.TURN_COMPLETE, at=1.2)
    assert names(events) == [
        "InputSpeechStarted",
        "Interrupted",
        "Transcript",
        "GenerationCompleted",
        "TurnCompleted",
    ]
    cut = only(events, Interrupted)
    assert (cut.generations, cut.by, cut.heard_ms, cut.heard_ms_estimated) == (
        ("s-gen-1",),
        "service",
        200,
        True,
    )
    assert only(events, GenerationCompleted).status == "interrupted"
    assert only(events, TurnCompleted).heard_ms == 200
    assert watched.session.chat_ctx.messages[-1].interrupted


def test_interrupted_before_anything(begin: Begin) -> None:
    """Q-interrupted-late: it names no generation, and begins none."""
    events = hear(begin(), say.INTERRUPTED)
    assert only(events, Interrupted).generations == ()
    assert GenerationCreated not in map(type, events)


def test_interrupted_after_all_was_generated(begin: Begin) -> None:
    watched = begin()
    hear(watched, say.sound(1000), say.GENERATION_COMPLETE, at=1.0)
    events = hear(watched, say.INTERRUPTED, say.TURN_COMPLETE, at=1.3)
    assert only(events, Interrupted).heard_ms == 300
    assert GenerationCompleted not in map(type, events)
    assert only(events, TurnCompleted).heard_ms == 300


def test_interrupted_after_the_turn_while_it_sounds(begin: Begin) -> None:
    watched = begin()
    hear(watched, say.sound(1000), say.GENERATION_COMPLETE, say.TURN_COMPLETE, at=1.0)
    assert only(hear(watched, say.INTERRUPTED, at=1.4), Interrupted).generations == ("s-gen-1",)
    # Once: a second one finds it silenced already and names nothing.
    again = [e for e in hear(watched, say.INTERRUPTED, at=1.5) if isinstance(e, Interrupted)]
    assert [e.generations for e in again] == [()]


def test_an_empty_turn_does_not_hide_what_still_sounds(begin: Begin) -> None:
    watched = begin()
    hear(watched, say.sound(1000), say.TURN_COMPLETE, say.TURN_COMPLETE, at=1.0)
    watched.do("interrupt", 1.1)
    assert only(watched.last_events, Interrupted).generations == ("s-gen-1",)


def test_interrupted_when_all_was_heard(begin: Begin) -> None:
    watched = begin()
    hear(watched, say.sound(100), say.TURN_COMPLETE, at=1.0)
    assert only(hear(watched, say.INTERRUPTED, at=9.0), Interrupted).generations == ()


@pytest.mark.parametrize("generated", [False, True])
def test_interrupted_first(begin: Begin, generated: bool) -> None:
    """Q-interrupted-first: sound beside it is discarded and counted, words are kept."""
    watched = begin()
    hear(watched, say.sound(500), *([say.GENERATION_COMPLETE] if generated else []))
    beside = ServerContent(
        interrupted=True,
        model_turn=Content(parts=[say.sound_part(20)]),
        output_transcription=Transcription(text=" last words"),
        input_transcription=Transcription(text=" stop"),
        turn_complete=True,
    )
    events = hear(watched, ServerMessage(server_content=beside), at=1.1)
    assert AudioOutput not in map(type, events)
    assert [(e.role, e.delta) for e in events if isinstance(e, Transcript) and e.delta] == [
        ("model", " last words"),
        ("user", " stop"),
    ]
    assert names(events)[-1] == "TurnCompleted"
    assert watched.session.counters["content_beside_interrupted"] == 1
    assert watched.session.chat_ctx.messages[0].interrupted


def test_local_silence_until_the_service_confirms(begin: Begin) -> None:
    """Q-local-silence, and Q-content-interrupts: the profile knows how to tell the service."""
    watched = begin()
    hear(watched, say.sound(500), at=1.0)
    watched.do("interrupt", 1.1)
    assert names(watched.last_events) == ["Interrupted", "GenerationCompleted"]
    assert [frame.data for frame in watched.last_frames] == [b'{"clientContent":{"turnComplete":false}}']
    assert hear(watched, say.sound(100), say.text("more"), at=1.2) == []
    assert watched.session.counters["discarded_audio_bytes"] == 4800
    assert watched.session.counters["discarded_text_characters"] == 4
    watched.do("interrupt", 1.3)
    assert watched.last_events == []
    assert watched.last_frames == []
    confirmed = hear(watched, say.INTERRUPTED, at=1.4)
    assert not {Interrupted, GenerationCompleted} & set(map(type, confirmed))
    hear(watched, say.TURN_COMPLETE)
    assert names(hear(watched, say.sound())) == ["InputSpeechStopped", "GenerationCreated", "AudioOutput"]


def test_local_silence_that_nobody_confirms(begin: Begin) -> None:
    watched = begin()
    hear(watched, say.sound(500))
    watched.do("interrupt", 1.1)
    assert names(hear(watched, say.sound(), say.GENERATION_COMPLETE, say.TURN_COMPLETE)) == ["TurnCompleted"]


def test_the_words_of_a_silenced_answer_are_delivered(begin: Begin) -> None:
    watched = begin()
    hear(watched, say.said("one"), say.sound(500))
    watched.do("interrupt", 1.1)
    assert [
        e.delta for e in hear(watched, say.said(" two"), say.TURN_COMPLETE) if isinstance(e, Transcript)
    ] == [" two", ""]


def test_interrupt_with_nothing_to_silence(begin: Begin) -> None:
    watched = begin()
    watched.do("interrupt", 1.0)
    assert watched.last_events == []
    assert watched.last_frames == []


def test_an_endless_turn_holds_nothing_up(begin: Begin) -> None:
    """Q-endless-turn: the next answers come out, calls are asked and answered, all in one open turn."""
    watched = begin(tools=(BLOCKING,))
    for number in range(3):
        events = hear(watched, say.sound(), say.GENERATION_COMPLETE, say.calls((str(number), "block")))
        assert len([e for e in events if isinstance(e, GenerationCreated)]) == 2
        watched.do("tool_result", str(number), {}, 1.0)
    assert watched.session.next_deadline() is None


def test_a_turn_of_nothing(begin: Begin) -> None:
    turn = only(
        hear(begin(), say.content(turn_complete=True, turn_complete_reason="NEED_MORE_INPUT")), TurnCompleted
    )
    assert (turn.generations, turn.usage, turn.heard_ms, turn.reason) == ((), None, 0, "NEED_MORE_INPUT")


def test_many_keys(begin: Begin) -> None:
    """Q-many-keys: all in one message, in the order of the rule."""
    watched = begin("3.8", tools=(BLOCKING,))
    hear(watched, say.calls(("old", "block")))
    message = msgspec.structs.replace(
        say.calls(("new", "block")),
        tool_call_cancellation=say.cancel("old").tool_call_cancellation,
        voice_activity=say.voice("ACTIVITY_START", "1.5s").voice_activity,
        server_content=ServerContent(
            input_transcription=Transcription(text="u"),
            output_transcription=Transcription(text="m"),
            model_turn=Content(parts=[say.sound_part()]),
            turn_complete=True,
        ),
        usage_metadata=say.usage(5, 2, 7),
        session_resumption_update=say.handle("h").session_resumption_update,
        go_away=say.go_away().go_away,
        error=ErrorStatus(message="odd"),
    )
    events = hear(watched, message)
    assert names(events) == [
        "ToolCallCancelled", "ToolResult", "InputSpeechStarted", "Transcript", "Transcript", "GenerationCreated",
        "Transcript", "AudioOutput", "ToolCall", "Transcript", "GenerationCompleted", "TurnCompleted",
        "ResumptionUpdate", "GoAway", "SessionError",
    ]  # fmt: skip
    assert only(events, ToolCallCancelled).call_id == "old"
    assert only(events, ToolResult).outcome == "cancelled"
    assert only(events, TurnCompleted).usage.total_tokens == 7


def test_corrupt_sound_spoils_only_itself(begin: Begin) -> None:
    corrupt = Part(inline_data=Blob(mime_type="audio/pcm", data="A+-A"))
    content = ServerContent(model_turn=Content(parts=[corrupt, say.sound_part(10)]), turn_complete=True)
    watched = begin()
    events = hear(watched, ServerMessage(server_content=content))
    assert names(events) == [
        "GenerationCreated",
        "SessionError",
        "AudioOutput",
        "GenerationCompleted",
        "TurnCompleted",
    ]
    assert only(events, SessionError).recoverable
    assert watched.session.counters["undecodable_audio_parts"] == 1


def test_grounding_and_waiting(begin: Begin) -> None:
    """The application gets a mapping with the wire's own names; what nobody knows is left out."""
    watched = begin()
    grounded: dict[str, Any] = {
        "webSearchQueries": ["q"],
        "groundingChunks": [{"web": {"uri": "https://example.org/", "title": "T"}}],
        "groundingSupports": [{"segment": {"endIndex": 3}, "groundingChunkIndices": [0], "newer": 1}],
    }
    [nothing, said] = ServerDecoder().decode(
        json.dumps({"serverContent": {"groundingMetadata": {}}})
        + json.dumps({"serverContent": {"groundingMetadata": grounded, "waitingForInput": True}})
    )
    assert hear(watched, nothing) == []
    hear(watched, say.sound())
    events = hear(watched, said)
    del grounded["groundingSupports"][0]["newer"]
    assert only(events, Grounding) == Grounding(grounded, "s-gen-1")
    assert only(events, WaitingForInput)


def test_a_thought_is_not_said(begin: Begin) -> None:
    """Q-unasked-thought."""
    watched = begin()
    events = hear(watched, say.thought("**Plan**"), say.TURN_COMPLETE)
    assert only(events, Thought).text == "**Plan**"
    assert watched.session.chat_ctx.messages == ()


class TestHeard:
    def test_an_estimate_follows_the_clock_and_the_sound(self, begin: Begin) -> None:
        watched = begin()
        hear(watched, say.sound(100), at=1.0)
        turn = only(hear(watched, say.TURN_COMPLETE, at=9.0), TurnCompleted)
        assert (turn.heard_ms, turn.heard_ms_estimated) == (100, True)

    def test_a_sink_measures(self, begin: Begin) -> None:
        watched = begin()
        hear(watched, say.sound(1000), at=1.0)
        watched.do("report_playhead", "s-gen-1", 120)
        watched.do("report_playhead", "s-gen-1", 100)
        cut = only(hear(watched, say.INTERRUPTED, at=1.9), Interrupted)
        assert (cut.heard_ms, cut.heard_ms_estimated) == (120, False)

    def test_a_measurement_after_the_interruption_replaces_the_estimate(self, begin: Begin) -> None:
        watched = begin()
        hear(watched, say.sound(1000), at=1.0)
        assert only(hear(watched, say.INTERRUPTED, at=1.9), Interrupted).heard_ms == 900
        watched.do("report_playhead", "s-gen-1", 640)
        turn = only(hear(watched, say.TURN_COMPLETE, at=3.0), TurnCompleted)
        assert (turn.heard_ms, turn.heard_ms_estimated) == (640, False)

    def test_it_is_never_more_than_was_sent(self, begin: Begin) -> None:
        watched = begin()
        hear(watched, say.sound(100), at=1.0)
        watched.do("report_playhead", "s-gen-1", 10_000)
        assert only(hear(watched, say.TURN_COMPLETE), TurnCompleted).heard_ms == 100

    def test_unknown_generations_are_counted(self, begin: Begin) -> None:
        watched = begin()
        watched.do("report_playhead", "nobody", 5)
        assert watched.session.counters["playhead_of_unknown_generation"] == 1


class TestTimings:
    def test_with_marks(self, begin: Begin) -> None:
        watched = begin("3.8")
        hear(watched, say.voice("ACTIVITY_START"), at=1.0)
        hear(watched, say.voice("ACTIVITY_END"), at=2.0)
        hear(watched, say.said("a"), at=2.5)
        hear(watched, say.sound(), at=2.6)
        hear(watched, say.GENERATION_COMPLETE, at=2.7)
        timings = only(hear(watched, say.TURN_COMPLETE, at=3.0), TurnCompleted).timings
        assert (timings.user_stopped_at, timings.created_at, timings.first_audio_at) == (2.0, 2.5, 2.6)
        assert (timings.generated_at, timings.completed_at) == (2.7, 3.0)
        # The next turn begins without the user: the old mark is not used twice.
        hear(watched, say.sound(), at=4.0)
        assert only(hear(watched, say.TURN_COMPLETE, at=5.0), TurnCompleted).timings.user_stopped_at is None

    def test_an_implied_stop_is_no_instant(self, begin: Begin) -> None:
        """Nobody said when the user stopped: a latency of zero would be invented."""
        watched = begin()
        hear(watched, say.heard("hello"), say.sound(), at=2.0)
        assert only(hear(watched, say.TURN_COMPLETE), TurnCompleted).timings.user_stopped_at is None


@pytest.mark.parametrize("inside", [True, False])
def test_a_turn_may_be_complete_while_more_is_to_come(begin: Begin, inside: bool) -> None:
    """Q-interaction-status: said in either of two places; what follows is a turn of its own."""
    watched = begin()
    hear(watched, say.sound())
    going_on = ServerMessage(
        server_content=ServerContent(
            turn_complete=True, interaction_status="IN_PROGRESS" if inside else None
        ),
        interaction_status=None if inside else "IN_PROGRESS",
    )
    first = only(hear(watched, going_on), TurnCompleted)
    assert first.interaction_status == "IN_PROGRESS"
    rest = hear(watched, say.sound(), say.content(turn_complete=True, interaction_status="IDLE"))
    second = only(rest, TurnCompleted)
    assert second.interaction_status == "IDLE"
    assert not set(first.generations) & set(second.generations)


class TestUsage:
    def test_late_usage_is_reported_alone(self, begin: Begin) -> None:
        watched = begin()
        hear(watched, say.sound(), say.TURN_COMPLETE)
        events = hear(watched, ServerMessage(usage_metadata=say.usage(5, 1, 6)))
        assert only(events, UsageReported).usage.input_tokens == 5
        assert watched.session.usage.input_tokens == 5

    def test_the_newest_count_of_a_turn_replaces_the_one_before(self, begin: Begin) -> None:
        watched = begin()
        hear(watched, say.sound(), ServerMessage(usage_metadata=say.usage(5)))
        last = ServerMessage(
            server_content=ServerContent(turn_complete=True), usage_metadata=say.usage(7, 2, 9)
        )
        assert only(hear(watched, last), TurnCompleted).usage.input_tokens == 7
        assert watched.session.usage.input_tokens == 7
        hear(watched, say.sound(), last)
        assert (watched.session.usage.input_tokens, watched.session.usage.total_tokens) == (14, 18)
        assert watched.session.usage.input_by_modality == {"text": 14}

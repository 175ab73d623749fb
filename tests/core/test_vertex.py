"""What Vertex AI does otherwise, fed to the core as the JSON it sends; the shapes are those of its recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from tests.core.test_turns import BLOCKING, hear, names, only

from duologue.core.link import Link
from duologue.events import (
    AudioOutput,
    GenerationCompleted,
    Grounding,
    SessionReady,
    ToolCall,
    Transcript,
    TurnCompleted,
)
from duologue.wire.blob import encode_base64
from duologue.wire.codec import ServerDecoder

if TYPE_CHECKING:
    from tests.core.conftest import Begin

    from duologue.wire.server import ServerMessage


def wire(*said: dict[str, Any]) -> list[ServerMessage]:
    """Return messages as they are read from frames, and see that nothing in them was unknown."""
    decoder = ServerDecoder()
    messages = [message for frame in said for message in decoder.decode(msgspec.json.encode(frame))]
    assert decoder.unknown == {}
    return messages


def said(**transcription: Any) -> dict[str, Any]:
    return {"serverContent": {"outputTranscription": transcription}}


SOUND = {
    "serverContent": {
        "modelTurn": {
            "role": "model",
            "parts": [{"inlineData": {"mimeType": "audio/pcm", "data": encode_base64(bytes(960))}}],
        }
    }
}
GENERATED = {"serverContent": {"generationComplete": True}}
COMPLETE = {
    "serverContent": {"turnComplete": True, "groundingMetadata": {}},
    "usageMetadata": {
        "promptTokenCount": 12,
        "candidatesTokenCount": 30,
        "totalTokenCount": 42,
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 30}],
        "trafficType": "ON_DEMAND",
    },
}
CALLS = {"toolCall": {"functionCalls": [{"name": "block", "args": {"city": "London"}}]}}


def test_all_words_come_before_any_sound(begin: Begin) -> None:
    """Q-vertex-words-first: an empty transcript opens, `finished` closes, and they are one generation with the sound."""
    watched = begin("vertex-half-cascade")
    assert names(hear(watched, *wire(said()))) == []
    events = hear(
        watched,
        *wire(said(text="It is"), said(text=" foggy."), said(finished=True), SOUND, GENERATED, COMPLETE),
    )
    generation = only(events, GenerationCompleted)
    assert generation.status == "completed"
    assert only(events, AudioOutput).generation_id == generation.id
    assert [e.text for e in events if isinstance(e, Transcript) and e.final] == ["It is foggy."]


def test_the_turn_ends_at_a_call_and_the_answer_is_another(begin: Begin) -> None:
    """Q-vertex-tool-turn: the open call outlives the turn that made it."""
    watched = begin("vertex-half-cascade", tools=(BLOCKING,))
    events = hear(watched, *wire(CALLS, said(finished=True), GENERATED, COMPLETE))
    call = only(events, ToolCall)
    first = only(events, TurnCompleted)
    assert watched.session.open_calls == [call]
    watched.do("tool_result", call.call_id, {"output": "fog"}, 2.0)
    second = only(hear(watched, *wire(said(text="Fog."), SOUND, GENERATED, COMPLETE), at=3.0), TurnCompleted)
    assert len(first.generations) == len(second.generations) == 1
    assert first.generations != second.generations


def test_a_call_without_an_id_is_answered_without_one(begin: Begin) -> None:
    """Q-vertex-no-ids: the id that the application sees is of our making and never sent."""
    watched = begin("vertex-half-cascade", tools=(BLOCKING,))
    call = only(hear(watched, *wire(CALLS)), ToolCall)
    assert call.call_id
    before = len(watched.all_frames)
    watched.do("tool_result", call.call_id, {"output": "fog"}, 2.0)
    [frame] = watched.all_frames[before:]
    assert msgspec.json.decode(frame.data)["toolResponse"]["functionResponses"] == [
        {"name": "block", "response": {"output": "fog"}}
    ]


def test_names_and_forms_of_its_own(begin: Begin) -> None:
    """Q-vertex-names: sound without a rate, a session's id, candidates*, grounding that says nothing."""
    watched = begin("vertex-half-cascade", until=Link.SETUP)
    ready = hear(watched, *wire({"setupComplete": {"sessionId": "an-id"}}))
    assert only(ready, SessionReady).session_id == "an-id"
    events = hear(watched, *wire(SOUND, GENERATED, COMPLETE))
    assert only(events, AudioOutput).pcm == bytes(960)
    usage = only(events, TurnCompleted).usage
    assert (usage.input_tokens, usage.output_tokens, usage.output_by_modality) == (12, 30, {"audio": 30})
    assert not [event for event in events if isinstance(event, Grounding)]

"""Our structs against the official SDK's types: the same JSON must mean the same to both.

Theirs are known to lack what is newer than they are; what is left out says so.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duologue.config import ChatMessage, LiveConfig
from duologue.core import commands
from duologue.wire.blob import decode_base64
from duologue.wire.client import ClientMessage
from duologue.wire.codec import ServerDecoder, encode, encode_audio
from duologue.wire.content import int64
from duologue.wire.profiles import PROFILES
from duologue.wire.server import ServerMessage
from duologue.wire.setup import build_setup

types = pytest.importorskip("google.genai.types", reason="google-genai is a test oracle, see requirements")
converters = pytest.importorskip("google.genai._live_converters")

short = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)
count = st.integers(0, 10**6)
raw_audio = st.binary(min_size=2, max_size=12)
flag = st.just(True)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A JSON object with any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


blob = st.builds(
    lambda raw: {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(raw).decode()}, raw_audio
)
part = st.one_of(
    short.map(lambda text: {"text": text}),
    short.map(lambda text: {"text": text, "thought": True}),
    blob.map(lambda given: {"inlineData": given}),
)
transcription = some(text=short, finished=flag, languageCode=short)
details = st.lists(
    some(modality=st.sampled_from(["TEXT", "AUDIO", "VIDEO"]), tokenCount=count), min_size=1, max_size=2
)
content = some(
    modelTurn=some(parts=st.lists(part, max_size=3), role=st.just("model")),
    generationComplete=flag,
    turnComplete=flag,
    interrupted=flag,
    waitingForInput=flag,
    turnCompleteReason=st.sampled_from(["NEED_MORE_INPUT", "MALFORMED_FUNCTION_CALL"]),
    inputTranscription=transcription,
    outputTranscription=transcription,
)
arguments = st.dictionaries(short, st.integers(-9, 9) | short | st.booleans(), max_size=2)
server_messages = st.one_of(
    some(
        serverContent=content,
        usageMetadata=some(
            promptTokenCount=count,
            responseTokenCount=count,
            totalTokenCount=count,
            thoughtsTokenCount=count,
            promptTokensDetails=details,
            responseTokensDetails=details,
        ),
    ),
    some(
        setupComplete=st.just({}),
        toolCall=some(functionCalls=st.lists(some(id=short, name=short, args=arguments), max_size=2)),
        toolCallCancellation=some(ids=st.lists(short, max_size=2)),
        goAway=some(timeLeft=st.sampled_from(["50s", "9.5s"])),
        sessionResumptionUpdate=some(
            newHandle=short, resumable=flag, lastConsumedClientMessageIndex=count | count.map(str)
        ),
        voiceActivity=some(
            type=st.sampled_from(["ACTIVITY_START", "ACTIVITY_END"]), audioOffset=st.just("1.2s")
        ),
    ),
)


def as_ours(value: Any) -> Any:
    """Their model as our JSON: bytes as standard base64, absent fields absent."""
    if isinstance(value, dict):
        return {name: as_ours(child) for name, child in value.items() if child is not None}
    if isinstance(value, list):
        return [as_ours(item) for item in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def canonical(value: Any) -> Any:
    """Enums as words, int64 as numbers."""
    if isinstance(value, dict):
        return {
            name: int64(child) if name == "lastConsumedClientMessageIndex" else canonical(child)
            for name, child in value.items()
        }
    if isinstance(value, list):
        return [canonical(item) for item in value]
    return value.value if hasattr(value, "value") else value


@settings(max_examples=200, deadline=None)
@given(server_messages)
def test_both_understand_the_same_by_a_server_message(frame: dict[str, Any]) -> None:
    decoder = ServerDecoder()
    [ours] = decoder.decode(json.dumps(frame))
    assert decoder.unknown == {}
    converted = converters._LiveServerMessage_from_mldev(json.loads(json.dumps(frame)))
    theirs = types.LiveServerMessage._from_response(response=converted, kwargs={})
    their_json = canonical(as_ours(theirs.model_dump(by_alias=True, exclude_none=True)))
    if "voiceActivity" in their_json and "voiceActivityType" in their_json["voiceActivity"]:
        # The SDK's own name for the wire's ``type``.
        their_json["voiceActivity"]["type"] = their_json["voiceActivity"].pop("voiceActivityType")
    assert canonical(msgspec.to_builtins(ours)) == their_json


CONFIG = LiveConfig(
    max_output_tokens=100,
    seed=1,
    realtime_input_config={"automatic_activity_detection": {"silence_duration_ms": 600}},
    thinking_config={"thinking_budget": 0},
    input_audio_transcription={"language_codes": ["ka-GE"]},
)


def our_frames() -> dict[str, bytes]:
    """A frame of every kind our client writes."""
    setup = build_setup(
        model="m",
        profile=PROFILES["2.5-native"],
        config=CONFIG,
        instructions="Be brief.",
        voice="Kore",
        language="en-US",
        temperature=0.5,
        handle="h",
        tools=[
            {
                "name": "f",
                "description": "d",
                "behavior": "NON_BLOCKING",
                "parameters": {"type": "OBJECT", "properties": {"q": {"type": "STRING"}}},
            }
        ],
    )
    frames = {"setup": encode(ClientMessage(setup=setup)), "audio": encode_audio(b"\x00\x01\xff\xfe", 16_000)}
    for name, profile in PROFILES.items():
        frames[f"text {name}"] = commands.text_turn(profile, "hello")
        frames[f"reply {name}"] = commands.reply_request(profile, "greet")
    frames["content"] = commands.contents(
        commands.said([ChatMessage("user", "a"), ChatMessage("model", "b")]), turn_complete=False
    )
    frames["interrupt"] = commands.contents((), turn_complete=False)
    frames["stream end"] = commands.AUDIO_STREAM_END
    frames["activity start"] = commands.ACTIVITY_START
    frames["activity end"] = commands.ACTIVITY_END
    frames["tool response"] = encode(
        msgspec.convert(
            {
                "toolResponse": {
                    "functionResponses": [
                        {
                            "id": "i",
                            "name": "f",
                            "response": {"output": 1},
                            "scheduling": "WHEN_IDLE",
                            "willContinue": True,
                        }
                    ]
                }
            },
            ClientMessage,
        )
    )
    frames["context update"] = encode(
        msgspec.convert(
            {
                "contextUpdate": {
                    "systemInstruction": {"parts": [{"text": "a"}]},
                    "tools": {"tools": [{"googleSearch": {}}]},
                }
            },
            ClientMessage,
        )
    )
    return frames


@pytest.mark.parametrize("name", our_frames())
def test_their_types_take_what_our_client_writes(name: str) -> None:
    frame = json.loads(our_frames()[name])
    # Their setup type has no realtimeInputConfig (their converter writes it beside the type).
    realtime = frame.get("setup", {}).pop("realtimeInputConfig", None)
    if realtime is not None:
        types.RealtimeInputConfig.model_validate(realtime)
    theirs = types.LiveClientMessage.model_validate(frame)
    assert canonical(as_ours(theirs.model_dump(by_alias=True, exclude_none=True))) == frame


@given(raw_audio)
def test_our_audio_is_theirs(pcm: bytes) -> None:
    theirs = types.LiveClientMessage.model_validate_json(encode_audio(pcm, 16_000))
    assert theirs.realtime_input.audio.data == pcm
    assert theirs.realtime_input.audio.mime_type == "audio/pcm;rate=16000"
    spoken = types.Blob(data=pcm, mime_type="audio/pcm").model_dump_json(by_alias=True)
    assert decode_base64(json.loads(spoken)["data"]) == pcm


NEWER_OR_ELSEWHERE = {
    "interactionStatus",  # their schema has it in serverContent only; one project reads it at the top
    *("error", "code", "message", "status", "details"),  # a branch of their client, not of their type
}


def test_every_field_of_their_server_message_is_one_of_ours() -> None:
    ours = {field.encode_name for field in msgspec.structs.fields(ServerMessage)} - NEWER_OR_ELSEWHERE
    theirs = {field.alias or name for name, field in types.LiveServerMessage.model_fields.items()}
    assert ours == theirs

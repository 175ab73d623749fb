"""What google-genai sends on a running session, read by our decoder; what we send, read by its types."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from google.genai import types
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.differential.configs import MODELS, contents, flag, octets, text, tools
from tests.differential.google import BACKENDS, canonical, client_of, sent_by

from duologue.config import ChatMessage, LiveConfig
from duologue.core import commands
from duologue.wire.client import ClientMessage
from duologue.wire.codec import ClientDecoder, encode, encode_audio
from duologue.wire.profiles import PROFILES
from duologue.wire.setup import build_setup

if TYPE_CHECKING:
    from google.genai.live import AsyncSession

    from duologue.wire.profiles import Backend

Json = dict[str, Any]


pytestmark = pytest.mark.usefixtures("empty_environment")


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({}, optional=fields)


def object_of(cls: Any, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return some(**fields).map(lambda given: cls(**given))


free = st.dictionaries(text, st.one_of(st.integers(-9, 9), text, flag), max_size=2)
audio = st.builds(types.Blob, data=octets, mime_type=st.sampled_from(["audio/pcm;rate=16000", "audio/pcm"]))
image = st.builds(types.Blob, data=octets, mime_type=st.sampled_from(["image/jpeg", "image/png"]))
realtime_inputs = st.one_of(
    st.fixed_dictionaries({"audio": audio}),
    st.fixed_dictionaries({"video": image}),
    st.fixed_dictionaries({"media": st.one_of(audio, image)}),
    st.fixed_dictionaries({"text": text}),
    st.just({"audio_stream_end": True}),
    st.just({"activity_start": types.ActivityStart()}),
    st.just({"activity_end": types.ActivityEnd()}),
)
answers = st.builds(
    lambda call_id, name, rest: types.FunctionResponse(id=call_id, name=name, **rest),
    text,
    text,
    some(
        response=free,
        scheduling=st.sampled_from(["SILENT", "WHEN_IDLE", "INTERRUPT"]),
        parts=st.lists(
            st.builds(
                lambda data: types.FunctionResponsePart(
                    inline_data=types.FunctionResponseBlob(mime_type="image/png", data=data)
                ),
                octets,
            ),
            max_size=1,
        ),
    ),
)
said: dict[str, st.SearchStrategy[Json]] = {
    "send_realtime_input": realtime_inputs,
    "send_tool_response": st.fixed_dictionaries(
        {"function_responses": st.lists(answers, min_size=1, max_size=2)}
    ),
    "send_client_content": st.fixed_dictionaries(
        {"turn_complete": flag},
        optional={"turns": st.one_of(contents, st.lists(contents, min_size=1, max_size=2))},
    ),
    "send_context_update": st.one_of(
        st.fixed_dictionaries({"system_instruction": contents}, optional={"tools": tools}),
        st.fixed_dictionaries({"tools": tools}),
    ),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("command", said)
def test_our_decoder_reads_what_theirs_sends(command: str, backend: Backend) -> None:
    @settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(said[command])
    def each(arguments: Json) -> None:
        async def speak(session: AsyncSession) -> None:
            await getattr(session, command)(**arguments)

        model = MODELS[backend][0]
        _, frame = sent_by(client_of(backend), model, types.LiveConnectConfig(), speak)
        decoder = ClientDecoder()
        [ours] = decoder.decode(json.dumps(frame).encode())
        assert canonical(msgspec.to_builtins(ours)) == canonical(frame)
        assert decoder.unknown == {}

    each()


# -- the other way -------------------------------------------------------------------------------------

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
    read = json.loads(theirs.model_dump_json(by_alias=True, exclude_none=True))
    assert canonical(read) == canonical(frame)


@settings(derandomize=True, deadline=None)
@given(octets.map(lambda half: half * 2))
def test_our_audio_is_theirs(pcm: bytes) -> None:
    theirs = types.LiveClientMessage.model_validate_json(encode_audio(pcm, 16_000))
    assert theirs.realtime_input == types.LiveClientRealtimeInput(
        audio=types.Blob(data=pcm, mime_type="audio/pcm;rate=16000")
    )

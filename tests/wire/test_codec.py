"""Bytes to structs and back: every spelling, every oddity, and nothing but ProtocolError."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.wire.structs import STRUCTS, json_values, respelt, struct_of, words

from duologue.errors import ConfigError, ProtocolError
from duologue.wire import codec
from duologue.wire.blob import pcm_blob
from duologue.wire.client import ClientMessage, RealtimeInput
from duologue.wire.codec import ClientDecoder, ServerDecoder, encode, encode_audio
from duologue.wire.content import FunctionResponse, Int64, Part, Struct, int64
from duologue.wire.server import ServerMessage


def server(frame: bytes | str | dict[str, Any]) -> ServerMessage:
    [message] = ServerDecoder().decode(json.dumps(frame) if isinstance(frame, dict) else frame)
    return message


def client(frame: bytes | str | dict[str, Any]) -> ClientMessage:
    [message] = ClientDecoder().decode(json.dumps(frame) if isinstance(frame, dict) else frame)
    return message


@pytest.mark.parametrize("cls", STRUCTS, ids=lambda cls: cls.__name__)
def test_every_struct_survives_the_wire(cls: type[Struct]) -> None:
    @settings(max_examples=15, deadline=None)
    @given(struct_of(cls))
    def survives(value: Struct) -> None:
        assert msgspec.json.decode(encode(value), type=cls) == value

    survives()


@settings(max_examples=150, deadline=None)
@given(struct_of(ClientMessage) | struct_of(ServerMessage), st.randoms(use_true_random=False))
def test_any_mixture_of_spellings_is_read(message: Struct, random: Any) -> None:
    decoder = ClientDecoder() if isinstance(message, ClientMessage) else ServerDecoder()
    plain = msgspec.json.decode(encode(message))
    spelt = respelt(plain, type(message), lambda: random.random() < 0.5)
    assert decoder.decode(json.dumps(spelt)) == [message]
    assert decoder.unknown == {}


def test_the_python_sdk_mixes_both_in_one_setup() -> None:
    frame = {
        "setup": {
            "generationConfig": {
                "speechConfig": {"voice_config": {"prebuiltVoiceConfig": {"voice_name": "Kore"}}}
            }
        }
    }
    setup = client(frame).setup
    assert setup is not None
    assert msgspec.to_builtins(setup)["generationConfig"]["speechConfig"]["voiceConfig"] == {
        "prebuiltVoiceConfig": {"voiceName": "Kore"}
    }


@given(st.dictionaries(words, json_values, min_size=1, max_size=3))
def test_the_keys_of_users_are_never_touched(given_: dict[str, Any]) -> None:
    # snake_case outside forces the slow path; a null below belongs to the user, too.
    called = server({"tool_call": {"function_calls": [{"name": "f", "args": given_}]}}).tool_call
    assert called is not None
    assert called.function_calls is not None
    assert called.function_calls[0].args == given_
    answered = client({"tool_response": {"function_responses": [{"response": given_}]}}).tool_response
    assert answered is not None
    assert answered.function_responses is not None
    assert answered.function_responses[0].response == given_
    declared = {"name": "f", "parameters": given_, "response_json_schema": given_}
    setup = client(
        {"setup": {"tools": [{"function_declarations": [declared]}], "labels": {"a_b": "c"}}}
    ).setup
    assert setup is not None
    assert setup.tools is not None
    assert setup.labels == {"a_b": "c"}
    assert setup.tools[0].function_declarations is not None
    assert setup.tools[0].function_declarations[0].parameters == given_
    assert setup.tools[0].function_declarations[0].response_json_schema == given_


def test_a_frame_that_fits_is_decoded_strictly_and_by_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the lenient path was taken")

    monkeypatch.setattr(codec, "_json_values", never)
    monkeypatch.setattr(codec, "normalise", never)
    assert server('{"serverContent":{"turnComplete":true}}').server_content is not None
    assert client('{"realtimeInput":{"text":"a"}}').realtime_input is not None
    for frame in ('{"server_content":{}}', "{}{}", '{"new":1}'):
        with pytest.raises(AssertionError, match="lenient"):
            server(frame)


def test_values_of_enums_that_nobody_has_heard_of_are_taken() -> None:
    [message] = ServerDecoder().decode(
        '{"serverContent":{"turnCompleteReason":"NEW_REASON"},"voiceActivity":{"type":"NEW_TYPE"}}'
    )
    assert message.server_content is not None
    assert message.server_content.turn_complete_reason == "NEW_REASON"
    assert message.voice_activity is not None
    assert message.voice_activity.type == "NEW_TYPE"


def test_unknown_fields_are_named_counted_and_no_error() -> None:
    decoder = ServerDecoder()
    frame = '{"serverContent":{"brandNew":1,"turnComplete":true,"modelTurn":{"parts":[{"odd":{}},{"odd":2}]}},"x":3}'
    for _ in range(2):
        [message] = decoder.decode(frame)
        assert message.server_content is not None
        assert message.server_content.turn_complete is True
    assert decoder.unknown == {
        "serverContent.brandNew": 2,
        "serverContent.modelTurn.parts.odd": 4,
        "x": 2,
    }


def test_unknown_names_are_bounded() -> None:
    decoder = ServerDecoder()
    for number in range(1000):
        decoder.decode(json.dumps({f"new{number}": 1}))
    decoder.decode('{"new0": 1}')
    assert len(decoder.unknown) == 256
    assert decoder.unknown["new0"] == 2


def test_the_length_of_an_unknown_name_is_bounded() -> None:
    decoder = ServerDecoder()
    decoder.decode(json.dumps({"serverContent": {"n" * 10_000: 1}}))
    [name] = decoder.unknown
    assert name == "serverContent." + "n" * 186


@pytest.mark.parametrize(
    "status",
    [
        {"code": 1011, "message": "Internal error encountered."},
        {"code": 7, "status": "PERMISSION_DENIED", "details": [{}]},
    ],
)
def test_a_bare_status_is_an_error_and_no_empty_message(status: dict[str, Any]) -> None:
    """google-genai has a branch for it; nobody has published such a frame."""
    decoder = ServerDecoder()
    bare, wrapped = decoder.decode(json.dumps(status) + json.dumps({"error": status}))
    assert bare.reported_error == wrapped.reported_error
    assert bare.reported_error is not None
    assert decoder.unknown == {}


def test_null_is_absent_at_every_level() -> None:
    assert server('{"serverContent":null,"usageMetadata":{"promptTokenCount":null}}') == server(
        '{"usageMetadata":{}}'
    )
    assert client('{"setup":{"sessionResumption":{"handle":null},"model":"m"}}') == client(
        '{"setup":{"sessionResumption":{},"model":"m"}}'
    )
    assert server('{"server_content":{"model_turn":{"parts":[null,{"text":"a"}]}}}') == server(
        '{"serverContent":{"modelTurn":{"parts":[{"text":"a"}]}}}'
    )


@pytest.mark.parametrize(
    ("given_", "number"),
    [
        (None, None),
        (7, 7),
        ("7", 7),
        ("9007199254740993", 2**53 + 1),
        ("seven", None),
        ("", None),
        ("9" * 5000, None),
    ],
)
def test_int64_is_a_number_or_a_string(given_: Int64 | None, number: int | None) -> None:
    assert int64(given_) == number


def test_int64_in_a_frame() -> None:
    update = server(
        '{"sessionResumptionUpdate":{"lastConsumedClientMessageIndex":"42"}}'
    ).session_resumption_update
    assert update is not None
    assert int64(update.last_consumed_client_message_index) == 42


@pytest.mark.parametrize("count", ["12", "12.0", '"12"'])
def test_a_services_number_may_be_written_in_any_way_protobuf_may(count: str) -> None:
    message = server(
        f'{{"usageMetadata":{{"totalTokenCount":{count}}},"serverContent":{{"turnComplete":true}}}}'
    )
    assert message.usage_metadata is not None
    assert message.usage_metadata.total_token_count == 12
    assert message.server_content is not None
    assert message.server_content.turn_complete is True


@pytest.mark.parametrize("words", ["null", "12", "true", "1e3"])
def test_words_stay_words_on_the_lenient_path_too(words: str) -> None:
    message = server(
        {"server_content": {"input_transcription": {"text": words}, "turn_complete_reason": words}}
    )
    assert message.server_content is not None
    assert message.server_content.input_transcription is not None
    assert (message.server_content.input_transcription.text, message.server_content.turn_complete_reason) == (
        words,
        words,
    )


@pytest.mark.parametrize("between", ["", "\n", " \r\n\t"])
def test_several_objects_in_one_frame_are_several_messages(between: str) -> None:
    frame = (
        between.join(['{"setupComplete":{}}', "{}", '{"server_content":{"turn_complete":true}}']) + between
    )
    first, second, third = ServerDecoder().decode(frame.encode())
    assert first.setup_complete is not None
    assert second == ServerMessage()
    assert third.server_content is not None
    assert third.server_content.turn_complete


def test_only_the_blanks_of_json_stand_between_objects() -> None:
    with pytest.raises(ProtocolError, match="not JSON"):
        ServerDecoder().decode("{}\u00a0{}")


def test_a_frame_of_many_messages_is_refused_before_it_takes_long() -> None:
    assert len(ServerDecoder().decode(b"{}" * 1000)) == 1000
    # Looked at once, not once a message: 16 MiB that were searched anew for each would take minutes.
    many = b"{}" * 8_000_000 + b'{"a":"\\ud800"}'
    with pytest.raises(ProtocolError, match="more than 1000 messages"):
        ServerDecoder().decode(many)
    assert ServerDecoder().decode(b"{}" + b" " * 4_000_000 + b"{}") == [ServerMessage(), ServerMessage()]


def nested(levels: int, wrap: str) -> str:
    """A call whose arguments make the message ``levels`` deep, with brackets in strings besides."""
    inner = levels - 4  # the message, its call, the list, the function call are the four around it
    opening, closing = ('{"a":', "}") if wrap == "object" else ("[", "]")
    args = '{"a":' + opening * (inner - 1) + '"' + "{[" * 200 + '"' + closing * (inner - 1) + "}"
    return '{"toolCall":{"functionCalls":[{"name":"f","args":' + args + "}]}}"


@pytest.mark.parametrize("wrap", ["object", "list"])
@pytest.mark.parametrize("path", ["strict", "lenient"])
def test_a_hundred_levels_are_taken_and_one_more_is_refused(wrap: str, path: str) -> None:
    frames = [nested(levels, wrap) for levels in (100, 101)]
    if path == "lenient":
        frames = [frame.replace("toolCall", "tool_call") for frame in frames]
    assert server(frames[0]).tool_call is not None
    for frame in (frames[1], frames[1].encode()):
        with pytest.raises(ProtocolError, match="100 levels"):
            server(frame)


DEEP = 100_000
REFUSED: dict[str, bytes | str] = {
    "nothing": b"",
    "blank": b"  \n",
    "no JSON": b"hello",
    "half an object": b'{"setup',
    "a second half": b'{}{"setup',
    "an array": b"[]",
    "a number": b"17",
    "a string": b'"{}"',
    "null": b"null",
    "an object and a number": b"{} 1",
    "not UTF-8": b'{"a":"\xff"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "half a surrogate pair": '{"a":"\ud800"}',
    "half a surrogate pair, escaped": b'{"serverContent":{"inputTranscription":{"text":"\\uD800"}},"setup":1}',
    "NaN": b'{"toolCall":{"functionCalls":[{"args":{"a":NaN}}]},"a_b":1}',
    "a number of 5,000 digits": b'{"unheard_of":' + b"9" * 5000 + b"}",
    "a number beyond any double": b'{"toolCall":{"functionCalls":[{"args":{"a":1e999}}]},"setup":{"generationConfig":{"topP":1e999}}}',
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep arguments": b'{"toolCall":{"functionCalls":[{"args":'
    + b'{"a":' * DEEP
    + b"1"
    + b"}" * DEEP
    + b"}]}}",
    "deep lists": b'{"serverContent":'
    + b"[" * 950
    + b"]" * 950
    + b',"setup":'
    + b"[" * 950
    + b"]" * 950
    + b"}",
    "an object for a list": b'{"toolCall":{"functionCalls":{}},"setup":{"tools":{}}}',
    "a string for an object": b'{"serverContent":"x","setup":"x"}',
    "a word for a number": b'{"usageMetadata":{"totalTokenCount":"many"},"setup":{"generationConfig":{"seed":"x"}}}',
}


@pytest.mark.parametrize("decoder", [ServerDecoder, ClientDecoder])
@pytest.mark.parametrize("frame", REFUSED.values(), ids=REFUSED)
def test_what_is_no_message_is_a_protocol_error(
    frame: bytes | str, decoder: type[ServerDecoder] | type[ClientDecoder]
) -> None:
    with pytest.raises(ProtocolError):
        decoder().decode(frame)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60) | json_values.map(json.dumps))
def test_nothing_else_is_ever_raised(frame: bytes | str) -> None:
    for decoder in (ServerDecoder(), ClientDecoder()):
        try:
            decoder.decode(frame)
        except ProtocolError:
            continue


@given(st.binary(min_size=2, max_size=400).filter(lambda pcm: len(pcm) % 2 == 0), st.integers(8000, 96_000))
def test_the_audio_path_writes_what_encode_writes(pcm: bytes, sample_rate: int) -> None:
    whole = ClientMessage(realtime_input=RealtimeInput(audio=pcm_blob(pcm, sample_rate=sample_rate)))
    assert encode_audio(pcm, sample_rate) == encode(whole)
    assert encode_audio(memoryview(pcm), sample_rate) == encode(whole)


@settings(max_examples=200)
@given(
    words | st.text(max_size=80), words | st.text(alphabet="abc_-=,:;\"'{} \\", max_size=30), st.booleans()
)
def test_the_snake_case_fast_path_reads_what_the_slow_one_reads(
    mime_type: str, data: str, ascii_: bool
) -> None:
    frame = json.dumps(
        {"realtime_input": {"audio": {"data": data, "mime_type": mime_type}}}, ensure_ascii=ascii_
    )
    otherwise = json.dumps({"realtime_input": {"audio": {"mime_type": mime_type, "data": data}}})
    try:
        slow = ClientDecoder().decode(otherwise)
    except ProtocolError:
        with pytest.raises(ProtocolError):
            ClientDecoder().decode(frame)
        return
    assert ClientDecoder().decode(frame) == slow
    assert slow == [
        ClientMessage(
            realtime_input=RealtimeInput(
                audio=msgspec.structs.replace(pcm_blob(b"", sample_rate=1), mime_type=mime_type, data=data)
            )
        )
    ]


@pytest.mark.parametrize(
    "tail",
    [
        b'", "mime_type": "audio/pcm"}}, "setup": {}}',
        b'", "mime_type": "audio/pcm", "x": "y"}}}',
        b'"}}}',
        b"",
        b'", "mime_type": "a',
    ],
)
def test_the_fast_path_steps_aside_for_anything_unusual(tail: bytes) -> None:
    frame = b'{"realtime_input": {"audio": {"data": "AAAA' + tail
    try:
        expected = [msgspec.convert(_camel(json.loads(frame)), ClientMessage)]
    except ValueError:
        with pytest.raises(ProtocolError):
            ClientDecoder().decode(frame)
        return
    assert ClientDecoder().decode(frame) == expected


def _camel(message: dict[str, Any]) -> dict[str, Any]:
    audio = message["realtime_input"]["audio"]
    blob = {"data": audio["data"]} | ({"mimeType": audio["mime_type"]} if "mime_type" in audio else {})
    return {"realtimeInput": {"audio": blob}} | {k: v for k, v in message.items() if k != "realtime_input"}


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}.__iter__(), "\ud800", {(1, 2): 3}],
    ids=["object", "iterator", "surrogate", "key"],
)
def test_what_has_no_json_form_is_a_config_error(value: Any) -> None:
    with pytest.raises(ConfigError, match="JSON"):
        encode(FunctionResponse(response={"output": value}))


def test_a_cycle_is_a_config_error() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ConfigError):
        encode(FunctionResponse(response={"output": circle}))


def test_absent_values_are_never_written() -> None:
    assert encode(Part(text="a")) == b'{"text":"a"}'
    assert encode(ClientMessage()) == b"{}"

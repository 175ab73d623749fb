"""What a message becomes: which callbacks, how often, in which order."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.transport.conftest import MODELS, Service, Told, content, sound

from duologue.transport import SpeechConfig, ToolCallRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from duologue.transport import GeminiLiveTransport

    Make = Callable[..., GeminiLiveTransport]

CALLS = [{"id": "a", "name": "f", "args": {"x": 1}}, {"id": "b", "name": "g", "args": {}}]
USAGE = {
    "promptTokenCount": 10,
    "responseTokenCount": 5,
    "totalTokenCount": 15,
    "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 8}, {"modality": "TEXT", "tokenCount": 2}],
    "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 5}],
    "cachedContentTokenCount": 4,
    "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 4}],
}


async def test_a_message_with_every_key_loses_nothing(make: Make, service: Service) -> None:
    transport = make()
    told = Told(transport)
    await transport.connect()
    await service.say({"toolCall": {"functionCalls": [{"id": "old", "name": "f"}]}})
    await service.say(
        {
            "toolCallCancellation": {"ids": ["old"]},
            "toolCall": {"functionCalls": CALLS},
            "goAway": {"timeLeft": "9.5s"},
            "sessionResumptionUpdate": {"newHandle": "h1", "resumable": True},
            "usageMetadata": USAGE,
            "serverContent": {
                "modelTurn": sound(b"\1\0\2\0"),
                "inputTranscription": {"text": " hi"},
                "outputTranscription": {"text": "yes"},
                "groundingMetadata": {"webSearchQueries": ["q"]},
                "turnComplete": True,
            },
        }
    )
    assert told.names == [
        "session_ready",
        "model_turn_start",
        "tool_call",
        "tool_call_cancel",
        "speech_started",
        "input_transcription",
        "output_transcription",
        "audio_output",
        "grounding_metadata",
        "tool_call",
        "realtime_llm_usage",
        "realtime_llm_usage",
        "turn_complete",
        "resumption_update",
        "go_away",
    ]
    assert told.of("audio_output") == [b"\1\0\2\0"]
    assert told.of("input_transcription") == [" hi"]
    assert told.of("tool_call_cancel") == [["old"]]
    assert told.of("tool_call")[1] == [ToolCallRequest("a", "f", {"x": 1}), ToolCallRequest("b", "g", {})]
    assert ("resumption_update", "h1", True) in told.calls
    assert told.of("go_away") == ["9.5s"]


async def test_calls_are_told_as_one_batch_a_message(make: Make, service: Service) -> None:
    transport = make()
    told = Told(transport)
    await transport.connect()
    first, second = ({"toolCall": {"functionCalls": [call]}} for call in CALLS)
    await service.links[-1].send(json.dumps(first))  # both wait to be read when the reader wakes up
    await service.say(second, {"toolCallCancellation": {"ids": ["a", "b", "never"]}})
    assert [[c.id for c in batch] for batch in told.of("tool_call")] == [["a"], ["b"]]
    assert told.of("tool_call_cancel") == [["a", "b"]]
    assert told.names.count("model_turn_start") == 1


async def test_a_turn_starts_once_and_again_after_an_interruption(make: Make, service: Service) -> None:
    transport = make()
    told = Told(transport)
    await transport.connect()
    await service.say(
        content(modelTurn=sound()),
        content(generationComplete=True),
        content(modelTurn=sound()),
        content(interrupted=True),
        content(turnComplete=True),
        content(outputTranscription={"text": "only words"}),
        content(turnComplete=True),
    )
    assert told.names[1:] == [
        "model_turn_start",
        "audio_output",
        "audio_output",
        "speech_started",
        "interrupted",
        "turn_complete",
        "model_turn_start",
        "output_transcription",
        "turn_complete",
    ]


async def test_an_interruption_without_a_turns_end_starts_the_next_turn(make: Make, service: Service) -> None:
    transport = make()
    told = Told(transport)
    await transport.connect()
    await service.say(
        content(modelTurn=sound()),
        content(interrupted=True),
        content(modelTurn=sound()),
        content(turnComplete=True),
    )
    assert told.names.count("model_turn_start") == 2


async def test_speech_starts_once_an_onset(make: Make, service: Service) -> None:
    transport = make()
    told = Told(transport)
    await transport.connect()
    await service.say(
        content(inputTranscription={"text": "one"}),
        content(inputTranscription={"text": ""}),
        content(inputTranscription={"text": " two"}),
        content(modelTurn=sound()),
        content(turnComplete=True),
        content(inputTranscription={"text": "three"}),
    )
    assert told.names.count("speech_started") == 2
    assert told.of("input_transcription") == ["one", " two", "three"]
    assert told.names.index("speech_started") < told.names.index("input_transcription")


async def test_where_the_service_marks_speech_its_marks_count(make: Make, service: Service) -> None:
    transport = make(model=MODELS["3.8"])
    told = Told(transport)
    await transport.connect()
    await service.say(
        {"voiceActivity": {"type": "ACTIVITY_START", "audioOffset": "1s"}},
        {"voiceActivity": {"type": "ACTIVITY_END", "audioOffset": "2s"}},
        content(inputTranscription={"text": "All of it."}),
    )
    assert told.names[1:] == ["speech_started", "input_transcription"]


async def test_thoughts_are_no_text_and_audio_mode_has_none(make: Make, service: Service) -> None:
    transport = make()
    told = Told(transport)
    await transport.connect()
    await service.say(
        content(modelTurn={"parts": [{"text": "**Hm**", "thought": True}]}),
        content(modelTurn=sound()),
        content(turnComplete=True),
    )
    assert told.names[1:] == ["model_turn_start", "audio_output", "turn_complete"]


async def test_text_of_a_speaking_model_is_its_transcript(make: Make, service: Service) -> None:
    transport = make(
        response_modality="text",
        output_audio_transcription=False,
        speech_config=SpeechConfig(voice_name="Kore", language_code="de-DE"),
    )
    told = Told(transport)
    await transport.connect()
    setup = service.setups[-1]
    assert setup["generationConfig"]["responseModalities"] == ["AUDIO"]
    assert "speechConfig" not in setup["generationConfig"]
    assert setup["outputAudioTranscription"] == {}
    await service.say(
        content(modelTurn={"parts": [{"text": "**Hm**", "thought": True}]}),
        content(outputTranscription={"text": "Hello"}, modelTurn=sound()),
        content(outputTranscription={"text": " there"}),
        {"serverContent": {"turnComplete": True}, "usageMetadata": USAGE},
    )
    assert told.calls[1:5] == [
        ("model_turn_start",),
        ("text_output", "Hello"),
        ("text_output", " there"),
        ("realtime_llm_usage", told.calls[4][1]),
    ]
    assert told.names[5:] == ["text_done", "realtime_llm_usage", "turn_complete"]


async def test_text_of_a_writing_model_is_its_text(make: Make, service: Service) -> None:
    transport = make(model="some-model-of-tomorrow", response_modality="text")
    told = Told(transport)
    await transport.connect()
    setup = service.setups[-1]
    assert setup["generationConfig"]["responseModalities"] == ["TEXT"]
    assert "outputAudioTranscription" not in setup
    await service.say(
        content(modelTurn={"parts": [{"text": "a"}, {"text": "hm", "thought": True}, {"text": "b"}]}),
        content(turnComplete=True),
    )
    assert told.calls[1:] == [
        ("model_turn_start",),
        ("text_output", "a"),
        ("text_output", "b"),
        ("text_done",),
        ("turn_complete",),
    ]


async def test_usage_is_told_as_it_comes_and_once_a_turn(make: Make, service: Service) -> None:
    transport = make()
    told = Told(transport)
    await transport.connect()
    partial = {"promptTokenCount": 3}
    await service.say(
        {"usageMetadata": {}},
        content(modelTurn=sound()),
        {"usageMetadata": partial},
        {"usageMetadata": USAGE},
        content(turnComplete=True),
        content(modelTurn=sound()),
        content(turnComplete=True),
    )
    events = told.of("realtime_llm_usage")
    assert [e.phase for e in events] == ["update", "update", "final"]
    assert events[0].input_tokens == 3
    assert events[0].output_tokens is None
    assert events[2].provider_raw == USAGE
    assert (events[2].provider, events[2].kind, events[2].unit) == ("gemini_live", "response", "tokens")
    assert (events[2].input_tokens, events[2].output_tokens, events[2].total_tokens) == (10, 5, 15)
    assert events[2].modality_breakdown == {
        "input_text": 2,
        "input_audio": 8,
        "cached": 4,
        "cached_text": 4,
        "output_audio": 5,
    }


async def test_only_real_handles_are_told(make: Make, service: Service) -> None:
    transport = make()
    told = Told(transport)
    await transport.connect()
    await service.say(
        {"sessionResumptionUpdate": {"resumable": False}},
        {"sessionResumptionUpdate": {"newHandle": "", "resumable": True}},
        {"sessionResumptionUpdate": {"newHandle": "h"}},
        {"goAway": {}},
    )
    # A handle that is not said to be resumable is told, and resumable is False then.
    assert told.calls[1:] == [("resumption_update", "h", False), ("go_away", "")]
    await transport.reconnect()
    assert service.setups[-1]["sessionResumption"] == {}  # and it is not used


class Older:
    """A callback object under the older names."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def on_setup_complete(self, session_id: str) -> None:
        self.calls.append(("setup", bool(session_id)))

    def on_tool_call_cancellation(self, ids: list[str]) -> None:
        self.calls.append(("cancelled", ids))

    def on_turn_complete(self) -> None:
        self.calls.append(("turn",))
        raise RuntimeError("a mistake of the older path")

    def on_error(self, error: Exception) -> None:
        self.calls.append(("error", str(error)))

    def on_close(self, code: int | None, reason: str) -> None:
        self.calls.append(("close", code, reason))


async def test_the_older_path_is_told_first_and_its_mistakes_stop_nothing(
    make: Make, service: Service
) -> None:
    older = Older()
    transport = make(older)
    transport.on_turn_complete = lambda: older.calls.append(("own turn",))
    transport.on_error = lambda error: older.calls.append(("own error", error.recoverable))
    await transport.connect()
    await service.say(
        {"toolCall": {"functionCalls": CALLS}},
        {"toolCallCancellation": {"ids": ["a"]}},
        content(turnComplete=True),
    )
    await transport.disconnect()
    assert older.calls == [
        ("setup", True),
        ("cancelled", ["a"]),
        ("turn",),
        ("error", "a mistake of the older path"),
        ("own error", True),
        ("own turn",),
        ("close", 1000, ""),
    ]


async def test_an_error_callback_that_fails_is_logged_and_no_more(
    make: Make, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []

    def fail(*arguments: object) -> None:
        calls.append("failed")
        raise RuntimeError("a mistake in on_error")

    transport = make({"on_error": fail})
    transport.on_error = fail
    await transport.connect()
    await service.links[-1].send("no json")
    await service.say(content(turnComplete=True))
    assert calls == ["failed", "failed"]
    assert caplog.text.count("on_error itself failed") == 2
    assert transport.is_connected


async def test_older_callbacks_may_be_a_mapping(make: Make, service: Service) -> None:
    heard: list[bytes] = []
    transport = make({"on_audio_output": heard.append})
    await transport.connect()
    await service.say(content(modelTurn=sound(b"\5\0")))
    assert heard == [b"\5\0"]
    with pytest.raises(ValueError, match="there is no callback 'on_sound'"):
        make({"on_sound": heard.append})


async def test_what_cannot_be_understood_is_told_and_stops_nothing(make: Make, service: Service) -> None:
    transport = make()
    told = Told(transport)
    await transport.connect()
    await service.links[-1].send("no json")
    await service.say(content(modelTurn=sound()))
    assert told.names[1:] == ["error", "model_turn_start", "audio_output"]
    assert told.of("error")[0].recoverable
    assert base64.b64encode(told.of("audio_output")[0])

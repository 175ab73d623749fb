"""The contract holds exactly what it says, and Gemini's transport fulfils it."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError, fields

import pytest

from duologue.transport import (
    AudioFormat,
    GeminiLiveTransport,
    GeminiTransportConfig,
    LLMTransport,
    TransportCallbacks,
    TransportCapabilities,
)
from duologue.transport.base import CALLBACKS

EIGHTEEN = {
    "on_session_ready",
    "on_model_turn_start",
    "on_audio_output",
    "on_text_output",
    "on_text_done",
    "on_turn_complete",
    "on_interrupted",
    "on_speech_started",
    "on_input_transcription",
    "on_output_transcription",
    "on_tool_call",
    "on_tool_call_cancel",
    "on_grounding_metadata",
    "on_go_away",
    "on_resumption_update",
    "on_realtime_llm_usage",
    "on_error",
    "on_close",
}
PROPERTIES = {"capabilities", "audio_format", "is_connected"}
METHODS = {
    "clear_audio",
    "commit_audio",
    "connect",
    "disconnect",
    "reconnect",
    "send_audio",
    "send_content",
    "send_file",
    "send_tool_result",
    "transfer_session",
    "trigger_generation",
    "update_session",
}
ASYNC = {"connect", "disconnect", "reconnect", "transfer_session"}
OWN = {
    "counters",
    "send_client_content",
    "send_tool_response",
    "update_google_search",
    "update_system_instruction",
    "update_tools",
}


def public(cls: type) -> set[str]:
    return {name for name in vars(cls) if not name.startswith("_")}


def test_the_contract_has_exactly_its_members() -> None:
    assert len(EIGHTEEN) == 18
    assert len(METHODS) == 12
    assert set(CALLBACKS) == public(TransportCallbacks) == EIGHTEEN
    assert public(LLMTransport) == PROPERTIES | METHODS


def test_exactly_four_methods_are_async() -> None:
    for cls in (LLMTransport, GeminiLiveTransport):
        assert {name for name in METHODS if inspect.iscoroutinefunction(getattr(cls, name))} == ASYNC


def test_the_gemini_transport_defines_all_of_it_itself_and_little_more() -> None:
    assert public(GeminiLiveTransport) == PROPERTIES | METHODS | OWN
    for name in METHODS:
        contract, ours = (
            inspect.signature(getattr(cls, name)) for cls in (LLMTransport, GeminiLiveTransport)
        )
        assert list(contract.parameters.items()) == list(ours.parameters.items()), name


def test_a_transport_is_one_by_its_members_alone() -> None:
    assert isinstance(GeminiLiveTransport(GeminiTransportConfig(api_key="k")), LLMTransport)
    assert not isinstance(object(), LLMTransport)


def test_every_callback_may_stay_unset_and_must_be_callable_in_place() -> None:
    transport = GeminiLiveTransport(GeminiTransportConfig(api_key="k"))
    assert all(getattr(transport, name) is None for name in CALLBACKS)

    async def never_awaited(code: int | None, reason: str) -> None: ...

    with pytest.raises(TypeError, match="on_close is a coroutine function"):
        transport.on_close = never_awaited
    with pytest.raises(TypeError, match="on_close is a str"):
        transport.on_close = "no"  # type: ignore[assignment] # what an untyped caller may do
    transport.on_close = print
    transport.on_close = None


def test_capabilities_are_eight_flags_and_the_format_is_fixed() -> None:
    transport = GeminiLiveTransport(GeminiTransportConfig(api_key="k"))
    assert transport.capabilities == TransportCapabilities(
        message_truncation=False,
        turn_detection=True,
        user_transcription=True,
        in_place_session_update=False,
        session_resumption=True,
        context_compression=True,
        grounding_metadata=True,
        text_response_modality=True,
    )
    assert len(fields(TransportCapabilities)) == 8
    assert transport.audio_format == AudioFormat(
        input_sample_rate=16_000, output_sample_rate=24_000, channels=1, bit_depth=16, encoding="pcm"
    )
    with pytest.raises(FrozenInstanceError):
        transport.capabilities.turn_detection = False  # type: ignore[misc] # the point of the test

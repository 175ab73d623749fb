"""What the service sends. Documented as one key a message; process every key you find.

Source: Live API reference; protobuf ``BidiGenerateContentServerMessage``; recorded traffic.
"""

from __future__ import annotations

from typing import Any

from duologue.wire.base import Duration, Int64, Struct
from duologue.wire.content import Content, FunctionCall, Transcription, VoiceConsentSignature
from duologue.wire.grounding import GroundingMetadata, UrlContextMetadata

__all__ = [
    "ErrorStatus",
    "GoAway",
    "ModalityTokenCount",
    "ServerContent",
    "ServerMessage",
    "SessionResumptionUpdate",
    "SetupComplete",
    "ToolCall",
    "ToolCallCancellation",
    "Transcription",
    "UsageMetadata",
    "VoiceActivity",
    "VoiceActivityDetectionSignal",
]


class SetupComplete(Struct, frozen=True, kw_only=True):
    """The answer to ``setup``: empty on the Developer API, with an id on Vertex."""

    session_id: str | None = None
    voice_consent_signature: VoiceConsentSignature | None = None


class ServerContent(Struct, frozen=True, kw_only=True):
    """The model's part of the conversation and the marks around it; may be empty."""

    model_turn: Content | None = None
    generation_complete: bool | None = None
    turn_complete: bool | None = None
    turn_complete_reason: str | None = None
    interrupted: bool | None = None
    waiting_for_input: bool | None = None
    interaction_status: str | None = None
    input_transcription: Transcription | None = None
    output_transcription: Transcription | None = None
    interim_input_transcription: Transcription | None = None
    grounding_metadata: GroundingMetadata | None = None
    url_context_metadata: UrlContextMetadata | None = None


class ToolCall(Struct, frozen=True, kw_only=True):
    """Function calls the client is to carry out; several at once are parallel calls."""

    function_calls: list[FunctionCall] | None = None


class ToolCallCancellation(Struct, frozen=True, kw_only=True):
    """Calls whose results are no longer wanted."""

    ids: list[str] | None = None


class GoAway(Struct, frozen=True, kw_only=True):
    """The connection will be ended after ``time_left``."""

    time_left: Duration | None = None


class SessionResumptionUpdate(Struct, frozen=True, kw_only=True):
    """A handle for the state at this moment, or word that there is none now."""

    new_handle: str | None = None
    resumable: bool | None = None
    last_consumed_client_message_index: Int64 | None = None


class VoiceActivity(Struct, frozen=True, kw_only=True):
    """``type`` is ACTIVITY_START or ACTIVITY_END."""

    type: str | None = None
    audio_offset: Duration | None = None


class VoiceActivityDetectionSignal(Struct, frozen=True, kw_only=True):
    """``vad_signal_type`` ends in _SOS or _EOS; only where asked for."""

    vad_signal_type: str | None = None


class ModalityTokenCount(Struct, frozen=True, kw_only=True):
    """Tokens of one modality; the count may be missing."""

    modality: str | None = None
    token_count: int | None = None


class UsageMetadata(Struct, frozen=True, kw_only=True):
    """Token counts. The Developer API says response*, Vertex says candidates*."""

    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    response_token_count: int | None = None
    candidates_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    thoughts_token_count: int | None = None
    total_token_count: int | None = None
    prompt_tokens_details: list[ModalityTokenCount] | None = None
    cache_tokens_details: list[ModalityTokenCount] | None = None
    response_tokens_details: list[ModalityTokenCount] | None = None
    candidates_tokens_details: list[ModalityTokenCount] | None = None
    tool_use_prompt_tokens_details: list[ModalityTokenCount] | None = None
    service_tier: str | None = None
    traffic_type: str | None = None


class ErrorStatus(Struct, frozen=True, kw_only=True):
    """An error said in a message instead of a close frame, wrapped or bare; practically unseen.

    ``details`` are of any kind: each names its type itself.
    """

    code: Int64 | None = None
    message: str | None = None
    status: str | None = None
    details: list[Any] | None = None


class ServerMessage(Struct, frozen=True, kw_only=True):
    """One frame from the service."""

    setup_complete: SetupComplete | None = None
    server_content: ServerContent | None = None
    tool_call: ToolCall | None = None
    tool_call_cancellation: ToolCallCancellation | None = None
    go_away: GoAway | None = None
    session_resumption_update: SessionResumptionUpdate | None = None
    voice_activity: VoiceActivity | None = None
    voice_activity_detection_signal: VoiceActivityDetectionSignal | None = None
    usage_metadata: UsageMetadata | None = None
    interaction_status: str | None = None
    error: ErrorStatus | None = None

    # The same error without its wrapper, the other form google-genai is prepared for.
    code: Int64 | None = None
    message: str | None = None
    status: str | None = None
    details: list[Any] | None = None

    @property
    def reported_error(self) -> ErrorStatus | None:
        """The error in either form, None when the message is not about one."""
        if self.error is not None or (self.code is None and self.message is None and self.status is None):
            return self.error
        return ErrorStatus(code=self.code, message=self.message, status=self.status, details=self.details)

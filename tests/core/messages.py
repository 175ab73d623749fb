"""Server messages in one line each, for tests: what a service of our own making would say."""

from __future__ import annotations

from typing import Any

from duologue.wire.blob import encode_base64
from duologue.wire.content import Blob, Content, FunctionCall, Part
from duologue.wire.server import (
    GoAway,
    ModalityTokenCount,
    ServerContent,
    ServerMessage,
    SessionResumptionUpdate,
    SetupComplete,
    ToolCall,
    ToolCallCancellation,
    Transcription,
    UsageMetadata,
    VoiceActivity,
    VoiceActivityDetectionSignal,
)

READY = ServerMessage(setup_complete=SetupComplete())
BYTES_PER_MS = 48


def sound_part(ms: int = 20, fill: int = 1) -> Part:
    data = encode_base64(bytes([fill]) * (ms * BYTES_PER_MS))
    return Part(inline_data=Blob(mime_type="audio/pcm;rate=24000", data=data))


def cut_part(size_bytes: int = 33, fill: int = 1) -> Part:
    """Sound of any number of bytes, an odd one included: recordings cut it so."""
    return Part(
        inline_data=Blob(mime_type="audio/pcm;rate=24000", data=encode_base64(bytes([fill]) * size_bytes))
    )


def content(**fields: Any) -> ServerMessage:
    return ServerMessage(server_content=ServerContent(**fields))


def parts(*given: Part) -> ServerMessage:
    return content(model_turn=Content(parts=list(given)))


def sound(ms: int = 20) -> ServerMessage:
    return parts(sound_part(ms))


def text(words: str) -> ServerMessage:
    return parts(Part(text=words))


def thought(words: str) -> ServerMessage:
    return parts(Part(text=words, thought=True))


def said(words: str) -> ServerMessage:
    """A fragment of the model's own transcript."""
    return content(output_transcription=Transcription(text=words))


def heard(words: str | None, *, finished: bool | None = None) -> ServerMessage:
    """A fragment of the user's transcript."""
    return content(input_transcription=Transcription(text=words, finished=finished))


GENERATION_COMPLETE = content(generation_complete=True)
TURN_COMPLETE = content(turn_complete=True)
INTERRUPTED = content(interrupted=True)
EMPTY = ServerMessage()


def calls(*named: tuple[str | None, str], args: dict[str, Any] | None = None) -> ServerMessage:
    """Tool calls, each (id, function name)."""
    return ServerMessage(
        tool_call=ToolCall(function_calls=[FunctionCall(id=i, name=n, args=args or {}) for i, n in named])
    )


def cancel(*ids: str) -> ServerMessage:
    return ServerMessage(tool_call_cancellation=ToolCallCancellation(ids=list(ids)))


def go_away(time_left: str = "9.5s") -> ServerMessage:
    return ServerMessage(go_away=GoAway(time_left=time_left))


def handle(value: str | None, *, resumable: bool | None = True) -> ServerMessage:
    return ServerMessage(
        session_resumption_update=SessionResumptionUpdate(new_handle=value, resumable=resumable)
    )


def voice(kind: str, offset: str | None = None) -> ServerMessage:
    return ServerMessage(voice_activity=VoiceActivity(type=kind, audio_offset=offset))


def vad_signal(kind: str) -> ServerMessage:
    return ServerMessage(voice_activity_detection_signal=VoiceActivityDetectionSignal(vad_signal_type=kind))


def usage(prompt: int, response: int | None = None, total: int | None = None) -> UsageMetadata:
    return UsageMetadata(
        prompt_token_count=prompt,
        response_token_count=response,
        total_token_count=total,
        prompt_tokens_details=[ModalityTokenCount(modality="TEXT", token_count=prompt)],
    )

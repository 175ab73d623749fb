"""Structs both directions share: content, its parts, function calls and their answers.

The base class and the declarations of tools are named here too, for whoever needs several of them.

Source: protobuf ``Content`` and ``Part``; Live API reference.
"""

from __future__ import annotations

from typing import Any

from duologue.wire.base import Duration, Empty, Int64, Struct, Timestamp, duration_ms, duration_s, int64
from duologue.wire.tooling import FunctionDeclaration, Tool

__all__ = [
    "Blob",
    "BuiltinToolCall",
    "BuiltinToolResponse",
    "CodeExecutionResult",
    "Content",
    "Duration",
    "Empty",
    "ExecutableCode",
    "FileData",
    "FunctionCall",
    "FunctionDeclaration",
    "FunctionResponse",
    "FunctionResponsePart",
    "Int64",
    "Part",
    "PartMediaResolution",
    "Struct",
    "Timestamp",
    "Tool",
    "Transcription",
    "VideoMetadata",
    "VoiceConsentSignature",
    "WordInfo",
    "duration_ms",
    "duration_s",
    "int64",
]


class Blob(Struct, frozen=True, kw_only=True):
    """Bytes with a type. ``data`` stays base64 text until somebody wants it (see ``codec``)."""

    mime_type: str = ""
    data: str = ""
    display_name: str | None = None


class FileData(Struct, frozen=True, kw_only=True):
    """A file by reference."""

    file_uri: str = ""
    mime_type: str | None = None
    display_name: str | None = None


class FunctionCall(Struct, frozen=True, kw_only=True):
    """A call the model asks for; ids are opaque, arguments arrive whole."""

    id: str | None = None
    name: str = ""
    args: dict[str, Any] | None = None


class FunctionResponsePart(Struct, frozen=True, kw_only=True):
    """A picture or another file in the answer to a call."""

    inline_data: Blob | None = None
    file_data: FileData | None = None


class FunctionResponse(Struct, frozen=True, kw_only=True):
    """The answer to a call. ``scheduling`` and ``will_continue`` are for NON_BLOCKING calls only."""

    id: str | None = None
    name: str | None = None
    response: dict[str, Any] | None = None
    scheduling: str | None = None
    will_continue: bool | None = None
    parts: list[FunctionResponsePart] | None = None


class ExecutableCode(Struct, frozen=True, kw_only=True):
    """A program the model wrote for its own code tool."""

    id: str | None = None
    language: str | None = None
    code: str | None = None


class CodeExecutionResult(Struct, frozen=True, kw_only=True):
    """What that program printed, and whether it ended well."""

    id: str | None = None
    outcome: str | None = None
    output: str | None = None


class VideoMetadata(Struct, frozen=True, kw_only=True):
    """Which stretch of a video is meant, and how many frames a second of it."""

    start_offset: Duration | None = None
    end_offset: Duration | None = None
    fps: float | None = None


class WordInfo(Struct, frozen=True, kw_only=True):
    """One word and when it was said, where word timestamps were asked for."""

    word: str | None = None
    start_offset: Duration | None = None
    end_offset: Duration | None = None


class Transcription(Struct, frozen=True, kw_only=True):
    """A fragment of what was said. The leading blank belongs to the fragment."""

    text: str | None = None
    finished: bool | None = None
    language_code: str | None = None
    speaker_label: str | None = None
    words: list[WordInfo] | None = None
    start_offset: Duration | None = None
    end_offset: Duration | None = None


class BuiltinToolCall(Struct, frozen=True, kw_only=True):
    """A call that the service makes itself, of one of Google's own tools."""

    id: str | None = None
    tool_type: str | None = None
    args: dict[str, Any] | None = None


class BuiltinToolResponse(Struct, frozen=True, kw_only=True):
    """What such a call gave."""

    id: str | None = None
    tool_type: str | None = None
    response: dict[str, Any] | None = None


class PartMediaResolution(Struct, frozen=True, kw_only=True):
    """How finely one picture is looked at."""

    level: str | None = None
    num_tokens: int | None = None


class VoiceConsentSignature(Struct, frozen=True, kw_only=True):
    """Proof that the owner of a cloned voice agreed; handed out once, given back from then on."""

    signature: str | None = None


class Part(Struct, frozen=True, kw_only=True):
    """One piece of content: exactly one of its kinds, plus what is said about it.

    The order is that of decoding: msgspec looks for a field from where the last one stood.
    """

    text: str | None = None
    inline_data: Blob | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    file_data: FileData | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    executable_code: ExecutableCode | None = None
    code_execution_result: CodeExecutionResult | None = None
    audio_transcription: Transcription | None = None
    tool_call: BuiltinToolCall | None = None
    tool_response: BuiltinToolResponse | None = None
    video_metadata: VideoMetadata | None = None
    media_resolution: PartMediaResolution | None = None
    part_metadata: dict[str, Any] | None = None


class Content(Struct, frozen=True, kw_only=True):
    """What one side said: ordered parts and, where given, a role."""

    parts: list[Part] | None = None
    role: str | None = None

"""Structs both directions share: content, parts, function calls and declarations.

Every struct forbids unknown fields, because msgspec would otherwise drop them without a word; the
codec falls back to normalising by these same schemas (see ``normalise``). ``None`` means absent.
Enums are plain strings: the service adds values without notice.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

__all__ = [
    "Blob",
    "Content",
    "Duration",
    "FileData",
    "FunctionCall",
    "FunctionDeclaration",
    "FunctionResponse",
    "Int64",
    "Part",
    "Struct",
    "Tool",
    "duration_ms",
    "duration_s",
    "int64",
]

Int64 = int | str
"""A protobuf int64: JSON carries it as a number or as a string."""

Duration = str
"""A protobuf Duration in JSON: seconds with an ``s`` behind, e.g. ``"9.5s"``."""


class Struct(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    """Base of every wire struct: frozen, camelCase on the wire, absent when at its default."""


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


class FunctionResponse(Struct, frozen=True, kw_only=True):
    """The answer to a call. ``scheduling`` and ``will_continue`` are for NON_BLOCKING calls only."""

    id: str | None = None
    name: str | None = None
    response: dict[str, Any] | None = None
    scheduling: str | None = None
    will_continue: bool | None = None
    parts: list[dict[str, Any]] | None = None


class Part(Struct, frozen=True, kw_only=True):
    """One piece of content: exactly one of its kinds, plus the ``thought`` marker."""

    text: str | None = None
    inline_data: Blob | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    file_data: FileData | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    executable_code: dict[str, Any] | None = None
    code_execution_result: dict[str, Any] | None = None
    video_metadata: dict[str, Any] | None = None
    part_metadata: dict[str, Any] | None = None


class Content(Struct, frozen=True, kw_only=True):
    """What one side said: ordered parts and, where given, a role."""

    parts: list[Part] | None = None
    role: str | None = None


class FunctionDeclaration(Struct, frozen=True, kw_only=True):
    """A function the model may call. ``parameters`` is Google's own schema dialect."""

    name: str = ""
    description: str | None = None
    parameters: dict[str, Any] | None = None
    parameters_json_schema: Any = None
    response: dict[str, Any] | None = None
    response_json_schema: Any = None
    behavior: str | None = None


class Tool(Struct, frozen=True, kw_only=True):
    """One entry of ``setup.tools``: function declarations or one of Google's own tools."""

    function_declarations: list[FunctionDeclaration] | None = None
    google_search: dict[str, Any] | None = None
    google_search_retrieval: dict[str, Any] | None = None
    code_execution: dict[str, Any] | None = None
    url_context: dict[str, Any] | None = None
    google_maps: dict[str, Any] | None = None
    computer_use: dict[str, Any] | None = None
    file_search: dict[str, Any] | None = None
    mcp_servers: list[dict[str, Any]] | None = None
    retrieval: dict[str, Any] | None = None
    enterprise_web_search: dict[str, Any] | None = None
    parallel_ai_search: dict[str, Any] | None = None
    exa_ai_search: dict[str, Any] | None = None


def int64(value: Int64 | None) -> int | None:
    """Return the number behind a JSON int64, None for absent or for what is no number."""
    if value is None or isinstance(value, int):
        return value
    try:
        return int(value)
    except ValueError:
        return None


def duration_s(value: Duration | None) -> float | None:
    """Return the seconds of ``"9.5s"``, None for absent or for what is no duration."""
    if not value or not value.endswith("s"):
        return None
    try:
        seconds = float(value[:-1])
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) else None


def duration_ms(value: Duration | None) -> int | None:
    """Return ``duration_s`` in whole milliseconds."""
    seconds = duration_s(value)
    return None if seconds is None else round(seconds * 1000)

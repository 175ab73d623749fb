"""A conversation told again to a service that has forgotten it.

The service refuses function parts in seeded turns, so calls and results are told as text.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from duologue.errors import ConfigError, ProtocolError
from duologue.tools.results import ResultError, response_of
from duologue.transport.values import (
    ReplayFile,
    ReplayText,
    ReplayToolCall,
    ReplayToolResult,
    ReplayTransfer,
)
from duologue.wire.blob import decode_base64, encode_base64
from duologue.wire.content import Blob, Content, Part
from duologue.wire.normalise import rename

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from duologue.transport.values import ReplayItem

__all__ = ["EarlierCalls", "as_bytes", "as_response", "as_turns", "file_turn", "replay_turns", "result_turn"]

_MAX_RESULT_BYTES = 1024 * 1024
_EARLIER_CALLS_KEPT = 256


class EarlierCalls:
    """Names of calls that the end of a link left open, by id; the newest 256 are kept."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def keep(self, call_id: str, name: str) -> None:
        """Remember a call."""
        self._names[call_id] = name
        while len(self._names) > _EARLIER_CALLS_KEPT:
            del self._names[next(iter(self._names))]

    def name_of(self, call_id: str) -> str | None:
        """Return the function's name; None when no such call was left open."""
        return self._names.get(call_id)

    def forget(self, call_id: str) -> None:
        """Its result has been told."""
        self._names.pop(call_id, None)

    def clear(self) -> None:
        """A new conversation begins."""
        self._names.clear()


def replay_turns(items: Sequence[ReplayItem]) -> list[Content]:
    """Return turns that tell ``items`` again, in order."""
    return [_turn(item) for item in items]


def result_turn(name: str, result: Any) -> Content:
    """Return a user turn that tells a result whose call the service no longer knows."""
    return _text("user", f"[Result of {name}: {_json(as_response(result))}]")


def file_turn(data: bytes | str, mime_type: str) -> Content:
    """Return a user turn that holds a file."""
    if not mime_type:
        raise ConfigError("send_file: the file's mime_type is empty")
    blob = Blob(mime_type=mime_type, data=encode_base64(as_bytes(data)))
    return Content(role="user", parts=[Part(inline_data=blob)])


def as_turns(turns: Sequence[Mapping[str, Any]]) -> list[Content]:
    """Return turns that were written as on the wire, in camelCase or snake_case.

    Raises:
        ConfigError: The wire has no such field, or not of this type; says where.
    """
    contents: list[Content] = []
    for index, turn in enumerate(turns):
        try:
            contents.append(msgspec.convert(rename(turn, Content), Content))
        except (msgspec.ValidationError, RecursionError) as error:
            raise ConfigError(f"send_client_content: turn {index} is none: {error}") from error
    return contents


def as_bytes(data: bytes | bytearray | memoryview | str) -> bytes | bytearray | memoryview:
    """Return bytes as they are, and what base64 text holds.

    Raises:
        ConfigError: Text that is not base64.
    """
    if not isinstance(data, str):
        return data
    try:
        return decode_base64(data)
    except ProtocolError as error:
        raise ConfigError(f"text given as data must be base64: {error}") from error


def as_response(result: Any) -> dict[str, Any]:
    """Return a tool's result as the response object the model is sent.

    Raises:
        ConfigError: It has no JSON form, or is over 1 MiB.
    """
    from collections.abc import Mapping

    wrapped = cast("object", result) if isinstance(result, Mapping) else {"result": result}
    try:
        return response_of(wrapped, _MAX_RESULT_BYTES)
    except ResultError as error:
        raise ConfigError(f"send_tool_result: {error}") from error


def _turn(item: ReplayItem) -> Content:
    match item:
        case ReplayText(role=role, text=text):
            return _text(role, text)
        case ReplayToolCall(name=name, args=args):
            return _text("assistant", f"[Call of {name} with {_json(args)}]")
        case ReplayToolResult(name=name, result=result):
            return result_turn(name, result)
        case ReplayFile(data=data, mime_type=mime_type):
            return file_turn(data, mime_type)
        case ReplayTransfer(from_agent=old, to_agent=new):
            return _text("user", f"[Agent transfer: {old} -> {new}]")


def _text(role: Literal["user", "assistant"], text: str) -> Content:
    return Content(role="model" if role == "assistant" else role, parts=[Part(text=text)])


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), ensure_ascii=False, default=str)

"""Arguments, events and errors as plain JSON values, and what of them a replay needs back.

Sound in an event is written as its length and digest: the sound itself is in the frame it came with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from duologue import errors
from duologue.config import ChatMessage
from duologue.core.outlet import BULK
from duologue.errors import DuologueError, TapeError
from duologue.wire.content import Content
from duologue.wire.server import ServerMessage

if TYPE_CHECKING:
    from duologue.core.outlet import Notice
    from duologue.events import Event

__all__ = ["TapedError", "arguments_of", "arguments_value", "error_of", "error_value", "event_value"]

_BULK_BY_NAME: Final = {kind.__name__: kind for kind in BULK}
_DETAILS: Final = ("code", "reason", "phase", "retryable")


class TapedError(Exception):
    """An exception of a class that is not ours, come back from a tape: its name and its words."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def error_value(error: BaseException) -> dict[str, Any]:
    """Return an exception as a value: its class, its words, and what a ``DuologueError`` adds."""
    kind = error.kind if isinstance(error, TapedError) else type(error).__name__
    value: dict[str, Any] = {"type": kind, "message": _words(error)}
    if isinstance(error, DuologueError):
        value |= {name: getattr(error, name) for name in _DETAILS}
    return value


def _words(error: BaseException) -> str:
    try:
        return str(error).encode(errors="replace").decode()
    except Exception:  # somebody else's __str__
        return ""


def error_of(value: Any) -> Exception:
    """Return the exception that ``error_value`` made a value of.

    Raises:
        TapeError: It is none.
    """
    if not isinstance(value, Mapping):
        raise TapeError(f"an error is written as an object, not as a {type(value).__name__}")
    given = cast("Mapping[str, Any]", value)
    kind, message = str(given.get("type")), str(given.get("message"))
    cls: Any = getattr(errors, kind, None) if kind in errors.__all__ else None
    if not (isinstance(cls, type) and issubclass(cls, DuologueError)):
        return TapedError(kind, message)
    error = cls(message)
    for name in _DETAILS:
        if name in given:
            setattr(error, name, given[name])
    return error


def event_value(event: Event | Notice) -> dict[str, Any]:
    """Return an event's fields as values."""
    kind: Any = type(event)
    return {name: _value(getattr(event, name)) for name in _names(kind)}


@cache
def _names(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls))


def _value(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"bytes": len(value), "digest": hashlib.blake2b(value, digest_size=8).hexdigest()}
    return error_value(value) if isinstance(value, BaseException) else value


def arguments_value(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return an input's arguments, its time left out, as values that JSON can hold."""
    return {name: _argument(value) for name, value in arguments.items() if name != "now"}


def _argument(value: Any) -> Any:
    if isinstance(value, BaseException):
        return error_value(value)
    if isinstance(value, frozenset):  # of classes of events
        return sorted(kind.__name__ for kind in cast("frozenset[type]", value))
    return value


def _interest(value: Any) -> frozenset[type]:
    unknown = [name for name in value if name not in _BULK_BY_NAME]
    if unknown:
        raise TapeError(f"{unknown[0]!r} is no event that can be left out")
    return frozenset(_BULK_BY_NAME[name] for name in value)


_BACK: Final[Mapping[tuple[str, str], Callable[[Any], Any]]] = {
    ("set_interest", "kinds"): _interest,
    ("link_lost", "lost"): error_of,
    ("fail", "error"): error_of,
    ("report_error", "error"): error_of,
    ("receive", "message"): lambda value: msgspec.convert(value, ServerMessage),
    ("send_content", "turns"): lambda value: msgspec.convert(value, list[ChatMessage]),
    ("send_turns", "turns"): lambda value: msgspec.convert(value, list[Content]),
}
"""Arguments that are more than JSON: (input, parameter) → how they come back."""


def arguments_of(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return an input's arguments as the core takes them.

    Raises:
        TapeError: A value that is none for this parameter.
    """
    arguments: dict[str, Any] = {}
    for parameter, value in values.items():
        back = _BACK.get((name, parameter))
        try:
            arguments[parameter] = value if back is None else back(value)
        except (msgspec.ValidationError, TypeError) as error:
            raise TapeError(f"{name}: {parameter} cannot be read: {error}") from error
    return arguments

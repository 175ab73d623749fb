"""What tools return, as the response object the model is sent."""

from __future__ import annotations

from typing import Any, cast

from duologue.errors import ConfigError

__all__ = ["ResultError", "response_of", "tool_response"]

_MAX_SENT_BYTES = 1024 * 1024


class ResultError(Exception):
    """A tool returned what cannot be sent; the text may be told to the model."""


def response_of(result: object, max_bytes: int) -> dict[str, Any]:
    """Make a tool's result a JSON object.

    Dataclasses, TypedDicts, msgspec structs, pydantic models, enums, dates, UUIDs, sets and decimals
    are converted, bytes become base64 text. A result that is a JSON object then is the response
    itself; anything else becomes ``{"output": result}``. Nothing is cut: half a JSON value misleads,
    so a result over the cap is an error that tells both sizes.

    Args:
        result: What the tool returned.
        max_bytes: Largest response, as UTF-8 JSON.

    Raises:
        ResultError: It cannot be converted (names the type), or is too large.

    Source:
        Live API reference, FunctionResponse.response.
    """
    import msgspec

    try:
        encoded = msgspec.json.encode(result, enc_hook=_foreign)
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        name = exc.args[0] if isinstance(exc, _NotJsonError) else type(result).__name__
        msg = f"The tool ran, but its result holds a value of type {name}, which has no JSON form."
        raise ResultError(msg) from exc
    value: object = msgspec.json.decode(encoded)
    response = cast("dict[str, Any]", value) if isinstance(value, dict) else {"output": value}
    overhead = 0 if isinstance(value, dict) else len('{"output":}')
    size = len(encoded) + overhead
    if size > max_bytes:
        msg = f"The tool ran, but its result is too large to send: {size} bytes, at most {max_bytes}. Ask for less."
        raise ResultError(msg)
    return response


def tool_response(result: object, *, is_error: bool) -> dict[str, Any]:
    """Make the response object of a result that the application gives by hand.

    Args:
        result: A JSON object is sent as it is, anything else under ``output`` (``error`` for an error).
        is_error: Whether the call failed.

    Raises:
        ConfigError: It cannot be converted, or is over 1 MiB.
    """
    given: object = {"error": str(result)} if is_error and not _is_object(result) else result
    try:
        return response_of(given, _MAX_SENT_BYTES)
    except ResultError as error:
        raise ConfigError(f"send_tool_result: {error}") from error


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


class _NotJsonError(TypeError):
    """Carries the name of the type that has no JSON form."""


def _foreign(value: object) -> object:
    dump = getattr(value, "model_dump", None)  # pydantic's; it needn't be imported to be recognised
    if callable(dump):
        return dump(mode="json")
    raise _NotJsonError(type(value).__name__)

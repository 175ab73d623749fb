"""Check a JSON value against a Schema, and say what is wrong in words a model can act on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NoReturn, cast

from duologue.errors import ToolError

__all__ = ["check", "refuse", "refuse_unknown"]

_LABELS = {
    "STRING": "a string",
    "INTEGER": "a whole number",
    "NUMBER": "a number",
    "BOOLEAN": "true or false",
    "ARRAY": "a list",
    "OBJECT": "an object",
}
_LONGEST_NUMBER = 10**15


def refuse(at: str, wanted: str, value: object) -> NoReturn:
    """Raise the error that says what was wanted and what came.

    Raises:
        ToolError: Always.
    """
    where = f"argument {at!r}" if at else "the arguments"
    msg = f"{where} must be {wanted}, not {_kind(value)}"
    raise ToolError(msg)


def refuse_unknown(
    given: Mapping[str, Any], known: Collection[str], required: Collection[str], at: str
) -> None:
    """Raise if a field is missing or was never declared.

    Raises:
        ToolError: Names every missing field, or every unknown one and those that are known.
    """
    prefix = f"{at}." if at else ""
    missing = [name for name in required if name not in given]
    if missing:
        raise ToolError(_sentence([prefix + name for name in missing], "missing"))
    unknown = [name for name in given if name not in known]
    if unknown:
        listed = ", ".join(repr(prefix + name) for name in known)
        hint = f"; known are {listed}" if listed else "; there are none to give"
        # Names come from the model: a huge one must not be repeated back in full.
        raise ToolError(_sentence([(prefix + str(name))[:80] for name in unknown[:8]], "unknown") + hint)


def check(value: Any, schema: Mapping[str, Any], at: str) -> Any:
    """Check a value against a Schema and return it, whole floats made integers where declared.

    Knows types, ``nullable``, ``enum``, ``properties`` (all others are unknown), ``required``,
    ``items`` and ``anyOf``; bounds and patterns are left to whoever builds the value.

    Args:
        value: A decoded JSON value.
        schema: A Schema with UPPER-case types, as ``google_schema`` gives it.
        at: Where the value stands, for the message.

    Raises:
        ToolError: The value does not fit.
    """
    if value is None and schema.get("nullable"):
        return None
    if "anyOf" in schema:
        return _check_any(value, schema["anyOf"], at)
    kind = schema["type"]
    if kind == "ARRAY" and isinstance(value, list | tuple):
        items = cast("Sequence[Any]", value)
        return [check(item, schema["items"], f"{at}[{index}]") for index, item in enumerate(items)]
    if kind == "OBJECT" and isinstance(value, Mapping):
        return _check_object(cast("Mapping[str, Any]", value), schema, at)
    return _check_scalar(value, kind, schema, at)


def _check_scalar(value: Any, kind: str, schema: Mapping[str, Any], at: str) -> Any:
    if kind == "INTEGER" and isinstance(value, float) and value.is_integer():
        return int(value)
    fits = {
        "STRING": isinstance(value, str),
        "INTEGER": isinstance(value, int) and not isinstance(value, bool),
        "NUMBER": isinstance(value, int | float) and not isinstance(value, bool),
        "BOOLEAN": isinstance(value, bool),
    }
    if not fits.get(kind, False):
        refuse(at, _LABELS[kind], value)
    choices = schema.get("enum")
    if choices and value not in choices:
        refuse(at, "one of " + ", ".join(map(repr, choices)), value)
    return value


def _check_any(value: Any, options: Sequence[Mapping[str, Any]], at: str) -> Any:
    for option in options:
        try:
            return check(value, option, at)
        except ToolError:
            continue
    labels = dict.fromkeys(_LABELS.get(option.get("type", ""), "something else") for option in options)
    return refuse(at, " or ".join(labels), value)


def _check_object(value: Mapping[str, Any], schema: Mapping[str, Any], at: str) -> dict[str, Any]:
    properties: Mapping[str, Any] | None = schema.get("properties")
    if properties is None:
        return dict(value)
    refuse_unknown(value, properties, schema.get("required", ()), at)
    prefix = f"{at}." if at else ""
    return {name: check(item, properties[name], prefix + name) for name, item in value.items()}


def _sentence(names: Sequence[str], what: str) -> str:
    listed = ", ".join(repr(name) for name in names)
    return f"argument {listed} is {what}" if len(names) == 1 else f"arguments {listed} are {what}"


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}" if abs(value) < _LONGEST_NUMBER else "a huge number"
    if isinstance(value, str):
        return repr(value) if len(value) <= 40 else "a long string"
    if isinstance(value, list | tuple):
        return f"a list of {len(cast('Sequence[Any]', value))}"
    return "an object"

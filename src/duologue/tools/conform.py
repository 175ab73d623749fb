"""Check a JSON value against a plain schema, and say what is wrong in words a model can act on."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NoReturn, cast

from duologue.errors import ToolError
from duologue.tools.schema import label_of

__all__ = ["check", "refuse", "refuse_any", "refuse_unknown", "where"]

_LONGEST_NUMBER = 10**15
_MOST_TOLD = 3  # branches of a choice
_STEP_TOLERANCE = 1e-9  # of a step: 0.3 is three times 0.1 to everybody but a float


def where(at: str) -> str:
    """Name a place for the model; the empty one is all of the arguments."""
    return f"argument {at!r}" if at else "the arguments"


def refuse(at: str, wanted: str, value: object) -> NoReturn:
    """Raise the error that says what was wanted and what came.

    Raises:
        ToolError: Always.
    """
    msg = f"{where(at)} must be {wanted}, not {_kind(value)}"
    raise ToolError(msg)


def refuse_any(at: str, value: object, refusals: Sequence[tuple[str, ToolError]]) -> NoReturn:
    """Raise for a value that none of several shapes takes: ``refusals`` are their names and what each said.

    Those that got as far as looking into the value say what is wrong in there.

    Raises:
        ToolError: Always.
    """
    telling = [str(exc) for _, exc in refusals if not str(exc).startswith(f"{where(at)} must be ")]
    if telling:
        raise ToolError("; or ".join(dict.fromkeys(telling[:_MOST_TOLD])))
    refuse(at, " or ".join(dict.fromkeys(label for label, _ in refusals)), value)


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


def check(value: Any, plain: Mapping[str, Any], at: str, *, limits: bool = True) -> Any:
    """Check a value against a plain schema, whole floats made integers where declared.

    Does not check ``format`` and what is encoded in a string: those are notes to whoever writes it.

    Args:
        value: A decoded JSON value.
        plain: As ``plain_schema`` makes it; the empty one lets everything pass.
        at: Where the value stands, for the message.
        limits: Check bounds, lengths, steps and patterns too; left to whoever builds the value otherwise.

    Raises:
        ToolError: The value does not fit.
    """
    if not plain or (value is None and plain.get("nullable")):
        return value
    if "anyOf" in plain:
        return _check_any(value, plain, at, limits)
    kind = plain["type"]
    if kind == "ARRAY" and isinstance(value, list | tuple):
        built: Any = _check_list(cast("Sequence[Any]", value), plain, at, limits)
    elif kind == "OBJECT" and isinstance(value, Mapping):
        built = _check_object(cast("Mapping[str, Any]", value), plain, at, limits)
    else:
        built = _check_scalar(value, kind, plain, at)
    if "enum" in plain and not any(_same(built, choice) for choice in plain["enum"]):
        refuse(at, "one of " + ", ".join(map(repr, plain["enum"])), cast("object", value))
    if limits:
        _check_limits(built, plain, at)
    return built


def _check_scalar(value: Any, kind: str, plain: Mapping[str, Any], at: str) -> Any:
    if kind == "INTEGER" and isinstance(value, float) and value.is_integer():
        return int(value)
    fits = {
        "STRING": isinstance(value, str),
        "INTEGER": isinstance(value, int) and not isinstance(value, bool),
        "NUMBER": isinstance(value, int | float)
        and not isinstance(value, bool)
        and (isinstance(value, int) or math.isfinite(value)),
        "BOOLEAN": isinstance(value, bool),
    }
    return value if fits.get(kind, False) else refuse(at, label_of(plain), value)


def _check_any(value: Any, plain: Mapping[str, Any], at: str, limits: bool) -> Any:
    options: Sequence[Mapping[str, Any]] = plain["anyOf"]
    refusals: list[tuple[str, ToolError]] = []
    for option in options:
        try:
            return check(value, option, at, limits=limits)
        except ToolError as exc:
            refusals.append((label_of(option), exc))
    return refuse_any(at, value, refusals)


def _check_list(items: Sequence[Any], plain: Mapping[str, Any], at: str, limits: bool) -> list[Any]:
    prefix: Sequence[Mapping[str, Any]] = plain.get("prefixItems", ())
    if prefix and (len(items) < plain["minItems"] or len(items) > plain.get("maxItems", len(items))):
        refuse(at, f"a list of {len(prefix)}", items)
    places = [*prefix, *[plain.get("items", {})] * (len(items) - len(prefix))]
    return [
        check(item, place, f"{at}[{index}]", limits=limits)
        for index, (item, place) in enumerate(zip(items, places, strict=False))
    ]


def _check_object(value: Mapping[str, Any], plain: Mapping[str, Any], at: str, limits: bool) -> Any:
    properties: Mapping[str, Any] = plain.get("properties", {})
    others: Mapping[str, Any] | None = plain.get("additionalProperties")
    known = properties if others is None else [*properties, *value]
    refuse_unknown(value, known, plain.get("required", ()), at)
    prefix = f"{at}." if at else ""
    return {
        name: check(item, properties.get(name, others or {}), prefix + name, limits=limits)
        for name, item in value.items()
    }


def _check_limits(value: Any, plain: Mapping[str, Any], at: str) -> None:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        _check_number(value, plain, at)
        return
    size = len(value)
    for key, what in (("Length", "characters"), ("Items", "items"), ("Properties", "fields")):
        if size < plain.get(f"min{key}", 0):
            refuse(at, f"at least {plain[f'min{key}']} {what} long", value)
        if size > plain.get(f"max{key}", size):
            refuse(at, f"at most {plain[f'max{key}']} {what} long", value)
    if isinstance(value, str) and "pattern" in plain and re.search(plain["pattern"], value) is None:
        refuse(at, f"a string that matches {plain['pattern']!r}", value)
    if plain.get("uniqueItems") and len({json.dumps(item, sort_keys=True) for item in value}) < size:
        refuse(at, "a list without repetitions", value)


def _check_number(value: float, plain: Mapping[str, Any], at: str) -> None:
    if value < plain.get("minimum", value):
        refuse(at, f"at least {plain['minimum']}", value)
    if value > plain.get("maximum", value):
        refuse(at, f"at most {plain['maximum']}", value)
    if "exclusiveMinimum" in plain and value <= plain["exclusiveMinimum"]:
        refuse(at, f"more than {plain['exclusiveMinimum']}", value)
    if "exclusiveMaximum" in plain and value >= plain["exclusiveMaximum"]:
        refuse(at, f"less than {plain['exclusiveMaximum']}", value)
    step = plain.get("multipleOf")
    if step is not None and not _is_multiple(value, step):
        refuse(at, f"a multiple of {step}", value)


def _is_multiple(value: float, step: float) -> bool:
    if isinstance(value, int) and isinstance(step, int):
        return value % step == 0
    try:
        times = value / step
        return abs(times - round(times)) < _STEP_TOLERANCE
    except OverflowError:
        return False


def _same(one: object, other: object) -> bool:
    """JSON's idea of equality: true is not 1, at any depth."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True) or (
        type(one) in (int, float) and type(other) in (int, float) and one == other
    )


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

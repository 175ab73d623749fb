"""Two JSON Schemas that both have to hold, as one: what ``allOf`` means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ConflictError", "merge"]

_Json = dict[str, Any]


class ConflictError(Exception):
    """Nothing fits both, or what does cannot be written as one schema; says which key."""


def merge(first: Mapping[str, Any], second: Mapping[str, Any]) -> _Json:
    """Return the schema of the values that fit both. Annotations of the second win.

    Raises:
        ConflictError: They have no value in common, or two choices would have to be multiplied.
    """
    merged: _Json = dict(first)
    for key, value in second.items():
        if key not in merged or merged[key] == value or merged[key] is None:
            merged[key] = value
        elif key in _RULES:
            merged[key] = _RULES[key](merged[key], value)
        elif key in _MEANT:
            msg = f"two different values of {key!r} cannot be declared as one"
            raise ConflictError(msg)
        else:
            merged[key] = value
    return merged


def _both(one: Any, other: Any) -> _Json:
    return {"allOf": [one, other]}


def _properties(one: Mapping[str, Any], other: Mapping[str, Any]) -> _Json:
    return {
        name: _both(one[name], other[name]) if name in one and name in other else {**one, **other}[name]
        for name in (*one, *(name for name in other if name not in one))
    }


def _names(one: list[str], other: list[str]) -> list[str]:
    return list(dict.fromkeys([*one, *other]))


def _common(one: list[Any], other: list[Any]) -> list[Any]:
    common = [choice for choice in one if choice in other]
    if not common:
        msg = "no choice is common to both"
        raise ConflictError(msg)
    return common


def _types(one: str | list[str], other: str | list[str]) -> list[str]:
    left, right = (
        [kind.lower() for kind in ([side] if isinstance(side, str) else side)] for side in (one, other)
    )
    common = [
        kind
        for kind in dict.fromkeys([*left, *right])
        if all(kind in side or (kind == "integer" and "number" in side) for side in (left, right))
    ]
    if not common:
        msg = f"nothing is both {'/'.join(left)} and {'/'.join(right)}"
        raise ConflictError(msg)
    return common


def _others(one: Any, other: Any) -> Any:
    if isinstance(one, bool) and isinstance(other, bool):
        return one and other
    if isinstance(one, bool):
        return other if one else False
    if isinstance(other, bool):
        return one if other else False
    return _both(one, other)


_RULES: Mapping[str, Callable[[Any, Any], Any]] = {
    "properties": _properties,
    "required": _names,
    "enum": _common,
    "type": _types,
    "additionalProperties": _others,
    "items": _others,
    "uniqueItems": lambda one, other: one or other,
    "nullable": lambda one, other: one or other,
    "$defs": lambda one, other: {**one, **other},
    **dict.fromkeys(("minimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "maxLength", "maxItems", "maxProperties"), min),
}
_MEANT = frozenset(
    {
        *("anyOf", "oneOf", "not", "if", "then", "else", "format", "pattern", "multipleOf"),
        *("exclusiveMinimum", "exclusiveMaximum", "prefixItems", "additionalItems", "contains"),
        *("patternProperties", "propertyNames", "dependentRequired", "dependentSchemas"),
        *("contentEncoding", "contentMediaType", "unevaluatedProperties", "unevaluatedItems"),
    }
)

"""JSON Schema in, the Live API's own ``Schema`` out.

The Live API reads ``parameters`` as an OpenAPI 3.0 subset and closes the session on a key it does
not know; it has been reported to ignore ``parametersJsonSchema`` without a word. So whatever
describes arguments as JSON Schema is translated here, and what has no counterpart is left out: the
values are checked on arrival all the same.

Source: Live API reference, Schema; reports collected from other clients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from duologue.errors import ConfigError

__all__ = ["add_description", "google_schema"]

_KEPT = (
    "description",
    "nullable",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
)
_FORMATS = {
    "STRING": {"enum", "date-time"},
    "NUMBER": {"float", "double"},
    "INTEGER": {"int32", "int64"},
}
_MAX_DEPTH = 32

Json = dict[str, Any]


def google_schema(schema: Mapping[str, Any], at: str, *, free_form: bool = False) -> Json:
    """Translate a JSON Schema into the Live API's Schema, with UPPER-case types.

    References are inlined, ``oneOf`` becomes ``anyOf``, ``allOf`` is flattened, null becomes
    ``nullable``, ``const`` a one-item ``enum``; choices that are not strings, and formats the
    service refuses, move into the description. Does not check that the schema is valid JSON Schema.

    Args:
        schema: A JSON Schema object, not changed.
        at: Where it stands, for error messages.
        free_form: Let objects without properties pass; some models refuse them.

    Returns:
        A new dict, sharing nothing mutable with ``schema``.

    Raises:
        ConfigError: Something cannot be expressed: a recursive reference, a value of any type, a
            list of anything, an object without properties.

    Source:
        Live API reference, Schema.
    """
    return _Translation(schema, free_form).node(schema, at, ())


def add_description(schema: Mapping[str, Any], text: str) -> Json:
    """Return a copy of a Schema whose description begins with ``text``."""
    inner = schema.get("description")
    return {**schema, "description": f"{text} {inner}" if inner else text}


class _Translation:
    """One translation: the document that references point into, and what is allowed."""

    def __init__(self, root: Mapping[str, Any], free_form: bool) -> None:
        self._root = root
        self._free_form = free_form

    def node(self, node: object, at: str, trail: tuple[str, ...]) -> Json:
        """Translate one schema; ``trail`` names the references it was reached through."""
        if not isinstance(node, Mapping):
            msg = f"{at}: a value of any type cannot be declared; give it a type"
            raise ConfigError(msg)
        source, trail = self._inline(cast("Mapping[str, Any]", node), at, trail)
        branches = source.get("anyOf") or source.get("oneOf")
        if branches:
            return self._any_of(source, branches, at, trail)
        kinds, nullable = _kinds(source)
        if len(kinds) > 1:
            options = [{**source, "type": kind, "description": None} for kind in kinds]
            return self._any_of({**source, "nullable": nullable}, options, at, trail)
        if not kinds:
            msg = f"{at}: a value of any type cannot be declared; give it a type"
            raise ConfigError(msg)
        result: Json = {"type": kinds[0]}
        result.update({key: source[key] for key in _KEPT if source.get(key) is not None})
        if nullable:
            result["nullable"] = True
        if kinds[0] == "ARRAY":
            self._array(source, result, at, trail)
        elif kinds[0] == "OBJECT":
            self._object(source, result, at, trail)
        else:
            _bounds(source, result)
            result = _format(source, _choices(source, result))
        return result

    def _inline(
        self, node: Mapping[str, Any], at: str, trail: tuple[str, ...]
    ) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Replace ``$ref`` and ``allOf`` by what they stand for."""
        merged: Json = dict(node)
        reference = merged.pop("$ref", None)
        if reference is not None:
            if reference in trail or len(trail) >= _MAX_DEPTH:
                msg = f"{at}: {reference} contains itself, which cannot be declared"
                raise ConfigError(msg)
            trail = (*trail, reference)
            target, trail = self._inline(self._resolve(reference, at), at, trail)
            merged = {**target, **merged}
        parts = merged.pop("allOf", ())
        flat: Json = {}
        for part in parts:
            piece, trail = self._inline(part, at, trail)
            flat = _merge(flat, piece)
        return (_merge(flat, merged) if parts else merged), trail

    def _resolve(self, reference: str, at: str) -> Mapping[str, Any]:
        target: Any = self._root
        for key in reference.split("/")[1:]:
            name = key.replace("~1", "/").replace("~0", "~")
            target = cast("Mapping[str, Any]", target).get(name) if isinstance(target, Mapping) else None
        if not reference.startswith("#") or not isinstance(target, Mapping):
            msg = f"{at}: the reference {reference!r} leads nowhere in this schema"
            raise ConfigError(msg)
        return cast("Mapping[str, Any]", target)

    def _any_of(
        self, source: Mapping[str, Any], branches: Sequence[Any], at: str, trail: tuple[str, ...]
    ) -> Json:
        options = [branch for branch in branches if not _is_null(branch)]
        nullable = len(options) < len(branches) or bool(source.get("nullable"))
        translated = [self.node(option, at, trail) for option in options]
        result: Json = translated[0] if len(translated) == 1 else {"anyOf": translated}
        if nullable:
            result["nullable"] = True
        if source.get("description"):
            result = {**result, "description": source["description"]}
        return result

    def _array(self, source: Mapping[str, Any], result: Json, at: str, trail: tuple[str, ...]) -> None:
        prefix = source.get("prefixItems")
        if prefix:
            items = [self.node(item, f"{at}[{index}]", trail) for index, item in enumerate(prefix)]
            distinct = [item for index, item in enumerate(items) if item not in items[:index]]
            result["items"] = distinct[0] if len(distinct) == 1 else {"anyOf": distinct}
            result["minItems"] = result["maxItems"] = len(items)
        elif source.get("items"):
            result["items"] = self.node(source["items"], f"{at}[]", trail)
        else:
            msg = f"{at}: a list of anything cannot be declared; say what its items are"
            raise ConfigError(msg)

    def _object(self, source: Mapping[str, Any], result: Json, at: str, trail: tuple[str, ...]) -> None:
        properties: Mapping[str, Any] = source.get("properties") or {}
        if properties:
            result["properties"] = {
                name: self.node(value, f"{at}.{name}", trail) for name, value in properties.items()
            }
            required = [name for name in source.get("required") or () if name in properties]
            if required:
                result["required"] = required
        elif not self._free_form:
            msg = (
                f"{at}: an object without named properties cannot be declared; name them, or mark it FreeForm"
            )
            raise ConfigError(msg)


def _is_null(node: object) -> bool:
    return isinstance(node, Mapping) and str(cast("Json", node).get("type")).lower() == "null"


def _merge(first: Mapping[str, Any], second: Mapping[str, Any]) -> Json:
    merged: Json = {**first, **second}
    merged["properties"] = {**(first.get("properties") or {}), **(second.get("properties") or {})}
    merged["required"] = list(dict.fromkeys([*first.get("required", ()), *second.get("required", ())]))
    return merged


def _kinds(source: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Return the non-null types (guessed from what is there when unnamed) and whether null is one."""
    named: Any = source.get("type")
    listed: list[str] = [named] if isinstance(named, str) else [str(kind) for kind in named or ()]
    kinds = [kind.upper() for kind in listed]
    choices = _listed_choices(source)
    nullable = bool(source.get("nullable")) or "NULL" in kinds or None in choices
    kinds = [kind for kind in kinds if kind != "NULL"]
    if not kinds and choices:
        kinds = list(dict.fromkeys(_type_of(choice) for choice in choices if choice is not None))
    if not kinds and source.get("properties"):
        kinds = ["OBJECT"]
    return kinds, nullable


def _type_of(value: object) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        return "INTEGER"
    return "NUMBER" if isinstance(value, float) else "STRING"


def _listed_choices(source: Mapping[str, Any]) -> list[Any]:
    if "const" in source:
        return [source["const"]]
    return list(source.get("enum") or ())


def _choices(source: Mapping[str, Any], result: Json) -> Json:
    choices = [choice for choice in _listed_choices(source) if choice is not None]
    if not choices:
        return result
    if result["type"] == "STRING":
        return {**result, "enum": [choice for choice in choices if isinstance(choice, str)]}
    text = (
        "One of " + ", ".join(str(choice) for choice in choices if _type_of(choice) == result["type"]) + "."
    )
    return {**result, "description": f"{result['description']} {text}" if "description" in result else text}


def _bounds(source: Mapping[str, Any], result: Json) -> None:
    """The service knows inclusive bounds only; of a whole number they are one further in."""
    step = 1 if result["type"] == "INTEGER" else 0
    if isinstance(source.get("exclusiveMinimum"), int | float):
        result["minimum"] = source["exclusiveMinimum"] + step
    if isinstance(source.get("exclusiveMaximum"), int | float):
        result["maximum"] = source["exclusiveMaximum"] - step


def _format(source: Mapping[str, Any], result: Json) -> Json:
    wanted = source.get("format")
    if not wanted:
        return result
    if wanted in _FORMATS.get(result["type"], ()):
        return {**result, "format": wanted}
    text = f"Format: {wanted}."
    return {**result, "description": f"{result['description']} {text}" if "description" in result else text}

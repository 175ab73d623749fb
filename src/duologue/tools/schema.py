"""JSON Schema in, the Live API's own ``Schema`` out.

The Live API reads ``parameters`` as an OpenAPI 3.0 subset and closes the session on a key it does
not know (Q-schema-dialect); it has been reported to ignore ``parametersJsonSchema`` without a word. So whatever
describes arguments as JSON Schema is translated here. What has no key of its own is said in the
description, and checked on arrival; what cannot even be said is an error (docs/reference/function-schemas.md).

Source: Live API reference, Schema; reports collected from other clients.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from duologue.tools.plain import Json, plain_schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["add_description", "google_schema", "label_of", "say_choices", "say_order", "wire_schema"]

_KEPT = (
    "type",
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
    "required",
)
_FORMATS = {
    "STRING": {"enum", "date-time"},
    "NUMBER": {"float", "double"},
    "INTEGER": {"int32", "int64"},
}
_SAID = {
    "multipleOf": "A multiple of {}.",
    "contentEncoding": "Encoding: {}.",
    "contentMediaType": "Content: {}.",
}
_LABELS = {
    "STRING": "a string",
    "INTEGER": "a whole number",
    "NUMBER": "a number",
    "BOOLEAN": "true or false",
    "ARRAY": "a list",
    "OBJECT": "an object",
}


def google_schema(schema: Mapping[str, Any], at: str, *, free_form: bool = False) -> Json:
    """Translate a JSON Schema into the Live API's Schema, with UPPER-case types.

    References are inlined, ``oneOf`` becomes ``anyOf``, ``allOf`` is merged, null becomes
    ``nullable``, ``const`` a one-item ``enum``. Choices that are not strings, formats the service
    refuses, steps, uniqueness, order and exclusive bounds of fractions move into the description.
    Does not check that the schema is valid JSON Schema.

    Args:
        schema: A JSON Schema object, not changed.
        at: Where it stands, for error messages.
        free_form: Let objects pass whose keys are not named; some models refuse them.

    Returns:
        A new dict, sharing nothing mutable with ``schema``.

    Raises:
        ConfigError: Something cannot be expressed: a recursive reference, a value of any type, a
            list of anything, an object without properties, ``not``, ``if``, ``patternProperties``
            and others of their kind; names the place and the key.

    Source:
        Live API reference, Schema.
    """
    return wire_schema(plain_schema(schema, at, free_form=free_form))


def wire_schema(plain: Mapping[str, Any]) -> Json:
    """Build the Live API's Schema from the plain form: a new dict."""
    wire: Json = {key: plain[key] for key in _KEPT if key in plain}
    said: list[str] = []
    if "anyOf" in plain:
        wire["anyOf"] = [wire_schema(option) for option in plain["anyOf"]]
    if "properties" in plain:
        wire["properties"] = {name: wire_schema(value) for name, value in plain["properties"].items()}
    if "required" in plain:
        wire["required"] = list(plain["required"])
    _items(plain, wire, said)
    _bounds(plain, wire, said)
    if "enum" in plain:
        if plain["type"] == "STRING":
            wire["enum"] = list(plain["enum"])
        else:
            said.append(say_choices(plain["enum"]))
    if "format" in plain:
        if plain["format"] in _FORMATS.get(plain["type"], ()):
            wire["format"] = plain["format"]
        else:
            said.append(f"Format: {plain['format']}.")
    said += [words.format(plain[key]) for key, words in _SAID.items() if key in plain]
    if said:
        wire["description"] = " ".join([*([wire["description"]] if "description" in wire else []), *said])
    return wire


def add_description(schema: Mapping[str, Any], text: str) -> Json:
    """Return a copy of a Schema whose description begins with ``text``."""
    inner = schema.get("description")
    return {**schema, "description": f"{text} {inner}" if inner else text}


def label_of(schema: Mapping[str, Any]) -> str:
    """Name what a schema describes: "a string"."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(label_of(option) for option in schema["anyOf"]))
    return _LABELS[schema["type"]]


def say_choices(choices: Sequence[Any]) -> str:
    """Say which values there are, as JSON: the service's ``enum`` holds strings only."""
    return "One of " + ", ".join(json.dumps(choice, ensure_ascii=False) for choice in choices) + "."


def say_order(labels: Sequence[str]) -> str:
    """Say what stands where in a list: the service knows one kind of items only."""
    return "In this order: " + ", ".join(labels) + "."


def _items(plain: Mapping[str, Any], wire: Json, said: list[str]) -> None:
    prefix: Sequence[Mapping[str, Any]] = plain.get("prefixItems", ())
    rest: Sequence[Mapping[str, Any]] = [plain["items"]] if "items" in plain else []
    kinds: list[Json] = []
    for item in (*prefix, *rest):
        schema = wire_schema(item)
        if schema not in kinds:
            kinds.append(schema)
    if kinds:
        wire["items"] = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    if prefix and len(kinds) > 1:
        said.append(
            say_order([label_of(item) for item in prefix] + [f"then {label_of(item)}" for item in rest])
        )
    if plain.get("uniqueItems"):
        said.append("No item twice.")


def _bounds(plain: Mapping[str, Any], wire: Json, said: list[str]) -> None:
    """The service knows inclusive bounds only; of a whole number they are one further in."""
    whole = plain.get("type") == "INTEGER"
    if "exclusiveMinimum" in plain:
        bound = plain["exclusiveMinimum"]
        wire["minimum"] = math.floor(bound) + 1 if whole else bound
        said += [] if whole else [f"More than {bound}."]
    if "exclusiveMaximum" in plain:
        bound = plain["exclusiveMaximum"]
        wire["maximum"] = math.ceil(bound) - 1 if whole else bound
        said += [] if whole else [f"Less than {bound}."]

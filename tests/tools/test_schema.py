from typing import Any

import pytest

from duologue.errors import ConfigError
from duologue.tools import function_tool, google_schema

STRING = {"type": "STRING"}


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ({"type": "string", "title": "T", "default": "x", "examples": ["y"]}, STRING),
        ({"type": ["string", "null"]}, {"type": "STRING", "nullable": True}),
        ({"type": ["string", "integer"]}, {"anyOf": [STRING, {"type": "INTEGER"}]}),
        (
            {"type": ["string", "integer", "null"], "description": "d"},
            {"anyOf": [STRING, {"type": "INTEGER"}], "nullable": True, "description": "d"},
        ),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "STRING", "nullable": True}),
        ({"oneOf": [{"type": "string"}, {"type": "number"}]}, {"anyOf": [STRING, {"type": "NUMBER"}]}),
        ({"const": "a"}, {"type": "STRING", "enum": ["a"]}),
        ({"enum": ["a", None]}, {"type": "STRING", "enum": ["a"], "nullable": True}),
        (
            {"type": "integer", "enum": [1, 2], "description": "Level."},
            {"type": "INTEGER", "description": "Level. One of 1, 2."},
        ),
        ({"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}),
        ({"type": "string", "format": "uuid"}, {"type": "STRING", "description": "Format: uuid."}),
        ({"type": "integer", "exclusiveMinimum": 0}, {"type": "INTEGER", "minimum": 1}),
        (
            {"type": "number", "exclusiveMaximum": 1.5},
            {"type": "NUMBER", "maximum": 1.5, "description": "Less than 1.5."},
        ),
        (
            {"type": "array", "prefixItems": [{"type": "string"}, {"type": "string"}]},
            {"type": "ARRAY", "items": STRING, "minItems": 2, "maxItems": 2},
        ),
        (
            {"type": "array", "items": {"type": "string"}, "uniqueItems": True, "minItems": 1},
            {"type": "ARRAY", "items": STRING, "minItems": 1, "description": "No item twice."},
        ),
        (
            {
                "allOf": [
                    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                    {"$ref": "#/$defs/B"},
                ],
                "$defs": {"B": {"properties": {"b": {"type": "string"}}, "required": ["b"]}},
            },
            {"type": "OBJECT", "properties": {"a": STRING, "b": STRING}, "required": ["a", "b"]},
        ),
        (
            {
                "$ref": "#/$defs/a~1b",
                "description": "mine",
                "$defs": {"a/b": {"type": "string", "description": "d"}},
            },
            {"type": "STRING", "description": "mine"},
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}, "description": {"type": "string"}},
                "required": ["a"],
                "additionalProperties": False,
                "$schema": "x",
            },
            {"type": "OBJECT", "properties": {"a": STRING, "description": STRING}, "required": ["a"]},
        ),
    ],
    ids=str,
)
def test_translation(source: Any, target: Any) -> None:
    assert google_schema(source, "here") == target


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ({}, "here: a value of any type"),
        ({"type": "object", "properties": {"x": True}}, r"here\.x: a value of any type"),
        ({"type": "array"}, "list of anything"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "no named properties"),
        ({"$ref": "#/$defs/no"}, "leads nowhere"),
        ({"$ref": "other.json#/x"}, "leads nowhere"),
        (
            {"$ref": "#/$defs/n", "$defs": {"n": {"type": "array", "items": {"$ref": "#/$defs/n"}}}},
            r"here\[\]: .*contains itself",
        ),
        ({"$ref": "#"}, "contains itself"),
    ],
    ids=str,
)
def test_what_cannot_be_said_is_refused(source: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        google_schema(source, "here")


def test_free_form_lets_open_objects_pass() -> None:
    source = {"type": "object", "additionalProperties": {"type": "string"}}
    assert google_schema(source, "here", free_form=True) == {"type": "OBJECT"}


def test_the_same_definition_may_be_used_twice() -> None:
    source = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/s"}, "b": {"$ref": "#/$defs/s"}},
        "$defs": {"s": {"type": "string"}},
    }
    assert google_schema(source, "here")["properties"] == {"a": STRING, "b": STRING}


def test_arguments_are_declared_in_googles_own_dialect() -> None:
    """Q-json-schema-ignored: a ``parametersJsonSchema`` would be passed over without a word."""

    @function_tool
    def open_door(number: int) -> None:
        """Open a door."""

    declared = open_door.declaration()
    assert declared["parameters"]["properties"] == {"number": {"type": "INTEGER"}}
    assert not [key for key in declared if "json" in key.lower()]

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.published import parse

from duologue.errors import ConfigError
from duologue.tools import function_tool, google_schema

STRING = {"type": "STRING"}
KEYWORDS = [
    *("type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "properties", "required", "items"),
    *("prefixItems", "additionalProperties", "minimum", "exclusiveMinimum", "maxLength", "pattern", "format"),
    *("description", "nullable", "multipleOf", "uniqueItems", "not"),
]


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
        # what stands beside a choice holds in each branch
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
            },
            {
                "anyOf": [
                    {"type": "OBJECT", "properties": {"a": STRING, "b": STRING}, "required": ["a"]},
                    {"type": "OBJECT", "properties": {"a": STRING, "b": STRING}, "required": ["b"]},
                ]
            },
        ),
        (
            {"anyOf": [{"type": "string", "maxLength": 5}, {"enum": [None]}], "maxLength": 3, "default": "x"},
            {"type": "STRING", "maxLength": 3, "nullable": True},
        ),
        (
            {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/n"}, False], "$defs": {"n": {"type": "null"}}},
            {"type": "STRING", "nullable": True},
        ),
        # allOf: both have to hold
        (
            {"allOf": [{"type": "integer", "minimum": 1, "maximum": 9}, {"minimum": 3, "maximum": 20}]},
            {"type": "INTEGER", "minimum": 3, "maximum": 9},
        ),
        (
            {"allOf": [{"enum": ["a", "b"]}, {"enum": ["b", "c"], "type": "string"}]},
            {"type": "STRING", "enum": ["b"]},
        ),
        (
            {"allOf": [{"type": ["string", "number"]}, {"type": ["integer", "null"]}]},
            {"type": "INTEGER"},
        ),
        (
            {
                "properties": {"a": {"type": "string", "minLength": 1}},
                "allOf": [{"properties": {"a": {"maxLength": 3}}}],
            },
            {"type": "OBJECT", "properties": {"a": {"type": "STRING", "minLength": 1, "maxLength": 3}}},
        ),
        # keys of other types mean nothing
        (
            {"type": ["string", "integer"], "minLength": 2, "minimum": 3},
            {"anyOf": [{"type": "STRING", "minLength": 2}, {"type": "INTEGER", "minimum": 3}]},
        ),
        (
            {"enum": ["a", 1, 2]},
            {
                "anyOf": [
                    {"type": "STRING", "enum": ["a"]},
                    {"type": "INTEGER", "description": "One of 1, 2."},
                ]
            },
        ),
        ({"type": ["string", "integer", "null"], "enum": ["a"]}, {"type": "STRING", "enum": ["a"]}),
        ({"type": "string", "enum": ["a", None]}, {"type": "STRING", "enum": ["a"]}),
        (
            {"type": ["string", "null"], "enum": ["a", None]},
            {"type": "STRING", "enum": ["a"], "nullable": True},
        ),
        ({"enum": [1, 2.5]}, {"type": "NUMBER", "description": "One of 1, 2.5."}),
        ({"type": "boolean", "const": True}, {"type": "BOOLEAN", "description": "One of true."}),
        ({"const": "a", "enum": ["a", "b"]}, {"type": "STRING", "enum": ["a"]}),
        # bounds: the stricter of two, and how draft 4 wrote them
        ({"type": "integer", "exclusiveMinimum": 0, "minimum": 5}, {"type": "INTEGER", "minimum": 5}),
        ({"type": "integer", "exclusiveMinimum": 0.5}, {"type": "INTEGER", "minimum": 1}),
        ({"type": "integer", "exclusiveMaximum": 7.5}, {"type": "INTEGER", "maximum": 7}),
        (
            {"type": "integer", "minimum": 3, "exclusiveMinimum": True, "exclusiveMaximum": False},
            {"type": "INTEGER", "minimum": 4},
        ),
        (
            {"type": "number", "exclusiveMinimum": 1, "description": "Weight.", "multipleOf": 0.5},
            {"type": "NUMBER", "minimum": 1, "description": "Weight. More than 1. A multiple of 0.5."},
        ),
        # lists
        (
            {"type": "array", "items": [{"type": "string"}, {"type": "integer"}], "additionalItems": False},
            {
                "type": "ARRAY",
                "items": {"anyOf": [STRING, {"type": "INTEGER"}]},
                "minItems": 2,
                "maxItems": 2,
                "description": "In this order: a string, a whole number.",
            },
        ),
        (
            {"prefixItems": [{"type": "string"}], "items": {"type": "boolean"}, "minItems": 3.0},
            {
                "type": "ARRAY",
                "items": {"anyOf": [STRING, {"type": "BOOLEAN"}]},
                "minItems": 3,
                "description": "In this order: a string, then true or false.",
            },
        ),
        (
            {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"},
            {"type": "STRING", "description": "Encoding: base64. Content: image/png."},
        ),
        ({"type": "STRING", "x-order": 3, "deprecated": True, "$comment": "c"}, STRING),
        (
            {"properties": {"a": {"type": "string"}}, "unevaluatedProperties": False},
            {"type": "OBJECT", "properties": {"a": STRING}},
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
        ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]}, "'b' is required"),
        ({"type": "null"}, "null alone"),
        ({"anyOf": [{"type": "null"}]}, "null alone"),
        ({"type": "file"}, "there is no type 'file'"),
        ({"type": "string", "enum": ["a", ""]}, "the empty string"),
        ({"type": "string", "enum": [1]}, "none of its choices is of the type string"),
        ({"properties": {"x": False}}, r"here\.x: no value fits"),
        ({"properties": {"x": {"type": "integer", "minimum": "3"}}}, r"here\.x: minimum: '3'"),
        ({"properties": {"x": {"type": "string", "minLength": -1}}}, r"here\.x: minLength: -1"),
        ({"properties": {"x": {"type": "number", "multipleOf": 0}}}, r"here\.x: multipleOf: 0"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "allOf: nothing is both string and integer"),
        ({"allOf": [{"enum": ["a"]}, {"enum": ["b"]}]}, "allOf: no choice is common"),
        (
            {"allOf": [{"type": "string", "pattern": "a"}, {"pattern": "b"}]},
            "allOf: two different values of 'pattern'",
        ),
        (
            {"allOf": [{"anyOf": [{"type": "string"}]}, {"anyOf": [{"type": "integer"}]}]},
            "allOf: two different values of 'anyOf'",
        ),
        ({"anyOf": [{"type": "string"}], "oneOf": [{"type": "string"}]}, "side by side"),
        (
            {
                "properties": {"a": {"type": "string"}},
                "additionalProperties": {"type": "string"},
            },
            "keys besides its named ones",
        ),
        *(
            (
                {"properties": {"x": {"type": "string", key: {"type": "string"}}}},
                rf"here\.x: '{key}' cannot be declared",
            )
            for key in (
                *("not", "if", "then", "else", "contains", "patternProperties", "propertyNames"),
                *("dependentRequired", "dependentSchemas", "unevaluatedProperties"),
            )
        ),
    ],
    ids=str,
)
def test_what_cannot_be_said_is_refused(source: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        google_schema(source, "here")


def test_free_form_lets_open_objects_pass() -> None:
    source = {"type": "object", "additionalProperties": {"type": "string"}}
    assert google_schema(source, "here", free_form=True) == {"type": "OBJECT"}


def in_a_setup(schema: Any) -> Any:
    function = {"name": "f", "parameters": schema}
    return {"setup": {"model": "models/m", "tools": [{"functionDeclarations": [function]}]}}


JUNK = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just([1]) | st.just({"a": 1})


@settings(derandomize=True, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYWORDS), JUNK | st.lists(JUNK, max_size=2), max_size=4))
def test_what_is_no_json_schema_is_refused_and_never_crashes(source: Any) -> None:
    for schema in (source, {"type": "object", "properties": {"x": source}}):
        try:
            made = google_schema(schema, "here")
        except ConfigError as exc:
            assert str(exc).startswith("here")  # noqa: PT017 # both outcomes are right
        else:
            parse(msgspec.json.encode(in_a_setup(made)), "client")


def test_a_schema_too_deep_or_too_large_is_refused() -> None:
    deep: Any = {"type": "string"}
    for _ in range(100):
        deep = {"type": "array", "items": deep}
    doubling: Any = {"d0": {"type": "string"}}
    for level in range(20):
        inner = {"$ref": f"#/$defs/d{level}"}
        doubling[f"d{level + 1}"] = {"type": "object", "properties": {"a": inner, "b": inner}}
    for source in (deep, {"$ref": "#/$defs/d20", "$defs": doubling}):
        with pytest.raises(ConfigError, match="too large"):
            google_schema(source, "here")


def test_an_object_may_take_other_keys_where_its_author_says_so() -> None:
    source = {"properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "integer"}}
    assert google_schema(source, "here", free_form=True) == {"type": "OBJECT", "properties": {"a": STRING}}


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

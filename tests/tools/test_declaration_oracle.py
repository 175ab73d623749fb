"""Declarations as strangers read them: Google's published contract, Google's own client, msgspec.

The contract parses strictly, as the service does. google-genai translates type hints and JSON Schema too:
where it can, the two must say the same. msgspec judges values by types of its own: where a schema of its
making is given to us, we must judge alike.
"""

import enum
import inspect
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import pydantic
import pytest
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.published import parse
from tests.tools.hint_strategies import HINTS, JSON, JUDGED, NAMES, json_schemas

from duologue.errors import ConfigError, ToolError
from duologue.tools import FreeForm, FunctionTool, end_call, function_tool, google_schema, read_arguments

steady = settings(derandomize=True, deadline=None, max_examples=200)

SCHEMA_KEYS = {
    *("type", "format", "description", "nullable", "enum", "items", "maxItems", "minItems", "properties"),
    *("required", "minProperties", "maxProperties", "minimum", "maximum", "minLength", "maxLength"),
    *("pattern", "anyOf"),
}


class Size(enum.Enum):
    SMALL = 1
    LARGE = 2


@dataclass
class Topping:
    name: str
    grams: float = 10.0


class Pickup(msgspec.Struct):
    at: Annotated[str, msgspec.Meta(pattern="^[0-9]{2}:[0-9]{2}$")]
    shelf: Annotated[int, msgspec.Meta(gt=0)] | None = None


class Payment(pydantic.BaseModel):
    method: Literal["cash", "card"]
    tip: float = pydantic.Field(default=0, ge=0, lt=100)
    notes: list[str] = pydantic.Field(default_factory=list, max_length=3)


@function_tool
async def order(
    pizza: str,
    size: Size,
    toppings: list[Topping],
    pickup: Pickup,
    payment: Payment | None = None,
    slices: Literal[4, 8] = 8,
    address: tuple[str, int] | None = None,
    extras: Annotated[dict[str, Any], FreeForm] | None = None,
    urgent: bool = False,
    table: int | str = 0,
) -> AsyncIterator[str]:
    """Order a pizza.

    Args:
        pizza: Its name.
        size: How large.
    """
    yield pizza


def declared(tool: FunctionTool[..., Any]) -> Any:
    """The declaration, once Google's contract and Google's client have read it without a complaint."""
    declaration = tool.declaration()
    setup = {"model": "models/m", "tools": [{"functionDeclarations": [declaration]}]}
    parse(msgspec.json.encode({"setup": setup}), "client")
    model = types.FunctionDeclaration.model_validate(declaration)
    assert model.model_dump(mode="json", exclude_none=True, by_alias=True) == declaration
    return declaration


def signature_of(hints: dict[str, Any]) -> inspect.Signature:
    keyword_only = inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature(
        [inspect.Parameter(name, keyword_only, annotation=hint) for name, hint in hints.items()]
    )


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def values_for(hint: Any) -> st.SearchStrategy[Any]:
    """JSON values that are near to what a type takes: right types, any bounds."""
    return st.from_type(hint).map(msgspec.to_builtins).filter(_is_json)


def check_places(schema: Mapping[str, Any]) -> None:
    """Every place of a Schema holds only keys the service knows, and a type or a choice."""
    assert set(schema) <= SCHEMA_KEYS
    assert ("type" in schema) != ("anyOf" in schema)
    assert schema.get("type", "STRING") in ("STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT")
    assert "enum" not in schema or (schema["type"] == "STRING" and all(schema["enum"]))
    assert set(schema.get("required", ())) <= set(schema.get("properties", ()))
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    for place in inner + ([schema["items"]] if "items" in schema else []):
        check_places(place)


def test_every_kind_of_declaration_is_read() -> None:
    for tool in (order, end_call):
        declared(tool)


@steady
@given(st.dictionaries(NAMES, HINTS, max_size=3))
def test_whatever_hints_a_function_has_its_declaration_parses_strictly(hints: dict[str, Any]) -> None:
    def tool(**arguments: Any) -> None: ...

    tool.__signature__ = signature_of(hints)  # type: ignore[attr-defined]  # read by inspect
    try:
        made = function_tool(tool)
    except ConfigError as exc:
        assert str(exc).startswith("tool 'tool', parameter '")  # noqa: PT017 # both outcomes are right
        return
    check_places(declared(made).get("parameters", {"type": "OBJECT"}))


@steady
@given(json_schemas(), JSON)
def test_whatever_json_schema_is_given_it_parses_strictly_or_is_refused_by_name(
    schema: Any, value: Any
) -> None:
    """And whatever is sent to it then is taken, or refused in words."""

    def tool(**arguments: Any) -> None: ...

    try:
        made = function_tool(parameters=schema)(tool)
    except ConfigError as exc:
        assert str(exc).startswith("tool 'tool'")  # noqa: PT017 # both outcomes are right
        return
    check_places(declared(made).get("parameters", {"type": "OBJECT"}))
    for name in schema["properties"] or ["x"]:
        try:
            assert set(read_arguments(made, {name: value})) == {name}
        except ToolError as exc:
            assert 0 < len(str(exc)) < 2000  # noqa: PT017 # both outcomes are right


@settings(steady, max_examples=300)
@given(JUDGED, st.data())
def test_values_are_judged_as_msgspec_judges_them(hint: Any, data: st.DataObject) -> None:
    """Its types, its JSON Schema, our check: bounds, lengths, patterns, steps, choices, unknown fields."""
    schema = msgspec.json.schema(hint)
    definitions = {"$defs": schema.pop("$defs")} if "$defs" in schema else {}

    @function_tool(parameters={"type": "object", "properties": {"value": schema}, **definitions})
    def tool(**arguments: Any) -> None: ...

    value = data.draw(st.one_of(values_for(hint), values_for(hint), JSON))
    try:
        msgspec.convert(value, hint)
        theirs = True
    except msgspec.ValidationError:
        theirs = False
    try:
        read_arguments(tool, {"value": value})
        ours = True
    except ToolError:
        ours = False
    assert ours == theirs, (schema, value)


# What google-genai adds: titles and defaults, which we leave out, and the order of properties, which our JSON has
# anyway. (One more difference is not drawn here: it never requires what may be null, default or not.)
THEIRS_ALONE = {"title", "default", "property_ordering", "propertyOrdering"}


def common(schema: Any) -> Any:
    """A Schema as both write it."""
    if isinstance(schema, dict):
        kept = {
            key: common(value)
            for key, value in schema.items()
            if key not in THEIRS_ALONE and value is not None
        }
        if "required" in kept:
            kept["required"] = sorted(kept["required"])
        return kept
    return [common(item) for item in schema] if isinstance(schema, list) else schema


class PlainModel(pydantic.BaseModel):
    name: str
    tags: list[str]
    score: float | None = None


@pytest.mark.parametrize(
    "hint",
    [
        str,
        int,
        float,
        bool,
        list[str],
        list[list[int]],
        Literal["a", "b"],
        PlainModel,
        list[PlainModel],
    ],
    ids=str,
)
def test_hints_are_declared_as_google_genai_declares_them(hint: Any) -> None:
    def tool(value: Any) -> None:
        """Do it."""

    tool.__annotations__["value"] = hint
    theirs = types.FunctionDeclaration.from_callable_with_api_option(callable=tool, api_option="GEMINI_API")
    written = theirs.model_dump(mode="json", exclude_none=True, by_alias=True)
    assert common(function_tool(tool).declaration()) == common(written)


_SCALARS = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "description": "Words.", "minLength": 1, "maxLength": 9, "pattern": "^a"},
        {"type": "string", "enum": ["a", "b"]},
        {"type": "string", "format": "date-time"},
        {"type": "integer", "minimum": 1, "maximum": 5},
        {"type": "number", "title": "N", "default": 1.5},
        {"type": "boolean"},
    ]
)
SAYABLE: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        inner.map(lambda items: {"type": "array", "items": items, "minItems": 1}),
        st.dictionaries(NAMES, inner, min_size=1, max_size=2).map(
            lambda properties: {
                "type": "object",
                "properties": properties,
                "required": sorted(properties)[:1],
            }
        ),
        _SCALARS.map(lambda option: {"anyOf": [option, {"type": "null"}]}),
    ),
    max_leaves=5,
)


@steady
@given(SAYABLE)
def test_json_schema_is_translated_as_google_genai_translates_it(schema: Any) -> None:
    theirs = types.Schema.from_json_schema(json_schema=types.JSONSchema.model_validate(schema))
    written = theirs.model_dump(mode="json", exclude_none=True, by_alias=True)
    assert common(google_schema(schema, "here")) == common(written)

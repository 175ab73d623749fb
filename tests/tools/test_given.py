"""``function_tool(parameters=...)``: a JSON Schema, or one object for all arguments."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypedDict, TypeVar

import msgspec
import pydantic
import pytest

from duologue.errors import ConfigError, ToolError
from duologue.tools import FunctionTool, ToolContext, function_tool, read_arguments

T = TypeVar("T")

WEATHER: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "The town.", "minLength": 2, "pattern": "^[A-Z]"},
        "days": {"type": "integer", "enum": [1, 3, 7]},
        "at-most": {"type": "number", "exclusiveMinimum": 0, "maximum": 99.5, "multipleOf": 0.5},
        "hours": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True, "maxItems": 2},
        "place": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]},
    },
    "required": ["city"],
    "additionalProperties": False,
}


def anything(**arguments: Any) -> dict[str, Any]:
    """Take whatever comes."""
    return arguments


def by_schema(schema: Any) -> FunctionTool[..., Any]:
    return function_tool(parameters=schema)(anything)


def test_a_json_schema_is_declared_and_its_values_are_keywords() -> None:
    tool = by_schema(WEATHER)
    assert tool.declaration() == {
        "name": "anything",
        "description": "Take whatever comes.",
        "parameters": {
            "type": "OBJECT",
            "properties": {
                "city": {"type": "STRING", "description": "The town.", "minLength": 2, "pattern": "^[A-Z]"},
                "days": {"type": "INTEGER", "description": "One of 1, 3, 7."},
                "at-most": {
                    "type": "NUMBER",
                    "minimum": 0,
                    "maximum": 99.5,
                    "description": "More than 0. A multiple of 0.5.",
                },
                "hours": {
                    "type": "ARRAY",
                    "items": {"type": "INTEGER"},
                    "maxItems": 2,
                    "description": "No item twice.",
                },
                "place": {
                    "type": "ARRAY",
                    "items": {"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}]},
                    "minItems": 2,
                    "maxItems": 2,
                    "description": "In this order: a string, a number.",
                },
            },
            "required": ["city"],
        },
    }
    given = {"city": "Bonn", "days": 3.0, "at-most": 1.5, "hours": [1, 2], "place": ["a", 1]}
    assert read_arguments(tool, given) == {**given, "days": 3}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "argument 'city' is missing"),
        ({"city": "Bonn", "town": 1}, "argument 'town' is unknown"),
        ({"city": "B"}, "argument 'city' must be at least 2 characters long, not 'B'"),
        ({"city": "bonn"}, "argument 'city' must be a string that matches '^[A-Z]', not 'bonn'"),
        ({"city": "Bonn", "days": 2}, "argument 'days' must be one of 1, 3, 7, not the number 2"),
        ({"city": "Bonn", "days": True}, "argument 'days' must be a whole number, not true"),
        ({"city": "Bonn", "at-most": 0}, "argument 'at-most' must be more than 0, not the number 0"),
        ({"city": "Bonn", "at-most": 100}, "argument 'at-most' must be at most 99.5, not the number 100"),
        (
            {"city": "Bonn", "at-most": 0.7},
            "argument 'at-most' must be a multiple of 0.5, not the number 0.7",
        ),
        ({"city": "Bonn", "hours": [1, 1]}, "argument 'hours' must be a list without repetitions"),
        ({"city": "Bonn", "hours": [1, 2, 3]}, "argument 'hours' must be at most 2 items long"),
        ({"city": "Bonn", "place": [1, "a"]}, "argument 'place[0]' must be a string, not the number 1"),
        ({"city": "Bonn", "place": ["a"]}, "argument 'place' must be a list of 2, not a list of 1"),
    ],
)
def test_everything_the_schema_says_is_checked(given: Any, text: str) -> None:
    with pytest.raises(ToolError) as raised:
        read_arguments(by_schema(WEATHER), given)
    assert text in str(raised.value)


def test_a_choice_says_what_is_wrong_in_the_only_branch_that_looked() -> None:
    place = {"type": "object", "properties": {"lat": {"type": "number"}}, "required": ["lat"]}
    tool = by_schema({"type": "object", "properties": {"at": {"anyOf": [{"type": "string"}, place]}}})
    assert read_arguments(tool, {"at": {"lat": 1}}) == {"at": {"lat": 1}}
    for given, text in (
        ({"lat": "x"}, "argument 'at.lat' must be a number, not 'x'"),
        ({}, "argument 'at.lat' is missing"),
        (5, "argument 'at' must be a string or an object, not the number 5"),
    ):
        with pytest.raises(ToolError) as raised:
            read_arguments(tool, {"at": given})
        assert str(raised.value) == text


async def test_a_tool_by_schema_runs_with_its_context(run: Callable[..., Any]) -> None:
    @function_tool(
        parameters={"type": "object", "properties": {"class": {"type": "string"}}}, name="by_schema"
    )
    async def tool(context: ToolContext, **arguments: Any) -> dict[str, Any]:
        return {"call": context.call_id, **arguments}

    assert tool.context_parameter == "context"
    [outcome] = await run(tool, {"class": "first"})
    assert outcome.response == {"call": "call-1", "class": "first"}


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"type": "OBJECT", "properties": {}}])
def test_an_object_without_properties_is_a_tool_without_parameters(schema: Any) -> None:
    tool = by_schema(schema)
    assert "parameters" not in tool.declaration()
    assert read_arguments(tool, {}) == {}
    with pytest.raises(ToolError, match="there are none to give"):
        read_arguments(tool, {"x": 1})


def keyword(city: str) -> None: ...
def optional(town: str = "") -> None: ...
def needs_more(city: str, more: int) -> None: ...
def positional(city: str, /, **others: Any) -> None: ...
def with_context(city: ToolContext) -> None: ...


CITY: Mapping[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}


@pytest.mark.parametrize(
    ("schema", "function", "why"),
    [
        (CITY, optional, "parameter 'city': is in the schema, but the function takes no such keyword"),
        (CITY, needs_more, "parameter 'more': has no default, and the schema does not require it"),
        (CITY, positional, "parameter 'city': has no default"),
        ({**CITY, "required": []}, keyword, "parameter 'city': has no default"),
        (CITY, with_context, "parameter 'city': "),
        ({"type": "string"}, anything, "arguments are a JSON object"),
        ({**CITY, "nullable": True}, anything, "arguments are a JSON object"),
        (
            {"type": "object", "properties": {"a": {"pattern": "(", "type": "string"}}},
            anything,
            r"\.a: the pattern",
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "array", "items": {"not": {}, "type": "string"}}},
            },
            anything,
            r"\.a\[\]: 'not' cannot be declared",
        ),
    ],
)
def test_what_does_not_fit_the_function_names_the_parameter(schema: Any, function: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=rf"^tool '{function.__name__}'.*{why}"):
        function_tool(parameters=schema)(function)


class Order(pydantic.BaseModel):
    """An order."""

    sku: str = pydantic.Field(pattern="^[A-Z]+$")
    count: int = pydantic.Field(default=1, gt=0)


class Parcel(pydantic.BaseModel, Generic[T]):
    content: T
    kind: Literal["small", "large"] = "small"


class Seat(msgspec.Struct):
    row: int
    aisle: bool = False


class Pair(msgspec.Struct, Generic[T]):
    left: T
    right: T


@dataclass
class Trip:
    """A trip."""

    to: str
    order: Order | None = None


class Query(TypedDict):
    words: list[str]


@pytest.mark.parametrize(
    ("whole", "given", "value"),
    [
        (Order, {"sku": "A"}, Order(sku="A")),
        (Parcel[int], {"content": 2}, Parcel[int](content=2)),
        (Seat, {"row": 3}, Seat(3)),
        (Pair[int], {"left": 1, "right": 2.0}, Pair(1, 2)),
        (Trip, {"to": "Bonn", "order": {"sku": "B", "count": 2}}, Trip("Bonn", Order(sku="B", count=2))),
        (Query, {"words": ["a"]}, {"words": ["a"]}),
    ],
    ids=str,
)
async def test_one_object_is_all_the_arguments(
    whole: Any, given: Any, value: Any, run: Callable[..., Any]
) -> None:
    received: list[Any] = []

    @function_tool(parameters=whole)
    def tool(request: Any, context: ToolContext) -> str:
        """Take it."""
        received.append(request)
        return context.call_id

    declared = tool.declaration()["parameters"]
    assert declared["type"] == "OBJECT"
    assert set(given) <= set(declared["properties"])
    [outcome] = await run(tool, given)
    assert outcome.response == {"output": "call-1"}
    assert received == [value]
    assert type(received[0]) is type(value)


def test_a_refusal_of_the_whole_object_is_said_in_words() -> None:
    tool = function_tool(parameters=Order)(keyword)
    for given, text in (
        ({"sku": "a"}, "the arguments are not acceptable: sku: String should match pattern '^[A-Z]+$'"),
        ({"sku": "A", "colour": 1}, "argument 'colour' is unknown; known are 'sku', 'count'"),
        ({"sku": 1}, "argument 'sku' must be a string, not the number 1"),
    ):
        with pytest.raises(ToolError) as raised:
            read_arguments(tool, given)
        assert str(raised.value) == text


@pytest.mark.parametrize(
    ("whole", "function", "why"),
    [
        (int, keyword, "is not written as a JSON object"),
        (list[Order], keyword, "is not written as a JSON object"),
        (Order | None, keyword, "is not written as a JSON object"),
        (Order, needs_more, "must have one parameter for the object.*'city', 'more'"),
        (Order, anything, "must have one parameter"),
        (Order, with_context, "it has none"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_no_object_or_has_no_place_is_refused(whole: Any, function: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=rf"^tool '{function.__name__}', parameters: .*{why}"):
        function_tool(parameters=whole)(function)


class Branch(pydantic.BaseModel):
    name: str
    children: list["Branch"] = []


def test_recursion_is_named() -> None:
    def grow(branch: Branch) -> None: ...

    with pytest.raises(
        ConfigError, match=r"^tool 'grow', parameter 'branch'\.children\[\]: .*contains itself"
    ):
        function_tool(grow)

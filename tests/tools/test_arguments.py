import datetime
import decimal
import enum
import uuid
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duologue.errors import ToolError
from duologue.tools import FreeForm, function_tool, read_arguments

steady = settings(derandomize=True, deadline=None)


class Unit(enum.Enum):
    CELSIUS = "c"
    FAHRENHEIT = "f"


class Priority(enum.IntEnum):
    LOW = 1


@dataclass(frozen=True)
class Address:
    street: str
    floor: int = 0

    def __post_init__(self) -> None:
        if self.floor > 100:
            raise ValueError("secret internals")
        if self.floor < 0:
            raise ToolError("there are no cellars")


class Filters(TypedDict):
    query: str
    limit: NotRequired[int]


class Point(msgspec.Struct):
    x: Annotated[int, msgspec.Meta(ge=0)]


class Order(pydantic.BaseModel):
    sku: str = pydantic.Field(pattern="^[A-Z]+$")
    count: int = 1


def read(hint: Any, value: Any) -> Any:
    def tool(value: Any) -> None: ...

    tool.__annotations__ = {"value": hint}
    return read_arguments(function_tool(tool), {"value": value})["value"]


@pytest.mark.parametrize(
    ("hint", "value", "result"),
    [
        (int, 5, 5),
        (int, 5.0, 5),
        (float, 5, 5.0),
        (bool, False, False),
        (int | None, None, None),
        (int | str, "5", "5"),
        (bool | int, 1, 1),
        (Literal["a", "b"], "b", "b"),
        (Literal[1, 2], 2.0, 2),
        (Unit, "f", Unit.FAHRENHEIT),
        (Priority, "LOW", Priority.LOW),
        (Literal[Unit.CELSIUS], "c", Unit.CELSIUS),
        (list[int], [1, 2.0], [1, 2]),
        (set[str], ["a", "a"], {"a"}),
        (frozenset[str], ["a"], frozenset("a")),
        (tuple[str, ...], ["a", "b"], ("a", "b")),
        (tuple[str, int], ["a", 1.0], ("a", 1)),
        (Address, {"street": "High"}, Address("High")),
        (list[Address], [{"street": "High", "floor": 2}], [Address("High", 2)]),
        (Filters, {"query": "x"}, {"query": "x"}),
        (Annotated[dict[str, Any], FreeForm], {"a": [1, None]}, {"a": [1, None]}),
        (Annotated[dict[str, int], FreeForm], {"a": 1.0}, {"a": 1}),
        (Point, {"x": 1.0}, Point(1)),
        (Order, {"sku": "A", "count": 2.0}, Order(sku="A", count=2)),
        (Annotated[int, pydantic.Field(ge=1)], 1, 1),
        (datetime.date, "2026-11-22", datetime.date(2026, 11, 22)),
        (datetime.timedelta, "PT90S", datetime.timedelta(seconds=90)),
        (uuid.UUID, str(uuid.UUID(int=7)), uuid.UUID(int=7)),
        (decimal.Decimal, "1.50", decimal.Decimal("1.50")),
        (Address | str, {"street": "High"}, Address("High")),
    ],
    ids=str,
)
def test_values_are_built(hint: Any, value: Any, result: Any) -> None:
    built = read(hint, value)
    assert built == result
    assert type(built) is type(result)


@pytest.mark.parametrize(
    ("hint", "value", "text"),
    [
        (str, 5, "argument 'value' must be a string, not the number 5"),
        (int, "5", "argument 'value' must be a whole number, not '5'"),
        (int, 5.5, "argument 'value' must be a whole number, not the number 5.5"),
        (int, True, "argument 'value' must be a whole number, not true"),
        (int, None, "argument 'value' must be a whole number, not null"),
        (float, "1", "argument 'value' must be a number, not '1'"),
        (float, 10**400, "argument 'value' must be a number, not a huge number"),
        (float, True, "argument 'value' must be a number, not true"),
        (bool, 1, "argument 'value' must be true or false, not the number 1"),
        (str | None, 1, "argument 'value' must be a string, not the number 1"),
        (int | bool, "x", "argument 'value' must be a whole number or true or false, not 'x'"),
        (Literal["a", "b"], "c", "argument 'value' must be one of 'a', 'b', not 'c'"),
        (Literal[1, 2], True, "argument 'value' must be a whole number, not true"),
        (Unit, "k", "argument 'value' must be one of 'c', 'f', not 'k'"),
        (list[int], [1, "x"], "argument 'value[1]' must be a whole number, not 'x'"),
        (list[int], "12", "argument 'value' must be a list, not '12'"),
        (tuple[int, int], [1], "argument 'value' must be a list of 2, not a list of 1"),
        (Address, {"street": 1}, "argument 'value.street' must be a string, not the number 1"),
        (Address, {}, "argument 'value.street' is missing"),
        (
            Address,
            {"street": "x", "z": 1},
            "argument 'value.z' is unknown; known are 'value.street', 'value.floor'",
        ),
        (Address, "High", "argument 'value' must be an object, not 'High'"),
        (Address, {"street": "x", "floor": 101}, "argument 'value' is not acceptable"),
        (Address, {"street": "x", "floor": -1}, "there are no cellars"),
        (
            Annotated[dict[str, int], FreeForm],
            {"a": "b"},
            "argument 'value.a' must be a whole number, not 'b'",
        ),
        (Annotated[dict[str, int], FreeForm], [], "argument 'value' must be an object, not a list of 0"),
        (Point, {"x": 1, "y": 2}, "argument 'value.y' is unknown; known are 'value.x'"),
        (Point, {"x": -1}, "argument 'value' is not acceptable: Expected `int` >= 0 - at `$.x`"),
        (Point, {"x": "1"}, "argument 'value.x' must be a whole number, not '1'"),
        (
            Order,
            {"sku": "A", "cuont": 2},
            "argument 'value.cuont' is unknown; known are 'value.sku', 'value.count'",
        ),
        (Order, {"count": 2}, "argument 'value.sku' is missing"),
        (
            datetime.date,
            "tomorrow",
            "argument 'value' is not acceptable: Invalid RFC3339 encoded date",
        ),
        (datetime.date, 5, "argument 'value' must be a string, not the number 5"),
        (Address | str, {"street": 1}, "argument 'value.street' must be a string, not the number 1"),
        (Address | Filters, {}, "argument 'value.street' is missing; or argument 'value.query' is missing"),
        (
            Order,
            {"sku": "a"},
            "argument 'value' is not acceptable: sku: String should match pattern '^[A-Z]+$'",
        ),
    ],
    ids=str,
)
def test_refusals_say_what_and_where(hint: Any, value: Any, text: str) -> None:
    with pytest.raises(ToolError) as raised:
        read(hint, value)
    assert str(raised.value) == text


@function_tool
def weather(city: str, country: str, unit: Literal["c", "f"] = "c") -> None: ...


@function_tool
def nothing() -> None: ...


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"city": "Bonn"}, "argument 'country' is missing"),
        ({}, "arguments 'city', 'country' are missing"),
        (
            {"city": "a", "country": "b", "town": "c"},
            "argument 'town' is unknown; known are 'city', 'country', 'unit'",
        ),
        ({"city": "a", "country": "b", "unit": "k"}, "argument 'unit' must be one of 'c', 'f', not 'k'"),
        ({"city": "a", "country": "b", "unit": None}, "argument 'unit' must be a string, not null"),
    ],
)
def test_top_level_refusals(arguments: Any, text: str) -> None:
    with pytest.raises(ToolError) as raised:
        read_arguments(weather, arguments)
    assert str(raised.value) == text


def test_defaults_are_left_to_the_function() -> None:
    assert read_arguments(weather, {"city": "a", "country": "b"}) == {"city": "a", "country": "b"}


def test_a_tool_without_parameters_takes_none() -> None:
    assert read_arguments(nothing, {}) == {}
    with pytest.raises(ToolError, match="there are none to give"):
        read_arguments(nothing, {"x": 1})


def test_size_is_capped_at_the_byte() -> None:
    frame = len('{"city":"","country":"b"}')
    assert read_arguments(weather, {"city": "x" * (64 * 1024 - frame), "country": "b"})
    with pytest.raises(ToolError, match="65537 bytes, at most 65536"):
        read_arguments(weather, {"city": "x" * (64 * 1024 - frame + 1), "country": "b"})


def test_a_huge_unknown_name_is_not_repeated() -> None:
    with pytest.raises(ToolError) as raised:
        read_arguments(weather, {"city": "a", "country": "b", **{f"{n}" + "x" * 1000: 1 for n in range(50)}})
    assert len(str(raised.value)) < 1000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
HINTS: list[Any] = [
    str,
    int,
    float,
    bool,
    Unit,
    list[int],
    tuple[int, str],
    Address,
    Filters,
    Point,
    Order,
    int | str,
]
TOOLS = {str(hint): hint for hint in HINTS}


@steady
@given(st.sampled_from(sorted(TOOLS)), JSON)
def test_whatever_a_model_sends_is_built_or_refused_in_words(name: str, value: Any) -> None:
    try:
        built = read(TOOLS[name], value)
    except ToolError as exc:
        refusal = str(exc)
        assert 0 < len(refusal) < 2000  # either outcome is right
    else:
        assert built is not None

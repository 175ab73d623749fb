import datetime
import decimal
import enum
import functools
import inspect
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
    TypeVar,
    Union,
    cast,
)

import annotated_types
import msgspec
import pydantic
import pytest
from typing_extensions import TypeAliasType

from duologue.errors import ConfigError
from duologue.tools import FreeForm, FunctionTool, ToolContext, end_call, function_tool

T = TypeVar("T")


class Unit(enum.Enum):
    CELSIUS = "c"
    FAHRENHEIT = "f"


class Priority(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclass
class Address:
    """Where somebody lives.

    Args:
        street: With the number.
    """

    street: str
    city: Annotated[str, "The town."]
    floors: list[int] = field(default_factory=list)


@dataclass
class Node:
    value: str
    next: Optional["Node"] = None


class Nothing(enum.Enum):
    pass


@dataclass
class Opened:
    path: str
    key: InitVar[str]

    def __post_init__(self, key: str) -> None: ...


class Branch(msgspec.Struct):
    left: "Branch | None" = None


class Twig(pydantic.BaseModel):
    twigs: list["Twig"]


class Pair(msgspec.Struct, Generic[T]):
    left: T


@dataclass
class Empty:
    pass


class Filters(TypedDict):
    query: str
    limit: NotRequired[int]


class Point(msgspec.Struct):
    x: Annotated[int, msgspec.Meta(ge=0, description="From the left.")]
    label: str | None = None


class Order(pydantic.BaseModel):
    """An order."""

    sku: str = pydantic.Field(pattern="^[A-Z]+$", description="The article.")
    count: int = pydantic.Field(default=1, gt=0)
    colour: Literal["red", "blue"] | None = None


UserId = NewType("UserId", int)
Names = TypeAliasType("Names", list[str])


def schema_of(hint: Any) -> Any:
    def tool(value: Any) -> None: ...

    tool.__annotations__ = {"value": hint}
    return function_tool(tool).declaration()["parameters"]["properties"]["value"]


STRING, INTEGER = {"type": "STRING"}, {"type": "INTEGER"}


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (str, STRING),
        (int, INTEGER),
        (float, {"type": "NUMBER"}),
        (bool, {"type": "BOOLEAN"}),
        (UserId, INTEGER),
        (Names, {"type": "ARRAY", "items": STRING}),
        (datetime.datetime, {"type": "STRING", "format": "date-time"}),
        (datetime.date, {"type": "STRING", "description": "Format: date."}),
        (uuid.UUID | None, {"type": "STRING", "description": "Format: uuid.", "nullable": True}),
        (
            list[decimal.Decimal],
            {"type": "ARRAY", "items": {"type": "STRING", "description": "Format: decimal."}},
        ),
        (Pair[int], {"type": "OBJECT", "properties": {"left": INTEGER}, "required": ["left"]}),
        (Literal[True], {"type": "BOOLEAN", "description": "One of true."}),
        (Literal["a", "b"], {"type": "STRING", "enum": ["a", "b"]}),
        (Literal[1, 2], {"type": "INTEGER", "description": "One of 1, 2."}),
        (Literal["a", None], {"type": "STRING", "enum": ["a"], "nullable": True}),
        (
            Literal["auto", 1],
            {
                "anyOf": [
                    {"type": "STRING", "enum": ["auto"]},
                    {"type": "INTEGER", "description": "One of 1."},
                ]
            },
        ),
        (Unit, {"type": "STRING", "enum": ["c", "f"]}),
        (Priority, {"type": "STRING", "enum": ["LOW", "HIGH"]}),
        (Literal[Unit.CELSIUS], {"type": "STRING", "enum": ["c"]}),
        (list[str], {"type": "ARRAY", "items": STRING}),
        (Sequence[int], {"type": "ARRAY", "items": INTEGER}),
        (set[str], {"type": "ARRAY", "items": STRING}),
        (tuple[str, ...], {"type": "ARRAY", "items": STRING}),
        (tuple[int, int], {"type": "ARRAY", "items": INTEGER, "minItems": 2, "maxItems": 2}),
        (
            tuple[str, int],
            {
                "type": "ARRAY",
                "items": {"anyOf": [STRING, INTEGER]},
                "minItems": 2,
                "maxItems": 2,
                "description": "In this order: a string, a whole number.",
            },
        ),
        (Optional[int], {"type": "INTEGER", "nullable": True}),  # noqa: UP045 # both spellings count
        (str | None, {"type": "STRING", "nullable": True}),
        (Union[int, str], {"anyOf": [INTEGER, STRING]}),  # noqa: UP007 # both spellings count
        (Annotated[str, "The town."], {"type": "STRING", "description": "The town."}),
        (
            Annotated[Literal[1, 2], "A level."],
            {"type": "INTEGER", "description": "A level. One of 1, 2."},
        ),
        (Annotated[dict[str, Any], FreeForm], {"type": "OBJECT"}),
        (
            Address,
            {
                "type": "OBJECT",
                "description": "Where somebody lives.",
                "properties": {
                    "street": {"type": "STRING", "description": "With the number."},
                    "city": {"type": "STRING", "description": "The town."},
                    "floors": {"type": "ARRAY", "items": INTEGER},
                },
                "required": ["street", "city"],
            },
        ),
        (
            Filters,
            {"type": "OBJECT", "properties": {"query": STRING, "limit": INTEGER}, "required": ["query"]},
        ),
        (
            Point,
            {
                "type": "OBJECT",
                "properties": {
                    "x": {"type": "INTEGER", "description": "From the left.", "minimum": 0},
                    "label": {"type": "STRING", "nullable": True},
                },
                "required": ["x"],
            },
        ),
        (
            Order,
            {
                "type": "OBJECT",
                "description": "An order.",
                "properties": {
                    "sku": {"type": "STRING", "description": "The article.", "pattern": "^[A-Z]+$"},
                    "count": {"type": "INTEGER", "minimum": 1},
                    "colour": {"type": "STRING", "enum": ["red", "blue"], "nullable": True},
                },
                "required": ["sku"],
            },
        ),
        (Annotated[int, pydantic.Field(ge=1, le=5)], {"type": "INTEGER", "minimum": 1, "maximum": 5}),
        (
            Annotated[int, annotated_types.Gt(0), "How many."],
            {"type": "INTEGER", "minimum": 1, "description": "How many."},
        ),
    ],
    ids=str,
)
def test_hint_becomes_schema(hint: Any, schema: Any) -> None:
    assert schema_of(hint) == schema


@pytest.mark.parametrize(
    ("hint", "why"),
    [
        (Any, "Any cannot be declared"),
        (Nothing, "nothing to choose from"),
        (Opened, "wants 'key', which is none of its fields"),
        (list[Branch], r"\.left: .*contains itself"),
        (Twig, r"\.twigs\[\]: .*contains itself"),
        (bytearray, "bytearray cannot be declared"),
        (object, "object cannot be declared"),
        (bytes, "bytes cannot be declared"),
        (dict, "any keys"),
        (dict[str, int], "FreeForm"),
        (Mapping[str, str], "any keys"),
        (Annotated[dict[int, str], FreeForm], "must be str"),
        (list, r"write e\.g\. list\[str\]"),
        (tuple, r"write e\.g\. tuple\[str\]"),
        (tuple[()], "cannot be declared"),
        (Node, "contains itself"),
        (Empty, "without fields"),
        (set[Address], "items of a set"),
        (Literal["", "a"], "empty string"),
        (Literal[b"x"], "choice of bytes"),
        (Literal[None], "nothing to choose"),
        ("Nowhere", "Nowhere"),
        (list[Any], "Any"),
    ],
    ids=str,
)
def test_what_cannot_be_declared_names_function_and_parameter(hint: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=rf"^tool 'tool', parameter 'value'.*{why}"):
        schema_of(hint)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="no `type` statement")
def test_an_alias_of_itself_is_named() -> None:
    namespace: dict[str, Any] = {}
    exec("type Tree = list[Tree]", namespace)
    with pytest.raises(ConfigError, match="parameter 'value': Tree contains itself"):
        schema_of(namespace["Tree"])


def test_nested_place_is_named() -> None:
    @dataclass
    class Outer:
        things: dict[str, int]

    with pytest.raises(ConfigError, match=r"parameter 'value'\.things: "):
        schema_of(Outer)


def test_docstring_describes_tool_and_parameters() -> None:
    @function_tool
    def book(city: str, nights: int = 1, *, breakfast: bool = False) -> str:
        """Book a room.

        Only in cities we know.

        Args:
            city: Where to,
                in English.
            nights: How long.

        Returns:
            A confirmation.
        """
        return f"{city}{nights}{breakfast}"

    assert book.declaration() == {
        "name": "book",
        "description": "Book a room.\n\nOnly in cities we know.",
        "parameters": {
            "type": "OBJECT",
            "properties": {
                "city": {"type": "STRING", "description": "Where to, in English."},
                "nights": {"type": "INTEGER", "description": "How long."},
                "breakfast": {"type": "BOOLEAN"},
            },
            "required": ["city"],
        },
    }


def test_numpy_and_rest_docstrings() -> None:
    def numpy_style(city: str) -> None:
        """Say it.

        Parameters
        ----------
        city : str
            The town.
        """

    def rest_style(city: str) -> None:
        """Say it.

        :param city: The town.
        """

    for function in (numpy_style, rest_style):
        declared = function_tool(function).declaration()
        assert declared["description"] == "Say it."
        assert declared["parameters"]["properties"]["city"]["description"] == "The town."


def test_annotated_beats_docstring() -> None:
    @function_tool
    def tool(city: Annotated[str, "From the hint."], zone: Annotated[str, "Zone."] | None = None) -> None:
        """Do it.

        Args:
            city: From the docstring.
            zone: From the docstring.
        """

    properties = tool.declaration()["parameters"]["properties"]
    assert properties["city"]["description"] == "From the hint."
    assert properties["zone"] == {"type": "STRING", "description": "Zone.", "nullable": True}


def test_no_parameters_are_omitted() -> None:
    @function_tool(behavior="NON_BLOCKING")
    def now() -> str:
        """Tell the time."""
        return "noon"

    assert now.declaration() == {"name": "now", "description": "Tell the time.", "behavior": "NON_BLOCKING"}
    assert now.parameters == {"type": "OBJECT", "properties": {}}


def test_context_is_injected_not_declared() -> None:
    @function_tool
    def tool(a: int, context: ToolContext) -> None: ...

    @function_tool
    def other(a: int, context: ToolContext | None = None) -> None: ...

    for declared in (tool, other):
        assert declared.context_parameter == "context"
        assert list(declared.declaration()["parameters"]["properties"]) == ["a"]


def test_declaration_is_a_new_dict_each_time() -> None:
    @function_tool
    def tool(choice: Literal["a"]) -> None: ...

    tool.declaration()["parameters"]["properties"]["choice"]["enum"].append("b")
    assert tool.declaration()["parameters"]["properties"]["choice"]["enum"] == ["a"]


def test_tool_is_called_like_the_function() -> None:
    @function_tool(name="adder", description="Sums.")
    def add(a: int, b: int = 1) -> int:
        """Add."""
        return a + b

    assert add(1) == 2
    assert add(a=1, b=2) == 3
    assert (add.name, add.description) == ("adder", "Sums.")
    assert str(inspect.signature(add)) == "(a: int, b: int = 1) -> int"
    assert cast("Any", add).__name__ == "add"
    assert "__wrapped__" not in dir(FunctionTool)
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = add.nothing_such  # type: ignore[attr-defined]  # the point of the test


class Shop:
    def __init__(self, name: str) -> None:
        self.name = name

    def greet(self, who: str) -> str:
        """Greet a customer."""
        return f"{self.name} greets {who}"

    async def __call__(self, item: str) -> str:
        """Sell an item."""
        return item


def test_bound_methods_partials_and_callable_objects() -> None:
    greet = function_tool(Shop("Ada").greet)
    assert greet(who="Bo") == "Ada greets Bo"
    assert greet.declaration()["parameters"]["required"] == ["who"]

    def power(base: int, exponent: int) -> int:
        """Raise a number."""
        return int(base**exponent)

    square = function_tool(name="square")(functools.partial(power, exponent=2))
    assert (square(base=3), square.description) == (9, "Raise a number.")
    assert square.declaration()["parameters"]["required"] == ["base"]

    sell = function_tool(name="sell")(Shop("Ada"))
    assert (sell.kind, sell.description) == ("async", "Sell an item.")


def test_unbound_method_is_refused_with_a_way_out() -> None:
    with pytest.raises(ConfigError, match=r"'self'.*function_tool\(instance\.method\)"):
        function_tool(Shop.greet)


def test_kinds() -> None:
    async def coroutine() -> None: ...

    async def stream() -> AsyncIterator[int]:
        yield 1

    def generator() -> Iterator[int]:
        yield 1

    assert function_tool(coroutine).kind == "async"
    assert (function_tool(stream).kind, function_tool(stream).behavior) == ("stream", "NON_BLOCKING")
    with pytest.raises(ConfigError, match="async generator"):
        function_tool(generator)
    with pytest.raises(ConfigError, match="BLOCKING"):
        function_tool(behavior="BLOCKING")(stream)
    with pytest.raises(ConfigError, match="not a function"):
        function_tool(Shop)


@pytest.mark.parametrize("name", ["", "a b", "1st", "-x", "x" * 65, "ümlaut", "<lambda>", "a.b", "a\n"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="1 to 64 letters"):
        function_tool(name=name)(Shop("x").greet)


@pytest.mark.parametrize("name", ["a", "_a", "get-weather_2", "x" * 64])
def test_good_names(name: str) -> None:
    assert function_tool(name=name)(Shop("x").greet).declaration()["name"] == name


@pytest.mark.parametrize(
    "options",
    [
        {"behavior": "blocking"},
        {"scheduling": "LATER"},
        {"on_lost": "forget"},
        {"timeout_s": 0},
        {"timeout_s": float("nan")},
        {"dedupe_within_s": -1.0},
        {"behavior": "BLOCKING", "scheduling": "SILENT"},
    ],
    ids=str,
)
def test_bad_options_are_refused(options: Any) -> None:
    with pytest.raises(ConfigError, match="tool 'greet'"):
        function_tool(**options)(Shop("x").greet)


def test_bad_signatures_are_refused() -> None:
    def many(*values: int) -> None: ...

    def keywords(**values: int) -> None: ...

    def positional(value: int, /) -> None: ...

    def bare(value) -> None: ...  # type: ignore[no-untyped-def]  # the point of the test

    for function, why in (
        (many, "args"),
        (keywords, "kwargs"),
        (positional, "positional-only"),
        (bare, "no type hint"),
    ):
        with pytest.raises(ConfigError, match=rf"tool '{function.__name__}', parameter 'value\w*': .*{why}"):
            function_tool(function)


def test_end_call_is_declared() -> None:
    declared = end_call.declaration()
    assert declared["name"] == "end_call"
    assert declared["description"].startswith("End the call.")
    assert "parameters" not in declared


def test_import_is_cheap() -> None:
    code = "import sys, duologue.tools; print([m for m in ('docstring_parser', 'msgspec', 'pydantic') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "[]"

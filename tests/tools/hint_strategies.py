"""Type hints and JSON Schemas as hypothesis draws them, with all that a tool's author might write."""

import dataclasses
import datetime
import decimal
import enum
import itertools
import keyword
import uuid
from typing import Annotated, Any, Literal, Optional, TypedDict, Union

import msgspec
import pydantic
from hypothesis import strategies as st

_numbers = itertools.count()
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: not keyword.iskeyword(name) and not hasattr(pydantic.BaseModel, name)
)
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
PATTERNS = st.sampled_from(["^a", "[0-9]{2}", "x|y"])


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


SCALARS: st.SearchStrategy[Any] = st.sampled_from([str, int, float, bool])
STANDARD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(datetime.date, datetime.datetime, datetime.time, datetime.timedelta),
        *(uuid.UUID, decimal.Decimal, Size, Level),
    ]
)


@st.composite
def literals(draw: st.DrawFn) -> Any:
    choices = draw(
        st.lists(WORDS | st.integers(-9, 9) | st.booleans(), min_size=1, max_size=4, unique_by=repr)
    )
    return Literal[tuple(choices)]


@st.composite
def msgspec_constrained(draw: st.DrawFn) -> Any:
    kind = draw(st.sampled_from([int, float, str, list[int]]))
    low, high = sorted(draw(st.lists(st.integers(0, 6), min_size=2, max_size=2)))
    if kind in (int, float):
        bounds: dict[str, Any] = {draw(st.sampled_from(["ge", "gt"])): low}
        bounds |= {draw(st.sampled_from(["le", "lt"])): high + 2}
        bounds |= {"multiple_of": 2} if kind is int and draw(st.booleans()) else {}
    else:
        bounds = {"min_length": low, "max_length": high}
        bounds |= {"pattern": draw(PATTERNS)} if kind is str and draw(st.booleans()) else {}
    return Annotated[kind, msgspec.Meta(**bounds, description=draw(WORDS))]


@st.composite
def pydantic_constrained(draw: st.DrawFn) -> Any:
    if draw(st.booleans()):
        return Annotated[int, pydantic.Field(gt=draw(st.integers(-5, 5)), description=draw(WORDS))]
    return Annotated[str, pydantic.Field(max_length=draw(st.integers(1, 9)), pattern=draw(PATTERNS))]


def _fields(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(NAMES, inner, min_size=1, max_size=3)


@st.composite
def records(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> Any:
    fields = draw(_fields(inner))
    name = f"Record{next(_numbers)}"
    if draw(st.booleans()):
        return dataclasses.make_dataclass(name, list(fields.items()))
    return TypedDict(name, fields, total=draw(st.booleans()))  # type: ignore[operator]  # made on the fly


@st.composite
def pydantic_models(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> Any:
    fields = {
        name: (hint, ... if draw(st.booleans()) else None) for name, hint in draw(_fields(inner)).items()
    }
    return pydantic.create_model(f"Model{next(_numbers)}", **fields)  # type: ignore[call-overload]  # likewise


@st.composite
def msgspec_structs(draw: st.DrawFn, /, inner: st.SearchStrategy[Any], **options: Any) -> Any:
    fields = list(draw(_fields(inner)).items())
    return msgspec.defstruct(f"Struct{next(_numbers)}", fields, **options)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        inner.map(lambda hint: Optional[hint]),  # noqa: UP045 # made at run time
        inner.map(lambda hint: list[hint]),  # type: ignore[valid-type]  # likewise
        st.lists(inner, min_size=1, max_size=3).map(lambda hints: tuple[tuple(hints)]),  # type: ignore[misc]  # likewise
        st.tuples(inner, inner).map(lambda hints: Union[hints]),  # noqa: UP007
        st.tuples(inner, WORDS).map(lambda pair: Annotated[pair[0], pair[1]]),
        records(inner),
    )


HINTS: st.SearchStrategy[Any] = st.recursive(
    SCALARS
    | STANDARD
    | literals()
    | msgspec_constrained()
    | pydantic_constrained()
    | pydantic_models(SCALARS | literals() | pydantic_constrained() | SCALARS.map(lambda hint: list[hint]))  # type: ignore[valid-type]
    | msgspec_structs(SCALARS | msgspec_constrained()),
    _nested,
    max_leaves=6,
)

# What both msgspec and we can judge values of: only plain JSON, structs that refuse unknown fields.
JUDGED: st.SearchStrategy[Any] = st.recursive(
    SCALARS | msgspec_constrained() | literals(),
    lambda inner: st.one_of(
        inner.map(lambda hint: list[hint]),  # type: ignore[valid-type]
        msgspec_structs(inner, forbid_unknown_fields=True),
    ),
    max_leaves=4,
)

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)

_KEYS: dict[str, st.SearchStrategy[Any]] = {
    "title": WORDS,
    "description": WORDS,
    "default": JSON,
    "examples": st.lists(JSON, max_size=2),
    "nullable": st.booleans(),
    "format": st.sampled_from(["date-time", "uuid", "int32", "float", "enum"]),
    "minimum": st.integers(-5, 5) | st.floats(-5, 5),
    "exclusiveMaximum": st.integers(-5, 5) | st.booleans(),
    "multipleOf": st.integers(1, 5),
    "minLength": st.integers(0, 5),
    "maxItems": st.integers(0, 5),
    "minProperties": st.integers(0, 3),
    "uniqueItems": st.booleans(),
    "pattern": PATTERNS,
    "enum": st.lists(JSON, max_size=3),
    "const": JSON,
    "additionalProperties": st.booleans(),
    "not": st.just({"type": "string"}),
    "x-vendor": JSON,
}
_TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])


@st.composite
def _schemas(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> dict[str, Any]:
    keys = draw(st.lists(st.sampled_from(sorted(_KEYS)), max_size=3, unique=True))
    schema = {key: draw(_KEYS[key]) for key in keys}
    structure = draw(
        st.sampled_from(["items", "prefixItems", "properties", "anyOf", "oneOf", "allOf", "$ref", ""])
    )
    if structure in ("prefixItems", "anyOf", "oneOf", "allOf"):
        schema[structure] = draw(st.lists(inner, min_size=1, max_size=2))
    elif structure == "items":
        schema[structure] = draw(inner)
    elif structure == "properties":
        schema[structure] = draw(st.dictionaries(NAMES, inner, min_size=1, max_size=3))
        schema["required"] = draw(st.lists(st.sampled_from(sorted(schema[structure])), max_size=2))
    elif structure == "$ref":
        schema[structure] = draw(st.sampled_from(["#/$defs/a", "#/$defs/b"]))
    if draw(st.booleans()):
        schema["type"] = draw(_TYPES | st.lists(_TYPES, min_size=1, max_size=2, unique=True))
    return schema


_LEAVES = _TYPES.map(lambda kind: {"type": kind}) | st.sampled_from(
    [{"type": "string", "maxLength": 3}, {}, True]
)


@st.composite
def json_schemas(draw: st.DrawFn) -> dict[str, Any]:
    """An object schema as a stranger may have written it: mostly valid JSON Schema, often not sayable."""
    inner = st.recursive(_LEAVES, _schemas, max_leaves=5)
    return {
        "type": "object",
        "properties": draw(st.dictionaries(NAMES, inner, max_size=3)),
        "$defs": {"a": draw(inner), "b": draw(inner)},
    }

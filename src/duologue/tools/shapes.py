"""The shapes arguments can have: each can declare itself and read a value.

One object does both, so what the model was told and what is accepted from it cannot drift apart.
Values come from a model that listens to strangers: they are read strictly, never coerced. The one
leniency is a whole number written with a fraction (``5.0``), which is how some models write them.

Every ``read`` takes a decoded JSON value and where it stands (``"address.city"``, ``"tags[2]"``),
and raises ``ToolError`` with a sentence meant for the model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from duologue.errors import ToolError
from duologue.tools.conform import check, refuse, refuse_any, refuse_unknown, where
from duologue.tools.schema import add_description, label_of, say_choices, say_order, wire_schema

__all__ = [
    "AnyOf",
    "Choice",
    "Described",
    "Field",
    "Fixed",
    "Flag",
    "Foreign",
    "ListOf",
    "Nullable",
    "Number",
    "Open",
    "Record",
    "Shape",
    "Text",
    "Whole",
]

Json = dict[str, Any]


class Shape(Protocol):
    """What an argument looks like on the wire and in Python."""

    @property
    def label(self) -> str:
        """Name it in an error message: "a string"."""
        ...

    def schema(self) -> Json:
        """Build its Schema for the wire: a new dict."""
        ...

    def read(self, value: Any, at: str) -> Any:
        """Check a JSON value and build the Python one; raise ``ToolError`` if it does not fit."""
        ...


@dataclass(frozen=True, slots=True)
class Text:
    """A ``str``."""

    label: str = "a string"

    def schema(self) -> Json:
        """Build its Schema."""
        return {"type": "STRING"}

    def read(self, value: Any, at: str) -> str:
        """Read a string."""
        return value if isinstance(value, str) else refuse(at, self.label, value)


@dataclass(frozen=True, slots=True)
class Whole:
    """An ``int``; 5.0 is one, True is not."""

    label: str = "a whole number"

    def schema(self) -> Json:
        """Build its Schema."""
        return {"type": "INTEGER"}

    def read(self, value: Any, at: str) -> int:
        """Read a whole number."""
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        return refuse(at, self.label, value)


@dataclass(frozen=True, slots=True)
class Number:
    """A finite ``float``; an integer becomes one."""

    label: str = "a number"

    def schema(self) -> Json:
        """Build its Schema."""
        return {"type": "NUMBER"}

    def read(self, value: Any, at: str) -> float:
        """Read a number."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:
                return refuse(at, self.label, value)
            if math.isfinite(number):
                return number
        return refuse(at, self.label, value)


@dataclass(frozen=True, slots=True)
class Flag:
    """A ``bool``; 0 and 1 are not."""

    label: str = "true or false"

    def schema(self) -> Json:
        """Build its Schema."""
        return {"type": "BOOLEAN"}

    def read(self, value: Any, at: str) -> bool:
        """Read true or false."""
        return value if isinstance(value, bool) else refuse(at, self.label, value)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several constants of one type: a ``Literal`` or an ``Enum``.

    The service's ``enum`` holds strings only; other constants are listed in the description.
    """

    base: Shape
    options: Mapping[Any, Any]
    """From what the model says to what the function gets."""

    @property
    def label(self) -> str:
        """Name the choices."""
        return "one of " + ", ".join(repr(option) for option in self.options)

    def schema(self) -> Json:
        """Build its Schema."""
        schema = self.base.schema()
        if schema["type"] == "STRING":
            return {**schema, "enum": list(self.options)}
        return add_description(schema, say_choices(list(self.options)))

    def read(self, value: Any, at: str) -> Any:
        """Read one of the choices."""
        plain = self.base.read(value, at)
        return self.options[plain] if plain in self.options else refuse(at, self.label, value)


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list, set, frozenset or tuple of items of one shape."""

    item: Shape
    build: Callable[[Iterable[Any]], Any] = list

    @property
    def label(self) -> str:
        """Name it."""
        return "a list"

    def schema(self) -> Json:
        """Build its Schema."""
        return {"type": "ARRAY", "items": self.item.schema()}

    def read(self, value: Any, at: str) -> Any:
        """Read every item."""
        if not isinstance(value, list | tuple):
            return refuse(at, self.label, value)
        items = cast("Sequence[Any]", value)
        return self.build(self.item.read(item, f"{at}[{index}]") for index, item in enumerate(items))


@dataclass(frozen=True, slots=True)
class Fixed:
    """A tuple with a shape for each place."""

    places: tuple[Shape, ...]

    @property
    def label(self) -> str:
        """Name it."""
        return f"a list of {len(self.places)}"

    def schema(self) -> Json:
        """Build its Schema; the service knows no order of types within a list."""
        kinds: list[Json] = []
        for place in self.places:
            schema = place.schema()
            if schema not in kinds:
                kinds.append(schema)
        items = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
        size = len(self.places)
        schema = {"type": "ARRAY", "items": items, "minItems": size, "maxItems": size}
        if len(kinds) == 1:
            return schema
        return add_description(schema, say_order([place.label for place in self.places]))

    def read(self, value: Any, at: str) -> tuple[Any, ...]:
        """Read every place."""
        items = cast("Sequence[Any]", value) if isinstance(value, list | tuple) else ()
        if len(items) != len(self.places):
            return refuse(at, self.label, cast("object", value))
        pairs = zip(self.places, items, strict=True)
        return tuple(place.read(item, f"{at}[{index}]") for index, (place, item) in enumerate(pairs))


@dataclass(frozen=True, slots=True)
class Open:
    """A mapping with keys nobody declared: only where the tool's author allows it."""

    value: Shape | None
    """None: values of any kind."""
    label: str = "an object"

    def schema(self) -> Json:
        """Build its Schema: no properties."""
        return {"type": "OBJECT"}

    def read(self, value: Any, at: str) -> Json:
        """Read every value."""
        if not isinstance(value, Mapping):
            return refuse(at, self.label, value)
        items = cast("Mapping[str, Any]", value).items()
        return {key: self.value.read(item, f"{at}.{key}") if self.value else item for key, item in items}


@dataclass(frozen=True, slots=True)
class Nullable:
    """A shape or null."""

    inner: Shape

    @property
    def label(self) -> str:
        """Name it."""
        return f"{self.inner.label} or null"

    def schema(self) -> Json:
        """Build its Schema."""
        return {**self.inner.schema(), "nullable": True}

    def read(self, value: Any, at: str) -> Any:
        """Read null as None."""
        return None if value is None else self.inner.read(value, at)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The first of several shapes that fits."""

    options: tuple[Shape, ...]

    @property
    def label(self) -> str:
        """Name the shapes."""
        return " or ".join(dict.fromkeys(option.label for option in self.options))

    def schema(self) -> Json:
        """Build its Schema."""
        return {"anyOf": [option.schema() for option in self.options]}

    def read(self, value: Any, at: str) -> Any:
        """Try the shapes in the order in which they were written."""
        refusals: list[tuple[str, ToolError]] = []
        for option in self.options:
            try:
                return option.read(value, at)
            except ToolError as exc:
                refusals.append((option.label, exc))
        return refuse_any(at, value, refusals)


@dataclass(frozen=True, slots=True)
class Described:
    """A shape with words for the model."""

    inner: Shape
    text: str

    @property
    def label(self) -> str:
        """Name what is described."""
        return self.inner.label

    def schema(self) -> Json:
        """Build its Schema."""
        return add_description(self.inner.schema(), self.text)

    def read(self, value: Any, at: str) -> Any:
        """Read what is described."""
        return self.inner.read(value, at)


@dataclass(frozen=True, slots=True)
class Field:
    """A named part of a record."""

    shape: Shape
    required: bool


@dataclass(frozen=True, slots=True)
class Record:
    """Named fields: a dataclass, a TypedDict, or the arguments of a function."""

    fields: Mapping[str, Field]
    build: Callable[..., Any] = dict
    description: str = ""
    """From the docstring of its class."""
    label: str = "an object"

    def schema(self) -> Json:
        """Build its Schema."""
        properties = {name: field.shape.schema() for name, field in self.fields.items()}
        schema: Json = {"type": "OBJECT", "properties": properties}
        if self.description:
            schema["description"] = self.description
        required = [name for name, field in self.fields.items() if field.required]
        return {**schema, "required": required} if required else schema

    def read(self, value: Any, at: str) -> Any:
        """Read every field; absent ones that have a default are left to ``build``."""
        if not isinstance(value, Mapping):
            return refuse(at, self.label, value)
        given = cast("Mapping[str, Any]", value)
        required = [name for name, field in self.fields.items() if field.required]
        refuse_unknown(given, self.fields, required, at)
        prefix = f"{at}." if at else ""
        values = {name: self.fields[name].shape.read(item, prefix + name) for name, item in given.items()}
        try:
            return self.build(**values)
        except ToolError:
            raise
        except Exception as exc:
            # The text of a stranger's exception is for the application, not for the model.
            raise ToolError(not_acceptable(at)) from exc


@dataclass(frozen=True, slots=True)
class Foreign:
    """A type that another library (msgspec, pydantic) declares and builds.

    Its fields and types are checked here first: those libraries let unknown fields pass, and take text
    for numbers. Bounds and patterns are left to them.
    """

    plain: Json
    """The library's JSON Schema in the plain form."""
    build: Callable[[Any], Any]
    """Raises ``ToolError`` with that library's sentence."""

    @property
    def label(self) -> str:
        """Name what its schema describes."""
        return label_of(self.plain)

    def schema(self) -> Json:
        """Build its Schema."""
        return wire_schema(self.plain)

    def read(self, value: Any, at: str) -> Any:
        """Check the value against the schema, then build."""
        checked = check(value, self.plain, at, limits=False)
        try:
            return self.build(checked)
        except ToolError as exc:
            raise ToolError(f"{not_acceptable(at)}: {exc}") from exc


def not_acceptable(at: str) -> str:
    """Say that the value at a place has the right shape and still won't do."""
    return f"{where(at)} {'is' if at else 'are'} not acceptable"

"""Strategies for every wire struct, read off its own annotations, and JSON in any spelling."""

from __future__ import annotations

import types
import typing
from typing import Any

import msgspec
from hypothesis import strategies as st

from duologue.wire import base, client, content, grounding, server, tooling
from duologue.wire.base import Struct

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
keys = st.sampled_from(["a", "some_key", "someKey", "mime_type", "Ünï", ""])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | words,
    lambda below: st.lists(below, max_size=2) | st.dictionaries(keys, below, max_size=2),
    max_leaves=4,
)
objects = st.dictionaries(keys, json_values, max_size=3)

STRUCTS: list[type[Struct]] = sorted(
    {
        member
        for module in (base, client, content, grounding, server, tooling)
        for member in vars(module).values()
        if isinstance(member, type) and issubclass(member, Struct) and member is not Struct
    },
    key=lambda cls: cls.__name__,
)


def struct_below(annotation: Any) -> type[Struct] | None:
    """The struct inside ``X | None`` or ``list[X]``, if there is one."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation if issubclass(annotation, Struct) else None
    if typing.get_origin(annotation) in (list, typing.Union, types.UnionType):
        return next(filter(None, map(struct_below, typing.get_args(annotation))), None)
    return None


def value_of(annotation: Any) -> st.SearchStrategy[Any]:
    """A strategy for one field."""
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: words,
        bool: st.booleans(),
        int: st.integers(-(2**31), 2**31),
        float: st.floats(-1e6, 1e6, width=32),
        type(None): st.none(),
        Any: json_values,
    }
    if annotation in plain:
        return plain[annotation]
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin is list:
        return st.lists(value_of(arguments[0]), max_size=2)
    if origin is dict:
        return objects if arguments[1] is Any else st.dictionaries(keys, words, max_size=2)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([value_of(argument) for argument in arguments])
    assert issubclass(annotation, Struct)
    return struct_of(annotation)


def struct_of(cls: type[Struct]) -> st.SearchStrategy[Any]:
    """A strategy for a whole struct; most fields stay absent, as on the wire."""
    fields = {field.name: field.type for field in msgspec.structs.fields(cls)}
    if not fields:
        return st.builds(cls)
    names = st.sets(st.sampled_from(sorted(fields)), max_size=3)
    return names.flatmap(lambda chosen: st.builds(cls, **{name: value_of(fields[name]) for name in chosen}))


def respelt(value: Any, cls: type[Struct], snake: typing.Callable[[], bool]) -> Any:
    """Return the same JSON with each of the schema's own names in snake_case where ``snake()`` says so."""
    if isinstance(value, list):
        return [respelt(item, cls, snake) for item in value]
    by_wire_name = {field.encode_name: field for field in msgspec.structs.fields(cls)}
    result: dict[str, Any] = {}
    for name, child in value.items():
        field = by_wire_name[name]
        below = struct_below(field.type)
        spelt = field.name if snake() else name
        result[spelt] = child if below is None or child is None else respelt(child, below, snake)
    return result

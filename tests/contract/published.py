"""Google's published protobuf contract of the Live API, beside our structs.

``google.protobuf.json_format`` is the grammar that the service reads JSON by, so what it refuses, the
service would. The package is imported when a frame is first judged: it brings gRPC along, which takes
most of a second.
"""

from __future__ import annotations

import types
import typing
import warnings
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Literal

import msgspec
from tests.contract.lists import NEWER, NEWER_VALUES

from duologue.wire.base import Struct
from duologue.wire.client import ClientMessage
from duologue.wire.server import ServerMessage

if typing.TYPE_CHECKING:
    from collections.abc import Iterator

Side = Literal["client", "server"]
OURS: dict[Side, type[Struct]] = {"client": ClientMessage, "server": ServerMessage}

PLAIN_JSON = frozenset(
    {
        "google.protobuf.Duration",
        "google.protobuf.Timestamp",
        "google.protobuf.Struct",
        "google.protobuf.Value",
        "google.ai.generativelanguage.v1beta.Schema",
    }
)
"""Messages that have no struct of ours: protobuf writes the first four as plain JSON, and a schema is a
dict by choice (see ``wire.base``)."""


@cache
def message_class(side: Side) -> Any:
    """The protobuf class of one direction's frames."""
    name = {"client": "BidiGenerateContentClientMessage", "server": "BidiGenerateContentServerMessage"}[side]
    with warnings.catch_warnings():  # what other people's packages warn of is not about our code
        warnings.simplefilter("ignore")
        published: Any = import_module("google.ai.generativelanguage_v1beta")
    return getattr(published, name).pb()


def parse(frame: bytes | str, side: Side) -> None:
    """Read a frame strictly: unknown fields, unknown enum values and wrong types are errors.

    Raises:
        google.protobuf.json_format.ParseError: Says what the contract has against it.
    """
    json_format: Any = import_module("google.protobuf.json_format")
    json_format.Parse(frame, message_class(side)())


def refusal(frame: bytes | str, side: Side) -> str | None:
    """Why the contract refuses a frame as it is; None if it does not."""
    json_format: Any = import_module("google.protobuf.json_format")
    try:
        parse(frame, side)
    except json_format.ParseError as error:
        return str(error)
    return None


def complaint(frame: bytes | str, side: Side) -> str | None:
    """What the contract has against a frame once the fields that are newer than it are left out."""
    try:
        value = msgspec.json.decode(frame)
    except msgspec.DecodeError as error:
        return str(error)
    return refusal(msgspec.json.encode(without_newer(value, OURS[side])), side)


def without_newer(value: Any, cls: type[Struct]) -> Any:
    """Leave out what stands in ``NEWER`` and ``NEWER_VALUES``, found by walking beside our own structs."""
    if isinstance(value, list):
        return [without_newer(item, cls) for item in value]
    if not isinstance(value, dict):
        return value
    fields = spellings(cls)
    kept: dict[str, Any] = {}
    for key, child in value.items():
        field = fields.get(key)
        if field is None:
            kept[key] = child  # nobody's: the contract will say so
            continue
        name = f"{cls.__name__}.{field.wire_name}"
        if name in newer_fields() or (isinstance(child, str) and (name, child) in NEWER_VALUES):
            continue
        kept[key] = child if field.below is None else without_newer(child, field.below)
    return kept


@cache
def newer_fields() -> frozenset[str]:
    """The fields on the list, with ``Struct.*`` written out."""
    named = {cls.__name__: cls for cls in reachable(*OURS.values())}
    fields: set[str] = set()
    for name in NEWER:
        struct, _, wire_name = name.partition(".")
        whole = wire_name == "*"
        fields |= {f"{struct}.{field.wire_name}" for field in fields_of(named[struct])} if whole else {name}
    return frozenset(fields)


@dataclass(frozen=True)
class Field:
    """One field of a struct of ours."""

    wire_name: str
    snake_name: str
    annotation: Any
    below: type[Struct] | None


@cache
def fields_of(cls: type[Struct]) -> tuple[Field, ...]:
    return tuple(
        Field(field.encode_name, field.name, field.type, struct_in(field.type))
        for field in msgspec.structs.fields(cls)
    )


@cache
def spellings(cls: type[Struct]) -> dict[str, Field]:
    fields = fields_of(cls)
    return {field.snake_name: field for field in fields} | {field.wire_name: field for field in fields}


def struct_in(annotation: Any) -> type[Struct] | None:
    """The struct inside ``X | None`` or ``list[X]``, if there is one."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation if issubclass(annotation, Struct) else None
    if typing.get_origin(annotation) in (list, typing.Union, types.UnionType):
        return next(filter(None, map(struct_in, typing.get_args(annotation))), None)
    return None


@dataclass(frozen=True)
class Pair:
    """A published message and the struct of ours that carries it."""

    descriptor: Any
    ours: type[Struct]


def pairs() -> Iterator[Pair]:
    """Every published message below a frame of either direction, with its struct; each pair once."""
    waiting = [Pair(message_class(side).DESCRIPTOR, cls) for side, cls in OURS.items()]
    seen: set[tuple[str, type[Struct]]] = set()
    while waiting:
        pair = waiting.pop()
        key = (pair.descriptor.full_name, pair.ours)
        if key in seen:
            continue
        seen.add(key)
        yield pair
        by_name = {field.wire_name: field for field in fields_of(pair.ours)}
        for published in pair.descriptor.fields:
            below = by_name[published.json_name].below if published.json_name in by_name else None
            if published.message_type is not None and below is not None:
                waiting.append(Pair(published.message_type, below))


def reachable(*roots: type[Struct]) -> Iterator[type[Struct]]:
    """Every struct of ours below these, themselves included."""
    waiting, seen = list(roots), set[type[Struct]]()
    while waiting:
        cls = waiting.pop()
        if cls not in seen:
            seen.add(cls)
            yield cls
            waiting.extend(field.below for field in fields_of(cls) if field.below is not None)

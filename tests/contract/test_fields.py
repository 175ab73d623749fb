"""A walk over Google's descriptors: every published field is in our structs, by its name and type."""

from __future__ import annotations

import types
import typing
from types import GenericAlias
from typing import Any

import pytest
from tests.contract import published as contract
from tests.contract.lists import NEWER, NEWER_VALUES, OTHERWISE

from duologue.wire.base import Struct

google = pytest.importorskip(
    "google.protobuf.descriptor", reason="the published contract, see requirements/dev.in"
)
Kind = google.FieldDescriptor

_SCALARS: dict[int, tuple[Any, ...]] = {
    Kind.TYPE_STRING: (str,),
    Kind.TYPE_BYTES: (str,),  # base64
    Kind.TYPE_ENUM: (str,),  # by name
    Kind.TYPE_BOOL: (bool,),
    Kind.TYPE_INT32: (int,),
    Kind.TYPE_INT64: (int, str),  # protobuf writes it in quotes
    Kind.TYPE_FLOAT: (float,),
    Kind.TYPE_DOUBLE: (float,),
}
_PLAIN: dict[str, tuple[Any, ...]] = {
    "google.protobuf.Duration": (str,),
    "google.protobuf.Timestamp": (str,),
    "google.protobuf.Struct": (dict[str, Any],),
    "google.protobuf.Value": (Any,),
}


def alternatives(annotation: Any) -> set[Any]:
    """The types of a field of ours, absence left out."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return set(typing.get_args(annotation)) - {type(None)}
    return {annotation}


def wanted(field: Any, ours: contract.Field) -> set[Any]:
    """What the annotation of ``ours`` has to be for this published field."""
    message = field.message_type
    plain: tuple[Any, ...]
    if message is None:
        plain = _SCALARS[field.type]
    elif message.full_name in _PLAIN:
        plain = _PLAIN[message.full_name]
    else:
        plain = (ours.below or Struct,)
    if field.is_repeated:
        return {GenericAlias(list, (item,)) for item in plain}
    return set(plain)


def published_fields() -> list[tuple[str, Any, contract.Pair]]:
    return [
        (f"{pair.ours.__name__}.{field.json_name}", field, pair)
        for pair in contract.pairs()
        for field in pair.descriptor.fields
    ]


def test_every_published_field_is_in_our_structs_with_its_type() -> None:
    wrong: dict[str, str] = {}
    for name, field, pair in published_fields():
        ours = {found.wire_name: found for found in contract.fields_of(pair.ours)}.get(field.json_name)
        if ours is None:
            wrong[name] = f"missing: {field.full_name}"
        elif alternatives(ours.annotation) != wanted(field, ours):
            wrong[name] = f"{ours.annotation} where {field.full_name} is {wanted(field, ours)}"
    assert wrong.keys() == OTHERWISE.keys(), wrong


def test_the_walk_reaches_everything_published() -> None:
    """A message that no struct carries is one of those protobuf writes as plain JSON, or a schema."""
    seen, waiting = set[str](), [contract.message_class(side).DESCRIPTOR for side in contract.OURS]
    while waiting:
        message = waiting.pop()
        if message.full_name not in seen:
            seen.add(message.full_name)
            if message.full_name not in contract.PLAIN_JSON:
                waiting.extend(field.message_type for field in message.fields if field.message_type)
    walked = {pair.descriptor.full_name for pair in contract.pairs()}
    assert seen - walked == contract.PLAIN_JSON
    assert len(walked) >= 60
    assert len(published_fields()) >= 200


def test_names_follow_one_rule() -> None:
    """The wire's names are ours in camelCase; protobuf takes the snake_case ones too, and so do we."""
    for name, field, pair in published_fields():
        ours = contract.spellings(pair.ours)[field.json_name]
        assert ours.snake_name == field.name, name


def test_newer_fields_stand_on_one_list_with_sources() -> None:
    published = {name for name, _, _ in published_fields()}
    ours = {
        f"{cls.__name__}.{field.wire_name}"
        for cls in contract.reachable(*contract.OURS.values())
        for field in contract.fields_of(cls)
    }
    assert contract.newer_fields() == ours - published
    assert all(newer.source for newer in NEWER.values())


def test_newer_values_are_not_published_and_belong_to_a_published_enum() -> None:
    enums = {name: field.enum_type for name, field, _ in published_fields() if field.enum_type}
    for name, value in NEWER_VALUES:
        assert value not in enums[name].values_by_name


def test_the_official_sdk_has_what_the_list_says_it_has() -> None:
    sdk = pytest.importorskip("google.genai.types")
    ours = {cls.__name__: cls for cls in contract.reachable(*contract.OURS.values())}
    for name, newer in NEWER.items():
        type_name, _, field = newer.sdk.partition(".")
        if not type_name:
            continue
        theirs = getattr(sdk, type_name).model_fields
        struct, _, wire_name = name.partition(".")
        if field:
            assert field in theirs, name
        elif wire_name == "*":
            assert {found.snake_name for found in contract.fields_of(ours[struct])} == set(theirs), name
    for (_, value), newer in NEWER_VALUES.items():
        assert value in {member.value for member in getattr(sdk, newer.sdk)}

"""The slow path of decoding: rename by schema, collect what is unknown, drop nulls.

The JSON grammar of protobuf accepts snake_case beside camelCase at every level and reads null as
absent. msgspec knows one name a field. So a frame that does not decode strictly is walked beside the
struct's own schema. Free-form objects (``args``, ``response``, ``parameters``, ``labels``) are typed as
dicts and left untouched: their keys belong to the user.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from duologue.wire.content import Struct

__all__ = ["normalise", "rename", "snake_case"]

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_Plan = dict[str, tuple[str, type[Struct] | None]]


@cache
def _plan(cls: type[Struct]) -> _Plan:
    """Map every accepted spelling to (wire name, struct below or None for a leaf)."""
    plan: _Plan = {}
    for field in msgspec.structs.fields(cls):
        entry = (field.encode_name, _struct_in(field.type))
        plan[field.encode_name] = entry
        plan[field.name] = entry
    return plan


def _struct_in(annotation: Any) -> type[Struct] | None:
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return annotation
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, list):
        for argument in typing.get_args(annotation):
            found = _struct_in(argument)
            if found is not None:
                return found
    return None


def normalise(value: Any, cls: type[Struct], unknown: list[str], path: str = "") -> Any:
    """Return ``value`` with wire names, without nulls and without fields ``cls`` does not know.

    Args:
        value: A parsed JSON value.
        cls: The struct it is to become.
        unknown: Receives the dotted path of every field that was left out.
        path: Where ``value`` stands, for those paths.
    """
    if isinstance(value, list):
        items = typing.cast("list[object]", value)
        return [normalise(item, cls, unknown, path) for item in items if item is not None]
    if not isinstance(value, dict):
        return value
    plan = _plan(cls)
    result: dict[str, Any] = {}
    for name, child in typing.cast("dict[str, object]", value).items():
        if child is None:
            continue
        here = f"{path}.{name}" if path else name
        entry = plan.get(name)
        if entry is None:
            unknown.append(here)
            continue
        wire_name, below = entry
        result[wire_name] = child if below is None else normalise(child, below, unknown, here)
    return result


def rename(value: Any, cls: type[Struct]) -> Any:
    """Return ``value`` with wire names where ``cls`` knows the field; nothing is left out, nulls included."""
    if isinstance(value, list | tuple):
        return [rename(item, cls) for item in typing.cast("list[object]", value)]
    if not isinstance(value, Mapping):
        return value
    plan = _plan(cls)
    result: dict[str, Any] = {}
    for name, child in typing.cast("Mapping[str, object]", value).items():
        wire_name, below = plan.get(name, (name, None))
        result[wire_name] = child if below is None else rename(child, below)
    return result


def snake_case(name: str) -> str:
    """Return a camelCase name in snake_case; one that is in snake_case already stays as it is."""
    return _WORD_START.sub("_", name).lower()

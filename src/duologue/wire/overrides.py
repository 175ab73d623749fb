"""``setup_overrides``: merged into the setup message last, deeply, by names in either case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from duologue.errors import ConfigError
from duologue.wire.client import Setup
from duologue.wire.codec import encode
from duologue.wire.normalise import rename

__all__ = ["merge_overrides"]


def merge_overrides(setup: Setup, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the setup as plain JSON with ``overrides`` merged in deeply, last.

    Keys may be camelCase or snake_case where the field is known, at every level; a value of None
    removes a field.

    Raises:
        ConfigError: Together they hold something that JSON has no form for.
    """
    if "setup" in overrides:
        raise ConfigError("setup_overrides holds a whole message: give what stands under its key 'setup'")
    try:
        plain: dict[str, Any] = msgspec.to_builtins(setup, enc_hook=_exact)
        over: dict[str, Any] = msgspec.to_builtins(rename(overrides, Setup), enc_hook=_exact)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ConfigError(f"the options cannot be written as JSON: {error}") from error
    merged = _merge(plain, over)
    encode(merged)  # what cannot be sent is refused before anything is connected
    return merged


def _exact(value: object) -> object:
    """Return a subclass's value, such as a NumPy number, as the plain one msgspec can write."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, Mapping):
        return dict(cast("Mapping[object, object]", value))
    raise TypeError(f"there is no JSON for {type(value).__name__}")


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            # Also where there is nothing to merge with: a None inside must not reach the wire.
            known = cast("dict[str, Any]", below) if isinstance(below, dict) else {}
            merged[key] = _merge(known, cast("Mapping[str, Any]", value))
        else:
            merged[key] = value
    return merged

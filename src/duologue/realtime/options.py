"""From whatever a user gave as ``config`` to a LiveConfig."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, cast

from duologue.config import LiveConfig
from duologue.errors import ConfigError

__all__ = ["live_config"]

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def live_config(given: LiveConfig | Mapping[str, Any] | object | None) -> LiveConfig:
    """Return a LiveConfig.

    Args:
        given: One already, a mapping with its fields in snake_case or camelCase, or None.

    Raises:
        ConfigError: Something else, or a mapping with a key that is no option; says which there are.
    """
    if given is None:
        return LiveConfig()
    if isinstance(given, LiveConfig):
        return given
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"config is a {type(given).__name__}; give a duologue.LiveConfig or a mapping of its fields"
        )
    allowed = {field.name for field in fields(LiveConfig)}
    options: dict[str, Any] = {}
    for key, value in cast("Mapping[object, Any]", given).items():
        name = _CAMEL.sub("_", str(key)).lower()
        if name not in allowed:
            raise ConfigError(f"config has no option {key!r}; its options are {', '.join(sorted(allowed))}")
        options[name] = value
    return LiveConfig(**options)

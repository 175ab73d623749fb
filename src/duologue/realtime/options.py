"""From whatever a user gave as ``config`` to a LiveConfig."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, cast

from duologue.checks import shown
from duologue.config import LiveConfig
from duologue.errors import ConfigError
from duologue.wire.normalise import snake_case

__all__ = ["live_config"]


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
        name = snake_case(key) if isinstance(key, str) else ""
        if name not in allowed:
            raise ConfigError(
                f"config has no option {shown(key)}; its options are {', '.join(sorted(allowed))}"
            )
        if name in options:
            raise ConfigError(f"config has {name} twice, in camelCase and in snake_case; give one of the two")
        options[name] = value
    return LiveConfig(**options)

"""From whatever a user gave, as ``config`` or to a command, to what the core takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, cast

from duologue.checks import check_value, shown
from duologue.config import ChatMessage, LiveConfig, Role
from duologue.errors import ConfigError
from duologue.wire.normalise import snake_case

__all__ = ["check_reply", "check_text", "check_turns", "live_config"]


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


def check_text(text: str) -> None:
    """Refuse a typed turn that is no text.

    Raises:
        ConfigError: It is no str, or one that UTF-8 cannot hold.
    """
    check_value("send_text: text", text, str)


def check_turns(turns: Sequence[ChatMessage]) -> None:
    """Refuse turns that are none, or that hold no text.

    Raises:
        ConfigError: Says which.
    """
    check_value("send_content: turns", turns, Sequence[ChatMessage])
    for number, turn in enumerate(turns):
        check_value(f"send_content: turns[{number}].role", turn.role, Role)
        check_value(f"send_content: turns[{number}].text", turn.text, str)


def check_reply(instructions: str | None, timeout_s: float) -> None:
    """Refuse what ``generate_reply`` cannot ask with.

    Raises:
        ConfigError: Instructions that are no str, or a time that is no number.
    """
    check_value("generate_reply: instructions", instructions, str | None)
    check_value("generate_reply: timeout_s", timeout_s, float)

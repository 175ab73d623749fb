"""From whatever a user gave, as ``config`` or to a command, to what the core takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, cast

from duologue.checks import check_value, shown
from duologue.config import ChatMessage, LiveConfig, Role
from duologue.errors import ConfigError
from duologue.realtime.google_config import is_connect_config, said_by_google, set_fields
from duologue.wire.normalise import snake_case

__all__ = ["check_reply", "check_text", "check_turns", "read_config"]

_OF_GOOGLE: Final = ("generation_config", "tools")
"""What google-genai has beside the fields that ``LiveConfig`` calls by the same names."""
_OFF_UNLESS_SAID: Final = (
    "input_audio_transcription",
    "output_audio_transcription",
    "context_window_compression",
)
"""On by default here, off by default there."""


def read_config(
    given: LiveConfig | Mapping[str, Any] | object | None,
) -> tuple[LiveConfig, list[Callable[..., Any]]]:
    """Return a LiveConfig, and functions that stand in a configuration of google-genai's.

    A mapping leaves our defaults standing. google-genai's ``LiveConnectConfig`` is taken at its word:
    what is unset there is unset, so it transcribes and compresses nothing unless it says so. One default
    stays: resumption is requested, because recovery needs its handles.

    Args:
        given: A LiveConfig already; a mapping with its fields in snake_case or camelCase, or with
            google-genai's ``tools`` and ``generation_config``; a ``google.genai.types.LiveConnectConfig``;
            or None.

    Raises:
        ConfigError: Something else, or a field that is no option; says which there are.
    """
    if given is None or isinstance(given, LiveConfig):
        return given or LiveConfig(), []
    if is_connect_config(given):
        defaults = dict.fromkeys(_OFF_UNLESS_SAID)
        options, functions = said_by_google(defaults | _named(set_fields(given)))
    elif isinstance(given, Mapping):
        options, functions = said_by_google(_named(cast("Mapping[object, Any]", given)))
    else:
        raise ConfigError(
            f"config is {shown(given)}; give a duologue.LiveConfig, a mapping of its fields, "
            "or google-genai's LiveConnectConfig"
        )
    return LiveConfig(**options), functions


def _named(given: Mapping[Any, Any]) -> dict[str, Any]:
    """Return options by their names in snake_case."""
    allowed = {field.name for field in fields(LiveConfig)}
    options: dict[str, Any] = {}
    for key, value in given.items():
        name = snake_case(key) if isinstance(key, str) else ""
        if name not in allowed and name not in _OF_GOOGLE:
            raise ConfigError(
                f"config has no option {shown(key)}; its options are {', '.join(sorted(allowed))}"
            )
        if name in options:
            raise ConfigError(f"config has {name} twice, in camelCase and in snake_case; give one of the two")
        options[name] = value
    return options


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
    if timeout_s <= 0:
        raise ConfigError(f"generate_reply: timeout_s is {timeout_s}; give a positive number of seconds")

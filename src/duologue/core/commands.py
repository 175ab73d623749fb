"""Frames for commands: how each thing is said to a model of this profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from duologue.checks import check_value
from duologue.errors import Unsupported
from duologue.wire.client import ClientContent, ClientMessage, Empty, RealtimeInput
from duologue.wire.codec import encode
from duologue.wire.content import Content, Part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from duologue.config import ChatMessage
    from duologue.wire.profiles import ModelProfile

__all__ = [
    "ACTIVITY_END",
    "ACTIVITY_START",
    "AUDIO_STREAM_END",
    "contents",
    "declared_behaviors",
    "handle_in",
    "raw",
    "refuse_late_content",
    "reply_request",
    "said",
    "text_turn",
]

AUDIO_STREAM_END: Final = encode(ClientMessage(realtime_input=RealtimeInput(audio_stream_end=True)))
ACTIVITY_START: Final = encode(ClientMessage(realtime_input=RealtimeInput(activity_start=Empty())))
ACTIVITY_END: Final = encode(ClientMessage(realtime_input=RealtimeInput(activity_end=Empty())))

# What a user turn says when the application only wants the model to go on: the service needs one.
_NUDGE = "."


def raw(message: Mapping[str, Any]) -> bytes:
    """Return any message as it is.

    Raises:
        ConfigError: It is no mapping of what JSON can hold, so it would be no message.
    """
    check_value("send_raw: message", message, Mapping[str, Any])
    return encode(message)


def text_turn(profile: ModelProfile, text: str) -> bytes:
    """Return a typed user turn that the model answers."""
    if profile.text_turn == "realtime_text":
        return _realtime_text(text)
    return contents([_content("user", text)], turn_complete=True)


def refuse_late_content(command: str, profile: ModelProfile, *, begun: bool) -> None:
    """Refuse turns where the model takes them at the beginning of a conversation only (Q-content-once).

    Args:
        command: Which one asks.
        profile: The model's row.
        begun: The model has answered, or the conversation was resumed.

    Raises:
        Unsupported: Says what can be done instead.
    """
    if begun and profile.client_content == "before the first answer":
        raise Unsupported(
            f"{command}: profile {profile.name} takes turns only {profile.client_content}, and not in a resumed "
            "conversation; say it with send_text, or give a new session the history"
        )


def said(turns: Sequence[ChatMessage]) -> list[Content]:
    """Return turns of text as contents."""
    return [_content(turn.role, turn.text) for turn in turns]


def reply_request(profile: ModelProfile, instructions: str | None) -> bytes:
    """Return what makes the model speak, with or without word of what about."""
    if profile.start_reply == "realtime_text":
        return _realtime_text(instructions or _NUDGE)
    turns = [_content("model", instructions)] if instructions else []
    return contents([*turns, _content("user", _NUDGE)], turn_complete=True)


def declared_behaviors(setup: Mapping[str, Any]) -> dict[str, str]:
    """Return name → behavior of every function the setup declares with one."""
    behaviors: dict[str, str] = {}
    for tool in _objects(setup.get("tools")):
        for declaration in _objects(tool.get("functionDeclarations")):
            name, behavior = declaration.get("name"), declaration.get("behavior")
            if isinstance(name, str) and isinstance(behavior, str):
                behaviors[name] = behavior
    return behaviors


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a list; of anything else, as setup_overrides or a stranger's tape may hold, nothing."""
    if isinstance(value, list | tuple):
        items = cast("Sequence[object]", value)
        yield from (cast("Mapping[str, Any]", item) for item in items if isinstance(item, Mapping))


def handle_in(setup: Mapping[str, Any]) -> str | None:
    """Return the resumption handle of a setup, if it has one."""
    for resumption in _objects([setup.get("sessionResumption")]):
        handle = resumption.get("handle")
        return handle if isinstance(handle, str) else None
    return None


def _realtime_text(text: str) -> bytes:
    return encode(ClientMessage(realtime_input=RealtimeInput(text=text)))


def contents(turns: Sequence[Content], *, turn_complete: bool) -> bytes:
    """Return contents as they are as ``clientContent``."""
    return encode(
        ClientMessage(client_content=ClientContent(turns=list(turns) or None, turn_complete=turn_complete))
    )


def _content(role: str, text: str) -> Content:
    return Content(role=role, parts=[Part(text=text)])

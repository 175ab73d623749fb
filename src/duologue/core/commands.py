"""Frames for commands: how each thing is said to a model of this profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from duologue.wire.client import ClientContent, ClientMessage, Empty, RealtimeInput
from duologue.wire.codec import encode
from duologue.wire.content import Content, Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from duologue.config import ChatMessage
    from duologue.wire.profiles import ModelProfile

__all__ = [
    "ACTIVITY_END",
    "ACTIVITY_START",
    "AUDIO_STREAM_END",
    "client_content",
    "contents",
    "declared_behaviors",
    "handle_in",
    "reply_request",
    "text_turn",
]

AUDIO_STREAM_END: Final = encode(ClientMessage(realtime_input=RealtimeInput(audio_stream_end=True)))
ACTIVITY_START: Final = encode(ClientMessage(realtime_input=RealtimeInput(activity_start=Empty())))
ACTIVITY_END: Final = encode(ClientMessage(realtime_input=RealtimeInput(activity_end=Empty())))

# What a user turn says when the application only wants the model to go on: the service needs one.
_NUDGE = "."


def text_turn(profile: ModelProfile, text: str) -> bytes:
    """Return a typed user turn that the model answers."""
    if profile.text_turn == "realtime_text":
        return _realtime_text(text)
    return _contents([("user", text)], turn_complete=True)


def client_content(turns: Sequence[ChatMessage], *, turn_complete: bool) -> bytes:
    """Return turns as ``clientContent``."""
    return _contents([(turn.role, turn.text) for turn in turns], turn_complete=turn_complete)


def reply_request(profile: ModelProfile, instructions: str | None) -> bytes:
    """Return what makes the model speak, with or without word of what about."""
    if profile.start_reply == "realtime_text":
        return _realtime_text(instructions or _NUDGE)
    turns = [("model", instructions)] if instructions else []
    return _contents([*turns, ("user", _NUDGE)], turn_complete=True)


def declared_behaviors(setup: Mapping[str, Any]) -> dict[str, str]:
    """Return name → behavior of every function the setup declares with one."""
    behaviors: dict[str, str] = {}
    for tool in setup.get("tools") or ():
        for declaration in tool.get("functionDeclarations") or ():
            if declaration.get("behavior"):
                behaviors[declaration["name"]] = declaration["behavior"]
    return behaviors


def handle_in(setup: Mapping[str, Any]) -> str | None:
    """Return the resumption handle of a setup, if it has one."""
    resumption: dict[str, Any] = setup.get("sessionResumption") or {}
    handle: object = resumption.get("handle")
    return handle if isinstance(handle, str) else None


def _realtime_text(text: str) -> bytes:
    return encode(ClientMessage(realtime_input=RealtimeInput(text=text)))


def contents(turns: Sequence[Content], *, turn_complete: bool) -> bytes:
    """Return contents as they are as ``clientContent``."""
    return encode(
        ClientMessage(client_content=ClientContent(turns=list(turns) or None, turn_complete=turn_complete))
    )


def _contents(turns: Sequence[tuple[str, str]], *, turn_complete: bool) -> bytes:
    return contents(
        [Content(role=role, parts=[Part(text=text)]) for role, text in turns], turn_complete=turn_complete
    )

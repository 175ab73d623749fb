"""What to look for in a message of the service: predicates for :meth:`~duologue.verify.wire.Wire.watch`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duologue.wire.blob import decode_base64
from duologue.wire.server import ServerMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from duologue.wire.content import FunctionCall

__all__ = [
    "Mark",
    "answers",
    "any_of",
    "calls_of",
    "cancels",
    "generation_complete",
    "goes_away",
    "has_sound",
    "hears_words",
    "interrupted",
    "is_empty",
    "never",
    "resumable",
    "set_up",
    "sound_s",
    "turn_complete",
    "turn_over",
    "voice_activity",
]

Mark = "Callable[[ServerMessage], bool]"

_BYTES_PER_S = 48_000
"""Of the service's sound: s16le mono 24 kHz."""
_EMPTY = ServerMessage()


def any_of(*marks: Callable[[ServerMessage], bool]) -> Callable[[ServerMessage], bool]:
    """Return the mark of a message that bears at least one of ``marks``."""
    return lambda message: any(mark(message) for mark in marks)


def never(message: ServerMessage) -> bool:  # noqa: ARG001 - a mark like the others
    """No message: watch for as long as the time lasts."""
    return False


def set_up(message: ServerMessage) -> bool:
    """The answer to the setup."""
    return message.setup_complete is not None


def is_empty(message: ServerMessage) -> bool:
    """``{}`` or ``{"serverContent": {}}``."""
    content = message.server_content
    return message == _EMPTY or (
        content is not None and content == type(content)() and message.usage_metadata is None
    )


def sound_s(message: ServerMessage) -> float:
    """Return the seconds of sound in a message."""
    turn = message.server_content.model_turn if message.server_content is not None else None
    parts = (turn.parts or []) if turn is not None else []
    sounds = [part.inline_data for part in parts if part.inline_data is not None]
    return sum(len(decode_base64(sound.data)) for sound in sounds) / _BYTES_PER_S


def has_sound(message: ServerMessage) -> bool:
    """The model's sound."""
    return sound_s(message) > 0


def answers(message: ServerMessage) -> bool:
    """The model's sound, or its words: thoughts are none."""
    content = message.server_content
    if content is None:
        return False
    said = content.output_transcription
    parts = (content.model_turn.parts or []) if content.model_turn is not None else []
    written = any(part.text and not part.thought for part in parts)
    return has_sound(message) or bool(said is not None and said.text) or written


def hears_words(message: ServerMessage) -> bool:
    """A piece of the input transcript."""
    content = message.server_content
    heard = content.input_transcription if content is not None else None
    return heard is not None and bool(heard.text)


def generation_complete(message: ServerMessage) -> bool:
    """All of a generation has been sent."""
    return message.server_content is not None and bool(message.server_content.generation_complete)


def interrupted(message: ServerMessage) -> bool:
    """The model was cut short."""
    return message.server_content is not None and bool(message.server_content.interrupted)


def turn_complete(message: ServerMessage) -> bool:
    """A ``turnComplete``, whatever is still to come."""
    return message.server_content is not None and bool(message.server_content.turn_complete)


def turn_over(message: ServerMessage) -> bool:
    """A ``turnComplete`` that is not said to be in progress still."""
    content = message.server_content
    status = (content.interaction_status if content is not None else None) or message.interaction_status
    return turn_complete(message) and status != "IN_PROGRESS"


def calls_of(message: ServerMessage) -> tuple[FunctionCall, ...]:
    """Return the function calls in a message; none is falsy, so this is a mark as well."""
    return tuple(message.tool_call.function_calls or ()) if message.tool_call is not None else ()


def cancels(message: ServerMessage) -> bool:
    """Calls are taken back."""
    return message.tool_call_cancellation is not None


def voice_activity(message: ServerMessage) -> bool:
    """The user's activity is told of."""
    return message.voice_activity is not None


def resumable(message: ServerMessage) -> bool:
    """A handle that can be resumed from."""
    update = message.session_resumption_update
    return update is not None and bool(update.resumable) and bool(update.new_handle)


def goes_away(message: ServerMessage) -> bool:
    """The end of the link is announced."""
    return message.go_away is not None

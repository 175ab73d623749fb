"""Ears, brain and voice of an emulated link, as small as they can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duologue.emulator.asks import Failed, Speak, Spoken, Think, Thought, Transcribe, Transcribed
from duologue.emulator.protocols import Reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from duologue.emulator.asks import Ask, Told

__all__ = ["answers", "loud"]

_REPLY = Reply("All right.")
_SOUND = bytes(4800)


class _Loud:
    """Hears speech in whatever is not silent."""

    window_samples = 512

    def __call__(self, window: bytes) -> float:
        return 1.0 if any(window[1::64]) else 0.0


def loud() -> _Loud:
    """Make a detector."""
    return _Loud()


def answers(asks: Iterable[Ask], number: int) -> Iterator[Told]:
    """Answer each ask; on every third ``number`` the parts are broken."""
    for ask in asks:
        if isinstance(ask, Transcribe | Think | Speak) and number % 3 == 0:
            yield Failed(ask.ask_id, "broken")
        elif isinstance(ask, Transcribe):
            yield Transcribed(ask.ask_id, "Hello.")
        elif isinstance(ask, Think):
            yield Thought(ask.ask_id, _REPLY)
        elif isinstance(ask, Speak):
            yield Spoken(ask.ask_id, _SOUND)

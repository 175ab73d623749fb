"""The asks that are out: numbered, cancellable, and overdue at some time, so that nothing hangs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duologue.emulator.asks import Ask, Cancel, Speak, Think, Transcribe

if TYPE_CHECKING:
    from duologue.emulator.protocols import Prompt

__all__ = ["AskBook"]


class AskBook:
    """Numbers what is asked and remembers what is still wanted.

    Args:
        limit_s: An ask without an answer is overdue after this.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._last_id = 0
        self._overdue_at: dict[int, float] = {}  # in the order of asking, hence of falling due
        self._asks: list[Ask] = []

    def transcribe(self, pcm: bytes, now: float) -> int:
        """Ask the ears; return the ask's id."""
        ask_id = self._next(now)
        self._asks.append(Transcribe(ask_id, pcm))
        return ask_id

    def think(self, prompt: Prompt, now: float) -> int:
        """Ask the brain; return the ask's id."""
        ask_id = self._next(now)
        self._asks.append(Think(ask_id, prompt))
        return ask_id

    def speak(self, text: str, now: float) -> int:
        """Ask the voice; return the ask's id."""
        ask_id = self._next(now)
        self._asks.append(Speak(ask_id, text))
        return ask_id

    def cancel(self, ask_id: int | None) -> None:
        """Take an ask back; nothing if it was answered or never made."""
        if ask_id is not None and self.take(ask_id):
            self._asks.append(Cancel(ask_id))

    def cancel_all(self) -> None:
        """Take back every ask that is out."""
        for ask_id in list(self._overdue_at):
            self.cancel(ask_id)

    def take(self, ask_id: int) -> bool:
        """Strike out an answered ask; False when its answer is not wanted any more."""
        return self._overdue_at.pop(ask_id, None) is not None

    def overdue(self, now: float) -> list[int]:
        """Return the asks that have waited too long."""
        return [ask_id for ask_id, at in self._overdue_at.items() if at <= now]

    def next_deadline(self) -> float | None:
        """Return when the oldest ask falls due."""
        return next(iter(self._overdue_at.values()), None)

    def drain(self) -> list[Ask]:
        """Return what was asked and cancelled since the last call."""
        asks, self._asks = self._asks, []
        return asks

    def _next(self, now: float) -> int:
        self._last_id += 1
        self._overdue_at[self._last_id] = now + self._limit_s
        return self._last_id

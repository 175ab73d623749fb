"""Whether a reply is running or due: what "ensure a reply" needs to know.

Nothing here lasts for ever: a turn that never completes, an end of speech that is lost, or speech that turns
out to be noise, must not keep a reply from being asked for.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["REPLY_DUE_S", "SILENCE_LIMIT_S", "ReplyWatch"]

REPLY_DUE_S: Final = 10.0
"""How long a reply that was asked for counts as due."""
SILENCE_LIMIT_S: Final = 60.0
"""How long speech or an answer counts as going on when nothing more is heard of it."""
_PLAYBACK_GRACE_S: Final = 2.0
_NEVER: Final = -math.inf


class ReplyWatch:
    """Three instants: until when the user speaks, a reply is due, one is running. Seconds of any one clock."""

    def __init__(self) -> None:
        self._speaking_until = _NEVER
        self._due_until = _NEVER
        self._running_until = _NEVER

    def busy(self, now: float) -> bool:
        """Tell whether a reply is running or due; it is due to who still speaks, too."""
        return now < max(self._speaking_until, self._due_until, self._running_until)

    def expect(self, now: float) -> None:
        """Something was said or asked that the model answers."""
        self._due_until = now + REPLY_DUE_S

    def speaking(self, now: float) -> None:
        """The user speaks, and the service should say when they have stopped."""
        self._speaking_until = now + SILENCE_LIMIT_S

    def heard(self, now: float) -> None:
        """Words of the user; after the end of their speech these are old news."""
        if self._speaking_until != _NEVER:
            self.speaking(now)

    def stopped(self, now: float) -> None:
        """The user has stopped, which the model answers."""
        self._speaking_until = _NEVER
        self.expect(now)

    def begins(self, now: float) -> None:
        """The model has begun; that is the answer to everything before."""
        self._speaking_until = self._due_until = _NEVER
        self._running_until = now + SILENCE_LIMIT_S

    def continues(self, now: float) -> None:
        """More of the answer is here; after its end that is old news."""
        if self._running_until != _NEVER:
            self._running_until = max(self._running_until, now + SILENCE_LIMIT_S)

    def generated(self, now: float, audio_ms: int) -> None:
        """All of an answer is here; its turn ends once it has been played."""
        self._running_until = now + audio_ms / 1000 + _PLAYBACK_GRACE_S

    def ends(self) -> None:
        """The turn is over or was interrupted; what is due stays due."""
        self._running_until = _NEVER

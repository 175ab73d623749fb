"""Whether a reply is running or due: what "ensure a reply" needs to know.

Nothing here lasts for ever: a turn that never completes, or speech that turns out to be noise, must not
keep a reply from being asked for.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["REPLY_DUE_S", "ReplyWatch"]

REPLY_DUE_S: Final = 10.0
"""How long a reply that was asked for counts as due."""
_PLAYBACK_GRACE_S: Final = 2.0


class ReplyWatch:
    """Two instants: until when a reply is due, until when one is running. Seconds of any one clock."""

    def __init__(self) -> None:
        self._due_until = -math.inf
        self._running_until = -math.inf

    def busy(self, now: float) -> bool:
        """Tell whether a reply is running or due."""
        return now < max(self._due_until, self._running_until)

    def expect(self, now: float) -> None:
        """Something was said or asked that the model answers."""
        self._due_until = now + REPLY_DUE_S

    def speaking(self) -> None:
        """The user speaks, and the service will say when they have stopped."""
        self._due_until = math.inf

    def begins(self) -> None:
        """The model has begun."""
        self._running_until, self._due_until = math.inf, -math.inf

    def generated(self, now: float, audio_ms: int) -> None:
        """All of an answer is here; its turn ends once it has been played."""
        self._running_until = now + audio_ms / 1000 + _PLAYBACK_GRACE_S

    def ends(self) -> None:
        """The turn is over or was interrupted; what is due stays due."""
        self._running_until = -math.inf

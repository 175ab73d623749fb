"""The user's activity: quiet or speaking, as the service hears it or as the application says.

Rules, each with its entry in ``docs/quirks.md``: the service's own marks win where it sends them
(Q-voice-activity); elsewhere the first transcribed fragment or an interruption shows that the user
speaks, and the beginning of the answer that they have stopped (Q-implied-activity).
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from duologue.core.machine import Machine, Table
from duologue.events import InputSpeechStarted, InputSpeechStopped

if TYPE_CHECKING:
    from duologue.core.outlet import Outlet

__all__ = ["ACTIVITY_TABLE", "Activity", "UserActivity"]


class Activity(Enum):
    """What the user is doing."""

    QUIET = auto()
    """Not speaking."""
    SPEAKING = auto()
    """Speaking, by the service's detection or by ``start_user_activity``."""


ACTIVITY_TABLE: Table[Activity] = {
    Activity.QUIET: frozenset({Activity.SPEAKING}),
    Activity.SPEAKING: frozenset({Activity.QUIET}),
}


class UserActivity:
    """Turns marks and hints into one InputSpeechStarted and one InputSpeechStopped per activity.

    Args:
        outlet: Receives the events.
        marked: True where the application marks both ends. The service's own marks count from the first one on:
            until then nobody knows whether they come, and hints stand in for them.
    """

    def __init__(self, outlet: Outlet, *, marked: bool) -> None:
        self._outlet = outlet
        self._machine = Machine(ACTIVITY_TABLE, Activity.QUIET)
        self._marked = marked
        self.stopped_at: float | None = None

    def marks_are_sent(self) -> None:
        """The service marks activities here: hints are not needed any more."""
        self._marked = True

    @property
    def speaking(self) -> bool:
        """Whether the user is speaking, as far as is known."""
        return self._machine.state is Activity.SPEAKING

    def start(self, audio_offset_ms: int | None = None) -> None:
        """The user has begun; a second start of the same activity is nothing new."""
        if self.speaking:
            return
        self._machine.to(Activity.SPEAKING)
        self._outlet.emit(InputSpeechStarted(audio_offset_ms))

    def stop(self, now: float, audio_offset_ms: int | None = None) -> None:
        """The user has stopped."""
        if not self.speaking:
            return
        self._machine.to(Activity.QUIET)
        self.stopped_at = now
        self._outlet.emit(InputSpeechStopped(audio_offset_ms))

    def imply_start(self) -> None:
        """Something happened that only happens when the user speaks."""
        if not self._marked:
            self.start()

    def imply_stop(self, now: float) -> None:
        """The model began to answer, so the user's activity is over; since when nobody knows."""
        if not self._marked and self.speaking:
            self.stop(now)
            self.stopped_at = None

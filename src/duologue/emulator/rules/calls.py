"""The ledger of function calls: which are out, which were taken back.

Every id ends once: answered, or cancelled. An answer to a cancelled id is a race the client could not
avoid and is passed over; an answer to any other id that is not out ends the link.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duologue.emulator.protocols import Call
    from duologue.wire.content import FunctionResponse

__all__ = ["CallLedger", "PendingCall", "Schedule", "schedule_of"]

Schedule = str
"""SILENT, WHEN_IDLE or INTERRUPT."""

_SCHEDULES = frozenset({"SILENT", "WHEN_IDLE", "INTERRUPT"})


@dataclass(frozen=True, slots=True)
class PendingCall:
    """A call that waits for its answer."""

    call_id: str
    call: Call
    behavior: str
    """BLOCKING or NON_BLOCKING."""


def schedule_of(response: FunctionResponse) -> Schedule:
    """Return when a result is to be spoken of: set beside the result, inside it, or the default."""
    for asked in (response.scheduling, (response.response or {}).get("scheduling")):
        if isinstance(asked, str) and asked in _SCHEDULES:
            return asked
    return "WHEN_IDLE"


class CallLedger:
    """The calls of one link, by id."""

    def __init__(self) -> None:
        self._pending: dict[str, PendingCall] = {}
        self._cancelled: set[str] = set()

    def open(self, pending: PendingCall) -> None:
        """Enter a call that has been sent."""
        self._pending[pending.call_id] = pending

    def get(self, call_id: str) -> PendingCall | None:
        """Return the call if it is out."""
        return self._pending.get(call_id)

    def was_cancelled(self, call_id: str) -> bool:
        """Tell whether the call was taken back."""
        return call_id in self._cancelled

    def settle(self, call_id: str) -> None:
        """Strike out an answered call."""
        del self._pending[call_id]

    def blocking(self) -> list[str]:
        """Return the ids the model is waiting for."""
        return [call_id for call_id, pending in self._pending.items() if pending.behavior == "BLOCKING"]

    def cancel_blocking(self) -> list[str]:
        """Take back the calls the model is waiting for; return their ids."""
        ids = self.blocking()
        for call_id in ids:
            del self._pending[call_id]
        self._cancelled.update(ids)
        return ids

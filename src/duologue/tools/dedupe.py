"""Answer a repeated call with the result of the first.

Models have been seen to ask for the same thing two to four times in a row, each time under a new
id. All ids need an answer; the function need not run for each.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from duologue.config import ToolOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Earlier", "RecentCalls"]

_MAX_REMEMBERED = 256

Outcomes = tuple[ToolOutcome, ...]


@dataclass(slots=True)
class Earlier:
    """A call that runs or has ended; its future holds what it answered."""

    outcomes: asyncio.Future[Outcomes] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    expires_at: float | None = None
    """None while it runs."""


class RecentCalls:
    """Calls by idempotency key: at most 256, of which the oldest are forgotten first.

    Args:
        now: Seconds of a clock that never goes back.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._calls: OrderedDict[str, Earlier] = OrderedDict()

    def find(self, key: str) -> Earlier | None:
        """Return the call with this key that runs, or whose answer is young enough."""
        earlier = self._calls.get(key)
        if earlier is None or earlier.expires_at is None or self._now() < earlier.expires_at:
            return earlier
        del self._calls[key]
        return None

    def begin(self, key: str) -> Earlier:
        """Remember a call that starts now."""
        self._calls[key] = earlier = Earlier()
        while len(self._calls) > _MAX_REMEMBERED:
            self._calls.popitem(last=False)
        return earlier

    def end(self, key: str, earlier: Earlier, outcomes: Outcomes, keep_s: float) -> None:
        """Hand the answer to those who wait; keep it for ``keep_s`` seconds if it is a success.

        A call that was cancelled has no final outcome: whoever waits must run it anew.
        """
        answered = bool(outcomes) and not outcomes[-1].will_continue
        if answered and not outcomes[-1].is_error:
            earlier.expires_at = self._now() + keep_s
        elif self._calls.get(key) is earlier:
            del self._calls[key]
        if answered:
            earlier.outcomes.set_result(outcomes)
        else:
            earlier.outcomes.cancel()

"""The clock the client's core and driver are timed by.

Nothing in ``core``, ``wire`` or elsewhere in ``io`` reads one. The tool runner, ``audio``, the benchmarks
and the emulator have clocks of their own.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LoopClock", "monotonic"]


def monotonic() -> float:
    """Return seconds of the machine's monotonic clock."""
    return time.monotonic()


class LoopClock:
    """The running event loop's own time; make it inside the loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now(self) -> float:
        """Return the loop's monotonic seconds."""
        return self._loop.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Arrange for ``callback()`` at ``when``; return a function that cancels it."""
        return self._loop.call_at(when, callback).cancel

"""Real time for files and headless sinks: absolute deadlines, so that nothing drifts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from duologue.config import Clock

__all__ = ["LoopClock", "Ticker", "sleep_until"]


class LoopClock:
    """The running event loop's own monotonic time as a ``Clock``. Make it inside a coroutine."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now(self) -> float:
        """Return the loop's time in seconds."""
        return self._loop.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Arrange for ``callback()`` at ``when``; return a function that cancels it."""
        return self._loop.call_at(when, callback).cancel


async def sleep_until(clock: Clock, when: float) -> None:
    """Return at ``when`` of a clock; when that has passed, still let others run once."""
    if when <= clock.now():
        await asyncio.sleep(0)
        return
    reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not reached.done():
            reached.set_result(None)

    cancel = clock.call_at(when, wake)
    try:
        await reached
    finally:
        cancel()


class Ticker:
    """Calls back once a period, forever, until stopped. Owns a timer, no task.

    The n-th tick is due at start + n periods whatever happened before: a tick that comes late is
    followed by the ones that were missed, at once, so the count always agrees with the clock.

    Args:
        clock: Whose time counts.
        period_s: Seconds between ticks, above 0.
        on_tick: Called once a period. When it raises, the ticking has ended.
    """

    def __init__(self, clock: Clock, period_s: float, on_tick: Callable[[], None]) -> None:
        self._clock = clock
        self._period_s = period_s
        self._on_tick = on_tick
        self._started_at = 0.0
        self._ticks = 0
        self._cancel: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin: the first tick is due one period from now."""
        self._started_at = self._clock.now()
        self._ticks = 0
        self._arm()

    def stop(self) -> None:
        """End the ticking, also from within a tick; idempotent."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    def _arm(self) -> None:
        due_at = self._started_at + (self._ticks + 1) * self._period_s
        self._cancel = self._clock.call_at(due_at, self._wake)

    def _wake(self) -> None:
        # A microsecond of grace: timers may fire a hair before the sum of floats they were set to.
        late_s = self._clock.now() - self._started_at + 1e-6
        due = max(int(late_s / self._period_s), self._ticks + 1)
        while self._ticks < due and self._cancel is not None:
            self._ticks += 1
            self._on_tick()
        if self._cancel is not None:
            self._arm()

"""For people who test a voice agent: an emulator fixture, a transport without sockets, a clock you turn.

With pytest, ``from duologue.testing import live_emulator`` in a ``conftest.py`` gives every test that asks
for it a running emulator of its own: no key, no network, no models.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from duologue.emulator import Emulator
from duologue.io.memory import MemoryLink, MemoryTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = ["MemoryLink", "MemoryTransport", "VirtualClock", "live_emulator"]


class VirtualClock:
    """Time that passes only when told to; a :class:`duologue.config.Clock`.

    Args:
        start: Seconds at the beginning.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._cancelled: set[int] = set()
        self._made = 0

    def now(self) -> float:
        """Return the seconds now."""
        return self._now

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Arrange for ``callback()`` when time reaches ``when``; return a function that cancels it."""
        self._made += 1
        number = self._made
        heapq.heappush(self._due, (when, number, callback))
        return lambda: self._cancelled.add(number)

    def advance(self, seconds: float) -> None:
        """Let time pass, calling what becomes due at its own instant, in order.

        Args:
            seconds: Not negative.

        Raises:
            ValueError: It is negative: this clock does not go back.
        """
        if seconds < 0:
            msg = f"advance({seconds}): a clock does not go back"
            raise ValueError(msg)
        end = self._now + seconds
        while self._due and self._due[0][0] <= end:
            when, number, callback = heapq.heappop(self._due)
            self._now = max(self._now, when)
            if number in self._cancelled:
                self._cancelled.discard(number)
            else:
                callback()
        self._now = end


async def _live_emulator() -> AsyncIterator[Emulator]:
    """A running emulator with a tone for a voice and an energy detector for ears: quick and the same everywhere."""
    async with Emulator(voice="tone", ears="energy") as emulator:
        yield emulator


try:
    import pytest_asyncio
except ImportError:  # the fixture is for pytest's users; the rest needs no pytest
    live_emulator = _live_emulator
else:
    live_emulator = pytest_asyncio.fixture(name="live_emulator")(_live_emulator)

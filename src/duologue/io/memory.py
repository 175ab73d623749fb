"""A transport without sockets: two ends in one process, for tests and simulations."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from duologue.errors import LinkLost

if TYPE_CHECKING:
    from collections.abc import Callable

    from duologue.config import SessionOptions
    from duologue.errors import ConnectError
    from duologue.wire.endpoint import Endpoint

__all__ = ["MemoryLink", "MemoryTransport"]


class MemoryLink:
    """One end of a link in memory; ``peer`` is the other."""

    def __init__(self) -> None:
        self._inbox: deque[bytes | str] = deque()
        self._lost: LinkLost | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.peer: MemoryLink = self

    @staticmethod
    def pair() -> tuple[MemoryLink, MemoryLink]:
        """Return two connected ends."""
        one, other = MemoryLink(), MemoryLink()
        one.peer, other.peer = other, one
        return one, other

    async def send(self, frame: bytes | str) -> None:
        """Hand a message to the other end."""
        if self._lost is not None:
            raise self._lost
        self.peer._inbox.append(frame)
        self.peer._wake()

    async def receive(self) -> bytes | str:
        """Return the next message; what was sent before a close still arrives."""
        while not self._inbox:
            if self._lost is not None:
                raise self._lost
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._inbox.popleft()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """End the link for both ends, as a close frame would."""
        for end in (self, self.peer):
            if end._lost is None:
                end._lost = LinkLost(
                    f"the link was closed: {code} {reason}".rstrip(), code=code, reason=reason
                )
            end._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class MemoryTransport:
    """Hands out memory links and gives the other end to ``accept``.

    Args:
        accept: Called with the service's end of every new link.
        refuse: Raised instead of connecting, when given.
    """

    def __init__(
        self, accept: Callable[[MemoryLink, Endpoint], None], *, refuse: ConnectError | None = None
    ) -> None:
        self._accept = accept
        self._refuse = refuse

    async def connect(self, endpoint: Endpoint, options: SessionOptions) -> MemoryLink:  # noqa: ARG002
        """Return our end of a new pair."""
        if self._refuse is not None:
            raise self._refuse
        ours, theirs = MemoryLink.pair()
        self._accept(theirs, endpoint)
        return ours

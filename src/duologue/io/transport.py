"""The seam to the network: three methods, so that the real thing is easily swapped.

``ws`` holds the real one over either WebSocket library, ``memory`` one for tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from duologue.config import SessionOptions
    from duologue.wire.endpoint import Endpoint

__all__ = ["Transport", "TransportLink"]


@runtime_checkable
class TransportLink(Protocol):
    """One open link."""

    async def send(self, frame: bytes) -> None:
        """Write one text message; returns once it may be followed by another (backpressure).

        Raises:
            LinkLost: The link is gone; the message may or may not have arrived.
        """
        ...

    async def receive(self) -> bytes | str:
        """Return the next message, text or binary.

        Raises:
            LinkLost: The link is gone; its ``code`` and ``reason`` are the peer's.
        """
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close in good order within the close time-out; never raises, idempotent."""
        ...


@runtime_checkable
class Transport(Protocol):
    """Makes links."""

    async def connect(self, endpoint: Endpoint, options: SessionOptions) -> TransportLink:
        """Open a link, up to and including the upgrade.

        Raises:
            ConnectError: Says what failed and in which phase; never shows a header.
        """
        ...

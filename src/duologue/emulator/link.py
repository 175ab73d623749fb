"""One WebSocket of the emulator's door: what the sans-I/O protocol says, put on a stream.

Also who gets it (:class:`Guest`) and what a stranger may take (:class:`DoorLimits`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from websockets.frames import CloseCode, Frame, Opcode

if TYPE_CHECKING:
    from websockets.server import ServerProtocol

__all__ = ["BACKLOG_WATCHED_BYTES", "DoorLimits", "Guest", "Link", "LinkState", "cut_reason"]

_log = logging.getLogger("duologue.emulator")

# The high-water mark: under it drain() returns at once (asyncio's own is another with TLS than without).
BACKLOG_WATCHED_BYTES = 64 * 1024
_MAX_REASON_BYTES = 123


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """What a stranger may take from us."""

    head_timeout_s: float = 10.0
    """From the first byte's connection to the end of the request head."""
    connections: int = 512
    """At the same time, whatever they are up to; one more is answered with HTTP 503."""
    first_message_timeout_s: float = 60.0
    """From the upgrade to the end of the first message; beyond it the close code is 1011."""
    message_bytes: int = 16 * 1024 * 1024
    """One incoming message, fragments together; beyond it the close code is 1009."""
    message_fragments: int = 4096
    """How many frames one message may come in, empty ones included; beyond it the close code is 1009."""
    backlog_bytes: int = 16 * 1024 * 1024
    """What may wait for a peer that does not read; beyond it the connection is reset."""
    backlog_timeout_s: float = 20.0
    """How long something may wait for a peer that does not read."""
    refusal_delay_s: float = 0.5
    """How long a client that is to be refused may take to say its first words; see :class:`_Refusal`."""
    closing_timeout_s: float = 2.0
    """How long the peer may take to answer our close, or to read a refusal."""


class Guest(Protocol):
    """Whoever is behind an upgraded connection. Everything is called in the event loop and in order."""

    def opened(self, link: Link) -> None:
        """Take the link; called once, before anything else."""
        ...

    def received(self, frame: bytes | str) -> None:
        """Take one whole message."""
        ...

    def lost(self, code: int, reason: str) -> None:
        """Take note that the link has ended; called once, last, with 1006 when there was no close frame."""
        ...


class LinkState(Enum):
    """Where a link is in its life."""

    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


_TRANSITIONS: dict[LinkState, frozenset[LinkState]] = {
    LinkState.OPEN: frozenset({LinkState.CLOSING, LinkState.CLOSED}),
    LinkState.CLOSING: frozenset({LinkState.CLOSED}),
    LinkState.CLOSED: frozenset(),
}


def cut_reason(reason: str) -> str:
    """Return as much of ``reason`` as a close frame holds (123 bytes), not cutting a character in two."""
    return reason.encode("utf-8", "replace")[:_MAX_REASON_BYTES].decode("utf-8", "ignore")


class Link:
    """One WebSocket connection, server side. Sending never waits; a peer that does not read is dropped."""

    def __init__(self, protocol: ServerProtocol, writer: asyncio.StreamWriter, limits: DoorLimits) -> None:
        self._protocol = protocol
        self._writer = writer
        self._limits = limits
        self._state = LinkState.OPEN
        self._partial = bytearray()
        self._partial_frames = 0
        self._partial_opcode = Opcode.BINARY
        self._backlog_watch: asyncio.Task[None] | None = None
        self._closing_timer: asyncio.TimerHandle | None = None
        if not writer.transport.is_closing():
            writer.transport.set_write_buffer_limits(high=BACKLOG_WATCHED_BYTES)

    @property
    def is_open(self) -> bool:
        """Whether messages can still be sent."""
        return self._state is LinkState.OPEN

    def send(self, frame: bytes) -> None:
        """Send one binary message; dropped without a word when the link is no longer open."""
        if self._state is LinkState.OPEN:
            self._protocol.send_binary(frame)
            self._flush()

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame and give the peer a moment to answer it; nothing when already closing.

        Args:
            code: 1000-4999, one that may stand in a close frame.
            reason: Cut to 123 bytes.
        """
        if self._state is not LinkState.OPEN:
            return
        self._protocol.send_close(code, cut_reason(reason))
        self._begin_closing()
        self._flush()

    def reset(self) -> None:
        """Drop the connection on the floor: no close frame, no TCP farewell; harmless when it is down already."""
        if self._state is LinkState.OPEN:
            self._to(LinkState.CLOSING)
        self._writer.transport.abort()

    # What the door's reading task calls.

    def feed(self, data: bytes) -> list[bytes | str]:
        """Take bytes from the socket; return the messages they complete."""
        self._protocol.receive_data(data)
        messages: list[bytes | str] = []
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and self._state is LinkState.OPEN:
                self._take(event, messages)
        if self._protocol.close_expected():
            self._begin_closing()
        self._flush()
        return messages

    def end(self) -> tuple[int, str]:
        """Finish after the last byte; return the close code and reason as the peer's side gave them."""
        self._to(LinkState.CLOSED)
        if self._closing_timer is not None:
            self._closing_timer.cancel()
        if self._backlog_watch is not None:
            self._backlog_watch.cancel()
        received = self._protocol.close_rcvd
        return (received.code, received.reason) if received is not None else (CloseCode.ABNORMAL_CLOSURE, "")

    def _take(self, frame: Frame, messages: list[bytes | str]) -> None:
        """Put a data frame where it belongs; control frames were answered by the protocol already."""
        data = bytes(frame.data)
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            if frame.fin:
                messages.append(_as_message(frame.opcode, data))
            else:
                self._partial, self._partial_frames, self._partial_opcode = bytearray(data), 1, frame.opcode
        elif frame.opcode is Opcode.CONT:
            self._partial += data
            self._partial_frames += 1
            if self._partial_frames > self._limits.message_fragments:
                self._partial.clear()
                self.close(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
            elif frame.fin:
                messages.append(_as_message(self._partial_opcode, bytes(self._partial)))
                self._partial.clear()

    def _to(self, state: LinkState) -> None:
        if state not in _TRANSITIONS[self._state]:
            raise AssertionError(f"a link cannot go from {self._state.value} to {state.value}")
        self._state = state

    def _begin_closing(self) -> None:
        if self._state is not LinkState.OPEN:
            return
        self._to(LinkState.CLOSING)
        # Whatever the peer does or leaves undone now, the socket is gone after this.
        loop = asyncio.get_running_loop()
        self._closing_timer = loop.call_later(self._limits.closing_timeout_s, self._writer.transport.abort)

    def _flush(self) -> None:
        """Write what the protocol has for the peer; nothing any more once the socket is going down."""
        pieces = self._protocol.data_to_send()
        if self._writer.transport.is_closing():
            return  # uvloop's transports raise there
        for data in pieces:
            if data:
                self._writer.write(data)
            elif self._protocol.close_rcvd is not None:
                self._writer.close()  # an empty one means: that was the last
            elif self._writer.can_write_eof():
                # We are failing the connection. Closing with input unread would send a reset that can
                # overtake our close frame, so reading goes on until the peer hangs up or time is up.
                self._writer.write_eof()
        # With TLS one helping of it may be in the transport beneath, unseen, until more is written.
        waiting_bytes = self._writer.transport.get_write_buffer_size()
        if waiting_bytes > self._limits.backlog_bytes:
            _log.warning("dropping a client that does not read: %d bytes are waiting for it", waiting_bytes)
            self.reset()
        elif waiting_bytes > BACKLOG_WATCHED_BYTES and self._backlog_watch is None:
            self._backlog_watch = asyncio.create_task(self._watch_backlog())

    async def _watch_backlog(self) -> None:
        """Reset the connection when the peer lets its backlog stand for too long."""
        try:
            async with asyncio.timeout(self._limits.backlog_timeout_s):
                await self._writer.drain()
        except TimeoutError:
            _log.warning("dropping a client that has not read for %g s", self._limits.backlog_timeout_s)
            self.reset()
        except (OSError, ssl.SSLError):
            pass  # the reading task sees the same and says so
        finally:
            self._backlog_watch = None


def _as_message(opcode: Opcode, data: bytes) -> bytes | str:
    # Text that is not UTF-8 stays bytes: the guest's decoder refuses it with the protocol's own words.
    if opcode is Opcode.TEXT:
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode("utf-8")
    return data

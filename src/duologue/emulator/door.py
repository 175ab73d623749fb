"""The front door: sockets, HTTP heads and WebSockets, and nothing of what is said in them.

One task a connection reads it from the first byte to the last. The WebSocket itself is the sans-I/O
``ServerProtocol`` of the package websockets, not its server: this file decides when an upgrade is
answered, when a pong is sent and how a connection ends, which is what faults are made of.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Protocol

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request as UpgradeRequest
from websockets.protocol import State
from websockets.server import ServerProtocol

from duologue.emulator.asks import Close
from duologue.emulator.http import (
    BadRequestError,
    HeadReader,
    Request,
    error_answer,
    is_trusted_origin,
    live_api_version,
)
from duologue.errors import ConfigError

__all__ = ["Door", "DoorLimits", "Guest", "Link", "cut_reason"]

_log = logging.getLogger("duologue.emulator")
# At DEBUG the library would write whole frames and headers, keys included, into the log.
_protocol_log = logging.getLogger("duologue.emulator.websocket")
_protocol_log.setLevel(logging.WARNING)

_READ_BYTES = 256 * 1024
# The high-water mark: under it drain() returns at once (asyncio's own is another with TLS than without).
_BACKLOG_WATCHED_BYTES = 64 * 1024
_MAX_REASON_BYTES = 123
_TLS_HANDSHAKE_TIMEOUT_S = 10.0
_TLS_HELLO = b"\x16\x03"


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """What a stranger may take from us."""

    head_timeout_s: float = 10.0
    """From the first byte's connection to the end of the request head."""
    message_bytes: int = 16 * 1024 * 1024
    """One incoming message, fragments together; beyond it the close code is 1009."""
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


Admit = Callable[[Request, str], "Guest | Close"]
"""Decides about one upgrade: who gets the link, or how it is closed after the 101.

Called with the request and the API version in its path.
"""


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
        self._fragments: list[bytes] = []
        self._fragments_opcode = Opcode.BINARY
        self._backlog_watch: asyncio.Task[None] | None = None
        self._closing_timer: asyncio.TimerHandle | None = None
        writer.transport.set_write_buffer_limits(high=_BACKLOG_WATCHED_BYTES)

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
        """Drop the connection on the floor: no close frame, no TCP farewell."""
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
                self._fragments, self._fragments_opcode = [data], frame.opcode
        elif frame.opcode is Opcode.CONT:
            self._fragments.append(data)
            if frame.fin:
                messages.append(_as_message(self._fragments_opcode, b"".join(self._fragments)))
                self._fragments = []

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
        """Write what the protocol has for the peer."""
        for data in self._protocol.data_to_send():
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
        elif waiting_bytes > _BACKLOG_WATCHED_BYTES and self._backlog_watch is None:
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


class _Refusal:
    """Stands in for a guest who is not let in: closes at the client's first message, or after a moment.

    A close frame that came together with the 101 would meet google-genai while it sends its setup,
    and surface as the WebSocket library's error in place of the client's own with code and reason.
    """

    def __init__(self, close: Close, delay_s: float) -> None:
        self._close = close
        self._delay_s = delay_s
        self._link: Link | None = None
        self._timer: asyncio.TimerHandle | None = None

    def opened(self, link: Link) -> None:
        self._link = link
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._delay_s, link.close, self._close.code, self._close.reason)

    def received(self, frame: bytes | str) -> None:  # noqa: ARG002 - whatever it says
        if self._link is not None:
            self._link.close(self._close.code, self._close.reason)

    def lost(self, code: int, reason: str) -> None:  # noqa: ARG002 - nothing was begun
        if self._timer is not None:
            self._timer.cancel()


def _as_message(opcode: Opcode, data: bytes) -> bytes | str:
    # Text that is not UTF-8 stays bytes: the guest's decoder refuses it with the protocol's own words.
    if opcode is Opcode.TEXT:
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode("utf-8")
    return data


class Door:
    """Listens, answers HTTP, upgrades what asks for the Live API, and hands each link to a guest.

    Knows nothing of messages and keys; ``admit`` does. It negotiates no compression and refuses
    upgrades that a foreign web page asks for.

    Args:
        admit: See :data:`Admit`.
        limits: What strangers may take.
    """

    port: int
    """The port listened on, from :meth:`open` on."""

    def __init__(self, admit: Admit, *, limits: DoorLimits | None = None) -> None:
        self._admit = admit
        self._limits = limits if limits is not None else DoorLimits()
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._links: set[Link] = set()

    async def open(self, host: str, port: int, context: ssl.SSLContext | None = None) -> None:
        """Listen.

        Args:
            host: An address or name of this machine.
            port: 0 takes a free one.
            context: For TLS.

        Raises:
            ConfigError: The port is taken, needs privileges, or the host is not this machine's.
        """
        # asyncio refuses time-outs for TLS where there is none.
        tls_options: dict[str, float] = {}
        if context is not None:
            tls_options["ssl_handshake_timeout"] = _TLS_HANDSHAKE_TIMEOUT_S
            tls_options["ssl_shutdown_timeout"] = self._limits.closing_timeout_s
        try:
            self._server = await asyncio.start_server(
                self._connected, host, port, ssl=context, limit=_READ_BYTES, **tls_options
            )
        except OSError as error:
            raise ConfigError(_why_not_listening(host, port, error)) from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        """Stop listening, close every link with 1001 and wait until all connections are gone; idempotent."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for link in tuple(self._links):
            link.close(CloseCode.GOING_AWAY)
        tasks = set(self._connections)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._limits.closing_timeout_s)
            for task in late:
                self._connections[task].transport.abort()
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections[task] = writer
        task.add_done_callback(self._connections.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection; a broken one ends quietly, an error of ours is logged."""
        try:
            await self._greet(reader, writer)
        except (OSError, ssl.SSLError, EOFError):
            _log.debug("a connection ended before it was upgraded")
        except Exception:
            _log.exception("a connection failed")
        finally:
            writer.close()
            try:
                async with asyncio.timeout(self._limits.closing_timeout_s):
                    await writer.wait_closed()
            except (OSError, ssl.SSLError):  # TimeoutError is an OSError
                writer.transport.abort()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read the request head and do what it asks."""
        head = HeadReader()
        try:
            request = await self._read_head(reader, head)
            api_version = _check(request)
            protocol = _upgrade(request, self._limits.message_bytes)
        except BadRequestError as refusal:
            _log.info("refused a request: %d %s", refusal.status.value, refusal)
            await self._refuse(reader, writer, refusal)
            return
        link = Link(protocol, writer, self._limits)
        guest = self._admit(request, api_version)
        if isinstance(guest, Close):
            guest = _Refusal(guest, self._limits.refusal_delay_s)
        link.feed(b"")  # writes the 101
        guest.opened(link)
        await self._pump(reader, link, head.rest, guest)

    async def _read_head(self, reader: asyncio.StreamReader, head: HeadReader) -> Request:
        try:
            async with asyncio.timeout(self._limits.head_timeout_s):
                while data := await reader.read(_READ_BYTES):
                    if data.startswith(_TLS_HELLO):
                        msg = "This port speaks plain HTTP, not TLS: use http:// and ws://, or start it with TLS."
                        raise BadRequestError(HTTPStatus.BAD_REQUEST, msg)
                    if (request := head.feed(data)) is not None:
                        return request
        except TimeoutError:
            raise BadRequestError(
                HTTPStatus.REQUEST_TIMEOUT, "The request head did not arrive in time."
            ) from None
        raise EOFError("the connection ended inside a request head")

    async def _refuse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, refusal: BadRequestError
    ) -> None:
        """Answer with an HTTP error and let the peer read it before the connection goes."""
        writer.write(error_answer(refusal.status, str(refusal)))
        if writer.can_write_eof():
            writer.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.closing_timeout_s):
                await writer.drain()
                # A request body still on its way would otherwise turn our close into a reset.
                while await reader.read(_READ_BYTES):
                    pass

    async def _pump(self, reader: asyncio.StreamReader, link: Link, data: bytes, guest: Guest) -> None:
        """Carry messages from the socket to the guest until the connection has ended."""
        self._links.add(link)
        try:
            while True:
                for message in link.feed(data):
                    guest.received(message)
                if not (data := await reader.read(_READ_BYTES)):
                    break
        except (OSError, ssl.SSLError):
            pass  # a reset is an end like others: 1006
        finally:
            self._links.discard(link)
            code, reason = link.end()
            guest.lost(code, reason)


def _check(request: Request) -> str:
    """Return the API version of a request for the Live API.

    Raises:
        BadRequestError: A foreign page's request, another path, or another method than GET.
    """
    if not is_trusted_origin(request.all("origin")):
        raise BadRequestError(HTTPStatus.FORBIDDEN, "Pages of other origins may not use this server.")
    api_version = live_api_version(request.path)
    if api_version is None:
        raise BadRequestError(HTTPStatus.NOT_FOUND, "Requested entity was not found.")
    if request.method != "GET":
        raise BadRequestError(HTTPStatus.METHOD_NOT_ALLOWED, "A WebSocket is opened with GET.")
    return api_version


def _upgrade(request: Request, message_bytes: int) -> ServerProtocol:
    """Return the protocol of an accepted upgrade, its 101 ready to be sent.

    Raises:
        BadRequestError: Not a proper WebSocket handshake.
    """
    protocol = ServerProtocol(max_size=message_bytes, logger=_protocol_log)
    protocol.receive_data(request.raw)
    events = protocol.events_received()
    if not events or not isinstance(events[0], UpgradeRequest):
        raise BadRequestError(HTTPStatus.BAD_REQUEST, "The request is not a WebSocket handshake.")
    response = protocol.accept(events[0])
    if protocol.state is State.CONNECTING and response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
        status = HTTPStatus(response.status_code)
        raise BadRequestError(
            status, f"The request is not a WebSocket handshake: {status.description or status.phrase}."
        )
    protocol.send_response(response)
    return protocol


def _why_not_listening(host: str, port: int, error: OSError) -> str:
    where = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"cannot listen on {where}: another program has that port; stop it, or take port 0 for any free one"
    if error.errno == errno.EACCES:
        return f"cannot listen on {where}: ports under 1024 need privileges; take a higher one, or 0 for any free one"
    return f"cannot listen on {where}: {error.strerror or error}; take an address of this machine such as 127.0.0.1"

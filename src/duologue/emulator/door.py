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
from http import HTTPStatus

from websockets.frames import CloseCode
from websockets.http11 import Request as UpgradeRequest
from websockets.protocol import State
from websockets.server import ServerProtocol

from duologue.emulator.asks import Close
from duologue.emulator.http import (
    BadRequestError,
    HeadReader,
    Request,
    error_answer,
    host_name,
    is_loopback,
    is_trusted_origin,
    live_api_version,
)
from duologue.emulator.link import DoorLimits, Guest, Link
from duologue.errors import ConfigError

__all__ = ["Admit", "Door"]

_log = logging.getLogger("duologue.emulator")
# At DEBUG the library would write whole frames and headers, keys included, into the log.
_protocol_log = logging.getLogger("duologue.emulator.websocket")
_protocol_log.setLevel(logging.WARNING)

_READ_BYTES = 256 * 1024
_TLS_HANDSHAKE_TIMEOUT_S = 10.0
_TLS_HELLO = b"\x16\x03"
# Refusals being read out, beyond the connections that are served; one more is dropped without a word.
_MAX_REFUSALS = 64
_SETUP_OVERDUE = Close(1011, "Deadline expired before operation could complete.")


Admit = Callable[[Request, str], "Guest | Close"]
"""Decides about one upgrade: who gets the link, or how it is closed after the 101.

Called with the request and the API version in its path.
"""


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


class Door:
    """Listens, answers HTTP, upgrades what asks for the Live API, and hands each link to a guest.

    Knows nothing of messages and keys; ``admit`` does. It negotiates no compression and refuses
    upgrades that a foreign web page asks for; listening on loopback, also requests to any other host's
    name, which is how a page gets there whose own name was pointed at this machine (DNS rebinding).

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
        self._host_names: frozenset[str] | None = None  # besides loopback's; None takes any
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
        addresses = [listener.getsockname() for listener in self._server.sockets]
        self.port = addresses[0][1]
        local = all(is_loopback(address[0]) for address in addresses)
        self._host_names = frozenset({host.lower()}) if local else None

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
        is_full = len(self._connections) >= self._limits.connections
        if is_full and len(self._connections) >= self._limits.connections + _MAX_REFUSALS:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(reader, writer, is_full=is_full))
        self._connections[task] = writer
        task.add_done_callback(self._connections.pop)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_full: bool
    ) -> None:
        """Serve one connection; a broken one ends quietly, an error of ours is logged."""
        try:
            await self._greet(reader, writer, is_full=is_full)
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

    async def _greet(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_full: bool
    ) -> None:
        """Read the request head and do what it asks."""
        head = HeadReader()
        try:
            if is_full:
                raise BadRequestError(HTTPStatus.SERVICE_UNAVAILABLE, "The service is currently unavailable.")
            request = await self._read_head(reader, head)
            self._check_host(request)
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
        await self._pump(reader, link, head.rest, guest)

    def _check_host(self, request: Request) -> None:
        name = host_name(request.all("host"))
        if name is None:
            raise BadRequestError(HTTPStatus.BAD_REQUEST, "A request names one host.")
        if self._host_names is not None and name not in self._host_names and not is_loopback(name):
            raise BadRequestError(HTTPStatus.FORBIDDEN, "This server answers to the names of loopback only.")

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
        if writer.transport.is_closing():
            return
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
        loop = asyncio.get_running_loop()
        deadline = loop.call_later(
            self._limits.first_message_timeout_s, link.close, _SETUP_OVERDUE.code, _SETUP_OVERDUE.reason
        )
        try:
            link.feed(b"")  # writes the 101
            guest.opened(link)
            while True:
                for message in link.feed(data):
                    deadline.cancel()
                    guest.received(message)
                if not (data := await reader.read(_READ_BYTES)):
                    break
        except (OSError, ssl.SSLError):
            pass  # a reset is an end like others: 1006
        finally:
            deadline.cancel()
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

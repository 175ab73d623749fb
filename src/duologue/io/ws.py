"""Links over real sockets, by ``websockets`` or, when installed, ``picows`` with the same API.

What both get here, because users were hurt by the defaults: no client-side ping kill (the service
answers pings after 8 to 30 s), no compression, frames to 16 MiB, no redirects (a library would carry the
key along), a time-out for connecting and another for the upgrade, and one :class:`LinkLost` whatever the
library calls the end of a link.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from duologue import __version__
from duologue.core.verdict import upgrade_error
from duologue.errors import ConfigError, ConnectError, LinkLost
from duologue.io.proxy import open_route
from duologue.io.sockets import give_up
from duologue.wire.scrub import scrub

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    from duologue.config import SessionOptions
    from duologue.errors import Phase
    from duologue.wire.endpoint import Endpoint

__all__ = ["WebSocketTransport", "available_libraries"]

Library = Literal["auto", "websockets", "picows"]

# Below WARNING both libraries log headers (the key), websockets also messages (handles, what people say).
_library_log = logging.getLogger("duologue.websockets")
_library_log.setLevel(logging.WARNING)

_NO_STATUS = 1005
_NO_CLOSE_FRAME = 1006
_TOO_BIG = 1009


def available_libraries() -> list[str]:
    """Return the WebSocket libraries that are installed, the preferred one first."""
    from importlib.util import find_spec

    return [name for name in ("picows", "websockets") if find_spec(name) is not None]


class WebSocketTransport:
    """Opens WebSocket links.

    Args:
        ssl_context: Trusts other certificates than the system's; None is the default context, made for the
            first link and kept.
        library: Overrides ``SessionOptions.websocket_library``.
    """

    def __init__(self, *, ssl_context: ssl.SSLContext | None = None, library: Library | None = None) -> None:
        self._ssl_context = ssl_context
        self._library: Library | None = library

    async def connect(self, endpoint: Endpoint, options: SessionOptions) -> WebSocketLink:
        """Open a link; see :class:`~duologue.io.transport.Transport`."""
        name = self._library or options.websocket_library
        module = _load(name)
        where = endpoint.host
        try:
            connection = await self._open(module, endpoint, options)
        except TimeoutError as error:
            msg = f"{where} did not finish the WebSocket upgrade within {options.upgrade_timeout_s:g} s"
            raise ConnectError(msg, phase="upgrade", retryable=True) from error
        except Exception as error:  # one mapping point for two libraries' exception trees
            raise _connect_error(error, module, endpoint) from _shown(error, endpoint)
        return WebSocketLink(connection, module, options.close_timeout_s, endpoint.secrets)

    async def _open(self, module: ModuleType, endpoint: Endpoint, options: SessionOptions) -> Any:
        arguments: dict[str, Any] = {
            "additional_headers": dict(endpoint.headers),
            "user_agent_header": f"duologue/{__version__}",
            "compression": None,
            "ping_interval": None,
            "ping_timeout": None,
            "close_timeout": options.close_timeout_s,
            "open_timeout": options.upgrade_timeout_s,
            "max_size": options.max_message_bytes,
            "max_queue": 64,
            "logger": _library_log,
            "proxy": None,  # the socket leads through it already
        }
        if endpoint.secure:
            if self._ssl_context is None:
                # Reading the system's certificates would stop the loop for 50 ms and more.
                self._ssl_context = await asyncio.to_thread(ssl.create_default_context)
            arguments["ssl"] = self._ssl_context
            arguments["ssl_handshake_timeout"] = options.connect_timeout_s
        url = urlsplit(endpoint.url)
        port = url.port or (443 if endpoint.secure else 80)
        sock = await open_route(
            url.hostname or "", port, secure=endpoint.secure, timeout_s=options.connect_timeout_s
        )
        try:
            async with asyncio.timeout(options.connect_timeout_s + options.upgrade_timeout_s):
                return await _connector(module)(endpoint.url, sock=sock, **arguments)
        except BaseException:
            await give_up(sock)
            raise


class WebSocketLink:
    """One open link over either library."""

    def __init__(
        self, connection: Any, module: ModuleType, close_timeout_s: float, secrets: tuple[str, ...]
    ) -> None:
        self._connection = connection
        self._secrets = secrets
        self._closed_error: type[Exception] = module.ConnectionClosed
        self._close_timeout_s = close_timeout_s

    async def send(self, frame: bytes) -> None:
        """Write one text message."""
        try:
            await self._connection.send(frame, text=True)
        except self._closed_error as error:
            raise _link_lost(error, self._secrets) from None
        except (OSError, EOFError) as error:
            raise LinkLost(f"the link broke: {error}", code=_NO_CLOSE_FRAME) from error

    async def receive(self) -> bytes | str:
        """Return the next message as bytes."""
        return await self._receive(decode=False)

    async def receive_framed(self) -> bytes | str:
        """Return the next message as it was framed: a text frame as ``str``, a binary one as ``bytes``."""
        return await self._receive(decode=None)

    async def _receive(self, *, decode: bool | None) -> bytes | str:
        try:
            message: bytes | str = await self._connection.recv(decode=decode)
        except self._closed_error as error:
            raise _link_lost(error, self._secrets) from None
        except (OSError, EOFError) as error:
            raise LinkLost(f"the link broke: {error}", code=_NO_CLOSE_FRAME) from error
        return message

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close in good order; gives up after the close time-out."""
        with contextlib.suppress(Exception):  # a link that cannot even be closed is closed
            async with asyncio.timeout(self._close_timeout_s + 0.5):
                await self._connection.close(code, reason)


def _load(name: Library) -> ModuleType:
    wanted = ("picows", "websockets") if name == "auto" else (name,)
    for candidate in wanted:
        try:
            if candidate == "picows":
                import picows.websockets as module
            else:
                import websockets as module  # type: ignore[no-redef]
        except ImportError:
            continue
        return module
    raise ConfigError(f'the WebSocket library {name!r} is not installed: pip install "duologue[fast]"')


def _connector(module: ModuleType) -> Any:
    """Return the library's ``connect`` with redirects turned off."""
    if module.__name__.startswith("picows"):

        def connect_picows(url: str, **arguments: Any) -> Any:
            return module.connect(url, max_redirects=0, **arguments)

        return connect_picows
    from websockets.asyncio.client import connect

    class Direct(connect):
        """``connect`` that takes a redirect for the error it is here."""

        def process_redirect(self, exc: Exception) -> Exception | str:
            return exc

    return Direct


def _shown(error: Exception, endpoint: Endpoint) -> Exception | None:
    """Return the cause of an error, unless it quotes a secret that a traceback would then print."""
    said = str(error)
    return error if scrub(said, endpoint.secrets) == said else None


def _link_lost(error: Exception, secrets: Iterable[str]) -> LinkLost:
    """Return the peer's code and reason: 1005 for a close frame without, 1006 for none at all.

    picows says 0 where websockets says 1005, and calls an oversize frame of the peer's a close received.
    Both answer a close with its own code, so who was first tells whose limit a 1009 speaks of.
    """
    received: Any = getattr(error, "rcvd", None)
    sent: Any = getattr(error, "sent", None)
    if (
        sent is not None
        and int(sent.code) == _TOO_BIG
        and int(getattr(received, "code", _TOO_BIG)) == _TOO_BIG
        and not getattr(error, "rcvd_then_sent", False)
    ):
        return LinkLost("a frame was larger than max_message_bytes", code=_TOO_BIG, retryable=False)
    if received is not None:
        code, reason = int(received.code) or _NO_STATUS, scrub(str(received.reason or ""), secrets)
        return LinkLost(f"the service closed the link: {code} {reason}".rstrip(), code=code, reason=reason)
    return LinkLost("the link broke without a close frame", code=_NO_CLOSE_FRAME)


def _connect_error(error: Exception, module: ModuleType, endpoint: Endpoint) -> ConnectError | ConfigError:
    where, said = endpoint.host, scrub(str(error), endpoint.secrets)
    if isinstance(error, (ConnectError, ConfigError)):
        return error
    status = _http_status(error)
    if status is not None:
        return upgrade_error(status, where)
    if isinstance(error, ssl.SSLError) or "SSL" in str(error):
        words = getattr(error, "verify_message", "") or getattr(error, "reason", "") or said
        return ConnectError(f"TLS with {where} failed: {words}", phase="tls", reason=str(words))
    if isinstance(error, AssertionError) or isinstance(error.__cause__, EOFError):
        # The end came before an answer did: websockets says so in the cause, picows asserts that there is one.
        msg = f"{where} broke the connection off before it had answered"
        return ConnectError(msg, phase="upgrade", retryable=True)
    if isinstance(error, module.InvalidHandshake | module.ProtocolError | EOFError):
        return ConnectError(f"{where} does not answer as a WebSocket server: {said}", phase="upgrade")
    if isinstance(error, OSError):
        # The socket was open by then (see open_socket), so it broke in what came next.
        phase: Phase = "tls" if endpoint.secure else "upgrade"
        said = said or type(error).__name__
        return ConnectError(f"{where} broke the connection off: {said}", phase=phase, retryable=True)
    what = f"{type(error).__name__}: {said}".rstrip(": ")
    return ConnectError(f"{where} does not answer as a WebSocket server: {what}", phase="upgrade")


def _http_status(error: Exception) -> int | None:
    response: Any = getattr(error, "response", None)
    status: Any = getattr(response, "status_code", None) or getattr(response, "status", None)
    return int(status) if status is not None else None

"""A socket to a host, through the proxy that the environment names for it.

The tunnel is made here rather than by the WebSocket libraries, which disagree: one reads NO_PROXY and
SOCKS settings, the other neither, and both quote the proxy's password in their errors. So links, token
requests and ``duologue doctor`` go one way.

Source: RFC 9110 section 9.3.6 (CONNECT); ``urllib.request.getproxies`` for the names.
"""

from __future__ import annotations

import asyncio
import base64
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from duologue.errors import ConfigError, ConnectError
from duologue.io.sockets import give_up, open_socket
from duologue.wire.endpoint import is_loopback

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

__all__ = ["Proxy", "find_proxy", "open_route"]

_KINDS: Final[Mapping[bool, tuple[str, ...]]] = {
    True: ("wss", "socks", "https", "all"),
    False: ("ws", "socks", "https", "http", "all"),
}
"""Which settings count for an encrypted link and for a plain one, the first that is there wins."""
_PORTS: Final[Mapping[str, int]] = {"http": 80, "socks4": 1080, "socks5": 1080, "socks5h": 1080}
_MAX_HEAD_BYTES: Final = 16 * 1024
_PROXY_AUTHENTICATION_REQUIRED: Final = 407


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy; what it is paid with is not shown."""

    scheme: str
    host: str
    port: int
    source: str
    """The variable that names it, or the system's settings."""
    login: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def where(self) -> str:
        """Host and port, for messages."""
        return f"{_bracketed(self.host)}:{self.port}"


def find_proxy(host: str, port: int, *, secure: bool) -> Proxy | None:
    """Return the proxy for a host, None when it is reached directly.

    This machine always is; so is what NO_PROXY names. Variables are read anew each time:
    ``WSS_PROXY``, ``SOCKS_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY``, in upper or lower case.

    Raises:
        ConfigError: A proxy that is none, or of a kind that cannot be used; names the variable alone.
    """
    if is_loopback(host) or proxy_bypass(f"{_bracketed(host)}:{port}"):
        return None
    settings = getproxies()
    kind = next((kind for kind in _KINDS[secure] if settings.get(kind)), None)
    return None if kind is None else _parsed(settings[kind], kind)


async def open_route(host: str, port: int, *, secure: bool, timeout_s: float) -> socket.socket:
    """Return a non-blocking socket that leads to ``host``, through a proxy if there is one.

    Args:
        host: Behind a proxy it is the proxy that looks the name up.
        port: Of the host.
        secure: Whether TLS comes next; decides which proxy counts.
        timeout_s: For names, connections and the proxy's answer together.

    Raises:
        ConnectError: It cannot be reached, or the proxy refuses.
        ConfigError: See :func:`find_proxy`.
    """
    proxy = find_proxy(host, port, secure=secure)
    if proxy is None:
        return await open_socket(host, port, timeout_s)
    try:
        async with asyncio.timeout(timeout_s):
            if proxy.scheme == "http":
                return await _connect_tunnel(proxy, host, port, timeout_s)
            return await _socks_tunnel(proxy, host, port)
    except TimeoutError:
        msg = f"the proxy {proxy.where} ({proxy.source}) did not open a way within {timeout_s:g} s"
        raise ConnectError(msg, phase="connect", retryable=True) from None


async def _connect_tunnel(proxy: Proxy, host: str, port: int, timeout_s: float) -> socket.socket:
    try:
        sock = await open_socket(proxy.host, proxy.port, timeout_s)
    except ConnectError as error:
        raise _failed(proxy, str(error), retryable=error.retryable) from error
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_sendall(sock, _connect_request(proxy, f"{_bracketed(host)}:{port}"))
        status = _status(await _read_head(sock))
        if status is None or not 200 <= status < 300:
            raise _refused(proxy, host, status)
    except BaseException as error:
        await give_up(sock)
        if isinstance(error, OSError) and not isinstance(error, ConnectError | TimeoutError):
            raise _failed(proxy, f"it broke the connection off: {error}", retryable=True) from error
        raise
    return sock


def _connect_request(proxy: Proxy, authority: str) -> bytes:
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.login is not None:
        login = base64.b64encode(":".join(proxy.login).encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {login}")
    return "\r\n".join([*lines, "", ""]).encode()


async def _read_head(sock: socket.socket) -> bytes:
    """Read the answer's head, b"" when there is none.

    A refusal may bring a page along, which is passed over; what lies behind a tunnel speaks only when spoken to.
    """
    loop = asyncio.get_running_loop()
    head = b""
    while b"\r\n\r\n" not in head:
        piece = await loop.sock_recv(sock, _MAX_HEAD_BYTES)
        head += piece
        if not piece or len(head) > _MAX_HEAD_BYTES:
            return b""
    return head


def _status(head: bytes) -> int | None:
    words = head.split(b"\r\n", 1)[0].split(b" ", 2)
    is_http = len(words) > 1 and words[0] in (b"HTTP/1.0", b"HTTP/1.1")
    return int(words[1]) if is_http and len(words[1]) == 3 and words[1].isdigit() else None


async def _socks_tunnel(proxy: Proxy, host: str, port: int) -> socket.socket:
    try:
        from python_socks import ProxyError, ProxyType
        from python_socks.async_.asyncio import Proxy as Socks
    except ImportError:
        raise ConfigError(
            f'{proxy.source} names a SOCKS proxy, which needs a package: pip install "duologue[fast]"'
        ) from None
    kind = ProxyType.SOCKS4 if proxy.scheme == "socks4" else ProxyType.SOCKS5
    user, password = proxy.login or (None, None)
    socks: Any = Socks(kind, proxy.host, proxy.port, user, password, rdns=proxy.scheme != "socks5")
    try:
        sock: socket.socket = await socks.connect(host, port)
    except (ProxyError, OSError) as error:
        raise _failed(proxy, str(error) or type(error).__name__, retryable=True) from None
    return sock


def _refused(proxy: Proxy, host: str, status: int | None) -> ConnectError:
    if status is None:
        return _failed(proxy, "it does not answer as an HTTP proxy")
    if status == _PROXY_AUTHENTICATION_REQUIRED:
        return _failed(proxy, f"it wants another user and password (HTTP {status})", code=status)
    words = f"it refuses a way to {host} (HTTP {status})"
    return _failed(proxy, words, code=status, retryable=status >= 500)


def _failed(proxy: Proxy, words: str, *, code: int | None = None, retryable: bool = False) -> ConnectError:
    msg = f"the proxy {proxy.where} ({proxy.source}) cannot be used: {words}"
    return ConnectError(msg, code=code, phase="connect", retryable=retryable)


def _parsed(url: str, kind: str) -> Proxy:
    source = _source(kind)
    if kind == "socks" and url.startswith("http://"):  # how an operating system's settings spell it
        url = f"socks5h://{url.removeprefix('http://')}"
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:  # its text may quote the password
        raise ConfigError(f"{source} is not a URL: its host or port cannot be read") from None
    scheme = "socks4" if parts.scheme == "socks4a" else parts.scheme
    if scheme not in _PORTS or not host:
        raise ConfigError(
            f"{source} names no proxy that can be used: give http://HOST:PORT or socks5h://HOST:PORT "
            "(what goes through it is encrypted all the same)"
        )
    login = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
    return Proxy(scheme, host, port or _PORTS[scheme], source, login)


def _source(kind: str) -> str:
    names = (f"{kind}_proxy", f"{kind}_proxy".upper())
    return next((name for name in names if os.environ.get(name)), "the system's proxy settings")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host

"""Proxies of the environment: real tunnels on loopback, over TLS, under both WebSocket libraries."""

from __future__ import annotations

import asyncio
import base64
import ssl
import struct
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from tests.io.conftest import Tls, nothing_is_left, websocket_server
from tests.io.proxies import VARIABLES, connect_proxy

from duologue import tokens
from duologue.config import SessionOptions
from duologue.errors import ConfigError, ConnectError
from duologue.io.proxy import find_proxy, open_route
from duologue.io.ws import WebSocketTransport
from duologue.wire.endpoint import Endpoint

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

__all__ = ["nothing_is_left"]

pytestmark = pytest.mark.usefixtures("nothing_is_left")
HOST = "gemini.test"
OPTIONS = SessionOptions(connect_timeout_s=2, upgrade_timeout_s=2, close_timeout_s=0.5)
CANARY = "canary-p%40ss"
PASSWORD = "canary-p@ss"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def named_tls() -> Tls:
    """Certificates for a host that only the proxy knows."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert(HOST).configure_cert(server)
    authority.configure_trust(client)
    return Tls(server, client)


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


def port_of(endpoint: Endpoint) -> int:
    return int(endpoint.host.rpartition(":")[2])


# --- which proxy -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "secure", "found"),
    [
        ({}, True, None),
        ({"HTTPS_PROXY": "http://p:1"}, True, ("http", "p", 1, "HTTPS_PROXY")),
        ({"https_proxy": "http://p:1"}, True, ("http", "p", 1, "https_proxy")),
        ({"https_proxy": "p:1"}, True, ("http", "p", 1, "https_proxy")),
        ({"https_proxy": "http://p"}, True, ("http", "p", 80, "https_proxy")),
        ({"https_proxy": "http://[::2]:1"}, True, ("http", "::2", 1, "https_proxy")),
        ({"HTTP_PROXY": "http://p:1"}, True, None),
        ({"HTTP_PROXY": "http://p:1"}, False, ("http", "p", 1, "HTTP_PROXY")),
        ({"ALL_PROXY": "socks5://p:1"}, True, ("socks5", "p", 1, "ALL_PROXY")),
        ({"ALL_PROXY": "http://a:1", "HTTPS_PROXY": "http://p:1"}, True, ("http", "p", 1, "HTTPS_PROXY")),
        ({"WSS_PROXY": "http://p:1", "HTTPS_PROXY": "http://h:1"}, True, ("http", "p", 1, "WSS_PROXY")),
        (
            {"SOCKS_PROXY": "http://p:1", "HTTPS_PROXY": "http://h:1"},
            True,
            ("socks5h", "p", 1, "SOCKS_PROXY"),
        ),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": HOST}, True, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".test"}, True, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": f"{HOST}:443"}, True, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, True, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "other.test"}, True, ("http", "p", 1, "HTTPS_PROXY")),
    ],
)
def test_which_proxy(
    environ: dict[str, str], secure: bool, found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    proxy = find_proxy(HOST, 443, secure=secure)
    assert (proxy and (proxy.scheme, proxy.host, proxy.port, proxy.source)) == found


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "a.localhost"])
def test_this_machine_is_reached_directly(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://p:1")
    assert find_proxy(host, 443, secure=True) is None


@pytest.mark.parametrize(
    "url", [f"https://u:{CANARY}@p", f"ftp://u:{CANARY}@p", f"http://u:{CANARY}@p:x", f"http://u:{CANARY}@"]
)
def test_what_is_no_proxy_is_refused_without_showing_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", url)
    with pytest.raises(ConfigError, match="HTTPS_PROXY") as caught:
        find_proxy(HOST, 443, secure=True)
    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_login_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{CANARY}@p:1")
    proxy = find_proxy(HOST, 443, secure=True)
    assert proxy is not None
    assert proxy.login == ("user", PASSWORD)
    assert "canary" not in repr(proxy) + str(proxy) + proxy.where


# --- through it ------------------------------------------------------------------------------------------------------


async def test_a_link_over_tls_through_a_tunnel(
    library: str, named_tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
    async with websocket_server(echo, named_tls) as there:
        names = {f"{HOST}:443": port_of(there)}
        async with connect_proxy(names=names, login=f"Basic {login}") as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"http://user:{CANARY}@127.0.0.1:{proxy.port}")
            transport = WebSocketTransport(ssl_context=named_tls.client, library=library)  # type: ignore[arg-type]
            link = await transport.connect(
                Endpoint(f"wss://{HOST}/x", {"x-goog-api-key": "canary-key"}), OPTIONS
            )
            await link.send(b'{"setup": {}}')
            assert await link.receive() == b'{"setup": {}}'
            await link.close()
            assert proxy.asked == [f"CONNECT {HOST}:443 HTTP/1.1"]
            assert "x-goog-api-key" not in proxy.headers[0]


async def test_a_plain_link_through_a_tunnel(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with websocket_server(echo) as there:
        names = {f"{HOST}:8080": port_of(there)}
        async with connect_proxy(names=names) as proxy:
            monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
            link = await WebSocketTransport(library=library).connect(Endpoint(f"ws://{HOST}:8080/x"), OPTIONS)  # type: ignore[arg-type]
            await link.send(b"{}")
            assert await link.receive() == b"{}"
            await link.close()
            assert proxy.asked == [f"CONNECT {HOST}:8080 HTTP/1.1"]


async def test_loopback_does_not_ask_the_proxy(
    transport: WebSocketTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with websocket_server(echo) as there, connect_proxy(names={}) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        link = await transport.connect(there, OPTIONS)
        await link.close()
        assert not proxy.asked


async def test_a_proxy_does_not_get_around_the_certificate(
    library: str, named_tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with websocket_server(echo, named_tls) as there:
        names = {"other.test:443": port_of(there)}
        async with connect_proxy(names=names) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            transport = WebSocketTransport(ssl_context=named_tls.client, library=library)  # type: ignore[arg-type]
            with pytest.raises(ConnectError) as caught:
                await transport.connect(Endpoint("wss://other.test/x"), OPTIONS)
            assert caught.value.phase == "tls"


@pytest.mark.parametrize(
    ("answer", "code", "words", "retryable"),
    [
        (b"HTTP/1.1 407 Who are you\r\n\r\n", 407, "another user and password", False),
        (b"HTTP/1.1 407 Log in\r\nContent-Length: 4\r\n\r\nno!\n", 407, "another user and password", False),
        (b"HTTP/1.1 403 No\r\n\r\n", 403, f"refuses a way to {HOST}", False),
        (b"HTTP/1.0 502 Bad Gateway\r\n\r\n", 502, f"refuses a way to {HOST}", True),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", 302, "refuses a way", False),
        (b"SSH-2.0-x\r\n\r\n", None, "does not answer as an HTTP proxy", False),
        (b"HTTP/1.1 " + b"2" * 5000 + b"\r\n\r\n", None, "does not answer as an HTTP proxy", False),
        (b"HTTP/1.1 200", None, "does not answer as an HTTP proxy", False),
        (b"x" * 40_000, None, "does not answer as an HTTP proxy", False),
        (b"", None, "did not open a way within 0.3 s", True),
    ],
)
async def test_a_proxy_that_refuses(
    answer: bytes, code: int | None, words: str, retryable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect_proxy(names={}, answer=answer) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:{CANARY}@127.0.0.1:{proxy.port}")
        with pytest.raises(ConnectError, match=words) as caught:
            await open_route(HOST, 443, secure=True, timeout_s=0.3)
    error = caught.value
    assert (error.code, error.retryable, error.phase) == (code, retryable, "connect")
    assert f"127.0.0.1:{proxy.port} (HTTPS_PROXY)" in str(error)
    assert "canary" not in str(error)


async def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(ConnectError, match=r"the proxy 127\.0\.0\.1:9 \(HTTPS_PROXY\)") as caught:
        await open_route(HOST, 443, secure=True, timeout_s=2)
    assert caught.value.retryable


async def test_giving_up_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with connect_proxy(names={}, answer=b"") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        asking = asyncio.create_task(open_route(HOST, 443, secure=True, timeout_s=9))
        while not proxy.asked:
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_token_requests_go_through_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async with connect_proxy(names={}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(ConnectError, match="refuses a way"):
            await tokens.create(api_key="k", base_url=f"https://{HOST}")
        assert proxy.asked == [f"CONNECT {HOST}:443 HTTP/1.1"]


async def test_a_link_through_a_socks_proxy(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[bytes, int]] = []

    async def socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        assert await reader.readexactly(4) == b"\x05\x01\x00\x03"  # connect, to a name
        (length,) = await reader.readexactly(1)
        asked.append((await reader.readexactly(length), *struct.unpack("!H", await reader.readexactly(2))))
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port_of(there))
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        async with asyncio.TaskGroup() as group:
            group.create_task(copy(reader, far_writer))
            group.create_task(copy(far_reader, writer))

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async with websocket_server(echo) as there:
        server = await asyncio.start_server(socks, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            monkeypatch.setenv("ALL_PROXY", f"socks5h://127.0.0.1:{port}")
            link = await WebSocketTransport(library=library).connect(Endpoint(f"ws://{HOST}:81/x"), OPTIONS)  # type: ignore[arg-type]
            await link.send(b"{}")
            assert await link.receive() == b"{}"
            await link.close()
            await asyncio.sleep(0.05)
    assert asked == [(HOST.encode(), 81)]

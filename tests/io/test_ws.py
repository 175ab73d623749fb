"""Links over real sockets, each case with both libraries."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from tests.io.conftest import Tls, answer, raw_server, websocket_server

from duologue.config import SessionOptions
from duologue.core.verdict import judge
from duologue.errors import AuthError, ConnectError, LinkLost
from duologue.io.ws import WebSocketTransport
from duologue.wire.endpoint import Endpoint

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

OPTIONS = SessionOptions(
    connect_timeout_s=0.4, upgrade_timeout_s=0.4, close_timeout_s=0.3, max_message_bytes=16 * 1024 * 1024
)


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def test_a_message_can_be_had_as_it_was_framed(transport: WebSocketTransport) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send(b"{}")
        await connection.send("{}")
        await connection.wait_closed()

    async with websocket_server(handler) as endpoint:
        link = await transport.connect(endpoint, OPTIONS)
        assert [await link.receive_framed(), await link.receive_framed()] == [b"{}", "{}"]
        await link.close()


async def test_certificates_are_read_once_and_not_in_the_loop(
    library: str, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[threading.Thread] = []

    def read() -> ssl.SSLContext:
        readers.append(threading.current_thread())
        return tls.client

    monkeypatch.setattr(ssl, "create_default_context", read)
    transport = WebSocketTransport(library=library)  # type: ignore[arg-type]
    async with websocket_server(echo, tls) as endpoint:
        for _ in range(2):
            await (await transport.connect(endpoint, OPTIONS)).close()
    assert len(readers) == 1
    assert readers[0] is not threading.main_thread()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 Swi"])
async def test_an_end_before_the_answer_may_be_tried_again(
    transport: WebSocketTransport, answer: bytes
) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(leave, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectError, match="before it had answered") as caught:
            await transport.connect(Endpoint(f"ws://127.0.0.1:{port}"), OPTIONS)
    assert caught.value.phase == "upgrade"
    assert caught.value.retryable


@pytest.mark.parametrize(("number", "retryable"), [(socket.EAI_AGAIN, True), (socket.EAI_NONAME, False)])
async def test_a_name_that_nobody_could_be_asked_about_may_be_tried_again(
    transport: WebSocketTransport, monkeypatch: pytest.MonkeyPatch, number: int, retryable: bool
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(number, "in the resolver's words")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(ConnectError, match="cannot be resolved") as caught:
        await transport.connect(Endpoint("ws://somewhere.invalid:80"), OPTIONS)
    assert caught.value.retryable is retryable


async def test_text_goes_out_and_both_kinds_come_in(
    transport: WebSocketTransport, scheme: str, tls: Tls
) -> None:
    kinds: list[type] = []

    async def handler(connection: ServerConnection) -> None:
        message = await connection.recv()
        kinds.append(type(message))
        await connection.send(b"binary")
        await connection.send("text")
        await connection.wait_closed()

    async with websocket_server(handler, tls if scheme == "wss" else None) as endpoint:
        link = await transport.connect(endpoint, OPTIONS)
        await link.send(b'{"a":1}')
        assert bytes(_raw(await link.receive())) == b"binary"
        assert bytes(_raw(await link.receive())) == b"text"
        await link.close()
    assert kinds == [str]


async def test_headers_reach_the_server_and_nothing_is_compressed(transport: WebSocketTransport) -> None:
    seen: dict[str, str] = {}

    async def handler(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.update({name.lower(): value for name, value in connection.request.headers.raw_items()})

    async with websocket_server(handler) as endpoint:
        link = await transport.connect(endpoint, OPTIONS)
        with pytest.raises(LinkLost):
            await link.receive()
        await link.close()
    assert seen["x-goog-api-key"] == "canary-key-7"
    assert seen["user-agent"].startswith("duologue/")
    assert "sec-websocket-extensions" not in seen


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1000, ""), (1001, "bye"), (1007, "API key not valid."), (1008, "x" * 123), (1011, "Grüße")],
)
async def test_the_peers_close_code_and_reason_arrive(
    transport: WebSocketTransport, code: int, reason: str
) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.close(code, reason)

    async with websocket_server(handler) as endpoint:
        link = await transport.connect(endpoint, OPTIONS)
        with pytest.raises(LinkLost) as caught:
            await link.receive()
        await link.close()
    assert (caught.value.code, caught.value.reason) == (code, reason)


async def test_a_close_frame_without_a_code_is_1005(transport: WebSocketTransport) -> None:
    async def handler(connection: ServerConnection) -> None:
        connection.transport.write(b"\x88\x00")
        await connection.wait_closed()

    async with websocket_server(handler) as endpoint:
        link = await transport.connect(endpoint, OPTIONS)
        with pytest.raises(LinkLost) as caught:
            await link.receive()
        await link.close()
    assert caught.value.code == 1005


@pytest.mark.parametrize("how", ["reset", "end"])
async def test_a_link_that_breaks_without_a_close_frame_is_1006(
    transport: WebSocketTransport, how: str
) -> None:
    async def handler(connection: ServerConnection) -> None:
        sock: socket.socket = connection.transport.get_extra_info("socket")
        if how == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.transport.abort()
        else:
            connection.transport.close()

    async with websocket_server(handler) as endpoint:
        link = await transport.connect(endpoint, OPTIONS)
        with pytest.raises(LinkLost) as caught:
            await link.receive()
        with pytest.raises(LinkLost):
            await link.send(b"{}")
        await link.close()
    assert caught.value.code == 1006


async def test_frames_to_the_limit_arrive_and_larger_ones_end_the_link(transport: WebSocketTransport) -> None:
    limit = 4 * 1024 * 1024

    async def handler(connection: ServerConnection) -> None:
        await connection.send(b"a" * limit)
        await connection.send(b"b" * (limit + 1))
        await connection.wait_closed()

    options = SessionOptions(max_message_bytes=limit, close_timeout_s=0.3)
    async with websocket_server(handler) as endpoint:
        link = await transport.connect(endpoint, options)
        assert len(await link.receive()) == limit
        with pytest.raises(LinkLost) as caught:
            await link.receive()
        await link.close()
    assert caught.value.code == 1009
    assert not caught.value.retryable


async def test_a_frame_of_ours_that_the_service_finds_too_large_is_its_close(
    transport: WebSocketTransport,
) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.close(1009, "the image is too large")

    async with websocket_server(handler) as endpoint:
        link = await transport.connect(endpoint, OPTIONS)
        with pytest.raises(LinkLost) as caught:
            await link.receive()
        await link.close()
    assert (caught.value.code, caught.value.reason) == (1009, "the image is too large")
    assert judge(caught.value, phase="ready").cause == "too-big"


async def test_closing_is_idempotent_and_ends_receiving(transport: WebSocketTransport) -> None:
    async with websocket_server(echo) as endpoint:
        link = await transport.connect(endpoint, OPTIONS)
        await link.close()
        await link.close()
        with pytest.raises(LinkLost):
            await link.receive()
        with pytest.raises(LinkLost):
            await link.send(b"{}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_refused(transport: WebSocketTransport, status: int) -> None:
    visited = 0

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal visited
        visited += 1
        await reader.read(1)

    async with raw_server(elsewhere) as other:
        handler = answer(f"{status} Elsewhere", f"Location: {other.url}")
        async with raw_server(handler) as endpoint:
            with pytest.raises(ConnectError, match="redirect") as caught:
                await transport.connect(endpoint, OPTIONS)
    assert caught.value.code == status
    assert caught.value.phase == "upgrade"
    assert visited == 0


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        ("401 Unauthorized", AuthError, False),
        ("403 Forbidden", AuthError, False),
        ("404 Not Found", ConnectError, False),
        ("503 Unavailable", ConnectError, True),
        ("200 OK", ConnectError, False),
    ],
)
async def test_http_refusals_say_their_status(
    transport: WebSocketTransport, status: str, kind: type[ConnectError], retryable: bool
) -> None:
    async with raw_server(answer(status)) as endpoint:
        with pytest.raises(kind) as caught:
            await transport.connect(endpoint, OPTIONS)
    assert caught.value.code == int(status[:3])
    assert caught.value.phase == "upgrade"
    assert caught.value.retryable is retryable
    assert "canary" not in f"{caught.value!r} {caught.value}"


async def test_nobody_listening(transport: WebSocketTransport) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(ConnectError) as caught:
        await transport.connect(Endpoint(f"ws://127.0.0.1:{port}/x"), OPTIONS)
    assert caught.value.phase == "connect"
    assert caught.value.retryable
    assert str(port) in str(caught.value)


async def test_a_name_that_is_none(transport: WebSocketTransport) -> None:
    with pytest.raises(ConnectError, match=r"no-such-host\.invalid") as caught:
        await transport.connect(Endpoint("ws://no-such-host.invalid/x"), SessionOptions(connect_timeout_s=5))
    assert caught.value.phase == "connect"


async def test_a_certificate_nobody_trusts(library: str, tls: Tls) -> None:
    distrustful = WebSocketTransport(ssl_context=ssl.create_default_context(), library=library)  # type: ignore[arg-type]  # a fixture's str
    async with websocket_server(echo, tls) as endpoint:
        with pytest.raises(ConnectError) as caught:
            await distrustful.connect(endpoint, OPTIONS)
    assert caught.value.phase == "tls"
    assert "127.0.0.1" in str(caught.value)


async def test_tls_against_a_plain_server(transport: WebSocketTransport) -> None:
    async with websocket_server(echo) as endpoint:
        url = endpoint.url.replace("ws://", "wss://")
        with pytest.raises(ConnectError) as caught:
            await transport.connect(Endpoint(url), OPTIONS)
    assert caught.value.phase == "tls"


async def test_a_server_that_accepts_and_says_nothing(transport: WebSocketTransport) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with raw_server(silent) as endpoint:
        with pytest.raises(ConnectError) as caught:
            await transport.connect(endpoint, OPTIONS)
    assert caught.value.phase == "upgrade"
    assert caught.value.retryable


async def test_a_peer_that_is_no_web_server(transport: WebSocketTransport) -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail ready\r\n\r\n")
        await writer.drain()
        await reader.read(-1)

    async with raw_server(rude) as endpoint:
        with pytest.raises(ConnectError) as caught:
            await transport.connect(endpoint, OPTIONS)
    assert caught.value.phase == "upgrade"


async def test_a_peer_that_hangs_up_during_the_upgrade(transport: WebSocketTransport) -> None:
    async def gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with raw_server(gone) as endpoint:
        with pytest.raises(ConnectError):
            await transport.connect(endpoint, OPTIONS)


def _raw(frame: bytes | str) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame


async def test_loopback_is_reached_without_a_proxy(
    transport: WebSocketTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with websocket_server(echo) as endpoint:
        link = await transport.connect(endpoint, OPTIONS)
        await link.send(b"{}")
        assert _raw(await link.receive()) == b"{}"
        await link.close()


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-x\r\n", b"\x00\x01\x02" * 50])
async def test_whatever_answers_is_named(transport: WebSocketTransport, greeting: bytes) -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(greeting)
        await writer.drain()

    async with raw_server(rude) as endpoint:
        with pytest.raises(ConnectError) as caught:
            await transport.connect(endpoint, OPTIONS)
    assert caught.value.phase == "upgrade"
    assert not str(caught.value).endswith((": ", ":"))


async def test_what_a_peer_quotes_is_not_shown(transport: WebSocketTransport) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.close(1008, "canary-key-7 and AIzaSyA1234567890abcdefghij are wrong")

    async with websocket_server(handler) as endpoint:
        link = await transport.connect(endpoint, OPTIONS)
        with pytest.raises(LinkLost) as caught:
            await link.receive()
        await link.close()
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caught.value.reason
    assert "canary-key-7" not in shown
    assert "AIza" not in shown
    assert "[secret]" in caught.value.reason

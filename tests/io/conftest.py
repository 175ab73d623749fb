"""Servers that misbehave on purpose, on real loopback sockets."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
import trustme
from websockets.asyncio.server import ServerConnection, serve

from duologue.io.ws import WebSocketTransport, available_libraries
from duologue.wire.endpoint import Endpoint

Handler = Callable[[ServerConnection], Awaitable[None]]
RawHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Tls:
    """A throw-away authority and both sides' contexts."""

    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="session")
def tls() -> Tls:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return Tls(server, client)


@pytest.fixture(params=available_libraries())
def library(request: pytest.FixtureRequest) -> str:
    """Every WebSocket library that is installed."""
    return str(request.param)


@pytest.fixture(params=["ws", "wss"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def transport(library: str, tls: Tls) -> WebSocketTransport:
    return WebSocketTransport(ssl_context=tls.client, library=library)  # type: ignore[arg-type]  # a fixture's str


@contextlib.asynccontextmanager
async def websocket_server(handler: Handler, tls: Tls | None = None) -> AsyncIterator[Endpoint]:
    """Serve ``handler``; yield where."""
    context = tls.server if tls else None
    async with serve(handler, "127.0.0.1", 0, ssl=context, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield Endpoint(f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/x", {"x-goog-api-key": "canary-key-7"})


@contextlib.asynccontextmanager
async def raw_server(handler: RawHandler, tls: Tls | None = None) -> AsyncIterator[Endpoint]:
    """Serve bytes; every connection is closed at the end, whatever the handler waits for."""
    tasks: set[asyncio.Task[None]] = set()

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await handler(reader, writer)
        finally:
            tasks.discard(task)
            writer.close()
            with contextlib.suppress(Exception):
                await writer.wait_closed()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=tls.server if tls else None)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield Endpoint(f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/x", {"x-goog-api-key": "canary-key-7"})
        for task in list(tasks):
            task.cancel()


def answer(status: str, *headers: str) -> RawHandler:
    """Return a handler that answers every request with an HTTP status."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        lines = [f"HTTP/1.1 {status}", "Content-Length: 0", "Connection: close", *headers, "", ""]
        writer.write("\r\n".join(lines).encode())
        await writer.drain()

    return handle


@pytest.fixture
async def nothing_is_left(caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    """No task survives the test, and asyncio has found nothing to complain about."""
    yield
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left
    gc.collect()
    assert not [record for record in caplog.get_records("call") if record.name == "asyncio"]

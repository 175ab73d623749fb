"""A real CONNECT proxy on loopback: it looks names up in its own table, and notes who asked for what."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

VARIABLES = tuple(
    spelt
    for kind in ("ws", "wss", "http", "https", "socks", "all", "no")
    for spelt in (f"{kind}_proxy", f"{kind}_proxy".upper())
)


@dataclass
class ConnectProxy:
    """What the proxy is told and does."""

    names: dict[str, int]
    """``host:port`` → the port on this machine it stands for."""
    login: str | None = None
    """What ``Proxy-Authorization`` must hold."""
    answer: bytes | None = None
    """Sent instead of opening a tunnel; b"" is silence."""
    port: int = 0
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            request, *lines = head.split("\r\n")
            self.asked.append(request)
            self.headers.append(dict(line.split(": ", 1) for line in lines if line))
            if self.answer is not None:
                await self._say(writer, self.answer)
                return
            if self.login is not None and self.headers[-1].get("Proxy-Authorization") != self.login:
                await self._say(writer, b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                return
            port = self.names.get(request.split(" ")[1])
            if port is None:
                await self._say(writer, b"HTTP/1.1 403 Forbidden\r\n\r\n")
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            await self._say(writer, b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, far_writer))
                group.create_task(_copy(far_reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _say(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        writer.write(answer)
        await writer.drain()
        if not answer:
            await asyncio.Event().wait()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()
            await writer.wait_closed()


@asynccontextmanager
async def connect_proxy(**options: object) -> AsyncIterator[ConnectProxy]:
    """Run a proxy; its connections end with it."""
    proxy = ConnectProxy(**options)  # type: ignore[arg-type]  # passed on as they are
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await proxy.serve(reader, writer)
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        proxy.port = server.sockets[0].getsockname()[1]
        yield proxy
        for task in list(tasks):
            task.cancel()
        while tasks:
            await asyncio.sleep(0)
        await asyncio.sleep(0.02)  # the far ends notice

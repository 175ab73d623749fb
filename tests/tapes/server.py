"""A tape server: waits for what the recorded client had said by then, then plays the recorded frames."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

from tests.tapes.purposes import STREAM_END, Ledger, Mark, Needed, purposes_of
from tests.tapes.tape import Received, camel
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

    from tests.tapes.tape import Link

__all__ = ["TapeServer"]

_UNSENDABLE = frozenset({1005, 1006, 1015})


class TapeServer:
    """Plays one link of a recording to one client, over a real socket.

    It knows purposes, not forms: it goes on when all that the recording had sent by then has come, in
    however many frames. Frames go out binary, as the service sends them.

    Args:
        link: What to play.
        manual: The client marks the user's activity.
        patience_s: How long it waits for the client to say what was recorded.
    """

    def __init__(self, link: Link, *, manual: bool, patience_s: float = 10.0) -> None:
        self._link = link
        self._patience_s = patience_s
        self._is_needed = Needed(manual=manual)
        self._news = asyncio.Event()
        self.url = ""
        self.setup: dict[str, Any] = {}
        self.heard = Ledger()
        self.awaited = Ledger()
        self.missing: list[str] = []
        """What the client never said; empty when the whole recording was played."""
        self.played = asyncio.Event()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[TapeServer]:
        """Listen on loopback."""
        async with serve(self._serve, "127.0.0.1", 0, max_size=None, compression=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            self.url = f"http://127.0.0.1:{port}"
            yield self

    def differences(self, *, exact: bool) -> list[str]:
        """Return what came otherwise than it was recorded; a stream that was ended early is no difference.

        Args:
            exact: No silence was added to the speech: its bytes must be the recorded ones.
        """
        more = [p for p in self.heard.said - self.awaited.said if p != Mark(STREAM_END)]
        found = [f"sent beside what was recorded: {purpose}" for purpose in more]
        recorded = self.awaited.pcm
        if exact and self.awaited.rates_hz <= {16_000} and self.heard.pcm != recorded:
            found.append(f"{len(self.heard.pcm)} bytes of speech are not the recorded {len(recorded)}")
        return found

    async def _serve(self, connection: ServerConnection) -> None:
        listening = asyncio.create_task(self._listen(connection), name="tape-listener")
        try:
            await self._play(connection)
            await connection.wait_closed()
        except ConnectionClosed:
            self.missing = self.missing or ["the client left before the end"]
        finally:
            self.played.set()
            listening.cancel()
            await asyncio.wait({listening})

    async def _listen(self, connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for frame in connection:
                message = camel(json.loads(frame))
                self.setup = message.get("setup", self.setup)
                for purpose in purposes_of(message):
                    self.heard.add(purpose)
                self._news.set()

    async def _play(self, connection: ServerConnection) -> None:
        ready = was_ready = False
        for entry in self._link.entries:
            if isinstance(entry, Received):
                # Some clients speak before they are answered; ours waits until the session is ready.
                ready = ready or any("setupComplete" in message for message in entry.messages)
                await self._all_has_come(self.awaited if was_ready else Ledger())
                was_ready = ready
                if self.missing:
                    break
                self._is_needed.cancelled(entry.messages)
                await connection.send(entry.frame)
            else:
                for purpose in filter(self._is_needed, purposes_of(entry.message)):
                    self.awaited.add(purpose)
        if not self.missing:
            await self._all_has_come(self.awaited if ready else Ledger())
        self.played.set()
        if self.missing:
            await connection.close(1011, "the tape cannot go on")
        elif self._link.close is not None:
            await self._hang_up(connection, self._link.close.code, self._link.close.reason)

    async def _all_has_come(self, awaited: Ledger) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                while not self.setup or awaited.missing(self.heard):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            self.missing = awaited.missing(self.heard) or ["setup"]

    @staticmethod
    async def _hang_up(connection: ServerConnection, code: int, reason: str) -> None:
        if code in _UNSENDABLE:
            connection.transport.abort()
        else:
            await connection.close(code, reason)

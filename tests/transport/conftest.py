"""A caller of the transport that remembers what it was told, and services in memory and on sockets."""

from __future__ import annotations

import asyncio
import base64
import functools
import json
from typing import TYPE_CHECKING, Any

import pytest

from duologue.emulator import Emulator
from duologue.emulator.ears.energy import EnergyEars
from duologue.emulator.voice.tone import ToneVoice
from duologue.io.memory import MemoryLink, MemoryTransport
from duologue.transport import GeminiLiveTransport, GeminiTransportConfig
from duologue.transport.base import CALLBACKS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from duologue.wire.endpoint import Endpoint

MODELS = {
    "2.5-native": "gemini-2.5-flash-native-audio-preview-12-2025",
    "3.8": "gemini-3.8-live",
}


class Told:
    """Everything a transport called back with, in order."""

    def __init__(self, transport: GeminiLiveTransport) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._news = asyncio.Event()
        for name in CALLBACKS:
            setattr(transport, name, functools.partial(self._take, name.removeprefix("on_")))

    def _take(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, *arguments))
        self._news.set()

    @property
    def names(self) -> list[str]:
        return [call[0] for call in self.calls]

    def of(self, name: str) -> list[Any]:
        """Return the first argument of each call of this callback."""
        return [call[1] if len(call) > 1 else None for call in self.calls if call[0] == name]

    async def wait_for(self, name: str, count: int = 1) -> None:
        """Wait until this callback has been called so many times."""
        async with asyncio.timeout(20):
            while self.names.count(name) < count:
                self._news.clear()
                await self._news.wait()


class Service:
    """The other end in memory: takes links, remembers what they sent, says what a test wants said."""

    def __init__(self) -> None:
        self.links: list[MemoryLink] = []
        self.endpoints: list[Endpoint] = []
        self.silent = False
        self.refuse_handles = False
        self.sent: list[dict[str, Any]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self.transport = MemoryTransport(self._accept)

    def _accept(self, link: MemoryLink, endpoint: Endpoint) -> None:
        self.links.append(link)
        self.endpoints.append(endpoint)
        task = asyncio.get_running_loop().create_task(self._serve(link))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, link: MemoryLink) -> None:
        from duologue.errors import LinkLost

        try:
            while True:
                message = json.loads(await link.receive())
                self.sent.append(message)
                self._news.set()
                setup = message.get("setup")
                if setup is None or self.silent:
                    continue
                if self.refuse_handles and setup.get("sessionResumption", {}).get("handle"):
                    await link.close(1008, "BidiGenerateContent session not found")
                else:
                    await self.say({"setupComplete": {}})
        except LinkLost:
            return

    async def say(self, *messages: dict[str, Any]) -> None:
        """Send messages on the newest link, one frame each, and let the client read them."""
        for message in messages:
            await self.links[-1].send(json.dumps(message))
        for _ in range(10 * len(messages)):
            await asyncio.sleep(0)

    async def heard(self, key: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for so many messages with this key and return them all."""
        async with asyncio.timeout(5):
            while len(found := [m[key] for m in self.sent if key in m]) < count:
                self._news.clear()
                await self._news.wait()
        return found

    @property
    def setups(self) -> list[dict[str, Any]]:
        return [m["setup"] for m in self.sent if "setup" in m]


def content(**fields: Any) -> dict[str, Any]:
    """Return a ``serverContent`` message."""
    return {"serverContent": fields}


def sound(pcm: bytes = b"\1\0" * 240) -> dict[str, Any]:
    """Return a ``modelTurn`` of one piece of sound."""
    blob = {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(pcm).decode()}
    return {"parts": [{"inlineData": blob}]}


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
async def make(service: Service) -> AsyncIterator[Callable[..., GeminiLiveTransport]]:
    """Make transports to the service in memory; they are disconnected after the test."""
    made: list[GeminiLiveTransport] = []

    def build(callbacks: object = None, **options: Any) -> GeminiLiveTransport:
        config = GeminiTransportConfig(**({"api_key": "k", "model": MODELS["2.5-native"]} | options))
        made.append(GeminiLiveTransport(config, callbacks, transport=service.transport))
        return made[-1]

    yield build
    for transport in made:
        await transport.disconnect()


def emulator(**options: Any) -> Emulator:
    """Return an emulator of quick parts; playback passes a hundred times faster."""
    defaults: dict[str, Any] = {"ears": EnergyEars(), "voice": ToneVoice(), "time_scale": 100.0}
    return Emulator(**(defaults | options))

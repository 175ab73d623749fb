"""A driver over links in memory, and the service's end of them by hand."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from typing import TYPE_CHECKING, Any, TypeVar

from duologue.config import Clock, SessionOptions, ToolRunner
from duologue.core.session import Session, SessionPlan
from duologue.errors import (
    LinkLost,
)
from duologue.io.clock import LoopClock
from duologue.io.driver import Driver
from duologue.io.memory import MemoryLink, MemoryTransport
from duologue.tools import Registry, Runner
from duologue.wire.endpoint import Endpoint
from duologue.wire.profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import Callable

    from duologue.core.outlet import Notice
    from duologue.events import (
        Event,
    )

E = TypeVar("E")

ENDPOINT = Endpoint("ws://memory/")
QUICK = SessionOptions(close_timeout_s=0.2)
SOUND = base64.b64encode(bytes(960)).decode()


def sound() -> dict[str, Any]:
    """A message with 20 ms of the model's sound."""
    part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": SOUND}}
    return {"serverContent": {"modelTurn": {"parts": [part]}}}


def tool_call(*ids: str, name: str = "look_up") -> dict[str, Any]:
    return {"toolCall": {"functionCalls": [{"id": each, "name": name, "args": {}} for each in ids]}}


class Peer:
    """The service's end of every link the driver makes, by hand."""

    def __init__(self) -> None:
        self.links: list[MemoryLink] = []
        self.connected = asyncio.Event()

    def accept(self, link: MemoryLink, endpoint: Endpoint) -> None:
        self.links.append(link)
        self.connected.set()

    @property
    def link(self) -> MemoryLink:
        return self.links[-1]

    async def send(self, *messages: dict[str, Any]) -> None:
        for message in messages:
            await self.link.send(json.dumps(message))

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(2):
            message = json.loads(await self.link.receive())
        assert isinstance(message, dict)
        return message

    async def set_up(self) -> dict[str, Any]:
        """Take the setup message and agree to it."""
        await self.connected.wait()
        setup = await self.next()
        await self.send({"setupComplete": {}})
        return setup

    async def rest(self) -> list[dict[str, Any]]:
        """Everything the driver still wrote, up to the close."""
        messages = []
        with contextlib.suppress(LinkLost):
            while True:
                messages.append(await self.next())
        return messages


class Rig:
    """A driver, its core, what it delivered, and the peer."""

    def __init__(
        self,
        *tools: Callable[..., Any],
        runner: ToolRunner | None = None,
        clock: Clock | None = None,
        options: SessionOptions = QUICK,
        transport: Any = None,
    ) -> None:
        self.peer = Peer()
        self.events: list[Event] = []
        self.notices: list[Notice] = []
        self.functions: list[Callable[[Event], None]] = []
        self.seen = asyncio.Event()
        plan = SessionPlan(
            session_id="s", setup={"model": "models/m"}, profile=PROFILES["2.5-native"], options=options
        )
        self.core = Session(plan)
        link = transport if transport is not None else MemoryTransport(self.peer.accept)
        self.driver = Driver(
            self.core,
            lambda: link.connect(ENDPOINT, options),
            options=options,
            clock=clock or LoopClock(),
            deliver=self._deliver,
            notify=self.notices.append,
            runner=runner or Runner(Registry(tools)),
            owner=self,
        )

    def _deliver(self, event: Event) -> None:
        self.events.append(event)
        self.seen.set()
        for function in list(self.functions):
            function(event)

    async def start(self) -> Rig:
        await asyncio.gather(self.driver.start(), self.peer.set_up())
        return self

    def say(self, text: str) -> None:
        self.driver.command(lambda now: self.core.send_text(text, now))

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, kind: type[E], count: int = 1) -> list[E]:
        """Wait for ``count`` events of a kind."""
        async with asyncio.timeout(2):
            while len(self.of(kind)) < count:
                self.seen.clear()
                await self.seen.wait()
        return self.of(kind)

    @property
    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


async def steps(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def drain(link: MemoryLink) -> None:
    """Read to the end; a TimeoutError says that the link was left open."""
    while True:
        await asyncio.wait_for(link.receive(), 0.1)

"""A service that behaves as a test wants it to, on a real socket, and the rooms of a run around it."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from duologue.config import SessionOptions
from duologue.io.ws import WebSocketTransport
from duologue.verify.probe import UnsettledError
from duologue.verify.run import Limits
from duologue.verify.sides import Pace
from duologue.verify.speech import spoken_line
from duologue.wire.endpoint import developer_endpoint
from duologue.wire.setup import wire_model

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from websockets.http11 import Request, Response

    from duologue.io.ws import WebSocketLink
    from duologue.wire.endpoint import Endpoint
    from duologue.wire.profiles import ModelProfile

LIMITS = Limits(at_once=4, probe_s=10, patient_s=10, total_s=30)

Message = Mapping[str, Any]
Step = Message | float | tuple[int, str]
"""Of an answer: a message, seconds to wait, or a close."""


def sound(seconds: float = 0.1) -> dict[str, Any]:
    pcm = base64.b64encode(bytes(2 * round(24_000 * seconds))).decode()
    blob = {"mimeType": "audio/pcm;rate=24000", "data": pcm}
    return {"serverContent": {"modelTurn": {"parts": [{"inlineData": blob}]}}}


def words(text: str) -> dict[str, Any]:
    return {"serverContent": {"outputTranscription": {"text": text}}}


def heard(text: str) -> dict[str, Any]:
    return {"serverContent": {"inputTranscription": {"text": text}}}


def call(*ids: str, **args: str) -> dict[str, Any]:
    calls = [{"id": one, "name": "get_weather", "args": args or {"city": "London"}} for one in ids]
    return {"toolCall": {"functionCalls": calls}}


def handle(name: str = "0123456789abcdef-0123") -> dict[str, Any]:
    return {"sessionResumptionUpdate": {"newHandle": name, "resumable": True}}


GENERATED = {"serverContent": {"generationComplete": True}}
INTERRUPTED = {"serverContent": {"interrupted": True}}
USAGE = {"promptTokenCount": 10, "responseTokenCount": 5, "thoughtsTokenCount": 3, "totalTokenCount": 15}
OVER = {"serverContent": {"turnComplete": True}, "usageMetadata": USAGE}
REPLY: tuple[Step, ...] = (sound(), words("Hello!"), GENERATED, OVER)


@dataclass(frozen=True)
class Manners:
    """What the scripted service does. Left alone it takes everything, and answers everything aloud."""

    framing: Literal["binary", "text"] = "binary"
    opening: Sequence[Step] = ({"setupComplete": {}},)
    """To the first message, whatever it is."""
    answers: Sequence[Sequence[Step]] = (REPLY,)
    """To the turns of text and content, in this order; the last one again and again."""
    speech: Sequence[Step] = ()
    """To the first sound."""
    stream_end: Sequence[Step] = ()
    results: Sequence[Step] = ()
    """To a function's result."""
    other: Sequence[Step] = ()
    """To anything else: a second setup, an update of the context, a mark."""
    status: int | None = None
    """Refuse the upgrade with it."""


class ScriptedService:
    """One connection after the other, each by the same manners; what it was sent stays in ``received``."""

    def __init__(self, manners: Manners) -> None:
        self.manners = manners
        self.received: list[dict[str, Any]] = []
        self.url = ""

    async def serve(self, connection: ServerConnection) -> None:
        answers = itertools.chain(self.manners.answers, itertools.repeat(self.manners.answers[-1]))
        opened = heard_sound = False
        try:
            async for frame in connection:
                message = json.loads(frame)
                self.received.append(message)
                told = message.get("realtimeInput") or {}
                if not opened:
                    opened = True
                    await self._play(connection, self.manners.opening)
                elif "audio" in told:
                    if not heard_sound:
                        await self._play(connection, self.manners.speech)
                    heard_sound = True
                else:
                    await self._play(connection, self._answer(message, told, answers))
        except ConnectionClosed:
            pass

    def _answer(
        self, message: dict[str, Any], told: dict[str, Any], answers: Iterator[Sequence[Step]]
    ) -> Sequence[Step]:
        if "audioStreamEnd" in told:
            return self.manners.stream_end
        if "toolResponse" in message:
            return self.manners.results
        is_turn = "text" in told or "clientContent" in message
        return next(answers) if is_turn else self.manners.other

    async def _play(self, connection: ServerConnection, steps: Sequence[Step]) -> None:
        for step in steps:
            if isinstance(step, float):
                await asyncio.sleep(step)
            elif isinstance(step, tuple):
                await connection.close(*step)
            else:
                text = json.dumps(step)
                await connection.send(text if self.manners.framing == "text" else text.encode())

    def refuse(self, connection: ServerConnection, request: Request) -> Response | None:
        if self.manners.status is None:
            return None
        return connection.respond(HTTPStatus(self.manners.status), "no\n")


@dataclass
class ScriptedSide:
    """The scripted service as a side; hurries, for nothing there takes long."""

    url: str
    name: Literal["emulator", "live"] = "emulator"
    host: str = "scripted"
    pace: Pace = field(default_factory=lambda: Pace(patience_s=1.0, quiet_s=0.4, speed=50.0, link_life_s=1.0))
    speaks: bool = True

    def lacks(self, row: ModelProfile) -> str | None:
        return None

    def model(self, row: ModelProfile) -> str:
        return wire_model(row.default_model, row.backend)

    async def endpoint(self, row: ModelProfile, *, hurried: bool = False) -> Endpoint:
        return developer_endpoint(api_key="canary-key-7", base_url=self.url)

    async def connect(self, endpoint: Endpoint) -> WebSocketLink:
        return await WebSocketTransport(library="websockets").connect(endpoint, SessionOptions())

    async def speech(self) -> bytes:
        if not self.speaks:
            raise UnsettledError("no_speech", "nothing here can speak")
        return await spoken_line("tone")


@asynccontextmanager
async def scripted(manners: Manners) -> AsyncGenerator[tuple[ScriptedSide, ScriptedService]]:
    service = ScriptedService(manners)
    async with serve(service.serve, "127.0.0.1", 0, process_request=service.refuse) as server:
        port = server.sockets[0].getsockname()[1]
        yield ScriptedSide(f"http://127.0.0.1:{port}"), service


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    from duologue.io.auth import VARIABLES

    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)

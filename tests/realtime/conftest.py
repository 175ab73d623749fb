"""Calls over real sockets to an emulator whose parts cost nothing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from tests.io.conftest import nothing_is_left

from duologue import RealtimeModel, RealtimeSession, SessionOptions
from duologue.emulator import Emulator
from duologue.emulator.ears.energy import EnergyEars
from duologue.emulator.protocols import Call, Prompt, Reply
from duologue.emulator.voice.tone import ToneVoice
from duologue.io.auth import VARIABLES
from duologue.io.ws import available_libraries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = ["nothing_is_left"]

E = TypeVar("E")

MODELS = {"2.5-native": "gemini-2.5-flash-native-audio-preview-12-2025", "3.8": "gemini-3.8-live"}
LONG = "This is a long story about a very old town. " * 12


@dataclass
class Brain:
    """What the emulated model says; ``wait`` holds every thought up until it is set."""

    wait: asyncio.Event = field(default_factory=asyncio.Event)
    heard: list[str] = field(default_factory=list)

    async def __call__(self, prompt: Prompt) -> Reply:
        await self.wait.wait()
        last = prompt.history[-1]
        self.heard.append(last.text)
        if last.role == "result":
            return Reply(f"It is {(last.result or {}).get('output')}.")
        if "weather" in last.text:
            return Reply(calls=(Call("get_weather", {"city": "London"}),))
        if "bye" in last.text:
            return Reply("Goodbye.", calls=(Call("end_call", {}),))
        return Reply({"long": LONG, "nothing": ""}.get(last.text, "Hello there."))


@dataclass
class Place:
    """Where a test's calls go."""

    emulator: Emulator
    brain: Brain
    model_name: str
    library: str

    def model(self, **options: Any) -> RealtimeModel:
        session = {"websocket_library": self.library, "close_timeout_s": 0.5, **options.pop("session", {})}
        defaults = {"model": self.model_name, "api_key": "any-key", "base_url": self.emulator.url}
        return RealtimeModel(**{**defaults, **options}, options=SessionOptions(**session))

    def session(self, **options: Any) -> RealtimeSession:
        return self.model(**options).session()

    def uplink(self, kind: str) -> list[Any]:
        """What clients have sent under this key, inside realtimeInput or at the top."""
        sent = [frame.message for frame in self.emulator.log if frame.direction == "uplink"]
        found = [message[kind] for message in sent if kind in message]
        return found + [m["realtimeInput"][kind] for m in sent if kind in m.get("realtimeInput", {})]


@asynccontextmanager
async def open_place(
    profile: str = "3.8", library: str = "websockets", **options: Any
) -> AsyncIterator[Place]:
    brain = Brain()
    brain.wait.set()
    parts: dict[str, Any] = {
        "ears": EnergyEars(["spoken words"] * 9),
        "voice": ToneVoice(),
        "time_scale": 100.0,
    }
    async with Emulator(brain=brain, **{**parts, **options}) as emulator:
        yield Place(emulator, brain, MODELS[profile], library)


@pytest.fixture(params=available_libraries())
def library(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=list(MODELS))
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def clean(nothing_is_left: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No task is left; no key of this machine's is used."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def place(profile: str) -> AsyncIterator[Place]:
    """Quick playback, each profile."""
    async with open_place(profile) as opened:
        yield opened


@pytest.fixture
async def slow_place(profile: str) -> AsyncIterator[Place]:
    """Playback takes as long as in life: time to interrupt a long answer."""
    async with open_place(profile, time_scale=1.0) as opened:
        yield opened


@pytest.fixture
async def anywhere() -> AsyncIterator[Place]:
    """Quick playback, one profile: for what does not depend on it."""
    async with open_place() as opened:
        yield opened


async def until(events: AsyncIterator[Any], kind: type[E], fits: Callable[[E], bool] = lambda _: True) -> E:
    """Read on to the next event of a kind."""
    async with asyncio.timeout(5):
        async for event in events:
            if isinstance(event, kind) and fits(event):
                return event
    raise AssertionError(f"no {kind.__name__} before the end")


async def rest(events: AsyncIterator[E]) -> list[E]:
    async with asyncio.timeout(5):
        return [event async for event in events]

"""Whom the probes talk to; here: an emulator of our own. ``live`` has the service itself.

A side knows how to get a link, how patient one has to be, and which profiles it cannot show. It knows
nothing of what is probed.
"""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, Protocol

from duologue.config import SessionOptions
from duologue.emulator.ears.energy import EnergyEars
from duologue.errors import ConfigError
from duologue.io.ws import WebSocketTransport
from duologue.verify.speech import LINE, spoken_line
from duologue.wire.endpoint import developer_endpoint, vertex_endpoint
from duologue.wire.setup import wire_model

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from duologue.emulator import Emulator
    from duologue.io.ws import WebSocketLink
    from duologue.wire.endpoint import Endpoint
    from duologue.wire.profiles import ModelProfile

__all__ = ["Credentials", "EmulatorSide", "Pace", "Side", "altered"]

Credentials = Literal["right", "wrong", "none"]

_KEY: Final = "verify"
_WRONG_KEY: Final = "not-a-key"
_VERSION: Final = re.compile(r"(?<=\.)v\d[a-z0-9]*(?=\.)")
_HURRY: Final = 100.0
"""How many times faster a link of the hurried emulator ages: ten minutes are six seconds."""
_LINK_LIFE_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait, and how fast to speak."""

    patience_s: float
    """For what should come; then it is found not to."""
    quiet_s: float
    """Nothing for so long means that nothing will come."""
    speed: float
    """Sound is sent this many times faster than it was spoken."""
    link_life_s: float
    """Within this a link announces its end."""
    settle_s: float = 0.0
    """After a link was closed, until the service has noticed."""


class Side(Protocol):
    """One to talk to; an async context manager."""

    name: Literal["emulator", "live"]
    pace: Pace
    host: str
    """For people; set on entering at the latest."""

    def lacks(self, row: ModelProfile) -> str | None:
        """Say why nothing can be asked about this profile; None when it can."""
        ...

    def model(self, row: ModelProfile) -> str:
        """Return the profile's default model as a setup is to name it."""
        ...

    async def endpoint(self, row: ModelProfile, *, hurried: bool = False) -> Endpoint:
        """Return where to connect; ``hurried``: to where links age faster, if there is such a place."""
        ...

    async def connect(self, endpoint: Endpoint) -> WebSocketLink:
        """Open a link."""
        ...

    async def speech(self) -> bytes:
        """Return a spoken line, s16le mono 16 kHz."""
        ...


class EmulatorSide:
    """An emulator in this process, made for the time of the probes."""

    name: Literal["emulator", "live"] = "emulator"
    pace = Pace(patience_s=10.0, quiet_s=2.5, speed=10.0, link_life_s=_LINK_LIFE_S / _HURRY * 2)
    host = "the local emulator"

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._transport = WebSocketTransport(library="websockets")
        self._line: bytes | None = None
        self._steady: Emulator
        self._hurried: Emulator

    async def __aenter__(self) -> EmulatorSide:
        async with AsyncExitStack() as stack:
            self._steady = await stack.enter_async_context(_emulator())
            self._hurried = await stack.enter_async_context(_emulator(_HURRY))
            self._line = await spoken_line("tone")
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def lacks(self, row: ModelProfile) -> str | None:
        """Say that the emulator does not play this profile yet, by asking its own table."""
        from duologue.emulator.profiles import PROFILES

        return None if row.name in PROFILES else f"the emulator has no profile {row.name!r} yet"

    def model(self, row: ModelProfile) -> str:
        """Return the profile's default model, without a project."""
        return wire_model(row.default_model, row.backend)

    async def endpoint(self, row: ModelProfile, *, hurried: bool = False) -> Endpoint:
        """Return the emulator's address; ``hurried``: of the one whose links live six seconds."""
        url = (self._hurried if hurried else self._steady).url
        if row.backend == "vertex":
            return vertex_endpoint(
                location="us-central1", base_url=url, authorization={"authorization": f"Bearer {_KEY}"}
            )
        return developer_endpoint(api_key=_KEY, base_url=url)

    async def connect(self, endpoint: Endpoint) -> WebSocketLink:
        """Open a link."""
        return await self._transport.connect(endpoint, SessionOptions())

    async def speech(self) -> bytes:
        """Return the line, hummed."""
        assert self._line is not None, "enter first"
        return self._line


def altered(
    endpoint: Endpoint, *, credentials: Credentials = "right", api_version: str | None = None
) -> Endpoint:
    """Return an endpoint with something wrong about it.

    Raises:
        ConfigError: There is no API version in its path to be altered.
    """
    if api_version is not None:
        url, times = _VERSION.subn(api_version, endpoint.url)
        if times != 1:
            raise ConfigError("the path of the endpoint names no API version")
        endpoint = replace(endpoint, url=url)
    if credentials == "right":
        return endpoint
    headers: Mapping[str, str] = {"x-goog-api-key": _WRONG_KEY} if credentials == "wrong" else {}
    return replace(endpoint, headers=headers)


class _Ears(EnergyEars):
    """Ears that tell speech from silence, and take all speech for the line that the probes speak."""

    async def transcribe(self, pcm: bytes) -> str:
        """Return the line."""
        return LINE if pcm else ""


def _emulator(time_scale: float = 1.0) -> Emulator:
    from duologue.emulator import Emulator

    return Emulator(ears=_Ears(), voice="tone", brain="demo", api_keys={_KEY}, time_scale=time_scale)

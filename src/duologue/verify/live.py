"""The service itself as the side the probes talk to: with a key, for cents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from duologue.config import LiveConfig, SessionOptions
from duologue.io.address import find_address
from duologue.io.auth import find_backend
from duologue.io.ws import WebSocketTransport
from duologue.verify.sides import Pace
from duologue.verify.speech import spoken_line
from duologue.wire.setup import wire_model

if TYPE_CHECKING:
    from types import TracebackType

    from duologue.io.address import Address
    from duologue.io.ws import WebSocketLink
    from duologue.wire.endpoint import Endpoint
    from duologue.wire.profiles import ModelProfile

__all__ = ["LiveSide", "find_live_side"]


class LiveSide:
    """The service at an address, with the caller's credentials.

    Profiles of the backend that the credentials are not for are not available.

    Args:
        address: As a session would find it.
    """

    name: Literal["emulator", "live"] = "live"
    pace = Pace(patience_s=25.0, quiet_s=6.0, speed=1.0, link_life_s=16 * 60.0, settle_s=2.0)

    def __init__(self, address: Address) -> None:
        self.host = address.host
        self._address = address
        self._place = address.place
        self._transport = WebSocketTransport(library="websockets")
        self._line: bytes | None = None

    async def __aenter__(self) -> LiveSide:
        google, account = self._address.google, self._address.account
        if self._place is None and google is not None:  # only the credentials know their project
            self._place = await google.project(), account.location or "global"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    def lacks(self, row: ModelProfile) -> str | None:
        """Say that the credentials are for the other backend."""
        backend = self._address.account.backend
        return None if row.backend == backend else f"the credentials are for the {backend} backend"

    def model(self, row: ModelProfile) -> str:
        """Return the profile's default model, on Vertex AI with its project."""
        project, location = self._place or (None, None)
        return wire_model(row.default_model, row.backend, project=project, location=location)

    async def endpoint(self, row: ModelProfile, *, hurried: bool = False) -> Endpoint:  # noqa: ARG002 - no haste there
        """Return where the next link goes."""
        return await self._address.endpoint()

    async def connect(self, endpoint: Endpoint) -> WebSocketLink:
        """Open a link."""
        return await self._transport.connect(endpoint, SessionOptions())

    async def speech(self) -> bytes:
        """Return the line in a voice with words.

        Raises:
            UnsettledError: None is installed.
        """
        if self._line is None:
            self._line = await spoken_line("pico:en-GB")
        return self._line


def find_live_side() -> LiveSide:
    """Return the service that the environment names, by the rules of ``RealtimeModel``.

    Raises:
        ConfigError: There are no credentials; says what to do.
    """
    backend, _ = find_backend(None)
    return LiveSide(find_address(LiveConfig(), backend=backend))

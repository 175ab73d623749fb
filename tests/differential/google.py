"""google-genai 3.4.0 as a witness: what it writes and reads, caught where it would touch a socket.

Nothing of theirs is replaced but the function that opens a WebSocket; nothing of ours takes part.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import json
import warnings
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

from google import genai
from google.genai import live, types
from google.oauth2.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from google.genai.live import AsyncSession

    from duologue.wire.profiles import Backend

__all__ = ["BACKENDS", "access", "canonical", "client_of", "close_clients", "read_frame", "sent_by"]

BACKENDS: tuple[Backend, ...] = ("developer", "vertex")
PROJECT = {"project": "p", "location": "us-central1"}

# Objects whose keys belong to the user.
_OPAQUE = frozenset(
    {
        *("labels", "args", "customConfigs", "partMetadata", "default", "example"),
        *("parametersJsonSchema", "responseJsonSchema", "response"),
    }
)
_BYTES = frozenset({"data", "imageData", "voiceSampleAudio", "consentAudio", "thoughtSignature", "sdkBlob"})


def access(backend: Backend) -> dict[str, Any]:
    """The keywords that both clients take to mean this backend, whatever the environment says."""
    if backend == "developer":
        return {"vertexai": False, "api_key": "k"}
    return {"vertexai": True, **PROJECT, "credentials": Credentials(token="t")}  # type: ignore[no-untyped-call]


@functools.cache
def client_of(backend: Backend) -> genai.Client:
    return genai.Client(**access(backend))


def close_clients() -> None:
    for backend in BACKENDS:
        client_of(backend).close()
    client_of.cache_clear()


class _Socket:
    def __init__(self, *coming: bytes) -> None:
        self.sent: list[dict[str, Any]] = []
        self._coming = [b'{"setupComplete":{}}', *coming]

    async def send(self, frame: str) -> None:
        self.sent.append(json.loads(frame))

    async def recv(self, *, decode: bool) -> bytes:
        assert not decode
        return self._coming.pop(0)


def _talk(
    client: genai.Client,
    socket: _Socket,
    model: str,
    config: types.LiveConnectConfig,
    speak: Callable[[AsyncSession], Awaitable[Any]] | None,
) -> Any:
    @asynccontextmanager
    async def connect(uri: str, **options: Any) -> AsyncIterator[_Socket]:
        yield socket

    async def run() -> Any:
        async with client.aio.live.connect(model=model, config=config) as session:
            return await speak(session) if speak is not None else None

    with mock.patch.object(live, "ws_connect", connect), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it deprecates generation_config
        return asyncio.run(run())


def sent_by(
    client: genai.Client,
    model: str,
    config: types.LiveConnectConfig,
    speak: Callable[[AsyncSession], Awaitable[Any]] | None = None,
) -> list[dict[str, Any]]:
    """Return the frames google-genai writes: its setup, then what ``speak`` makes it say."""
    socket = _Socket()
    _talk(client, socket, model, config, speak)
    return socket.sent


def read_frame(client: genai.Client, model: str, frame: bytes) -> types.LiveServerMessage:
    """Return what google-genai makes of a frame that comes after ``setupComplete``."""

    async def receive(session: AsyncSession) -> types.LiveServerMessage:
        async for message in session.receive():
            return message
        raise AssertionError("it read nothing")

    message = _talk(client, _Socket(frame), model, types.LiveConnectConfig(), receive)
    assert isinstance(message, types.LiveServerMessage)
    return message


def canonical(value: Any, name: str = "") -> Any:
    """Return JSON as what it means: names in camelCase, no nulls, no empty lists, bytes instead of base64.

    Where a name stands twice, in both cases, the later one counts.
    """
    if isinstance(value, dict):
        if name in _OPAQUE:
            return value
        named = {key if name == "properties" else _camel(key): child for key, child in value.items()}
        plain = {key: canonical(child, key) for key, child in named.items() if child is not None}
        return {key: child for key, child in plain.items() if child != []}
    if isinstance(value, list):
        return [canonical(item, name) for item in value]
    if isinstance(value, str) and name in _BYTES:
        standard = value.replace("-", "+").replace("_", "/")
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    return value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in others)

"""Calls that are paid for in other ways than by a key, over real sockets with TLS: what the other side sees."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from tests.io.accounts import PROJECT, TokenServer, token_server
from tests.io.conftest import Tls, tls, websocket_server

from duologue import RealtimeModel, SessionOptions
from duologue.errors import AuthError, ConfigError, ConnectError
from duologue.io.ws import WebSocketTransport
from duologue.wire.profiles import DEFAULT_VERTEX_MODEL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from websockets.asyncio.server import ServerConnection

__all__ = ["tls"]

VERTEX = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
NAME = f"publishers/google/models/{DEFAULT_VERTEX_MODEL}"


@dataclass
class There:
    """A service that says setupComplete, or closes with ``refusal``."""

    url: str = ""
    refusal: tuple[int, str] | None = None
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    setups: list[dict[str, Any]] = field(default_factory=list)

    async def serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.paths.append(connection.request.path)
        self.headers.append({name.lower(): value for name, value in connection.request.headers.items()})
        self.setups.append(json.loads(await connection.recv())["setup"])
        if self.refusal is not None:
            await connection.close(*self.refusal)
            return
        await connection.send(b'{"setupComplete": {"sessionId": "s"}}')
        await connection.wait_closed()


@asynccontextmanager
async def service(tls: Tls) -> AsyncIterator[There]:
    there = There()
    async with websocket_server(there.serve, tls) as endpoint:
        there.url = f"https://{endpoint.host}"
        yield there


@pytest.fixture
def server() -> Iterator[TokenServer]:
    with token_server() as running:
        yield running


@pytest.fixture
def connect(library: str, tls: Tls) -> Any:
    """Hold a session for a moment."""

    async def hold(model: RealtimeModel) -> None:
        transport = WebSocketTransport(ssl_context=tls.client, library=library)  # type: ignore[arg-type]
        async with asyncio.timeout(10), model.session(transport=transport) as call:
            assert call.is_live

    return hold


def key_file(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))


async def test_a_google_account_on_vertex(
    connect: Any, tls: Tls, server: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_file(monkeypatch, server.write(tmp_path))
    async with service(tls) as there:
        model = RealtimeModel(vertexai=True, project="p", location="us-central1", base_url=there.url)
        await connect(model)
        await connect(model)
    assert there.paths == [VERTEX, VERTEX]
    assert [seen["authorization"] for seen in there.headers] == ["Bearer ya29.canary-1"] * 2
    assert "x-goog-api-key" not in there.headers[0]
    assert [setup["model"] for setup in there.setups] == [f"projects/p/locations/us-central1/{NAME}"] * 2


async def test_an_expired_token_is_fetched_anew(
    connect: Any, tls: Tls, server: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_file(monkeypatch, server.write(tmp_path))
    server.expires_in_s = 1
    async with service(tls) as there:
        model = RealtimeModel(vertexai=True, project="p", location="eu", base_url=there.url)
        await connect(model)
        await connect(model)
    assert [seen["authorization"] for seen in there.headers] == [
        "Bearer ya29.canary-1",
        "Bearer ya29.canary-2",
    ]


async def test_a_project_that_only_the_credentials_know(
    server: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Google's own host is out of reach here; the name is settled before anything is opened."""
    key_file(monkeypatch, server.write(tmp_path))
    session = RealtimeModel(vertexai=True, options=SessionOptions(connect_timeout_s=1)).session()
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(ConnectError, match="the proxy"):
        await session.__aenter__()
    assert session._core._plan.setup["model"] == f"projects/{PROJECT}/locations/global/{NAME}"


async def test_a_key_on_vertex(connect: Any, tls: Tls) -> None:
    async with service(tls) as there:
        await connect(RealtimeModel(vertexai=True, api_key="express-key", base_url=there.url))
    assert (there.paths, there.headers[0]["x-goog-api-key"]) == ([VERTEX], "express-key")
    assert there.setups[0]["model"] == NAME


async def test_a_gateway_with_a_way_of_its_own(connect: Any, tls: Tls) -> None:
    async with service(tls) as there:
        config = {"http_options": {"headers": {"X-Gateway": "pass"}}}
        await connect(RealtimeModel(vertexai=True, base_url=f"{there.url}/live", config=config))
    assert there.paths == ["/live"]
    assert there.headers[0]["x-gateway"] == "pass"
    assert not {"authorization", "x-goog-api-key"} & set(there.headers[0])


async def test_an_ephemeral_token(connect: Any, tls: Tls) -> None:
    async with service(tls) as there:
        await connect(RealtimeModel(api_key="auth_tokens/canary", base_url=there.url))
    assert there.paths == [
        "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContentConstrained"
    ]
    assert there.headers[0]["authorization"] == "Token auth_tokens/canary"
    assert "x-goog-api-key" not in there.headers[0]
    assert there.setups[0]["model"] == "models/gemini-3.8-live"


async def test_what_the_service_quotes_of_a_token_is_not_shown(
    connect: Any, tls: Tls, server: TokenServer
) -> None:
    async def give() -> str:
        return "a-token-without-a-known-pattern"

    async with service(tls) as there:
        there.refusal = (
            1008,
            "Request had invalid authentication credentials: a-token-without-a-known-pattern",
        )
        model = RealtimeModel(vertexai=True, project="p", location="eu", credentials=give, base_url=there.url)
        with pytest.raises(ConnectError) as caught:
            await connect(model)
    assert "invalid authentication" in caught.value.reason
    assert "known-pattern" not in f"{caught.value} {caught.value.reason}"


async def test_credentials_that_are_refused_or_missing(
    connect: Any, server: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("CLOUDSDK_CONFIG", str(tmp_path / "no-login")), ("NO_GCE_CHECK", "true")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    model = RealtimeModel(vertexai=True, project="p")
    with pytest.raises(ConfigError, match="gcloud auth application-default login"):
        await connect(model)
    key_file(monkeypatch, server.write(tmp_path))
    server.answer = (401, {"error": "invalid_client"})
    with pytest.raises(AuthError, match="the token server refuses"):
        await connect(model)


async def test_a_function_that_never_answers_is_given_up(connect: Any) -> None:
    async def never() -> str:
        await asyncio.Event().wait()
        return ""

    model = RealtimeModel(credentials=never, options=SessionOptions(connect_timeout_s=0.1))
    with pytest.raises(ConnectError, match="no token within") as caught:
        await connect(model)
    assert caught.value.retryable


async def test_closing_while_a_token_is_fetched(
    server: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_file(monkeypatch, server.write(tmp_path))
    server.hold.clear()
    session = RealtimeModel(vertexai=True, project="p").session()
    entering = asyncio.create_task(session.__aenter__())
    await asyncio.sleep(0.1)
    await session.aclose()
    with pytest.raises(ConnectError, match="closed while connecting"):
        await entering
    server.hold.set()

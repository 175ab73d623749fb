"""Minting tokens: the request on a real socket, and everything that can go wrong with it."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import trustme

import duologue
from duologue import RealtimeModel, tokens
from duologue.errors import AuthError, ConfigError, ConnectError, ProtocolError
from duologue.io.auth import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "AIzaCanaryCanaryCanary"
TOKEN = "auth_tokens/canary-0123456789"
ANSWER = {
    "name": TOKEN,
    "expireTime": "2026-11-22T10:30:00.123456789Z",
    "newSessionExpireTime": "2026-11-22T10:01:00Z",
    "uses": 3,
}


class Mint(ThreadingHTTPServer):
    """Answers every POST as a test wants it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = json.dumps(ANSWER).encode()
        self.released = threading.Event()
        self.released.set()
        self.scheme = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Mint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, dict(self.headers.items()), body))
        self.server.released.wait(10)
        self.send_response(self.server.status)
        for name, value in {"Content-Length": str(len(self.server.body)), **self.server.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.body)

    def do_GET(self) -> None:
        self.server.asked.append(("a redirect was followed", {}, None))
        self.send_error(400)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, ssl.SSLError):
            return  # the client has given up


def running(mint: Mint) -> Iterator[Mint]:
    thread = threading.Thread(target=mint.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield mint
    finally:
        mint.released.set()
        mint.shutdown()
        mint.server_close()
        thread.join()


@pytest.fixture
def mint() -> Iterator[Mint]:
    yield from running(Mint())


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_it_is_reached_from_the_top() -> None:
    assert duologue.tokens.create is tokens.create


async def test_a_token_with_everything_as_the_service_wants_it(mint: Mint) -> None:
    model = RealtimeModel(api_key=KEY, voice="Kore", instructions="Be brief.")
    ends_at = datetime.now(UTC) + timedelta(hours=1)
    token = await tokens.create(
        api_key=KEY,
        base_url=mint.url,
        uses=3,
        expire_time=ends_at,
        new_session_expires_in_s=90,
        setup=model,
        field_mask=["model", "generation_config.speech_config", "systemInstruction"],
    )
    assert token.name == TOKEN
    assert token.uses == 3
    assert token.expire_time == datetime(2026, 11, 22, 10, 30, 0, 123456, UTC)
    assert token.new_session_expire_time == datetime(2026, 11, 22, 10, 1, tzinfo=UTC)
    ((path, headers, body),) = mint.asked
    assert path == "/v1beta/auth_tokens"
    assert headers["x-goog-api-key"] == KEY
    assert headers["Content-Type"] == "application/json"
    assert body["bidiGenerateContentSetup"] == json.loads(json.dumps(model.setup()))
    assert body["bidiGenerateContentSetup"]["model"] == "models/gemini-3.8-live"
    assert body["fieldMask"] == "model,generationConfig.speechConfig,systemInstruction"
    assert body["uses"] == 3
    assert datetime.fromisoformat(body["expireTime"]) == ends_at.replace(
        microsecond=ends_at.microsecond // 1000 * 1000
    )
    in_s = (datetime.fromisoformat(body["newSessionExpireTime"]) - datetime.now(UTC)).total_seconds()
    assert 80 < in_s <= 90


async def test_nothing_is_said_that_was_not_asked_for(mint: Mint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", mint.url)
    await tokens.create(api_version="v1alpha")
    ((path, headers, body),) = mint.asked
    assert (path, headers["x-goog-api-key"], body) == ("/v1alpha/auth_tokens", KEY, {"uses": 1})


async def test_a_host_of_the_environment_is_named(
    mint: Mint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", mint.url)
    with caplog.at_level("INFO", logger="duologue"):
        await tokens.create(api_key=KEY)
    assert f"127.0.0.1:{mint.server_port}, named by GOOGLE_GEMINI_BASE_URL" in caplog.text
    assert KEY not in caplog.text


async def test_a_token_is_not_shown(mint: Mint) -> None:
    token = await tokens.create(api_key=KEY, base_url=mint.url)
    assert TOKEN not in repr(token) + str(token)


async def test_over_tls() -> None:
    authority, mint = trustme.CA(), Mint()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    mint.socket, mint.scheme = server.wrap_socket(mint.socket, server_side=True), "https"
    for _ in running(mint):
        token = await tokens.create(api_key=KEY, base_url=mint.url, ssl_context=client)
        assert token.name == TOKEN
        with pytest.raises(ConnectError, match="TLS with") as caught:
            await tokens.create(api_key=KEY, base_url=mint.url)
        assert caught.value.phase == "tls"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_refused(mint: Mint, status: int) -> None:
    mint.status, mint.headers = status, {"Location": f"{mint.url}/elsewhere"}
    with pytest.raises(ConnectError, match="redirects are refused"):
        await tokens.create(api_key=KEY, base_url=mint.url)
    assert len(mint.asked) == 1


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, ConnectError, False),
        (401, AuthError, False),
        (403, AuthError, False),
        (404, ConnectError, False),
        (429, ConnectError, True),
        (503, ConnectError, True),
    ],
)
async def test_what_the_service_refuses(
    mint: Mint, status: int, kind: type[ConnectError], retryable: bool
) -> None:
    words = f'Invalid JSON payload: Unknown name "x" ({KEY})'
    mint.status = status
    mint.body = json.dumps({"error": {"code": status, "message": words, "status": "X"}}).encode()
    with pytest.raises(kind, match=str(status)) as caught:
        await tokens.create(api_key=KEY, base_url=mint.url)
    error = caught.value
    assert type(error) is kind
    assert (error.code, error.retryable) == (status, retryable)
    assert "Unknown name" in error.reason
    assert KEY not in f"{error} {error.reason}"


async def test_a_wrong_key_is_a_bad_request_in_words(mint: Mint) -> None:
    mint.status = 400
    mint.body = json.dumps({"error": {"message": "API key not valid. Please pass a valid API key."}}).encode()
    with pytest.raises(AuthError, match="refuses the key") as caught:
        await tokens.create(api_key=KEY, base_url=mint.url)
    assert not caught.value.retryable


async def test_what_is_no_http_is_quoted_on_one_short_line() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\x1b[31m\x00 not HTTP " * 1000 + b"\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectError, match="broke the request off") as caught:
            await tokens.create(api_key=KEY, base_url=f"http://127.0.0.1:{port}")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"<html>", b"{}", b'{"name": 7}', b'{"name": "AIza"}', b"[" * 100_000]
)
async def test_an_answer_without_a_token(mint: Mint, body: bytes) -> None:
    mint.body = body
    with pytest.raises(ProtocolError, match="the answer of"):
        await tokens.create(api_key=KEY, base_url=mint.url)


async def test_silence_ends_in_a_time_out_and_leaves_no_thread(mint: Mint) -> None:
    mint.released.clear()
    before = threading.active_count()
    with pytest.raises(ConnectError, match=r"did not answer within 0\.2 s") as caught:
        await tokens.create(api_key=KEY, base_url=mint.url, timeout_s=0.2)
    assert caught.value.retryable
    asking = asyncio.create_task(tokens.create(api_key=KEY, base_url=mint.url))
    while len(mint.asked) < 2:
        await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(asyncio.get_running_loop().shutdown_default_executor(), 2)
    assert threading.active_count() <= before + 2  # what the server still holds


async def test_nobody_at_home() -> None:
    with pytest.raises(ConnectError, match=r"127\.0\.0\.1:9 failed") as caught:
        await tokens.create(api_key=KEY, base_url="http://127.0.0.1:9")
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"uses": -1}, "uses is -1"),
        ({"uses": True}, "uses is True"),
        ({"expire_time": datetime.now()}, "no time zone"),  # noqa: DTZ005 -- that is the point
        ({"expire_time": datetime.now(UTC) - timedelta(seconds=1)}, "must lie ahead"),
        ({"expires_in_s": 0}, "must lie ahead"),
        ({"expires_in_s": 20 * 3600 + 60}, "by at most 20 hours"),
        ({"expires_in_s": 1e300}, "by at most 20 hours"),
        ({"expires_in_s": -1e300}, "must lie ahead"),
        ({"timeout_s": 0}, "timeout_s is 0"),
        ({"timeout_s": float("nan")}, "timeout_s is nan"),
        ({"api_key": 7}, "api_key is 7"),
        ({"expires_in_s": float("nan")}, "finite number"),
        ({"expires_in_s": 60, "expire_time": datetime.now(UTC)}, "say the same"),
        ({"field_mask": ["model"]}, "give setup too"),
        ({"field_mask": "model", "setup": {"model": "m"}}, "field_mask"),
        ({"field_mask": ["model,"], "setup": {"model": "m"}}, "field_mask has 'model,'"),
        ({"setup": {}}, "setup is empty"),
        ({"setup": {"setup": {"model": "m"}}}, "whole message"),
        ({"setup": 7}, "setup is a int"),
        ({"setup": RealtimeModel(vertexai=True)}, "of Vertex AI, which has no tokens"),
        ({"api_key": TOKEN}, "a token cannot mint"),
        ({"api_key": None}, "GOOGLE_API_KEY"),
        ({"base_url": "http://example.com"}, "allow_insecure"),
        ({"api_version": "v1/x"}, "api_version"),
    ],
)
async def test_what_is_refused_before_anything_is_sent(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        await tokens.create(**{"api_key": KEY, "base_url": "http://127.0.0.1:9", **options})
    assert TOKEN not in str(caught.value)

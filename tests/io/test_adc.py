"""Access tokens with real keys: signed here, checked by a token server on loopback."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from google.auth.credentials import Credentials
from google.oauth2 import service_account
from tests.io.accounts import EMAIL, PROJECT, SCOPE, TokenServer, token_server

from duologue.errors import AuthError, ConfigError, ConnectError
from duologue.io.adc import GoogleAccount
from duologue.io.auth import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "Bearer ya29.canary-{}"


@pytest.fixture
def server() -> Iterator[TokenServer]:
    with token_server() as running:
        yield running


def credentials_of(info: dict[str, Any]) -> Any:
    make: Any = service_account.Credentials.from_service_account_info  # untyped
    return make(info)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials of this machine's: neither a variable nor a login nor a metadata server."""
    for name in (
        *VARIABLES,
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GCLOUD_PROJECT",
        "GOOGLE_CLOUD_QUOTA_PROJECT",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "no-login"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


async def test_a_key_file_pays_and_names_the_project(
    server: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(server.write(tmp_path)))
    account = GoogleAccount()
    assert await account.project() == PROJECT
    assert not server.issued  # nothing was asked for yet
    assert dict(await account.headers()) == {"Authorization": TOKEN.format(1)}
    (claims,) = server.claims
    assert (claims["iss"], claims["scope"]) == (EMAIL, SCOPE)


async def test_a_token_is_kept_while_it_is_good_and_fetched_anew_after(server: TokenServer) -> None:
    credentials = credentials_of(server.account())
    account = GoogleAccount(credentials)
    for _ in range(3):
        assert (await account.headers())["Authorization"] == TOKEN.format(1)
    server.expires_in_s = 1  # less than google-auth's margin: expired when it arrives
    short = GoogleAccount(credentials_of(server.account()))
    assert (await short.headers())["Authorization"] == TOKEN.format(2)
    assert (await short.headers())["Authorization"] == TOKEN.format(3)


async def test_links_that_open_side_by_side_fetch_one_token(server: TokenServer) -> None:
    account = GoogleAccount(credentials_of(server.account()))
    server.hold.clear()
    asking = [asyncio.create_task(account.headers()) for _ in range(4)]
    await asyncio.sleep(0.05)  # the loop runs on meanwhile
    server.hold.set()
    assert {headers["Authorization"] for headers in await asyncio.gather(*asking)} == {TOKEN.format(1)}
    assert len(server.issued) == 1


async def test_who_gave_up_is_not_fetched_for_and_names_are_looked_up_meanwhile(server: TokenServer) -> None:
    loop = asyncio.get_running_loop()
    account = GoogleAccount(credentials_of(server.account()))
    server.hold.clear()
    asking = [asyncio.create_task(account.headers()) for _ in range(40)]  # more than a loop has threads
    await asyncio.sleep(0.05)
    async with asyncio.timeout(2):
        assert await loop.getaddrinfo("127.0.0.1", 80)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    server.expires_in_s = 1  # so that each who is still there would fetch one
    server.hold.set()
    await account.headers()
    assert len(server.issued) == 2  # the one under way, and this


async def test_a_quota_project_is_charged(server: TokenServer) -> None:
    credentials = credentials_of(server.account())
    account = GoogleAccount(credentials.with_quota_project("project-that-pays"))
    assert (await account.headers())["x-goog-user-project"] == "project-that-pays"


async def test_given_credentials_bring_their_own_project(server: TokenServer) -> None:
    account = GoogleAccount(credentials_of(server.account()))
    assert await account.project() == PROJECT


async def test_refused_credentials_say_so_without_secrets(server: TokenServer) -> None:
    server.answer = (400, {"error": "invalid_grant", "error_description": "Invalid JWT: ya29.canary-x"})
    account = GoogleAccount(credentials_of(server.account()))
    with pytest.raises(AuthError, match="the token server refuses") as caught:
        await account.headers()
    assert "invalid_grant" in str(caught.value)
    assert "canary" not in str(caught.value)
    assert not caught.value.retryable
    assert caught.value.__suppress_context__


async def test_a_token_server_that_is_not_there(server: TokenServer) -> None:
    info = server.account(token_uri="http://127.0.0.1:9/token")
    account = GoogleAccount(credentials_of(info), timeout_s=0.5)
    with pytest.raises(ConnectError, match="cannot be reached") as caught:
        await account.headers()
    assert caught.value.retryable
    assert not isinstance(caught.value, AuthError)


async def test_a_token_server_that_says_nothing(server: TokenServer) -> None:
    server.hold.clear()
    credentials = credentials_of(server.account())
    account = GoogleAccount(credentials, timeout_s=0.2)
    began_at = time.monotonic()
    with pytest.raises(ConnectError, match="cannot be reached"):
        await account.headers()
    assert time.monotonic() - began_at < 8  # google-auth tries a few times; alone it would wait minutes


class OfTheirOwn(Credentials):
    """Somebody's own kind of credentials."""

    def __init__(self, gives: object) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.gives = gives

    def refresh(self, request: Any) -> None:
        if isinstance(self.gives, Exception):
            raise self.gives
        self.token = self.gives


@pytest.mark.parametrize("error", [RuntimeError("canary"), KeyError("canary"), StopIteration("canary")])
async def test_credentials_that_fail_in_their_own_way_are_not_quoted(error: Exception) -> None:
    with pytest.raises(ConnectError) as caught:
        await GoogleAccount(OfTheirOwn(error)).headers()
    assert str(caught.value) == f"the credentials failed ({type(error).__name__})"
    assert caught.value.__suppress_context__


async def test_a_token_of_bytes_is_sent_as_text() -> None:
    headers = await GoogleAccount(OfTheirOwn(b"ya29.canary")).headers()
    assert headers["Authorization"] == "Bearer ya29.canary"


async def test_no_credentials_say_what_to_do() -> None:
    for ask in (GoogleAccount().headers, GoogleAccount().project):
        with pytest.raises(ConfigError) as caught:
            await ask()
        for words in ("GOOGLE_APPLICATION_CREDENTIALS", "gcloud auth application-default login", "api_key"):
            assert words in str(caught.value)


@pytest.mark.parametrize("content", ["", "{}", '{"type": "service_account", "private_key": "canary"}'])
async def test_a_key_file_that_is_none(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key.json"
    path.write_text(content, encoding="utf-8")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(ConfigError, match="credentials") as caught:
        await GoogleAccount().headers()
    assert "canary" not in str(caught.value)


async def test_credentials_without_a_project(
    server: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "canary"}
    path = tmp_path / "login.json"
    path.write_text(json.dumps({**login, "quota_project_id": "q"}), encoding="utf-8")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    monkeypatch.setenv("PATH", str(tmp_path))  # no gcloud to ask
    with pytest.raises(ConfigError, match="pass project, or set GOOGLE_CLOUD_PROJECT"):
        await GoogleAccount().project()


def test_what_is_no_account_is_refused() -> None:
    with pytest.raises(ConfigError, match="credentials is a str"):
        GoogleAccount("ya29.canary")


def test_without_the_extra_it_is_named() -> None:
    program = (
        "import sys\n"
        "sys.modules['requests'] = None\n"  # as where it is not installed
        "from duologue import RealtimeModel\n"
        "from duologue.errors import ConfigError\n"
        "try:\n"
        "    RealtimeModel(vertexai=True, project='p').session()\n"
        "except ConfigError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert "pip install 'duologue[vertex]'" in done.stdout, done.stderr

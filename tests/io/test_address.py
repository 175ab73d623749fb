"""Where links go: asked anew for each, paid for in the way that was asked for, refused before anything is sent."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from google.oauth2 import service_account
from tests.io.accounts import TokenServer, token_server

from duologue.config import LiveConfig
from duologue.errors import AuthError, ConfigError, ConnectError
from duologue.io.address import Address, find_address
from duologue.io.auth import VARIABLES, find_account, find_backend

if TYPE_CHECKING:
    from collections.abc import Iterator

GATEWAY = "https://gateway.example/live"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[TokenServer]:
    with token_server() as running:
        yield running


def on_vertex(live: LiveConfig | None = None, **options: Any) -> Address:
    return find_address(live or LiveConfig(), backend="vertex", **options)


def headers(**values: str) -> LiveConfig:
    return LiveConfig(
        http_options={"headers": {name.replace("_", "-"): value for name, value in values.items()}}
    )


async def test_every_link_has_a_token_that_is_good(server: TokenServer) -> None:
    make: Any = service_account.Credentials.from_service_account_info
    address = on_vertex(project="p", location="us-central1", credentials=make(server.account()))
    assert not server.claims
    first = await address.endpoint()
    assert (await address.endpoint()).headers == first.headers
    server.expires_in_s = 1
    address = on_vertex(project="p", location="us-central1", credentials=make(server.account()))
    tokens = [(await address.endpoint()).headers["Authorization"] for _ in range(3)]
    assert tokens == ["Bearer ya29.canary-2", "Bearer ya29.canary-3", "Bearer ya29.canary-4"]
    assert "canary" not in repr(await address.endpoint())


async def test_the_users_own_quota_project_wins(server: TokenServer) -> None:
    make: Any = service_account.Credentials.from_service_account_info
    credentials = make(server.account()).with_quota_project("of-the-credentials")
    address = on_vertex(headers(X_Goog_User_Project="mine"), project="p", credentials=credentials)
    assert dict((await address.endpoint()).headers) == {
        "X-Goog-User-Project": "mine",
        "Authorization": "Bearer ya29.canary-1",
    }


async def test_an_authorization_of_ones_own_needs_no_account() -> None:
    address = on_vertex(headers(authorization="Bearer of-mine"), project="p", location="eu")
    endpoint = await address.endpoint()
    assert endpoint.headers == {"authorization": "Bearer of-mine"}
    assert endpoint.url.startswith("wss://aiplatform.eu.rep.googleapis.com/ws/")
    assert address.place == ("p", "eu")
    with pytest.raises(ConfigError, match="pass project"):
        on_vertex(headers(authorization="Bearer of-mine"))


async def test_a_function_is_asked_before_every_link() -> None:
    tokens = iter(["ya29.one", "ya29.two"])

    async def give() -> str:
        return next(tokens)

    address = on_vertex(project="p", credentials=give)
    assert [(await address.endpoint()).headers["Authorization"] for _ in range(2)] == [
        "Bearer ya29.one",
        "Bearer ya29.two",
    ]
    with pytest.raises(ConfigError, match="pass project"):
        on_vertex(credentials=give)


async def test_a_function_that_gives_nothing_or_fails() -> None:
    async def fail() -> str:
        raise OSError("https://example.com/?secret=canary")

    async def refuse() -> str:
        raise AuthError("the user is not logged in")

    for function, kind, words in (
        (lambda: asyncio.sleep(0, "  "), AuthError, "no token but a str"),
        (lambda: 7, AuthError, "no token but a int"),
        (fail, ConnectError, "OSError"),
        (refuse, AuthError, "not logged in"),
        (lambda: asyncio.sleep(0, "a b"), ConfigError, "blanks"),
    ):
        address = find_address(LiveConfig(), backend="developer", credentials=function)
        with pytest.raises(kind, match=words) as caught:
            await address.endpoint()
        assert "canary" not in str(caught.value)


async def test_a_gateway_gets_nothing_it_was_not_meant_to_get(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "us-central1")
    address = on_vertex(headers(x_gateway="pass"), base_url=GATEWAY)
    endpoint = await address.endpoint()
    assert (endpoint.url, dict(endpoint.headers)) == ("wss://gateway.example/live", {"x-gateway": "pass"})
    assert address.place is None
    for half in ({"project": "p"}, {"location": "eu"}, {"credentials": lambda: asyncio.sleep(0, "t")}):
        with pytest.raises(ConfigError, match="give both project and location"):
            on_vertex(base_url=GATEWAY, **half)


@pytest.mark.parametrize(
    "base_url", ["http://gateway.example", "https://u:canary@h", "https://h?key=canary", "h"]
)
def test_addresses_are_checked_before_credentials_are_asked_for(base_url: str) -> None:
    for backend in ("developer", "vertex"):
        with pytest.raises(ConfigError, match="base_url") as caught:
            find_address(
                LiveConfig(),
                backend=backend,
                base_url=base_url,
                api_key=None if backend == "vertex" else "k",
                project="p" if backend == "vertex" else None,
                location="eu" if backend == "vertex" else None,
            )
        assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "options", "version"),
    [
        ({}, {}, "v1beta1"),
        ({"GOOGLE_GENAI_API_VERSION": "beta"}, {}, "v1beta1"),
        ({"GOOGLE_GENAI_API_VERSION": "v1"}, {}, "v1"),
        ({"GOOGLE_GENAI_API_VERSION": "v1"}, {"http_options": {"api_version": "v2"}}, "v2"),
        (
            {"GOOGLE_GENAI_API_VERSION": "v1"},
            {"http_options": {"api_version": "v2"}, "api_version": "v3"},
            "v3",
        ),
    ],
)
async def test_versions_on_vertex(
    environ: dict[str, str], options: Any, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    url = (await on_vertex(LiveConfig(**options), api_key="k").endpoint()).url
    assert f".{version}.LlmBidiService/" in url


def test_a_host_of_the_environment_is_named_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "duologue")
    monkeypatch.setenv("GOOGLE_VERTEX_BASE_URL", "https://vertex.example:8443/x")
    on_vertex(api_key="canary-key")
    assert "connecting to vertex.example:8443, named by GOOGLE_VERTEX_BASE_URL" in caplog.text
    assert "canary" not in caplog.text


def test_what_an_account_shows() -> None:
    account = find_account(api_key="canary-key", environ={})
    assert "canary" not in repr(account)
    assert (account.way, account.key and account.key.source) == ("key", "api_key")


@pytest.mark.parametrize(
    ("argument", "environ", "found"),
    [
        (None, {}, ("developer", "")),
        (True, {"GOOGLE_GENAI_USE_VERTEXAI": "0"}, ("vertex", "vertexai")),
        (False, {"GOOGLE_GENAI_USE_VERTEXAI": "1"}, ("developer", "vertexai")),
        (None, {"GOOGLE_GENAI_USE_VERTEXAI": "TRUE"}, ("vertex", "GOOGLE_GENAI_USE_VERTEXAI")),
        (
            None,
            {"GOOGLE_GENAI_USE_VERTEXAI": "1", "GOOGLE_GENAI_USE_ENTERPRISE": "no"},
            ("developer", "GOOGLE_GENAI_USE_ENTERPRISE"),
        ),
    ],
)
def test_which_backend(argument: bool | None, environ: dict[str, str], found: tuple[str, str]) -> None:
    assert find_backend(argument, environ) == found


def test_a_blank_key_is_none() -> None:
    with pytest.raises(ConfigError, match="GEMINI_API_KEY"):
        find_account(environ={"GOOGLE_API_KEY": "  ", "GEMINI_API_KEY": "\n"})


async def test_a_function_that_quotes_its_token_is_not_quoted() -> None:
    async def fetch() -> str:
        raise RuntimeError("GET https://tokens.example/?key=AIzaCanaryCanaryCanaryCanary failed")

    async def other() -> str:
        raise RuntimeError("the token server is closed")

    for function, is_cause in ((fetch, False), (other, True)):
        address = find_address(LiveConfig(), backend="developer", credentials=function)
        with pytest.raises(ConnectError) as caught:
            await address.endpoint()
        assert (caught.value.__cause__ is not None) == is_cause
        assert "Canary" not in "".join(traceback.format_exception(caught.value))

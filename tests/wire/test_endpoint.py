"""Where to connect: what is refused, and that the key shows nowhere."""

from __future__ import annotations

import pytest

from duologue.errors import ConfigError
from duologue.wire.endpoint import (
    DEVELOPER_BASE_URL,
    Endpoint,
    bearer,
    developer_endpoint,
    is_loopback,
    rest_endpoint,
    vertex_endpoint,
)

KEY = "AIzaCanaryCanaryCanary"
TOKEN = "auth_tokens/canary-of-a-token"
VERTEX = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
METHOD = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        (None, DEVELOPER_BASE_URL.replace("https", "wss") + METHOD),
        ("https://example.com", "wss://example.com" + METHOD),
        ("HTTPS://example.com/", "wss://example.com" + METHOD),
        ("wss://example.com:444/proxy/", "wss://example.com:444/proxy" + METHOD),
        ("http://127.0.0.1:8080", "ws://127.0.0.1:8080" + METHOD),
        ("ws://localhost", "ws://localhost" + METHOD),
        ("ws://[::1]:9", "ws://[::1]:9" + METHOD),
    ],
)
def test_schemes_and_paths(base_url: str | None, url: str) -> None:
    endpoint = developer_endpoint(api_key=KEY, base_url=base_url)
    assert endpoint.url == url
    assert endpoint.secure == url.startswith("wss:")
    assert endpoint.headers["x-goog-api-key"] == KEY


@pytest.mark.parametrize("version", ["v1", "v1alpha", "v1beta"])
def test_versions(version: str) -> None:
    assert f".{version}." in developer_endpoint(api_key=KEY, api_version=version).url


@pytest.mark.parametrize("version", ["", "v1/../x", "v1 ", "v1\r\nHost: x", "v²"])
def test_versions_that_are_none(version: str) -> None:
    with pytest.raises(ConfigError, match="api_version"):
        developer_endpoint(api_key=KEY, api_version=version)


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "example.com",
        "ftp://example.com",
        "https://",
        "https://:443",
        "//host",
        "https://h:port",
        "https://[::1",
    ],
)
def test_what_is_no_url(base_url: str) -> None:
    with pytest.raises(ConfigError, match="base_url"):
        developer_endpoint(api_key=KEY, base_url=base_url)


@pytest.mark.parametrize(
    "base_url",
    [
        "http://example.com",
        "ws://10.0.0.1",
        "ws://127.0.0.1.example.com",
        "ws://localhost.example.com",
        "http://0.0.0.0",
    ],
)
def test_unencrypted_links_need_loopback_or_a_word(base_url: str) -> None:
    with pytest.raises(ConfigError, match="allow_insecure"):
        developer_endpoint(api_key=KEY, base_url=base_url)
    assert not developer_endpoint(api_key=KEY, base_url=base_url, allow_insecure=True).secure


@pytest.mark.parametrize(
    "base_url",
    [
        f"https://example.com/?key={KEY}",
        f"https://user:{KEY}@example.com",
        f"https://:{KEY}@example.com",
        f"https://{KEY}@example.com",
        f"https://example.com/#{KEY}",
        f"https://user:{KEY}/x@example.com",
        f"http://example.com:{KEY}",
        f"ftp://{KEY}@example.com",
        f"ws://user:{KEY}@127.0.0.1",
    ],
)
def test_secrets_in_a_url_are_refused_and_not_repeated(base_url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        developer_endpoint(api_key="k", base_url=base_url)
    assert KEY not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize("key", ["", " ", "a b", "a\nb", "a\r\nX-Evil: 1", "a\x00b", "kéy", "a\x7f", "a\t"])
def test_keys_that_no_header_can_hold(key: str) -> None:
    with pytest.raises(ConfigError, match="key") as refused:
        developer_endpoint(api_key=key)
    assert not key.strip() or key not in str(refused.value)


def test_the_key_is_never_shown() -> None:
    endpoint = developer_endpoint(api_key=KEY, headers={"x-other": KEY})
    assert KEY not in repr(endpoint)
    assert KEY not in str(endpoint)
    assert KEY not in endpoint.url
    assert endpoint.host == "generativelanguage.googleapis.com"


@pytest.mark.parametrize(
    "headers",
    [
        {"x-goog-api-key": "other"},
        {"X-Goog-Api-Key": "other"},
        {"x-a": "1\r\nx-b: 2"},
        {"x-a\r\nx-b": "1"},
        {"": "1"},
        {"x a": "1"},
        {"x-a": "é"},
        {"Host": "other.example"},
        {"connection": "close"},
        {"Content-Length": "5"},
        {"Sec-WebSocket-Key": "abc"},
    ],
)
def test_headers_that_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="header"):
        developer_endpoint(api_key=KEY, headers=headers)


def test_headers_are_added() -> None:
    headers = developer_endpoint(api_key=KEY, headers={"User-Agent": "duologue test"}).headers
    assert headers == {"User-Agent": "duologue test", "x-goog-api-key": KEY}


@pytest.mark.parametrize(
    ("host", "is_this_machine"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("a.localhost", True),
        ("localhost.evil.example", False),
        ("10.0.0.1", False),
        ("", False),
        (None, False),
    ],
)
def test_loopback(host: str | None, is_this_machine: bool) -> None:
    assert is_loopback(host) is is_this_machine


# --- ephemeral tokens ------------------------------------------------------------------------------------------------


def test_a_token_has_a_method_and_a_header_of_its_own() -> None:
    endpoint = developer_endpoint(api_key=TOKEN)
    assert endpoint.url == DEVELOPER_BASE_URL.replace("https", "wss") + METHOD + "Constrained"
    assert endpoint.headers == {"Authorization": f"Token {TOKEN}"}
    assert TOKEN not in endpoint.url + repr(endpoint)


def test_nobody_else_sets_a_tokens_header() -> None:
    for name in ("authorization", "Authorization", "x-goog-api-key"):
        with pytest.raises(ConfigError, match="the header"):
            developer_endpoint(api_key=TOKEN, headers={name: "other"})
    assert (
        developer_endpoint(api_key=KEY, headers={"Authorization": "mine"}).headers["Authorization"] == "mine"
    )


def test_a_token_is_of_one_backend() -> None:
    with pytest.raises(ConfigError, match="vertexai=False"):
        vertex_endpoint(api_key=TOKEN)


# --- Vertex AI -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "host"),
    [
        (None, "aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("us-central1", "us-central1-aiplatform.googleapis.com"),
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
    ],
)
def test_locations(location: str | None, host: str) -> None:
    assert vertex_endpoint(location=location).url == f"wss://{host}{VERTEX}"


@pytest.mark.parametrize("location", ["", "evil.example/", "a.b", "US-CENTRAL1", "x" * 64, "a b", "é", "a@b"])
def test_locations_that_are_none(location: str) -> None:
    with pytest.raises(ConfigError, match="location"):
        vertex_endpoint(location=location)


def test_the_ways_to_pay() -> None:
    assert vertex_endpoint(api_key=KEY).headers == {"x-goog-api-key": KEY}
    paid = vertex_endpoint(authorization=bearer("ya29.t", quota_project="p"), headers={"x-team": "voice"})
    assert paid.headers == {"Authorization": "Bearer ya29.t", "x-goog-user-project": "p", "x-team": "voice"}
    assert vertex_endpoint(headers={"Authorization": "mine"}).headers == {"Authorization": "mine"}


@pytest.mark.parametrize("name", ["authorization", "X-Goog-User-Project", "x-goog-api-key"])
def test_nobody_else_sets_the_credentials_headers(name: str) -> None:
    with pytest.raises(ConfigError, match="the header"):
        vertex_endpoint(authorization=bearer("t", quota_project="p"), headers={name: "x"})


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX-Evil: 1", "é"])
def test_access_tokens_that_no_header_can_hold(token: str) -> None:
    with pytest.raises(ConfigError, match="access token") as refused:
        bearer(token)
    assert not token or token not in str(refused.value)


@pytest.mark.parametrize(
    ("base_url", "whole", "url"),
    [
        ("https://gw.example", False, f"wss://gw.example{VERTEX}"),
        ("https://gw.example/a/", False, f"wss://gw.example/a{VERTEX}"),
        ("https://gw.example/a/", True, "wss://gw.example/a/"),
        ("wss://gw.example", True, "wss://gw.example"),
        ("http://127.0.0.1:8", False, f"ws://127.0.0.1:8{VERTEX}"),
    ],
)
def test_other_hosts(base_url: str, whole: bool, url: str) -> None:
    assert vertex_endpoint(base_url=base_url, whole_url=whole).url == url


def test_unencrypted_links_to_vertex_need_loopback_or_a_word() -> None:
    for base_url in ("http://gw.example", "ws://10.0.0.1"):
        with pytest.raises(ConfigError, match="allow_insecure"):
            vertex_endpoint(base_url=base_url, api_key=KEY)
        assert not vertex_endpoint(base_url=base_url, api_key=KEY, allow_insecure=True).secure


# --- beside the WebSocket --------------------------------------------------------------------------------------------


def test_resources() -> None:
    endpoint = rest_endpoint("auth_tokens", api_key=KEY)
    assert endpoint.url == f"{DEVELOPER_BASE_URL}/v1beta/auth_tokens"
    assert endpoint.headers == {"x-goog-api-key": KEY}
    assert endpoint.secure
    local = rest_endpoint("auth_tokens", api_key=KEY, base_url="ws://127.0.0.1:8/p/", api_version="v1alpha")
    assert local.url == "http://127.0.0.1:8/p/v1alpha/auth_tokens"
    assert not local.secure
    with pytest.raises(ConfigError, match="allow_insecure"):
        rest_endpoint("auth_tokens", api_key=KEY, base_url="http://example.com")


def test_what_is_secret_of_an_endpoint() -> None:
    secrets = Endpoint("wss://h/", {"Authorization": "Bearer ya29.t", "x-goog-api-key": KEY}).secrets
    assert set(secrets) == {"Bearer ya29.t", "ya29.t", KEY}


def test_a_short_header_of_the_users_is_a_word_and_no_secret() -> None:
    """Cut out of "session not found" it would make another close of it."""
    headers = {"X-Affinity": "session", "X-Tenant": "a-long-and-secret-value"}
    endpoint = developer_endpoint(api_key="short", headers=headers)
    assert set(endpoint.secrets) == {"short", "a-long-and-secret-value"}

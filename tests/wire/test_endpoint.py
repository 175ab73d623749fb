"""Where to connect: what is refused, and that the key shows nowhere."""

from __future__ import annotations

import pytest

from duologue.errors import ConfigError
from duologue.wire.endpoint import DEVELOPER_BASE_URL, developer_endpoint, is_loopback

KEY = "AIzaCanaryCanaryCanary"
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

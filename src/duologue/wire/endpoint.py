"""Where to connect and with which headers.

The key travels as the header ``x-goog-api-key``, never in the URL, so that no URL needs scrubbing.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from duologue.checks import check_value
from duologue.errors import ConfigError

__all__ = ["DEFAULT_API_VERSION", "DEVELOPER_BASE_URL", "Endpoint", "developer_endpoint", "is_loopback"]

DEVELOPER_BASE_URL = "https://generativelanguage.googleapis.com"
DEFAULT_API_VERSION = "v1beta"
_METHOD = "/ws/google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateContent"
_KEY_HEADER = "x-goog-api-key"
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_WS_SCHEMES = {"http": "ws", "ws": "ws", "https": "wss", "wss": "wss"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A WebSocket URL and the headers of its upgrade; headers are never shown."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @property
    def secure(self) -> bool:
        """Whether the link is encrypted."""
        return self.url.startswith("wss:")

    @property
    def host(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.url).netloc.rpartition("@")[2]


def is_loopback(host: str | None) -> bool:
    """Tell whether ``host`` is this machine by its very name or address; nothing is looked up."""
    if not host:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def developer_endpoint(
    *,
    api_key: str,
    base_url: str | None = None,
    api_version: str = DEFAULT_API_VERSION,
    allow_insecure: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Endpoint:
    """Return the Developer API's endpoint.

    Args:
        api_key: Sent as a header.
        base_url: ``http(s)://`` or ``ws(s)://`` host with an optional path prefix; None is Google's.
        api_version: ``v1``, ``v1beta`` or ``v1alpha``.
        allow_insecure: Permits an unencrypted link to another host than loopback.
        headers: Added to the upgrade request; cannot replace the key.

    Raises:
        ConfigError: A URL that is none, an unencrypted one off loopback, a key or header that no
            request can hold, or a header in the place of the key's.
    """
    check_value("base_url", base_url, str | None)
    check_value("api_key", api_key, str)
    check_value("api_version", api_version, str)
    base = base_url if base_url is not None else DEVELOPER_BASE_URL
    if any(c.isspace() or not c.isprintable() for c in base):
        raise ConfigError("base_url holds blanks or control characters, which no URL has: leave them out")
    try:
        parts = urlsplit(base)
        host, _ = parts.hostname, parts.port
    except ValueError:  # its text may quote a password, so it is not passed on
        raise ConfigError("base_url is not a URL: its host or port cannot be read") from None
    scheme = _WS_SCHEMES.get(parts.scheme.lower())
    if scheme is None or not host:
        msg = f"base_url {_shown(base)!r} needs a scheme and a host, such as https://example.com or ws://127.0.0.1:8080"
        raise ConfigError(msg)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError("base_url must not carry a user, a query or a fragment: give the key as api_key")
    if scheme == "ws" and not allow_insecure and not is_loopback(host):
        msg = (
            f"base_url {_shown(base)!r} would send the key and the conversation unencrypted to another machine; "
            "use https:// or wss://, or pass allow_insecure=True"
        )
        raise ConfigError(msg)
    if not api_key or not api_key.isascii() or any(c.isspace() or not c.isprintable() for c in api_key):
        raise ConfigError("the API key is empty or holds blanks or characters no HTTP header can carry")
    if not (api_version.isascii() and api_version.isalnum()):
        raise ConfigError(f"api_version {api_version!r} is none: give v1, v1beta or v1alpha")
    _check_headers(headers or {})
    path = parts.path.rstrip("/") + _METHOD.format(version=api_version)
    return Endpoint(f"{scheme}://{parts.netloc}{path}", {**(headers or {}), _KEY_HEADER: api_key})


def _check_headers(headers: Mapping[str, str]) -> None:
    check_value("headers", headers, Mapping[str, Any])
    for name, value in headers.items():
        if name.lower() == _KEY_HEADER:
            raise ConfigError(f"the header {_KEY_HEADER} is the key's: give it as api_key")
        check_value(f"the header {name!r}", value, str)
        if not _HEADER_NAME.fullmatch(name) or any(ord(c) < 32 or ord(c) > 126 for c in value):
            raise ConfigError(f"the header {name!r} or its value holds characters no HTTP header can carry")


def _shown(url: str) -> str:
    """Return a URL fit for a message: without what may be a secret."""
    return url.partition("?")[0].rpartition("@")[2]

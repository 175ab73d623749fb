"""Where to connect and with which headers, on either backend.

Keys and tokens travel as headers, never in the URL, so that no URL needs scrubbing.

Source: google-genai 3.4.0, and Google's pages on the Live API and on Vertex AI's locations.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from duologue.checks import check_value
from duologue.errors import ConfigError

__all__ = [
    "DEFAULT_API_VERSION",
    "DEVELOPER_BASE_URL",
    "GLOBAL_LOCATION",
    "VERTEX_API_VERSION",
    "Endpoint",
    "bearer",
    "developer_endpoint",
    "is_loopback",
    "is_token",
    "rest_endpoint",
    "vertex_base_url",
    "vertex_endpoint",
]

DEVELOPER_BASE_URL: Final = "https://generativelanguage.googleapis.com"
DEFAULT_API_VERSION: Final = "v1beta"
"""Of the Developer API."""
VERTEX_API_VERSION: Final = "v1beta1"
GLOBAL_LOCATION: Final = "global"
_MULTI_REGIONS: Final = ("us", "eu")

_DEVELOPER: Final = "/ws/google.ai.generativelanguage.{version}.GenerativeService.{method}"
_METHOD: Final = "BidiGenerateContent"
_METHOD_OF_A_TOKEN: Final = "BidiGenerateContentConstrained"  # noqa: S105 -- a method's name
_VERTEX: Final = "/ws/google.cloud.aiplatform.{version}.LlmBidiService/BidiGenerateContent"
_TOKEN_PREFIX: Final = "auth_tokens/"  # noqa: S105 -- how every token begins

_KEY_HEADER: Final = "x-goog-api-key"
_AUTHORIZATION: Final = "authorization"
_QUOTA_HEADER: Final = "x-goog-user-project"
_CREDENTIALS: Final = frozenset({_KEY_HEADER, "authorization", "proxy-authorization", "cookie"})
_SHORTEST_SECRET: Final = 16
_OF_THE_UPGRADE: Final = frozenset(
    {
        *("host", "connection", "upgrade", "content-length", "transfer-encoding"),
        *("sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol", "sec-websocket-extensions"),
    }
)
"""What the request itself is made of: a second one of these would end in a refusal nobody understands."""
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_LOCATION = re.compile(r"[a-z0-9-]{1,63}")
_SECURE: Final = {"http": False, "ws": False, "https": True, "wss": True}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A URL and the headers of its request; headers are never shown."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @property
    def secure(self) -> bool:
        """Whether the link is encrypted."""
        return _SECURE[urlsplit(self.url).scheme]

    @property
    def host(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    @property
    def secrets(self) -> tuple[str, ...]:
        """What nobody may be shown: keys, tokens (also without the word before them), long header values.

        A short header is a word: cut out of a close's reason, it would change the meaning of that.
        """
        values = [
            value
            for name, value in self.headers.items()
            if name.lower() in _CREDENTIALS or len(value) >= _SHORTEST_SECRET
        ]
        return (*values, *(value.rpartition(" ")[2] for value in values if " " in value))


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


def is_token(api_key: str) -> bool:
    """Tell whether what was given as a key is an ephemeral token."""
    return api_key.startswith(_TOKEN_PREFIX)


def developer_endpoint(
    *,
    api_key: str,
    base_url: str | None = None,
    api_version: str = DEFAULT_API_VERSION,
    allow_insecure: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Endpoint:
    """Return the Developer API's endpoint.

    An ephemeral token goes to a method of its own; a setup message is sent there all the same.

    Args:
        api_key: A key or an ephemeral token (``auth_tokens/...``); sent as a header.
        base_url: ``http(s)://`` or ``ws(s)://`` host with an optional path prefix; None is Google's.
        api_version: ``v1``, ``v1beta`` or ``v1alpha``.
        allow_insecure: Permits an unencrypted link to another host than loopback.
        headers: Added to the upgrade request; cannot replace the key, nor what makes it an upgrade.

    Raises:
        ConfigError: A URL that is none, an unencrypted one off loopback, a key or header that no
            request can hold, or a header in the place of the key's.
    """
    base = _checked_url(base_url, DEVELOPER_BASE_URL, allow_insecure=allow_insecure)
    own = _key_headers(api_key)
    path = _DEVELOPER.format(
        version=_checked_version(api_version), method=_METHOD_OF_A_TOKEN if is_token(api_key) else _METHOD
    )
    return Endpoint(_joined(base, path, "ws"), {**_checked_headers(headers, own), **own})


def vertex_endpoint(
    *,
    location: str | None = None,
    api_key: str | None = None,
    authorization: Mapping[str, str] | None = None,
    base_url: str | None = None,
    whole_url: bool = False,
    api_version: str = VERTEX_API_VERSION,
    allow_insecure: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Endpoint:
    """Return Vertex AI's endpoint.

    Args:
        location: A region, a multi-region (``us``, ``eu``) or ``global``; names Google's host.
        api_key: A key of the express mode; sent as a header.
        authorization: The headers of :func:`bearer`; None sends none, as a gateway may want it.
        base_url: Another host; see :func:`developer_endpoint`.
        whole_url: ``base_url`` is a gateway's own address: nothing is appended to it.
        api_version: ``v1beta1`` or ``v1``.
        allow_insecure: Permits an unencrypted link to another host than loopback.
        headers: Added to the upgrade request; cannot replace the credentials.

    Raises:
        ConfigError: As for :func:`developer_endpoint`; also a location that is none.
    """
    base = _checked_url(base_url, vertex_base_url(location), allow_insecure=allow_insecure)
    if api_key is not None and is_token(api_key):
        raise ConfigError("an ephemeral token is good for the Developer API alone: pass vertexai=False")
    own = {**({} if api_key is None else _key_headers(api_key)), **(authorization or {})}
    path = "" if whole_url else _VERTEX.format(version=_checked_version(api_version))
    return Endpoint(_joined(base, path, "ws"), {**_checked_headers(headers, own), **own})


def rest_endpoint(
    path: str,
    *,
    api_key: str,
    base_url: str | None = None,
    api_version: str = DEFAULT_API_VERSION,
    allow_insecure: bool = False,
) -> Endpoint:
    """Return an HTTP resource of the Developer API.

    Args:
        path: Behind the version, such as ``auth_tokens``.
        api_key: See :func:`developer_endpoint`, as all below.
        base_url: Of either scheme.
        api_version: ``v1beta`` or ``v1alpha``.
        allow_insecure: Permits an unencrypted request to another host than loopback.

    Raises:
        ConfigError: As for :func:`developer_endpoint`.
    """
    base = _checked_url(base_url, DEVELOPER_BASE_URL, allow_insecure=allow_insecure)
    return Endpoint(_joined(base, f"/{_checked_version(api_version)}/{path}", "http"), _key_headers(api_key))


def vertex_base_url(location: str | None) -> str:
    """Return Google's host for a location; None is ``global``.

    Raises:
        ConfigError: It is no location.
    """
    check_value("location", location, str | None)
    if location is None or location == GLOBAL_LOCATION:
        return "https://aiplatform.googleapis.com"
    if not _LOCATION.fullmatch(location):
        raise ConfigError(f"location {location!r} is none: give a region such as us-central1, or global")
    if location in _MULTI_REGIONS:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"


def bearer(token: str, *, quota_project: str | None = None) -> Mapping[str, str]:
    """Return the headers of an OAuth access token.

    Args:
        token: Fresh; it holds for an hour or less.
        quota_project: Is charged instead of the token's own project.

    Raises:
        ConfigError: One of them cannot stand in a header.
    """
    headers = {"Authorization": f"Bearer {_header_safe(token, 'the access token')}"}
    if quota_project:
        headers[_QUOTA_HEADER] = _header_safe(quota_project, "the quota project")
    return headers


def _key_headers(api_key: str) -> Mapping[str, str]:
    check_value("api_key", api_key, str)
    key = _header_safe(api_key, "the API key")
    return {"Authorization": f"Token {key}"} if is_token(key) else {_KEY_HEADER: key}


def _header_safe(value: str, what: str) -> str:
    if not value or not value.isascii() or any(c.isspace() or not c.isprintable() for c in value):
        raise ConfigError(f"{what} is empty or holds blanks or characters no HTTP header can carry")
    return value


def _checked_url(base_url: str | None, default: str, *, allow_insecure: bool) -> SplitResult:
    check_value("base_url", base_url, str | None)
    base = base_url if base_url is not None else default
    if any(c.isspace() or not c.isprintable() for c in base):
        raise ConfigError("base_url holds blanks or control characters, which no URL has: leave them out")
    try:
        parts = urlsplit(base)
        host, _ = parts.hostname, parts.port
    except ValueError:  # its text may quote a password, so it is not passed on
        raise ConfigError("base_url is not a URL: its host or port cannot be read") from None
    secure = _SECURE.get(parts.scheme.lower())
    if secure is None or not host:
        msg = f"base_url {_shown(base)!r} needs a scheme and a host, such as https://example.com or ws://127.0.0.1:8080"
        raise ConfigError(msg)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError("base_url must not carry a user, a query or a fragment: give the key as api_key")
    if not secure and not allow_insecure and not is_loopback(host):
        msg = (
            f"base_url {_shown(base)!r} would send the key and the conversation unencrypted to another machine; "
            "use https:// or wss://, or pass allow_insecure=True"
        )
        raise ConfigError(msg)
    return parts


def _checked_version(api_version: str) -> str:
    check_value("api_version", api_version, str)
    if not (api_version.isascii() and api_version.isalnum()):
        raise ConfigError(f"api_version {api_version!r} is none: give one such as v1, v1beta or v1alpha")
    return api_version


def _checked_headers(headers: Mapping[str, str] | None, own: Mapping[str, str]) -> Mapping[str, str]:
    """Return the user's headers, once none of them can be taken for a credential of ours."""
    if headers is None:
        return {}
    check_value("headers", headers, Mapping[str, Any])
    reserved = {_KEY_HEADER, *(name.lower() for name in own)}
    for name, value in headers.items():
        if name.lower() in _OF_THE_UPGRADE:
            raise ConfigError(f"the header {name} is the upgrade request's own: leave it out")
        if name.lower() in reserved:
            whose = "the key's: give it as api_key" if name.lower() == _KEY_HEADER else "the credentials'"
            raise ConfigError(f"the header {name} is {whose}")
        check_value(f"the header {name!r}", value, str)
        if not _HEADER_NAME.fullmatch(name) or any(ord(c) < 32 or ord(c) > 126 for c in value):
            raise ConfigError(f"the header {name!r} or its value holds characters no HTTP header can carry")
    return headers


def _joined(base: SplitResult, path: str, plain: str) -> str:
    scheme = f"{plain}s" if _SECURE[base.scheme.lower()] else plain
    return f"{scheme}://{base.netloc}{base.path.rstrip('/') if path else base.path}{path}"


def _shown(url: str) -> str:
    """Return a URL fit for a message: without what may be a secret."""
    return url.partition("?")[0].rpartition("@")[2]

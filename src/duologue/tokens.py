"""Ephemeral tokens: what a browser or phone may hold instead of the API key.

A server mints one with its key, the client connects with it as ``api_key``. It is good for a few sessions
and minutes, and, when it locks a setup, for nothing else than that setup.

Source: Google's page on ephemeral tokens; google-genai 3.4.0, ``tokens.py``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from duologue.checks import check_value
from duologue.errors import ConfigError, ProtocolError
from duologue.io.auth import find_api_key, find_base_url
from duologue.io.post import post_json
from duologue.wire.endpoint import DEFAULT_API_VERSION, is_token, rest_endpoint

if TYPE_CHECKING:
    import ssl

__all__ = ["EphemeralToken", "SetupSource", "create"]

_log = logging.getLogger("duologue")
_LONGEST: Final = timedelta(hours=20)
_OF_VERTEX: Final = ("projects/", "publishers/")


class SetupSource(Protocol):
    """Something with a setup message, such as a ``RealtimeModel``."""

    def setup(self) -> Mapping[str, Any]:
        """Return the content of the setup message, as on the wire."""
        ...


@dataclass(frozen=True, slots=True)
class EphemeralToken:
    """A token and how long it is good for; the token itself is not shown."""

    name: str = field(repr=False)
    """``auth_tokens/...``: what to give as ``api_key``."""
    expire_time: datetime | None = None
    """When sessions begun with it end at the latest; None when the service did not say."""
    new_session_expire_time: datetime | None = None
    """Until when sessions can be begun."""
    uses: int | None = None


async def create(
    *,
    uses: int = 1,
    expire_time: datetime | None = None,
    expires_in_s: float | None = None,
    new_session_expire_time: datetime | None = None,
    new_session_expires_in_s: float | None = None,
    setup: SetupSource | Mapping[str, Any] | None = None,
    field_mask: Sequence[str] = (),
    api_key: str | None = None,
    base_url: str | None = None,
    api_version: str = DEFAULT_API_VERSION,
    allow_insecure: bool = False,
    timeout_s: float = 10.0,
    ssl_context: ssl.SSLContext | None = None,
) -> EphemeralToken:
    """Mint a token with an API key of the Developer API; Vertex AI has none.

    Who connects with it must still send a setup message. Which parts of that count:

    * no ``setup``: all of it;
    * a ``setup`` and no ``field_mask``: nothing, the token's holds;
    * both: all but the masked fields, which are the token's.

    Args:
        uses: How many sessions may begin with it, 0 for any number; resuming one is no use.
        expire_time: When sessions end at the latest, with a time zone; by default in 30 minutes, at most
            in 20 hours.
        expires_in_s: The same, from now.
        new_session_expire_time: Until when sessions may begin; by default for one minute.
        new_session_expires_in_s: The same, from now.
        setup: What is locked: a ``RealtimeModel``, or the content of a setup message as on the wire.
        field_mask: Paths within the setup, such as ``generationConfig.temperature``, in either case.
        api_key: None looks into ``GOOGLE_API_KEY``, then ``GEMINI_API_KEY``.
        base_url: None looks into ``GOOGLE_GEMINI_BASE_URL``.
        api_version: ``v1beta`` or ``v1alpha``.
        allow_insecure: Permits an unencrypted request to another host than loopback.
        timeout_s: For all of it.
        ssl_context: Trusts other certificates than the system's.

    Raises:
        ConfigError: An argument that is none, no key, or a token in the key's place.
        AuthError: The service refuses the key.
        ConnectError: It cannot be reached, or refuses what was asked for.
        ProtocolError: Its answer holds no token.

    Example:
        >>> token = await create(setup=RealtimeModel(voice="Kore"), expires_in_s=600)
        >>> model = RealtimeModel(api_key=token.name)
    """
    body = _request(
        uses=uses,
        expires=_instant("expire_time", expire_time, "expires_in_s", expires_in_s),
        sessions_expire=_instant(
            "new_session_expire_time",
            new_session_expire_time,
            "new_session_expires_in_s",
            new_session_expires_in_s,
        ),
        setup=setup,
        field_mask=field_mask,
    )
    check_value("api_key", api_key, str | None)
    check_value("timeout_s", timeout_s, float)
    if timeout_s <= 0:
        raise ConfigError(f"timeout_s is {timeout_s}; give a positive number of seconds")
    key = find_api_key(api_key).value
    if is_token(key):
        raise ConfigError("a token cannot mint tokens: give an API key")
    address, variable = find_base_url(base_url)
    endpoint = rest_endpoint(
        "auth_tokens",
        api_key=key,
        base_url=address,
        api_version=api_version,
        allow_insecure=allow_insecure,
    )
    if variable is not None:
        _log.info("asking %s, named by %s, for a token", endpoint.host, variable)
    return _token(await post_json(endpoint, body, timeout_s=timeout_s, ssl_context=ssl_context))


def _request(
    *,
    uses: int,
    expires: str | None,
    sessions_expire: str | None,
    setup: SetupSource | Mapping[str, Any] | None,
    field_mask: Sequence[str],
) -> dict[str, Any]:
    check_value("uses", uses, int)
    check_value("field_mask", field_mask, Sequence[str])
    if uses < 0:
        raise ConfigError(f"uses is {uses}; give 0 for any number, or a positive one")
    if field_mask and setup is None:
        raise ConfigError("field_mask names fields of a setup, and there is none: give setup too")
    body: dict[str, Any] = {"uses": uses}
    if expires is not None:
        body["expireTime"] = expires
    if sessions_expire is not None:
        body["newSessionExpireTime"] = sessions_expire
    if setup is not None:
        body["bidiGenerateContentSetup"] = _content(setup)
    if field_mask:
        body["fieldMask"] = ",".join(_path(path) for path in field_mask)
    return body


def _content(setup: SetupSource | Mapping[str, Any]) -> Mapping[str, Any]:
    content = setup if isinstance(setup, Mapping) else _setup_of(setup)
    check_value("setup", content, Mapping[str, Any])
    if "setup" in content:
        raise ConfigError("setup holds a whole message: give what stands under its key 'setup'")
    if not content:
        raise ConfigError("setup is empty, which would lock everything to nothing: leave it out")
    if str(content.get("model", "")).startswith(_OF_VERTEX):
        raise ConfigError("setup is of Vertex AI, which has no tokens: make the model with vertexai=False")
    return content


def _setup_of(source: SetupSource) -> Mapping[str, Any]:
    give = getattr(source, "setup", None)
    if not callable(give):
        raise ConfigError(f"setup is a {type(source).__name__}; give a RealtimeModel or a mapping")
    return cast("Mapping[str, Any]", give())


def _path(path: str) -> str:
    words = path.split(".")
    if not all(word.replace("_", "").isalnum() and word.isascii() for word in words):
        raise ConfigError(f"field_mask has {path!r}; give paths such as generationConfig.temperature")
    return ".".join(_camel_case(word) for word in words)


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _instant(at_name: str, at: datetime | None, in_name: str, in_s: float | None) -> str | None:
    """Return an instant as RFC 3339 says, or None for the service's default."""
    check_value(at_name, at, datetime | None)
    check_value(in_name, in_s, float | None)
    if at is None and in_s is None:
        return None
    if at is not None and in_s is not None:
        raise ConfigError(f"{at_name} and {in_name} say the same: give one of them")
    now = datetime.now(UTC)
    if at is None:
        at = now + timedelta(seconds=max(0.0, min(in_s or 0.0, _LONGEST.total_seconds() + 1)))
    if at.tzinfo is None:
        raise ConfigError(f"{at_name} has no time zone: give one such as datetime.now(UTC) + timedelta(...)")
    if not now < at <= now + _LONGEST:
        raise ConfigError(f"{at_name} or {in_name} must lie ahead, by at most 20 hours")
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _token(answer: Mapping[str, Any]) -> EphemeralToken:
    name = answer.get("name")
    if not isinstance(name, str) or not is_token(name):
        raise ProtocolError("the answer of the service holds no token")
    uses = answer.get("uses")
    return EphemeralToken(
        name,
        expire_time=_time(answer.get("expireTime")),
        new_session_expire_time=_time(answer.get("newSessionExpireTime")),
        uses=uses if isinstance(uses, int) else None,
    )


def _time(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None

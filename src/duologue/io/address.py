"""Where both faces connect to, asked anew for every link: options first, then the environment."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from duologue.checks import check_value
from duologue.errors import AuthError, ConfigError, ConnectError, DuologueError
from duologue.io.adc import GoogleAccount
from duologue.io.auth import API_VERSION_VARIABLE, find_account
from duologue.wire.endpoint import (
    DEFAULT_API_VERSION,
    GLOBAL_LOCATION,
    VERTEX_API_VERSION,
    bearer,
    developer_endpoint,
    vertex_endpoint,
)
from duologue.wire.scrub import scrub

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from duologue.config import Clock, LiveConfig, SessionOptions
    from duologue.core.session import Session
    from duologue.io.auth import Account
    from duologue.io.transport import Transport, TransportLink
    from duologue.wire.endpoint import Endpoint
    from duologue.wire.profile import Backend

    TokenFunction = Callable[[], Awaitable[str]]

__all__ = ["Address", "find_address"]

_log = logging.getLogger("duologue")
_HTTP_OPTIONS = ("api_version", "base_url", "headers")
_USUAL_VERSION: Mapping[Backend, str] = {"developer": DEFAULT_API_VERSION, "vertex": VERTEX_API_VERSION}
_CHECK = "checked-before-there-is-one"
_QUOTA_HEADER = "x-goog-user-project"


class Address:
    """Where one session's links go and how each is paid for.

    Args:
        account: Who calls.
        google: Fetches access tokens; None unless the account's way is ``oauth``.
        provider: Returns a token; None unless the account's way is ``provider``.
        version: The API's.
        headers: The user's own.
        allow_insecure: Permits an unencrypted link to another host than loopback.

    Raises:
        ConfigError: A URL, key or header that no request can be made of.
    """

    def __init__(
        self,
        account: Account,
        *,
        google: GoogleAccount | None,
        provider: TokenFunction | None,
        version: str,
        headers: Mapping[str, str],
        allow_insecure: bool,
    ) -> None:
        self.account = account
        self.google = google
        self._provider = provider
        self._version = version
        self._headers = headers
        self._allow_insecure = allow_insecure
        self.host = self._endpoint(_CHECK, bearer(_CHECK)).host  # refuses now what would be refused later

    @property
    def place(self) -> tuple[str, str] | None:
        """Project and location that a model's name begins with; None for a key's, and while not known."""
        account = self.account
        if account.key is not None or account.project is None or account.location is None:
            return None
        return account.project, account.location

    async def endpoint(self) -> Endpoint:
        """Return where the next link goes, with a token that is still good.

        Raises:
            ConfigError: There are no credentials; says what to do.
            AuthError: They were refused.
            ConnectError: The token server cannot be reached.
        """
        if self.google is not None:
            return self._endpoint("", self._without_users_quota(await self.google.headers()))
        if self._provider is not None:
            token = await _provided(self._provider)
            return self._endpoint(token, bearer(token) if self.account.backend == "vertex" else {})
        return self._endpoint("", {})

    async def open(
        self, transport: Transport, options: SessionOptions, core: Session, clock: Clock
    ) -> TransportLink:
        """Open a link.

        Args:
            transport: Opens it.
            options: Its limits.
            core: Told the project before the first link, when only the credentials know it.
            clock: The core's.

        Raises:
            ConnectError: Why there is none.
            ConfigError: See :meth:`endpoint`; also credentials that belong to no project.
        """
        try:
            async with asyncio.timeout(options.connect_timeout_s):
                await self._locate(core, clock)
                endpoint = await self.endpoint()
        except TimeoutError:
            msg = f"there was no token within connect_timeout_s ({options.connect_timeout_s:g} s)"
            raise ConnectError(msg, phase="connect", retryable=True) from None
        return await transport.connect(endpoint, options)

    async def _locate(self, core: Session, clock: Clock) -> None:
        account = self.account
        if self.google is not None and account.project is None:
            project = await self.google.project()
            self.account = replace(account, project=project)
            core.locate(project, account.location or GLOBAL_LOCATION, clock.now())

    def _endpoint(self, token: str, authorization: Mapping[str, str]) -> Endpoint:
        """Return the endpoint; ``token`` counts on the Developer API, ``authorization`` on Vertex AI."""
        account = self.account
        key = None if account.key is None else account.key.value
        common: dict[str, Any] = {
            "base_url": account.base_url,
            "api_version": self._version,
            "allow_insecure": self._allow_insecure,
            "headers": self._headers,
        }
        if account.backend == "developer":
            return developer_endpoint(api_key=token if key is None else key, **common)
        asks = self.google is not None or self._provider is not None
        return vertex_endpoint(
            location=account.location,
            api_key=key,
            authorization=authorization if asks else None,
            whole_url=account.way == "none",
            **common,
        )

    def _without_users_quota(self, authorization: Mapping[str, str]) -> Mapping[str, str]:
        """Leave out the project to charge where the user's own headers name one."""
        if not any(name.lower() == _QUOTA_HEADER for name in self._headers):
            return authorization
        return {name: value for name, value in authorization.items() if name.lower() != _QUOTA_HEADER}


def find_address(
    live: LiveConfig,
    *,
    backend: Backend,
    api_key: str | None = None,
    project: str | None = None,
    location: str | None = None,
    credentials: object | None = None,
    google: GoogleAccount | None = None,
    base_url: str | None = None,
    allow_insecure: bool = False,
    default_version: str | None = None,
) -> Address:
    """Return where to connect; nothing is fetched yet.

    Args:
        live: Its ``api_version`` and ``http_options`` count.
        backend: Which service; see :func:`~duologue.io.auth.find_backend`.
        api_key: None looks into the environment.
        project: None looks into the environment, then into the credentials.
        location: None looks into the environment; without any it is ``global``.
        credentials: Of google-auth, or an async function that returns a token for each link.
        google: The account to use for a Google account's tokens, so that sessions share them.
        base_url: None looks into ``http_options``, then into the environment.
        allow_insecure: Permits an unencrypted link to another host than loopback.
        default_version: Used when neither option nor environment names an API version.

    Raises:
        ConfigError: No key (names the variables), an option that is none, a URL that cannot be used, or
            a missing package (names the extra).
    """
    given = live.http_options or {}
    unknown = sorted(set(given) - set(_HTTP_OPTIONS))
    if unknown:
        raise ConfigError(f"http_options has no {unknown[0]!r}; it takes {', '.join(_HTTP_OPTIONS)}")
    account = find_account(
        api_key=api_key,
        vertexai=backend == "vertex",
        project=project,
        location=location,
        credentials=credentials,
        base_url=base_url or given.get("base_url"),
    )
    headers = cast("Mapping[str, str] | None", given.get("headers")) or {}
    pays_itself = account.backend == "vertex" and any(name.lower() == "authorization" for name in headers)
    uses_google = account.way == "oauth" and not pays_itself
    if account.way in ("oauth", "provider") and backend == "vertex" and not (uses_google or account.project):
        raise ConfigError(
            "no credentials are here to ask for a project: pass project, or set GOOGLE_CLOUD_PROJECT"
        )
    address = Address(
        account,
        google=(google or GoogleAccount(credentials)) if uses_google else None,
        provider=cast("TokenFunction", credentials) if account.way == "provider" else None,
        version=_version(live, given, default_version or _USUAL_VERSION[backend], backend),
        headers=headers,
        allow_insecure=allow_insecure,
    )
    if account.base_url_source is not None:
        _log.info("connecting to %s, named by %s", address.host, account.base_url_source)
    return address


def _version(live: LiveConfig, given: Mapping[str, Any], default: str, backend: Backend) -> str:
    named = live.api_version or given.get("api_version")
    if named:
        check_value("api_version", named, str)
        return cast("str", named)
    variable = os.environ.get(API_VERSION_VARIABLE, "").strip()
    return _USUAL_VERSION[backend] if variable == "beta" else variable or default


async def _provided(provider: TokenFunction) -> str:
    """Return what the user's function gives; its own words are not repeated, since they may hold secrets.

    The error it raised is the cause of ours, unless its words look like a credential.
    """
    try:
        answer: object = provider()
        token = await cast("Awaitable[object]", answer) if inspect.isawaitable(answer) else answer
    except (DuologueError, asyncio.CancelledError):
        raise
    except Exception as error:
        msg = f"the function given as credentials failed ({type(error).__name__})"
        shown = error if scrub(str(error)) == str(error) else None
        raise ConnectError(msg, phase="connect", retryable=True) from shown
    if not isinstance(token, str) or not token.strip():
        kind = type(token).__name__
        raise AuthError(f"the function given as credentials returned no token but a {kind}", phase="connect")
    return token.strip()

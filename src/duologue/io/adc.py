"""Access tokens of a Google account, by google-auth: given credentials, or the machine's own.

google-auth blocks, so each account has a thread of its own, and one only: links that open side by side fetch
one token, who gave up waiting is not fetched for, and names can be looked up meanwhile (the loop's own threads
do that). A token is fetched anew when the last one is no longer good.

Source: Application Default Credentials (AIP-4110); google-genai 3.4.0, ``get_token_from_credentials``.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.util
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

from duologue.errors import AuthError, ConfigError, ConnectError
from duologue.wire.endpoint import bearer
from duologue.wire.scrub import scrub

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    from google.auth.credentials import Credentials

    T = TypeVar("T")

__all__ = ["GoogleAccount", "require_google_auth"]

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_MAX_SHOWN = 200
_ADVICE = (
    "set GOOGLE_APPLICATION_CREDENTIALS to a key file, run `gcloud auth application-default login`, "
    "or pass credentials or an api_key"
)


def require_google_auth() -> None:
    """Do nothing where google-auth is installed.

    Raises:
        ConfigError: It is not; names the extra.
    """
    # Looked for, not imported: that takes a while, and happens in the worker thread.
    if not all(_is_installed(name) for name in ("google", "google.auth", "requests")):
        raise ConfigError("a Google account on Vertex AI needs google-auth: pip install 'duologue[vertex]'")


def _is_installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


class GoogleAccount:
    """One account; belongs to a model and serves all its sessions.

    Args:
        credentials: Of google-auth; None looks for Application Default Credentials, once.
        timeout_s: For each request to a token server.

    Raises:
        ConfigError: google-auth is not installed, or ``credentials`` are none of its.
    """

    def __init__(self, credentials: object | None = None, *, timeout_s: float = 10.0) -> None:
        require_google_auth()
        self._credentials = None if credentials is None else _checked(credentials)
        self._timeout_s = timeout_s
        self._project: str | None = getattr(credentials, "project_id", None)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="duologue-account")

    async def project(self) -> str:
        """Return the project of the credentials, else that of the machine.

        Raises:
            ConfigError: There is none; says how to name one.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._find_project)

    async def headers(self) -> Mapping[str, str]:
        """Return the headers that pay for a link, with a token that is still good.

        Raises:
            ConfigError: There are no credentials on this machine.
            AuthError: The token server refuses them.
            ConnectError: The token server cannot be reached.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._fresh_headers)

    def _find_project(self) -> str:
        if not self._project:
            found, project = _default(self._timeout_s)
            self._credentials = self._credentials or found
            self._project = project
        if not self._project:
            raise ConfigError(
                "the credentials belong to no project: pass project, or set GOOGLE_CLOUD_PROJECT"
            )
        return self._project

    def _fresh_headers(self) -> Mapping[str, str]:
        if self._credentials is None:
            self._credentials, _ = _default(self._timeout_s)
        credentials: Any = self._credentials
        if credentials.expired or not credentials.token:
            _call(functools.partial(credentials.refresh, _request(self._timeout_s)))
        token: str | bytes | None = credentials.token
        if not token:
            raise AuthError("the credentials gave no access token", phase="connect")
        if isinstance(token, bytes):  # google-auth's own requests take either
            token = token.decode(errors="replace")
        return bearer(str(token), quota_project=getattr(credentials, "quota_project_id", None))


def _checked(credentials: object) -> Credentials:
    from google.auth import credentials as google_credentials

    if not isinstance(credentials, google_credentials.Credentials):
        raise ConfigError(
            f"credentials is a {type(credentials).__name__}; give google.auth.credentials.Credentials, or an "
            "async function that returns a token"
        )
    scope = cast("Any", google_credentials).with_scopes_if_required
    return cast("Credentials", _call(functools.partial(scope, credentials, list(_SCOPES))))


def _default(timeout_s: float) -> tuple[Credentials, str | None]:
    import google.auth

    find = cast("Any", google.auth.default)
    return cast(
        "tuple[Credentials, str | None]",
        _call(functools.partial(find, scopes=list(_SCOPES), request=_request(timeout_s))),
    )


def _request(timeout_s: float) -> Any:
    """Return what google-auth asks through; by default it would wait two minutes for an answer."""
    import google.auth.transport.requests

    return functools.partial(cast("Any", google.auth.transport.requests.Request)(), timeout=timeout_s)


def _call(run: Callable[[], T]) -> T:
    """Call into google-auth; what it raises becomes ours, without what its texts may quote."""
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError, TransportError

    try:
        return run()
    except DefaultCredentialsError as error:
        raise ConfigError(
            f"there are no credentials that can be used for Vertex AI ({_words(error)}): {_ADVICE}"
        ) from None
    except RefreshError as error:
        retryable = bool(getattr(error, "retryable", False))
        raise AuthError(
            f"the token server refuses the credentials: {_words(error)}", phase="connect", retryable=retryable
        ) from None
    except TransportError as error:
        raise ConnectError(
            f"the token server cannot be reached: {_words(error)}", phase="connect", retryable=True
        ) from None
    except (GoogleAuthError, ValueError, OSError) as error:
        raise ConfigError(f"the credentials cannot be used: {_words(error)}") from None
    except Exception as error:  # of somebody's own kind of credentials
        msg = f"the credentials failed ({type(error).__name__})"
        raise ConnectError(msg, phase="connect", retryable=True) from None


def _words(error: Exception) -> str:
    said = scrub(str(error.args[0]) if error.args else type(error).__name__)
    return " ".join(said.split())[:_MAX_SHOWN]

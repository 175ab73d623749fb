"""Who calls, on which backend and at which address: arguments first, then the environment.

Names and precedence are google-genai's; ``tests/differential`` holds the two against each other and lists
where this differs on purpose. Nothing is fetched here: see ``adc`` and ``address``.

Source: google-genai 3.4.0, ``_api_client.py``, ``_base_url.py`` and ``live.py``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from duologue.errors import ConfigError
from duologue.wire.endpoint import GLOBAL_LOCATION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duologue.wire.profile import Backend

__all__ = [
    "API_KEY_VARIABLES",
    "API_VERSION_VARIABLE",
    "BACKEND_VARIABLES",
    "BASE_URL_VARIABLES",
    "LOCATION_VARIABLE",
    "PROJECT_VARIABLE",
    "VARIABLES",
    "Account",
    "ApiKey",
    "Way",
    "check_account",
    "find_account",
    "find_api_key",
    "find_backend",
    "find_base_url",
]

API_KEY_VARIABLES = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
"""In order of precedence."""
BACKEND_VARIABLES = ("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_VERTEXAI")
"""The first that is set decides, whatever it says."""
BASE_URL_VARIABLES: Mapping[Backend, str] = {
    "developer": "GOOGLE_GEMINI_BASE_URL",
    "vertex": "GOOGLE_VERTEX_BASE_URL",
}
API_VERSION_VARIABLE = "GOOGLE_GENAI_API_VERSION"
PROJECT_VARIABLE = "GOOGLE_CLOUD_PROJECT"
LOCATION_VARIABLE = "GOOGLE_CLOUD_LOCATION"
VARIABLES = (
    *API_KEY_VARIABLES,
    *BACKEND_VARIABLES,
    *BASE_URL_VARIABLES.values(),
    API_VERSION_VARIABLE,
    PROJECT_VARIABLE,
    LOCATION_VARIABLE,
)
"""Everything this looks at; Application Default Credentials have their own."""

Way = Literal["key", "oauth", "provider", "none"]
"""How a call is paid for: an API key or ephemeral token, access tokens of a Google account, whatever a
function returns for each link, or nothing, which is a gateway's business."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key and where it came from; the key is not shown."""

    value: str = field(repr=False)
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What arguments and environment come to."""

    backend: Backend
    way: Way
    key: ApiKey | None = None
    project: str | None = None
    """None with ``oauth`` on Vertex AI: the credentials' own, once they are loaded."""
    location: str | None = None
    base_url: str | None = None
    base_url_source: str | None = None
    """The variable that named it; None for an argument."""


def find_backend(vertexai: bool | None, environ: Mapping[str, str] = os.environ) -> tuple[Backend, str]:
    """Return (which backend is asked for, by what); by nothing, it is the Developer API."""
    if vertexai is not None:
        return ("vertex" if vertexai else "developer"), "vertexai"
    for name in BACKEND_VARIABLES:
        value = environ.get(name)
        if value is not None:
            return ("vertex" if value.lower() in ("true", "1") else "developer"), name
    return "developer", ""


def find_api_key(argument: str | None, environ: Mapping[str, str] = os.environ) -> ApiKey:
    """Return the key of the argument, else of the environment.

    Raises:
        ConfigError: There is none; names the variables that were looked for.
    """
    key = _api_key(argument, environ)
    if key is not None:
        return key
    names = " nor ".join(API_KEY_VARIABLES)
    raise ConfigError(
        f"there is no API key: neither {names} is set and no api_key was given. "
        "Get one at https://aistudio.google.com/apikey, or run without one: `duologue talk --local`"
    )


def find_base_url(
    argument: str | None, environ: Mapping[str, str] = os.environ, backend: Backend = "developer"
) -> tuple[str | None, str | None]:
    """Return (base URL or None, the variable that named it or None)."""
    if argument:
        return argument, None
    variable = BASE_URL_VARIABLES[backend]
    value = _variable(variable, environ)
    return (value, variable) if value else (None, None)


def check_account(
    backend: Backend,
    *,
    api_key: str | None,
    project: str | None,
    location: str | None,
    credentials: object | None,
) -> None:
    """Refuse arguments that do not go together, whatever the environment says.

    Raises:
        ConfigError: Two ways to pay, or what belongs to Vertex AI on the Developer API.
    """
    if credentials is not None and api_key:
        raise ConfigError("credentials and api_key are two ways to pay for one call: give one of them")
    of_an_account = project or location or (credentials is not None and not _is_function(credentials))
    if backend == "developer" and of_an_account:
        raise ConfigError(
            "project, location and a Google account's credentials are for Vertex AI: pass vertexai=True, or "
            "leave them out and give an API key"
        )


def find_account(
    *,
    api_key: str | None = None,
    vertexai: bool | None = None,
    project: str | None = None,
    location: str | None = None,
    credentials: object | None = None,
    base_url: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Account:
    """Return who calls.

    On Vertex AI: an ``api_key`` beats a project of the environment; a project or location, of either
    origin, beats a key of the environment; ``credentials`` beat that too. A base URL that is not Google's
    gets a Google account's tokens only when ``project`` and ``location`` were both given as arguments:
    otherwise it is a gateway with a way of its own, and nothing is sent to it.

    Args:
        api_key: A key or an ephemeral token.
        vertexai: None lets the environment say.
        project: Vertex AI's alone.
        location: Vertex AI's alone.
        credentials: Of google-auth, for Vertex AI; or an async function, for either backend.
        base_url: None lets the environment say.
        environ: The environment.

    Raises:
        ConfigError: What was given does not go together; no key on the Developer API.
    """
    backend, _ = find_backend(vertexai, environ)
    check_account(backend, api_key=api_key, project=project, location=location, credentials=credentials)
    address, source = find_base_url(base_url, environ, backend)
    if backend == "developer":
        return Account(
            backend=backend,
            way="key" if credentials is None else "provider",
            key=find_api_key(api_key, environ) if credentials is None else None,
            base_url=address,
            base_url_source=source,
        )
    named = bool(project or location)
    key = None if credentials is not None else _vertex_key(api_key, environ, named=named)
    if address and not _is_googles(address) and not (api_key or (project and location)):
        _refuse_halves(project, location, credentials)
        return Account(
            backend=backend,
            way="key" if key else "none",
            key=key,
            base_url=address,
            base_url_source=source,
        )
    if not api_key or named:  # a key given as an argument goes without the environment's project
        project = project or _variable(PROJECT_VARIABLE, environ)
        location = location or _variable(LOCATION_VARIABLE, environ)
    way: Way = "provider" if _is_function(credentials) else "oauth"
    return Account(
        backend=backend,
        way="key" if key else way,
        key=key,
        project=project,
        location=location or (None if key else GLOBAL_LOCATION),
        base_url=address,
        base_url_source=source,
    )


def _is_function(credentials: object | None) -> bool:
    return callable(credentials)


def _vertex_key(api_key: str | None, environ: Mapping[str, str], *, named: bool) -> ApiKey | None:
    """Return the key of the express mode, unless the account of a project is meant."""
    of_project = named or _variable(PROJECT_VARIABLE, environ) or _variable(LOCATION_VARIABLE, environ)
    return None if of_project and not api_key else _api_key(api_key, environ)


def _api_key(argument: str | None, environ: Mapping[str, str]) -> ApiKey | None:
    if argument:
        return ApiKey(argument.strip(), "api_key")
    found = ((name, _variable(name, environ)) for name in API_KEY_VARIABLES)
    return next((ApiKey(value, name) for name, value in found if value), None)


def _variable(name: str, environ: Mapping[str, str]) -> str | None:
    """Return what a variable holds; a blank one counts as unset."""
    return environ.get(name, "").strip() or None


def _refuse_halves(project: str | None, location: str | None, credentials: object | None) -> None:
    """Refuse what would be left out without a word at a gateway's address."""
    if project or location or credentials is not None:
        raise ConfigError(
            "with a base_url that is not Google's give both project and location, so that access tokens are "
            "sent there, or none of project, location and credentials"
        )


def _is_googles(base_url: str) -> bool:
    try:
        return (urlsplit(base_url).hostname or "").endswith(".googleapis.com")
    except ValueError:
        return False  # refused later, with its reason

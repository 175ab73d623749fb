"""Keys from arguments or the environment: google-genai's names and precedence."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from duologue.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "API_KEY_VARIABLES",
    "BACKEND_VARIABLES",
    "BASE_URL_VARIABLE",
    "ApiKey",
    "find_api_key",
    "find_base_url",
    "vertex_wanted_by",
]

API_KEY_VARIABLES = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
"""In order of precedence."""
BACKEND_VARIABLES = ("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_VERTEXAI")
"""The first that is set decides, whatever it says."""
BASE_URL_VARIABLE = "GOOGLE_GEMINI_BASE_URL"
API_VERSION_VARIABLE = "GOOGLE_GENAI_API_VERSION"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key and where it came from; the key is not shown."""

    value: str = field(repr=False)
    source: str


def find_api_key(argument: str | None, environ: Mapping[str, str] = os.environ) -> ApiKey:
    """Return the key of the argument, else of the environment.

    Raises:
        ConfigError: There is none; names the variables that were looked for.
    """
    if argument:
        return ApiKey(argument.strip(), "api_key")
    for name in API_KEY_VARIABLES:
        value = environ.get(name, "").strip()
        if value:
            return ApiKey(value, name)
    names = " nor ".join(API_KEY_VARIABLES)
    raise ConfigError(
        f"there is no API key: neither {names} is set and no api_key was given. "
        "Get one at https://aistudio.google.com/apikey, or run without one: `duologue talk --local`"
    )


def vertex_wanted_by(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the variable that asks for Vertex AI, if one does."""
    for name in BACKEND_VARIABLES:
        value = environ.get(name)
        if value is not None:
            return name if value.lower() in ("true", "1") else None
    return None


def find_base_url(argument: str | None, environ: Mapping[str, str] = os.environ) -> tuple[str | None, bool]:
    """Return (base URL or None, whether it came from the environment)."""
    if argument:
        return argument, False
    value = environ.get(BASE_URL_VARIABLE, "").strip()
    return (value, True) if value else (None, False)

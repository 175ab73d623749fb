"""Where both faces connect to: options first, then the environment."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from duologue.errors import ConfigError, Unsupported
from duologue.io.auth import (
    API_VERSION_VARIABLE,
    BASE_URL_VARIABLE,
    find_api_key,
    find_base_url,
    vertex_wanted_by,
)
from duologue.wire.endpoint import DEFAULT_API_VERSION, Endpoint, developer_endpoint

if TYPE_CHECKING:
    from duologue.config import LiveConfig

__all__ = ["find_endpoint"]

_log = logging.getLogger("duologue")
_HTTP_OPTIONS = ("api_version", "base_url", "headers")


def find_endpoint(
    live: LiveConfig,
    *,
    api_key: str | None,
    base_url: str | None,
    allow_insecure: bool,
    vertexai: bool | None = None,
    default_version: str = DEFAULT_API_VERSION,
) -> Endpoint:
    """Return where to connect and with which headers.

    Args:
        live: Its ``api_version`` and ``http_options`` count.
        api_key: None looks into the environment.
        base_url: None looks into ``http_options``, then into the environment.
        allow_insecure: Permits an unencrypted link to another host than loopback.
        default_version: Used when neither option nor environment names an API version.
        vertexai: None lets the environment ask for Vertex AI, which is refused.

    Raises:
        ConfigError: No key (names the variables), an option that is none, or a URL that cannot be used.
        Unsupported: The environment asks for Vertex AI.
    """
    given = live.http_options or {}
    unknown = sorted(set(given) - set(_HTTP_OPTIONS))
    if unknown:
        raise ConfigError(f"http_options has no {unknown[0]!r}; it takes {', '.join(_HTTP_OPTIONS)}")
    address = base_url or given.get("base_url")
    variable = vertex_wanted_by() if vertexai is None and address is None else None
    if variable is not None:  # what was meant for one backend is not sent to the other
        raise Unsupported(
            f"{variable} asks for Vertex AI, which is not in this version: unset it, or pass vertexai=False"
        )
    address, from_environment = find_base_url(address)
    endpoint = developer_endpoint(
        api_key=find_api_key(api_key).value,
        base_url=address,
        api_version=live.api_version
        or given.get("api_version")
        or os.environ.get(API_VERSION_VARIABLE)
        or default_version,
        allow_insecure=allow_insecure,
        headers=given.get("headers"),
    )
    if from_environment:
        _log.info("connecting to %s, named by %s", endpoint.host, BASE_URL_VARIABLE)
    return endpoint

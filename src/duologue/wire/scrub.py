"""Secrets out of other people's words: close reasons, HTTP answers and error objects may quote them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["HIDDEN", "scrub", "secrets_in"]

HIDDEN = "[secret]"
_SHORTEST = 6  # a shorter "secret" is a word that would be cut out of everything
# Google API keys, ephemeral tokens (also as a URL holds them), OAuth access tokens.
_PATTERNS = re.compile(r"AIza[\w-]{16,}|auth_tokens(?:/|%2[Ff])[\w./%-]+|ya29\.[\w.-]+")
_KEY_FIELDS = frozenset({"apikey", "apikeystring"})
"""Where a tool of somebody else's is given its key, without case and underscores."""


def scrub(text: str, secrets: Iterable[str | None] = ()) -> str:
    """Return ``text`` without ``secrets`` and without what looks like a Google credential.

    Secrets are found as they are and as a URL quotes them; not in other codings, nor in halves.

    Args:
        text: Somebody else's words.
        secrets: What must not be shown, such as the key and the handles in use.
    """
    for secret in secrets:
        if secret and len(secret) >= _SHORTEST:
            text = text.replace(secret, HIDDEN).replace(quote(secret, safe="", errors="replace"), HIDDEN)
    return _PATTERNS.sub(HIDDEN, text)


def secrets_in(setup: object) -> Iterator[str]:
    """Yield what a setup message holds that pays for others: keys of search tools, what MCP servers are sent.

    Handles are none of it: a tape names them (``tape.secrets``).
    """
    if isinstance(setup, list | tuple):
        for item in cast("Iterable[object]", setup):
            yield from secrets_in(item)
    if not isinstance(setup, Mapping):
        return
    for key, value in cast("Mapping[str, object]", setup).items():
        name = key.replace("_", "").lower()
        if name == "streamablehttptransport" and isinstance(value, Mapping):
            yield from _of_a_server(cast("Mapping[str, object]", value))
        elif name in _KEY_FIELDS and isinstance(value, str):
            yield value
        else:
            yield from secrets_in(value)


def _of_a_server(transport: Mapping[str, object]) -> Iterator[str]:
    """Yield an MCP server's headers, and the user, password and query of its URL, as they stand there."""
    headers, url = transport.get("headers"), transport.get("url")
    if isinstance(headers, Mapping):
        yield from (text for text in cast("Iterable[object]", headers.values()) if isinstance(text, str))
    if isinstance(url, str):
        before_path, _, query = url.partition("?")
        login = before_path.partition("//")[2].partition("/")[0].rpartition("@")[0]
        yield from (part for part in login.split(":") if part)
        yield from (pair.partition("=")[2] or pair for pair in query.partition("#")[0].split("&") if pair)

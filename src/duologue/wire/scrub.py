"""Secrets out of other people's words: close reasons, HTTP answers and error objects may quote them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["HIDDEN", "scrub"]

HIDDEN = "[secret]"
_SHORTEST = 6  # a shorter "secret" is a word that would be cut out of everything
# Google API keys, ephemeral tokens, OAuth access tokens.
_PATTERNS = re.compile(r"AIza[\w-]{16,}|auth_tokens/[\w./-]+|ya29\.[\w.-]+")


def scrub(text: str, secrets: Iterable[str | None] = ()) -> str:
    """Return ``text`` without ``secrets`` and without what looks like a Google credential.

    Args:
        text: Somebody else's words.
        secrets: What must not be shown, such as the key and the handles in use.
    """
    for secret in secrets:
        if secret and len(secret) >= _SHORTEST:
            text = text.replace(secret, HIDDEN)
    return _PATTERNS.sub(HIDDEN, text)

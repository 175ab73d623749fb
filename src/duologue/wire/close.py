"""What a close means: code and reason text together, never the number alone.

Source: the table of close codes seen in the field (docs/quirks.md, Q-close).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["CloseKind", "Verdict", "classify"]

CloseKind = Literal[
    "auth", "config", "model", "handle", "quota", "transient", "lifetime", "protocol", "ended"
]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What kind of close it was and whether trying again can help."""

    kind: CloseKind
    retry: bool


# (code, a part of the reason in lower case, verdict); the first row that fits decides.
_ROWS: tuple[tuple[int, str, Verdict], ...] = (
    (1007, "api key", Verdict("auth", retry=False)),
    (1007, "invalid session handle", Verdict("handle", retry=True)),
    (1007, "setup must be the first", Verdict("protocol", retry=False)),
    (1007, "user location is not supported", Verdict("config", retry=False)),
    (1007, "", Verdict("config", retry=False)),
    (1008, "unregistered callers", Verdict("auth", retry=False)),
    (1008, "invalid authentication credentials", Verdict("auth", retry=False)),
    (1008, "permission denied", Verdict("auth", retry=False)),
    (1008, "api key", Verdict("auth", retry=False)),
    (1008, "is not found for api version", Verdict("model", retry=False)),
    (1008, "publisher model", Verdict("model", retry=False)),
    (1008, "session not found", Verdict("handle", retry=True)),
    (1008, "requested entity was not found", Verdict("handle", retry=True)),
    (1008, "operation was aborted", Verdict("lifetime", retry=True)),
    (1008, "goaway", Verdict("lifetime", retry=True)),
    (1008, "", Verdict("transient", retry=True)),
    (1011, "token has been used", Verdict("auth", retry=False)),
    (1011, "quota", Verdict("quota", retry=True)),
    (1011, "resource has been exhausted", Verdict("quota", retry=True)),
    (1011, "deadline", Verdict("lifetime", retry=True)),
    (1000, "", Verdict("ended", retry=False)),
    (1005, "", Verdict("ended", retry=False)),
    (1009, "", Verdict("protocol", retry=False)),
)


def classify(code: int | None, reason: str) -> Verdict:
    """Judge a close.

    Args:
        code: The close code, or None when the link ended without any.
        reason: The peer's words, matched without regard to case.
    """
    words = reason.lower()
    for row_code, part, verdict in _ROWS:
        if code == row_code and part in words:
            return verdict
    return Verdict("transient", retry=True)

"""From the end of a link to the error a user sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from duologue.errors import AuthError, ConnectError, DuologueError, LinkLost, ProtocolError
from duologue.wire.close import CloseKind, classify
from duologue.wire.scrub import scrub

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["end_error", "link_error", "reported_error", "scrubbed"]

_ADVICE: dict[CloseKind, str] = {
    "auth": "check the API key or token",
    "config": "check the model and the options of the session",
    "model": "check the model's name, and that this key and API version offer it",
    "handle": "the handle cannot be resumed; begin a new session",
    "quota": "wait, or raise the quota",
    "transient": "try again",
    "lifetime": "try again",
    "protocol": "this is a mistake of this library or of a message sent raw",
    "ended": "the service ended the session before it began",
}


def link_error(lost: LinkLost) -> ConnectError:
    """Return what connecting raises when the link ended before setupComplete."""
    verdict = classify(lost.code, lost.reason)
    kind = AuthError if verdict.kind == "auth" else ConnectError
    said = f"{'without a code' if lost.code is None else lost.code} {lost.reason}".strip()
    error = kind(
        f"the link was closed during setup ({said}): {_ADVICE[verdict.kind]}",
        code=lost.code,
        reason=lost.reason,
        phase="setup",
        retryable=verdict.retry,
    )
    error.__cause__ = lost
    return error


def end_error(lost: LinkLost, *, mid_answer: bool) -> DuologueError | None:
    """Return the error of ``SessionEnded``: None when the end was in good order.

    A normal close in the middle of an answer is none (Q-clean-close-in-a-turn).
    """
    verdict = classify(lost.code, lost.reason)
    if verdict.kind == "ended" and not mid_answer:
        return None
    retry = verdict.retry or verdict.kind == "ended"
    return LinkLost(str(lost), code=lost.code, reason=lost.reason, retryable=retry and lost.retryable)


def scrubbed(lost: LinkLost, secrets: Iterable[str | None]) -> LinkLost:
    """Return the loss without the handles that the peer may have quoted."""
    reason = scrub(lost.reason, secrets)
    if reason == lost.reason:
        return lost
    return LinkLost(
        str(lost).replace(lost.reason, reason), code=lost.code, reason=reason, retryable=lost.retryable
    )


def reported_error(error: Mapping[str, Any], secrets: Iterable[str | None]) -> ProtocolError:
    """Return what an error object of the service says; practically unseen, so every field may be missing."""
    words = scrub(str(error.get("message", "no reason given"))[:500], secrets)
    code = error.get("code")
    return ProtocolError(
        f"the service reports an error: {words}",
        code=code if isinstance(code, int) else None,
        reason=words,
        phase="ready",
    )

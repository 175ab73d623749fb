"""From the end of a link to the error a user sees."""

from __future__ import annotations

from duologue.errors import AuthError, ConnectError, DuologueError, LinkLost
from duologue.wire.close import CloseKind, classify

__all__ = ["end_error", "link_error"]

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
    in_order = classify(lost.code, lost.reason).kind == "ended" and not mid_answer
    return None if in_order else lost

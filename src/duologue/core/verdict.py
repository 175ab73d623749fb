"""From the end of a link to the error a user sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duologue.errors import AuthError, ConnectError, DuologueError, LinkLost, ProtocolError
from duologue.wire.base import int64
from duologue.wire.close import CloseKind, Initiator, Verdict, classify
from duologue.wire.scrub import scrub

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duologue.errors import Phase
    from duologue.wire.server import ErrorStatus

__all__ = ["end_error", "judge", "link_error", "reported_error", "scrubbed", "upgrade_error"]

_ADVICE: dict[CloseKind, str] = {
    "auth": "check the API key, token or credentials",
    "config": "check the model and the options of the session",
    "model": "check the model's name, and that this key and API version offer it",
    "handle": "the handle cannot be resumed; begin a new session",
    "quota": "wait, or raise the quota",
    "transient": "try again",
    "lifetime": "try again",
    "context_full": "the conversation may have outgrown the model's context; begin a new session, with compression",
    "protocol": "this is a mistake of this library or of a message sent raw",
    "ended": "the service ended the session before it began",
}
# Where the cause tells more than the kind.
_ADVICE_FOR_CAUSE: dict[str, str] = {
    "token-used-up": "make a new token; each is good for its number of connections",
    "region": "the service is not offered where this machine's address is",
    "our-limit": "raise max_message_bytes",
    "http-path": "check base_url and api_version",
    "http-proxy": "the proxy between wants credentials of its own",
    "http-redirect": "set base_url to where it leads; redirects are refused, since they would carry the key along",
}
_NO_CLOSE_FRAME = 1006
_TOO_BIG = 1009


def judge(lost: LinkLost, *, phase: Phase, handle_used: bool = False, repeats: int = 0) -> Verdict:
    """Judge a lost link: what the transport says of it, in the terms of :func:`duologue.wire.close.classify`."""
    code = lost.number
    by: Initiator
    if code is None or code == _NO_CLOSE_FRAME:
        by = "network"
    else:  # our library closes with 1009 at max_message_bytes; the transport marks that as final
        by = "local" if code == _TOO_BIG and not lost.retryable else "service"
    return classify(code, lost.reason, phase=phase, initiated_by=by, handle_used=handle_used, repeats=repeats)


def link_error(lost: LinkLost, *, handle_used: bool = False) -> ConnectError:
    """Return what connecting raises when the link ended before setupComplete."""
    verdict = judge(lost, phase="setup", handle_used=handle_used)
    kind = AuthError if verdict.kind == "auth" else ConnectError
    said = f"{'without a code' if lost.code is None else lost.code} {lost.reason}".strip()
    error = kind(
        f"the link was closed during setup ({said}): {_advice(verdict)}",
        code=lost.code,
        reason=lost.reason,
        phase="setup",
        retryable=verdict.retry,
    )
    error.__cause__ = lost
    return error


def upgrade_error(status: int, where: str, reason: str = "") -> ConnectError:
    """Return what connecting raises when the WebSocket upgrade was answered by another HTTP status than 101.

    Args:
        status: The HTTP status.
        where: Host (and port) that answered.
        reason: Its words, without secrets.
    """
    verdict = classify(status, reason, phase="upgrade")
    kind = AuthError if verdict.kind == "auth" else ConnectError
    return kind(
        f"{where} refuses the WebSocket upgrade (HTTP {status}): {_advice(verdict)}",
        code=status,
        reason=reason,
        phase="upgrade",
        retryable=verdict.retry,
    )


def end_error(lost: LinkLost, *, mid_answer: bool, handle_used: bool = False) -> DuologueError | None:
    """Return the error of ``SessionEnded``: None when the end was in good order.

    A normal close in the middle of an answer is none (Q-clean-close-in-a-turn).
    """
    verdict = judge(lost, phase="ready", handle_used=handle_used)
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


def reported_error(error: ErrorStatus, secrets: Iterable[str | None]) -> ProtocolError:
    """Return what an error object of the service says; practically unseen, so every field may be missing."""
    words = scrub((error.message or error.status or "no reason given")[:500], secrets)
    return ProtocolError(
        f"the service reports an error: {words}", code=int64(error.code), reason=words, phase="ready"
    )


def _advice(verdict: Verdict) -> str:
    return _ADVICE_FOR_CAUSE.get(verdict.cause, _ADVICE[verdict.kind])

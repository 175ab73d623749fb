"""The table of closes seen in the field, row by row."""

from __future__ import annotations

import pytest

from duologue.core.verdict import end_error, link_error
from duologue.errors import AuthError, LinkLost
from duologue.wire.close import CloseKind, classify

SEEN: list[tuple[int | None, str, CloseKind, bool]] = [
    (1000, "", "ended", False),
    (1001, "", "transient", True),
    (1005, "", "ended", False),
    (1006, "", "transient", True),
    (None, "", "transient", True),
    (1007, "Request contains an invalid argument.", "config", False),
    (1007, "Invalid session handle", "handle", True),
    (1007, "API key not valid. Please pass a valid API key.", "auth", False),
    (1007, "setup must be the first message and only the first", "protocol", False),
    (1007, "Cannot extract voices from a non-audio request.", "config", False),
    (1007, "Precondition check failed.", "config", False),
    (1007, "User location is not supported for the API use.", "config", False),
    (
        1008,
        "models/x is not found for API version v1beta, or is not supported for bidiGenerateContent",
        "model",
        False,
    ),
    (1008, "Publisher Model `projects/p/locations/l/publishers/google/models/m`", "model", False),
    (1008, "BidiGenerateContent session not found", "handle", True),
    (1008, "Requested entity was not found.", "handle", True),
    (1008, "Operation is not implemented, or supported, or enabled.", "transient", True),
    (1008, "The operation was aborted.", "lifetime", True),
    (1008, "failed to close the connection after receiving a GoAway signal", "lifetime", True),
    (
        1008,
        "Method doesn't allow unregistered callers (callers without established identity).",
        "auth",
        False,
    ),
    (1008, "Request had invalid authentication credentials. Expected OAuth 2 access token", "auth", False),
    (1011, "Internal error encountered.", "transient", True),
    (1011, "The service is currently unavailable.", "transient", True),
    (1011, "Deadline expired before operation could complete.", "lifetime", True),
    (1011, "RPC::DEADLINE_EXCEEDED", "lifetime", True),
    (1011, "You exceeded your current quota, please check your plan", "quota", True),
    (1011, "Resource has been exhausted (e.g. check quota).", "quota", True),
    (1011, "Token has been used too many times", "auth", False),
    (1011, "keepalive ping timeout", "transient", True),
    (1009, "message too big", "protocol", False),
    (1012, "", "transient", True),
    (4242, "whatever", "transient", True),
]


@pytest.mark.parametrize(("code", "reason", "kind", "retry"), SEEN)
def test_verdicts(code: int | None, reason: str, kind: CloseKind, retry: bool) -> None:
    for words in (reason, reason.upper(), reason[:123]):
        verdict = classify(code, words)
        assert (verdict.kind, verdict.retry) == (kind, retry)


@pytest.mark.parametrize(("code", "reason", "kind", "retry"), SEEN)
def test_a_close_during_setup_says_what_to_do(
    code: int | None, reason: str, kind: CloseKind, retry: bool
) -> None:
    lost = LinkLost("gone", code=code, reason=reason)
    error = link_error(lost)
    assert isinstance(error, AuthError) == (kind == "auth")
    assert (error.code, error.reason, error.retryable, error.phase) == (code, reason, retry, "setup")
    assert error.__cause__ is lost
    assert reason in str(error)
    assert "None" not in str(error)


@pytest.mark.parametrize(("code", "reason", "kind", "retry"), SEEN)
def test_only_a_normal_close_between_answers_is_in_order(
    code: int | None, reason: str, kind: CloseKind, retry: bool
) -> None:
    lost = LinkLost("gone", code=code, reason=reason)
    assert (end_error(lost, mid_answer=False) is None) == (kind == "ended")
    error = end_error(lost, mid_answer=True)
    assert isinstance(error, LinkLost)
    assert (error.code, error.reason, str(error)) == (code, reason, "gone")
    assert error.retryable == (retry or kind == "ended")

"""The table of closes: every row that was seen, what follows from it, and what holds for every close there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duologue.core.verdict import end_error, judge, link_error, upgrade_error
from duologue.errors import AuthError, LinkLost, Phase
from duologue.wire.close import MAX_REASON_BYTES, CloseKind, Initiator, Verdict, classify
from duologue.wire.close_table import ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping

steady = settings(derandomize=True, deadline=None)

SETUP: Mapping[str, Any] = {"phase": "setup"}
RESUMING: Mapping[str, Any] = {"phase": "setup", "handle_used": True}
RESUMED: Mapping[str, Any] = {"handle_used": True}
AGAIN: Mapping[str, Any] = {"repeats": 1}
UPGRADE: Mapping[str, Any] = {"phase": "upgrade"}
OURS: Mapping[str, Any] = {"initiated_by": "local"}
BROKEN: Mapping[str, Any] = {"initiated_by": "network"}
DONE: Mapping[str, Any] = {"phase": "closing"}

KEY = "API key not valid. Please pass a valid API key."
NO_KEY = "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API c"
BAD_OAUTH = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication c"
NO_MODEL = "models/x is not found for API version v1beta, or is not supported for bidiGenerateContent. Call ListModels"
ARGUMENT = "Request contains an invalid argument."
NOT_NOW = "Operation is not implemented, or supported, or enabled."
FIELD = "Invalid JSON payload received. Unknown name \"bogus\" at 'setup': Cannot find field."


@dataclass(frozen=True)
class Case:
    """One row: what came, and what is to be made of it."""

    code: int | None
    reason: str
    kind: CloseKind
    retry: bool
    keep_handle: bool
    when: Mapping[str, Any]
    wait_s: float = 0.0

    def judge(self, reason: str | None = None) -> Verdict:
        return classify(self.code, self.reason if reason is None else reason, **self.when)


def row(
    code: int | None,
    reason: str,
    kind: CloseKind,
    then: str,
    when: Mapping[str, Any] | None = None,
    wait_s: float = 0.0,
) -> Case:
    """``then``: "end" or "retry", with or without the handle ("keep", "drop")."""
    what, handle = then.split()
    return Case(code, reason, kind, what == "retry", handle == "keep", when or {}, wait_s)


CASES = [
    # the ends of a link that runs
    row(1000, "", "ended", "end keep"),
    row(1000, "The operation was cancelled", "lifetime", "retry keep"),
    row(1001, "", "transient", "retry keep"),
    row(1005, "", "ended", "end keep"),
    row(1006, "", "transient", "retry keep"),
    row(None, "", "transient", "retry keep"),
    # 1007
    row(1007, ARGUMENT, "context_full", "end drop"),
    row(1007, ARGUMENT, "context_full", "retry drop", RESUMED),
    row(1007, ARGUMENT, "context_full", "end drop", {**RESUMED, **AGAIN}),
    row(1007, ARGUMENT, "config", "end drop", SETUP),
    row(1007, ARGUMENT, "handle", "retry drop", RESUMING),
    row(1007, ARGUMENT, "config", "end drop", {**RESUMING, **AGAIN}),
    row(1007, "Invalid session handle", "handle", "retry drop", RESUMING),
    row(1007, "Invalid session handle", "handle", "retry drop"),
    row(1007, KEY, "auth", "end keep", SETUP),
    row(1007, KEY, "auth", "end keep", RESUMING),
    row(1007, "API key expired. Please renew the API key.", "auth", "end keep"),
    row(1007, "setup must be the first message and only the first", "protocol", "end keep"),
    row(1007, "Cannot extract voices from a non-audio request.", "config", "end keep", SETUP),
    row(1007, "Cannot extract voices from a non-audio request.", "config", "end keep", RESUMING),
    row(1007, "Precondition check failed.", "config", "end keep", SETUP),
    row(1007, "Precondition check failed.", "config", "end keep"),
    row(1007, "User location is not supported for the API use.", "config", "end keep", SETUP),
    row(1007, FIELD, "config", "end keep", SETUP),
    row(1007, FIELD, "config", "end keep", RESUMING),
    row(1007, FIELD, "protocol", "end keep"),
    row(1007, "audio content type is not supported", "transient", "retry keep"),
    row(1007, "words nobody has seen", "config", "end keep"),
    row(1007, "words nobody has seen", "config", "end drop", SETUP),
    # 1008
    row(1008, NO_MODEL, "model", "end drop", SETUP),
    row(1008, NO_MODEL, "model", "end drop", RESUMING),
    row(1008, f"models/{'m' * 116}", "model", "end drop", SETUP),
    row(1008, "Publisher Model `projects/p/locations/l/publishers/google/models/m`", "model", "end drop"),
    row(1008, "BidiGenerateContent session not found", "handle", "retry drop", RESUMING),
    row(1008, "Requested entity was not found.", "handle", "retry drop", RESUMING),
    row(1008, "Requested entity was not found.", "handle", "retry drop"),
    row(1008, "Requested entity was not found.", "model", "end drop", SETUP),
    row(1008, NOT_NOW, "transient", "retry keep"),
    row(1008, NOT_NOW, "config", "end keep", SETUP),
    row(1008, NOT_NOW, "handle", "retry drop", RESUMING),
    row(1008, NOT_NOW, "config", "end keep", {**RESUMING, **AGAIN}),
    row(1008, "The operation was aborted.", "lifetime", "retry keep"),
    row(1008, "The operation was aborted.", "transient", "retry keep", SETUP),
    row(
        1008,
        "failed to close the connection after receiving a GoAway signal",
        "lifetime",
        "retry keep",
    ),
    row(1008, NO_KEY, "auth", "end keep", SETUP),
    row(1008, BAD_OAUTH, "auth", "end keep", SETUP),
    row(1008, "Permission denied on resource project p.", "auth", "end keep", SETUP),
    # 1011
    row(1011, "Internal error encountered.", "transient", "retry keep"),
    row(1011, "Internal error encountered.", "transient", "retry drop", AGAIN),
    row(1011, "Internal error occurred.", "transient", "retry keep", RESUMING),
    row(1011, "Internal error occurred.", "transient", "retry drop", {**RESUMING, **AGAIN}),
    row(1011, "The service is currently unavailable.", "transient", "retry keep"),
    row(1011, "The service is currently unavailable.", "transient", "retry keep", AGAIN),
    row(1011, "Deadline expired before operation could complete.", "lifetime", "retry keep"),
    row(1011, "RPC::DEADLINE_EXCEEDED", "lifetime", "retry keep"),
    row(
        1011,
        "Thread was cancelled when writing StartStep status to channel.",
        "lifetime",
        "retry keep",
    ),
    row(
        1011,
        "You exceeded your current quota, please check your plan and billing details.",
        "quota",
        "retry keep",
        wait_s=5.0,
    ),
    row(1011, "Resource has been exhausted (e.g. check quota).", "quota", "retry keep", SETUP, wait_s=5.0),
    row(
        1011,
        "RESOURCE_EXHAUSTED: Maximum concurrent sessions",
        "quota",
        "retry keep",
        RESUMING,
        wait_s=5.0,
    ),
    row(1011, "Token has been used too many times", "auth", "end keep", SETUP),
    row(1011, "keepalive ping timeout", "transient", "retry keep"),
    row(1011, "keepalive ping timeout", "transient", "retry keep", {**OURS, **AGAIN}),
    # 1009 and the codes of gateways
    row(1009, "message too big", "protocol", "end keep"),
    row(1012, "", "transient", "retry keep"),
    row(1013, "", "transient", "retry keep"),
    row(1014, "", "transient", "retry keep"),
    row(4242, "whatever", "transient", "retry keep"),
    # a refused upgrade
    row(401, "", "auth", "end keep", UPGRADE),
    row(403, "", "auth", "end keep", UPGRADE),
    row(400, "API key not valid", "auth", "end keep", UPGRADE),
    row(400, "", "config", "end keep", UPGRADE),
    row(404, "", "config", "end keep", UPGRADE),
    row(407, "", "config", "end keep", UPGRADE),
    row(301, "", "config", "end keep", UPGRADE),
    row(200, "", "config", "end keep", UPGRADE),
    row(408, "", "transient", "retry keep", UPGRADE),
    row(429, "", "quota", "retry keep", UPGRADE, wait_s=5.0),
    row(500, "", "transient", "retry keep", UPGRADE),
    row(503, "", "transient", "retry keep", UPGRADE),
    # not the service's doing
    row(1009, "", "config", "end keep", OURS),
    row(1000, "", "ended", "end keep", OURS),
    row(1007, "invalid UTF-8", "transient", "retry keep", OURS),
    row(1002, "", "transient", "retry keep", OURS),
    row(1007, ARGUMENT, "transient", "retry keep", {**BROKEN, **SETUP}),
    # we were leaving
    row(1011, "Internal error encountered.", "ended", "end keep", DONE),
    row(1006, "", "ended", "end keep", {**DONE, **BROKEN}),
]
CLOSES = [case for case in CASES if case.when.get("initiated_by") is None and (case.code or 1006) >= 1000]
RUNNING = [case for case in CLOSES if not {"phase", "repeats"} & case.when.keys()]
OPENING = [case for case in CLOSES if case.when in (SETUP, RESUMING)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdicts(case: Case) -> None:
    """The table, row by row: code, words and circumstances to kind, retry, handle and wait (Q-close)."""
    for words in (case.reason, case.reason.upper(), case.reason.lower(), case.reason[:MAX_REASON_BYTES]):
        verdict = case.judge(words)
        assert (verdict.kind, verdict.retry, verdict.keep_handle, verdict.wait_s) == (
            case.kind,
            case.retry,
            case.keep_handle,
            case.wait_s,
        )


def test_every_row_of_the_table_is_reached_by_a_case() -> None:
    reached = {id(case.judge()) for case in CASES}
    assert [row for row in ROWS if id(row.verdict) not in reached] == []


def test_a_refused_handle_is_given_up_once_and_an_internal_error_forgiven_once() -> None:
    """Q-close-at-setup, Q-close-internal: repeats are counted by cause, and only of the same one in a row."""
    refused = [classify(1007, ARGUMENT, phase="setup", handle_used=True, repeats=n) for n in range(3)]
    assert [verdict.retry for verdict in refused] == [True, False, False]
    assert {verdict.cause for verdict in refused} == {"refused-setup"}
    failed = [classify(1011, "Internal error encountered.", repeats=n) for n in range(3)]
    assert [verdict.keep_handle for verdict in failed] == [True, False, False]
    assert {verdict.cause for verdict in failed} == {"internal-error"}


def test_what_may_be_a_full_context_is_not_resumed() -> None:
    """Q-close-context: the handle would bring the same context back."""
    for resumed in (False, True):
        verdict = classify(1007, ARGUMENT, phase="ready", handle_used=resumed)
        assert verdict.kind == "context_full"
        assert not verdict.keep_handle
        assert verdict.retry == resumed
    full = next(row for row in ROWS if row.verdict.kind == "context_full")
    assert full.evidence == "guessed"


# --- what holds for every close there is -----------------------------------------------------------------------------

CODES = (
    st.none()
    | st.integers()
    | st.integers(99, 1016)
    | st.sampled_from([case.code for case in CASES])
    | st.sampled_from([1007, 1008, 1011])
)
REASONS = st.none() | st.text() | st.characters() | st.sampled_from([case.reason for case in CASES])
CIRCUMSTANCES = st.fixed_dictionaries(
    {
        "phase": st.sampled_from(get_args(Phase)),
        "initiated_by": st.sampled_from(get_args(Initiator)),
        "handle_used": st.booleans(),
        "repeats": st.integers(-1, 5),
    }
)


@steady
@given(CODES, REASONS, CIRCUMSTANCES)
def test_every_close_has_one_verdict(code: int | None, reason: str | None, when: dict[str, Any]) -> None:
    verdict = classify(code, reason, **when)
    assert verdict == classify(code, reason, **when)
    assert verdict.kind in get_args(CloseKind)
    assert verdict.cause
    assert (verdict.wait_s >= 5.0) == (verdict.kind == "quota")
    if verdict.kind in ("auth", "model", "config", "protocol", "ended"):
        assert not verdict.retry
    if verdict.kind in ("handle", "context_full"):
        assert not verdict.keep_handle
    if verdict.kind in ("quota", "lifetime"):
        assert verdict.retry
        assert verdict.keep_handle
    if when["phase"] in ("closing", "closed"):
        assert verdict.kind == "ended"


@steady
@given(CODES, REASONS, CIRCUMSTANCES)
def test_giving_up_the_handle_ends_the_asking(
    code: int | None, reason: str | None, when: dict[str, Any]
) -> None:
    """A setup that is refused without a handle, or again, is never tried a third time for the handle's sake."""
    verdict = classify(code, reason, **when)
    if verdict.cause in ("refused-setup", "context-full") and verdict.retry:
        after = classify(code, reason, **{**when, "handle_used": False, "repeats": 1})
        assert not after.retry


@steady
@given(
    st.sampled_from([case for case in CASES if case.reason]),
    st.text(alphabet="xyz ü–", max_size=60),
    st.text(alphabet="xyz ü–", max_size=60),
)
def test_what_stands_around_the_words_does_not_matter(case: Case, before: str, after: str) -> None:
    if len(f"{before} {case.reason}".encode()) <= MAX_REASON_BYTES:
        assert case.judge(f"{before} {case.reason} {after}") == case.judge()


@steady
@given(
    st.sampled_from([row for row in ROWS if row.words and row.codes is not None]),
    st.data(),
)
def test_a_phrase_cut_in_a_word_is_known_by_its_beginning(row: Any, data: st.DataObject) -> None:
    """Q-cut-reasons: wherever the 123 bytes end, as long as 10 characters of the phrase are left."""
    phrase = data.draw(st.sampled_from(row.words))
    code = data.draw(st.sampled_from([code for code in (400, 1000, 1007, 1008, 1011) if code in row.codes]))
    when: dict[str, Any] = {"phase": (row.phases or ("ready",))[0], "handle_used": bool(row.with_handle)}
    kept = data.draw(st.integers(min(10, len(phrase)), len(phrase)))
    said = "–" + "." * (MAX_REASON_BYTES - 3 - kept) + phrase
    cut = said.encode()[:MAX_REASON_BYTES].decode()
    assert classify(code, said, **when) == classify(code, cut, **when)
    if len(phrase) >= 10:
        assert classify(code, cut, **when) == classify(code, phrase, **when)


# --- the errors that are made of it ----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", OPENING, ids=str)
def test_a_close_during_setup_says_what_to_do(case: Case) -> None:
    lost = LinkLost("gone", code=case.code, reason=case.reason)
    error = link_error(lost, handle_used=case.when.get("handle_used", False))
    assert isinstance(error, AuthError) == (case.kind == "auth")
    assert (error.code, error.reason, error.retryable, error.phase) == (
        case.code,
        case.reason,
        case.retry,
        "setup",
    )
    assert error.__cause__ is lost
    assert case.reason in str(error)
    assert "None" not in str(error)


@pytest.mark.parametrize("case", RUNNING, ids=str)
def test_only_a_normal_close_between_answers_is_in_order(case: Case) -> None:
    lost = LinkLost("gone", code=case.code, reason=case.reason)
    resumed = case.when.get("handle_used", False)
    assert (end_error(lost, mid_answer=False, handle_used=resumed) is None) == (case.kind == "ended")
    error = end_error(lost, mid_answer=True, handle_used=resumed)
    assert isinstance(error, LinkLost)
    assert (error.code, error.reason, str(error)) == (case.code, case.reason, "gone")
    assert error.retryable == (case.retry or case.kind == "ended")


def test_who_ended_the_link_is_seen_from_the_loss() -> None:
    assert judge(LinkLost("x", code=1006, reason="API key"), phase="setup").cause == "network"
    assert judge(LinkLost("x"), phase="ready").cause == "network"
    assert judge(LinkLost("x", code=1009, retryable=False), phase="ready").cause == "our-limit"
    assert judge(LinkLost("x", code=1009), phase="ready").cause == "too-big"


@pytest.mark.parametrize(
    ("status", "kind", "advice"),
    [
        (301, "ConnectError", "redirects are refused"),
        (401, "AuthError", "check the API key, token or credentials"),
        (403, "AuthError", "check the API key, token or credentials"),
        (404, "ConnectError", "check base_url and api_version"),
        (407, "ConnectError", "the proxy"),
        (429, "ConnectError", "raise the quota"),
        (503, "ConnectError", "try again"),
    ],
)
def test_a_refused_upgrade_says_what_to_do(status: int, kind: str, advice: str) -> None:
    """Q-close-http: the same table judges the HTTP status."""
    error = upgrade_error(status, "127.0.0.1:9", "said")
    assert type(error).__name__ == kind
    assert (error.code, error.reason, error.phase) == (status, "said", "upgrade")
    assert error.retryable == (status in (429, 503))
    assert (
        str(error)
        == f"127.0.0.1:9 refuses the WebSocket upgrade (HTTP {status}): " + str(error).split(": ")[1]
    )
    assert advice in str(error)

"""The table of closes: what the end of a link was seen to mean, row by row, with how we know it.

:func:`duologue.wire.close.classify` finds the first row that fits. Whoever meets a new close adds a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Container

    from duologue.errors import Phase
    from duologue.wire.profile import Evidence

__all__ = ["QUOTA_WAIT_S", "ROWS", "CloseKind", "Initiator", "Row", "Verdict"]

CloseKind = Literal[
    "auth", "config", "model", "handle", "quota", "transient", "lifetime", "context_full", "protocol", "ended"
]
Initiator = Literal["local", "service", "network"]
"""Who ended the link: our own library, the peer by a close frame or an HTTP answer, or nobody (a break)."""

QUOTA_WAIT_S = 5.0
"""The first wait after a refusal for quota; the caller's backoff doubles it and adds jitter.

A quota of sessions at a time is free again as soon as one of them ends, so a whole minute would be a lost call.
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What kind of end it was, and what is worth trying next."""

    kind: CloseKind
    retry: bool
    """Whether a new link may work without a change of options. Never true for ``auth``."""
    keep_handle: bool
    """Whether a resumption handle stays of use; False means: go on without it, or not at all."""
    wait_s: float
    """How long to wait at least before the first retry; 0 leaves it to the caller's backoff."""
    cause: str
    """A short name for logs and for counting repeats: rows that differ in circumstances only share it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: it fits when everything that is given here agrees."""

    verdict: Verdict
    evidence: Evidence
    source: str
    codes: Container[int | None] | None = None
    words: tuple[str, ...] = ()
    """Parts of the reason in lower case, any of which will do; none: whatever it says."""
    by: Initiator | None = None
    phases: tuple[Phase, ...] = ()
    with_handle: bool | None = None
    first: bool = False
    """Only when the close before this one had another cause."""


_BY_STATUS = (1007, 1008, 1011)  # what gRPC statuses become; a text beats the number (Q-status-to-code)
_OPENING: tuple[Phase, ...] = ("connect", "tls", "upgrade", "setup")
_LIVE: tuple[Phase, ...] = ("ready",)


def _no(kind: CloseKind, cause: str, *, keep_handle: bool = True) -> Verdict:
    return Verdict(kind, False, keep_handle, 0.0, cause)


def _yes(kind: CloseKind, cause: str, *, keep_handle: bool = True, wait_s: float = 0.0) -> Verdict:
    return Verdict(kind, True, keep_handle, wait_s, cause)


_WIDE = "several users' reports and other clients' source"
_RFC = "RFC 6455, section 7.4"
_HTTP = "RFC 9110; the service's own answers are not recorded"

# The first row that fits decides. Quirks: Q-close, Q-close-http, Q-close-context, Q-close-internal, Q-close-at-setup, Q-quota.
ROWS: tuple[Row, ...] = (
    # -- whatever it says, we asked for it ----------------------------------------------------------
    Row(
        phases=("closing", "closed"),
        verdict=_no("ended", "asked-for"),
        evidence="documented",
        source=_RFC,
    ),
    # -- HTTP: the upgrade was refused --------------------------------------------------------------
    Row(codes=(401, 403), verdict=_no("auth", "http-credentials"), evidence="reported", source=_WIDE),
    Row(codes=(400,), words=("api key",), verdict=_no("auth", "bad-key"), evidence="reported", source="REST"),
    Row(
        codes=(429,),
        verdict=_yes("quota", "quota", wait_s=QUOTA_WAIT_S),
        evidence="documented",
        source="REST: 429 RESOURCE_EXHAUSTED",
    ),
    Row(
        codes=(408, 425, *range(500, 600)),
        verdict=_yes("transient", "http-server"),
        evidence="documented",
        source=_HTTP,
    ),
    Row(codes=(407,), verdict=_no("config", "http-proxy"), evidence="documented", source=_HTTP),
    Row(codes=range(300, 400), verdict=_no("config", "http-redirect"), evidence="documented", source=_HTTP),
    Row(codes=range(100, 1000), verdict=_no("config", "http-path"), evidence="reported", source=_WIDE),
    # -- not the service's word -----------------------------------------------------------------------
    Row(
        codes=(1011,),
        words=("keepalive ping timeout",),
        verdict=_yes("transient", "our-keepalive"),
        evidence="reported",
        source="the websockets library's own text; the service answers pings after 8 to 30 s",
    ),
    Row(by="network", verdict=_yes("transient", "network"), evidence="reported", source=_WIDE),
    Row(
        codes=(1009,),
        by="local",
        verdict=_no("config", "our-limit"),
        evidence="documented",
        source="max_message_bytes; " + _RFC,
    ),
    Row(
        codes=(1000, 1001, 1005),
        by="local",
        verdict=_no("ended", "asked-for"),
        evidence="documented",
        source=_RFC,
    ),
    Row(
        by="local",  # 1002 or 1007 of our library's: what came was no WebSocket, so something mangled it
        verdict=_yes("transient", "unreadable-frames"),
        evidence="documented",
        source=_RFC,
    ),
    # -- who we are ----------------------------------------------------------------------------------
    Row(
        codes=_BY_STATUS,
        words=("unregistered callers",),
        verdict=_no("auth", "no-key"),
        evidence="reported",
        source="1008, quoted at exactly 123 bytes",
    ),
    Row(
        codes=_BY_STATUS,
        words=("api key",),
        verdict=_no("auth", "bad-key"),
        evidence="reported",
        source="1007 `API key not valid.` (six reports), `API key expired`",
    ),
    Row(
        codes=_BY_STATUS,
        words=("invalid authentication credentials",),
        verdict=_no("auth", "bad-credentials"),
        evidence="reported",
        source="1008, quoted at 123 bytes",
    ),
    Row(
        codes=_BY_STATUS,
        words=("token has been used",),
        verdict=_no("auth", "token-used-up"),
        evidence="reported",
        source="1011, an ephemeral token with uses: 1",
    ),
    # -- what was asked for --------------------------------------------------------------------------
    Row(
        codes=_BY_STATUS,
        words=("is not found for api version", "publisher model"),
        verdict=_no("model", "unknown-model", keep_handle=False),
        evidence="reported",
        source="1008; resuming may change everything but the model (session guide)",
    ),
    Row(
        codes=(1008,),
        words=("models/",),  # a long name leaves no room for the sentence about it
        verdict=_no("model", "unknown-model", keep_handle=False),
        evidence="guessed",
        source="the text above, cut",
    ),
    Row(
        codes=_BY_STATUS,
        words=("permission denied", "permission_denied", "does not have permission"),
        verdict=_no("auth", "no-permission"),
        evidence="guessed",
        source="google.rpc.Code PERMISSION_DENIED by its usual texts",
    ),
    Row(
        codes=_BY_STATUS,
        words=("setup must be the first message",),
        verdict=_no("protocol", "setup-order"),
        evidence="reported",
        source="1007, four reports",
    ),
    Row(
        codes=_BY_STATUS,
        words=("user location is not supported",),
        verdict=_no("config", "region"),
        evidence="reported",
        source="1007",
    ),
    Row(
        codes=_BY_STATUS,
        words=("cannot extract voices",),
        verdict=_no("config", "text-on-native-audio"),
        evidence="reported",
        source="1007, nine reports",
    ),
    Row(
        codes=_BY_STATUS,
        words=("precondition check failed",),
        verdict=_no("config", "precondition"),
        evidence="reported",
        source="1007; activity marks beside automatic detection, unsupported options",
    ),
    Row(
        codes=_BY_STATUS,
        words=("invalid json payload", "cannot find field"),
        phases=_LIVE,
        verdict=_no("protocol", "refused-field"),
        evidence="guessed",
        source="REST text; a message of ours, no longer the setup",
    ),
    Row(
        codes=_BY_STATUS,
        words=("invalid json payload", "cannot find field"),
        verdict=_no("config", "refused-field"),
        evidence="reported",
        source="REST text; over WebSocket a guess",
    ),
    # -- the handle ------------------------------------------------------------------------------------
    Row(
        codes=_BY_STATUS,
        words=("invalid session handle", "session not found"),
        verdict=_yes("handle", "dead-handle", keep_handle=False),
        evidence="reported",
        source="1007 for a malformed one, 1008 for a dead one",
    ),
    Row(
        codes=(1008,),
        words=("requested entity was not found",),
        phases=_OPENING,
        with_handle=False,
        verdict=_no("model", "no-such-entity", keep_handle=False),
        evidence="guessed",
        source="no handle it could mean; the model is the other thing a setup names",
    ),
    Row(
        codes=(1008,),
        words=("requested entity was not found",),
        verdict=_yes("handle", "dead-handle", keep_handle=False),
        evidence="reported",
        source="a dead handle; also at random after a toolResponse",
    ),
    # -- how much ------------------------------------------------------------------------------------
    Row(
        codes=_BY_STATUS,
        words=("quota", "resource has been exhausted", "resource_exhausted", "maximum concurrent"),
        verdict=_yes("quota", "quota", wait_s=QUOTA_WAIT_S),
        evidence="reported",
        source="1011, `You exceeded your current quota` and three more texts",
    ),
    # -- the connection has lived its ten minutes ------------------------------------------------------
    Row(
        codes=(1000,),
        words=("operation was cancelled",),
        verdict=_yes("lifetime", "lifetime"),
        evidence="reported",
        source="pipecat: the call was cut at its cap with a normal close",
    ),
    Row(
        codes=_BY_STATUS,
        words=("operation was aborted",),
        phases=_OPENING,
        verdict=_yes("transient", "aborted"),
        evidence="guessed",
        source="google.rpc.Code ABORTED: retry at a higher level; nothing has lived long enough to end",
    ),
    Row(
        codes=_BY_STATUS,
        words=("operation was aborted", "goaway", "deadline"),
        verdict=_yes("lifetime", "lifetime"),
        evidence="reported",
        source="1008 after an ignored goAway; 1011 `Deadline expired`, `RPC::DEADLINE_EXCEEDED`",
    ),
    Row(
        codes=(1011,),
        words=("thread was cancelled when writing",),
        verdict=_yes("lifetime", "lifetime"),
        evidence="guessed",
        source="one report, quoted from memory",
    ),
    # -- 1007: an argument -------------------------------------------------------------------------------
    Row(
        codes=(1007,),
        words=("audio content type",),
        phases=_LIVE,
        verdict=_yes("transient", "model-slip"),
        evidence="reported",
        source="cookbook report: the model itself, while it composed a function call",
    ),
    Row(
        codes=(1007,),
        words=("invalid argument",),
        phases=_LIVE,
        with_handle=True,
        first=True,
        verdict=_yes("context_full", "context-full", keep_handle=False),
        evidence="guessed",
        source="as below; once without the handle, which holds the same full context",
    ),
    Row(
        codes=(1007,),
        words=("invalid argument",),
        phases=_LIVE,
        verdict=_no("context_full", "context-full", keep_handle=False),
        evidence="guessed",
        source="LiveKit's source; our client sends none of the other known causes, raw messages apart",
    ),
    Row(
        codes=(1007,),
        phases=_OPENING,
        with_handle=True,
        first=True,
        verdict=_yes("handle", "refused-setup", keep_handle=False),
        evidence="reported",
        source="a foreign or null handle on 3.1; once without, to tell it from a bad setup",
    ),
    Row(
        codes=(1007,),
        phases=_OPENING,
        verdict=_no("config", "refused-setup", keep_handle=False),
        evidence="reported",
        source=_WIDE,
    ),
    Row(codes=(1007,), verdict=_no("config", "invalid"), evidence="guessed", source="google.rpc.Code"),
    # -- 1008: it will not ---------------------------------------------------------------------------------
    Row(
        codes=(1008,),
        phases=_OPENING,
        with_handle=True,
        first=True,
        verdict=_yes("handle", "refused-setup", keep_handle=False),
        evidence="guessed",
        source="some clients drop the handle here; once without",
    ),
    Row(
        codes=(1008,),
        phases=_OPENING,
        verdict=_no("config", "refused-setup"),
        evidence="reported",
        source="`Operation is not implemented, …` right at setup is there again on every try",
    ),
    Row(
        codes=(1008,),
        verdict=_yes("transient", "not-implemented"),
        evidence="reported",
        source="`Operation is not implemented, …` at random, often around tool calls (2.5)",
    ),
    # -- 1011: it cannot -----------------------------------------------------------------------------------
    Row(
        codes=(1011,),
        words=("unavailable",),
        verdict=_yes("transient", "unavailable"),
        evidence="reported",
        source="`The service is currently unavailable.`",
    ),
    Row(
        codes=(1011,),
        first=True,
        verdict=_yes("transient", "internal-error"),
        evidence="reported",
        source="`Internal error encountered.`, ten reports",
    ),
    Row(
        codes=(1011,),
        verdict=_yes("transient", "internal-error", keep_handle=False),
        evidence="guessed",
        source="the second in a row: the handle may be what it chokes on (made with another model)",
    ),
    # -- the rest ------------------------------------------------------------------------------------------
    Row(codes=(1000, 1005), verdict=_no("ended", "normal"), evidence="documented", source=_RFC),
    Row(codes=(1001, 1006, None), verdict=_yes("transient", "network"), evidence="reported", source=_WIDE),
    Row(codes=(1009,), verdict=_no("protocol", "too-big"), evidence="documented", source=_RFC),
    Row(
        codes=(1012, 1013, 1014),
        verdict=_yes("transient", "restarting"),
        evidence="guessed",
        source="the registry of close codes; not seen from this service",
    ),
    Row(verdict=_yes("transient", "unknown"), evidence="guessed", source="nothing is known of it"),
)

"""What the end of a link means: code and reason text together, never the number alone.

The service has almost no error messages: it closes with 1007, 1008 or 1011, and one number stands for a
wrong key, an unknown field and a full context alike. What has been seen stands in ``close_table``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from duologue.wire.close_table import QUOTA_WAIT_S, ROWS, CloseKind, Initiator, Verdict

if TYPE_CHECKING:
    from duologue.errors import Phase

__all__ = ["MAX_REASON_BYTES", "QUOTA_WAIT_S", "CloseKind", "Initiator", "Verdict", "classify"]

MAX_REASON_BYTES = 123
"""A close frame holds 125 bytes, two of them the code: longer reasons are cut, in the middle of a word."""
_SHORTEST_TAIL = 10  # characters of a phrase cut off at the end of a reason: one more than any two share
_CUT_BYTES = MAX_REASON_BYTES - 3  # a cut between characters leaves up to three bytes unused


def classify(
    code: int | None,
    reason: str | None,
    *,
    phase: Phase = "ready",
    initiated_by: Initiator = "service",
    handle_used: bool = False,
    repeats: int = 0,
) -> Verdict:
    """Judge the end of a link, or of the attempt to make one. Never raises; knows no clock and keeps nothing.

    Does not decide that a normal close in the middle of an answer is none: that takes the conversation
    (``core.verdict``). Does not limit how often one retries: that is the caller's deadline.

    Args:
        code: The close code; below 1000 the HTTP status of a refused upgrade; None when there was neither.
        reason: The peer's words, matched without regard to case, as far as a close frame holds them (123
            bytes); a phrase that is cut off there is known by its first 10 characters.
        phase: Where the link was: everything before "ready" counts as opening; "closing" means that we were
            ending it.
        initiated_by: Who ended it; our own library's codes are not the service's.
        handle_used: Whether this link was to resume a session.
        repeats: How many ends with the same ``cause`` came directly before, without a stretch of health
            (10 s and more) between: the second in a row has 1.

    Source:
        ``close_table.ROWS``, each with its own; docs/quirks.md, Q-close.
    """
    data = (reason or "").encode("utf-8", "replace")
    words = data[:MAX_REASON_BYTES].decode("utf-8", "ignore").lower()
    cut = len(data) >= _CUT_BYTES
    return next(  # the last row of the table fits everything
        row.verdict
        for row in ROWS
        if (row.codes is None or code in row.codes)
        and row.by in (None, initiated_by)
        and (not row.phases or phase in row.phases)
        and row.with_handle in (None, handle_used)
        and not (row.first and repeats > 0)
        and (not row.words or _says(words, row.words, cut=cut))
    )


def _says(words: str, phrases: tuple[str, ...], *, cut: bool) -> bool:
    if any(phrase in words for phrase in phrases):
        return True
    return cut and any(
        words.endswith(phrase[:length]) for phrase in phrases for length in range(_SHORTEST_TAIL, len(phrase))
    )

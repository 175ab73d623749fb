"""Replies the application asked for: at most one is pending; the next generation answers it."""

from __future__ import annotations

from dataclasses import dataclass

from duologue.core.outlet import Outlet, ReplyFailed, ReplyStarted
from duologue.errors import ReplyAborted, ReplyError, ReplySuperseded, ReplyTimeout

__all__ = ["PendingReply"]


@dataclass(frozen=True, slots=True)
class _Pending:
    id: int
    deadline_at: float
    timeout_s: float


class PendingReply:
    """Follows ``generate_reply`` until the model begins, or until it is clear that it will not."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._pending: _Pending | None = None
        self._asked = 0

    @property
    def deadline_at(self) -> float | None:
        """When the pending one times out."""
        return self._pending.deadline_at if self._pending else None

    @property
    def waiting(self) -> bool:
        """Whether one is pending."""
        return self._pending is not None

    def ask(self, timeout_s: float, now: float) -> int:
        """Begin to wait; a reply that was pending is superseded. Return the new reply's id."""
        self._fail(ReplySuperseded("a newer generate_reply() took the place of this one"))
        self._asked += 1
        self._pending = _Pending(self._asked, now + timeout_s, timeout_s)
        return self._asked

    def started(self, generation_id: str) -> None:
        """A generation has begun: it answers what is pending."""
        if self._pending is not None:
            self._outlet.emit(ReplyStarted(self._pending.id, generation_id))
            self._pending = None

    def expire(self, now: float) -> None:
        """Give up when the time is over."""
        if self._pending is not None and now >= self._pending.deadline_at:
            waited = self._pending.timeout_s
            self._fail(
                ReplyTimeout(f"the model did not begin a reply within {waited:g} s; ask again or wait longer")
            )

    def abort(self, why: str) -> None:
        """The session is over."""
        self._fail(ReplyAborted(f"the reply was not begun: {why}", phase="closed"))

    def _fail(self, error: ReplyError) -> None:
        if self._pending is not None:
            self._outlet.emit(ReplyFailed(self._pending.id, error))
            self._pending = None

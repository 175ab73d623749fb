"""The core's journal: a session that tells a recorder everything it is fed and what comes of it.

Inputs reach the core from many sides (the driver, commands, sinks, subscriptions), so this is the one
place where all of them pass. A session that nobody records is a plain :class:`Session` and pays nothing.
"""

from __future__ import annotations

from functools import wraps
from inspect import isfunction, signature
from typing import TYPE_CHECKING, Any, Final

from duologue.core.session import Session
from duologue.wire.scrub import secrets_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from duologue.config import Recorder
    from duologue.core.outlet import Frame, Notice
    from duologue.core.session import SessionPlan
    from duologue.events import Event

__all__ = ["INPUTS", "JournaledSession", "make_session"]

_OUTPUTS: Final = frozenset({"events", "to_send", "next_deadline"})

INPUTS: Final = tuple(
    name
    for name, member in vars(Session).items()
    if isfunction(member) and not name.startswith("_") and name not in _OUTPUTS
)
"""Every method of the core that can change it: the words of a journal."""


class JournaledSession(Session):
    """A session under a recorder: the same inputs, the same outputs, and a note of each.

    Args:
        plan: What the session is made of.
        recorder: Has begun already.
    """

    def __init__(self, plan: SessionPlan, recorder: Recorder) -> None:
        super().__init__(plan)
        self._recorder = recorder
        self._inside: str | None = None
        """The input that is being worked on: what it feeds in turn is no input from outside."""

    def events(self) -> list[Event | Notice]:
        """Return what happened since the last call, in order."""
        events = super().events()
        if events:
            self._recorder.told(events)
        return events

    def to_send(self) -> Sequence[Frame]:
        """Return the frames to be written since the last call, in order."""
        frames = super().to_send()
        if frames:
            self._recorder.sent(frames)
        return frames


def _journaled(name: str) -> Callable[..., Any]:
    method: Callable[..., Any] = getattr(Session, name)
    names = tuple(signature(method).parameters)[1:]

    @wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self._inside is not None:
            return method(self, *args, **kwargs)
        self._recorder.fed(name, {**dict(zip(names, args, strict=False)), **kwargs})
        self._inside = name
        try:
            return method(self, *args, **kwargs)
        finally:
            self._inside = None

    return call


for _name in INPUTS:  # also those that will be added: an input that is not in the journal breaks its replay
    setattr(JournaledSession, _name, _journaled(_name))


def make_session(plan: SessionPlan, recorder: Recorder | None = None, secrets: Iterable[str] = ()) -> Session:
    """Return a core for this plan, under ``recorder`` when there is one.

    Args:
        plan: What the session is made of.
        recorder: Takes the journal.
        secrets: What must not be written down, beside what the setup itself holds.

    Raises:
        TapeError: The recorder cannot begin.
    """
    if recorder is None:
        return Session(plan)
    recorder.begin(plan, (*secrets, *secrets_in(plan.setup)))
    return JournaledSession(plan, recorder)

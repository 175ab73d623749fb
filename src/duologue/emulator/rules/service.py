"""What the connections of one emulator share: options, counters, resumption handles.

Read this for resumption: a handle stands for the state at the moment it was issued, outlives its
link, and is refused while that conversation still has an open one.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from duologue.emulator.asks import Close
from duologue.errors import ConfigError

if TYPE_CHECKING:
    from duologue.emulator.protocols import Entry

__all__ = ["Service", "Snapshot"]

_HANDLE_FORMS = {
    "uuid": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "opaque": re.compile(r"Cih[0-9a-z]{93}"),
}
_MAX_HANDLES = 4096
_MAX_HANDLES_BYTES = 64 * 1024 * 1024

_MALFORMED = Close(1007, "Invalid session handle")
_UNKNOWN = Close(1008, "BidiGenerateContent session not found")
_INTERNAL = Close(1011, "Internal error encountered.")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A conversation's state when a handle was issued; a running generation is not part of it."""

    conversation: str
    model: str
    history: tuple[Entry, ...]
    audio_in_s: float
    audio_out_s: float
    began_at: float
    size_bytes: int = 0
    """About how much memory ``history`` takes."""


@dataclass(slots=True)
class _Conversation:
    """Which link a conversation has now, or since when it has none."""

    session_id: str | None
    closed_at: float = 0.0


@dataclass(slots=True)
class Service:
    """Options and shared state of one emulator; give the same object to every :class:`ServerRules`.

    Does not keep time: instants are those the rules are fed with. At most 4,096 handles are kept, with at
    most 64 MiB of history between them (what they share counted each time); the oldest is forgotten first.

    Args:
        time_scale: Divides connection and session lifetime, lead, handle validity, announced durations
            and assumed playback; 10 makes ten minutes one. Greater than 0.
        connection_lifetime_s: A link is ended after this.
        go_away_lead_s: How long before that goAway is sent.
        session_limit_s: A conversation without context compression ends after this, over all its links.
        playback: "paced": turnComplete waits until the sound would have been heard, and barge-in counts
            until then. "immediate": turnComplete follows generationComplete at once.
        audio_speed: How many seconds of sound are sent per second. Greater than 0.
        id_prefix: Stands before session ids and makes handles and call ids differ between emulators.
        handle_validity_s: How long after its conversation's last link a handle is honoured.
        ask_limit_s: An ask without an answer counts as failed after this.

    Raises:
        ConfigError: ``time_scale`` or ``audio_speed`` is not greater than 0.
    """

    time_scale: float = 1.0
    connection_lifetime_s: float = 600.0
    go_away_lead_s: float = 60.0
    session_limit_s: float = 900.0
    playback: Literal["paced", "immediate"] = "paced"
    audio_speed: float = 3.0
    id_prefix: str = ""
    handle_validity_s: float = 7200.0
    ask_limit_s: float = 60.0
    _counter: int = field(default=0, init=False, repr=False)
    _sessions: int = field(default=0, init=False, repr=False)
    _handles: dict[str, Snapshot] = field(default_factory=dict[str, Snapshot], init=False, repr=False)
    _handles_bytes: int = field(default=0, init=False, repr=False)
    _conversations: dict[str, _Conversation] = field(
        default_factory=dict[str, _Conversation], init=False, repr=False
    )

    def __post_init__(self) -> None:
        for name in ("time_scale", "audio_speed"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"the emulator's {name} must be greater than 0, not {getattr(self, name)}")

    def next_session_id(self) -> str:
        """Return "s1", "s2", ... behind the prefix."""
        self._sessions += 1
        return f"{self.id_prefix}s{self._sessions}"

    def next_digits(self) -> str:
        """Return 19 digits no other call of this service returns in practice."""
        return str(10**18 + int.from_bytes(self._digest()[:8], "big") % (9 * 10**18))

    def conversation_opened(self, conversation: str, session_id: str) -> None:
        """Note that ``conversation`` now lives on the link of ``session_id``."""
        self._conversations[conversation] = _Conversation(session_id)

    def conversation_closed(self, conversation: str, session_id: str, now: float) -> None:
        """Note that this link is gone; nothing if the conversation has moved on to another."""
        known = self._conversations.get(conversation)
        if known is not None and known.session_id == session_id:
            self._conversations[conversation] = _Conversation(None, now)
            self._drop_if_unreachable(conversation)

    def issue(self, snapshot: Snapshot, form: Literal["uuid", "opaque"]) -> str:
        """Return a new handle for ``snapshot``."""
        if form == "uuid":
            digits = self._digest().hex()[:32]
            cuts = (0, 8, 12, 16, 20, 32)
            handle = "-".join(digits[a:b] for a, b in itertools.pairwise(cuts))
        else:
            handle = "Cih" + (self._digest() + self._digest()).hex()[:93]
        self._handles[handle] = snapshot
        self._handles_bytes += snapshot.size_bytes
        while len(self._handles) > _MAX_HANDLES or self._handles_bytes > _MAX_HANDLES_BYTES:
            self._forget(next(iter(self._handles)))
        return handle

    def redeem(
        self, handle: str, form: Literal["uuid", "opaque"], model: str, now: float
    ) -> Snapshot | Close:
        """Return the state behind ``handle``, or how the link that asks for it is closed."""
        snapshot = self._handles.get(handle)
        if snapshot is None:
            return _UNKNOWN if _HANDLE_FORMS[form].fullmatch(handle) else _MALFORMED
        conversation = self._conversations[snapshot.conversation]
        if conversation.session_id is not None:
            return _INTERNAL
        if now > conversation.closed_at + self.handle_validity_s / self.time_scale:
            self._forget(handle)
            return _UNKNOWN
        return _INTERNAL if snapshot.model != model else snapshot

    def _forget(self, handle: str) -> None:
        snapshot = self._handles.pop(handle)
        self._handles_bytes -= snapshot.size_bytes
        self._drop_if_unreachable(snapshot.conversation)

    def _drop_if_unreachable(self, conversation: str) -> None:
        if self._conversations[conversation].session_id is None and not any(
            snapshot.conversation == conversation for snapshot in self._handles.values()
        ):
            del self._conversations[conversation]

    def _digest(self) -> bytes:
        self._counter += 1
        return hashlib.sha256(f"{self.id_prefix}|{self._counter}".encode()).digest()

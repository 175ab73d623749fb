"""One client's connection: carries frames to the rules, their frames back, and runs what they ask.

Everything happens in the event loop, in steps: something happens, the rules are told with the time,
and then all they want is carried out. A step for plain sound makes no task and moves no timer.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from duologue.emulator.asks import (
    Ask,
    Cancel,
    Close,
    Failed,
    Speak,
    Spoken,
    Think,
    Thought,
    Told,
    Transcribe,
    Transcribed,
)
from duologue.errors import DuologueError
from duologue.wire.codec import encode
from duologue.wire.server import GoAway, ServerMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from duologue.emulator.faults import Fault
    from duologue.emulator.link import Link
    from duologue.emulator.log import FrameLog
    from duologue.emulator.protocols import Brain, Ears, Voice
    from duologue.emulator.rules import ServerRules

__all__ = ["EmulatedSession", "Parts"]

_log = logging.getLogger("duologue.emulator")

_INTERNAL_ERROR = Close(1011, "Internal error encountered.")
# What the service says to those who stay after goAway.
_STAYED_TOO_LONG = Close(1008, "The operation was aborted.")


@dataclass(frozen=True, slots=True)
class Parts:
    """What answers the rules' asks."""

    ears: Ears
    brain: Brain
    voice: Voice


class EmulatedSession:
    """One connection, from its upgrade to its end.

    Args:
        rules: Fresh rules, used by this connection alone.
        parts: Shared by all connections.
        log: Where its frames are noted.
        api_version: As in the request's path.
        faults: What is to go wrong, counted from the opening.
    """

    def __init__(
        self,
        rules: ServerRules,
        parts: Parts,
        log: FrameLog,
        *,
        api_version: str,
        faults: tuple[Fault, ...] = (),
    ) -> None:
        self.id = rules.session_id
        """The same as ``LoggedFrame.session_id``."""
        self.api_version = api_version
        self.opened_at: float | None = None
        """``time.monotonic()`` at the upgrade."""
        self.ended: Close | None = None
        """How it ended, as a client would see it; None while it lives. 1006: without a close frame."""
        self._rules: ServerRules | None = rules
        self._parts = parts
        self._frame_log = log
        self._faults = faults
        self._link: Link | None = None
        self._answers: dict[int, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0  # ours, as uvloop's handle for an instant that has come cannot tell its own
        self._fault_timers: list[asyncio.TimerHandle] = []

    def __repr__(self) -> str:
        state = "open" if self.ended is None else f"ended {self.ended.code}"
        return f"EmulatedSession({self.id}, {self.api_version}, {state})"

    # What the door calls.

    def opened(self, link: Link) -> None:
        """Begin."""
        self._link = link
        self.opened_at = time.monotonic()
        self._step(lambda rules, now: rules.link_opened(now, api_version=self.api_version))
        for fault in self._faults:
            self.inject(fault)

    def received(self, frame: bytes | str) -> None:
        """Take one message of the client."""
        if self._is_live:  # what comes after our close frame is too late, as it is with the service
            self._frame_log.add("uplink", time.monotonic(), self.id, frame)
            self._step(lambda rules, now: rules.receive(frame, now))

    def lost(self, code: int, reason: str) -> None:
        """End: no answer is wanted any more. What the conversation held is let go, the record stays."""
        self.ended = Close(code, reason)
        self._step(lambda rules, now: rules.link_lost(now))
        self._link = self._rules = None
        for timer in (self._timer, *self._fault_timers):
            if timer is not None:
                timer.cancel()
        self._timer = None
        self._fault_timers.clear()
        for task in self._answers.values():
            task.cancel()
        _log.info("session %s ended with %d", self.id, code)

    # What the emulator calls.

    def inject(self, fault: Fault) -> None:
        """Let a fault happen, now or after its time; nothing when the connection has ended."""
        if self._link is None:
            return
        loop = asyncio.get_running_loop()
        if fault.after_s is not None:
            self._fault_timers.append(loop.call_later(fault.after_s, self._strike, fault))
        else:
            self._strike(fault)

    async def settled(self) -> None:
        """Wait until nothing of this session runs any more; for after its end."""
        await asyncio.gather(*self._answers.values(), return_exceptions=True)

    @property
    def _is_live(self) -> bool:
        return self._link is not None and self._link.is_open

    def _strike(self, fault: Fault) -> None:
        if self._link is None or not self._link.is_open:
            return
        _log.info("session %s suffers the fault %s", self.id, fault.name)
        if fault.name == "close":
            self._link.close(fault.code, fault.reason)
        else:
            self._send(encode(ServerMessage(go_away=GoAway(time_left=f"{fault.time_left_s:g}s"))))
            close = _STAYED_TOO_LONG
            loop = asyncio.get_running_loop()
            self._fault_timers.append(
                loop.call_later(fault.time_left_s, self._link.close, close.code, close.reason)
            )

    def _step(self, happen: Callable[[ServerRules, float], None]) -> None:
        """Let the rules take one thing in, then do all they want."""
        rules = self._rules
        if rules is None:
            return
        now = time.monotonic()
        try:
            happen(rules, now)
            for frame in rules.to_send():
                self._send(frame)
            for ask in rules.asks():
                self._start(ask)
            close = rules.close()
        except Exception:
            # A bug of ours must look like the service's own trouble, not like a dead socket.
            _log.exception("session %s: the rules failed", self.id)
            close = _INTERNAL_ERROR
        if close is not None and self._link is not None:
            self._link.close(close.code, close.reason)
        self._arm(rules, now)

    def _send(self, frame: bytes) -> None:
        if self._link is not None and self._link.is_open:
            self._link.send(frame)
            self._frame_log.add("downlink", time.monotonic(), self.id, frame)

    def _start(self, ask: Ask) -> None:
        if isinstance(ask, Cancel):
            task = self._answers.get(ask.ask_id)
            if task is not None:
                task.cancel()
        elif self._is_live:
            task = asyncio.create_task(self._answer(ask), name=f"{type(ask).__name__} of {self.id}")
            self._answers[ask.ask_id] = task
            task.add_done_callback(lambda _: self._answers.pop(ask.ask_id, None))

    async def _answer(self, ask: Transcribe | Think | Speak) -> None:
        """Ask the part that knows, and tell the rules."""
        told: Told
        try:
            told = await self._ask(ask)
        except Exception as error:  # strangers' parts may raise anything; the call goes on
            _log.warning("session %s: %s failed with %s", self.id, type(ask).__name__, _reason(ask, error))
            told = Failed(ask.ask_id, str(error))
        if self._is_live:
            self._step(lambda rules, now: rules.told(told, now))

    async def _ask(self, ask: Transcribe | Think | Speak) -> Told:
        if isinstance(ask, Transcribe):
            return Transcribed(ask.ask_id, await self._parts.ears.transcribe(ask.pcm))
        if isinstance(ask, Think):
            return Thought(ask.ask_id, await self._parts.brain.think(ask.prompt))
        return Spoken(ask.ask_id, await self._parts.voice.speak(ask.text))

    def _arm(self, rules: ServerRules, now: float) -> None:
        """See to it that we wake no later than the rules want; waking too early does no harm."""
        due_at = rules.next_deadline() if self._is_live else None
        if due_at is None:
            return
        loop = asyncio.get_running_loop()
        when = loop.time() + max(0.0, due_at - now)
        if self._timer is not None:
            if self._timer_at <= when:
                return
            self._timer.cancel()
        self._timer, self._timer_at = loop.call_at(when, self._wake), when

    def _wake(self) -> None:
        self._timer = None
        if self._is_live:
            self._step(_timeout_if_due)


def _reason(ask: Transcribe | Think | Speak, error: Exception) -> str:
    """Return what may be logged of a part's failure: where, and its words only if they cannot hold speech."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} at {place.filename}:{place.lineno}"
    # Ears of ours have only sound to complain of; others, and what thinks or speaks, may quote words.
    told = isinstance(ask, Transcribe) and isinstance(error, DuologueError)
    return f"{where}: {error}" if told else where


def _timeout_if_due(rules: ServerRules, now: float) -> None:
    due_at = rules.next_deadline()
    if due_at is not None and due_at <= now:
        rules.handle_timeout(now)

"""One connection: a core, its driver, and the teller of its events. The same river as a session's."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from duologue.config import ChatMessage
from duologue.core.journal import make_session
from duologue.core.link import Link
from duologue.core.outlet import ReplyFailed
from duologue.errors import ConfigError, ConnectError, ReplyTimeout, Unsupported
from duologue.io.clock import LoopClock
from duologue.io.driver import Driver
from duologue.io.recorded import RecordedTransport
from duologue.transport.setup import address_of, output_of, plan_of
from duologue.transport.teller import Teller
from duologue.transport.values import TransportError
from duologue.transport.watch import REPLY_DUE_S, ReplyWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from duologue.config import Recorder, Scheduling
    from duologue.core.outlet import Notice
    from duologue.io.adc import GoogleAccount
    from duologue.io.transport import Transport
    from duologue.transport.setup import GeminiTransportConfig
    from duologue.transport.values import ResultScheduling
    from duologue.wire.content import Content

__all__ = ["Connection", "KeptHandle"]

# The wire has nothing but INTERRUPT that makes the model turn to a result at once.
_SCHEDULING: Final[Mapping[str, Scheduling]] = {
    "immediate": "INTERRUPT",
    "interrupt": "INTERRUPT",
    "when_idle": "WHEN_IDLE",
    "silent": "SILENT",
}


@dataclass(frozen=True, slots=True)
class KeptHandle:
    """A resumption handle, never shown."""

    value: str = field(repr=False)
    holds_conversation: bool = True
    """False for one from before the first answer on a link begun afresh: history told meanwhile may lie
    outside its snapshot."""


class Connection:
    """From one ``connect`` to its end; make it inside the event loop.

    Args:
        config: What the transport is set to at this moment.
        handle: Restores that conversation.
        transport: Opens the link.
        fire: Calls a callback by its name.
        keep_handle: Takes each handle that can be used.
        keep_call: Takes (id, name) of each call that the end of the link left open.
        recorder: Takes the journal.
        google: The Google account of the connection before: its token may still be good.
    """

    def __init__(
        self,
        config: GeminiTransportConfig,
        handle: KeptHandle | None,
        transport: Transport,
        *,
        fire: Callable[..., None],
        keep_handle: Callable[[KeptHandle], None],
        keep_call: Callable[[str, str], None],
        recorder: Recorder | None = None,
        google: GoogleAccount | None = None,
    ) -> None:
        address = address_of(config, google)
        self.google = address.google
        plan = plan_of(
            config,
            session_id=uuid.uuid4().hex[:12],
            handle=handle.value if handle else None,
            place=address.place,
        )
        self.profile = plan.profile
        self.clock = LoopClock()
        key = address.account.key
        self.core = make_session(plan, recorder, () if key is None else (key.value,))
        opener = transport if recorder is None else RecordedTransport(transport, recorder)
        self.watch = ReplyWatch()
        self._fire = fire
        self._timeout_ms = config.connect_timeout_ms
        teller = Teller(
            fire,
            output=output_of(config),
            watch=self.watch,
            marks_speech=plan.profile.sends_voice_activity,
            clock=self.clock,
            # One that restores nothing but the silence before the first answer holds no conversation.
            keep_handle=lambda value, talked: keep_handle(KeptHandle(value, talked or handle is not None)),
            keep_call=keep_call,
        )
        self.core.set_interest(teller.interest)
        self.driver = Driver(
            self.core,
            lambda: address.open(opener, plan.options, self.core, self.clock),
            options=plan.options,
            clock=self.clock,
            deliver=teller.deliver,
            notify=self._notified,
            recorder=recorder,
        )

    @property
    def over(self) -> bool:
        """Whether it has ended, by whatever side."""
        return self.core.link is Link.CLOSED

    async def open(self) -> None:
        """Connect; return once setupComplete has arrived. What fails leaves no socket behind.

        Raises:
            ConnectError: Why not; a close by the service counts at once, not when the time is up.
        """
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                await self.driver.start()
        except TimeoutError:
            msg = f"connecting took longer than connect_timeout_ms ({self._timeout_ms} ms)"
            raise ConnectError(msg, phase="setup", retryable=True) from None

    def ask_for_reply(self, instructions: str | None) -> None:
        """Ask the model to speak, unless a reply is running or due, or a call's result is awaited."""
        if self.core.open_calls or self.watch.busy(self.clock.now()):
            return
        self.driver.command(lambda now: self.core.generate_reply(instructions, REPLY_DUE_S, now))
        self.watch.expect(self.clock.now())

    def send_turns(self, turns: Sequence[Content], *, turn_complete: bool) -> None:
        """Send turns of any kind; with ``turn_complete`` a reply is due."""
        self.command(lambda now: self.core.send_turns(turns, now, turn_complete=turn_complete))
        if turn_complete:
            self.watch.expect(self.clock.now())

    def tell(self, turns: Sequence[Content], *, turn_complete: bool) -> None:
        """Tell in turns of text what this link cannot know; as the user's words where it takes no turns."""
        try:
            self.send_turns(turns, turn_complete=turn_complete)
        except Unsupported:
            # Words are always answered, turns need not be; but it is the one way left (Q-content-once).
            for turn in turns:
                text = "".join(part.text or "" for part in turn.parts or ())
                self.send_messages([ChatMessage("user", text)], turn_complete=True)

    def send_messages(self, messages: Sequence[ChatMessage], *, turn_complete: bool) -> None:
        """Send turns of text; a single one that is to be answered travels as the profile wants it."""
        if turn_complete and len(messages) == 1 and messages[0].role == "user":
            self.command(lambda now: self.core.send_text(messages[0].text, now))
        else:
            self.command(lambda now: self.core.send_content(messages, now, turn_complete=turn_complete))
        if turn_complete:
            self.watch.expect(self.clock.now())

    def answer(self, call_id: str, response: Mapping[str, Any], scheduling: ResultScheduling | None) -> None:
        """Send a tool's result; unless it is silent, a reply is due."""
        if scheduling is not None and scheduling not in _SCHEDULING:
            raise ConfigError(f"scheduling is {scheduling!r}; give one of {', '.join(_SCHEDULING)}")
        schedule = None if scheduling is None else _SCHEDULING[scheduling]
        self.command(lambda now: self.core.tool_result(call_id, response, now, scheduling=schedule))
        if scheduling != "silent":
            self.watch.expect(self.clock.now())

    def command(self, run: Callable[[float], None]) -> None:
        """Run a command of the core, unless too much waits to be written (``QueueFull``)."""
        self.driver.check_room()
        self.driver.command(run)

    def _notified(self, notice: Notice) -> None:
        if isinstance(notice, ReplyFailed) and isinstance(notice.error, ReplyTimeout):
            self._fire("on_error", TransportError(notice.error, recoverable=True))

"""The session: composes the machines; the only class of the core that a driver sees.

Feed it (``link_opened``, ``receive``, ``link_lost``, ``handle_timeout``, commands), each with ``now`` in
seconds of any monotonic clock; then drain ``events()`` and ``to_send()`` and look at ``next_deadline()``.
It is a function of what it was fed: the same journal gives the same events and frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from duologue.config import ChatContext, ChatMessage, Scheduling, SessionOptions
from duologue.core import commands
from duologue.core.conversation import Conversation
from duologue.core.link import Link, link_machine
from duologue.core.outlet import Frame, Notice, Outlet
from duologue.core.uplink import Gate, Uplink
from duologue.core.verdict import end_error, link_error, reported_error, scrubbed
from duologue.errors import DuologueError, LinkLost, ProtocolError, SessionClosed, SetupTimeout, Unsupported
from duologue.events import (
    Event,
    GoAway,
    SessionEnded,
    SessionError,
    SessionReady,
    TokenUsage,
    ToolCall,
)
from duologue.wire.codec import ServerDecoder, encode
from duologue.wire.content import Content, duration_s
from duologue.wire.setup import wire_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from duologue.wire.profiles import ModelProfile
    from duologue.wire.server import ServerMessage

__all__ = ["Session", "SessionPlan"]

_BLOCKED_MIC_LIMIT_MS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPlan:
    """What a session is made of, fixed for its life."""

    session_id: str
    """Begins every id this session makes; the driver gives it."""
    setup: Mapping[str, Any]
    """The setup message's content, as on the wire."""
    profile: ModelProfile
    options: SessionOptions = field(default_factory=SessionOptions)
    tool_response_scheduling: Scheduling | None = None
    """How results of NON_BLOCKING calls are scheduled when neither tool nor caller says."""
    manual_activity: bool = False
    """The application marks the user's activity; the service's detection is off."""


class Session:
    """One conversation as a value."""

    def __init__(self, plan: SessionPlan) -> None:
        self._plan = plan
        self._link = link_machine()
        self._out = Outlet()
        self._decoder = ServerDecoder()
        self._setup_deadline_at: float | None = None
        self._handle_given = commands.handle_in(plan.setup)
        self._talk = Conversation(
            self._out,
            id_prefix=f"{plan.session_id}-",
            profile=plan.profile,
            marked_activity=plan.manual_activity,
            behaviors=commands.declared_behaviors(plan.setup),
        )
        self._uplink = Uplink(
            self._out, chunk_ms=plan.options.chunk_ms, held_limit_ms=plan.options.uplink_buffer_ms
        )

    # -- what is drained ----------------------------------------------------------------------

    def events(self) -> list[Event | Notice]:
        """Return what happened since the last call, in order."""
        return self._out.drain_events()

    def to_send(self) -> Sequence[Frame]:
        """Return the frames to be written since the last call, in order."""
        return self._out.drain_frames()

    @property
    def has_output(self) -> bool:
        """Whether there is anything to drain."""
        return self._out.waiting

    def next_deadline(self) -> float | None:
        """Return when ``handle_timeout`` is to be called at the latest; None for never."""
        setup_at, reply_at = self._setup_deadline_at, self._talk.replies.deadline_at
        if setup_at is None or reply_at is None:  # asked after every input, so without building a list
            return reply_at if setup_at is None else setup_at
        return min(setup_at, reply_at)

    # -- what can be asked --------------------------------------------------------------------

    @property
    def link(self) -> Link:
        """Where the link is."""
        return self._link.state

    @property
    def manual_activity(self) -> bool:
        """Whether the application marks the user's activity."""
        return self._plan.manual_activity

    @property
    def is_live(self) -> bool:
        """Whether the conversation runs."""
        return self._link.state in (Link.READY, Link.DRAINING)

    @property
    def usage(self) -> TokenUsage:
        """Tokens so far."""
        return self._talk.usage.total

    @property
    def chat_ctx(self) -> ChatContext:
        """What was said so far."""
        return self._talk.transcript.context

    @property
    def handle(self) -> str | None:
        """The newest handle from which this session can be resumed."""
        return self._talk.handle

    @property
    def open_calls(self) -> list[ToolCall]:
        """Tool calls that wait for a result."""
        return self._talk.tools.open_calls

    @property
    def counters(self) -> Mapping[str, int]:
        """What was dropped, discarded or ignored so far, by name."""
        return self._out.counters

    @property
    def unknown_fields(self) -> int:
        """How many fields the service sent that this package does not know."""
        return sum(self._decoder.unknown.values())

    def set_interest(self, kinds: frozenset[type]) -> None:
        """Say which bulk events (``core.outlet.BULK``) anybody would read; others aren't built."""
        self._out.interest = kinds

    # -- the link -----------------------------------------------------------------------------

    def connect(self, now: float) -> None:  # noqa: ARG002 -- every input carries its time
        """The driver begins to make the link."""
        self._link.to(Link.CONNECTING)

    def locate(self, project: str, location: str, now: float) -> None:  # noqa: ARG002
        """The project is learnt from the credentials: the model is named by it; before a link is open."""
        name = wire_model(self._plan.setup["model"], "vertex", project=project, location=location)
        self._plan = replace(self._plan, setup={**self._plan.setup, "model": name})

    def link_opened(self, now: float) -> None:
        """The WebSocket is up: the setup message goes out first."""
        self._link.to(Link.SETUP)
        self._setup_deadline_at = now + self._plan.options.setup_timeout_s
        self._out.send(encode({"setup": self._plan.setup}))

    def link_lost(self, lost: LinkLost, now: float) -> None:
        """The link ended, by whatever side."""
        if self._link.state is Link.CLOSED:
            return
        lost = scrubbed(lost, (self.handle, self._handle_given))
        resumed = self._handle_given is not None
        if self._link.state is Link.SETUP:
            self._end(lost.number, lost.reason, link_error(lost, handle_used=resumed), now)
        else:
            mid_answer = self._talk.turns.current is not None
            error = end_error(lost, mid_answer=mid_answer, handle_used=resumed)
            self._end(lost.number, lost.reason, error, now)

    def fail(self, error: DuologueError, now: float) -> None:
        """The link could not be made, or the driver cannot go on; ``error`` says why."""
        if self._link.state is not Link.CLOSED:
            self._end(error.number, error.reason, error, now)

    def close(self, now: float) -> None:
        """End the session in good order; from any state."""
        if self._link.state is not Link.CLOSED:
            self._end(1000, "", None, now)

    def handle_timeout(self, now: float) -> None:
        """Do what is due at ``now``; harmless when nothing is."""
        if self._setup_deadline_at is not None and now >= self._setup_deadline_at:
            waited = self._plan.options.setup_timeout_s
            self._end(
                None, "", SetupTimeout(f"the service did not send setupComplete within {waited:g} s"), now
            )
        self._talk.replies.expire(now)

    def _end(self, code: int | None, reason: str, error: DuologueError | None, now: float) -> None:
        self._link.to(Link.CLOSED)
        self._setup_deadline_at = None
        self._uplink.end()
        self._talk.lose(now, "the session has ended" if error is None else str(error))
        self._out.emit(SessionEnded(code, reason, error))

    # -- what the service says ----------------------------------------------------------------

    def receive_frame(self, frame: bytes, now: float) -> None:
        """Take what the link gave: its messages in order. What cannot be read is told, and spoils no other."""
        try:
            messages = self._decoder.decode(frame)
        except ProtocolError as error:
            self.report_error(error)
            return
        for message in messages:
            try:
                self.receive(message, now)
            except ProtocolError as error:
                self.report_error(error)

    def receive(self, message: ServerMessage, now: float) -> None:
        """Take one message; every key in it is honoured, in a fixed order (Q-many-keys)."""
        if self._link.state is Link.CLOSED:
            return
        if message.setup_complete is not None:
            self._ready(message.setup_complete.session_id)
        self._talk.hear(message, now)
        if message.tool_call is not None or message.tool_call_cancellation is not None:
            self._set_gate()
        if message.go_away is not None:
            self._go_away(duration_s(message.go_away.time_left))
        error = message.reported_error
        if error is not None:
            self._out.emit(SessionError(reported_error(error, (self.handle, self._handle_given))))

    def _ready(self, service_id: str | None) -> None:
        if self._link.state is not Link.SETUP:
            self._out.count("setup_complete_again")
            return
        self._link.to(Link.READY)
        self._setup_deadline_at = None
        self._out.emit(SessionReady(service_id or self._plan.session_id))
        self._set_gate()

    def _go_away(self, time_left_s: float | None) -> None:
        if self._link.state is Link.READY:
            self._link.to(Link.DRAINING)
        self._out.emit(GoAway(time_left_s))

    # -- commands -----------------------------------------------------------------------------

    def push_audio(self, pcm: bytes | memoryview, rate_hz: int, now: float) -> None:  # noqa: ARG002
        """Take the caller's sound, s16le mono; kept while the link is not ready."""
        if self._link.state is Link.CLOSED:
            raise _closed("push_audio")
        self._uplink.push(pcm, rate_hz)

    def commit_audio(self, now: float) -> None:
        """The caller's sound pauses or ends here: nothing waits for a full chunk any more."""
        self._require_live("commit_audio")
        if self._plan.manual_activity:
            self.end_activity(now)
            return
        self._uplink.flush()
        self._uplink.mark(commands.AUDIO_STREAM_END)

    def clear_audio(self) -> None:
        """Drop what is not on its way yet."""
        self._uplink.clear()

    def start_activity(self, now: float) -> None:  # noqa: ARG002
        """The user begins to speak (manual detection only)."""
        self._require_manual("start_user_activity")
        if not self._talk.activity.speaking:
            self._uplink.mark(commands.ACTIVITY_START)
            self._talk.turns.user_speaks()
            self._talk.activity.start()

    def end_activity(self, now: float) -> None:
        """The user has finished (manual detection only); a start without an end is ended once."""
        self._require_manual("end_user_activity")
        self._uplink.flush()
        if self._talk.activity.speaking:
            self._uplink.mark(commands.ACTIVITY_END)
            self._talk.activity.stop(now)

    def send_text(self, text: str, now: float) -> None:  # noqa: ARG002
        """Send a typed user turn, the way the profile takes it; the model answers."""
        self._require_live("send_text")
        frame = commands.text_turn(self._plan.profile, text)  # refuses what JSON cannot hold, first
        self._talk.transcript.note("user", text)
        self._out.send(frame)

    def send_content(self, turns: Sequence[ChatMessage], now: float, *, turn_complete: bool) -> None:  # noqa: ARG002
        """Append turns to the conversation; with ``turn_complete`` the model answers (Q-content-once)."""
        self._append("send_content", commands.said(turns), turn_complete)

    def send_turns(self, turns: Sequence[Content], now: float, *, turn_complete: bool) -> None:  # noqa: ARG002
        """Append contents as they are; their texts enter the conversation."""
        self._append("send_turns", turns, turn_complete)

    def _append(self, command: str, turns: Sequence[Content], turn_complete: bool) -> None:
        self._require_live(command)
        begun = self._handle_given is not None or self._talk.turns.has_answered
        commands.refuse_late_content(command, self._plan.profile, begun=begun)
        self._out.send(commands.contents(turns, turn_complete=turn_complete))
        for turn in turns:
            text = "".join(part.text or "" for part in turn.parts or ())
            if text:
                self._talk.transcript.note("model" if turn.role == "model" else "user", text)

    def generate_reply(self, instructions: str | None, timeout_s: float, now: float) -> int:
        """Ask the model to speak; return the id that ReplyStarted or ReplyFailed will carry."""
        self._require_live("generate_reply")
        frame = commands.reply_request(self._plan.profile, instructions)
        reply_id = self._talk.replies.ask(timeout_s, now)
        self._out.send(frame)
        return reply_id

    def interrupt(self, now: float) -> None:
        """Silence the model here and now, and tell the service where the profile knows how."""
        if not self.is_live:
            return
        running = self._talk.turns.is_open
        silenced = self._talk.turns.interrupt(now, by="application")
        if silenced and running and self._plan.profile.interrupt == "client_content":
            self._out.send(commands.contents((), turn_complete=False))

    def tool_result(
        self,
        call_id: str,
        response: Mapping[str, Any],
        now: float,  # noqa: ARG002
        *,
        is_error: bool = False,
        scheduling: Scheduling | None = None,
        will_continue: bool = False,
    ) -> None:
        """Send a tool's result; once the call has ended it is counted and not sent."""
        self._require_live("send_tool_result")
        self._talk.tools.answer(
            call_id,
            response,
            is_error=is_error,
            scheduling=scheduling or self._plan.tool_response_scheduling,
            will_continue=will_continue,
        )
        self._set_gate()

    def send_raw(self, message: Mapping[str, Any], now: float) -> None:  # noqa: ARG002
        """Send any message as it is."""
        self._require_live("send_raw")
        self._out.send(commands.raw(message))

    def report_playhead(self, generation_id: str, played_ms: int) -> None:
        """Take what a sink has really played."""
        self._talk.turns.report_playhead(generation_id, played_ms)

    def report_error(self, error: Exception) -> None:
        """Pass on a failure that does not end the session."""
        if self._link.state is not Link.CLOSED:
            self._out.emit(SessionError(error))

    def _set_gate(self) -> None:
        """Decide anew what happens to the caller's sound."""
        policy = self._plan.options.mic_while_blocking
        gate, limit_ms = Gate.OPEN, self._plan.options.uplink_buffer_ms
        if not self.is_live:
            gate = Gate.HELD
        elif self._talk.tools.blocking and policy == "buffer":
            gate, limit_ms = Gate.HELD, _BLOCKED_MIC_LIMIT_MS
        elif self._talk.tools.blocking and policy == "drop":
            gate = Gate.SHUT
        self._uplink.held_limit_ms = limit_ms
        self._uplink.set_gate(gate)

    def _require_live(self, command: str) -> None:
        if self._link.state is Link.CLOSED:
            raise _closed(command)
        if not self.is_live:
            raise SessionClosed(f"{command}: the session is not open yet; enter it with `async with` first")

    def _require_manual(self, command: Literal["start_user_activity", "end_user_activity"]) -> None:
        self._require_live(command)
        if not self._plan.manual_activity:
            raise Unsupported(
                f"{command} needs manual detection: the service closes the link when it detects speech itself; "
                "make the session with turn_detection_disabled=True"
            )


def _closed(command: str) -> SessionClosed:
    return SessionClosed(f"{command}: the session has ended")

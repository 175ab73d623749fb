"""The session an application holds: commands in, events and streams out. Holds no protocol rules."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from duologue.core.link import Link
from duologue.errors import SessionClosed
from duologue.events import Event, SessionEnded, ToolResult, TurnCompleted
from duologue.io.clock import LoopClock
from duologue.io.driver import Driver
from duologue.io.fanout import Fanout
from duologue.realtime.ends import Ends
from duologue.realtime.microphone import Intake
from duologue.realtime.options import check_reply, check_text, check_turns
from duologue.realtime.replies import Replies
from duologue.tools.results import tool_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from typing import Self

    from numpy import int16
    from numpy.typing import NDArray

    from duologue.config import (
        AudioSink,
        AudioSource,
        ChatContext,
        ChatMessage,
        Clock,
        RealtimeCapabilities,
        Recorder,
        Scheduling,
        SessionOptions,
        ToolRunner,
    )
    from duologue.core.session import Session
    from duologue.events import TokenUsage
    from duologue.io.address import Address
    from duologue.io.transport import Transport
    from duologue.realtime.generation import Generation
    from duologue.tools import FunctionTool
    from duologue.wire.profiles import ModelProfile

__all__ = ["RealtimeSession"]

E = TypeVar("E")

_log = logging.getLogger("duologue")

_EVENTS = frozenset(get_args(Event))


class RealtimeSession:
    """One conversation. Enter it with ``async with``; made by :meth:`RealtimeModel.session`.

    All methods belong to the event loop's thread. Subscribers, tools and attached ends live inside the
    session and end with it.
    """

    def __init__(
        self,
        core: Session,
        *,
        session_id: str,
        address: Address,
        transport: Transport,
        options: SessionOptions,
        profile: ModelProfile,
        capabilities: RealtimeCapabilities,
        tools: Sequence[FunctionTool[..., Any]],
        runner: ToolRunner,
        clock: Clock | None,
        recorder: Recorder | None,
    ) -> None:
        self.id = session_id
        self.profile = profile
        self.capabilities = capabilities
        self.tools: list[FunctionTool[..., Any]] = list(tools)
        self._core = core
        self._address = address
        self._transport = transport
        self._options = options
        self._runner = runner
        self._clock = clock
        self._recorder = recorder
        self._driver: Driver | None = None
        self._raw_sent = False
        self._fanout = Fanout(
            control_limit=options.control_queue_size,
            audio_limit_s=options.downlink_buffer_s,
            on_interest=core.set_interest,
        )
        self._intake = Intake(self._push)
        self._ends = Ends(self._fanout, self._intake, core.report_playhead, self._source_ended)
        self._replies = Replies(self._fanout, self.interrupt)

    # -- life ---------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Connect; return once setupComplete has arrived.

        Raises:
            ConnectError: With code, reason and phase (AuthError for a refused key).
            SessionClosed: It was entered or closed before.
        """
        if self._core.link is not Link.IDLE:
            raise SessionClosed("a session can be entered once; make another with model.session()")
        clock = self._clock or LoopClock()
        self._driver = Driver(
            self._core,
            lambda: self._address.open(self._transport, self._options, self._core, clock),
            options=self._options,
            clock=clock,
            deliver=self._fanout.deliver,
            notify=self._replies.notified,
            runner=self._runner,
            owner=self,
            recorder=self._recorder,
        )
        try:
            await self._driver.start()
            self._ends.start(self._driver.spawn)
        except BaseException:
            await self.aclose()  # also when the session is up and a loudspeaker cannot be opened
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the session; an exception of the body goes on."""
        await self.aclose()

    async def aclose(self) -> None:
        """End the session: what was accepted is written, then the link is closed. Never raises.

        From any state and any number of times. It does not wait for playout: see :meth:`hang_up`.
        """
        try:
            if self._driver is None:
                self._core.close(0.0)
                for event in self._core.events():
                    if isinstance(event, SessionEnded):
                        self._fanout.deliver(event)
                if self._recorder is not None:
                    await self._recorder.aclose()
            else:
                await self._driver.stop()
        finally:
            await self._ends.aclose()

    def hang_up(self) -> None:
        """End the session once the running turn is over, calls are answered and what was said was heard.

        It returns at once. When nothing is going on, the end comes at once too.

        Raises:
            SessionClosed: The session has ended or was not entered.
        """
        driver = self._live_driver("hang_up")
        if not self._core.is_live:
            raise SessionClosed("hang_up: the session has ended")
        news = self._fanout.subscribe(frozenset({TurnCompleted, ToolResult, SessionEnded}))

        async def end() -> None:
            try:
                while self._replies.in_turn or self._core.open_calls:
                    if isinstance(await anext(news), SessionEnded):
                        return
                await self._ends.drained()
            finally:
                await driver.stop()

        driver.spawn(end())

    # -- what it knows ------------------------------------------------------------------------

    @property
    def is_live(self) -> bool:
        """Whether commands and sound reach the model now."""
        return self._core.is_live

    @property
    def chat_ctx(self) -> ChatContext:
        """What was said so far, as far as it was transcribed or typed."""
        return self._core.chat_ctx

    @property
    def usage(self) -> TokenUsage:
        """Tokens so far, summed over turns."""
        return self._core.usage

    @property
    def resumption_handle(self) -> str | None:
        """The newest handle for ``model.session(resume=...)``; a secret."""
        return self._core.handle

    @property
    def counters(self) -> Mapping[str, int]:
        """What was dropped, discarded or ignored, by name; ``docs/quirks.md`` explains the names."""
        return self._driver.counters if self._driver is not None else self._core.counters

    # -- events -------------------------------------------------------------------------------

    def __aiter__(self) -> AsyncIterator[Event]:
        """Subscribe, from this call on: every event in wire order, ``SessionEnded`` last.

        Legal before entering; then ``SessionReady`` comes first. Two iterators are two subscribers. An
        iterator that falls 4,096 events behind raises ``SlowConsumer``; sound beyond
        ``downlink_buffer_s`` is dropped instead.
        """
        return self._fanout.subscribe()

    def on(self, kind: type[E], fn: Callable[[E], None]) -> Callable[[], None]:
        """Call ``fn`` for each event of this class, synchronously, before any iterator gets it.

        Returns:
            A function that ends it.

        Raises:
            TypeError: ``fn`` is a coroutine function, or ``kind`` no event class (the union ``Event`` is none).
        """
        if kind not in _EVENTS:
            raise TypeError(
                f"on: {kind!r} is no event; give one class of duologue.events, or iterate the session"
            )
        return self._fanout.on(frozenset({kind}), fn)

    def generations(self) -> AsyncIterator[Generation]:
        """Subscribe to answers: one :class:`Generation` each, from this call on."""
        return self._replies.reader()

    def attach(self, *ends: AudioSource | AudioSink) -> None:
        """Connect microphones and speakers: pacing, flush on interruption and playhead are done.

        They are closed with the session. Legal before entering.

        Raises:
            ConfigError: Something that is neither a source nor a sink.
        """
        self._ends.attach(*ends)

    # -- commands -----------------------------------------------------------------------------

    def push_audio(
        self, pcm: bytes | memoryview | NDArray[int16], *, sample_rate: int = 16_000, channels: int = 1
    ) -> None:
        """Hand over the caller's sound; returns at once and never blocks.

        For the event loop's thread only. It does not wait for the network: sound beyond
        ``uplink_buffer_ms`` that cannot be written is dropped, oldest first, and counted. While a
        blocking tool call is unanswered, ``mic_while_blocking`` decides.

        Args:
            pcm: s16le samples, shape (n,) or interleaved; 2·n·channels bytes. Any length.
            sample_rate: In Hz; resampled to 16,000 when soxr is installed, else declared on the wire.
            channels: 1, or 2 interleaved (mixed down).

        Raises:
            SessionClosed: The session has ended.
            ConfigError: Half a sample, or a rate or channel count that is none.
        """
        self._intake.push(pcm, sample_rate=sample_rate, channels=channels)

    async def send_text(self, text: str) -> None:
        """Send a typed user turn; the model answers. The profile decides how it travels.

        Raises:
            SessionClosed: The session has ended or was not entered.
            QueueFull: Too much waits to be written.
            ConfigError: ``text`` is no str.
        """
        check_text(text)
        driver = self._live_driver("send_text")
        driver.command(lambda now: self._core.send_text(text, now))

    async def send_content(self, turns: Sequence[ChatMessage], *, turn_complete: bool = True) -> None:
        """Append turns to the conversation; any of them interrupts a running answer.

        Args:
            turns: Oldest first.
            turn_complete: Whether the model answers now.

        Raises:
            ConfigError: Something that is no ``ChatMessage``.
        """
        check_turns(turns)
        driver = self._live_driver("send_content")
        driver.command(lambda now: self._core.send_content(turns, now, turn_complete=turn_complete))

    async def send_tool_result(
        self,
        call_id: str,
        result: Any,
        *,
        is_error: bool = False,
        scheduling: Scheduling | None = None,
        will_continue: bool = False,
    ) -> None:
        """Answer a call that no registered tool runs.

        Args:
            call_id: From the ``ToolCall``.
            result: A JSON object is sent as it is; anything else as ``{"output": result}``.
            is_error: Sends ``{"error": text}`` instead.
            scheduling: For NON_BLOCKING calls.
            will_continue: More results of this call follow.

        Raises:
            ConfigError: No such call, or a result JSON cannot hold.
        """
        response = tool_response(result, is_error=is_error)
        driver = self._live_driver("send_tool_result")
        driver.command(
            lambda now: self._core.tool_result(
                call_id, response, now, is_error=is_error, scheduling=scheduling, will_continue=will_continue
            )
        )

    async def generate_reply(self, instructions: str | None = None, *, timeout_s: float = 5.0) -> Generation:
        """Make the model speak; return its answer as soon as that begins.

        Cancelling it does not take the request back.

        Args:
            instructions: What about; None lets the model go on.
            timeout_s: How long to wait for the beginning.

        Raises:
            ReplyTimeout: It did not begin in time.
            ReplySuperseded: A newer call took its place.
            ReplyAborted: The session ended first.
            SessionClosed: It had ended before.
            ConfigError: Instructions that are no str, or a time that is no number.
        """
        check_reply(instructions, timeout_s)
        driver = self._live_driver("generate_reply")

        def ask(expect: Callable[[int], None]) -> None:
            driver.command(lambda now: expect(self._core.generate_reply(instructions, timeout_s, now)))

        return await self._replies.ask(ask)

    def interrupt(self) -> None:
        """Silence the model at once; the service is told where it can be. Idempotent per generation."""
        if self._driver is not None:
            self._driver.command(self._core.interrupt)

    def start_user_activity(self) -> None:
        """Mark that the user begins to speak (manual detection only)."""
        self._live_driver("start_user_activity").command(self._core.start_activity)

    def end_user_activity(self) -> None:
        """Mark that the user has finished (manual detection only)."""
        self._intake.flush()
        self._live_driver("end_user_activity").command(self._core.end_activity)

    def commit_audio(self) -> None:
        """Say that the sound pauses here: audioStreamEnd, or activityEnd with manual detection."""
        self._intake.flush()
        self._live_driver("commit_audio").command(self._core.commit_audio)

    def clear_audio(self) -> None:
        """Drop the caller's sound that is not on the wire yet."""
        self._intake.reset()
        if self._driver is not None:
            self._driver.clear_audio()

    def report_playhead(self, generation_id: str, played_ms: int) -> None:
        """Tell how much of a generation was heard; attached sinks do this themselves."""
        self._core.report_playhead(generation_id, played_ms)

    def send_raw(self, message: Mapping[str, Any]) -> None:
        """Send any message as it is: the way out for what this package does not know yet. Warns once."""
        if not self._raw_sent:
            self._raw_sent = True
            _log.warning("send_raw: what is sent so is not checked, and the session does not know of it")
        self._live_driver("send_raw").command(lambda now: self._core.send_raw(message, now))

    # -- inside -------------------------------------------------------------------------------

    def _source_ended(self) -> None:
        """An attached source is exhausted: what it said last must not wait for more of it."""
        if self._core.manual_activity:
            self._intake.flush()  # where an activity ends is for the application to say
        else:
            self.commit_audio()

    def _live_driver(self, command: str) -> Driver:
        if self._driver is None:
            raise SessionClosed(f"{command}: the session is not open yet; enter it with `async with` first")
        if self._core.is_live:  # else the command itself says what is wrong
            self._driver.check_room()
        return self._driver

    def _push(self, pcm: bytes | memoryview, rate_hz: int) -> None:
        if self._driver is None:
            raise SessionClosed("push_audio: the session is not open yet; enter it with `async with` first")
        self._driver.push_audio(pcm, rate_hz)

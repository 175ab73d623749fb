"""The driver: one owned task that moves bytes, time and results between the world and the core.

Inside it a TaskGroup holds reader, writer, tools and whatever the façade spawns (microphones). It never
spans somebody's ``async with``; failures travel as data: into the core, and out as ``SessionEnded``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from duologue.core.outlet import ReplyFailed, ReplyStarted
from duologue.errors import ConnectError, DuologueError, LinkLost, ProtocolError, SessionClosed
from duologue.events import RawMessage, SessionEnded, SessionError, SessionReady, ToolCall, ToolResult
from duologue.io.outbox import Outbox
from duologue.wire.codec import ServerDecoder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from duologue.config import Clock, SessionOptions, ToolOutcome, ToolRunner
    from duologue.core.outlet import Notice
    from duologue.core.session import Session
    from duologue.events import Event
    from duologue.io.transport import TransportLink

__all__ = ["Driver"]

T = TypeVar("T")

_log = logging.getLogger("duologue.link")


class Driver:
    """Runs one session's core against one link.

    Args:
        core: The session; nobody else touches it.
        connect: Opens the link.
        options: Limits.
        clock: Time for the core.
        deliver: Receives every public event, in order.
        notify: Receives what became of replies, in the same order.
        runner: Runs the tools it has; calls of others are left to the application.
        owner: What tools get as their session.
    """

    def __init__(
        self,
        core: Session,
        connect: Callable[[], Awaitable[TransportLink]],
        *,
        options: SessionOptions,
        clock: Clock,
        deliver: Callable[[Event], None],
        notify: Callable[[Notice], None],
        runner: ToolRunner | None = None,
        owner: object = None,
    ) -> None:
        self._core = core
        self._connect = connect
        self._options = options
        self._clock = clock
        self._deliver = deliver
        self._notify = notify
        self._runner = runner
        self._owner = owner
        self._decoder = ServerDecoder()
        self._outbox = Outbox(audio_limit_ms=options.uplink_buffer_ms, message_limit=options.outbox_messages)
        loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = loop.create_future()
        self._over = asyncio.Event()
        self._cancel_timer: Callable[[], None] | None = None
        self._timer_at: float | None = None
        self._group: asyncio.TaskGroup | None = None
        self._tools: dict[str, asyncio.Task[None]] = {}
        self._inner: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    # -- life ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect; return once setupComplete has arrived.

        Cancelling it gives the attempt up and leaves nothing behind.

        Raises:
            ConnectError: Why there is no session; with code, reason and phase.
        """
        self._core.connect(self._clock.now())
        self._task = asyncio.create_task(self._run(), name="duologue-session")
        try:
            await asyncio.shield(self._opened)
        except asyncio.CancelledError:
            await self.stop()
            raise
        except DuologueError:
            await self._task
            raise

    async def stop(self) -> None:
        """End the session in good order and wait until everything of it has ended; never raises.

        From inside one of the session's own tasks it only asks for the end, since that task is part of it.
        """
        self._core.close(self._clock.now())
        self.pump()
        task = self._task
        current = asyncio.current_task()
        if task is None or current is task or current in self._inner:
            return
        with contextlib.suppress(Exception):  # what went wrong has been told as SessionEnded
            await asyncio.shield(task)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine inside the session's task group; its failure becomes a ``SessionError``."""
        if self._group is None or self._over.is_set():
            work.close()
            return
        self._keep(self._group.create_task(self._guarded(work)))

    def command(self, run: Callable[[float], T]) -> T:
        """Run a command of the core now and move what came of it."""
        result = run(self._clock.now())
        self.pump()
        return result

    def check_room(self) -> None:
        """Refuse a command while too many messages wait (``QueueFull``)."""
        self._outbox.check_room()

    @property
    def dropped_ms(self) -> float:
        """Sound dropped because the link was slower than real time."""
        return self._outbox.dropped_ms

    @property
    def unknown_fields(self) -> dict[str, int]:
        """Fields the service sent that this package does not know, with how often."""
        return dict(self._decoder.unknown)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._inner.add(task)
        task.add_done_callback(self._inner.discard)

    async def _run(self) -> None:
        try:
            link = await self._connected()
        except DuologueError as error:
            self._core.connect_failed(error, self._clock.now())
            self.pump()
            return
        except Exception as error:
            _log.exception("connecting failed unexpectedly")
            wrapped = ConnectError(f"connecting failed: {type(error).__name__}: {error}")
            self._core.connect_failed(wrapped, self._clock.now())
            self.pump()
            return
        if link is None:
            return
        try:
            await self._converse(link)
        finally:
            # Also on cancellation from outside (a loop that shuts down): nobody is left waiting.
            self._core.close(self._clock.now())
            self.pump()

    async def _connected(self) -> TransportLink | None:
        """Open the link; None when the session is closed before it is open."""
        attempt = asyncio.ensure_future(self._connect())
        over = asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait({attempt, over}, return_when=asyncio.FIRST_COMPLETED)
            return attempt.result() if attempt.done() else None
        finally:
            over.cancel()
            attempt.cancel()
            await asyncio.wait({attempt, over})

    async def _converse(self, link: TransportLink) -> None:
        if not self._over.is_set():
            self._core.link_opened(self._clock.now())
            self.pump()
        async with asyncio.TaskGroup() as group:
            self._group = group
            reader = group.create_task(self._read(link), name="duologue-reader")
            writer = group.create_task(self._write(link), name="duologue-writer")
            await self._over.wait()
            reader.cancel()
            writer.cancel()
            await self._flush(link)
            await link.close()
            for task in list(self._inner):
                task.cancel()
        self._group = None

    async def _flush(self, link: TransportLink) -> None:
        """Write what was accepted before the end: results and text must not be lost to a close."""
        with contextlib.suppress(LinkLost, TimeoutError):
            async with asyncio.timeout(self._options.close_timeout_s):
                while len(self._outbox):
                    await link.send((await self._outbox.get()).data)

    # -- the moving parts ---------------------------------------------------------------------

    async def _read(self, link: TransportLink) -> None:
        decode, receive, now = self._decoder.decode, self._core.receive, self._clock.now
        try:
            while True:
                frame = await link.receive()
                if self._options.raw_messages:
                    raw = frame.encode() if isinstance(frame, str) else frame
                    self._deliver(RawMessage(raw))
                try:
                    messages = decode(frame)
                except ProtocolError as error:
                    self._core.report_error(error)
                    messages = []
                for message in messages:
                    self._receive(receive, message, now())
                self.pump()
        except LinkLost as lost:
            self._core.link_lost(lost, self._clock.now())
            self.pump()

    def _receive(self, receive: Callable[[Any, float], None], message: Any, now: float) -> None:
        try:
            receive(message, now)
        except ProtocolError as error:
            self._core.report_error(error)

    async def _write(self, link: TransportLink) -> None:
        # A link that is lost is lost for the reader too, which also knows the close frame.
        with contextlib.suppress(LinkLost):
            while True:
                frame = await self._outbox.get()
                await link.send(frame.data)

    def pump(self) -> None:
        """Move everything the core has produced: frames out, events out, the timer anew."""
        for frame in self._core.to_send():
            self._outbox.put(frame)
        for event in self._core.events():
            if isinstance(event, ReplyStarted | ReplyFailed):
                self._notify(event)
                continue
            self._deliver(event)
            self._follow(event)
        self._arm()

    def _follow(self, event: Event) -> None:
        """Do what an event means for the driver itself."""
        match event:
            case ToolCall():
                self._start_tool(event)
            case ToolResult(call_id=call_id, outcome=outcome) if outcome != "answered":
                task = self._tools.pop(call_id, None)
                if task is not None:
                    task.cancel()
            case SessionReady():
                if not self._opened.done():
                    self._opened.set_result(None)
            case SessionEnded(error=error):
                if not self._opened.done():
                    self._opened.set_exception(
                        error
                        if error is not None
                        else ConnectError("the session was closed while connecting")
                    )
                    self._opened.exception()  # told below by start(), or nobody waits any more
                self._over.set()
            case _:
                pass

    def _arm(self) -> None:
        deadline = self._core.next_deadline()
        if deadline == self._timer_at:
            return
        if self._cancel_timer is not None:
            self._cancel_timer()
            self._cancel_timer = None
        self._timer_at = deadline
        if deadline is not None:
            self._cancel_timer = self._clock.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._cancel_timer = None
        self._timer_at = None
        self._core.handle_timeout(self._clock.now())
        self.pump()

    # -- tools --------------------------------------------------------------------------------

    def _start_tool(self, call: ToolCall) -> None:
        runner = self._runner
        if runner is None or self._group is None or not runner.handles(call.name):
            return
        task = self._group.create_task(self._run_tool(runner, call))
        self._tools[call.call_id] = task
        self._keep(task)

    async def _run_tool(self, runner: ToolRunner, call: ToolCall) -> None:
        # Closing the run, also when this task is cancelled between two outcomes, cancels the tool.
        async with contextlib.aclosing(runner.run(call, self._owner)) as outcomes:
            async for outcome in outcomes:
                self._tell(call, outcome)

    def _tell(self, call: ToolCall, outcome: ToolOutcome) -> None:
        if outcome.failure is not None:
            self._core.report_error(outcome.failure)
        if not outcome.will_continue:
            self._tools.pop(call.call_id, None)  # ended: nothing is left to cancel
        with contextlib.suppress(SessionClosed):  # the session ended meanwhile, the call with it
            self._core.tool_result(
                call.call_id,
                outcome.response,
                self._clock.now(),
                is_error=outcome.is_error,
                scheduling=outcome.scheduling,
                will_continue=outcome.will_continue,
            )
        self.pump()

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            _log.debug("a task of the session failed", exc_info=True)
            self._deliver(SessionError(error))

"""The driver: one owned task that moves bytes, time and results between the world and the core.

Inside it a TaskGroup holds reader, writer, tools and whatever the façade spawns (microphones). It never
spans somebody's ``async with``; failures travel as data: into the core, and out as ``SessionEnded``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar, cast

from duologue.core.outlet import Frame, ReplyFailed, ReplyStarted
from duologue.errors import ConnectError, DuologueError, LinkLost
from duologue.events import (
    AudioOutput,
    Interrupted,
    RawMessage,
    SessionEnded,
    SessionReady,
    ToolCall,
    ToolResult,
)
from duologue.io.outbox import Outbox
from duologue.io.toolruns import ToolRuns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from duologue.config import Clock, Recorder, SessionOptions, ToolRunner
    from duologue.core.outlet import Notice
    from duologue.core.session import Session
    from duologue.events import Event
    from duologue.io.transport import TransportLink

__all__ = ["Driver"]

T = TypeVar("T")

_log = logging.getLogger("duologue.link")

_FRAMES_A_TURN = 64

_LAST = Frame(b"")
"""Tells the writer that nothing comes after it."""

_NOTICES = (ReplyStarted, ReplyFailed)
_FOLLOWED = frozenset({ToolCall, ToolResult, SessionReady, SessionEnded})
"""Events that mean something to the driver itself; looked up first, since most events are sound."""


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
        recorder: What the core's journal goes to; closed with the session.
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
        recorder: Recorder | None = None,
    ) -> None:
        self._core = core
        self._recorder = recorder
        self._connect = connect
        self._options = options
        self._clock = clock
        self._deliver = deliver
        self._notify = notify
        self._cleared_ms = 0.0
        self._events: deque[Event | Notice] = deque()
        self._delivering = False
        self._outbox = Outbox(stale_after_ms=options.uplink_buffer_ms, message_limit=options.outbox_messages)
        loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = loop.create_future()
        self._over = asyncio.Event()
        self._attempt: asyncio.Future[TransportLink] | None = None
        self._cancel_timer: Callable[[], None] | None = None
        self._timer_at: float | None = None
        self._group: asyncio.TaskGroup | None = None
        self._tools = ToolRuns(core, runner, owner=owner, clock=clock, pump=self.pump)
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
            await asyncio.wait({self._task})
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
        await asyncio.wait({task})  # what went wrong there has been told as SessionEnded

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

    def push_audio(self, pcm: bytes | memoryview, rate_hz: int) -> None:
        """Hand the caller's sound to the core; most pieces only wait there for the rest of a chunk."""
        core = self._core
        core.push_audio(pcm, rate_hz, self._clock.now())
        if core.has_output:
            self.pump()

    def check_room(self) -> None:
        """Refuse a command while too many messages wait (``QueueFull``)."""
        self._outbox.check_room()

    def clear_audio(self) -> None:
        """Drop the caller's sound that is not on the wire yet, wherever it waits."""
        self._core.clear_audio()
        self._cleared_ms += self._outbox.drop_sound()
        self.pump()

    @property
    def counters(self) -> dict[str, int]:
        """What was dropped, discarded or ignored, by the core and here; zeros are left out."""
        mine = {
            "outbox_dropped_ms": round(self._outbox.dropped_ms),
            "outbox_cleared_ms": round(self._cleared_ms),
            "unknown_fields": self._core.unknown_fields,
        }
        return {**self._core.counters, **{name: count for name, count in mine.items() if count}}

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._inner.add(task)
        task.add_done_callback(self._inner.discard)

    async def _run(self) -> None:
        try:
            link = await self._connected()
            if link is not None:
                await self._converse(link)
        except DuologueError as error:
            self._core.fail(error, self._clock.now())
        except Exception as error:
            self._core.fail(_unexpected(error, connecting=self._group is None), self._clock.now())
        finally:
            # Also on cancellation from outside (a loop that shuts down): nobody is left waiting.
            self._group = None
            self._core.close(self._clock.now())
            self.pump()
            if self._recorder is not None:
                await self._recorder.aclose()

    async def _connected(self) -> TransportLink | None:
        """Open the link; None when the session is closed before it is open."""
        attempt = self._attempt = asyncio.ensure_future(self._connect())
        try:
            await asyncio.wait({attempt})
        except asyncio.CancelledError:
            attempt.cancel()
            await asyncio.wait({attempt})
            if not attempt.cancelled() and attempt.exception() is None:
                await attempt.result().close()  # made in the very moment it was given up
            raise
        return None if attempt.cancelled() else attempt.result()

    async def _converse(self, link: TransportLink) -> None:
        try:
            if not self._over.is_set():
                self._core.link_opened(self._clock.now())
                self.pump()
            async with asyncio.TaskGroup() as group:
                self._group = group
                reader = group.create_task(self._read(link), name="duologue-reader")
                writer = group.create_task(self._write(link), name="duologue-writer")
                await self._over.wait()
                reader.cancel()
                await self._finish(writer)
                await link.close()
                for task in list(self._inner):
                    task.cancel()
        finally:
            await link.close()  # when it failed or was cancelled: no socket is left behind

    async def _finish(self, writer: asyncio.Task[None]) -> None:
        """Write what was accepted before the end: results and text must not be lost to a close.

        By the writer itself: cancelled in the middle of a message it would lose that one.
        """
        self._outbox.put(_LAST, self._clock.now())
        await asyncio.wait({writer}, timeout=self._options.close_timeout_s)
        writer.cancel()

    # -- the moving parts ---------------------------------------------------------------------

    async def _read(self, link: TransportLink) -> None:
        receive, now = self._core.receive_frame, self._clock.now
        frames_read = 0
        try:
            while not self._over.is_set():  # what is read after the end is told nobody
                frame = await link.receive()
                frames_read += 1
                if (
                    frames_read % _FRAMES_A_TURN == 0
                ):  # in a flood receive() never waits: let the readers read
                    await asyncio.sleep(0)
                if isinstance(frame, str):
                    frame = frame.encode(errors="surrogatepass")
                if self._options.raw_messages:
                    self._deliver(RawMessage(frame))
                receive(frame, now())
                self.pump()
        except LinkLost as lost:
            self._core.link_lost(lost, self._clock.now())
            self.pump()

    async def _write(self, link: TransportLink) -> None:
        # A link that is lost is lost for the reader too, which also knows the close frame.
        with contextlib.suppress(LinkLost):
            while (frame := await self._outbox.get()) is not _LAST:
                await link.send(frame.data)

    def pump(self) -> None:
        """Move everything the core has produced: frames out, events out, the timer anew.

        A command given from inside an ``on`` function comes back here: its events queue up behind those
        that are being delivered, so that everybody sees one order.
        """
        frames = self._core.to_send()
        if frames:
            now = self._clock.now()
            for frame in frames:
                self._outbox.put(frame, now)
            if self._outbox.is_overfull and not self._over.is_set():
                self._core.fail(_too_slow(), now)
        if self._delivering:
            self._queue_up(self._core.events())
            return
        events = self._core.events()
        if events:
            self._events.extend(events)
            self._tell_events()
        self._arm()

    def _tell_events(self) -> None:
        self._delivering = True
        try:
            while self._events:
                event = self._events.popleft()
                if isinstance(event, _NOTICES):
                    self._notify(event)
                    continue
                self._deliver(event)
                if type(event) in _FOLLOWED:
                    self._follow(event)
        finally:
            self._delivering = False

    def _queue_up(self, events: Iterable[Event | Notice]) -> None:
        """Add events behind those being delivered; an interruption takes its sound out of these first."""
        for event in events:
            if isinstance(event, Interrupted):
                silent = event.generations
                self._events = deque(
                    e for e in self._events if not (isinstance(e, AudioOutput) and e.generation_id in silent)
                )
            self._events.append(event)

    def _follow(self, event: Event) -> None:
        """Do what an event means for the driver itself."""
        match event:
            case ToolCall():
                task = self._tools.start(event, self._group) if self._group is not None else None
                if task is not None:
                    self._keep(task)
            case ToolResult(call_id=call_id, outcome=outcome) if outcome != "answered":
                self._tools.cancel(call_id)
            case SessionReady():
                if not self._opened.done():
                    self._opened.set_result(None)
            case SessionEnded(error=error):
                if self._opened.done() and error is not None:
                    # The iterators end without an exception: who looks at no event would never know.
                    _log.warning("the session has ended: %s", error)
                if not self._opened.done():
                    self._opened.set_exception(
                        error
                        if error is not None
                        else ConnectError("the session was closed while connecting")
                    )
                    self._opened.exception()  # told below by start(), or nobody waits any more
                self._over.set()
                if self._attempt is not None:
                    self._attempt.cancel()  # nothing, once the link is open
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

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            _log.debug("a task of the session failed", exc_info=True)
            self._core.report_error(error)  # nothing, when that is after the end
            self.pump()


def _unexpected(error: Exception, *, connecting: bool) -> DuologueError:
    """Make data of a mistake, ours or a stranger's transport's; the log has its traceback."""
    if isinstance(error, ExceptionGroup):  # of the task group: each part may be one again
        parts = cast("ExceptionGroup[Exception]", error).exceptions
        return _unexpected(parts[0], connecting=connecting)
    _log.error("the session failed unexpectedly", exc_info=error)
    what = f"{type(error).__name__}: {error}"
    failure = (
        ConnectError(f"connecting failed: {what}")
        if connecting
        else DuologueError(f"the session failed: {what}")
    )
    failure.__cause__ = error
    return failure


def _too_slow() -> LinkLost:
    return LinkLost(
        "the link takes messages more slowly than they come: too much waits to be written", code=1006
    )

"""One source of events, many readers: plain functions first, then bounded queues.

A slow reader loses sound (bounded per generation in seconds, counted), never a control event; a reader
whose control queue overflows gets ``SlowConsumer`` and the others go on. On interruption the sound of
the interrupted generations is taken out of every queue before ``Interrupted`` goes in. Queues are held
weakly: a reader that nobody holds stores nothing.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from duologue.core.generation import OUTPUT_BYTES_PER_MS
from duologue.core.outlet import BULK
from duologue.errors import SlowConsumer
from duologue.events import AudioOutput, Interrupted, SessionEnded, SessionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from duologue.events import Event

__all__ = ["Fanout", "Subscription"]

E = TypeVar("E")

_log = logging.getLogger("duologue")


class Subscription:
    """An async iterator over events, from the moment it was made until ``SessionEnded``.

    Cancelling a pending ``anext`` loses nothing. One reader at a time.

    Args:
        kinds: Only events of these classes; None is all.
        control_limit: Unread control events beyond this raise ``SlowConsumer`` in this reader.
        audio_limit_s: Unread sound of one generation beyond this is dropped, oldest first.
        accept: A further filter.
    """

    def __init__(
        self,
        *,
        kinds: frozenset[type] | None,
        control_limit: int,
        audio_limit_s: float,
        accept: Callable[[Event], bool] | None = None,
    ) -> None:
        self.kinds = kinds
        self._accept = accept
        self._control_limit = control_limit
        self._audio_limit_bytes = round(audio_limit_s * 1000 * OUTPUT_BYTES_PER_MS)
        self._queue: deque[Event] = deque()
        self._audio_bytes: dict[str, int] = {}
        self._control = 0
        self._waiter: asyncio.Future[None] | None = None
        self._ended: Exception | None = None
        self.dropped_audio_ms = 0

    @property
    def finished(self) -> bool:
        """Whether nothing more will be put in."""
        return self._ended is not None

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Event:
        while not self._queue:
            if self._ended is not None:
                raise self._ended
            if self._waiter is not None:
                raise RuntimeError(
                    "this iterator is being read already: give each task its own, aiter(session)"
                )
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        event = self._queue.popleft()
        if type(event) is AudioOutput:
            self._read_audio(event)
        else:
            self._control -= 1
        return event

    def put(self, event: Event) -> None:
        """Add an event this reader wants; never blocks, never raises."""
        if self._ended is not None:
            return
        kind = type(event)
        if isinstance(event, Interrupted):
            self._purge(event)
        if (self.kinds is None or kind in self.kinds) and (self._accept is None or self._accept(event)):
            self._store(event)
        if kind is SessionEnded:
            self.end()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def end(self, error: Exception | None = None) -> None:
        """Put nothing in any more; the reader stops after what is queued, with ``error`` if given."""
        if self._ended is None:
            self._ended = error if error is not None else StopAsyncIteration()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _store(self, event: Event) -> None:
        self._queue.append(event)
        if type(event) is AudioOutput:
            waiting = self._audio_bytes.get(event.generation_id, 0) + len(event.pcm)
            self._audio_bytes[event.generation_id] = waiting
            while self._audio_bytes.get(event.generation_id, 0) > self._audio_limit_bytes:
                self._drop_oldest(event.generation_id)  # pieces differ in length: one may not be enough
            return
        self._control += 1
        if self._control > self._control_limit:
            self._queue.clear()
            msg = f"this reader left more than {self._control_limit} events unread and was cut off"
            self.end(SlowConsumer(msg))

    def _read_audio(self, event: AudioOutput) -> None:
        left = self._audio_bytes[event.generation_id] - len(event.pcm)
        if left:
            self._audio_bytes[event.generation_id] = left
        else:
            del self._audio_bytes[event.generation_id]

    def _drop_oldest(self, generation_id: str) -> None:
        for index, event in enumerate(self._queue):
            if isinstance(event, AudioOutput) and event.generation_id == generation_id:
                del self._queue[index]
                self._read_audio(event)
                self.dropped_audio_ms += len(event.pcm) // OUTPUT_BYTES_PER_MS
                return

    def _purge(self, event: Interrupted) -> None:
        gone = set(event.generations)
        if not gone.intersection(self._audio_bytes):
            return
        self._queue = deque(
            e for e in self._queue if not (isinstance(e, AudioOutput) and e.generation_id in gone)
        )
        for generation_id in gone:
            self._audio_bytes.pop(generation_id, None)


class Fanout:
    """Delivers each event to the functions and queues that want it.

    Args:
        control_limit: For every queue.
        audio_limit_s: For every queue.
        on_interest: Told which bulk kinds anybody reads, whenever that changes.
    """

    def __init__(
        self, *, control_limit: int, audio_limit_s: float, on_interest: Callable[[frozenset[type]], None]
    ) -> None:
        self._control_limit = control_limit
        self._audio_limit_s = audio_limit_s
        self._on_interest = on_interest
        self._functions: list[tuple[frozenset[type] | None, Callable[[Any], None]]] = []
        self._queues: list[weakref.ref[Subscription]] = []
        self._last: SessionEnded | None = None
        self._tell_interest()

    def on(self, kinds: frozenset[type] | None, function: Callable[[Any], None]) -> Callable[[], None]:
        """Call ``function`` synchronously for each event of these kinds, in wire order.

        Returns:
            A function that ends it; calling that twice is harmless.

        Raises:
            TypeError: ``function`` is none, or a coroutine function: it would never be awaited.
        """
        if not callable(function):
            raise TypeError(f"{function!r} is no function; give on() one that takes an event")
        if inspect.iscoroutinefunction(function):
            name = getattr(function, "__name__", "the function")
            raise TypeError(
                f"{name} is a coroutine function; give on() a plain function, or iterate the session"
            )
        entry = (kinds, function)
        self._functions = [*self._functions, entry]
        self._tell_interest()

        def off() -> None:
            self._functions = [other for other in self._functions if other is not entry]
            self._tell_interest()

        return off

    def subscribe(
        self, kinds: frozenset[type] | None = None, accept: Callable[[Event], bool] | None = None
    ) -> Subscription:
        """Return a new queue that fills from now on, for as long as somebody holds it."""
        subscription = Subscription(
            kinds=kinds, control_limit=self._control_limit, audio_limit_s=self._audio_limit_s, accept=accept
        )
        if self._last is not None:
            subscription.put(self._last)
            return subscription
        self._queues = [*self._queues, weakref.ref(subscription, self._forget)]
        self._tell_interest()
        return subscription

    def deliver(self, event: Event) -> None:
        """Hand an event to everybody; a function's exception becomes a ``SessionError``."""
        kind = type(event)
        failures: list[Exception] = []
        for kinds, function in self._functions:
            if kinds is None or kind in kinds:
                try:
                    function(event)
                except Exception as error:  # one subscriber's mistake must not stop the reader
                    failures.append(error)
                except asyncio.CancelledError as error:  # of a future it looked at: nobody cancels a function
                    failures.append(_not_cancelled(function, error))
        for reference in self._queues:
            subscription = reference()
            if subscription is not None:
                subscription.put(event)
        if isinstance(event, SessionEnded):
            self._last = event
        for failure in failures:
            self._report(failure, event)

    def _report(self, error: Exception, event: Event) -> None:
        if isinstance(event, SessionError | SessionEnded):  # nothing comes after the end, nor out of itself
            _log.error("a function given to on() failed at %s", type(event).__name__, exc_info=error)
        else:
            self.deliver(SessionError(error))

    def _forget(self, reference: weakref.ref[Subscription]) -> None:
        self._queues = [other for other in self._queues if other is not reference]
        self._tell_interest()

    def _tell_interest(self) -> None:
        wanted: set[type] = set()
        kinds_of_all = [kinds for kinds, _ in self._functions]
        kinds_of_all += [q.kinds for q in (reference() for reference in self._queues) if q is not None]
        for kinds in kinds_of_all:
            wanted |= BULK if kinds is None else BULK & kinds
        self._on_interest(frozenset(wanted))


def _not_cancelled(function: Callable[[Any], None], error: asyncio.CancelledError) -> Exception:
    """Return a cancellation as an exception that tasks do not take for their own."""
    failure = RuntimeError(
        f"{getattr(function, '__name__', 'a function')} given to on() raised CancelledError"
    )
    failure.__cause__ = error
    return failure

"""One answer of the model, as streams of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from duologue.core.outlet import BULK
from duologue.events import (
    AudioOutput,
    GenerationCompleted,
    GenerationCreated,
    GenerationStatus,
    SessionEnded,
    TextOutput,
    ToolCall,
    Transcript,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from duologue.events import Event
    from duologue.io.fanout import Fanout

__all__ = ["Generation", "GenerationReader"]

T = TypeVar("T")


class _Stream(Generic[T]):
    """What one kind of event says about one generation, until that generation ends."""

    def __init__(
        self, fanout: Fanout, generation_id: str, kinds: frozenset[type], value: Callable[[Event], T | None]
    ) -> None:
        def belongs(event: Event) -> bool:
            match event:
                case GenerationCompleted(id=other) | AudioOutput(generation_id=other):
                    return other == generation_id
                case TextOutput(generation_id=other) | ToolCall(generation_id=other):
                    return other == generation_id
                case Transcript(role=role):
                    return role == "model"
                case _:
                    return True

        self._events = fanout.subscribe(kinds | {GenerationCompleted, SessionEnded}, accept=belongs)
        self._value = value

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while True:
            event = await anext(self._events)
            if isinstance(event, GenerationCompleted | SessionEnded):
                self._events.end()
                raise StopAsyncIteration
            value = self._value(event)
            if value is not None:
                return value


class Generation:
    """One generation: its sound, its words, its tool calls, its end.

    The streams fill from the moment this object exists and store nothing once nobody holds it. Each can
    be read once. They do not pace: sound comes faster than real time.

    Args:
        generation_id: Its id, as in every event about it.
        fanout: Where its events come from.
        cancel: Interrupts it.
    """

    def __init__(self, generation_id: str, fanout: Fanout, cancel: Callable[[], None]) -> None:
        self.id = generation_id
        self._cancel = cancel
        self._status: GenerationStatus | None = None
        self._asking = asyncio.Lock()
        self._end = fanout.subscribe(
            frozenset({GenerationCompleted, SessionEnded}),
            accept=lambda e: not isinstance(e, GenerationCompleted) or e.id == generation_id,
        )
        self.audio: AsyncIterator[bytes] = _Stream(
            fanout,
            generation_id,
            frozenset({AudioOutput}),
            lambda e: e.pcm if isinstance(e, AudioOutput) else None,
        )
        """s16le mono 24 kHz pieces, in order."""
        self.text: AsyncIterator[str] = _Stream(
            fanout, generation_id, frozenset({TextOutput, Transcript}), _words
        )
        """Words of the answer: transcript fragments, or text in the TEXT modality."""
        self.function_calls: AsyncIterator[ToolCall] = _Stream(
            fanout, generation_id, frozenset({ToolCall}), lambda e: e if isinstance(e, ToolCall) else None
        )
        """Functions the model asked for in it."""

    async def status(self) -> GenerationStatus:
        """Wait for its end and return how it ended; asking again returns the same."""
        async with self._asking:  # a queue has one reader, an end may be waited for by many
            if self._status is None:
                event = await anext(self._end)
                self._status = event.status if isinstance(event, GenerationCompleted) else "lost"
        return self._status

    def cancel(self) -> None:
        """Interrupt its turn: silence at once; nothing when that has been heard or another has begun."""
        self._cancel()

    def __repr__(self) -> str:
        return f"Generation({self.id!r})"


def _words(event: Event) -> str | None:
    if isinstance(event, TextOutput):
        return event.text or None
    if isinstance(event, Transcript):
        return event.delta or None
    return None


class GenerationReader:
    """An async iterator over answers, until the session ends."""

    def __init__(self, fanout: Fanout) -> None:
        self._ready: deque[Generation] = deque()
        self._events = fanout.subscribe(BULK | {GenerationCreated, SessionEnded}, self._counts)

    @staticmethod
    def _counts(event: Event) -> bool:
        """Bulk kinds are only named to have them built; this reader stores the marks alone."""
        return isinstance(event, GenerationCreated | SessionEnded)

    def put(self, generation: Generation) -> None:
        """Add an answer that has just begun."""
        self._ready.append(generation)

    def __aiter__(self) -> GenerationReader:
        return self

    async def __anext__(self) -> Generation:
        async for event in self._events:
            if isinstance(event, SessionEnded):
                break
            if self._ready:
                return self._ready.popleft()
        raise StopAsyncIteration

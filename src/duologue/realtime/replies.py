"""Answers as the application gets them: one asked for, or every one in turn."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING

from duologue.core.outlet import BULK, ReplyStarted
from duologue.events import GenerationCreated, TurnCompleted
from duologue.realtime.generation import Generation, GenerationReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from duologue.core.outlet import Notice
    from duologue.io.fanout import Fanout

__all__ = ["Replies"]


class Replies:
    """Makes a :class:`Generation` in the very moment one begins, so that it holds its first sound.

    Args:
        fanout: Where a generation's events come from.
        interrupt: Silences the running turn, or the last one while it still sounds.
    """

    def __init__(self, fanout: Fanout, interrupt: Callable[[], None]) -> None:
        self._fanout = fanout
        self._interrupt = interrupt
        self._turn: set[str] = set()
        self.in_turn = False
        """Whether a turn of the model has begun and not completed."""
        self._asked: dict[int, asyncio.Future[Generation]] = {}
        self._readers: weakref.WeakSet[GenerationReader] = weakref.WeakSet()
        fanout.on(frozenset({GenerationCreated}), self._created)
        fanout.on(frozenset({TurnCompleted}), self._completed)

    async def ask(self, command: Callable[[Callable[[int], None]], None]) -> Generation:
        """Give the command that asks for a reply; wait until that begins.

        Args:
            command: Must call its argument with the reply's id before anything can become of it.

        Raises:
            ReplyError: It will not begin.
        """
        future: asyncio.Future[Generation] = asyncio.get_running_loop().create_future()
        asked: list[int] = []

        def expect(reply_id: int) -> None:
            asked.append(reply_id)
            self._asked[reply_id] = future

        release = self._fanout.on(BULK, _ignore)  # from now on, so that the first sound is built
        try:
            command(expect)
            return await future
        finally:
            release()
            if future.done() and not future.cancelled():
                future.exception()  # told to nobody, when this was cancelled in that very moment
            for reply_id in asked:
                del self._asked[reply_id]

    def notified(self, notice: Notice) -> None:
        """Take what has become of a reply."""
        future = self._asked.get(notice.reply_id)
        if future is None or future.done():
            return
        if isinstance(notice, ReplyStarted):
            future.set_result(self._make(notice.generation_id))
        else:
            future.set_exception(notice.error)

    def reader(self) -> GenerationReader:
        """Return an iterator over every answer from now on."""
        reader = GenerationReader(self._fanout)
        self._readers.add(reader)
        return reader

    def _created(self, event: GenerationCreated) -> None:
        if not self.in_turn:
            self._turn.clear()
            self.in_turn = True
        self._turn.add(event.id)
        readers = list(self._readers)
        if readers:
            generation = self._make(event.id)
            for reader in readers:
                reader.put(generation)

    def _completed(self, event: TurnCompleted) -> None:  # noqa: ARG002
        self.in_turn = False  # its ids are kept: it may sound for long

    def _make(self, generation_id: str) -> Generation:
        return Generation(generation_id, self._fanout, lambda: self._cancel(generation_id))

    def _cancel(self, generation_id: str) -> None:
        """Interrupt a generation, unless a later turn has taken its place."""
        if generation_id in self._turn:
            self._interrupt()


def _ignore(event: object) -> None:
    """Take part in the interest, not in the events."""

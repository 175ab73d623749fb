"""Threads for tools that are not async.

Not the loop's default executor: it has few workers, name resolution needs them too, and a tool that
hangs would keep one for ever and hold up the end of the process. Here a thread is a daemon of its own,
and a thread that outlives its call still counts until it ends, so that hanging tools cannot pile up.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Threads"]


class Threads:
    """At most ``limit`` threads; more wait their turn.

    Args:
        limit: 1 or more.
    """

    def __init__(self, limit: int) -> None:
        self._slots = asyncio.Semaphore(limit)

    async def run(self, function: Callable[[], Any], name: str) -> Any:
        """Run a function in a thread of its own and return its result or raise its exception.

        What it raises that is no ``Exception``, such as SystemExit or KeyboardInterrupt, is raised as a
        RuntimeError: out of a thread it is nobody's wish to end the program.

        When cancelled, the thread goes on (it cannot be stopped) and its result is discarded.
        """
        await self._slots.acquire()
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()
        context = contextvars.copy_context()

        def settle(result: Any, error: BaseException | None) -> None:
            self._slots.release()
            if not ended.done():
                ended.set_result((result, error))

        def work() -> None:
            result, error = None, None
            try:
                result = context.run(function)
            except BaseException as exc:  # SystemExit too: in a thread it would end nothing but the answer
                error = exc
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
                loop.call_soon_threadsafe(settle, result, error)

        try:
            threading.Thread(target=work, name=name, daemon=True).start()
        except RuntimeError:
            self._slots.release()
            raise
        result, error = await ended
        if error is not None and not isinstance(error, Exception):
            raise RuntimeError(f"{name} raised {error!r}") from error
        if error is not None:
            raise error
        return result

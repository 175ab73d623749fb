"""Frames waiting to be written, bounded: sound may be dropped, nothing else is.

Full of sound: the oldest sound is dropped and counted. Full of text or results: ``QueueFull``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from duologue.errors import QueueFull

if TYPE_CHECKING:
    from duologue.core.outlet import Frame

__all__ = ["Outbox"]


class Outbox:
    """A queue with one reader.

    Args:
        audio_limit_ms: How much sound may wait.
        message_limit: How many other messages may wait.
    """

    def __init__(self, *, audio_limit_ms: float, message_limit: int) -> None:
        self._frames: deque[Frame] = deque()
        self._audio_limit_ms = audio_limit_ms
        self._message_limit = message_limit
        self._audio_ms = 0.0
        self._messages = 0
        self._waiter: asyncio.Future[None] | None = None
        self.dropped_ms = 0.0

    def __len__(self) -> int:
        return len(self._frames)

    def check_room(self) -> None:
        """Refuse a new command while too many messages wait.

        Raises:
            QueueFull: The link is slower than the application writes.
        """
        if self._messages >= self._message_limit:
            raise QueueFull(
                f"{self._messages} messages wait to be written; the link is too slow: try again later"
            )

    def put(self, frame: Frame) -> None:
        """Add a frame; too much sound drops the oldest sound."""
        self._frames.append(frame)
        if frame.audio_ms:
            self._audio_ms += frame.audio_ms
            if self._audio_ms > self._audio_limit_ms:
                self._drop_oldest_sound()
        else:
            self._messages += 1
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def get(self) -> Frame:
        """Wait for the next frame and take it."""
        while not self._frames:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        frame = self._frames.popleft()
        if frame.audio_ms:
            self._audio_ms -= frame.audio_ms
        else:
            self._messages -= 1
        return frame

    def _drop_oldest_sound(self) -> None:
        for index, frame in enumerate(self._frames):
            if frame.audio_ms:
                del self._frames[index]
                self._audio_ms -= frame.audio_ms
                self.dropped_ms += frame.audio_ms
                return

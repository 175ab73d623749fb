"""Frames waiting to be written, bounded: sound may be dropped, nothing else is.

A link that stalls makes sound stale: what has waited too long is dropped, oldest first, and counted. A burst
that is merely ahead of real time (a file pushed at once) is kept, up to a minute of it. Full of text or
results: ``QueueFull``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from duologue.errors import QueueFull

if TYPE_CHECKING:
    from duologue.core.outlet import Frame

__all__ = ["Outbox"]

_AUDIO_LIMIT_MS = 60_000.0
_MESSAGE_BYTES_LIMIT = 64 * 1024 * 1024


class Outbox:
    """A queue with one reader.

    Args:
        stale_after_ms: How long sound may wait.
        message_limit: How many other messages may wait.
        audio_limit_ms: How much sound may wait, however fresh.
    """

    def __init__(
        self, *, stale_after_ms: float, message_limit: int, audio_limit_ms: float = _AUDIO_LIMIT_MS
    ) -> None:
        self._frames: deque[tuple[Frame, float]] = deque()
        self._stale_after_s = stale_after_ms / 1000
        self._audio_limit_ms = audio_limit_ms
        self._message_limit = message_limit
        self._audio_ms = 0.0
        self._messages = 0
        self._message_bytes = 0
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

    @property
    def is_overfull(self) -> bool:
        """Whether so much waits (results of tools that nobody takes) that the link is given up."""
        return self._message_bytes > _MESSAGE_BYTES_LIMIT

    def put(self, frame: Frame, now: float) -> None:
        """Add a frame; sound that is stale or too much drops the oldest sound."""
        self._frames.append((frame, now))
        if frame.audio_ms:
            self._audio_ms += frame.audio_ms
            if len(self._frames) > 1 or self._audio_ms > self._audio_limit_ms:
                self._drop_too_much(now)
        else:
            self._messages += 1
            self._message_bytes += len(frame.data)
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
        frame, _ = self._frames.popleft()
        if frame.audio_ms:
            self._audio_ms -= frame.audio_ms
        else:
            self._messages -= 1
            self._message_bytes -= len(frame.data)
        return frame

    def _drop_too_much(self, now: float) -> None:
        stale_at = now - self._stale_after_s
        while self._audio_ms > self._audio_limit_ms or self._oldest_sound_at() < stale_at:
            self._drop_oldest_sound()

    def drop_sound(self) -> float:
        """Take out all sound that waits; return how many milliseconds that was."""
        dropped_ms, self._audio_ms = self._audio_ms, 0.0
        self._frames = deque(entry for entry in self._frames if not entry[0].audio_ms)
        return dropped_ms

    def _oldest_sound_at(self) -> float:
        """When the oldest sound was put in; there is some whenever this is asked."""
        return next(put_at for frame, put_at in self._frames if frame.audio_ms)

    def _drop_oldest_sound(self) -> None:
        index = next(index for index, (frame, _) in enumerate(self._frames) if frame.audio_ms)
        dropped_ms = self._frames[index][0].audio_ms
        del self._frames[index]
        self._audio_ms -= dropped_ms
        self.dropped_ms += dropped_ms

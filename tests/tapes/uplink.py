"""The caller's recorded speech, byte for byte: pushed as it was sent, and let go where the recording waited.

A client keeps the part of a chunk that waits for more. Where the recording goes on only after what the
service said, the next recorded bytes complete that chunk; at the end of a stretch the sound is committed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from tests.tapes.purposes import Mark, Sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.tapes.purposes import Purpose

__all__ = ["CHUNK_MS", "Speech"]

CHUNK_MS = 10
"""The client's chunk: short, so that little has to be said early."""
_RESAMPLER_MS = 100
"""What a resampler may keep for itself, at most."""


class Speech:
    """Pushes recorded sound.

    Args:
        purposes: All that the recorded client will say, in order.
        push: Hands (pcm, rate) to the client.
        commit: Lets go of the rest and says that the sound pauses; None where that would end an activity.
    """

    def __init__(
        self,
        purposes: Iterable[Purpose],
        push: Callable[[bytes, int], None],
        commit: Callable[[], None] | None,
    ) -> None:
        self._ahead: deque[tuple[bytearray, int] | None] = deque()
        """What is still to come, as far as it was not pushed early; None ends a stretch."""
        for purpose in purposes:
            if isinstance(purpose, Sound):
                self._ahead.append((bytearray(purpose.pcm), purpose.rate_hz))
            elif isinstance(purpose, Mark):
                self._ahead.append(None)
        self._push = push
        self._commit = commit
        self._half = b""
        self._stretch_bytes = 0
        self._rate_hz = 16_000
        self.padded = False
        """Silence had to be added: what was sent is more than was recorded."""
        self._committed = False
        """The stretch was committed before its own mark came."""

    async def say_next(self) -> None:
        """Push the next recorded piece, except what was pushed early."""
        piece = self._ahead.popleft()
        assert piece is not None
        if piece[0]:
            self._committed = False
            self._give(bytes(piece[0]), piece[1])
        await asyncio.sleep(0)  # lets the writer write: a burst of more than a minute would be cut

    def mark(self) -> bool:
        """A recorded mark comes; return whether a commit has stood in for it."""
        self._ahead.popleft()
        self._pad(len(self._half))
        stood_in, self._committed = self._committed, False
        self._stretch_bytes = 0
        return stood_in

    def let_go(self) -> None:
        """The recording waits for the service here: nothing said so far may stay behind."""
        wanted = self._kept()
        for piece in self._ahead:
            if piece is None or piece[1] != self._rate_hz or wanted <= 0:
                break
            early = bytes(piece[0][:wanted])
            del piece[0][:wanted]
            self._give(early, self._rate_hz)
            wanted -= len(early)
        if wanted <= 0:
            return
        if self._commit is not None:
            self._pad(len(self._half))
            self._commit()
            self._committed = True
            self._stretch_bytes = 0
        else:
            self._pad(wanted)

    def _kept(self) -> int:
        """Return how many bytes more make the client send everything it has."""
        if not self._stretch_bytes:
            return 0
        chunk = self._rate_hz * CHUNK_MS // 1000 * 2
        more = -self._stretch_bytes % chunk
        return more if self._rate_hz == 16_000 else more + _RESAMPLER_MS * self._rate_hz // 1000 * 2

    def _pad(self, size: int) -> None:
        if size:
            self.padded = True
            self._give(bytes(size), self._rate_hz)

    def _give(self, pcm: bytes, rate_hz: int) -> None:
        if rate_hz != self._rate_hz:
            self._rate_hz, self._half, self._stretch_bytes = rate_hz, b"", 0
        pcm = self._half + pcm
        whole = len(pcm) // 2 * 2
        self._stretch_bytes += len(pcm) - len(self._half)
        self._half = pcm[whole:]
        if whole:
            self._push(pcm[:whole], rate_hz)

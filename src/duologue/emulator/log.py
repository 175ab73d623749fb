"""What went over the emulator's sockets, kept for whoever asks what happened.

Bounded in frames and in bytes, the oldest going first. Frames are kept as they were; they are parsed
when somebody looks, so that logging costs next to nothing while a call is running.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, overload

__all__ = ["Direction", "FrameLog", "LoggedFrame"]

MAX_FRAMES = 100_000
MAX_BYTES = 64 * 1024 * 1024

Direction = Literal["uplink", "downlink"]


@dataclass(frozen=True, slots=True)
class LoggedFrame:
    """One WebSocket message."""

    direction: Direction
    """``uplink``: from the client; ``downlink``: from the emulator."""
    monotonic_at: float
    """``time.monotonic()`` when it had been read, or handed to the operating system's socket."""
    session_id: str
    frame: bytes | str = field(repr=False)
    """The payload as it was sent: text or bytes."""

    @property
    def message(self) -> Any:
        """The JSON value in the frame, parsed anew at each look; the frame itself when it is not JSON."""
        try:
            return json.loads(self.frame)
        except (ValueError, RecursionError):
            return self.frame


class FrameLog(Sequence[LoggedFrame]):
    """The newest frames, oldest first. Reading is open to all; adding is the emulator's.

    Args:
        max_frames: Beyond this many, the oldest are forgotten (and counted in ``forgotten``).
        max_bytes: The same for the sum of all payloads.
    """

    def __init__(self, *, max_frames: int = MAX_FRAMES, max_bytes: int = MAX_BYTES) -> None:
        self._frames: deque[LoggedFrame] = deque()
        self._bytes = 0
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self.forgotten = 0

    def add(self, direction: Direction, monotonic_at: float, session_id: str, frame: bytes | str) -> None:
        """Append one frame, forgetting old ones where it has to."""
        self._frames.append(LoggedFrame(direction, monotonic_at, session_id, frame))
        self._bytes += len(frame)
        while len(self._frames) > self._max_frames or self._bytes > self._max_bytes:
            self._bytes -= len(self._frames.popleft().frame)
            self.forgotten += 1

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[LoggedFrame]:
        return iter(tuple(self._frames))

    @overload
    def __getitem__(self, index: int) -> LoggedFrame: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[LoggedFrame]: ...
    def __getitem__(self, index: int | slice) -> LoggedFrame | Sequence[LoggedFrame]:
        """Return one frame, or a list of them for a slice."""
        if isinstance(index, slice):
            return list(self._frames)[index]
        return self._frames[index]

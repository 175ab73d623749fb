"""One link on the bare wire: send a message, watch what comes, see how it ends.

Nothing is interpreted here and nothing answered by itself. A watch never raises for what the service does:
it returns what was seen and how the watching ended, because a close or a silence is what many probes are
about.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from duologue.errors import LinkLost
from duologue.verify import marks
from duologue.verify.probe import EndedError
from duologue.wire.codec import ServerDecoder, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from duologue.io.ws import WebSocketLink
    from duologue.verify.tape import Direction
    from duologue.wire.content import FunctionCall
    from duologue.wire.server import ServerMessage, UsageMetadata

__all__ = ["Received", "Seen", "Wire"]

_T = TypeVar("_T")
_NO_CLOSE_FRAME = 1006


@dataclass(frozen=True, slots=True)
class Received:
    """One message; several may have come in one frame."""

    at_s: float
    """``time.monotonic()`` when its frame had arrived."""
    message: ServerMessage
    framing: Literal["text", "binary"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a watch saw and how it ended: the mark was met, time ran out, or the link was closed."""

    received: tuple[Received, ...]
    end: Literal["met", "silent", "closed"]
    until_s: float
    """``time.monotonic()`` when the watching ended."""
    code: int = 0
    reason: str = ""

    def first(self, mark: Callable[[ServerMessage], object]) -> Received | None:
        """Return the first message that bears the mark."""
        return next((one for one in self.received if mark(one.message)), None)

    def has(self, mark: Callable[[ServerMessage], object]) -> bool:
        """Tell whether a message bears the mark."""
        return self.first(mark) is not None

    def count(self, mark: Callable[[ServerMessage], object]) -> int:
        """Return how many messages bear the mark."""
        return sum(bool(mark(one.message)) for one in self.received)

    def each(self, reading: Callable[[ServerMessage], _T]) -> list[_T]:
        """Return what ``reading`` finds in every message, in order."""
        return [reading(one.message) for one in self.received]

    @property
    def calls(self) -> tuple[FunctionCall, ...]:
        """The function calls, in order."""
        return tuple(call for calls in self.each(marks.calls_of) for call in calls)

    @property
    def words(self) -> str:
        """What the model said."""
        contents = [one.message.server_content for one in self.received]
        said = [content.output_transcription for content in contents if content is not None]
        return "".join(words.text for words in said if words is not None and words.text)

    def expect(self) -> Seen:
        """Return this, if the mark was met or the time ran out.

        Raises:
            EndedError: The link was closed.
        """
        if self.end == "closed":
            raise EndedError(self.code, self.reason)
        return self


class Wire:
    """A link, with all that came over it. Not for several tasks at once.

    Args:
        link: Open.
        record: Is given every frame, and which way it went.
    """

    def __init__(self, link: WebSocketLink, record: Callable[[Direction, bytes], None] | None = None) -> None:
        self._link = link
        self._record = record
        self._waiting: deque[Received] = deque()  # read while nobody watched
        self._lost: LinkLost | None = None
        self._decoder = ServerDecoder()
        self.handle: str | None = None
        """The newest one to resume from."""
        self.usage: list[UsageMetadata] = []
        self.ended = "closed by us"
        """How the link ended, as far as is known."""

    @property
    def unknown_fields(self) -> Mapping[str, int]:
        """Fields of the service that our structs lack, and how often they came."""
        return self._decoder.unknown

    async def send(self, message: Mapping[str, Any] | bytes) -> None:
        """Send a message, or a frame as it is; nothing when the link has ended, which a watch will tell."""
        frame = message if isinstance(message, bytes) else encode(message)
        self._note_frame("up", frame)
        with contextlib.suppress(LinkLost):
            await self._link.send(frame)

    async def watch(self, mark: Callable[[ServerMessage], object], within_s: float) -> Seen:
        """Take what comes, until a message bears ``mark``, the time is over or the link is closed."""
        seen: list[Received] = []
        deadline_at = time.monotonic() + within_s
        while True:
            try:
                if not self._waiting:
                    await self._read(deadline_at)
            except TimeoutError:
                return Seen(tuple(seen), "silent", time.monotonic())
            except LinkLost as lost:
                self.ended = f"ended by the service: {lost.code} {lost.reason}".rstrip()
                return Seen(
                    tuple(seen), "closed", time.monotonic(), lost.number or _NO_CLOSE_FRAME, lost.reason
                )
            while self._waiting:
                seen.append(self._waiting.popleft())
                if mark(seen[-1].message):
                    return Seen(tuple(seen), "met", time.monotonic())

    async def wait(self, seconds: float) -> None:
        """Let time pass and go on reading: a service that is not read from stops sending, or gives up."""
        deadline_at = time.monotonic() + seconds
        with contextlib.suppress(TimeoutError):
            while self._lost is None:
                try:
                    await self._read(deadline_at)
                except LinkLost as lost:
                    self._lost = lost

    async def close(self) -> None:
        """Close in good order."""
        await self._link.close()

    async def _read(self, deadline_at: float) -> None:
        """Take one frame.

        Raises:
            LinkLost: The link is over, now or since it was last read.
            TimeoutError: There was none in time.
        """
        if self._lost is not None:
            raise self._lost
        async with asyncio.timeout(max(deadline_at - time.monotonic(), 0)):
            frame = await self._link.receive_framed()
        at_s = time.monotonic()
        raw = frame.encode() if isinstance(frame, str) else frame
        self._note_frame("down", raw)
        framing: Literal["text", "binary"] = "text" if isinstance(frame, str) else "binary"
        for message in self._decoder.decode(frame):
            self._note(message)
            self._waiting.append(Received(at_s, message, framing))

    def _note_frame(self, direction: Direction, frame: bytes) -> None:
        if self._record is not None:
            self._record(direction, frame)

    def _note(self, message: ServerMessage) -> None:
        update = message.session_resumption_update
        if update is not None and marks.resumable(message):
            self.handle = update.new_handle
        if message.usage_metadata is not None:
            self.usage.append(message.usage_metadata)

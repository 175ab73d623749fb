"""Keep the model from hearing itself through loudspeakers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from duologue.audio.format import bytes_to_ms
from duologue.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from duologue.config import AudioSource

__all__ = ["Audible", "EchoGuard"]


class Audible(Protocol):
    """What can say whether it is making a sound; every sink of this package can."""

    @property
    def is_playing(self) -> bool:
        """Whether sound is coming out now."""
        ...


class EchoGuard:
    """A source whose frames are silence while a sink plays, and a little longer.

    Half duplex, not echo cancellation: while the model speaks through a loudspeaker the microphone
    is deaf, so nobody can barge in by voice (``interrupt()`` still works). With headphones, or a
    device that cancels echo, leave it out.

    Args:
        source: Whose frames pass; iterated and closed by this.
        sink: What the microphone would hear.
        hangover_ms: How much longer than the sink the silence lasts, for the room's echo and the
            way through the devices; 0 or more, counted in the source's own frames.

    Raises:
        ConfigError: ``hangover_ms`` is negative.
    """

    def __init__(self, source: AudioSource, sink: Audible, *, hangover_ms: int = 200) -> None:
        if hangover_ms < 0:
            msg = f"EchoGuard got hangover_ms={hangover_ms}; give 0 or more milliseconds"
            raise ConfigError(msg)
        self._source = source
        self._sink = sink
        self._hangover_ms = hangover_ms
        self.muted_ms = 0

    @property
    def sample_rate(self) -> int:
        """Samples a second of one channel, in Hz: the source's."""
        return self._source.sample_rate

    @property
    def channels(self) -> int:
        """Number of interleaved channels: the source's."""
        return self._source.channels

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Open the source and yield its frames, or as many bytes of silence."""
        deaf_ms = 0
        async for frame in self._source:
            frame_ms = bytes_to_ms(frame, self.sample_rate, channels=self.channels)
            if self._sink.is_playing:
                # This frame, and the hangover from its end on.
                deaf_ms = self._hangover_ms + frame_ms
            if deaf_ms > 0:
                deaf_ms -= frame_ms
                self.muted_ms += frame_ms
                yield bytes(len(frame))
            else:
                yield frame

    async def aclose(self) -> None:
        """Close the source."""
        await self._source.aclose()

"""WAV files as the ends of a conversation: one that speaks, one that hears."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from duologue.audio.format import FRAME_MS, OUTPUT_RATE, SAMPLE_BYTES, ms_to_bytes
from duologue.audio.frames import Framer, silence
from duologue.audio.pace import LoopClock, sleep_until
from duologue.audio.sink import PacedSink
from duologue.audio.wav import WavWriter, read_wav, wav_header
from duologue.errors import ConfigError

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Iterator

    from duologue.config import Clock

__all__ = ["WavFile", "WavSink", "WavSource"]


class WavSource:
    """Speak a WAV file as a microphone would: mono, a frame every ``frame_ms``, then it ends.

    Frames come by absolute deadlines, so a slow reader gets the missed ones at once and nothing
    drifts. Each iteration plays the file from its beginning. The file is held in memory meanwhile.

    Args:
        path: The file, anything ``read_wav`` takes.
        sample_rate: Wanted rate in Hz; None keeps the file's own.
        realtime: False gives the frames as fast as they are taken.
        frame_ms: Length of a frame, 1..1000 ms; the last one is filled up with silence.
        trailing_silence_s: Silence after the file, so that the service notices that the speaker
            has finished; seconds, 0 or more.
        clock: Whose time counts; the running loop's by default.

    Raises:
        AudioError: The file cannot be used; see ``read_wav``.
        ConfigError: A value out of its range.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        sample_rate: int | None = None,
        realtime: bool = True,
        frame_ms: int = FRAME_MS,
        trailing_silence_s: float = 1.0,
        clock: Clock | None = None,
    ) -> None:
        rate_ok = sample_rate is None or sample_rate > 0
        if not 1 <= frame_ms <= 1000 or trailing_silence_s < 0 or not rate_ok:
            msg = (
                f"WavFile got frame_ms={frame_ms}, trailing_silence_s={trailing_silence_s}, sample_rate="
                f"{sample_rate}; give 1..1000 ms, 0 or more seconds, and a rate above 0 or None"
            )
            raise ConfigError(msg)
        self.path = Path(path)
        self._header = wav_header(self.path)
        self._sample_rate = self._header.sample_rate if sample_rate is None else sample_rate
        self._realtime = realtime
        self._frame_ms = frame_ms
        self._trailing_ms = round(trailing_silence_s * 1000)
        self._clock = clock
        self._closed = False

    @property
    def sample_rate(self) -> int:
        """Samples a second, in Hz."""
        return self._sample_rate

    @property
    def channels(self) -> int:
        """Always 1: more are mixed down."""
        return 1

    @property
    def duration_ms(self) -> int:
        """Length of the file in whole milliseconds, without the silence after it."""
        return self._header.duration_ms

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Read the file and yield its frames, each when its last sample would have been recorded."""
        pcm = await asyncio.to_thread(read_wav, self.path, sample_rate=self._sample_rate)
        clock = self._clock if self._clock is not None else LoopClock()
        started_at = clock.now()
        for number, frame in enumerate(self._frames(pcm), start=1):
            if self._realtime:
                await sleep_until(clock, started_at + number * self._frame_ms / 1000)
            else:
                await asyncio.sleep(0)
            if self._closed:
                return
            yield frame

    async def aclose(self) -> None:
        """End a running iteration at its next frame, and every later one at once; idempotent."""
        self._closed = True

    def _frames(self, pcm: bytes) -> Iterator[bytes]:
        framer = Framer(ms_to_bytes(self._frame_ms, self._sample_rate))
        yield from framer.push(pcm)
        yield from framer.push(silence(self._trailing_ms, self._sample_rate))
        if rest := framer.flush(pad=True):
            yield rest


class WavSink(PacedSink):
    """Write into a WAV file what was heard, when it was heard.

    The file begins at ``start`` and is 24 kHz mono; what was flushed unheard is not in it. It is
    whole after ``aclose``; until then see ``WavWriter``. Disk writes happen on the loop's thread,
    into a buffer.

    Args:
        path: The file; one that exists is replaced when this is closed.
        gaps: False leaves out the silence where nothing played.
        frame_ms: Length of a frame, 1..1000 ms.
        prebuffer_ms: As for ``Playout``.
        clock: Whose time counts; the running loop's by default.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        gaps: bool = True,
        frame_ms: int = FRAME_MS,
        prebuffer_ms: int = 60,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(frame_ms=frame_ms, prebuffer_ms=prebuffer_ms, clock=clock)
        self.path = Path(path)
        self._gaps = gaps
        self._writer: WavWriter | None = None

    def _open(self) -> None:
        self._writer = WavWriter(self.path, OUTPUT_RATE)
        super()._open()

    def _emit(self, frame: bytes, heard_samples: int) -> None:
        if self._writer is not None:
            self._writer.write(frame if self._gaps else frame[: heard_samples * SAMPLE_BYTES])

    def _close(self) -> None:
        super()._close()
        if self._writer is not None:
            self._writer.close()


@overload
def WavFile(
    path: str | os.PathLike[str],
    *,
    mode: Literal["r"] = "r",
    sample_rate: int | None = None,
    realtime: bool = True,
    frame_ms: int = FRAME_MS,
    trailing_silence_s: float = 1.0,
    clock: Clock | None = None,
) -> WavSource: ...


@overload
def WavFile(
    path: str | os.PathLike[str],
    *,
    mode: Literal["w"],
    gaps: bool = True,
    frame_ms: int = FRAME_MS,
    prebuffer_ms: int = 60,
    clock: Clock | None = None,
) -> WavSink: ...


def WavFile(path: str | os.PathLike[str], *, mode: str = "r", **options: Any) -> WavSource | WavSink:  # noqa: N802
    """Open a WAV file as a source (``mode="r"``) or a sink (``mode="w"``) of a conversation.

    A function, as ``open`` is: the two ends are two classes, so that ``attach`` can tell them apart.

    Args:
        path: The file.
        mode: ``"r"`` or ``"w"``.
        **options: As for ``WavSource`` and ``WavSink``.

    Raises:
        AudioError: The file cannot be used.
        ConfigError: A mode or value out of its range.
    """
    if mode == "r":
        return WavSource(path, **options)
    if mode == "w":
        return WavSink(path, **options)
    msg = f"WavFile got mode={mode!r}; give 'r' (a source) or 'w' (a sink)"
    raise ConfigError(msg)

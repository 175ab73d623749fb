"""Both sides of a call as sound, on one time: ``reply.wav``, ``conversation.wav`` and their levels.

Time is counted in samples at 24 kHz from the moment the loudspeaker starts. Files are written as the
call goes on, so a long call takes no more memory than a short one and is whole at every moment.
"""

from __future__ import annotations

import asyncio
import os
from array import array
from typing import TYPE_CHECKING, Final

from duologue.audio import OUTPUT_RATE, LevelMeter, PacedSink, Resampler, WavWriter, interleave, rms_dbfs
from duologue.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from duologue.config import AudioSource

__all__ = ["LEVEL_MS", "HeardSink", "RecordedSource", "Recorder", "Track"]

LEVEL_MS: Final = 20
"""Levels are kept for stretches of this length."""
_LEVEL_BYTES: Final = 2 * OUTPUT_RATE * LEVEL_MS // 1000
_LAG_BYTES: Final = 2 * OUTPUT_RATE
"""The younger second of sound stays in memory: the two sides do not arrive at the same instant."""
_SLACK_SAMPLES: Final = OUTPUT_RATE // 2
"""A source that is behind by more than this has lost sound, and silence takes its place; less is a busy loop."""


class Track:
    """One side: sound placed on the common time, levels kept, older sound handed out."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._taken_bytes = 0
        self.levels_dbfs = array("f")
        """One for each 20 ms that were taken."""

    @property
    def end_bytes(self) -> int:
        """Where on the common time its sound ends."""
        return self._taken_bytes + len(self._waiting)

    def put(self, pcm: bytes) -> None:
        """Append sound."""
        self._waiting += pcm

    def pad_to(self, at_samples: int) -> None:
        """Append silence up to a place; nothing when its sound goes further already."""
        self._waiting += bytes(max(0, 2 * at_samples - self.end_bytes))

    def take(self, until_bytes: int) -> bytes:
        """Return its sound up to a place, filled up with silence."""
        size = max(0, until_bytes - self._taken_bytes)
        piece = bytes(self._waiting[:size])
        del self._waiting[:size]
        piece += bytes(size - len(piece))
        self._taken_bytes += size
        for at in range(0, len(piece), _LEVEL_BYTES):
            self.levels_dbfs.append(rms_dbfs(piece[at : at + _LEVEL_BYTES]))
        return piece


class Recorder:
    """Writes the files of a call. Close it, by whatever road the call ended.

    Args:
        folder: Where they go; it is made now, the files by ``open``.

    Raises:
        AudioError: It cannot be made, or not be written into.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AudioError(f"cannot make the folder {folder}: {error.strerror or error}") from error
        if not os.access(folder, os.W_OK):
            raise AudioError(f"cannot write into the folder {folder}: permission denied")
        self._folder = folder
        self._writers: tuple[WavWriter, WavWriter] | None = None
        self.caller = Track()
        self.model = Track()

    def open(self) -> None:
        """Make the files: the call has begun."""
        reply = WavWriter(self._folder / "reply.wav", OUTPUT_RATE)
        self._writers = (reply, WavWriter(self._folder / "conversation.wav", OUTPUT_RATE, 2))

    @property
    def duration_s(self) -> float:
        """Length of what was recorded."""
        return max(self.caller.end_bytes, self.model.end_bytes) / 2 / OUTPUT_RATE

    @property
    def files(self) -> tuple[Path, ...]:
        """What is written; empty when the call never began."""
        return tuple(writer.path for writer in self._writers or ())

    def settle(self) -> None:
        """Write what is older than a second."""
        until_bytes = min(self.caller.end_bytes, self.model.end_bytes) - _LAG_BYTES
        behind_bytes = max(self.caller.end_bytes, self.model.end_bytes) - 10 * _LAG_BYTES
        until_bytes = max(until_bytes, behind_bytes)  # a side that has ended holds the other up for so long
        self._write(until_bytes - until_bytes % _LEVEL_BYTES)

    def close(self) -> None:
        """Write the rest and complete both files; idempotent."""
        if self._writers is None or self._writers[1].closed:
            return
        with self._writers[0], self._writers[1]:
            self._write(max(self.caller.end_bytes, self.model.end_bytes))

    def _write(self, until_bytes: int) -> None:
        right = self.model.take(until_bytes)
        left = self.caller.take(until_bytes)
        if right and self._writers is not None:
            reply, both = self._writers
            reply.write(right)
            both.write(interleave(left, right))


class RecordedSource:
    """A source that leaves a copy of what passes, and tells its level.

    Args:
        source: Whose frames pass; iterated and closed by this.
        track: Where the copy goes.
        now: Seconds since the loudspeaker started.
        on_frame: Told every frame, when it began and when it ended by ``now``; None: nobody.
        on_level: Told the level, for a display.
    """

    def __init__(
        self,
        source: AudioSource,
        track: Track,
        *,
        now: Callable[[], float],
        on_frame: Callable[[bytes, float, float], None] | None,
        on_level: Callable[[float], None],
    ) -> None:
        self._source = source
        self._track = track
        self._now = now
        self._on_frame = on_frame
        self._on_level = on_level

    @property
    def sample_rate(self) -> int:
        """The source's, in Hz."""
        return self._source.sample_rate

    @property
    def channels(self) -> int:
        """The source's; every source of the command line is mono."""
        return self._source.channels

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the source's frames."""
        rate_hz = self._source.sample_rate
        resampler = Resampler(rate_hz, OUTPUT_RATE)
        meter = LevelMeter(rate_hz)
        end_samples: int | None = None  # of what was given to the resampler, on the common time
        async for frame in self._source:
            length_s = len(frame) / 2 / rate_hz
            began_at_s = max(0.0, self._now() - length_s)
            began_samples = round(began_at_s * OUTPUT_RATE)
            if end_samples is None or began_samples - end_samples > _SLACK_SAMPLES:
                self._track.put(resampler.flush())
                self._track.pad_to(began_samples)
                end_samples = began_samples
            end_samples += round(length_s * OUTPUT_RATE)
            self._track.put(resampler.process(frame))
            if self._on_frame is not None:
                self._on_frame(frame, began_at_s, began_at_s + length_s)
            self._on_level(meter.push(frame))
            yield frame
        self._track.put(resampler.flush())

    async def aclose(self) -> None:
        """Close the source."""
        await self._source.aclose()


class HeardSink(PacedSink):
    """Plays the model's sound in real time into a recorder, and tells what was heard when.

    It stands in for a loudspeaker; or beside one, and then it leaves the playhead to that.

    Args:
        recorder: Takes every frame, silence included.
        on_heard: Told (generation id, milliseconds of it heard so far, end of the frame).
        on_level: Told the level, for a display.
        silent_partner: Beside a loudspeaker: report no playhead to the session.
    """

    def __init__(
        self,
        recorder: Recorder,
        *,
        on_heard: Callable[[str, int, float], None],
        on_level: Callable[[float], None],
        silent_partner: bool = False,
    ) -> None:
        super().__init__()
        self._recorder = recorder
        self._on_heard = on_heard
        self._on_level = on_level
        self._silent_partner = silent_partner
        self._meter = LevelMeter(OUTPUT_RATE)
        self.started_at = 0.0
        """On the loop's clock: zero of the call's time."""

    @property
    def is_silent(self) -> bool:
        """Whether everything that was written has been heard or flushed."""
        return not self.playout.queued_samples

    def start(self, report_playhead: Callable[[str, int], None]) -> None:
        """Begin; see ``BaseSink``."""
        self._recorder.open()
        self.started_at = asyncio.get_running_loop().time()

        def report(generation_id: str, played_ms: int) -> None:
            self._on_heard(generation_id, played_ms, self._recorder.model.end_bytes / 2 / OUTPUT_RATE)
            if not self._silent_partner:
                report_playhead(generation_id, played_ms)

        super().start(report)

    def _emit(self, frame: bytes, heard_samples: int) -> None:  # noqa: ARG002 -- the base's signature
        self._recorder.model.put(frame)
        self._recorder.settle()
        self._on_level(self._meter.push(frame))

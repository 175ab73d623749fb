"""Ears without any dependency: loudness above the room tells speech, and no words are understood.

Read this for the detector that works everywhere. It compares each 32 ms of sound with the quietest
the room has been in the last two seconds. Speech stands out because it pauses between syllables; a
fan or a hum becomes the floor and is ignored after that time. It takes any loud, broken-up sound
(music, typing) for speech: use Silero where that matters.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections import deque
from operator import mul
from typing import TYPE_CHECKING

from duologue.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["WINDOW_SAMPLES", "EnergyDetector", "EnergyEars", "level_dbfs"]

WINDOW_SAMPLES = 512
"""32 ms at 16 kHz, the window Silero takes as well."""

_SILENCE_DBFS = -96.0
_QUIET_ROOM_DBFS = -70.0
_FULL_SCALE = 32768.0


def level_dbfs(pcm: bytes | memoryview) -> float:
    """Return the root-mean-square level of s16le mono sound, in dB below full scale.

    Args:
        pcm: Whole samples; empty sound counts as silence.

    Returns:
        −96 (digital silence) .. 0 dBFS; a full-scale sine is −3.
    """
    samples = array("h", bytes(pcm))
    if sys.byteorder == "big":
        samples.byteswap()
    power = sum(map(mul, samples, samples)) / max(len(samples), 1)
    if power <= 0:
        return _SILENCE_DBFS
    return max(10 * math.log10(power) - 20 * math.log10(_FULL_SCALE), _SILENCE_DBFS)


class EnergyDetector:
    """Tells speech from a quiet or steadily noisy room by loudness alone.

    The answer is 0.5 where a window is ``margin_db`` above the noise floor, and at least at
    ``threshold_dbfs``; it goes from 0.1 to 0.9 within about 9 dB. It knows nothing about voices.

    Args:
        margin_db: How far above the floor speech has to be.
        threshold_dbfs: Below this level nothing is speech, however quiet the room.
        memory_s: How far back the floor is looked for: a steady noise is ignored after that long.
    """

    window_samples: int = WINDOW_SAMPLES

    def __init__(
        self, *, margin_db: float = 12.0, threshold_dbfs: float = -50.0, memory_s: float = 2.0
    ) -> None:
        self._margin_db = margin_db
        self._threshold_dbfs = threshold_dbfs
        windows = max(1, round(memory_s * 16_000 / WINDOW_SAMPLES))
        # Until it has heard the room it takes it to be quiet: speech may start at the first window.
        self._levels = deque([_QUIET_ROOM_DBFS], maxlen=windows)

    @property
    def floor_dbfs(self) -> float:
        """The quietest level of the last ``memory_s`` seconds."""
        return min(self._levels)

    def __call__(self, window: bytes) -> float:
        """Return the probability (0..1) that this window, s16le mono 16 kHz, holds speech.

        Raises:
            AudioError: The window is not ``window_samples`` samples long.
        """
        if len(window) != 2 * WINDOW_SAMPLES:
            raise AudioError(
                f"a detector window holds {WINDOW_SAMPLES} samples ({2 * WINDOW_SAMPLES} bytes), "
                f"this one {len(window)} bytes; cut the sound first"
            )
        level = level_dbfs(window)
        self._levels.append(level)
        needed = max(self.floor_dbfs + self._margin_db, self._threshold_dbfs)
        return 1 / (1 + math.exp((needed - level) / 2))


class EnergyEars:
    """Hears that something was said, not what: hands out prepared transcripts in order.

    Args:
        transcripts: The text of the first, second, ... utterance; after the last one the text is "".
    """

    def __init__(self, transcripts: Sequence[str] = ()) -> None:
        self._transcripts = deque(transcripts)

    def detector(self) -> EnergyDetector:
        """Make a fresh detector for one session."""
        return EnergyDetector()

    async def transcribe(self, pcm: bytes) -> str:
        """Return the next prepared transcript, "" when none is left; the sound is not looked at."""
        del pcm
        return self._transcripts.popleft() if self._transcripts else ""

    async def aclose(self) -> None:
        """Do nothing: there is no process to stop."""

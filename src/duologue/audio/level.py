"""How loud PCM is, in dBFS, and a meter for a display. Needs no numpy.

0 dBFS is a square wave of full scale, so a full-scale sine has an rms of -3.01 dBFS.
"""

from __future__ import annotations

import math
from operator import mul
from typing import Final

from duologue.audio.format import INPUT_RATE
from duologue.audio.frames import samples_of
from duologue.errors import ConfigError

__all__ = ["SILENCE_DBFS", "LevelMeter", "peak_dbfs", "rms_dbfs"]

SILENCE_DBFS: Final = -100.0
"""What digital silence and empty PCM count as; one step of 16 bits alone is -90.3 dBFS."""
_FULL_SCALE: Final = 32768.0


def rms_dbfs(pcm: bytes | bytearray | memoryview) -> float:
    """Return the root mean square of PCM in dBFS, -100 (silence) to 0.

    Args:
        pcm: s16le sound; all channels count alike.

    Raises:
        AudioError: An odd number of bytes.
    """
    samples = samples_of(pcm)
    energy = sum(map(mul, samples, samples))
    if not energy:
        return SILENCE_DBFS
    return max(SILENCE_DBFS, 10.0 * math.log10(energy / len(samples) / (_FULL_SCALE * _FULL_SCALE)))


def peak_dbfs(pcm: bytes | bytearray | memoryview) -> float:
    """Return the largest absolute sample of PCM in dBFS, -100 (silence) to 0.

    Args:
        pcm: s16le sound; all channels count alike.

    Raises:
        AudioError: An odd number of bytes.
    """
    samples = samples_of(pcm)
    peak = max(max(samples), -min(samples)) if samples else 0
    return 20.0 * math.log10(peak / _FULL_SCALE) if peak else SILENCE_DBFS


class LevelMeter:
    """A level that rises at once and falls slowly, as a needle does. Time is the sound's own.

    Args:
        sample_rate: Samples a second, in Hz, over all channels.
        decay_db_per_s: How fast it falls, in dB a second, above 0.

    Raises:
        ConfigError: A rate or decay that is not positive.
    """

    def __init__(self, sample_rate: int = INPUT_RATE, *, decay_db_per_s: float = 40.0) -> None:
        if sample_rate <= 0 or decay_db_per_s <= 0:
            msg = f"LevelMeter got sample_rate={sample_rate}, decay_db_per_s={decay_db_per_s}; both must be above 0"
            raise ConfigError(msg)
        self._sample_rate = sample_rate
        self._decay_db_per_s = decay_db_per_s
        self._level_dbfs = SILENCE_DBFS

    @property
    def level_dbfs(self) -> float:
        """The level after the last push, -100..0."""
        return self._level_dbfs

    def push(self, pcm: bytes | bytearray | memoryview) -> float:
        """Take the next piece of sound and return the level after it, -100..0 dBFS.

        Raises:
            AudioError: An odd number of bytes.
        """
        fallen_db = len(pcm) / 2 / self._sample_rate * self._decay_db_per_s
        self._level_dbfs = max(rms_dbfs(pcm), self._level_dbfs - fallen_db, SILENCE_DBFS)
        return self._level_dbfs

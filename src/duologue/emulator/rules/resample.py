"""Any declared sample rate to 16 kHz, in plain Python, a stream at a time.

Going down, every output sample is the mean of the input it covers; going up, it lies on the line
between its neighbours. That is enough for a detector and a transcriber, not for listening pleasure.
"""

from __future__ import annotations

import sys
from array import array
from itertools import accumulate

__all__ = ["TARGET_RATE_HZ", "Resampler"]

TARGET_RATE_HZ = 16_000


class Resampler:
    """Turns one stream of s16le mono PCM into 16 kHz; keeps the fraction between calls.

    Args:
        sample_rate: Of what will be fed, in Hz, 1,000 to 192,000.
    """

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._step = sample_rate / TARGET_RATE_HZ
        self._at = 0.0  # where the next output sample starts, counted from the first kept input sample
        self._kept = array("h")

    def feed(self, pcm: bytes) -> bytes:
        """Return what ``pcm`` makes at 16 kHz. An odd last byte is dropped."""
        pcm = pcm[: len(pcm) & ~1]
        if self.sample_rate == TARGET_RATE_HZ:
            return pcm
        self._kept.extend(_samples(pcm))
        made = self._averaged() if self._step > 1 else self._interpolated()
        used = min(int(self._at), len(self._kept))
        del self._kept[:used]
        self._at -= used
        return _bytes(made)

    def _averaged(self) -> array[int]:
        """Take the mean over each step; the running sum makes a step cost the same at any rate."""
        kept, step, at = self._kept, self._step, self._at
        sums = [0, *accumulate(kept)]
        made = array("h")
        last = len(kept)
        while at + step <= last:
            end = at + step
            made.append(round((_area(sums, kept, end) - _area(sums, kept, at)) / step))
            at = end
        self._at = at
        return made

    def _interpolated(self) -> array[int]:
        kept, step, at = self._kept, self._step, self._at
        made = array("h")
        last = len(kept) - 1
        while at < last:
            left = int(at)
            made.append(round(kept[left] + (kept[left + 1] - kept[left]) * (at - left)))
            at += step
        self._at = at
        return made


def _area(sums: list[int], kept: array[int], at: float) -> float:
    """Return the sum of all samples before ``at``, the last one in part."""
    whole = int(at)
    part = at - whole
    return sums[whole] + (kept[whole] * part if part and whole < len(kept) else 0.0)


def _samples(pcm: bytes) -> array[int]:
    samples = array("h")
    samples.frombytes(pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _bytes(samples: array[int]) -> bytes:
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()

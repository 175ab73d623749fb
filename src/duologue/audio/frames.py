"""Cut PCM into frames and move between one channel and two. Needs no numpy."""

from __future__ import annotations

import sys
from array import array

from duologue.audio.format import SAMPLE_BYTES, bytes_to_samples, ms_to_bytes
from duologue.errors import ConfigError

__all__ = ["Framer", "interleave", "mono", "pcm_from_samples", "samples_of", "silence"]

_SWAP = sys.byteorder == "big"


class Framer:
    """Turn PCM in pieces of any size into frames of one size.

    Does not align to samples by itself: a ``frame_bytes`` of whole samples does, whatever the sizes
    of the pieces. Holds less than one frame between calls.

    Args:
        frame_bytes: Size of every frame, 1 byte or more.

    Raises:
        ConfigError: ``frame_bytes`` is not positive.
    """

    def __init__(self, frame_bytes: int) -> None:
        if frame_bytes <= 0:
            msg = f"Framer got frame_bytes={frame_bytes}; give 1 or more"
            raise ConfigError(msg)
        self._frame_bytes = frame_bytes
        self._rest = bytearray()

    @property
    def pending_bytes(self) -> int:
        """Bytes that wait for the rest of their frame."""
        return len(self._rest)

    def push(self, pcm: bytes | bytearray | memoryview) -> list[bytes]:
        """Take a piece and return the frames it completes, oldest first."""
        size = self._frame_bytes
        if not self._rest and len(pcm) == size:
            return [bytes(pcm)]
        rest = self._rest
        rest += pcm
        whole = len(rest) - len(rest) % size
        if not whole:
            return []
        with memoryview(rest) as view:
            frames = [bytes(view[at : at + size]) for at in range(0, whole, size)]
        del rest[:whole]
        return frames

    def flush(self, *, pad: bool = False) -> bytes:
        """Return and forget what is left: shorter than a frame, or ``b""``.

        Args:
            pad: Fill a rest up to a whole frame with silence.
        """
        left = bytes(self._rest)
        self._rest.clear()
        return left.ljust(self._frame_bytes, b"\0") if pad and left else left


def silence(duration_ms: int, sample_rate: int, *, channels: int = 1) -> bytes:
    """Return PCM of nothing.

    Args:
        duration_ms: Milliseconds, 0 or more; rounded down to whole samples.
        sample_rate: Samples a second of one channel, in Hz.
        channels: Number of interleaved channels.
    """
    return bytes(ms_to_bytes(duration_ms, sample_rate, channels=channels))


def samples_of(pcm: bytes | bytearray | memoryview) -> array[int]:
    """Return PCM as an array of numbers -32768..32767, in this machine's byte order.

    Raises:
        AudioError: An odd number of bytes.
    """
    bytes_to_samples(pcm)
    samples: array[int] = array("h")
    samples.frombytes(pcm)
    if _SWAP:
        samples.byteswap()
    return samples


def pcm_from_samples(samples: array[int]) -> bytes:
    """Return an array of ``samples_of`` as little-endian PCM again."""
    if _SWAP:
        samples = samples[:]
        samples.byteswap()
    return samples.tobytes()


def mono(pcm: bytes | bytearray | memoryview, *, channels: int) -> bytes:
    """Return the mean of all channels, rounded down.

    A voice that sits in one channel only therefore comes out 6 dB quieter in the mean of two.

    Args:
        pcm: s16le sound, interleaved.
        channels: Number of interleaved channels, 1 or more.

    Raises:
        AudioError: The size is no multiple of ``2 * channels`` bytes.
    """
    bytes_to_samples(pcm, channels=channels)
    if channels == 1:
        return bytes(pcm)
    samples = samples_of(pcm)
    lanes = [samples[lane::channels] for lane in range(channels)]
    if channels == 2:
        return pcm_from_samples(array("h", [(left + right) >> 1 for left, right in zip(*lanes, strict=True)]))
    return pcm_from_samples(array("h", [sum(all_) // channels for all_ in zip(*lanes, strict=True)]))


def interleave(left: bytes | bytearray | memoryview, right: bytes | bytearray | memoryview) -> bytes:
    """Return stereo of two mono sounds; the shorter one is filled up with silence.

    Raises:
        AudioError: An odd number of bytes.
    """
    channels = (samples_of(left), samples_of(right))
    samples = max(len(channels[0]), len(channels[1]))
    stereo = array("h", bytes(samples * 2 * SAMPLE_BYTES))
    for lane, channel in enumerate(channels):
        stereo[lane : 2 * len(channel) : 2] = channel
    return pcm_from_samples(stereo)

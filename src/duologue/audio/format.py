"""The sound formats of this package, and exact conversions between milliseconds, samples and bytes.

All PCM is signed 16-bit little-endian. What goes up to the service is 16 kHz mono, what comes down
is 24 kHz mono. The conversions are integer arithmetic and round down, so that sums of parts never
exceed the whole.
"""

from __future__ import annotations

from typing import Final

from duologue.errors import AudioError

__all__ = [
    "FRAME_MS",
    "INPUT_RATE",
    "OUTPUT_RATE",
    "SAMPLE_BYTES",
    "bytes_to_ms",
    "bytes_to_samples",
    "ms_to_bytes",
    "ms_to_samples",
    "samples_to_ms",
    "whole_samples",
]

INPUT_RATE: Final = 16_000
"""What the service hears, in Hz."""
OUTPUT_RATE: Final = 24_000
"""What the service speaks, in Hz."""
SAMPLE_BYTES: Final = 2
FRAME_MS: Final = 20
"""Length of one frame between rooms, where nothing else is said."""


def ms_to_samples(duration_ms: int, sample_rate: int) -> int:
    """Return how many whole samples of one channel fit into a duration.

    Args:
        duration_ms: Milliseconds, 0 or more.
        sample_rate: Samples a second of one channel, in Hz.
    """
    return duration_ms * sample_rate // 1000


def samples_to_ms(samples: int, sample_rate: int) -> int:
    """Return how many whole milliseconds a number of samples of one channel lasts.

    Args:
        samples: Samples of one channel, 0 or more.
        sample_rate: Samples a second of one channel, in Hz.
    """
    return samples * 1000 // sample_rate


def ms_to_bytes(duration_ms: int, sample_rate: int, *, channels: int = 1) -> int:
    """Return the size of a duration as PCM, in bytes; always whole samples of every channel.

    Args:
        duration_ms: Milliseconds, 0 or more.
        sample_rate: Samples a second of one channel, in Hz.
        channels: Number of interleaved channels.
    """
    return ms_to_samples(duration_ms, sample_rate) * SAMPLE_BYTES * channels


def bytes_to_samples(pcm: bytes | bytearray | memoryview, *, channels: int = 1) -> int:
    """Count the samples of one channel in PCM, refusing any that is cut within a sample.

    Args:
        pcm: s16le sound, interleaved when ``channels`` > 1.
        channels: Number of interleaved channels.

    Raises:
        AudioError: The size is no multiple of ``2 * channels`` bytes.
    """
    size_bytes = pcm.nbytes if isinstance(pcm, memoryview) else len(pcm)
    samples, rest_bytes = divmod(size_bytes, SAMPLE_BYTES * channels)
    if rest_bytes:
        msg = (
            f"{size_bytes} bytes of PCM are not whole 16-bit samples of {channels} channel(s): "
            f"{rest_bytes} byte(s) too many; give a multiple of {SAMPLE_BYTES * channels} bytes"
        )
        raise AudioError(msg)
    return samples


def whole_samples(pcm: bytes | bytearray | memoryview) -> bytes | bytearray | memoryview:
    """Return mono PCM without half a sample at its end, which nobody can play (Q-odd-audio).

    Args:
        pcm: s16le sound of one channel, of any size in bytes; returned as it is when that is even.
    """
    size_bytes = pcm.nbytes if isinstance(pcm, memoryview) else len(pcm)
    return memoryview(pcm).cast("B")[:-1] if size_bytes % SAMPLE_BYTES else pcm


def bytes_to_ms(pcm: bytes | bytearray | memoryview, sample_rate: int, *, channels: int = 1) -> int:
    """Return how many whole milliseconds PCM lasts.

    Args:
        pcm: s16le sound, interleaved when ``channels`` > 1.
        sample_rate: Samples a second of one channel, in Hz.
        channels: Number of interleaved channels.

    Raises:
        AudioError: The size is no multiple of ``2 * channels`` bytes.
    """
    return samples_to_ms(bytes_to_samples(pcm, channels=channels), sample_rate)

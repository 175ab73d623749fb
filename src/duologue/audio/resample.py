"""Change the sample rate of mono PCM with soxr, in a stream or all at once.

A stream belongs to its source and lives as long as it: making a new one per message would put a
click at every border. soxr (LGPL, a wheel of its own) and numpy are imported when the first
``Resampler`` between two different rates is made.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from duologue.audio.format import SAMPLE_BYTES, bytes_to_samples
from duologue.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Resampler", "ResamplerQuality", "resample_all", "soxr_available"]

ResamplerQuality = Literal["QQ", "LQ", "MQ", "HQ", "VHQ"]
_QUALITIES = ("QQ", "LQ", "MQ", "HQ", "VHQ")


def soxr_available() -> bool:
    """Tell whether rates can be changed here; without it, declare the sound's own rate instead."""
    return find_spec("soxr") is not None


class Resampler:
    """A stream of mono s16le PCM from one rate to another.

    With equal rates it hands the bytes through and needs no package. Between different rates it
    holds sound back until ``flush``: it works in blocks, so MQ holds 5 to 40 ms (21 on average), LQ 2 to
    20 (11 on average), QQ nothing. The same sound always gives
    the same bytes, however it is cut, and silence stays silence.

    Args:
        from_hz: Rate of what is given, in Hz.
        to_hz: Rate of what is wanted, in Hz.
        quality: soxr's recipe: ``"MQ"`` suits live speech, ``"HQ"`` recordings; ``"QQ"`` lets
            aliases through.

    Raises:
        ConfigError: A rate that is not positive, an unknown quality, or soxr is not installed.
    """

    def __init__(self, from_hz: int, to_hz: int, quality: ResamplerQuality = "MQ") -> None:
        if from_hz <= 0 or to_hz <= 0:
            msg = f"Resampler got {from_hz} Hz to {to_hz} Hz; sample rates are above 0"
            raise ConfigError(msg)
        if quality not in _QUALITIES:
            msg = f"Resampler got quality {quality!r}; give one of {', '.join(_QUALITIES)}"
            raise ConfigError(msg)
        self.from_hz = from_hz
        self.to_hz = to_hz
        self._stream: Any = None if from_hz == to_hz else _stream(from_hz, to_hz, quality)

    def process(self, pcm: bytes | bytearray | memoryview) -> bytes:
        """Take a piece of sound and return what is ready, possibly ``b""``.

        Args:
            pcm: Mono s16le of any length.

        Raises:
            AudioError: An odd number of bytes.
        """
        samples = bytes_to_samples(pcm)
        if self._stream is None:
            return bytes(pcm)
        return self._run(pcm, last=False) if samples else b""

    def flush(self) -> bytes:
        """Return what was held back and begin anew: the end of an utterance, a stream or a call."""
        if self._stream is None:
            return b""
        tail = self._run(b"", last=True)
        self._stream.clear()
        return tail

    def _run(self, pcm: bytes | bytearray | memoryview, *, last: bool) -> bytes:
        import numpy as np

        # As float: soxr adds random dither to 16-bit output, so that silence would not stay silence
        # and no two runs would give the same bytes. Costs 2.5 microseconds a frame.
        samples: NDArray[np.float32] = np.frombuffer(pcm, dtype="<i2").astype(np.float32)
        resampled: NDArray[np.float32] = self._stream.resample_chunk(samples, last=last)
        np.rint(resampled, out=resampled)
        np.clip(resampled, -32768.0, 32767.0, out=resampled)
        return resampled.astype("<i2").tobytes()


def resample_all(
    pcm: bytes | bytearray | memoryview, from_hz: int, to_hz: int, quality: ResamplerQuality = "HQ"
) -> bytes:
    """Return a whole mono sound at another rate: as long as before, without delay.

    Args:
        pcm: Mono s16le.
        from_hz: Its rate, in Hz.
        to_hz: The wanted rate, in Hz.
        quality: As for ``Resampler``.

    Raises:
        AudioError: An odd number of bytes.
        ConfigError: As for ``Resampler``.
    """
    resampler = Resampler(from_hz, to_hz, quality)
    wanted_bytes = round(bytes_to_samples(pcm) * to_hz / from_hz) * SAMPLE_BYTES
    resampled = resampler.process(pcm) + resampler.flush()
    return resampled[:wanted_bytes].ljust(wanted_bytes, b"\0")


def _stream(from_hz: int, to_hz: int, quality: ResamplerQuality) -> object:
    try:
        soxr: Any = import_module("soxr")  # it has no type stubs
    except ImportError as error:
        msg = (
            f'sound of {from_hz} Hz must become {to_hz} Hz, which needs soxr: pip install "duologue[audio]" '
            f"(or give {to_hz} Hz)"
        )
        raise ConfigError(msg) from error
    return soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality=quality)

"""The caller's sound on its way in: checked, mixed down, resampled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from duologue.audio.frames import mono
from duologue.audio.resample import Resampler, soxr_available
from duologue.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Intake"]

_WIRE_RATE_HZ = 16_000


class Intake:
    """Brings any PCM to the wire's 16 kHz mono.

    The resampler belongs to the stream of sound, not to a link: it is flushed when the rate changes and
    where the sound pauses, and otherwise never reset.

    Args:
        push: Takes mono s16le sound and its rate.
    """

    def __init__(self, push: Callable[[bytes | memoryview, int], None]) -> None:
        self._push = push
        self._resampler: Resampler | None = None
        self._rate_hz = _WIRE_RATE_HZ

    def push(self, pcm: Any, *, sample_rate: int, channels: int) -> None:
        """Take sound; see :meth:`RealtimeSession.push_audio`."""
        data = _as_bytes(pcm)
        if sample_rate < 1000 or channels not in (1, 2):
            raise ConfigError(
                f"push_audio: {channels} channels at {sample_rate} Hz; give 1 or 2 channels, 1000 Hz or more"
            )
        if len(data) % (2 * channels):
            raise ConfigError(
                f"push_audio: {len(data)} bytes are not whole 16-bit samples of {channels} channels"
            )
        if channels == 2:
            data = mono(data, channels=2)
        if sample_rate == _WIRE_RATE_HZ and self._resampler is None:
            self._push(data, sample_rate)
            return
        if sample_rate != self._rate_hz:
            self._change_rate(sample_rate)
        if self._resampler is not None:
            self._push(self._resampler.process(bytes(data)), _WIRE_RATE_HZ)
        else:
            self._push(data, sample_rate)

    def flush(self) -> None:
        """Let go of what the resampler holds back."""
        if self._resampler is not None:
            rest = self._resampler.flush()
            if rest:
                self._push(rest, _WIRE_RATE_HZ)

    def reset(self) -> None:
        """Forget what the resampler holds back."""
        self._change_rate(self._rate_hz, keep=False)

    def _change_rate(self, rate_hz: int, *, keep: bool = True) -> None:
        if keep:
            self.flush()
        self._rate_hz = rate_hz
        # Without soxr the sound's own rate is declared on the wire, which the service accepts.
        change = rate_hz != _WIRE_RATE_HZ and soxr_available()
        self._resampler = Resampler(rate_hz, _WIRE_RATE_HZ) if change else None


def _as_bytes(pcm: Any) -> bytes | memoryview:
    if isinstance(pcm, bytes):
        return pcm
    if isinstance(pcm, bytearray):
        return bytes(pcm)
    try:
        view = memoryview(pcm)
    except TypeError:
        raise ConfigError(
            f"push_audio: a {type(pcm).__name__} is no PCM; give bytes or an int16 array"
        ) from None
    if view.format not in ("h", "<h", "B", "b", "c"):
        raise ConfigError(f"push_audio: samples of format {view.format!r}; give signed 16-bit integers")
    if not view.nbytes or not view.c_contiguous:  # an empty array of two dimensions cannot be cast
        return view.tobytes()
    return view.cast("B")

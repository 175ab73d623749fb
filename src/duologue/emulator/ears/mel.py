"""The log-mel spectrogram Whisper was trained on, in numpy.

Read this for the exact recipe: 25 ms Hann windows every 10 ms, an 80-band (or 128-band) mel scale
that is linear below 1 kHz and logarithmic above, bands of equal area, base-10 logarithm, and a range
of eight decades under the loudest cell. Whisper's paper (Radford et al., 2022, section 2.2) fixes the
window, the step and the number of bands; the mel scale is Slaney's (Auditory Toolbox, 1998).

Imported in the worker process only: it needs numpy.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FRAME_SAMPLES", "log_mel"]

_SAMPLE_RATE = 16_000
_FFT_SAMPLES = 400
FRAME_SAMPLES = 160
"""The step between two frames: 10 ms."""

_LINEAR_TOP_HZ = 1000.0
_LINEAR_HZ_PER_MEL = 200.0 / 3
_LOG_MELS_PER_OCTAVE_E = 27.0 / np.log(6.4)


def _hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = hz / _LINEAR_HZ_PER_MEL
    top = _LINEAR_TOP_HZ / _LINEAR_HZ_PER_MEL
    return np.where(
        hz < _LINEAR_TOP_HZ,
        linear,
        top + np.log(np.maximum(hz, _LINEAR_TOP_HZ) / _LINEAR_TOP_HZ) * _LOG_MELS_PER_OCTAVE_E,
    )


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    top = _LINEAR_TOP_HZ / _LINEAR_HZ_PER_MEL
    above = _LINEAR_TOP_HZ * np.exp(np.maximum(mel - top, 0.0) / _LOG_MELS_PER_OCTAVE_E)
    return np.where(mel < top, mel * _LINEAR_HZ_PER_MEL, above)


@lru_cache(maxsize=2)
def _filters(bands: int) -> NDArray[np.float32]:
    """Return the triangular filters, shape ``(bands, 201)``, each of unit area in Hz."""
    bins_hz = np.linspace(0.0, _SAMPLE_RATE / 2, _FFT_SAMPLES // 2 + 1)
    ends = _hz_to_mel(np.array([0.0, _SAMPLE_RATE / 2]))
    edges_hz = _mel_to_hz(np.linspace(float(ends[0]), float(ends[1]), bands + 2))
    lower, centre, upper = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising = (bins_hz - lower) / (centre - lower)
    falling = (upper - bins_hz) / (upper - centre)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * (2.0 / (upper - lower))).astype(np.float32)


@lru_cache(maxsize=1)
def _window() -> NDArray[np.float32]:
    # Periodic, not symmetric: the 401st point would be the first of the next period.
    return np.hanning(_FFT_SAMPLES + 1)[:-1].astype(np.float32)


def log_mel(samples: NDArray[np.float32], *, bands: int = 80) -> NDArray[np.float32]:
    """Return Whisper's input for a piece of sound.

    Args:
        samples: Shape ``(n,)``, float32 in −1..1, 16 kHz mono; n ≥ 400 and a multiple of 160.
        bands: Mel bands: 80 for every model up to large-v2, 128 for large-v3.

    Returns:
        Shape ``(bands, n // 160)``, float32, roughly −1..1.
    """
    padded = np.pad(samples, _FFT_SAMPLES // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT_SAMPLES)[::FRAME_SAMPLES]
    # The last frame is centred behind the end; the model expects n // 160 of them.
    spectrum = np.fft.rfft(frames[:-1] * _window(), axis=1)
    power = np.square(np.abs(spectrum)).astype(np.float32)
    logged = np.log10(np.maximum(_filters(bands) @ power.T, 1e-10))
    floored = np.maximum(logged, logged.max() - 8.0)
    scaled: NDArray[np.float32] = ((floored + 4.0) / 4.0).astype(np.float32)
    return scaled

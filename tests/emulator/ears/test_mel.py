"""The spectrogram: shape, scale, where a tone lies, and what silence looks like."""

from __future__ import annotations

import pytest

np = pytest.importorskip("numpy")

from duologue.emulator.ears import mel  # noqa: E402


def sine(hz: float, seconds: float = 1.0, peak: float = 0.5):  # type: ignore[no-untyped-def] # numpy is optional here
    at = np.arange(round(16_000 * seconds)) / 16_000
    return (peak * np.sin(2 * np.pi * hz * at)).astype(np.float32)


@pytest.mark.parametrize("bands", [80, 128])
def test_shape_and_type(bands: int) -> None:
    result = mel.log_mel(sine(440, 10), bands=bands)
    assert result.shape == (bands, 1000)
    assert result.dtype == np.float32


def test_silence_is_flat_at_the_bottom() -> None:
    result = mel.log_mel(np.zeros(16_000, np.float32))
    assert np.allclose(result, -1.5)  # (log10(1e-10) + 4) / 4


def test_range_is_eight_decades_under_the_loudest_cell() -> None:
    result = mel.log_mel(sine(1000))
    assert result.max() - result.min() == pytest.approx(2.0)  # 8 / 4


def test_higher_tones_lie_in_higher_bands() -> None:
    rows = [int(mel.log_mel(sine(hz)).mean(axis=1).argmax()) for hz in (200, 500, 1000, 2000, 4000, 7000)]
    assert rows == sorted(set(rows))


def test_a_louder_sound_moves_by_its_decades() -> None:
    quiet, loud = mel.log_mel(sine(1000, peak=0.05)), mel.log_mel(sine(1000, peak=0.5))
    assert loud.max() - quiet.max() == pytest.approx(0.5, abs=0.001)  # 20 dB = 2 decades of power / 4


@pytest.mark.parametrize("bands", [80, 128])
def test_filters_have_unit_area_and_leave_no_gap(bands: int) -> None:
    filters = mel._filters(bands)
    assert np.all(filters.max(axis=1) > 0)
    wide = filters[bands * 3 // 4 :]  # wide enough for a sum over 40 Hz bins to be an area
    assert np.allclose(wide.sum(axis=1) * 40, 1, atol=0.05)


def test_filter_centres_follow_the_mel_scale() -> None:
    hz = np.array([0.0, 200.0, 1000.0, 6400.0])
    # Slaney's scale: 15 mels up to 1 kHz, then 27 a factor of 6.4.
    assert np.allclose(mel._hz_to_mel(hz), [0, 3, 15, 42])
    assert np.allclose(mel._mel_to_hz(mel._hz_to_mel(hz)), hz)

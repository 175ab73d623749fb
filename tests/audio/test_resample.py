from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duologue.audio.resample import Resampler, resample_all, soxr_available
from duologue.errors import AudioError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable


def purity(pcm: bytes, hz: float, sample_rate: int) -> tuple[float, float]:
    """Return the strongest frequency in Hz and its power over all else in dB."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    margin = sample_rate // 20  # the filter's edges
    samples = samples[margin:-margin]
    windowed = samples * np.blackman(len(samples))
    power = np.abs(np.fft.rfft(windowed, 1 << 17)) ** 2
    hz_each = sample_rate / (1 << 17)
    top = int(np.argmax(power))
    reach = int(30 / hz_each)
    tone_power = power[max(0, top - reach) : top + reach].sum()
    return top * hz_each, 10 * float(np.log10(tone_power / (power.sum() - tone_power)))


@pytest.mark.parametrize("from_hz", [8_000, 11_025, 22_050, 24_000, 44_100, 48_000])
def test_a_tone_stays_itself_through_twenty_millisecond_pieces(
    tone: Callable[..., bytes], from_hz: int
) -> None:
    original = tone(1000, 1000, from_hz)
    piece = from_hz // 50 * 2
    stream = Resampler(from_hz, 16_000)
    out = b"".join(stream.process(original[at : at + piece]) for at in range(0, len(original), piece))
    out += stream.flush()
    assert abs(len(out) // 2 - 16_000) <= 2
    hz, above_db = purity(out, 1000, 16_000)
    assert hz == pytest.approx(1000, rel=1e-3)
    assert above_db > 60


def test_what_cannot_be_heard_at_the_new_rate_is_gone(tone: Callable[..., bytes]) -> None:
    out = resample_all(tone(11_000, 500, 48_000), 48_000, 16_000)
    assert np.abs(np.frombuffer(out, "<i2")[800:-800]).max() < 12  # 12 000 before: 60 dB and more


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(0, 700), max_size=12))
def test_the_cut_into_pieces_does_not_matter(sizes: list[int]) -> None:
    rng = np.random.default_rng(7)
    pieces = [rng.integers(-9000, 9000, size).astype("<i2").tobytes() for size in sizes]
    in_pieces, whole = Resampler(48_000, 16_000), Resampler(48_000, 16_000)
    cut = b"".join(map(in_pieces.process, pieces)) + in_pieces.flush()
    assert cut == whole.process(b"".join(pieces)) + whole.flush()


def test_silence_stays_silence() -> None:
    assert not any(resample_all(bytes(2 * 48_000), 48_000, 16_000))


def test_full_scale_does_not_wrap_around() -> None:
    square = (b"\xff\x7f" * 240 + b"\x00\x80" * 240) * 20
    out = np.frombuffer(resample_all(square, 48_000, 16_000), "<i2").reshape(-1, 160)[2:-2]
    assert out[:, 20:60].min() > 25_000
    assert out[:, 100:140].max() < -25_000


def test_a_flushed_stream_begins_anew(tone: Callable[..., bytes]) -> None:
    stream = Resampler(48_000, 16_000)
    sound = tone(700, 100, 48_000)
    first = stream.process(sound) + stream.flush()
    assert stream.process(sound) + stream.flush() == first


@given(
    samples=st.integers(0, 2000), rates=st.sampled_from([(8_000, 16_000), (44_100, 16_000), (16_000, 24_000)])
)
@settings(max_examples=30, deadline=None)
def test_all_at_once_lasts_as_long(samples: int, rates: tuple[int, int]) -> None:
    out = resample_all(bytes(2 * samples), *rates)
    assert len(out) == 2 * round(samples * rates[1] / rates[0])


def test_equal_rates_need_no_soxr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)
    stream = Resampler(16_000, 16_000)
    assert stream.process(b"\1\2") == b"\1\2"
    assert stream.flush() == b""
    assert resample_all(b"\1\2", 8_000, 8_000) == b"\1\2"


def test_missing_soxr_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)
    assert not soxr_available()
    with pytest.raises(ConfigError, match=r'48000 Hz .* pip install "duologue\[audio\]"'):
        Resampler(48_000, 16_000)


def test_bad_input_is_refused() -> None:
    with pytest.raises(AudioError, match="5 bytes"):
        Resampler(48_000, 16_000).process(b"abcde")
    with pytest.raises(ConfigError, match="above 0"):
        Resampler(0, 16_000)
    with pytest.raises(ConfigError, match="'XQ'"):
        Resampler(8_000, 16_000, "XQ")  # type: ignore[arg-type]  # what an untyped caller may do

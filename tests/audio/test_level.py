from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.audio.level import SILENCE_DBFS, LevelMeter, peak_dbfs, rms_dbfs
from duologue.errors import AudioError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable


def test_known_levels(tone: Callable[..., bytes]) -> None:
    sine = tone(1000, 100, 16_000, 32767)
    assert rms_dbfs(sine) == pytest.approx(-3.01, abs=0.01)
    assert peak_dbfs(sine) == pytest.approx(0.0, abs=0.01)
    assert rms_dbfs(tone(1000, 100, 16_000, 3276.7)) == pytest.approx(-23.01, abs=0.01)
    assert peak_dbfs(array("h", [-32768]).tobytes()) == 0.0


@pytest.mark.parametrize("pcm", [b"", bytes(640)])
def test_nothing_is_the_floor(pcm: bytes) -> None:
    assert rms_dbfs(pcm) == peak_dbfs(pcm) == SILENCE_DBFS


@given(samples=st.lists(st.integers(-32768, 32767), min_size=1, max_size=100))
def test_rms_is_at_most_the_peak(samples: list[int]) -> None:
    pcm = array("h", samples).tobytes()
    assert SILENCE_DBFS <= rms_dbfs(pcm) <= peak_dbfs(pcm) + 1e-9 <= 1e-9
    if any(samples):
        expected = math.sqrt(sum(s * s for s in samples) / len(samples)) / 32768
        assert rms_dbfs(pcm) == pytest.approx(max(SILENCE_DBFS, 20 * math.log10(expected)))


def test_odd_bytes_are_refused() -> None:
    with pytest.raises(AudioError, match="3 bytes"):
        rms_dbfs(b"abc")


def test_meter_rises_at_once_and_falls_by_the_second(tone: Callable[..., bytes]) -> None:
    meter = LevelMeter(16_000, decay_db_per_s=40)
    assert meter.level_dbfs == SILENCE_DBFS
    assert meter.push(tone(1000, 20, 16_000, 32767)) == pytest.approx(-3.01, abs=0.01)
    for _ in range(50):  # one second of silence
        meter.push(bytes(640))
    assert meter.level_dbfs == pytest.approx(-43.01, abs=0.01)
    for _ in range(500):
        meter.push(bytes(640))
    assert meter.level_dbfs == SILENCE_DBFS


def test_meter_refuses_no_decay() -> None:
    with pytest.raises(ConfigError, match="decay_db_per_s=0"):
        LevelMeter(decay_db_per_s=0)

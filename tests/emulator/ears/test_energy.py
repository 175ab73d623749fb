"""Speech by loudness: levels, edges, rooms, and the ears that hand out prepared text."""

from __future__ import annotations

import math
import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.emulator.ears.energy import WINDOW_SAMPLES, EnergyDetector, EnergyEars, level_dbfs
from duologue.emulator.protocols import Detector, Ears
from duologue.errors import AudioError

WINDOW_BYTES = 2 * WINDOW_SAMPLES


def noise(dbfs: float, windows: int, seed: int = 0) -> list[bytes]:
    draw = random.Random(seed)
    scale = 32768 * 10 ** (dbfs / 20)
    return [
        array("h", [round(draw.gauss(0, scale)) for _ in range(WINDOW_SAMPLES)]).tobytes()
        for _ in range(windows)
    ]


def sine(dbfs: float, windows: int) -> list[bytes]:
    peak = 32768 * 10 ** (dbfs / 20) * math.sqrt(2)
    samples = [round(peak * math.sin(at * 2 * math.pi * 200 / 16_000)) for at in range(WINDOW_SAMPLES)]
    return [array("h", samples).tobytes()] * windows


def heard(detect: EnergyDetector, windows: list[bytes]) -> list[bool]:
    return [detect(window) > 0.5 for window in windows]


@pytest.mark.parametrize(
    ("pcm", "dbfs"),
    [
        (b"", -96.0),
        (bytes(1024), -96.0),
        (array("h", [32767, -32767] * 256).tobytes(), 0.0),
        (array("h", [3277, -3277] * 256).tobytes(), -20.0),
    ],
)
def test_level(pcm: bytes, dbfs: float) -> None:
    assert level_dbfs(pcm) == pytest.approx(dbfs, abs=0.01)


@given(st.binary(max_size=2048).filter(lambda pcm: len(pcm) % 2 == 0))
def test_level_stays_in_its_range(pcm: bytes) -> None:
    assert -96.0 <= level_dbfs(pcm) <= 0.0


def test_silence_is_not_speech() -> None:
    assert not any(heard(EnergyDetector(), [bytes(WINDOW_BYTES)] * 100))


def test_speech_may_start_at_the_first_window() -> None:
    assert all(heard(EnergyDetector(), sine(-20, 10)))


def test_speech_is_heard_over_a_quiet_room_and_its_end_at_once() -> None:
    detect = EnergyDetector()
    assert not any(heard(detect, noise(-60, 50)))
    assert all(heard(detect, sine(-25, 10)))
    assert not any(heard(detect, noise(-60, 10)))


def test_a_steady_noise_is_ignored_after_two_seconds() -> None:
    detect = EnergyDetector()
    fan = noise(-30, 150)
    seconds = 0.032
    answers = heard(detect, fan)
    assert all(answers[:10])  # nobody can know yet
    assert not any(answers[math.ceil(2.0 / seconds) :])
    assert all(heard(detect, sine(-12, 5)))  # a voice above the fan
    assert not any(heard(detect, noise(-30, 5, seed=1)))


def test_whispering_below_the_threshold_is_not_speech() -> None:
    assert not any(heard(EnergyDetector(threshold_dbfs=-40), sine(-45, 10)))


def test_detectors_share_nothing() -> None:
    first, second = EnergyEars().detector(), EnergyEars().detector()
    heard(first, noise(-20, 100))
    assert second.floor_dbfs < -60 < first.floor_dbfs


@pytest.mark.parametrize("size", [0, 2, WINDOW_BYTES - 2, WINDOW_BYTES + 2])
def test_a_window_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(AudioError, match=f"this one {size} bytes"):
        EnergyDetector()(bytes(size))


async def test_prepared_transcripts_come_in_order_then_nothing() -> None:
    ears = EnergyEars(["one", "two"])
    assert [await ears.transcribe(bytes(2)) for _ in range(3)] == ["one", "two", ""]
    await ears.aclose()


def test_they_are_what_the_emulator_asks_for() -> None:
    assert isinstance(EnergyEars(), Ears)
    assert isinstance(EnergyDetector(), Detector)

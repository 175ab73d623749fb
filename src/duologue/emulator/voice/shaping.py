"""What every voice does with its text before and with its sound after.

Read this for the limits that nobody should meet: a clause of any length is spoken, because it is
cut into pieces an engine can take, and characters that an engine reads as commands never reach it.
"""

from __future__ import annotations

import importlib
import re
import unicodedata
from typing import Any

from duologue.errors import ConfigError

__all__ = ["SAMPLE_RATE", "resampled", "speakable", "split_text", "trim_silence", "voiced_span"]

SAMPLE_RATE = 24_000
"""What every voice returns, in Hz."""

_FRAME_MS = 10
_MAX_DIGITS = 15


def speakable(text: str) -> str:
    """Return text without what can't be said: control characters, markup signs, emoji, endless digits.

    ``<`` and ``>`` become words, as Pico takes what is between them for its own commands. A run of more
    than 15 digits is broken up by spaces. Whitespace is folded; what has nothing to say becomes "".
    """
    text = text.replace("<", " less than ").replace(">", " greater than ").replace("&", " and ")
    kept = "".join(c if _sayable(c) else " " for c in text)
    kept = re.sub(rf"(\d{{{_MAX_DIGITS}}})(?=\d)", r"\1 ", kept)
    kept = " ".join(kept.split())
    return kept if any(c.isalnum() for c in kept) else ""


def _sayable(character: str) -> bool:
    # Control, format and separator characters; pictures, save the degree sign.
    category = unicodedata.category(character)
    return category[0] not in "CZ" and (category != "So" or character == "°")


def split_text(text: str, max_chars: int) -> list[str]:
    """Cut text into pieces of at most ``max_chars``: after sentences, else commas, else spaces, else anywhere."""
    pieces: list[str] = []
    rest = text.strip()
    while len(rest) > max_chars:
        cut = _cut_at(rest, max_chars)
        pieces.append(rest[:cut].strip())
        rest = rest[cut:].strip()
    return [piece for piece in [*pieces, rest] if piece]


def _cut_at(text: str, max_chars: int) -> int:
    head = text[: max_chars + 1]
    for marks in (r"[.!?][\"')]*\s", r"[,;:]\s", r"\s"):
        ends = [match.end() for match in re.finditer(marks, head) if match.end() >= max_chars // 4]
        if ends:
            return ends[-1]
    return max_chars


def voiced_span(pcm: bytes, sample_rate: int, *, threshold_dbfs: float) -> tuple[int, int] | None:
    """Find where sound begins and ends.

    Args:
        pcm: s16le mono.
        sample_rate: In Hz.
        threshold_dbfs: A 10 ms frame at or above this level counts as sound.

    Returns:
        First and last sample of the frames that count (both inclusive), None when none does.
    """
    from duologue.emulator.ears.energy import level_dbfs

    step = sample_rate * _FRAME_MS // 1000
    view = memoryview(pcm)
    frames = range(0, len(pcm) // 2, step)
    loud = [at for at in frames if level_dbfs(view[2 * at : 2 * (at + step)]) >= threshold_dbfs]
    if not loud:
        return None
    return loud[0], min(loud[-1] + step, len(pcm) // 2) - 1


def trim_silence(pcm: bytes, sample_rate: int, *, keep_ms: int = 30, threshold_dbfs: float = -50.0) -> bytes:
    """Cut the silence off both ends, leaving ``keep_ms`` of it; sound that is all silence becomes b""."""
    span = voiced_span(pcm, sample_rate, threshold_dbfs=threshold_dbfs)
    if span is None:
        return b""
    keep = sample_rate * keep_ms // 1000
    return pcm[2 * max(span[0] - keep, 0) : 2 * (span[1] + 1 + keep)]


def resampled(pcm: bytes, sample_rate: int, to_rate: int) -> bytes:
    """Return a whole piece of s16le mono sound at another rate, with soxr's high quality.

    Raises:
        ConfigError: soxr or numpy isn't installed (and the rates differ).
    """
    if sample_rate == to_rate:
        return pcm
    try:
        np: Any = importlib.import_module("numpy")
        soxr: Any = importlib.import_module("soxr")
    except ImportError as error:
        raise ConfigError(f"this voice needs {error.name}: pip install 'duologue[audio]'") from None
    samples = np.frombuffer(pcm, dtype="<i2")
    converted: bytes = soxr.resample(samples, sample_rate, to_rate, quality="HQ").astype("<i2").tobytes()
    return converted

"""SVOX Pico: a small, clear voice in six languages (package ``ttspico``, Apache-2.0), in a process.

Read this for what its engine needs from us. It carries state from one text to the next, so every text
gets a fresh engine (2 ms) and sounds the same each time. It leaks the sound it made (32 kB a second
of speech) and can be crashed by odd input, so it lives in a worker that is renewed now and then. It
returns 16 kHz, at full volume clipped; we ask for less and resample to 24 kHz. It takes 4 ms a
second of speech and lets other threads run meanwhile.

Text of any length is spoken: longer than 400 characters it is cut at sentences, commas or spaces.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, Final

from duologue.emulator.voice.shaping import SAMPLE_RATE, resampled, speakable, split_text, trim_silence
from duologue.emulator.workers import Answer, Handler, Worker
from duologue.errors import ConfigError

__all__ = ["LANGUAGES", "PicoVoice", "is_installed", "open_engine"]

LANGUAGES: Final = ("en-US", "en-GB", "de-DE", "es-ES", "fr-FR", "it-IT")
"""One voice each."""

_ENGINE_RATE: Final = 16_000
_VOLUME: Final = 60
_MAX_PIECE_CHARS: Final = 400
_PIECE_GAP_MS: Final = 120
_RENEW_AFTER_JOBS: Final = 500


def is_installed() -> bool:
    """Tell whether ``ttspico`` (and what resamples its sound) can be imported, without importing it."""
    return all(importlib.util.find_spec(name) is not None for name in ("ttspico", "soxr", "numpy"))


class PicoVoice:
    """Speaks with one of Pico's voices; the same text always gives the same bytes.

    Args:
        language: One of :data:`LANGUAGES`; each has one voice.
        rate_percent: Speed, 20..500; 100 is about 14 characters a second.
        pitch_percent: 50..200; a voice far from 100 is understood less well.

    Raises:
        ConfigError: Pico has no such language, or a number is out of range.
    """

    def __init__(self, language: str = "en-US", *, rate_percent: int = 100, pitch_percent: int = 100) -> None:
        if language not in LANGUAGES:
            raise ConfigError(f"Pico doesn't speak {language!r}; it speaks {', '.join(LANGUAGES)}")
        if not 20 <= rate_percent <= 500 or not 50 <= pitch_percent <= 200:
            raise ConfigError(
                f"Pico's rate_percent is 20..500 and pitch_percent 50..200, not {rate_percent} and {pitch_percent}"
            )
        self.name = f"pico:{language}"
        options = {"language": language, "rate_percent": rate_percent, "pitch_percent": pitch_percent}
        self._worker = Worker(
            f"{__name__}:open_engine", options, name="Pico", renew_after_jobs=_RENEW_AFTER_JOBS
        )

    def warm(self) -> None:
        """Start the process in the background; return at once."""
        self._worker.warm()

    async def started(self) -> None:
        """Wait until the process is up.

        Raises:
            ConfigError: A package is missing.
            WorkerError: The process died.
        """
        await self._worker.started()

    async def speak(self, text: str) -> bytes:
        """Return ``text`` spoken, s16le mono 24 kHz; b"" when nothing in it can be said.

        Raises:
            WorkerError: Pico failed at this text, or died twice over it.
            QueueFull: 256 texts are waiting already.
        """
        words = speakable(text)
        if not words:
            return b""
        return (await self._worker.call({"text": words})).blob

    async def aclose(self) -> None:
        """Stop the worker process; idempotent."""
        await self._worker.aclose()


# ---------------------------------------------------------------------------------- in the worker


def open_engine(language: str, rate_percent: int, pitch_percent: int) -> Handler:
    """Check the engine (in the worker process) and return what answers its jobs."""
    try:
        ttspico: Any = importlib.import_module("ttspico")
        importlib.import_module("soxr")
    except ImportError as error:
        raise ConfigError(
            f"the voice 'pico' needs {error.name}: pip install ttspico==0.3.2 soxr numpy (ttspico needs gcc)"
        ) from None

    def spoken(text: str) -> bytes:
        engine = ttspico.TtsEngine(language)
        engine.rate, engine.pitch, engine.volume = rate_percent, pitch_percent, _VOLUME
        return engine.speak(text) or b""

    def handle(params: dict[str, Any], blob: bytes) -> Answer:
        del blob
        pieces = [spoken(piece) for piece in split_text(params["text"], _MAX_PIECE_CHARS)]
        gap = bytes(2 * _ENGINE_RATE * _PIECE_GAP_MS // 1000)
        sound = gap.join(filter(None, (trim_silence(piece, _ENGINE_RATE) for piece in pieces)))
        return Answer({}, resampled(sound, _ENGINE_RATE, SAMPLE_RATE))

    spoken("ready")
    return handle

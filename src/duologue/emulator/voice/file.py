"""A voice from a file: a Piper voice (``.onnx`` with its ``.onnx.json``), when Piper is installed.

Read this for what is needed and why we don't bring it: turning letters into the phonemes such a voice
wants takes espeak-ng, which is under the GPL. So whoever has installed the ``piper-tts`` package can
use it here; it is imported in the worker process only, at the user's choice.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import TYPE_CHECKING, Any, Final

from duologue.emulator.voice.shaping import SAMPLE_RATE, resampled, speakable, split_text, trim_silence
from duologue.emulator.workers import Answer, Handler, Worker
from duologue.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FileVoice", "open_voice"]

_MAX_PIECE_CHARS: Final = 400


class FileVoice:
    """Speaks with a Piper voice; text of any length, cut into pieces of at most 400 characters.

    Args:
        path: The ``.onnx`` file; ``path`` + ``.json`` has to lie beside it.

    Raises:
        ConfigError: A file is missing, isn't an ``.onnx``, or ``piper-tts`` isn't installed.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix != ".onnx":
            raise ConfigError(f"{path} is no voice: a voice file is a Piper voice and ends in .onnx")
        for needed in (path, path.with_name(path.name + ".json")):
            if not needed.is_file():
                raise ConfigError(f"the voice file {needed} doesn't exist")
        if importlib.util.find_spec("piper") is None:
            raise ConfigError(
                f"speaking with {path.name} needs the package piper-tts (GPL-3.0), which duologue doesn't "
                "bring: pip install piper-tts soxr, or choose the voice 'pico' or 'tone'"
            )
        self.name = path.name
        self._worker = Worker(f"{__name__}:open_voice", {"path": str(path)}, name=f"voice {path.name}")

    def warm(self) -> None:
        """Load the voice in the background; return at once."""
        self._worker.warm()

    async def speak(self, text: str) -> bytes:
        """Return ``text`` spoken, s16le mono 24 kHz; b"" when nothing in it can be said.

        Raises:
            ConfigError: The voice cannot be loaded.
            WorkerError: The process failed at this text.
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


def open_voice(path: str) -> Handler:
    """Load the voice (in the worker process) and return what answers its jobs."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # the engine beneath would tell of its use
    try:
        piper: Any = importlib.import_module("piper")
        voice = piper.PiperVoice.load(path)
    except Exception as error:
        raise ConfigError(f"{path} cannot be loaded as a Piper voice: {error}") from None

    def handle(params: dict[str, Any], blob: bytes) -> Answer:
        del blob
        pieces = split_text(params["text"], _MAX_PIECE_CHARS)
        chunks = (chunk for piece in pieces for chunk in voice.synthesize(piece))
        sound = [resampled(chunk.audio_int16_bytes, chunk.sample_rate, SAMPLE_RATE) for chunk in chunks]
        return Answer({}, trim_silence(b"".join(sound), SAMPLE_RATE))

    return handle

"""How the emulator speaks: Pico where it is installed, else hummed tones, or a voice file.

Read this to choose. ``make_voice(None)`` takes the best that is installed and never fails; naming one
that isn't installed is an error that says what to install. No voice limits how long a text may be.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from duologue.errors import ConfigError

if TYPE_CHECKING:
    from duologue.emulator.protocols import Voice

__all__ = ["VOICES", "make_voice"]

VOICES = ("pico", "tone")
"""The names :func:`make_voice` knows beside ``pico:LANGUAGE`` and files, the best first."""


def make_voice(name: str | None = None) -> Voice:
    """Make a voice by name.

    Loading happens later, in a worker process: at the first text, or by ``warm()`` where the voice
    has it.

    Args:
        name: ``"pico"`` (American English), ``"pico:en-GB"`` and so on, ``"tone"``, the path of a
            Piper voice (``.onnx``), or None for the best installed.

    Raises:
        ConfigError: The name is unknown, or what it needs isn't installed.
    """
    from duologue.emulator.voice import pico

    if name is None:
        name = "pico" if pico.is_installed() else "tone"
    kind, _, language = name.partition(":")
    if kind == "pico":
        if not pico.is_installed():
            raise ConfigError(
                "the voice 'pico' isn't installed: pip install ttspico==0.3.2 soxr numpy (ttspico needs gcc)"
            )
        return pico.PicoVoice(language or "en-US")
    if name == "tone":
        from duologue.emulator.voice.tone import ToneVoice

        return ToneVoice()
    if name.endswith(".onnx"):
        from duologue.emulator.voice.file import FileVoice

        return FileVoice(Path(name))
    raise ConfigError(f"there is no voice named {name!r}; choose pico, pico:LANGUAGE, tone or a file.onnx")

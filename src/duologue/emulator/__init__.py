"""A local service that speaks the Gemini Live protocol, to talk to and to test against.

``rules`` is the pure server machine, ``ears``, ``brain`` and ``voice`` answer what it asks, ``door``
and ``session`` carry it over real sockets, and :class:`Emulator` in ``app`` is all of it in one
object. The names here are loaded when they are first used: the rules need none of the sockets.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duologue.emulator.app import Emulator
    from duologue.emulator.faults import FAULTS, Fault
    from duologue.emulator.log import LoggedFrame
    from duologue.emulator.session import EmulatedSession

__all__ = ["FAULTS", "EmulatedSession", "Emulator", "Fault", "LoggedFrame"]

_HOMES = {
    "Emulator": "app",
    "EmulatedSession": "session",
    "FAULTS": "faults",
    "Fault": "faults",
    "LoggedFrame": "log",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)

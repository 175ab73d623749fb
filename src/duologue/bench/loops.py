"""Which event loop a measurement runs in."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from duologue.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["LoopName", "loop_name", "run_in_loop"]

LoopName = Literal["asyncio", "uvloop"]

T = TypeVar("T")


def loop_name(wanted: str = "auto") -> LoopName:
    """Return the loop that ``wanted`` means here; ``auto`` is uvloop where it is installed.

    Raises:
        ConfigError: No such loop, or uvloop was asked for and is not installed.
    """
    if wanted not in ("auto", "asyncio", "uvloop"):
        raise ConfigError(f"there is no event loop {wanted!r}; give auto, asyncio or uvloop")
    installed = find_spec("uvloop") is not None
    if wanted == "uvloop" and not installed:
        raise ConfigError('uvloop is not installed: pip install "duologue[fast]"')
    return "uvloop" if installed and wanted != "asyncio" else "asyncio"


def run_in_loop(work: Coroutine[Any, Any, T], name: LoopName) -> T:
    """Run a coroutine in a new event loop of that kind and return its result."""
    if name == "uvloop":
        import uvloop

        return uvloop.run(work)
    return asyncio.run(work)

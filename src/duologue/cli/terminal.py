"""The terminal's own manners, where it has any."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Lines", "hide_control_echo"]


class Lines:
    """Lines of text into a stream. A reader that goes away (`| head`) does not end the call."""

    def __init__(self, out: IO[str]) -> None:
        self._out: IO[str] | None = out

    def write(self, text: str) -> None:
        """Write a line and flush; nothing once nobody reads."""
        if self._out is None:
            return
        try:
            self._out.write(text + "\n")
            self._out.flush()
        except BrokenPipeError:
            # The interpreter flushes standard output once more at its end, and would complain then.
            if self._out is sys.stdout:
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())
            self._out = None


def hide_control_echo(stream: IO[str]) -> Callable[[], None]:
    """Keep a terminal from printing ``^C`` into what is drawn there; return what undoes it.

    Does nothing where there is no such terminal.
    """
    try:
        import termios
    except ImportError:  # Windows
        return lambda: None
    try:
        terminal = stream.fileno()
        before = termios.tcgetattr(terminal)
        quiet = before.copy()
        quiet[3] &= ~termios.ECHOCTL
        termios.tcsetattr(terminal, termios.TCSANOW, quiet)
    except (OSError, ValueError, termios.error):
        return lambda: None

    def undo() -> None:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(terminal, termios.TCSANOW, before)

    return undo

"""The terminal's own manners, where it has any."""

from __future__ import annotations

import contextlib
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["hide_control_echo"]


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

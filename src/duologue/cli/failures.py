"""From an exception to a line on stderr and an exit code."""

from __future__ import annotations

import sys
import traceback

from duologue.cli.wording import clean
from duologue.errors import DuologueError

__all__ = ["EXIT_ERROR", "EXIT_INTERRUPTED", "describe", "exit_code_of"]

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130


def exit_code_of(error: BaseException, *, debug: bool) -> int:
    """Say what went wrong and return the process's exit code.

    A traceback is shown only with ``--debug``, or for what is no typed error: that is a mistake of ours.
    """
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "Abort":
        sys.stderr.write("interrupted\n")
        return EXIT_INTERRUPTED
    if isinstance(error, SystemExit):
        if isinstance(error.code, str):
            sys.stderr.write(f"duologue: {clean(error.code)}\n")
        return EXIT_ERROR if isinstance(error.code, str) else int(error.code or 0)
    exit_code = getattr(error, "exit_code", None)
    say = getattr(error, "format_message", None)  # click's own errors have it
    if isinstance(exit_code, int) and callable(say):
        if words := say():  # none after a help that was not asked for
            sys.stderr.write(f"duologue: {words}\n")
        return EXIT_ERROR
    if isinstance(exit_code, int):  # typer.Exit
        return exit_code
    if debug or not isinstance(error, DuologueError):
        traceback.print_exception(error)
    if isinstance(error, DuologueError):
        sys.stderr.write(f"duologue: {describe(error)}\n")
    return EXIT_ERROR


def describe(error: DuologueError) -> str:
    """Return the error on one line, with code, reason and phase where it has to do with a link.

    Part of it may be a stranger's words (a close reason, a tool's complaint): no control character passes.
    """
    details: list[str] = []
    if error.code is not None:
        details.append(f"code {error.code}")
    if details or isinstance(error, ConnectionError):
        details.append(f"phase {error.phase}")
    if error.reason and error.reason not in str(error):
        details.append(f"reason {clean(error.reason)!r}")
    return clean(str(error)) + (f" [{', '.join(details)}]" if details else "")

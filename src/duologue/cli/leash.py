"""Run ``duologue`` as a child that cannot outlive its parent, however that one ends.

The parent holds the other end of standard input; when it closes, the child ends as by SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from duologue.cli.__main__ import main

__all__ = ["hold"]


def hold() -> None:
    """Begin to watch standard input."""
    threading.Thread(target=_watch, name="leash", daemon=True).start()


def _watch() -> None:
    # os.read and not sys.stdin: a thread inside sys.stdin's lock would hang the interpreter's exit.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    hold()
    main(sys.argv[1:])

"""What every test relies on."""

from __future__ import annotations

import signal

# A shell that starts the tests in the background ignores Ctrl-C for them, and what is ignored stays so in the
# programs they start: those could then not be interrupted, which is what some tests are about.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

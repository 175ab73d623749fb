"""What a session costs beside a bare loop: ``duologue bench relay`` as a script, with its options."""

from __future__ import annotations

import sys

from duologue.cli.__main__ import main

if __name__ == "__main__":
    main(["bench", "relay", *sys.argv[1:]])

"""What a message of sound costs each way: ``duologue bench codec`` as a script, with its options."""

from __future__ import annotations

import sys

from duologue.cli.__main__ import main

if __name__ == "__main__":
    main(["bench", "codec", *sys.argv[1:]])

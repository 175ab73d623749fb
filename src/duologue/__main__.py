"""``python -m duologue``: the same as the command ``duologue``."""

from duologue.cli.__main__ import main

if __name__ == "__main__":
    main()

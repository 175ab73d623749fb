"""The same target, led by coverage: for hours rather than for seconds.

    python -m tests.fuzz.atheris_codec CORPUS_DIR -max_total_time=3600

``CORPUS_DIR`` is filled with the frames of ``corpus`` when it is empty; libFuzzer adds what it finds
interesting. An input is one frame, or several with ``\\xf8`` between them, a byte that no UTF-8 holds. What
is found is written to ``crash-…`` in the working directory; give that file as the only argument to repeat
it. Needs atheris, which is no dependency: ``pip install atheris`` (Linux and macOS).
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

__all__ = ["main", "one_input"]

_BETWEEN = b"\xf8"
_FRAMES = 8


def one_input(data: bytes) -> None:
    """Feed a fresh target; what it raises is a finding."""
    from tests.fuzz.target import Target

    target = Target(len(data))
    for frame in data.split(_BETWEEN, _FRAMES - 1):
        target.feed(frame)
    target.end()


def main(arguments: list[str]) -> None:
    """Run libFuzzer; never returns."""
    try:
        atheris = import_module("atheris")
    except ImportError:
        sys.exit("atheris is not installed: pip install atheris")
    with atheris.instrument_imports(include=["duologue"]):
        import_module("tests.fuzz.target")
    _fill(next((Path(one) for one in arguments[1:] if Path(one).is_dir()), None))
    atheris.Setup(arguments, one_input)
    atheris.Fuzz()


def _fill(folder: Path | None) -> None:
    if folder is None or any(folder.iterdir()):
        return
    from tests.fuzz.corpus import corpus

    for number, frame in enumerate(frame for frames in corpus().shapes for frame in frames):
        (folder / f"{number:04}").write_bytes(frame)


if __name__ == "__main__":
    main(sys.argv)

"""How long ``import duologue`` takes beyond starting Python, and what it drags in.

Run it as ``python benchmarks/import_time.py [--json] [--runs N]``. Every run is a fresh interpreter with
the bytecode cache in place; the first, which may have to write it, is not counted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

HEAVY = ("websockets", "picows", "numpy", "soxr", "typer", "rich", "onnxruntime", "ctranslate2", "google")
"""Modules that may not be loaded by the bare import."""

PROBE = "import sys, json; import duologue; print(json.dumps(sorted(sys.modules)))"


def wall_s(code: str) -> float:
    """Seconds a fresh interpreter takes to run ``code``, its own start included."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def heavy_modules() -> list[str]:
    """Those of ``HEAVY`` that ``import duologue`` loads; an empty list is the promise."""
    done = subprocess.run([sys.executable, "-c", PROBE], check=True, capture_output=True, text=True)
    loaded: list[str] = json.loads(done.stdout)
    return sorted(set(HEAVY) & {name.partition(".")[0] for name in loaded})


def measure(runs: int) -> dict[str, object]:
    """Median wall time of a bare interpreter and of one that imports duologue, in milliseconds.

    The two alternate, so that a machine that is busy for a moment is busy for both.
    """
    wall_s("import duologue")
    bare, imported = [], []
    for _ in range(runs):
        bare.append(wall_s("pass"))
        imported.append(wall_s("import duologue"))
    bare_ms = statistics.median(bare) * 1000
    import_ms = statistics.median(imported) * 1000
    return {
        "runs": runs,
        "bare_ms": round(bare_ms, 1),
        "import_ms": round(import_ms, 1),
        "over_bare_ms": round(import_ms - bare_ms, 1),
        "heavy_modules": heavy_modules(),
    }


def main() -> None:
    """Print the figures, as a sentence or as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--runs", type=int, default=5, help="interpreters started of each kind (5)")
    args = parser.parse_args()
    figures = measure(max(1, args.runs))
    if args.json:
        print(json.dumps(figures))
        return
    print(
        f"import duologue: {figures['over_bare_ms']} ms over a bare interpreter ({figures['bare_ms']} ms), "
        f"median of {figures['runs']}; heavy modules loaded: {figures['heavy_modules'] or 'none'}"
    )


if __name__ == "__main__":
    main()

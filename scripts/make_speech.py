#!/usr/bin/env python3
"""Make a caller's lines as WAV files, each with a JSON file that says where its words begin and end.

    scripts/make_speech.py "Hello! My favourite colour is teal." -o lines
    scripts/make_speech.py --scene examples/scenes/first.toml -o lines --seed 7

The same arguments give the same bytes. Prints the path of every WAV file. The work is in
``duologue.emulator.caller``.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from duologue.emulator.caller import CALLER_VOICE, line_name, scene_lines, speak_line, write_line
from duologue.emulator.voice import make_voice
from duologue.errors import DuologueError


async def make_lines(texts: list[str], *, folder: Path, voice: str, seed: int, noise_dbfs: float) -> None:
    """Speak every text with one voice; the n-th line's noise has the seed ``seed + n − 1``."""
    speaker = make_voice(voice)
    try:
        for index, text in enumerate(texts, start=1):
            line = await speak_line(text, voice=speaker, seed=seed + index - 1, noise_dbfs=noise_dbfs)
            path = folder / line_name(index, text)
            write_line(line, path)
            print(path)
    finally:
        await speaker.aclose()


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and make the lines; return the exit status."""
    parser = argparse.ArgumentParser(description="Make a caller's lines as WAV files.")
    parser.add_argument("text", nargs="*", help="what is said, one argument a line")
    parser.add_argument("--scene", type=Path, help="take the lines from the 'say' texts of a scene (TOML)")
    parser.add_argument("-o", "--output-dir", type=Path, default=Path("out"), help="where to write (out)")
    parser.add_argument("--voice", default=CALLER_VOICE, help=f"who speaks ({CALLER_VOICE})")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (0)")
    parser.add_argument("--noise-dbfs", type=float, default=-60.0, help="level of the noise (-60)")
    given = parser.parse_args(arguments)
    try:
        texts = [*given.text, *(scene_lines(given.scene) if given.scene else [])]
        if not texts:
            parser.error("nothing to say: give a text, or a scene with steps that say something")
        asyncio.run(
            make_lines(
                texts,
                folder=given.output_dir,
                voice=given.voice,
                seed=given.seed,
                noise_dbfs=given.noise_dbfs,
            )
        )
    except DuologueError as error:
        print(f"make_speech: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

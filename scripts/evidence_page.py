#!/usr/bin/env python3
"""Draw the profile table with its grades: the page docs/reference/evidence.md.

    scripts/evidence_page.py            # write the page
    scripts/evidence_page.py --print    # show it
    scripts/evidence_page.py --check    # fail when the page is not what the table says

The table is ``duologue.wire.profile_table``; this only draws it, so the page cannot say anything else.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import sys
import textwrap
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from duologue.wire.profile import Evidence, ModelProfile, TokenPrices
from duologue.wire.profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "evidence.md"
GRADES: tuple[Evidence, ...] = get_args(Evidence)
LETTERS: dict[Evidence, str] = dict(zip(GRADES, ("●", "◐", "○", "?"), strict=True))
NO_FACTS = frozenset({"name", "backend", "default_model", "model_prefixes", "known", "evidence"})

INTRODUCTION = """\
# What we know of each model, and how

One column a profile (a model family on a backend), one row a fact that differs between them. Drawn from
`wire/profile_table.py` by `scripts/evidence_page.py`; a test fails when it is stale, so change the table, not this page.

| mark | grade | what it rests on |
|---|---|---|
| ● | recorded | seen in recorded traffic of the real service |
| ◐ | documented | Google's documentation, published protobuf contract or SDK source |
| ○ | reported | users, and other clients' source; we have not seen it ourselves |
| ? | guessed | our inference |

`duologue verify --live` asks the service itself about what is reported or guessed; the last live pass: none yet.
Rules that hold for every model stand in [quirks.md](../quirks.md), each with its grade.
"""


def columns() -> list[str]:
    """Return the names of the facts, in the order in which the class declares them."""
    return [field.name for field in fields(ModelProfile) if field.name not in NO_FACTS]


def explanations() -> dict[str, str]:
    """Return what the source says below each fact that it explains."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(ModelProfile))).body
    assert isinstance(tree, ast.ClassDef)
    said: dict[str, str] = {}
    for member, below in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(member, ast.AnnAssign)
            and isinstance(member.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            said[member.target.id] = " ".join(below.value.value.replace("``", "`").split())
    return said


def shown(value: Any) -> str:
    """Return a cell's value as people would write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, TokenPrices):
        prices = value
        into = f"text {prices.text_in:g}, audio {prices.audio_in:g}, video {prices.video_in:g}"
        return f"in: {into}; out: text {prices.text_out:g}, audio {prices.audio_out:g} ({prices.read_on})"
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in cast("tuple[str, ...]", value))
    if isinstance(value, int):
        return f"{value:,}"
    return str(value).removeprefix("TURN_INCLUDES_")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def facts() -> str:
    """Return the table of all facts."""
    rows = [
        [
            f"`{column}`",
            *(f"{shown(getattr(row, column))} {LETTERS[row.evidence[column]]}" for row in PROFILES.values()),
        ]
        for column in columns()
    ]
    return table(["fact", *(f"`{name}`" for name in PROFILES)], rows)


def by_grade() -> str:
    """Return, for each profile, its facts by how sure they are."""
    parts: list[str] = []
    for name, row in PROFILES.items():
        graded: dict[Evidence, list[str]] = {
            grade: [c for c in columns() if row.evidence[c] == grade] for grade in GRADES
        }
        parts += [
            f"### `{name}`",
            "",
            f"Default model `{row.default_model}`, on the {row.backend} backend.",
            "",
        ]
        parts += [
            f"- {LETTERS[grade]} {grade} ({len(names)}): {', '.join(f'`{n}`' for n in names) or 'none'}"
            for grade, names in graded.items()
        ]
        parts.append("")
    return "\n".join(parts)


def page() -> str:
    """Return the whole page."""
    said = explanations()
    meanings = "\n".join(f"- `{column}`: {said[column]}" for column in columns() if column in said)
    return (
        f"{INTRODUCTION}\n## The table\n\nPrices are US dollars for a million tokens.\n\n{facts()}\n\n"
        f"## What the facts mean\n\n{meanings}\n\n## By profile\n\n{by_grade()}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Write, print or check the page; return the exit status."""
    parser = argparse.ArgumentParser(description="Draw the profile table with its grades.")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--check", action="store_true", help="fail when the page is stale")
    group.add_argument("--print", action="store_true", help="show it and write nothing")
    given = parser.parse_args(arguments)
    text = page()
    if given.print:
        print(text, end="")
    elif given.check:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            print(f"{PAGE.name} is not what the table says: run scripts/evidence_page.py", file=sys.stderr)
            return 1
    else:
        PAGE.write_text(text, encoding="utf-8")
        print(PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())

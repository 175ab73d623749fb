#!/usr/bin/env python3
"""Draw every transition table as a mermaid diagram: the page docs/reference/states.md.

    scripts/state_diagrams.py            # write the page
    scripts/state_diagrams.py --print    # show it
    scripts/state_diagrams.py --check    # fail when the page is not what the tables say

The tables are the documentation; this only draws them, so the page cannot say anything else.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import sys
import textwrap
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from duologue.core.activity import ACTIVITY_TABLE, Activity
from duologue.core.generation import GENERATION_TABLE, GenerationState
from duologue.core.link import LINK_TABLE, Link
from duologue.core.tools import CALL_TABLE, CallState
from duologue.core.uplink import GATE_TABLE, Gate
from duologue.emulator.rules.hearing import ACTIVITY_TRANSITIONS
from duologue.emulator.rules.hearing import Activity as CallerActivity
from duologue.emulator.rules.server import LINK_TRANSITIONS, LinkPhase
from duologue.emulator.rules.turn import TURN_TRANSITIONS, Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

S = TypeVar("S", bound=Enum)

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "states.md"

INTRODUCTION = """\
# State machines

Every state of duologue is an enum, a table of the moves it allows, and one way to move. The diagrams are drawn from the
tables by `scripts/state_diagrams.py`; a test fails when they are stale, so change the table, not this page.
"""


@dataclass(frozen=True, slots=True)
class Diagram(Generic[S]):
    """One table: what it is called, where it begins, and what it allows."""

    title: str
    name: str
    table: Mapping[S, frozenset[S]]
    first: S

    @property
    def states(self) -> type[S]:
        """The enum."""
        return type(self.first)


CLIENT: tuple[Diagram[Any], ...] = (
    Diagram("The link: one WebSocket", "LINK_TABLE", LINK_TABLE, Link.IDLE),
    Diagram("The user's activity", "ACTIVITY_TABLE", ACTIVITY_TABLE, Activity.QUIET),
    Diagram(
        "A generation: the model's part of a turn",
        "GENERATION_TABLE",
        GENERATION_TABLE,
        GenerationState.CREATED,
    ),
    Diagram("A tool call", "CALL_TABLE", CALL_TABLE, CallState.OPEN),
    Diagram("The gate of the caller's sound", "GATE_TABLE", GATE_TABLE, Gate.HELD),
)
EMULATOR: tuple[Diagram[Any], ...] = (
    Diagram("The link, from the service's side", "LINK_TRANSITIONS", LINK_TRANSITIONS, LinkPhase.NEW),
    Diagram("A turn of the model", "TURN_TRANSITIONS", TURN_TRANSITIONS, Phase.THINKING),
    Diagram("What the caller is doing", "ACTIVITY_TRANSITIONS", ACTIVITY_TRANSITIONS, CallerActivity.QUIET),
)


def explanations(states: type[Enum]) -> dict[str, str]:
    """Return what the source says below each member that it explains."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(states))).body
    assert isinstance(tree, ast.ClassDef)
    said: dict[str, str] = {}
    for member, below in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(member, ast.Assign)
            and isinstance(member.targets[0], ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
            and isinstance(below.value.value, str)
        ):
            said[member.targets[0].id] = " ".join(below.value.value.replace("``", "`").split())
    return said


def draw(diagram: Diagram[S]) -> str:
    """Return the section of one table."""
    home = diagram.states.__module__
    lines = [f"### {diagram.title}", "", f"`{home}.{diagram.name}`", "", "```mermaid", "stateDiagram-v2"]
    lines.append(f"    [*] --> {diagram.first.name}")
    for state in diagram.states:
        targets = diagram.table[state]
        lines += [f"    {state.name} --> {target.name}" for target in diagram.states if target in targets]
        if not targets:
            lines.append(f"    {state.name} --> [*]")
    lines += ["```", ""]
    said = explanations(diagram.states)
    lines += [f"- `{state.name}`: {said[state.name]}" for state in diagram.states if state.name in said]
    return "\n".join([*lines, ""])


def page() -> str:
    """Return the whole page."""
    client = "\n".join(draw(diagram) for diagram in CLIENT)
    emulator = "\n".join(draw(diagram) for diagram in EMULATOR)
    return f"{INTRODUCTION}\n## This side\n\n{client}\n## The emulator's side\n\n{emulator}"


def main(arguments: list[str] | None = None) -> int:
    """Write, print or check the page; return the exit status."""
    parser = argparse.ArgumentParser(description="Draw every transition table.")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--check", action="store_true", help="fail when the page is stale")
    group.add_argument("--print", action="store_true", help="show it and write nothing")
    given = parser.parse_args(arguments)
    text = page()
    if given.print:
        print(text, end="")
    elif given.check:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            print(f"{PAGE.name} is not what the tables say: run scripts/state_diagrams.py", file=sys.stderr)
            return 1
    else:
        PAGE.write_text(text, encoding="utf-8")
        print(PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``duologue doctor``: what is here, what is missing, and what to do about it."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from duologue.cli.failures import EXIT_ERROR

if TYPE_CHECKING:
    from duologue.cli.diagnosis import Finding, State

__all__ = ["doctor"]

_STYLES: dict[State, str] = {
    "ok": "green",
    "missing": "yellow",
    "optional": "dim",
    "not reached": "yellow",
    "broken": "bold red",
}


_NAME_WIDTH = 24


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,  # noqa: ARG001 -- read by main
) -> int:
    """Look at keys, packages, devices, speech and the network, and hold one turn with a local server.

    Keys are named, never shown. Exit code 0 unless something that is required is broken.
    """
    from duologue.cli.diagnosis import diagnose

    findings = asyncio.run(diagnose())
    healthy = not any(finding.required and finding.state == "broken" for finding in findings)
    if as_json:
        report = {"healthy": healthy, "findings": [asdict(finding) for finding in findings]}
        sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
    else:
        _show(findings, healthy=healthy)
    return 0 if healthy else EXIT_ERROR


def _show(findings: list[Finding], *, healthy: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_edge=False, pad_edge=False, header_style="bold", box=None, padding=(0, 1))
    for heading in ("What", "State"):
        table.add_column(heading, no_wrap=True)
    table.add_column("Detail", overflow="fold", ratio=1)  # a word is broken only when a line cannot hold it
    before = ""
    for finding in findings:
        if finding.about != before:
            table.add_row(Text(finding.about, style="dim"), "", "")
        # Long names (hosts) stand in the detail: they would leave no room for it.
        is_long = len(finding.name) > _NAME_WIDTH
        table.add_row(
            Text(f"  {'host' if is_long else finding.name}"),
            Text(finding.state, style=_STYLES[finding.state]),
            Text(f"{finding.name}: {finding.detail}" if is_long else finding.detail),
        )
        before = finding.about
    console = Console()
    console.print(table)
    if not healthy:
        console.print("Something that is required is broken.", style=_STYLES["broken"])

"""``duologue verify``: is the service as we say it is?"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from duologue.cli.terminal import Lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from duologue.verify.live import LiveSide
    from duologue.verify.probe import Finding, Probe, Verdict
    from duologue.verify.run import Limits, Verification
    from duologue.verify.sides import EmulatorSide

__all__ = ["verify"]

EXIT_REFUTED: Final = 1

_STYLES: Final[dict[Verdict, str]] = {"confirmed": "green", "refuted": "bold red", "not_available": "dim"}


def verify(
    live: Annotated[
        bool, typer.Option("--live", help="Ask Gemini itself: needs a key and costs cents.")
    ] = False,
    probe: Annotated[list[str] | None, typer.Option(help="Only this probe; may be repeated.")] = None,
    profile: Annotated[list[str] | None, typer.Option(help="Only this profile; may be repeated.")] = None,
    patient: Annotated[
        bool, typer.Option("--long", help="With --live, also what takes ten minutes and more: goAway.")
    ] = False,
    list_probes: Annotated[bool, typer.Option("--list", help="Name the probes and run none.")] = False,
    output_dir: Annotated[
        Path | None,
        typer.Option(help="Report and tapes go here; with --live the default is out/verify-TIME."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line on stdout for each finding.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,  # noqa: ARG001 -- read by main
) -> int:
    """Ask one question for each fact we hold by documentation, report or guess.

    Without --live the local emulator is asked, which finds no mistake that it shares with the client. Exit
    code 0: nothing was refuted; 1: something was; 2: wrong options, or no credentials.
    """
    from duologue.verify.catalogue import chosen

    plan = chosen(probe or (), profile or (), patient=patient or not live)
    if list_probes:
        _list(plan, as_json=as_json)
        return 0
    began_at = datetime.now(UTC)
    folder = output_dir
    if live and folder is None:
        folder = Path("out") / f"verify-{began_at:%Y%m%d-%H%M%S}"
    verification = asyncio.run(_run(plan, began_at, folder, live=live, as_json=as_json))
    if not as_json:
        _show(verification, folder)
    refuted = any(finding.verdict == "refuted" for finding in verification.findings)
    return EXIT_REFUTED if refuted else 0


async def _run(
    plan: Sequence[tuple[Probe, str]], began_at: datetime, folder: Path | None, *, live: bool, as_json: bool
) -> Verification:
    from duologue.verify.report import Occasion, as_line, write_report
    from duologue.verify.run import Verification
    from duologue.verify.run import verify as run
    from duologue.verify.tape import Tapes

    side, limits = _side(plan, live=live)
    verification = Verification()
    lines = Lines(sys.stdout)
    with _Progress(len(plan)) as progress:

        def told(finding: Finding) -> None:
            progress.advance(finding)
            if as_json:
                lines.write(as_line(finding))

        try:
            async with side:
                tapes = Tapes(folder) if folder is not None else None
                await run(side, plan, limits, told=told, tapes=tapes, into=verification)
        except asyncio.CancelledError:  # Ctrl-C: what was paid for is not lost
            if folder is not None and verification.findings:
                sys.stderr.write(f"interrupted; report and tapes so far: {folder}\n")
            raise
        finally:
            if folder is not None and verification.findings:
                occasion = Occasion(side.name, side.host, began_at.isoformat(timespec="seconds"))
                write_report(folder, occasion, verification)
    return verification


def _side(plan: Sequence[tuple[Probe, str]], *, live: bool) -> tuple[EmulatorSide | LiveSide, Limits]:
    from duologue.verify.run import Limits

    if not live:
        from duologue.verify.sides import EmulatorSide

        return EmulatorSide(), Limits(at_once=10, probe_s=30, patient_s=40, total_s=120)
    from duologue.verify.costs import estimate_usd
    from duologue.verify.live import find_live_side

    side = find_live_side()
    asked = [(probe, profile) for probe, profile in plan if not _lacks(side, profile)]
    sys.stderr.write(
        f"{len(asked)} questions to {side.host}, about {estimate_usd(asked):.2f} US dollars; Ctrl-C ends it\n"
    )
    return side, Limits(at_once=2, probe_s=120, patient_s=17 * 60, total_s=45 * 60)


def _lacks(side: LiveSide, profile: str) -> bool:
    from duologue.wire.profiles import PROFILES

    return side.lacks(PROFILES[profile]) is not None


class _Progress:
    """A bar on stderr where somebody watches; else nothing."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        self._bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def advance(self, finding: Finding) -> None:
        """Count a finding."""
        self._bar.update(self._task, advance=1, description=finding.probe)


def _list(plan: Sequence[tuple[Probe, str]], *, as_json: bool) -> None:
    if as_json:
        for probe, profile in plan:
            claim = probe.claims[profile]
            line = {"probe": probe.id, "profile": profile, "grade": claim.grade, "expected": claim.expected}
            sys.stdout.write(json.dumps({**line, "fact": probe.fact, "about": probe.about}) + "\n")
        return
    table = _table("Probe", "Fact", "Profiles")
    for probe in {probe.id: probe for probe, _ in plan}.values():
        names = ", ".join(profile for one, profile in plan if one is probe)
        table.add_row(probe.id, _text(probe.fact), names)
    _console().print(table)


def _show(verification: Verification, folder: Path | None) -> None:
    console = _console()
    table = _table("Probe", "Profile", "Found")
    settled = [finding for finding in verification.findings if finding.verdict != "not_available"]
    for finding in settled:
        table.add_row(finding.probe, finding.profile, _words(finding))
    if settled:
        console.print(table)
    missing = Counter(_missing(one) for one in verification.findings if one.verdict == "not_available")
    for reason, times in missing.items():
        console.print(_text(f"not available ({times}): {reason}", _STYLES["not_available"]))
    counts = Counter(finding.verdict for finding in verification.findings)
    console.print(", ".join(f"{counts[verdict]} {verdict.replace('_', ' ')}" for verdict in _STYLES))
    if folder is not None:
        console.print(_text(f"report and tapes: {folder}"))


def _words(finding: Finding) -> Text:
    """Say what was found: when it is what we hold, how sure we were; else what that is, and the detail."""
    if finding.verdict == "confirmed":
        return _text(f"{finding.found} ({finding.grade})", _STYLES["confirmed"])
    held = f"{finding.found}, but held {finding.expected} ({finding.grade})"
    return _text(f"{held}: {finding.detail}" if finding.detail else held, _STYLES["refuted"])


def _missing(finding: Finding) -> str:
    """Say why there is no finding; alike for all probes of a profile that cannot be opened."""
    whole = finding.found in ("no_profile", "not_opened")
    return finding.detail if whole else f"{finding.probe} on {finding.profile}: {finding.detail}"


def _console() -> Any:
    from rich.console import Console

    return Console()


def _table(*headings: str) -> Any:
    from rich.table import Table

    table = Table(show_edge=False, pad_edge=False, header_style="bold", box=None, padding=(0, 1))
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=heading in ("Probe", "Profile"))
    return table


def _text(words: str, style: str = "") -> Text:
    """Return words that may be the service's: nothing in them is markup or a control character."""
    from rich.text import Text

    from duologue.cli.wording import clean

    return Text(clean(words), style=style)

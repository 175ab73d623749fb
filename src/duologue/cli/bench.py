"""``duologue bench``: figures of what the library costs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from duologue.bench.relay import RelayFigures

__all__ = ["app"]

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    subcommand_metavar="relay [OPTIONS]",
)


@app.callback()
def bench() -> None:
    """Measure what the library costs: duologue bench relay."""


@app.command()
def relay(
    sessions: Annotated[int, typer.Option(help="Sessions at once, 1 to 1000.")] = 100,
    seconds: Annotated[float, typer.Option(help="Length of one measurement, after a warm-up.")] = 4.0,
    rounds: Annotated[int, typer.Option(help="Measurements of each kind; the median counts.")] = 5,
    library: Annotated[
        str | None, typer.Option(help="websockets | picows; default: each that is installed.")
    ] = None,
    loop: Annotated[str, typer.Option(help="auto | asyncio | uvloop, for ours and bare alike.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line for each library.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,  # noqa: ARG001 -- read by main
) -> None:
    """CPU milliseconds of one second of one session, beside a bare loop on the same library.

    The load server is a process of its own, over TLS. Bare and ours alternate, each measurement in a
    fresh process.
    """
    from duologue.bench.relay import RelayPlan, measure_relay

    plan = RelayPlan(sessions=sessions, seconds=seconds, rounds=rounds, library=library, loop=loop)
    for figures in measure_relay(plan, _progress):
        if not figures.kept_real_time:
            sys.stderr.write(
                f"{figures.library}: some session fell behind real time; measure fewer or on a quieter machine\n"
            )
        sys.stdout.write((json.dumps(asdict(figures)) if as_json else _words(figures)) + "\n")
        sys.stdout.flush()


def _progress(line: str) -> None:
    sys.stderr.write(line + "\n")


def _words(figures: RelayFigures) -> str:
    return (
        f"{figures.library} on {figures.loop}, {figures.sessions} sessions over TLS: "
        f"{figures.cpu_ms_per_session_s:.2f} ms CPU a session-second, bare {figures.bare_cpu_ms_per_session_s:.2f} ms, "
        f"ratio {figures.ratio:.2f} (medians of {figures.rounds})"
    )

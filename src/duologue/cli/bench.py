"""``duologue bench``: figures of what the library costs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from duologue.bench.codec import CodecFigures
    from duologue.bench.relay import RelayFigures

__all__ = ["app"]

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    subcommand_metavar="relay | codec [OPTIONS]",
)


@app.callback()
def bench() -> None:
    """Measure what the library costs: duologue bench relay, duologue bench codec."""


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


@app.command()
def codec(
    rounds: Annotated[int, typer.Option(help="Measurements of each kind; the median counts.")] = 15,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,  # noqa: ARG001 -- read by main
) -> None:
    """Microseconds to read 40 ms of the model's sound and to write 50 ms of a microphone's.

    Beside google-genai's own session without its socket, in the same process in turn, where that package
    is installed.
    """
    from duologue.bench.codec import CodecPlan, measure_codec

    figures = measure_codec(CodecPlan(rounds=rounds))
    sys.stdout.write((json.dumps(asdict(figures)) if as_json else _table(figures)) + "\n")


def _progress(line: str) -> None:
    sys.stderr.write(line + "\n")


def _words(figures: RelayFigures) -> str:
    return (
        f"{figures.library} on {figures.loop}, {figures.sessions} sessions over TLS: "
        f"{figures.cpu_ms_per_session_s:.2f} ms CPU a session-second, bare {figures.bare_cpu_ms_per_session_s:.2f} ms, "
        f"ratio {figures.ratio:.2f} (medians of {figures.rounds})"
    )


def _table(figures: CodecFigures) -> str:
    theirs = f"google-genai {figures.google_genai}" if figures.google_genai else "google-genai not installed"
    lines = [f"{'':<30}{'duologue':>10}{theirs:>28}{'ratio':>8}"]
    for name, ours_us, theirs_us, ratio in (
        ("decode 40 ms of sound", figures.decode_us, figures.google_genai_decode_us, figures.decode_ratio),
        (
            "encode 50 ms of microphone",
            figures.encode_us,
            figures.google_genai_encode_us,
            figures.encode_ratio,
        ),
    ):
        beside = "" if theirs_us is None or ratio is None else f"{theirs_us:>25.2f} µs{ratio:>8.1f}"
        lines.append(f"{name:<30}{ours_us:>7.2f} µs{beside}")
    collected = "on" if figures.gc_enabled else "off"
    lines.append(f"medians of {figures.rounds} rounds; garbage collection {collected}; {figures.base64}")
    return "\n".join(lines)

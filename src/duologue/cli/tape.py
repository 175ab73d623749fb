"""``duologue tape``: look into a recorded session, replay it, draw it, import other recordings."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from duologue.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator

    from duologue.tape.replay import StrictResult

__all__ = ["app"]

_EXIT_DIFFERENT = 1

_Kind = Literal["do", "got", "sent", "event", "note", "end"]

_File = Annotated[Path, typer.Argument(metavar="FILE", help="A tape, as --record writes it.")]
_Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
_Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    subcommand_metavar="show|replay|timeline|import",
)


@app.callback()
def tape() -> None:
    """Look into a recorded session, replay it, draw it, import other recordings.

    Tapes hold what was said and heard: they are biometric data.
    """


@app.command()
def show(
    file: _File,
    only: Annotated[
        list[str] | None, typer.Option(help=f"{' | '.join(get_args(_Kind))}; repeatable.", metavar="KIND")
    ] = None,
    grep: Annotated[str | None, typer.Option(help="Only lines that hold this text.", metavar="TEXT")] = None,
    from_s: Annotated[float, typer.Option(help="Leave out what came before, in seconds.")] = 0.0,
    to_s: Annotated[float | None, typer.Option(help="Leave out what came after, in seconds.")] = None,
    sound: Annotated[bool, typer.Option("--sound/--no-sound", help="Whether to list sound.")] = True,
    full: Annotated[bool, typer.Option("--full", help="Do not cut long lines.")] = False,
    as_json: _Json = False,
    debug: _Debug = False,  # noqa: ARG001 -- read by main
) -> None:
    """Print a tape as a table: when, which way, what.

    The arrows: ← got from the service, → sent to it, ▸ an input of the session, • an event it told.
    """
    from duologue.cli.tape_lines import Filter, header_lines, shown_lines
    from duologue.tape.reader import Tape

    unknown = [kind for kind in only or () if kind not in get_args(_Kind)]
    if unknown:
        raise ConfigError(f"--only {unknown[0]!r} is no kind of line; give {', '.join(get_args(_Kind))}")
    wanted = Filter(frozenset(only or get_args(_Kind)), grep, from_s, to_s, sound)
    with _pipe(), Tape(file) as opened:
        for text in header_lines(opened, as_json=as_json):
            _print(text)
        for text in shown_lines(opened, wanted, full=full, as_json=as_json):
            _print(text)
        if opened.ending is None:
            _say("the tape is cut off here: its last line is missing or not whole")


@app.command()
def replay(
    file: _File,
    strict: Annotated[
        bool, typer.Option("--strict", help="Compare every event and frame with the tape; 1 if any differs.")
    ] = False,
    as_json: _Json = False,
    debug: _Debug = False,  # noqa: ARG001 -- read by main
) -> int:
    """Feed a tape to a session again, as fast as it goes, and print the events.

    With --strict nothing is printed but the result. Exit codes: 0, 1 for a difference, 2 for a named error.
    """
    from duologue.cli.tape_lines import replayed_lines
    from duologue.tape.reader import Tape
    from duologue.tape.replay import replay_strictly

    with _pipe(), Tape(file) as opened:
        if strict:
            return _told(replay_strictly(opened), as_json=as_json)
        for text in replayed_lines(opened, as_json=as_json):
            _print(text)
    return 0


def _told(result: StrictResult, *, as_json: bool) -> int:
    from dataclasses import asdict

    from duologue.cli.tape_lines import difference_lines

    if as_json:
        _print(json.dumps({"equal": result.difference is None, **asdict(result)}, ensure_ascii=False))
    else:
        for text in difference_lines(result):
            _print(text)
    return 0 if result.difference is None else _EXIT_DIFFERENT


@app.command()
def timeline(
    file: _File,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The picture; default: beside the tape.", metavar="PNG"),
    ] = None,
    debug: _Debug = False,  # noqa: ARG001 -- read by main
) -> None:
    """Draw a tape: who spoke when and what, tools, interruptions, response times."""
    from duologue.cli.tape_record import record_of
    from duologue.cli.timeline import draw_timeline
    from duologue.tape.reader import Tape

    if output is not None and output.suffix.lower() != ".png":
        raise ConfigError(f"--output {output}: the picture is a PNG; give a name that ends in .png")
    picture = output or (file.with_suffix(".png") if file.suffix == ".tape" else Path(f"{file}.png"))
    with Tape(file) as opened:
        _say("replaying and drawing")
        drawn = draw_timeline(record_of(opened))
    try:
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(drawn)
    except OSError as error:
        raise ConfigError(f"{picture} cannot be written: {error.strerror or error}") from error
    _print(str(picture))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording of another kind.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The tape to write.", metavar="TAPE")],
    as_json: _Json = False,
    debug: _Debug = False,  # noqa: ARG001 -- read by main
) -> None:
    """Make a tape of a recording: YAML as pydantic-ai records WebSockets to.

    Such recordings have no times, so those of the tape are made up. Of several links each becomes a tape:
    call.tape, call-2.tape and so on. An earlier import is replaced.
    """
    from dataclasses import asdict

    from duologue.tape.importers import import_recording

    for done in import_recording(file, output):
        if as_json:
            _print(json.dumps({**asdict(done), "tape": str(done.tape)}))
        else:
            _print(
                f"{done.tape}: {done.sent} frames sent, {done.received} received; "
                f"{done.model}, profile {done.profile}; times are made up"
            )


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


def _say(text: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(text + "\n")


@contextmanager
def _pipe() -> Generator[None]:
    """End in silence when nobody reads any more (``duologue tape show FILE | head``)."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        null: Any = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())  # so that Python's own flush at the end does not fail again
        raise typer.Exit(0) from None
    except OSError as error:
        raise ConfigError(f"the output cannot be written: {error.strerror or error}") from error

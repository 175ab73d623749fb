"""The command ``duologue``: names its sub-commands, loads one when it is asked for.

Exit codes: 0 all well, 1 `verify` refuted a fact, 2 a typed error or a wrong option, 130 Ctrl-C.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from duologue.cli.failures import EXIT_ERROR, exit_code_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

# command → (module, attribute, one line for --help); loading them all would make --help slow.
_COMMANDS = {
    "talk": ("duologue.cli.talk", "talk", "Have a conversation; --local needs no key."),
    "emulator": ("duologue.cli.emulator", "emulator", "Run the local Gemini Live server."),
    "verify": ("duologue.cli.verify", "verify", "Is the service as we say it is? --live asks Gemini."),
    "tape": ("duologue.cli.tape", "app", "Look into a recorded session, replay it, draw it, import others."),
    "doctor": ("duologue.cli.doctor", "doctor", "Look at keys, devices, packages and reachability."),
    "bench": ("duologue.cli.bench", "app", "Measure what the library costs: duologue bench relay, codec."),
}

_USAGE = """\
Usage: duologue COMMAND [OPTIONS]

Realtime spoken conversations with Google's Gemini Live API.

Commands:
{commands}

`duologue COMMAND --help` says what a command takes. `duologue --version` prints the version.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; never returns."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that knows no "…" gets a "?"
            stream.reconfigure(errors="replace")
    sys.exit(_run(given))


def _run(given: list[str]) -> int:
    if not given or given[0] in ("-h", "--help", "help"):
        sys.stdout.write(_usage())
        return 0
    if given[0] == "--version":
        from duologue import __version__

        sys.stdout.write(f"duologue {__version__}\n")
        return 0
    command = _COMMANDS.get(given[0])
    if command is None:
        sys.stderr.write(f"duologue: there is no command {given[0]!r}\n\n{_usage()}")
        return EXIT_ERROR
    debug = "--debug" in given
    try:
        _require_extra()
        module, attribute, _ = command
        return _invoke(getattr(import_module(module), attribute), given[0], given[1:])
    except BaseException as error:  # the one place where exceptions become exit codes
        return exit_code_of(error, debug=debug)


def _require_extra() -> None:
    """Say what is missing before a command is loaded that needs it."""
    missing = [name for name in ("typer", "rich") if find_spec(name) is None]
    if missing:
        from duologue.errors import ConfigError

        names = " and ".join(missing)
        raise ConfigError(
            f"the command line needs {names}: pip install {' '.join(missing)} (the extra [cli])"
        )


def _invoke(command: Any, name: str, arguments: list[str]) -> int:
    """Run a typer app, or a function with typer's annotations."""
    import typer

    app = command
    if not isinstance(app, typer.Typer):
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        app.command()(command)
    runnable = typer.main.get_command(app)
    _hide_flag_types(runnable)
    result = runnable.main(args=arguments, prog_name=f"duologue {name}", standalone_mode=False)
    return result if isinstance(result, int) else 0


def _hide_flag_types(command: Any) -> None:
    """Keep the help from writing ``<bool>`` beside a flag, which takes no value."""
    for option in command.params:
        if getattr(option, "is_flag", False) and option.metavar is None:
            option.metavar = ""
    for sub_command in getattr(command, "commands", {}).values():
        _hide_flag_types(sub_command)


def _usage() -> str:
    lines = [f"  {name:<10} {about}" for name, (_, _, about) in _COMMANDS.items()]
    return _USAGE.format(commands="\n".join(lines))


if __name__ == "__main__":
    main()

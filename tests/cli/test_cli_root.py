"""The root of the command line: quick help, exit codes, errors without tracebacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from duologue import __version__
from duologue.cli.failures import describe, exit_code_of
from duologue.errors import AuthError, ConfigError

HEAVY = ("typer", "rich", "numpy", "websockets", "picows", "onnxruntime", "ctranslate2", "matplotlib", "soxr")
KEYS = ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL")


def run(*arguments: str, code: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "duologue"]
    env = {name: value for name, value in os.environ.items() if name not in KEYS}
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, env=env)


@pytest.mark.parametrize("asked", [(), ("--help",), ("-h",), ("help",)])
def test_help_names_every_command(asked: tuple[str, ...]) -> None:
    done = run(*asked)
    assert done.returncode == 0
    for command in ("talk", "emulator", "doctor", "bench"):
        assert f"\n  {command}" in done.stdout
    assert not done.stderr


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import json, sys\nfrom duologue.cli.__main__ import main\n"
        "try: main(['--help'])\nexcept SystemExit: print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    loaded = {name.partition(".")[0] for name in json.loads(run(code=code).stderr)}
    assert not loaded.intersection(HEAVY)


def test_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"duologue {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("tlak",), "there is no command 'tlak'"),
        (("emulator", "--prot", "1"), "--prot"),
        (("emulator", "--port", "many"), "--port"),
        (("emulator", "--port"), "--port"),
        (("emulator", "--port", "70000"), "70000"),
        (("emulator", "--profile", "9.9"), "there is no profile '9.9'"),
        (("bench", "relay", "--sessions", "0"), "0 sessions"),
        (("bench", "nothing"), "nothing"),
        (("doctor", "please"), "please"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2_and_no_traceback(arguments: tuple[str, ...], words: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_debug_shows_where_an_error_came_from() -> None:
    done = run("emulator", "--profile", "9.9", "--debug")
    assert done.returncode == 2
    assert "Traceback" in done.stderr


@pytest.mark.parametrize("command", ["talk", "emulator", "doctor", "bench"])
def test_every_command_has_help(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert f"duologue {command}" in done.stdout


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (SystemExit(0), 0),
        (SystemExit(None), 0),
        (SystemExit("words"), 2),
        (ConfigError("wrong"), 2),
        (ZeroDivisionError("ours"), 2),
    ],
)
def test_exit_codes(error: BaseException, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(error, debug=False) == code
    shown = capsys.readouterr().err
    assert ("ZeroDivisionError" in shown) == isinstance(error, ZeroDivisionError), "a mistake shows itself"


def test_an_error_is_one_line_with_code_phase_and_reason() -> None:
    error = AuthError("the key was refused", code=1007, reason="API key not valid", phase="setup")
    assert describe(error) == "the key was refused [code 1007, phase setup, reason 'API key not valid']"


def test_strangers_words_stay_on_the_line() -> None:
    assert describe(ConfigError("no\x1b[31m such\nthing")) == "no [31m such thing"


def test_words_at_an_exit_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(SystemExit("gone fishing"), debug=False) == 2
    assert "gone fishing\n" in capsys.readouterr().err


def test_flags_have_no_type_and_profiles_have_names() -> None:
    shown = run("talk", "--help").stdout
    assert "2.5-native | 3.8" in shown
    assert not [line for line in shown.splitlines() if "--local " in line and "bool" in line]


def test_bench_says_what_it_has() -> None:
    done = run("bench")
    assert "relay" in done.stdout
    assert not done.stderr


def test_an_error_of_configuration_has_no_phase_to_tell() -> None:
    assert describe(ConfigError("wrong")) == "wrong"

"""The two commands of the README: what they run, and what they say when the machine lacks something."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("sh", "dirname", "cat", "cut", "date", "sha256sum", "printf", "rm", "grep")

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def planned(*arguments: str) -> str:
    """The command lines make would run."""
    ours = ("MAKE", "LIVE", "INPUT", "OUT", "SCENE")  # what an outer make was told does not count here
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", *arguments],
        cwd=ROOT,
        env=environment | {"GEMINI_API_KEY": "canary-key"},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


@needs_make
def test_talk_is_local_and_without_keys() -> None:
    plan = planned("talk")
    assert "scripts/setup.sh" in plan
    assert "duologue talk --local --scene" in plan
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        assert f"-u {name}" in plan


@needs_make
def test_only_live_1_calls_the_service() -> None:
    assert "--local" not in planned("talk", "LIVE=1")
    assert "--local" in planned("talk", "LIVE=0")
    assert "--local" in planned("talk", "LIVE=yes")


@needs_make
def test_talk_takes_a_recording_with_blanks_in_its_name() -> None:
    plan = planned("talk", "INPUT=my call.wav", "OUT=some where")
    assert '--input "my call.wav" --output-dir "some where"' in plan
    assert "--scene" not in plan


@needs_make
def test_test_checks_before_it_tests() -> None:
    plan = planned("test")
    steps = [
        "setup.sh",
        "ruff check",
        "ruff format --check",
        "mypy",
        "basedpyright",
        "lint-imports",
        "not slow",
    ]
    assert sorted(steps, key=plan.index) == steps


@needs_make
@pytest.mark.parametrize(
    ("given", "cache", "plots"),
    [
        ({}, f"{ROOT}/.cache", f"{ROOT}/.cache/matplotlib"),
        ({"XDG_CACHE_HOME": "/shared"}, "/shared", "/shared/matplotlib"),
    ],
    ids=["in the clone", "where the user says"],
)
def test_what_programs_keep_stays_in_the_clone(given: dict[str, str], cache: str, plots: str) -> None:
    theirs = ("MAKE", "XDG_CACHE_HOME", "MPLCONFIGDIR")  # of an outer make
    own = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
    done = subprocess.run(
        ["make", "-s", "--eval", 'show: ; @echo "$$XDG_CACHE_HOME $$MPLCONFIGDIR"', "show"],
        cwd=ROOT,
        env=own | given,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == [cache, plots]


@pytest.mark.parametrize(
    "name", ["agent.py", "my.wav", "reply.wav", "out/reply.wav", "out2/x", ".cache/uv/x"]
)
def test_git_ignores_what_the_pages_have_one_make(name: str) -> None:
    assert subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT, check=False).returncode == 0


@pytest.fixture
def bare_machine(tmp_path: Path) -> Path:
    """A copy of what the set-up reads, and a ``bin`` with little in it: no compiler, a python without ensurepip."""
    for name in ("scripts/setup.sh", "pyproject.toml", "requirements/build.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (folder / tool).symlink_to(found)
    python = folder / "python3"
    python.write_text(
        "#!/bin/sh\n"
        'case "$*" in *ensurepip*) exit 1;; *sysconfig*) echo /nowhere; exit 0;; esac\n'
        f'exec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    return tmp_path


def set_up(machine: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shutil.which("sh") or "sh", "scripts/setup.sh"],
        cwd=machine,
        env={"PATH": str(machine / "bin"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_missing_packages_are_named_all_at_once_and_nothing_is_made(bare_machine: Path) -> None:
    done = set_up(bare_machine)
    assert done.returncode == 1
    (line,) = [line.strip() for line in done.stderr.splitlines() if "apt-get install" in line]
    named = line.removeprefix("apt-get install ").split()
    assert (
        {"python3-venv", "python3-dev", "gcc"}
        <= set(named)
        <= {"python3-venv", "python3-dev", "gcc", "libc6-dev"}
    )
    assert not (bare_machine / ".venv").exists()


def test_no_python_is_said_in_a_sentence(bare_machine: Path) -> None:
    done = set_up(bare_machine, PYTHON="python9")
    assert done.returncode == 1
    assert "there is no python9 here" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr


def test_an_old_python_is_refused(bare_machine: Path) -> None:
    old = bare_machine / "bin" / "python3"
    old.write_text('#!/bin/sh\ncase "$*" in --version) echo "Python 3.9.2";; *) exit 1;; esac\n')
    done = set_up(bare_machine)
    assert done.returncode == 1
    assert "Python 3.9.2 is too old" in done.stderr

"""``duologue doctor``: what it finds, and that it never shows a key."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from typing import Any

import pytest

from duologue.cli import diagnosis
from duologue.cli.diagnosis import Finding, diagnose

CANARY = "AIza-canary-0123456789"


def find(findings: list[Finding], name: str) -> Finding:
    return next(finding for finding in findings if finding.name == name)


def doctor(*options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    names = ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL")
    env = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(
        [sys.executable, "-m", "duologue", "doctor", *options],
        capture_output=True,
        text=True,
        timeout=60,
        env={**env, "COLUMNS": "250", **environ},
    )


@pytest.fixture
def listening() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def refusing() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


async def test_what_is_required_is_here(listening: str) -> None:
    findings = await diagnose({"GOOGLE_GEMINI_BASE_URL": listening})
    assert {f.about for f in findings} == {
        "python", "packages", "keys", "sound", "speech", "loopback", "service",
    }  # fmt: skip
    assert all(f.state == "ok" for f in findings if f.required)
    assert find(findings, "a turn over TLS").state == "ok"
    assert find(findings, "127.0.0.1").state == "ok"
    assert listening.removeprefix("http://") in find(findings, "GOOGLE_GEMINI_BASE_URL").detail


async def test_offline_is_no_fault(refusing: str) -> None:
    finding = await diagnosis._reach({"GOOGLE_GEMINI_BASE_URL": refusing})
    assert finding.state == "not reached"
    assert not finding.required


@pytest.mark.parametrize(
    ("environ", "state", "words"),
    [
        ({}, "missing", "neither GOOGLE_API_KEY nor GEMINI_API_KEY"),
        ({"GEMINI_API_KEY": CANARY}, "ok", "from GEMINI_API_KEY"),
        (
            {"GEMINI_API_KEY": "other", "GOOGLE_API_KEY": CANARY},
            "ok",
            "from GOOGLE_API_KEY; GEMINI_API_KEY is set too",
        ),
        ({"GOOGLE_API_KEY": "  "}, "missing", "neither"),
    ],
)
def test_keys_are_named_and_never_shown(environ: dict[str, str], state: str, words: str) -> None:
    (finding,) = diagnosis._keys(environ)
    assert finding.state == state
    assert finding.detail.startswith(words)
    assert CANARY not in finding.detail


def test_a_missing_package_names_its_extra() -> None:
    finding = diagnosis._group("[mic]", ("no-such-package",), 'pip install "duologue[mic]"', required=False)
    assert finding.state == "optional"
    assert finding.detail == 'not installed (optional): no-such-package; pip install "duologue[mic]"'


async def test_the_loopback_test_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never() -> str:
        await asyncio.Event().wait()
        return ""

    monkeypatch.setattr(diagnosis, "_one_turn", never)
    monkeypatch.setattr(diagnosis, "_LOOPBACK_TIMEOUT_S", 0.01)
    finding = await diagnosis._loopback()
    assert (finding.state, finding.required) == ("broken", True)


def test_the_command_shows_a_table_and_no_key(refusing: str) -> None:
    done = doctor(GOOGLE_API_KEY=CANARY, GOOGLE_GEMINI_BASE_URL=refusing)
    assert done.returncode == 0, done.stdout + done.stderr
    for words in ("websockets", "[speech]", "GOOGLE_API_KEY", "not reached", "answered aloud"):
        assert words in done.stdout
    assert CANARY not in done.stdout + done.stderr


def test_a_base_url_that_cannot_be_used_is_broken() -> None:
    secret = f"https://user:{CANARY}@example.invalid"
    done = doctor("--json", GOOGLE_GEMINI_BASE_URL=secret)
    assert done.returncode == 2
    report = json.loads(done.stdout)
    assert report["healthy"] is False
    broken = [f["name"] for f in report["findings"] if f["state"] == "broken"]
    assert broken == ["GOOGLE_GEMINI_BASE_URL"]
    assert CANARY not in done.stdout + done.stderr

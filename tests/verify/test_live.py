"""``--live``, with the emulator on TLS in the place of Gemini: credentials, money, what is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from duologue.emulator import Emulator
from duologue.emulator.ears.energy import EnergyEars
from duologue.io.auth import VARIABLES
from duologue.verify.speech import LINE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

KEY = "AIza-canary-key-for-verify-0123456789"


class Ears(EnergyEars):
    async def transcribe(self, pcm: bytes) -> str:
        return LINE


@asynccontextmanager
async def service(**options: Any) -> AsyncGenerator[tuple[Emulator, dict[str, str]]]:
    """An emulator, and the environment in which it is Gemini."""
    environ = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    async with Emulator(ears=Ears(), voice="tone", tls=True, api_keys={KEY}, **options) as emulator:
        assert emulator.ca_file is not None
        address = {"GOOGLE_GEMINI_BASE_URL": emulator.url, "SSL_CERT_FILE": str(emulator.ca_file)}
        yield emulator, {**environ, **address, "GEMINI_API_KEY": KEY, "COLUMNS": "200"}


async def start(environ: dict[str, str], folder: Path, *options: str) -> Process:
    command = (sys.executable, "-m", "duologue", "verify", "--live", *options)
    return await create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, env=environ, cwd=folder)


async def finish(process: Process) -> tuple[str, str]:
    async with asyncio.timeout(100):
        out, err = await process.communicate()
    return out.decode(), err.decode()


def chosen(*probes: str, profile: str = "3.8") -> list[str]:
    return [part for probe in probes for part in ("--probe", probe)] + ["--profile", profile]


async def test_a_pass_leaves_a_report_and_scrubbed_tapes(tmp_path: Path) -> None:
    probes = ("bad-key", "usage-total", "voice-activity", "content-interrupts", "dead-handle")
    async with service() as (emulator, environ):
        process = await start(environ, tmp_path, *chosen(*probes), "--json")
        out, err = await finish(process)
        used = [session.api_version for session in emulator.sessions]
    assert process.returncode == 0, err
    findings = {one["probe"]: one for one in map(json.loads, out.splitlines())}
    assert set(findings) == set(probes)
    assert {one["verdict"] for one in findings.values()} == {"confirmed"}, out
    assert len(used) >= len(probes)
    assert re.search(r"5 questions to 127\.0\.0\.1:\d+, about 0\.\d\d US dollars", err)
    (folder,) = (tmp_path / "out").iterdir()
    names = {path.name for path in folder.iterdir()}
    assert {
        "verify-report.md",
        "verify-report.json",
        "usage-total-3.8-1.tape",
        "voice-activity-3.8-1.tape",
    } <= names
    written = b"".join(path.read_bytes() for path in folder.iterdir())
    assert KEY.encode() not in written + out.encode() + err.encode()
    assert b"scrubbed-handle-1" in written
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())
    report = json.loads((folder / "verify-report.json").read_text())
    assert report["side"] == "live"
    assert report["total_tokens"] > 0


async def test_a_refuted_fact_is_exit_code_1_and_said_aloud(tmp_path: Path) -> None:
    async with service(profile="2.5-native") as (_, environ):
        process = await start(environ, tmp_path, *chosen("text-modality"), "--output-dir", "here")
        out, err = await finish(process)
    assert process.returncode == 1, err
    assert "cannot_extract_voices, but held internal_error (guessed)" in out
    assert "0 confirmed, 1 refuted" in out
    assert "## Refuted" in (tmp_path / "here" / "verify-report.md").read_text()


async def test_a_refused_key_ends_it_at_once(tmp_path: Path) -> None:
    async with service() as (_, environ):
        process = await start({**environ, "GEMINI_API_KEY": "another"}, tmp_path, *chosen("bad-key"))
        out, err = await finish(process)
    assert process.returncode == 2
    assert "check the key" in err
    assert out == ""


async def test_without_a_key_nothing_is_asked(tmp_path: Path) -> None:
    async with service() as (emulator, environ):
        process = await start({**environ, "GEMINI_API_KEY": ""}, tmp_path, *chosen("bad-key"))
        _, err = await finish(process)
        assert len(emulator.sessions) == 0
    assert process.returncode == 2
    assert "GEMINI_API_KEY" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
async def test_ctrl_c_keeps_what_was_found(tmp_path: Path) -> None:
    async with service() as (_, environ):
        process = await start(
            environ,
            tmp_path,
            *chosen("bad-key", "second-setup", "unrequested-handle", profile="2.5-native"),
            "--json",
            "--output-dir",
            "here",
        )
        assert process.stdout is not None
        first = json.loads(await process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, err = await finish(process)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "report and tapes so far: here" in err
    report = json.loads((tmp_path / "here" / "verify-report.json").read_text())
    assert first in report["findings"]
    assert len(report["findings"]) < 3


async def test_the_other_backends_profiles_are_not_available(tmp_path: Path) -> None:
    async with service() as (_, environ):
        process = await start(environ, tmp_path, *chosen("binary-frames", profile="vertex-native"), "--json")
        out, err = await finish(process)
    assert process.returncode == 0, err
    finding = json.loads(out)
    assert (finding["found"], finding["verdict"]) == ("no_profile", "not_available")
    assert "developer" in finding["detail"]

"""Programs that pages tell a newcomer to save and run, saved and run."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from pathlib import Path

import pytest

from duologue.emulator import Emulator
from duologue.emulator.faults import parse_fault

ROOT = Path(__file__).resolve().parent.parent
FIRST_CALL = "docs/tutorial/first-call.md"
SDKS = "docs/howto/point-an-sdk-at-the-emulator.md"
TESTING = "docs/howto/test-your-agent.md"


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    """The page's fenced blocks of one language, in order."""
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", page(name))


async def output_of(*command: str, **environment: str) -> str:
    """What a program prints that ends by itself and well."""
    process = await create_subprocess_exec(
        *command, stdout=PIPE, stderr=PIPE, env={**os.environ, **environment}
    )
    try:
        async with asyncio.timeout(30):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    return out.decode()


@pytest.mark.parametrize("profile", ["3.8", "2.5-native"])
async def test_the_first_call_prints_what_its_page_shows(tmp_path: Path, profile: str) -> None:
    """On 3.8 a turn completes before the tool's answer starts the next; on 2.5 it does not."""
    (program,) = blocks(FIRST_CALL, "python")
    (shown,) = blocks(FIRST_CALL, "text")
    agent = tmp_path / "agent.py"
    agent.write_text(program, encoding="utf-8")
    async with Emulator(ears="energy", voice="tone", profile=profile, time_scale=20.0) as emulator:
        printed = await output_of(
            sys.executable, str(agent), GOOGLE_GEMINI_BASE_URL=emulator.url, GEMINI_API_KEY="anything"
        )
    assert printed == shown


async def test_the_official_sdk_prints_what_its_page_shows(tmp_path: Path) -> None:
    (program,) = blocks(SDKS, "python")
    found = re.search(r"Both programs print what the model says: `([^`]+)`", page(SDKS))
    assert found
    hello = tmp_path / "hello.py"
    hello.write_text(program, encoding="utf-8")
    async with Emulator(ears="energy", voice="tone", tls=True, time_scale=20.0) as emulator:
        assert emulator.ca_file is not None
        printed = await output_of(sys.executable, str(hello), emulator.url, str(emulator.ca_file))
    assert printed.strip() == found[1]


def test_the_test_of_an_agent_passes_as_it_stands(tmp_path: Path) -> None:
    fixture, test, *_ = blocks(TESTING, "python")
    (tmp_path / "conftest.py").write_text(fixture, encoding="utf-8")
    (tmp_path / "test_agent.py").write_text(test, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_faults_in_pages_can_be_read() -> None:
    pages = sorted((ROOT / "docs").rglob("*.md"))
    written = {
        spec
        for path in pages
        for spec in re.findall(r'"((?:close|go_away)[:@][^"]*)"', path.read_text(encoding="utf-8"))
    }
    assert len(written) >= 3
    for spec in written:
        parse_fault(spec)

"""``duologue doctor``: what it finds, and that it never shows a key."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from duologue.cli import diagnosis
from duologue.cli.diagnosis import Finding, diagnose
from duologue.io.auth import VARIABLES

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "AIza-canary-0123456789"
VERTEX = {"GOOGLE_GENAI_USE_VERTEXAI": "true"}


def find(findings: list[Finding], name: str) -> Finding:
    return next(finding for finding in findings if finding.name == name)


def doctor(*options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name not in VARIABLES}
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
    ("environ", "name", "state", "words"),
    [
        ({}, "backend", "ok", "Gemini Developer API, by default"),
        ({}, "API key", "missing", "neither GOOGLE_API_KEY nor GEMINI_API_KEY"),
        ({"GEMINI_API_KEY": CANARY}, "API key", "ok", "from GEMINI_API_KEY"),
        (
            {"GEMINI_API_KEY": "other", "GOOGLE_API_KEY": CANARY},
            "API key",
            "ok",
            "from GOOGLE_API_KEY; GEMINI_API_KEY is set too",
        ),
        ({"GOOGLE_API_KEY": "  "}, "API key", "missing", "neither"),
        (VERTEX, "backend", "ok", "Vertex AI, as GOOGLE_GENAI_USE_VERTEXAI says"),
        (VERTEX | {"GOOGLE_API_KEY": CANARY}, "API key", "ok", "from GOOGLE_API_KEY"),
        (VERTEX, "project and location", "ok", "the credentials' project, location global"),
        (
            VERTEX | {"GOOGLE_CLOUD_PROJECT": CANARY, "GOOGLE_API_KEY": "unused"},
            "project and location",
            "ok",
            "from GOOGLE_CLOUD_PROJECT",
        ),
        (
            VERTEX | {"CLOUDSDK_CONFIG": "/nowhere"},
            "credentials",
            "missing",
            "no key file and no gcloud login",
        ),
        (
            VERTEX | {"GOOGLE_APPLICATION_CREDENTIALS": f"/nowhere/{CANARY}"},
            "credentials",
            "broken",
            "GOOGLE_APPLICATION_CREDENTIALS names a file that is not there",
        ),
        (
            VERTEX | {"GOOGLE_APPLICATION_CREDENTIALS": __file__},
            "credentials",
            "ok",
            "from GOOGLE_APPLICATION",
        ),
        (
            VERTEX | {"GOOGLE_VERTEX_BASE_URL": "https://gw.example"},
            "credentials",
            "ok",
            "none: the base URL",
        ),
        (
            VERTEX | {"GOOGLE_API_KEY": "k", "GOOGLE_GEMINI_BASE_URL": "https://gw.example"},
            "GOOGLE_GEMINI_BASE_URL",
            "ok",
            "set, and not used",
        ),
        (
            VERTEX | {"GOOGLE_API_KEY": "k", "GOOGLE_VERTEX_BASE_URL": "https://gw.example"},
            "GOOGLE_VERTEX_BASE_URL",
            "ok",
            "sessions go to gw.example",
        ),
    ],
)
def test_credentials_are_named_and_never_shown(
    environ: dict[str, str], name: str, state: str, words: str
) -> None:
    findings = diagnosis._credentials(environ)
    finding = find(findings, name)
    assert (finding.state, finding.detail[: len(words)]) == (state, words)
    assert all(CANARY not in found.detail for found in findings)


def test_a_gcloud_login_is_found(tmp_path: Path) -> None:
    (tmp_path / "application_default_credentials.json").write_text("{}", encoding="utf-8")
    finding = find(diagnosis._credentials(VERTEX | {"CLOUDSDK_CONFIG": str(tmp_path)}), "credentials")
    assert (finding.state, finding.detail) == ("ok", "from gcloud's application default login")


@pytest.mark.parametrize(
    ("environ", "host"),
    [
        ({}, "generativelanguage.googleapis.com"),
        (VERTEX, "aiplatform.googleapis.com"),
        (VERTEX | {"GOOGLE_CLOUD_LOCATION": "eu"}, "aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_where_it_would_go(environ: dict[str, str], host: str) -> None:
    assert diagnosis._service_host(environ) == (host, 443, True)


def test_a_proxy_is_named_without_its_login(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "https_proxy",
        "wss_proxy",
        "WSS_PROXY",
        "socks_proxy",
        "SOCKS_PROXY",
        "no_proxy",
        "NO_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{CANARY}@proxy.example:3128")
    assert diagnosis._proxy({}).detail == "proxy.example:3128, from HTTPS_PROXY"
    monkeypatch.setenv("HTTPS_PROXY", f"ftp://user:{CANARY}@proxy.example")
    broken = diagnosis._proxy({})
    assert (broken.state, broken.required) == ("broken", True)
    assert CANARY not in broken.detail
    monkeypatch.delenv("HTTPS_PROXY")
    monkeypatch.delenv("ALL_PROXY", raising=False)
    monkeypatch.delenv("all_proxy", raising=False)
    assert diagnosis._proxy({}).detail == "none"


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

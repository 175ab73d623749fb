"""``duologue emulator`` as a process: ready, stopped, refused."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from duologue.emulator.faults import FAULTS
from duologue.events import AudioOutput
from duologue.io.ws import WebSocketTransport
from duologue.realtime import RealtimeModel

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = [sys.executable, "-m", "duologue", "emulator", "--voice", "tone", "--ears", "energy"]


@contextmanager
def emulator(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A running emulator and its line of JSON."""
    process = subprocess.Popen(
        [*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


async def heard_ms(ready: dict[str, Any], context: ssl.SSLContext | None = None) -> int:
    """Hold a text turn with it; return the length of the first piece of sound."""
    model = RealtimeModel(api_key="any", base_url=ready["url"])
    session = model.session(transport=WebSocketTransport(ssl_context=context))
    async with session:
        events = aiter(session)
        await session.send_text("Hello!")
        async for event in events:
            if isinstance(event, AudioOutput):
                return len(event.pcm) // 48
    return 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_it_answers_until_it_is_told_to_end(number: signal.Signals, code: int) -> None:
    with emulator() as (process, ready):
        assert ready.keys() == {"url", "ca_file", "pid"}
        assert ready["url"].startswith("http://127.0.0.1:")
        assert ready["ca_file"] is None
        assert ready["pid"] == process.pid
        assert await heard_ms(ready) > 0
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        assert process.returncode == code
        assert not out, "one line of JSON, nothing after it"
        assert "Traceback" not in err


async def test_tls_brings_a_certificate_that_goes_with_it() -> None:
    with emulator("--tls") as (process, ready):
        ca_file = Path(ready["ca_file"])
        assert ready["url"].startswith("https://127.0.0.1:")
        assert await heard_ms(ready, ssl.create_default_context(cafile=ca_file)) > 0
        process.terminate()
        process.communicate(timeout=20)
        assert process.returncode == 0
        assert not ca_file.exists(), "its certificate authority ends with it"


def test_a_taken_port_is_one_line_and_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run([*COMMAND, "--port", str(port)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_faults_are_listed_with_their_arguments() -> None:
    done = subprocess.run([*COMMAND, "--list-faults"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    named = [line.partition(":")[0] for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert named == list(FAULTS)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--brain", "scripted:/nowhere.toml"), "/nowhere.toml"),
        (("--scenario", "/nowhere.toml"), "/nowhere.toml"),
        (("--fault", "explode@3s"), "explode"),
        (("--time-scale", "0"), "time_scale"),
        (("--whisper", "/nowhere"), "/nowhere"),
    ],
)
def test_what_cannot_be_served_is_refused_before_it_listens(options: tuple[str, ...], words: str) -> None:
    command = [sys.executable, "-m", "duologue", "emulator", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout

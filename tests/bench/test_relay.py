"""The relay benchmark: it runs and says what it should; nothing here is timed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from duologue.bench.loadserver import AUDIO_MS, LoadServer
from duologue.bench.relay import RelayPlan
from duologue.emulator.tls import LoopbackTLS
from duologue.errors import ConfigError
from duologue.events import AudioOutput, SessionReady, Transcript, TurnCompleted
from duologue.io.ws import WebSocketTransport, available_libraries
from duologue.realtime import RealtimeModel

ROOT = Path(__file__).parents[2]
KEYS = {"library", "sessions", "seconds", "cpu_ms_per_session_s", "bare_cpu_ms_per_session_s", "ratio"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"sessions": 0}, "1 to 1000"),
        ({"sessions": 1001}, "1 to 1000"),
        ({"seconds": 0.5}, "at least 1 second"),
        ({"seconds": float("nan")}, "at least 1 second"),
        ({"rounds": 0}, "1 round"),
        ({"library": "aiohttp"}, "websockets"),
        ({"loop": "trio"}, "asyncio or uvloop"),
    ],
)
def test_a_plan_that_cannot_be_measured_is_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        RelayPlan(**wrong)  # type: ignore[arg-type] # wrong on purpose


def test_every_installed_library_is_measured() -> None:
    assert sorted(RelayPlan().libraries) == sorted(available_libraries())


@pytest.mark.parametrize("library", available_libraries())
async def test_the_load_server_speaks_the_protocol(library: str) -> None:
    """A real session gets its sound, words and turns from it, with nothing unknown or wrong in them."""
    with LoopbackTLS() as tls:
        server = LoadServer(tls)
        model = RealtimeModel(api_key="any", base_url=await server.open())
        transport = WebSocketTransport(ssl_context=tls.client_context(), library=library)  # type: ignore[arg-type] # from a list of strings
        session = model.session(transport=transport)
        events = aiter(session)
        seen: list[type] = []
        async with session, asyncio.timeout(20):
            async for event in events:
                if type(event) not in seen:
                    seen.append(type(event))
                if isinstance(event, AudioOutput):
                    assert len(event.pcm) == AUDIO_MS * 48
                    session.push_audio(bytes(1600))
                if {SessionReady, AudioOutput, Transcript} <= set(seen):
                    break
            assert seen[0] is SessionReady
            assert TurnCompleted not in seen, "turns last four seconds"
            for _ in range(3):
                session.push_audio(bytes(1600))
            report = server.report()
            assert report["sessions"] == 1
            assert report["backlog_bytes_max"] < 100_000
            assert not session.counters
        await server.aclose()


@pytest.mark.slow
def test_the_command_prints_one_object_for_each_library() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "benchmarks/relay.py",
            "--sessions",
            "3",
            "--seconds",
            "1",
            "--rounds",
            "1",
            "--json",
        ],
        capture_output=True,
        text=True,
        timeout=110,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result["library"] for result in results] == sorted(available_libraries(), reverse=True)
    for result in results:
        assert result.keys() >= KEYS
        assert result["tls"] is True
        assert result["sessions"] == 3
        assert result["cpu_ms_per_session_s"] > 0
        ratio = result["cpu_ms_per_session_s"] / result["bare_cpu_ms_per_session_s"]
        assert result["ratio"] == pytest.approx(ratio, rel=0.01)
    assert "round 1/1" in done.stderr, "progress goes to stderr"

"""Both faces over real sockets, recorded and replayed."""

from __future__ import annotations

import asyncio
import math
import stat
import struct
from typing import TYPE_CHECKING

import pytest
from tests.io.conftest import nothing_is_left
from tests.realtime.conftest import LONG, Place, anywhere, clean, library, open_place, place, profile, until
from tests.tape.sessions import journal, strict

from duologue import TurnCompleted, function_tool
from duologue.errors import ConnectError, TapeError
from duologue.events import AudioOutput, InputSpeechStarted, Interrupted, SessionEnded, ToolResult
from duologue.tape import TapeRecorder
from duologue.tape.reader import Tape
from duologue.tape.replay import replay
from duologue.transport import GeminiLiveTransport, GeminiTransportConfig

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["anywhere", "clean", "library", "nothing_is_left", "place", "profile"]

KEY = "AIza-canary-of-the-key-that-was-given"


@function_tool
async def get_weather(city: str) -> str:
    """Current weather."""
    return f"fog in {city}"


def tone(seconds: float) -> bytes:
    samples = (int(9000 * math.sin(n * 0.2)) for n in range(round(16_000 * seconds)))
    return b"".join(struct.pack("<h", sample) for sample in samples)


async def test_a_spoken_session_replays_to_what_the_application_saw(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "call.tape"
    session = place.model(tools=[get_weather], api_key=KEY).session(record=path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    seen: list[object] = []
    events = aiter(session)
    for kind in (AudioOutput, Interrupted, ToolResult, SessionEnded):
        session.on(kind, seen.append)
    async with session:
        for frame in (tone(0.5), bytes(32_000)):
            session.push_audio(frame)
        await until(events, InputSpeechStarted)
        await until(events, TurnCompleted)
        await session.send_text("How is the weather?")
        await until(events, ToolResult)
        await until(events, TurnCompleted)
        await session.send_text("long")
        await until(events, AudioOutput)
        session.interrupt()
        await until(events, Interrupted)
        assert session.resumption_handle is not None
        handle = session.resumption_handle
    result = strict(path)
    assert result.difference is None
    assert result.whole
    with Tape(path) as tape:
        replayed = [event for step in replay(tape) for event in step.events]
    wanted = (AudioOutput, Interrupted, ToolResult, SessionEnded)
    assert [e for e in replayed if isinstance(e, wanted)] == seen
    written = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert KEY.encode() not in written
    assert handle.encode() not in written


async def test_a_resumed_session_has_no_handle_on_its_tape(anywhere: Place, tmp_path: Path) -> None:
    async with anywhere.session() as session:
        await asyncio.sleep(0.1)
        handle = session.resumption_handle
    assert handle is not None
    async with anywhere.model().session(resume=handle, record=str(tmp_path / "t")):
        pass
    assert handle not in (tmp_path / "t").read_text()
    assert strict(tmp_path / "t").difference is None


async def test_a_session_that_cannot_connect_leaves_a_whole_tape(anywhere: Place, tmp_path: Path) -> None:
    model = anywhere.model(base_url="http://127.0.0.1:9", api_key=KEY)
    with pytest.raises(ConnectError):
        async with model.session(record=tmp_path / "t"):
            pass
    assert [line.get("do") for line in journal(tmp_path / "t")[1:] if "do" in line][-3:-1] == [
        "connect",
        "fail",
    ]
    assert strict(tmp_path / "t").whole


async def test_a_session_that_was_never_entered_leaves_a_whole_tape(anywhere: Place, tmp_path: Path) -> None:
    await anywhere.model().session(record=tmp_path / "t").aclose()
    assert strict(tmp_path / "t").whole


async def test_a_tape_that_is_there_is_refused_before_anything_is_made(
    anywhere: Place, tmp_path: Path
) -> None:
    (tmp_path / "t").write_text("mine")
    with pytest.raises(TapeError, match="is there already"):
        anywhere.model().session(record=tmp_path / "t")
    assert not anywhere.emulator.sessions


async def test_each_connection_of_a_transport_has_a_tape_of_its_own(tmp_path: Path) -> None:
    async with open_place() as place:
        paths = [tmp_path / "one", tmp_path / "two"]
        rest = iter(paths)
        config = GeminiTransportConfig(api_key=KEY, base_url=place.emulator.url)
        link = GeminiLiveTransport(config, record=lambda: TapeRecorder(next(rest)))
        spoke = asyncio.Event()
        link.on_audio_output = lambda *_: spoke.set()
        await link.connect()
        link.trigger_generation(LONG)
        await asyncio.wait_for(spoke.wait(), 5)
        await link.reconnect()
        await link.disconnect()
    for path in paths:
        assert strict(path).difference is None
        assert strict(path).whole
        assert KEY not in path.read_text()

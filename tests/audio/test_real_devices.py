"""Against a real microphone that hears the real loudspeaker: a null sink's monitor, or a loopback cable.

pulseaudio --daemonize=yes --exit-idle-time=-1 -n -L module-native-protocol-unix -L module-null-sink
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

import pytest

from duologue.audio import Microphone, Speaker, devices_available, rms_dbfs

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.environ.get("DUOLOGUE_LOOPBACK") != "1" or devices_available() != (True, True),
        reason="set DUOLOGUE_LOOPBACK=1 where the default microphone hears the default loudspeaker",
    ),
]


async def test_what_is_played_is_heard_and_a_flush_is_silence(tone: Callable[..., bytes]) -> None:
    loop = asyncio.get_running_loop()
    mic, speaker = Microphone(), Speaker()
    heard: list[tuple[float, bool]] = []
    heads: list[tuple[str, int]] = []

    async def listen() -> None:
        async for frame in mic:
            heard.append((loop.time(), rms_dbfs(frame) > -40))

    speaker.start(lambda generation_id, played_ms: heads.append((generation_id, played_ms)))
    task = asyncio.create_task(listen())
    async with asyncio.timeout(10):
        while not heard:  # a null sink takes two seconds to begin
            await asyncio.sleep(0.05)
    speaker.write("a", tone(1000, 600, 24_000))
    speaker.end("a")
    time.sleep(0.3)  # sound goes on while the loop is blocked
    await asyncio.wait_for(speaker.drained(), 10)
    await asyncio.sleep(1.0)
    loud_ms = 20 * sum(loud for _, loud in heard)
    assert heads[-1] == ("a", 600)
    assert 540 <= loud_ms <= 700
    speaker.write("b", tone(500, 3000, 24_000))
    while heads[-1][0] != "b":
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    speaker.flush()
    flushed_at = loop.time()
    await asyncio.wait_for(speaker.drained(), 10)
    await asyncio.sleep(1.0)
    last_loud_at = max(at for at, loud in heard if loud)
    await speaker.aclose()
    await mic.aclose()
    await task
    assert heads[-1][1] < 1500
    assert last_loud_at - flushed_at < 0.4
    assert (mic.dropped_frames, speaker.underruns) == (0, 0)

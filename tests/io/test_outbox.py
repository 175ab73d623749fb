from __future__ import annotations

import asyncio

import pytest

from duologue.core.outlet import Frame
from duologue.errors import QueueFull
from duologue.io.outbox import Outbox


async def test_order_is_kept_across_kinds() -> None:
    outbox = Outbox(stale_after_ms=1000, message_limit=10)
    for frame in (Frame(b"1", 50), Frame(b"2"), Frame(b"3", 50)):
        outbox.put(frame, 0.0)
    assert [(await outbox.get()).data for _ in range(3)] == [b"1", b"2", b"3"]
    assert len(outbox) == 0


async def test_too_much_sound_drops_the_oldest_sound_and_no_text() -> None:
    outbox = Outbox(stale_after_ms=1000, message_limit=10, audio_limit_ms=100)
    outbox.put(Frame(b"text"), 0.0)
    for name in (b"a", b"b", b"c"):
        outbox.put(Frame(name, 50), 0.0)
    assert outbox.dropped_ms == 50
    assert [(await outbox.get()).data for _ in range(3)] == [b"text", b"b", b"c"]


async def test_the_bound_on_sound_holds_whatever_the_frames_measure() -> None:
    outbox = Outbox(stale_after_ms=1000, message_limit=10, audio_limit_ms=100)
    for _ in range(10):
        outbox.put(Frame(b"short", 10), 0.0)
    outbox.put(Frame(b"long", 95), 0.0)
    assert outbox.dropped_ms == 100
    assert [(await outbox.get()).data for _ in range(len(outbox))] == [b"long"]


async def test_stale_sound_is_dropped_and_a_fresh_burst_is_kept() -> None:
    outbox = Outbox(stale_after_ms=3000, message_limit=10)
    for number in range(200):  # ten seconds of sound at once
        outbox.put(Frame(b"%d" % number, 50), 100.0)
    assert outbox.dropped_ms == 0
    outbox.put(Frame(b"text"), 103.1)
    assert outbox.dropped_ms == 0
    outbox.put(Frame(b"fresh", 50), 103.1)
    assert outbox.dropped_ms == 10_000
    assert [(await outbox.get()).data for _ in range(len(outbox))] == [b"text", b"fresh"]


async def test_too_many_messages_are_refused_before_they_are_put() -> None:
    outbox = Outbox(stale_after_ms=100, message_limit=2)
    outbox.put(Frame(b"1"), 0.0)
    outbox.check_room()
    outbox.put(Frame(b"2"), 0.0)
    with pytest.raises(QueueFull):
        outbox.check_room()
    await outbox.get()
    outbox.check_room()


async def test_get_waits_and_a_cancelled_get_loses_nothing() -> None:
    outbox = Outbox(stale_after_ms=100, message_limit=2)
    waiting = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    waiting.cancel()
    outbox.put(Frame(b"1"), 0.0)
    assert (await outbox.get()).data == b"1"
    await asyncio.wait({waiting})
    assert waiting.cancelled()


async def test_sound_can_be_taken_out_and_the_rest_stays() -> None:
    outbox = Outbox(stale_after_ms=1000, message_limit=10)
    for frame in (Frame(b"a", 50), Frame(b"text"), Frame(b"b", 50)):
        outbox.put(frame, 0.0)
    assert outbox.drop_sound() == 100
    assert [(await outbox.get()).data for _ in range(len(outbox))] == [b"text"]
    assert outbox.dropped_ms == 0


async def test_results_nobody_takes_overfill_it() -> None:
    outbox = Outbox(stale_after_ms=1000, message_limit=10)
    megabyte = bytes(1024 * 1024)
    for _ in range(64):
        outbox.put(Frame(megabyte), 0.0)
    seen = [outbox.is_overfull]
    outbox.put(Frame(b"x"), 0.0)
    seen.append(outbox.is_overfull)
    await outbox.get()
    assert [*seen, outbox.is_overfull] == [False, True, False]

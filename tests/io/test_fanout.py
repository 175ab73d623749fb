from __future__ import annotations

import asyncio
import gc

import pytest

from duologue.core.outlet import BULK
from duologue.errors import SlowConsumer
from duologue.events import (
    AudioOutput,
    Event,
    GenerationCreated,
    Interrupted,
    SessionEnded,
    SessionError,
    SessionReady,
    Transcript,
)
from duologue.io.fanout import Fanout

READY = SessionReady("s")
ENDED = SessionEnded(1000, "", None)


def audio(generation: str, size: int = 4800) -> AudioOutput:
    return AudioOutput(generation, b"\0" * size, 0)


def make(*, control: int = 4096, audio_s: float = 120.0) -> tuple[Fanout, list[frozenset[type]]]:
    interests: list[frozenset[type]] = []
    return Fanout(control_limit=control, audio_limit_s=audio_s, on_interest=interests.append), interests


async def read(events: object) -> list[Event]:
    return [event async for event in events]  # type: ignore[attr-defined]  # a Subscription


async def test_functions_come_first_and_in_order() -> None:
    fanout, _ = make()
    seen: list[str] = []
    events = fanout.subscribe()
    fanout.on(frozenset({SessionReady}), lambda _: seen.append("first"))
    fanout.on(None, lambda event: seen.append(type(event).__name__))
    fanout.deliver(READY)
    fanout.deliver(ENDED)
    assert seen == ["first", "SessionReady", "SessionEnded"]
    assert await read(events) == [READY, ENDED]


async def test_off_ends_it_and_may_be_called_twice() -> None:
    fanout, _ = make()
    seen: list[Event] = []
    off = fanout.on(None, seen.append)
    off()
    off()
    fanout.deliver(READY)
    assert seen == []


async def test_a_coroutine_function_is_refused() -> None:
    fanout, _ = make()

    async def wrong(event: object) -> None:
        """Never awaited."""

    with pytest.raises(TypeError, match="wrong is a coroutine function"):
        fanout.on(None, wrong)  # type: ignore[arg-type]  # the mistake under test


async def test_an_exception_of_a_function_is_reported_and_stops_nobody() -> None:
    fanout, _ = make()
    seen: list[Event] = []

    def broken(event: Event) -> None:
        raise ValueError("mine")

    fanout.on(None, broken)
    fanout.on(None, seen.append)
    fanout.deliver(READY)
    assert seen[0] == READY  # what went wrong with an event comes after it
    errors = [event for event in seen[1:] if isinstance(event, SessionError)]
    assert [str(event.error) for event in errors] == ["mine"]


async def test_a_cancelled_future_in_a_function_cancels_nobody() -> None:
    fanout, _ = make()
    seen: list[Event] = []
    future = asyncio.get_running_loop().create_future()
    future.cancel()

    def looks(event: Event) -> None:
        future.result()

    fanout.on(frozenset({SessionReady}), looks)
    fanout.on(None, seen.append)
    fanout.deliver(READY)
    (error,) = [event.error for event in seen if isinstance(event, SessionError)]
    assert str(error) == "looks given to on() raised CancelledError"
    assert isinstance(error.__cause__, asyncio.CancelledError)


async def test_what_is_no_function_is_refused() -> None:
    fanout, _ = make()
    with pytest.raises(TypeError, match="None is no function"):
        fanout.on(None, None)  # type: ignore[arg-type]  # the mistake under test


async def test_nothing_comes_after_the_end(caplog: pytest.LogCaptureFixture) -> None:
    fanout, _ = make()
    seen: list[Event] = []

    def broken(event: Event) -> None:
        raise ValueError("mine")

    fanout.on(None, seen.append)
    fanout.on(None, broken)
    fanout.deliver(ENDED)
    assert seen == [ENDED]
    assert "failed at SessionEnded" in caplog.text


async def test_interest_follows_the_readers() -> None:
    fanout, interests = make()
    assert interests[-1] == frozenset()
    off = fanout.on(frozenset({AudioOutput, SessionReady}), lambda _: None)
    assert interests[-1] == {AudioOutput}
    events = fanout.subscribe()
    assert interests[-1] == BULK
    del events
    gc.collect()
    assert interests[-1] == {AudioOutput}
    off()
    assert interests[-1] == frozenset()


async def test_a_reader_nobody_holds_stores_nothing() -> None:
    fanout, _ = make()
    fanout.subscribe()
    gc.collect()
    fanout.deliver(READY)
    assert fanout._queues == []


async def test_interruption_takes_the_sound_out_of_every_queue_first() -> None:
    fanout, _ = make()
    one, two = fanout.subscribe(), fanout.subscribe(frozenset({AudioOutput, Interrupted, SessionEnded}))
    cut = Interrupted(("a",), "service", 0, heard_ms_estimated=True)
    for event in (audio("a"), audio("b"), audio("a"), cut, ENDED):
        fanout.deliver(event)
    assert await read(one) == [audio("b"), cut, ENDED]
    assert await read(two) == [audio("b"), cut, ENDED]


async def test_a_slow_reader_loses_sound_per_generation_but_no_marks() -> None:
    fanout, _ = make(audio_s=0.2)
    events = fanout.subscribe()
    created = GenerationCreated("a", user_initiated=False)
    fanout.deliver(created)
    for _ in range(5):
        fanout.deliver(audio("a"))  # 100 ms each
    fanout.deliver(audio("b"))
    fanout.deliver(ENDED)
    assert await read(events) == [created, audio("a"), audio("a"), audio("b"), ENDED]
    assert events.dropped_audio_ms == 300


async def test_the_bound_on_sound_holds_whatever_the_pieces_measure() -> None:
    fanout, _ = make(audio_s=1.0)
    events = fanout.subscribe()
    for size in [960] * 50 + [9600] * 3:
        fanout.deliver(audio("a", size))
    fanout.deliver(ENDED)
    waiting = [event for event in await read(events) if isinstance(event, AudioOutput)]
    assert sum(len(event.pcm) for event in waiting) == 48_000


async def test_a_reader_that_falls_too_far_behind_is_cut_off_alone() -> None:
    fanout, _ = make(control=3)
    slow, quick = fanout.subscribe(), fanout.subscribe()
    for number in range(5):
        fanout.deliver(Transcript("user", "x", "x", final=False, item_id=str(number)))
        assert isinstance(await anext(quick), Transcript)
    with pytest.raises(SlowConsumer):
        await anext(slow)
    fanout.deliver(ENDED)
    assert await anext(quick) == ENDED


async def test_a_reader_that_comes_too_late_still_learns_of_the_end() -> None:
    fanout, _ = make()
    fanout.deliver(ENDED)
    assert await read(fanout.subscribe()) == [ENDED]


async def test_cancelling_a_pending_read_loses_nothing() -> None:
    fanout, _ = make()
    events = fanout.subscribe()
    waiting = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0)
    fanout.deliver(READY)
    assert await anext(events) == READY


async def test_a_second_reader_of_one_queue_is_told_so() -> None:
    fanout, _ = make()
    events = fanout.subscribe()
    waiting = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="being read already"):
        await anext(events)
    fanout.deliver(READY)
    assert await waiting == READY

"""Sessions over real sockets that are given up at any moment: no task, no socket, no object is left."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ssl
import threading
import weakref

import pytest
from tests.realtime.conftest import Place, open_place, until

from duologue import RealtimeSession, SessionEnded, ToolCall, TurnCompleted
from duologue.audio import NullSink
from duologue.errors import ConnectError, DuologueError
from duologue.io.ws import WebSocketTransport


async def emulator_is_quiet(place: Place) -> None:
    """Wait until the emulator has seen the end of every connection."""
    async with asyncio.timeout(3):
        while any(session.ended is None for session in place.emulator.sessions):
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
async def test_entering_cancelled_at_any_moment(library: str, tls: bool) -> None:
    async with open_place(library=library, tls=tls) as place:
        trust = ssl.create_default_context(cafile=place.emulator.ca_file)
        for count in range(0, 60, 4):
            session = place.model().session(transport=WebSocketTransport(ssl_context=trust))
            session.attach(sink := NullSink())
            entering = asyncio.create_task(session.__aenter__())
            for _ in range(count):
                await asyncio.sleep(0.0003 if count > 20 else 0)
            entering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await entering
            await session.aclose()
            assert not session.is_live
            assert sink.state.value == "closed"
            del session, entering
        await emulator_is_quiet(place)
        gc.collect()  # an unclosed socket would be a ResourceWarning, which is an error here


async def test_closed_at_any_moment_of_entering(library: str) -> None:
    async with open_place(library=library) as place:
        for count in range(1, 40, 3):
            session = place.session()
            entering = asyncio.create_task(session.__aenter__())
            for _ in range(count):
                await asyncio.sleep(0.0002 if count > 20 else 0)
            await session.aclose()
            with contextlib.suppress(ConnectError):
                await entering
            assert not session.is_live
        await emulator_is_quiet(place)
        gc.collect()


async def test_the_task_of_a_caller_is_cancelled_in_the_middle_of_a_call(library: str) -> None:
    async with open_place(library=library, time_scale=1.0) as place:
        live: list[RealtimeSession] = []

        async def call() -> None:
            async with place.session() as session:
                session.attach(NullSink())
                live.append(session)
                await session.send_text("long")
                async for _ in session:
                    pass

        calling = asyncio.create_task(call())
        while not live or not live[0].chat_ctx.messages:
            await asyncio.sleep(0.005)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert not live[0].is_live
        await emulator_is_quiet(place)


async def test_a_cancelled_aclose_still_closes_the_ends(anywhere: Place) -> None:
    session = anywhere.session()
    await session.__aenter__()
    sink = NullSink()
    session.attach(sink)
    closing = asyncio.create_task(session.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert sink.state.value == "closed"
    await session.aclose()


async def test_a_closed_session_and_what_it_handed_out_are_collected(library: str) -> None:
    async with open_place(library=library) as place:
        model = place.model()
        async with model.session() as call:
            events = aiter(call)
            generation = await call.generate_reply()
            await until(events, TurnCompleted)
        seen = [weakref.ref(each) for each in (call, generation)]
        del call, events, generation
        await asyncio.sleep(0)
        gc.collect()
        assert [reference() for reference in seen] == [None, None]


async def test_a_session_nobody_entered_is_collected(anywhere: Place) -> None:
    model = anywhere.model()
    seen = weakref.ref(model.session())
    gc.collect()
    assert seen() is None
    await model.aclose()


async def test_a_thread_that_outlives_the_session_does_no_harm(anywhere: Place) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def get_weather(city: str) -> str:
        begun.set()
        go_on.wait(5)
        return "too late"

    async with anywhere.session(tools=[get_weather]) as call:
        events = aiter(call)
        await call.send_text("weather")
        await until(events, ToolCall)
        await asyncio.to_thread(begun.wait, 5)
    go_on.set()
    assert (await until(events, SessionEnded)).error is None


@pytest.mark.parametrize("fault", ["close:code=1011,reason=Deadline expired", "close:code=1000,reason="])
async def test_every_wait_ends_with_the_link(anywhere: Place, fault: str) -> None:
    async with anywhere.session() as call:
        anywhere.brain.wait.clear()
        events, answers = aiter(call), call.generations()
        waits = [
            asyncio.ensure_future(call.generate_reply("never")),
            asyncio.ensure_future(until(events, TurnCompleted)),
            asyncio.ensure_future(anext(answers)),
        ]
        await asyncio.sleep(0.01)
        await anywhere.emulator.inject(fault)
        ended = await asyncio.wait_for(asyncio.gather(*waits, return_exceptions=True), 2)
        kinds = [type(each) for each in ended]
        assert issubclass(kinds[0], DuologueError)
        assert kinds[1:] == [AssertionError, StopAsyncIteration]
        last = await until(aiter(call), SessionEnded)
        assert (last.error is None) == ("1000" in fault)


async def test_a_loss_is_logged_for_who_looks_at_no_event(
    library: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_place(library=library) as place:
        async with place.session() as session:
            await place.emulator.inject("close:code=1011,reason=Internal error encountered.")
            async for _ in session:
                pass
        [record] = [r for r in caplog.records if r.levelname == "WARNING"]
    assert "the session has ended" in record.getMessage()
    assert "1011" in record.getMessage()


async def test_an_end_in_good_order_is_not_worth_a_word(
    library: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_place(library=library) as place, place.session():
        pass
    assert not [r for r in caplog.records if r.levelname == "WARNING"]

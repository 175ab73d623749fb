"""What a session tells, to whom, in which order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.realtime.conftest import Place, rest, until

from duologue import (
    AudioOutput,
    Event,
    GenerationCreated,
    RawMessage,
    RealtimeModel,
    SessionEnded,
    SessionError,
    SessionReady,
    ToolCall,
    Transcript,
    TurnCompleted,
)
from duologue.errors import ConnectError, SessionClosed, SlowConsumer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def test_an_iterator_from_before_entering_begins_with_ready_and_stops_after_ended(place: Place) -> None:
    session = place.session()
    events = aiter(session)
    async with session:
        assert isinstance(await anext(events), SessionReady)
        await session.send_text("Hi.")
        await until(events, TurnCompleted)
    told = await rest(events)
    assert told[-1] == SessionEnded(1000, "", None)
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_iterators_are_independent_subscribers(place: Place) -> None:
    async with place.session() as call:
        one, two = aiter(call), aiter(call)
        await call.generate_reply()
        await until(one, TurnCompleted)
        late = aiter(call)
    all_of_two = await rest(two)
    assert sum(isinstance(event, TurnCompleted) for event in all_of_two) == 1
    assert [type(event) for event in await rest(late)][-1:] == [SessionEnded]
    assert not any(isinstance(event, TurnCompleted) for event in await rest(one))
    assert [type(event) for event in await rest(aiter(call))] == [SessionEnded]


async def test_one_turn_is_told_in_the_documented_order(place: Place) -> None:
    async with place.session() as call:
        events = aiter(call)
        await call.generate_reply()
        told = [type(event).__name__ async for event in _to_the_turns_end(events)]
    order = ["GenerationCreated", "Transcript", "AudioOutput", "GenerationCompleted", "TurnCompleted"]
    assert [name for name in order if name in told] == order
    assert sorted(order, key=told.index) == order


async def _to_the_turns_end(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    async for event in events:
        yield event
        if isinstance(event, TurnCompleted):
            return


async def test_functions_are_called_in_wire_order_before_any_iterator(anywhere: Place) -> None:
    seen: list[str] = []
    async with anywhere.session() as call:
        call.on(GenerationCreated, lambda event: seen.append(event.id))
        off = call.on(Transcript, lambda event: seen.append(event.text))
        call.on(TurnCompleted, lambda event: seen.append("over"))
        events = aiter(call)
        generation = await call.generate_reply()
        created = await until(events, GenerationCreated)
        assert seen[0] == created.id == generation.id
        await until(events, TurnCompleted)
        assert seen[1:] == ["Hello there."] * 2 + ["over"]
        off()
        seen.clear()
        await call.send_text("Hi.")
        await until(events, TurnCompleted)
    assert seen[1:] == ["over"]


async def test_a_coroutine_function_is_refused_at_once(anywhere: Place) -> None:
    async def wrong(event: SessionReady) -> None:
        """Never awaited."""

    with pytest.raises(TypeError, match="plain function"):
        anywhere.session().on(SessionReady, wrong)  # type: ignore[arg-type]  # the mistake under test


@pytest.mark.parametrize("kind", [Event, int, "SessionReady"])
async def test_what_is_no_event_class_is_refused_at_once(anywhere: Place, kind: Any) -> None:
    with pytest.raises(TypeError, match="is no event"):
        anywhere.session().on(kind, print)


async def test_a_function_that_raises_stops_nobody(anywhere: Place) -> None:
    async with anywhere.session() as call:
        events = aiter(call)

        def broken(event: GenerationCreated) -> None:
            raise ValueError("my mistake")

        call.on(GenerationCreated, broken)
        generation = await call.generate_reply()
        assert str((await until(events, SessionError)).error) == "my mistake"
        assert await generation.status() == "completed"


async def test_commands_may_be_given_from_a_function(anywhere: Place) -> None:
    told: list[Event] = []
    async with anywhere.session() as call:
        events = aiter(call)
        call.on(AudioOutput, lambda event: call.interrupt())
        generation = await call.generate_reply()
        assert await generation.status() == "interrupted"
        async for event in events:
            told.append(event)
            if isinstance(event, TurnCompleted):
                break
    kinds = [type(event).__name__ for event in told]
    assert "AudioOutput" not in kinds[kinds.index("Interrupted") :]


async def test_a_slow_reader_is_cut_off_alone(anywhere: Place) -> None:
    async with anywhere.session(session={"control_queue_size": 16}) as call:
        slow, quick = aiter(call), aiter(call)
        for _ in range(8):
            await call.send_text("Hi.")
            await until(quick, TurnCompleted)
        with pytest.raises(SlowConsumer, match="16 events"):
            await rest(slow)
        assert call.is_live
        await call.send_text("Hi.")
        await until(quick, TurnCompleted)


async def test_sound_nobody_reads_is_dropped_and_marks_are_not(anywhere: Place) -> None:
    async with anywhere.session(session={"downlink_buffer_s": 1.0}) as call:
        quick, slow = aiter(call), aiter(call)
        await call.send_text("long")
        await until(quick, TurnCompleted)
    told = await rest(slow)
    assert 0 < sum(len(e.pcm) for e in told if isinstance(e, AudioOutput)) <= 48_000
    assert any(isinstance(event, TurnCompleted) for event in told)


async def test_raw_messages_when_asked_for(anywhere: Place) -> None:
    session = anywhere.session(session={"raw_messages": True})
    events = aiter(session)
    async with session:
        assert b"setupComplete" in (await until(events, RawMessage)).frame


async def test_a_session_is_entered_once_and_never_after_its_end(anywhere: Place) -> None:
    session = anywhere.session()
    async with session:
        with pytest.raises(SessionClosed, match="entered once"):
            await session.__aenter__()
        assert session.is_live
    closed = anywhere.session()
    events = aiter(closed)
    await closed.aclose()
    await closed.aclose()
    assert await rest(events) == [SessionEnded(1000, "", None)]
    with pytest.raises(SessionClosed):
        await closed.__aenter__()
    assert not closed.is_live


async def test_a_failed_connect_ends_the_iterators_too() -> None:
    session = RealtimeModel(api_key="k", base_url="http://127.0.0.1:9").session()
    events = aiter(session)
    with pytest.raises(ConnectError) as caught:
        async with session:
            pass
    assert (caught.value.phase, caught.value.retryable) == ("connect", True)
    (ended,) = await rest(events)
    assert isinstance(ended, SessionEnded)
    assert ended.error is caught.value


async def test_an_exception_of_the_body_goes_on_and_the_session_is_closed(anywhere: Place) -> None:
    session = anywhere.session()
    with pytest.raises(KeyError):
        async with session:
            raise KeyError("mine")
    assert not session.is_live


async def test_aclose_from_a_function_and_from_a_tool(anywhere: Place) -> None:
    async def get_weather(city: str) -> str:
        await call.aclose()
        return "never told"

    async with anywhere.session(tools=[get_weather]) as call:
        events = aiter(call)
        await call.send_text("weather")
        await until(events, ToolCall)
        assert (await until(events, SessionEnded)).error is None
    closing: list[asyncio.Task[None]] = []
    async with anywhere.session() as other:
        events = aiter(other)
        other.on(GenerationCreated, lambda event: closing.append(asyncio.create_task(other.aclose())))
        await other.send_text("Hi.")
        await until(events, SessionEnded)
    await asyncio.gather(*closing)

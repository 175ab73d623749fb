"""generate_reply and generations(): one answer as streams of its own."""

from __future__ import annotations

import asyncio

import pytest
from tests.realtime.conftest import LONG, Place, open_place, until

from duologue import (
    AudioOutput,
    Generation,
    GenerationCompleted,
    GenerationCreated,
    SessionEnded,
    TurnCompleted,
)
from duologue.emulator.voice.tone import tone
from duologue.errors import ReplyAborted, ReplySuperseded, ReplyTimeout, SessionClosed


async def sound_of(generation: Generation) -> bytes:
    return b"".join([pcm async for pcm in generation.audio])


async def test_a_reply_is_complete_from_its_first_sample_without_any_other_reader(
    profile: str, library: str
) -> None:
    async with open_place(profile, library) as place, place.session() as call:
        generation = await call.generate_reply("Greet the caller.")
        assert await sound_of(generation) == tone("Hello there.")
        assert "".join([words async for words in generation.text]) == "Hello there."
        assert [each async for each in generation.function_calls] == []
        assert await generation.status() == "completed"
        assert generation.id in repr(generation)


async def test_streams_end_once_and_status_may_be_asked_by_many(place: Place) -> None:
    async with place.session() as call:
        generation = await call.generate_reply()
        assert await asyncio.gather(*(generation.status() for _ in range(3))) == ["completed"] * 3
        assert await sound_of(generation) == tone("Hello there.")
        assert await sound_of(generation) == b""
        assert await generation.status() == "completed"


async def test_a_newer_request_supersedes_an_older_one(place: Place) -> None:
    async with place.session() as call:
        place.brain.wait.clear()
        first = asyncio.create_task(call.generate_reply("one"))
        await asyncio.sleep(0)
        second = asyncio.create_task(call.generate_reply("two"))
        with pytest.raises(ReplySuperseded):
            await first
        place.brain.wait.set()
        assert await (await second).status() in ("completed", "interrupted")


async def test_a_reply_that_does_not_begin_times_out(place: Place) -> None:
    async with place.session() as call:
        place.brain.wait.clear()
        with pytest.raises(ReplyTimeout, match=r"within 0\.04 s") as caught:
            await call.generate_reply("later", timeout_s=0.04)
        assert isinstance(caught.value, TimeoutError)
        assert caught.value.retryable
        place.brain.wait.set()


@pytest.mark.parametrize("how", ["closed here", "closed there"])
async def test_a_reply_ends_with_its_session(place: Place, how: str) -> None:
    async with place.session() as call:
        place.brain.wait.clear()
        waiting = asyncio.create_task(call.generate_reply("never"))
        await asyncio.sleep(0.01)
        if how == "closed here":
            await call.aclose()
        else:
            await place.emulator.inject("close:code=1011,reason=Internal error encountered.")
        with pytest.raises(ReplyAborted):
            await waiting
        with pytest.raises(SessionClosed, match="generate_reply"):
            await call.generate_reply("again")


async def test_a_cancelled_request_leaves_the_session_fit_for_the_next(place: Place) -> None:
    async with place.session() as call:
        events = aiter(call)
        waiting = asyncio.create_task(call.generate_reply("one"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await until(events, TurnCompleted)
        assert await (await call.generate_reply("two")).status() == "completed"


async def test_an_answer_without_words_or_sound_is_no_reply(place: Place) -> None:
    async with place.session() as call:
        with pytest.raises(ReplyTimeout):
            await call.generate_reply("nothing", timeout_s=0.1)


async def test_every_answer_is_a_generation_of_its_own(place: Place) -> None:
    async with place.session() as call:
        answers = call.generations()
        for _ in range(2):
            await call.send_text("Hi.")
            generation = await anext(answers)
            assert await sound_of(generation) == tone("Hello there.")
    with pytest.raises(StopAsyncIteration):
        await anext(answers)


async def test_a_generation_knows_its_calls(place: Place) -> None:
    async with place.session(tools=[get_weather]) as call:
        answers = call.generations()
        await call.send_text("How is the weather?")
        generation = await anext(answers)
        assert [each.name async for each in generation.function_calls] == ["get_weather"]
        assert await generation.status() == "tool_calls"
        spoken = await anext(answers)
        assert "".join([words async for words in spoken.text]) == "It is fine in London."


async def get_weather(city: str) -> str:
    """Current weather for a city."""
    return f"fine in {city}"


async def test_cancel_silences_its_own_turn_only(slow_place: Place) -> None:
    async with slow_place.session() as call:
        events = aiter(call)
        story = await call.generate_reply("long")
        await until(events, AudioOutput)
        story.cancel()
        story.cancel()
        assert await story.status() == "interrupted"
        assert len(await sound_of(story)) < len(tone(LONG)) / 2
        assert (await until(events, GenerationCompleted)).status == "interrupted"
        await until(events, TurnCompleted)
        greeting = await call.generate_reply("Greet the caller.")
        story.cancel()  # another turn runs: not its business
        assert await greeting.status() == "completed"


async def test_the_end_of_the_session_ends_the_streams(slow_place: Place) -> None:
    async with slow_place.session() as call:
        story = await call.generate_reply("long")
        answers = call.generations()
        await slow_place.emulator.inject("close:code=1011,reason=Internal error encountered.")
        assert await story.status() == "lost"
        assert len(await sound_of(story)) < len(tone(LONG)) / 2
        assert [generation async for generation in answers] == []


async def test_a_reply_is_marked_as_asked_for(place: Place) -> None:
    async with place.session() as call:
        events = aiter(call)
        await call.generate_reply()
        assert (await until(events, GenerationCreated)).user_initiated
        await until(events, TurnCompleted)
        await call.send_text("Hi.")
        assert not (await until(events, GenerationCreated)).user_initiated
        await call.aclose()
        assert (await until(events, SessionEnded)).error is None

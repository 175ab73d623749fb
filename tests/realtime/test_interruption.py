"""Silence, by command and by voice, on every profile."""

from __future__ import annotations

import asyncio

import pytest
from tests.realtime.conftest import LONG, Place, until

from duologue import (
    AudioOutput,
    GenerationCompleted,
    InputSpeechStarted,
    InputSpeechStopped,
    Interrupted,
    Transcript,
    TurnCompleted,
)
from duologue.audio import RecordingSink
from duologue.emulator.voice.tone import tone
from duologue.errors import Unsupported

SPEECH = tone("Please stop and listen to me now")
PAUSE = bytes(48 * 1200)


async def test_after_interrupt_no_sound_is_delivered(slow_place: Place) -> None:
    async with slow_place.session() as call:
        lagging, events = aiter(call), aiter(call)
        generation = await call.generate_reply("long")
        await until(events, AudioOutput)
        call.interrupt()
        call.interrupt()
        assert await generation.status() == "interrupted"
        interrupted = await until(events, Interrupted)
        assert (interrupted.by, interrupted.generations) == ("application", (generation.id,))
        assert interrupted.heard_ms_estimated
        after = []
        async with asyncio.timeout(5):
            async for event in events:
                after.append(event)
                if isinstance(event, TurnCompleted):
                    break
        assert not [event for event in after if isinstance(event, (AudioOutput, Interrupted))]
        assert sum(isinstance(event, GenerationCompleted) for event in after) == 1
        # A reader that had not come to the sound yet never gets it.
        async with asyncio.timeout(5):
            async for event in lagging:
                assert not isinstance(event, AudioOutput)
                if isinstance(event, TurnCompleted):
                    break
        assert await (await call.generate_reply("again")).status() == "completed"


async def test_interrupting_nothing_says_nothing(place: Place) -> None:
    session = place.session()
    session.interrupt()
    async with session as call:
        events = aiter(call)
        call.interrupt()
        await call.send_text("Hi.")
        await until(events, TurnCompleted)
        assert not [frame for frame in place.uplink("clientContent") if "turns" not in frame]
    session.interrupt()


async def test_a_caller_who_speaks_interrupts(slow_place: Place) -> None:
    sink = RecordingSink()
    async with slow_place.session() as call:
        call.attach(sink)
        events = aiter(call)
        generation = await call.generate_reply("long")
        await until(events, AudioOutput)
        call.push_audio(SPEECH, sample_rate=24_000)
        interrupted = await until(events, Interrupted)
        assert (interrupted.by, interrupted.generations) == ("service", (generation.id,))
        assert not sink.is_playing
        assert await generation.status() == "interrupted"
        call.push_audio(PAUSE, sample_rate=24_000)
        heard = await until(events, Transcript, lambda event: event.role == "user" and event.final)
        assert heard.text == "spoken words"
        words = await until(events, Transcript, lambda event: event.role == "model" and event.final)
        assert words.text == "Hello there."
    assert any(message.interrupted for message in call.chat_ctx.messages)
    assert 0 < len(sink.pcm) < len(tone(LONG)) / 2


async def test_speech_is_announced_and_answered(place: Place) -> None:
    async with place.session() as call:
        events = aiter(call)
        call.push_audio(SPEECH + PAUSE, sample_rate=24_000)
        await until(events, InputSpeechStarted)
        await until(events, InputSpeechStopped)
        turn = await until(events, TurnCompleted)
        assert len(turn.generations) == 1
        assert call.usage.output_tokens > 0


async def test_activity_marked_by_the_application(place: Place) -> None:
    session = place.model().session(turn_detection_disabled=True)
    async with session as call:
        events = aiter(call)
        for end in (call.end_user_activity, call.commit_audio):
            call.start_user_activity()
            call.start_user_activity()
            call.push_audio(SPEECH, sample_rate=24_000)
            end()
            end()
            await until(events, InputSpeechStarted)
            await until(events, TurnCompleted)
    assert place.uplink("activityStart") == place.uplink("activityEnd") == [{}, {}]
    assert place.uplink("audioStreamEnd") == []


async def test_marks_are_refused_where_the_service_listens_itself(anywhere: Place) -> None:
    async with anywhere.session() as call:
        for mark in (call.start_user_activity, call.end_user_activity):
            with pytest.raises(Unsupported, match="turn_detection_disabled=True"):
                mark()
        call.commit_audio()
        await call.send_text("Hi.")
        await until(aiter(call), TurnCompleted)
    assert anywhere.uplink("audioStreamEnd") == [True]

"""Microphones and speakers attached to a session; hanging up."""

from __future__ import annotations

import asyncio
import wave
from typing import TYPE_CHECKING

import pytest
from tests.realtime.conftest import Place, open_place, rest, until

from duologue import (
    AudioOutput,
    GenerationCompleted,
    SessionEnded,
    SessionError,
    ToolResult,
    Transcript,
    TurnCompleted,
    WavFile,
    end_call,
)
from duologue.audio import NullSink, RecordingSink, read_wav
from duologue.audio.sink import SinkState
from duologue.emulator.voice.tone import tone
from duologue.errors import AudioError, ConfigError, SessionClosed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


class Caller:
    """A source of what it is given, as fast as it is taken, that then stays silent until it is closed."""

    sample_rate = 24_000
    channels = 1

    def __init__(self, *frames: bytes, then: Callable[[], object] | None = None) -> None:
        self._frames = frames
        self._then = then
        self.closed = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for frame in self._frames:
            yield frame
        if self._then is not None:
            done = self._then()
            if asyncio.iscoroutine(done):
                await done
        await self.closed.wait()

    async def aclose(self) -> None:
        self.closed.set()


SPEECH = tone("Hello, can you hear me") + bytes(48 * 1200)


async def test_a_source_is_heard_and_a_sink_plays_the_answer() -> None:
    source, sink = Caller(SPEECH), RecordingSink()
    async with open_place(time_scale=1.0) as place, place.session() as call:
        events = aiter(call)
        call.attach(source, sink)
        turn = await until(events, TurnCompleted)
        assert not turn.heard_ms_estimated
        assert turn.heard_ms > 500
        assert not source.closed.is_set()
    assert sink.state is SinkState.CLOSED
    assert source.closed.is_set()
    assert sink.pcm
    assert tone("Hello there.").startswith(sink.pcm)


async def test_ends_attached_before_entering_start_with_the_session(anywhere: Place, tmp_path: Path) -> None:
    path = tmp_path / "caller.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24_000)
        file.writeframes(SPEECH)
    session = anywhere.session()
    sink = WavFile(tmp_path / "reply.wav", mode="w")
    session.attach(WavFile(path, realtime=False), sink)
    events = aiter(session)
    async with session:
        assert (await until(events, Transcript)).role == "user"
        await until(events, GenerationCompleted)
        await asyncio.sleep(0.05)
    assert any(read_wav(tmp_path / "reply.wav"))  # whole, and not silent


async def test_ends_that_never_ran_are_closed_too(anywhere: Place) -> None:
    source, sink = Caller(), NullSink()
    session = anywhere.session()
    session.attach(source, sink)
    await session.aclose()
    assert source.closed.is_set()
    assert sink.state is SinkState.CLOSED
    with pytest.raises(SessionClosed, match="attach"):
        session.attach(NullSink())


async def test_what_is_no_end_is_refused(anywhere: Place) -> None:
    with pytest.raises(ConfigError, match="a dict is neither a source nor a sink"):
        anywhere.session().attach({})  # type: ignore[arg-type]  # the mistake under test


async def test_a_loudspeaker_that_cannot_be_opened_ends_the_session_it_was_meant_for(anywhere: Place) -> None:
    class Unplugged(NullSink):
        def _open(self) -> None:
            raise AudioError("there is no loudspeaker")

    session = anywhere.session()
    events = aiter(session)
    session.attach(Unplugged())
    with pytest.raises(AudioError, match="no loudspeaker"):
        await session.__aenter__()
    assert not session.is_live
    assert isinstance((await rest(events))[-1], SessionEnded)


async def test_a_microphone_that_fails_is_an_error_and_the_call_goes_on(anywhere: Place) -> None:
    def unplug() -> None:
        raise AudioError("the microphone was pulled out")

    source = Caller(bytes(960), then=unplug)
    async with anywhere.session() as call:
        events = aiter(call)
        call.attach(source)
        assert "pulled out" in str((await until(events, SessionError)).error)
        assert source.closed.is_set()
        await call.send_text("Hi.")
        await until(events, TurnCompleted)


async def test_closing_the_session_from_inside_a_source(anywhere: Place) -> None:
    async with anywhere.session() as call:
        events = aiter(call)
        source = Caller(bytes(960), then=lambda: call.aclose())
        call.attach(source)
        assert (await until(events, SessionEnded)).error is None
    assert source.closed.is_set()


async def test_interrupting_flushes_the_loudspeaker() -> None:
    sink = RecordingSink()
    async with open_place(time_scale=1.0) as place, place.session() as call:
        call.attach(sink)
        events = aiter(call)
        generation = await call.generate_reply("long")
        await until(events, AudioOutput)
        await until(events, AudioOutput)
        call.interrupt()
        assert not sink.is_playing
        await generation.status()
        await sink.drained()
        await until(events, TurnCompleted)
        assert not sink.is_playing


async def test_the_model_hangs_up_after_its_goodbye_was_heard() -> None:
    sink = RecordingSink()
    async with open_place(time_scale=1.0) as place, place.session(tools=[end_call]) as call:
        call.attach(sink)
        events = aiter(call)
        await call.send_text("bye")
        assert (await until(events, ToolResult)).outcome == "answered"
        assert (await until(events, SessionEnded)).error is None
        assert tone("Goodbye.").startswith(sink.pcm[: len(tone("Goodbye."))])
        assert len(sink.pcm) >= len(tone("Goodbye.")) - 48 * 20
        assert not call.is_live


async def test_hanging_up_while_nothing_goes_on_ends_at_once(place: Place) -> None:
    async with place.session() as call:
        events = aiter(call)
        await call.send_text("Hi.")
        await until(events, TurnCompleted)
        call.hang_up()
        call.hang_up()
        await until(events, SessionEnded)
    with pytest.raises(SessionClosed):
        place.session().hang_up()


async def test_a_broken_loudspeaker_does_not_keep_the_call_open(anywhere: Place) -> None:
    class Breaks(NullSink):
        def _emit(self, frame: bytes, heard_samples: int) -> None:
            raise OSError("device lost")

    async with anywhere.session() as call:
        events = aiter(call)
        call.attach(Breaks())
        await call.send_text("Hi.")
        await until(events, TurnCompleted)
        await asyncio.sleep(0.03)
        call.hang_up()
        await until(events, SessionEnded)


async def test_hanging_up_in_the_middle_of_an_answer_lets_it_finish(place: Place) -> None:
    async with place.session() as call:
        events = aiter(call)
        await call.generate_reply("long")
        call.hang_up()
        assert (await until(events, GenerationCompleted)).status == "completed"
        await until(events, TurnCompleted)
        await until(events, SessionEnded)


async def test_a_source_that_ends_leaves_nothing_in_the_resampler(anywhere: Place) -> None:
    class Ends(Caller):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for _ in range(50):
                yield bytes(960)

    source = Ends()
    async with anywhere.session() as call:
        call.attach(source)
        await source.closed.wait()
        async with asyncio.timeout(2):
            while len(anywhere.uplink("audio")) < 20:  # a second in chunks of 50 ms: the last one too
                await asyncio.sleep(0.005)


async def test_a_source_that_ends_lets_its_last_words_go(anywhere: Place) -> None:
    class Ends(Caller):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield bytes(3360)  # 70 ms: one chunk and the beginning of another

    source = Ends()
    async with anywhere.session() as call:
        call.attach(source)
        async with asyncio.timeout(2):
            while not anywhere.uplink("audioStreamEnd"):
                await asyncio.sleep(0.005)
    assert len(anywhere.uplink("audio")) == 2


async def test_a_sink_that_fails_is_reported_and_the_call_goes_on(anywhere: Place) -> None:
    class Full(NullSink):
        def _emit(self, frame: bytes, heard_samples: int) -> None:
            raise OSError("no space left")

    async with anywhere.session() as call:
        errors: list[SessionError] = []
        call.on(SessionError, errors.append)
        call.attach(Full())
        await call.generate_reply("say something")
        async with asyncio.timeout(5):
            while not errors:
                await asyncio.sleep(0.01)
        assert call.is_live
    assert isinstance(errors[0].error, AudioError)

"""Every form of sound a caller may hand over, and the forms that are none."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.realtime.conftest import Place, until

from duologue import AudioOutput, TurnCompleted
from duologue.errors import ConfigError, SessionClosed

if TYPE_CHECKING:
    from duologue import RealtimeSession

SECOND = (8000 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)).astype(np.int16)


def sent(place: Place) -> bytes:
    """All sound the service was sent; its declared rate must be the wire's."""
    audio = place.uplink("audio")
    assert {blob["mimeType"] for blob in audio} <= {"audio/pcm;rate=16000"}
    return b"".join(base64.b64decode(blob["data"]) for blob in audio)


async def flushed(call: RealtimeSession) -> None:
    """Let all of it go, and wait until the service has had it."""
    events = aiter(call)
    call.commit_audio()
    await call.send_text("nothing")
    await until(events, TurnCompleted)


@pytest.mark.parametrize(
    "form",
    [
        SECOND.tobytes(),
        bytearray(SECOND.tobytes()),
        memoryview(SECOND.tobytes()),
        SECOND,
        memoryview(SECOND.data),
        SECOND.astype("<i2"),
        np.repeat(SECOND, 2)[::2],
        SECOND.reshape(-1, 1),
    ],
    ids=["bytes", "bytearray", "memoryview", "int16", "view of int16", "<i2", "strided", "column"],
)
async def test_every_form_of_pcm_arrives_sample_by_sample(anywhere: Place, form: Any) -> None:
    async with anywhere.session() as call:
        call.push_audio(form)
        await flushed(call)
    assert sent(anywhere) == SECOND.tobytes()


async def test_pieces_of_any_length_arrive_whole_and_chunked(anywhere: Place) -> None:
    pcm = SECOND.tobytes()
    async with anywhere.session() as call:
        at = 0
        for length in (2, 0, 998, 3200, 64, 7000, 20_736):
            call.push_audio(pcm[at : at + length])
            at += length
        await flushed(call)
    assert sent(anywhere) == pcm
    lengths = [len(base64.b64decode(blob["data"])) for blob in anywhere.uplink("audio")]
    assert set(lengths[:-1]) == {1600}


async def test_stereo_is_mixed_down(anywhere: Place) -> None:
    stereo = np.stack([SECOND, np.zeros_like(SECOND)], axis=1)
    async with anywhere.session() as call:
        call.push_audio(stereo, channels=2)
        call.push_audio(stereo.tobytes(), channels=2)
        await flushed(call)
    arrived = np.frombuffer(sent(anywhere), np.int16)
    assert len(arrived) == 32_000
    assert np.abs(arrived[:16_000].astype(int) - SECOND // 2).max() <= 1


@pytest.mark.parametrize("rate", [8000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
async def test_other_rates_arrive_at_16_khz(anywhere: Place, rate: int, channels: int) -> None:
    pcm = (8000 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.int16)
    frames = np.repeat(pcm, channels).reshape(-1, channels)
    async with anywhere.session() as call:
        for frame in np.array_split(frames, 50):
            call.push_audio(np.ascontiguousarray(frame), sample_rate=rate, channels=channels)
        await flushed(call)
    arrived = np.frombuffer(sent(anywhere), np.int16).astype(float)
    assert abs(len(arrived) - 16_000) <= 16
    spectrum = np.abs(np.fft.rfft(arrived[:16_000] * np.hanning(len(arrived[:16_000]))))
    assert np.argmax(spectrum) == pytest.approx(440, abs=1)
    assert np.abs(arrived[2000:14_000]).max() == pytest.approx(8000, rel=0.02)


async def test_a_change_of_rate_loses_nothing(anywhere: Place) -> None:
    async with anywhere.session() as call:
        call.push_audio(bytes(2 * 24_000), sample_rate=24_000)
        call.push_audio(bytes(2 * 16_000))
        call.push_audio(bytes(2 * 8000), sample_rate=8000)
        await flushed(call)
    assert abs(len(sent(anywhere)) // 2 - 48_000) <= 32


@pytest.mark.parametrize(
    ("pcm", "options", "words"),
    [
        (b"123", {}, "3 bytes are not whole 16-bit samples"),
        (b"12", {"channels": 2}, "2 bytes are not whole 16-bit samples of 2 channels"),
        (np.zeros(4, np.float32), {}, "signed 16-bit integers"),
        (np.zeros(4, np.float64), {}, "signed 16-bit integers"),
        (np.zeros(4, np.int32), {}, "signed 16-bit integers"),
        (np.zeros(4, np.uint16), {}, "signed 16-bit integers"),
        (np.zeros(4, ">i2"), {}, "signed 16-bit integers"),
        ([0, 1, 2], {}, "a list is no PCM"),
        ("AAAA", {}, "a str is no PCM"),
        (None, {}, "a NoneType is no PCM"),
        (b"1234", {"channels": 3}, "3 channels"),
        (b"1234", {"channels": 0}, "0 channels"),
        (b"1234", {"sample_rate": 0}, "0 Hz"),
        (b"1234", {"sample_rate": -16_000}, "-16000 Hz"),
    ],
)
async def test_what_is_no_sound_is_refused_and_says_why(
    anywhere: Place, pcm: Any, options: dict[str, int], words: str
) -> None:
    async with anywhere.session() as call:
        with pytest.raises(ConfigError, match=words):
            call.push_audio(pcm, **options)
        call.push_audio(bytes(320))
        await flushed(call)
    assert sent(anywhere) == bytes(320)


@pytest.mark.parametrize("empty", [b"", np.zeros(0, np.int16), np.zeros((0, 2), np.int16)])
async def test_no_sound_at_all_is_no_mistake(anywhere: Place, empty: Any) -> None:
    async with anywhere.session() as call:
        call.push_audio(empty)
        call.push_audio(empty, channels=2)
        await flushed(call)
    assert sent(anywhere) == b""


async def test_sound_before_entering_and_after_the_end_is_refused(anywhere: Place) -> None:
    session = anywhere.session()
    with pytest.raises(SessionClosed, match="not open yet"):
        session.push_audio(bytes(320))
    async with session:
        pass
    with pytest.raises(SessionClosed, match="has ended"):
        session.push_audio(bytes(320))
    with pytest.raises(SessionClosed, match="has ended"):
        session.push_audio(bytes(960), sample_rate=48_000)


async def test_clear_audio_drops_and_counts_what_is_not_on_the_wire(anywhere: Place) -> None:
    async with anywhere.session() as call:
        call.push_audio(bytes(2 * 16 * 30))  # 30 ms: no full chunk yet
        call.clear_audio()
        call.push_audio(SECOND)
        await flushed(call)
        assert call.counters["uplink_cleared_ms"] == 30
    assert sent(anywhere) == SECOND.tobytes()


async def test_sound_handed_over_at_once_arrives_whole_up_to_a_minute(anywhere: Place) -> None:
    async with anywhere.session() as call:
        for _ in range(62):  # without a pause for the writer
            call.push_audio(bytes(32_000))  # silent, so that no answer comes in between
        await flushed(call)
        assert call.counters["outbox_dropped_ms"] == 2000
    assert len(sent(anywhere)) == 60 * 32_000


async def test_raw_messages_reach_the_service(anywhere: Place) -> None:
    async with anywhere.session() as call:
        events = aiter(call)
        call.send_raw({"realtimeInput": {"text": "Hi."}})
        await until(events, AudioOutput)
        wrong: Any
        for wrong in ({"realtimeInput": object()}, {"a": float("nan")}, {1: 2}, [], None, "{}", b"{}"):
            with pytest.raises(ConfigError, match="send_raw: message"):
                call.send_raw(wrong)
    with pytest.raises(SessionClosed):
        call.send_raw({})

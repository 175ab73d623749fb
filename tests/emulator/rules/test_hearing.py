"""Speech heard from the sound: starts, pauses, ends, look-back, and words asked for early."""

from __future__ import annotations

import base64
import math
import re
from typing import Any

import pytest
from tests.emulator.rules.conftest import Call, Dial, EnergyDetector, silence, tone

from duologue.emulator.asks import Cancel, Transcribe
from duologue.emulator.protocols import Reply
from duologue.emulator.rules.hearing import (
    Activity,
    Hearing,
    SpeechEnded,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    Thresholds,
)
from duologue.emulator.rules.resample import Resampler
from duologue.wire.client import AutomaticActivityDetection

SPOKEN_ORDER_2_5 = r"(heard )+thought (text )+(audio |text )*audio generation_complete turn_complete\+usage"


def spoken_turn(call: Call, *, speed: float = 1.0) -> None:
    call.hear(silence(0.5) + tone(1.5) + silence(1.5), speed=speed)


def transcribed(call: Call) -> list[Transcribe]:
    return [ask for _, ask in call.asked if isinstance(ask, Transcribe)]


@pytest.mark.parametrize("speed", [0.5, 1.0, 5.0, math.inf])
def test_a_spoken_turn_in_the_recorded_order_at_any_sending_speed(dial: Dial, speed: float) -> None:
    call = dial(replies=[Reply("Hello, Marcelo.")]).set_up()
    call.clear()
    spoken_turn(call, speed=speed)
    call.run(20)
    assert re.fullmatch(SPOKEN_ORDER_2_5, " ".join(call.kinds()))
    assert call.heard() == [" Hello", ",", " my", " name", " is Marcelo."]
    assert call.said() == "Hello, Marcelo."
    assert [(entry.role, entry.text) for entry in call.prompts()[0].history] == [
        ("user", "Hello, my name is Marcelo.")
    ]
    usage = call.messages("usage")[0].usage_metadata
    assert [(d.modality, d.token_count) for d in usage.prompt_tokens_details][1] == ("AUDIO", 1)


def test_the_activity_ends_after_the_silence_the_setup_asks_for(dial: Dial) -> None:
    ends: list[float] = []
    for silence_ms in (300, 800):
        detection = {"automaticActivityDetection": {"silenceDurationMs": silence_ms}}
        call = dial().set_up(realtimeInputConfig=detection)
        call.hear(silence(0.5) + tone(1.0) + silence(2.0), chunk_ms=20)
        ends.append(call.at("heard")[0] - 1.5)
    assert ends[0] == pytest.approx(0.3, abs=0.06)
    assert ends[1] == pytest.approx(0.8, abs=0.06)


def test_the_words_are_asked_for_during_the_silence_and_used_at_its_end(dial: Dial) -> None:
    call = dial().set_up()
    call.hear(silence(0.5) + tone(1.0) + silence(2.0), chunk_ms=20)
    asked = [at for at, ask in call.asked if isinstance(ask, Transcribe)]
    assert len(asked) == 1
    assert asked[0] == pytest.approx(1.5 + 0.2, abs=0.06)
    assert call.at("heard")[0] > asked[0] + 0.5


def test_a_speculation_is_thrown_away_when_speech_goes_on(dial: Dial) -> None:
    call = dial(words=["My name is", "My name is Marcelo."]).set_up()
    call.hear(tone(1.0) + silence(0.4) + tone(1.0) + silence(1.5))
    call.run(10)
    first, second = transcribed(call)
    assert len(second.pcm) > len(first.pcm)
    assert "".join(call.heard()) == " My name is Marcelo."
    assert len(call.prompts()) == 1


def test_an_unanswered_speculation_is_cancelled(dial: Dial) -> None:
    call = dial().set_up()
    call.answers = False
    call.hear(tone(1.0) + silence(0.4) + tone(0.5))
    asks = call.rules.asks()
    assert [type(ask) for ask in asks] == [Transcribe, Cancel]
    assert asks[0].ask_id == asks[1].ask_id


def test_the_utterance_holds_what_came_before_its_first_loud_window(dial: Dial) -> None:
    call = dial().set_up()
    call.hear(silence(1.0) + tone(1.0) + silence(1.0), chunk_ms=50)
    (ask,) = transcribed(call)
    quiet_before_s = (len(ask.pcm) - len(ask.pcm.lstrip(b"\0"))) / 32_000
    assert 0.25 <= quiet_before_s <= 0.4
    assert len(ask.pcm) / 32_000 == pytest.approx(quiet_before_s + 1.0 + 0.2, abs=0.08)


def test_a_click_is_no_speech(dial: Dial) -> None:
    call = dial().set_up("3.8")
    call.clear()
    call.hear(silence(16 * 512 / 16_000) + tone(0.03) + silence(2.0))
    assert call.kinds() == []


def test_prefix_padding_asks_for_more_speech_before_a_start(dial: Dial) -> None:
    detection = {"automaticActivityDetection": {"prefixPaddingMs": 500}}
    call = dial().set_up("3.8", realtimeInputConfig=detection)
    call.clear()
    call.hear(tone(0.4) + silence(1.5))
    assert call.kinds() == []
    call.hear(tone(0.8) + silence(0.2))
    assert call.kinds() == ["voice_activity"]


def test_nothing_said_gets_no_reply(dial: Dial) -> None:
    call = dial(words=["  "]).set_up()
    call.clear()
    spoken_turn(call)
    call.run(10)
    assert call.kinds() == []
    assert call.prompts() == []


def test_failing_ears_end_the_turn_without_a_reply(dial: Dial) -> None:
    call = dial(words=[None, "Now you hear me."]).set_up()
    call.clear()
    spoken_turn(call)
    assert call.kinds() == ["turn_complete+usage"]
    spoken_turn(call)
    assert "".join(call.heard()) == " Now you hear me."


def test_voice_activity_and_one_sentence_on_3_8(dial: Dial) -> None:
    call = dial(replies=[Reply("Hello!")]).set_up("3.8")
    call.clear()
    spoken_turn(call)
    call.run(10)
    start, end = (message.voice_activity for message in call.messages("voice_activity"))
    assert (start.type, end.type) == ("ACTIVITY_START", "ACTIVITY_END")
    assert float(start.audio_offset[:-1]) == pytest.approx(0.5, abs=0.04)
    assert float(end.audio_offset[:-1]) == pytest.approx(2.0, abs=0.04)
    assert call.heard() == ["Hello, my name is Marcelo."]
    assert call.kinds().index("heard") > call.kinds().index("voice_activity")


def test_transcription_only_if_asked_for(dial: Dial) -> None:
    call = dial().set_up(words=False)
    spoken_turn(call)
    call.run(10)
    assert call.heard() == []
    assert call.sound_s() > 0


def test_a_caller_who_stops_sending_is_still_answered(dial: Dial) -> None:
    call = dial().set_up()
    call.hear(tone(1.0))
    stopped_at = call.now
    call.run(10)
    assert call.at("heard")[0] == pytest.approx(stopped_at + 1.8, abs=0.15)
    assert call.said() == "All right."


def test_audio_stream_end_ends_the_activity_at_once(dial: Dial) -> None:
    call = dial().set_up()
    call.hear(tone(1.0))
    call.send({"realtimeInput": {"audioStreamEnd": True}})
    assert call.at("heard")[0] == call.now
    call.run(10)
    call.hear(tone(1.0))
    call.send({"realtimeInput": {"audioStreamEnd": True}})
    assert len(call.prompts()) == 2


def test_manual_activity(dial: Dial) -> None:
    call = dial().set_up(realtimeInputConfig={"automaticActivityDetection": {"disabled": True}})
    call.hear(tone(1.0))
    assert not call.asked
    call.send({"realtimeInput": {"activityStart": {}}})
    call.hear(tone(1.0) + silence(2.0))
    assert not call.asked
    call.send({"realtimeInput": {"activityEnd": {}}})
    (ask,) = transcribed(call)
    assert len(ask.pcm) == 3 * 32_000
    call.run(10)
    assert call.said() == "All right."
    call.run(100)
    assert call.closed is None


@pytest.mark.parametrize("sample_rate", [8_000, 24_000, 44_100, 48_000])
def test_any_declared_rate_is_heard(dial: Dial, sample_rate: int) -> None:
    call = dial().set_up()
    call.hear(
        silence(0.5, sample_rate) + tone(1.0, sample_rate) + silence(1.5, sample_rate),
        sample_rate=sample_rate,
    )
    (ask,) = transcribed(call)
    loud = [
        at
        for at in range(0, len(ask.pcm), 2)
        if abs(int.from_bytes(ask.pcm[at : at + 2], "little", signed=True)) > 3000
    ]
    assert (loud[-1] - loud[0]) / 32_000 == pytest.approx(1.0, abs=0.02)


def test_google_genai_frames_and_a_rate_left_out(dial: Dial) -> None:
    call = dial().set_up()
    for at in range(0, 2 * 32_000, 3_200):
        pcm = (tone(1.0) + silence(1.0))[at : at + 3_200]
        data = base64.urlsafe_b64encode(pcm).decode()
        call.send(f'{{"realtime_input": {{"audio": {{"data": "{data}", "mime_type": "audio/pcm"}}}}}}')
    assert "".join(call.heard()) == " Hello, my name is Marcelo."


def test_two_utterances_are_told_in_the_order_they_were_said(dial: Dial) -> None:
    from duologue.emulator.asks import Transcribed

    call = dial().set_up()
    call.answers = False
    spoken_turn(call)
    spoken_turn(call)
    first, second = call.rules.asks()
    call.rules.told(Transcribed(second.ask_id, "Two."), call.now)
    call.rules.told(Transcribed(first.ask_id, "One."), call.now)
    call.answers = True
    call.settle()
    assert "".join(call.heard()) == " One. Two."
    assert [entry.text for entry in call.prompts()[0].history] == ["One.", "Two."]


def test_a_resampler_keeps_length_and_pitch_over_any_cut() -> None:
    for sample_rate in (8_000, 22_050, 48_000):
        pcm = tone(1.0, sample_rate)
        whole = Resampler(sample_rate).feed(pcm)
        pieces = Resampler(sample_rate)
        cut = b"".join(pieces.feed(pcm[at : at + 334]) for at in range(0, len(pcm), 334))
        assert len(whole) == pytest.approx(32_000, abs=8)
        assert len(cut) == pytest.approx(len(whole), abs=4)
        reference = tone(1.0)
        worst = max(
            abs(
                int.from_bytes(cut[at : at + 2], "little", signed=True)
                - int.from_bytes(reference[at : at + 2], "little", signed=True)
            )
            for at in range(0, 31_000, 2)
        )
        assert worst < 600  # half a step of phase at most, of an amplitude of 8000


@pytest.mark.parametrize(
    ("detection", "expected"),
    [
        (None, Thresholds(0.5, 0.35, 20, 800)),
        (
            AutomaticActivityDetection(
                start_of_speech_sensitivity="START_SENSITIVITY_LOW",
                end_of_speech_sensitivity="END_SENSITIVITY_LOW",
            ),
            Thresholds(0.8, 0.15, 20, 800),
        ),
        (AutomaticActivityDetection(prefix_padding_ms=0, silence_duration_ms=0), Thresholds(0.5, 0.35, 0, 0)),
    ],
)
def test_thresholds(detection: AutomaticActivityDetection | None, expected: Thresholds) -> None:
    assert Thresholds.from_setup(detection) == expected


class ScriptedDetector:
    """Says what the window's first sample says, in hundredths."""

    window_samples = 160

    def __call__(self, window: bytes) -> float:
        return int.from_bytes(window[:2], "little") / 100


def windows(*percent: int) -> bytes:
    return b"".join(one.to_bytes(2, "little") * 160 for one in percent)


def test_the_machine_on_probabilities() -> None:
    hearing = Hearing(ScriptedDetector, Thresholds(silence_ms=300))
    happened: list[Any] = hearing.hear(windows(*[0] * 50, 60, 40, 40))
    assert [type(one) for one in happened] == [SpeechStarted]  # 40 % does not start but does go on
    assert happened[0].at_samples == 50 * 160
    assert hearing.activity is Activity.SPEAKING
    paused = hearing.hear(windows(*[20] * 25))
    assert [type(one) for one in paused] == [SpeechPaused]
    assert hearing.hear(windows(40)) == []  # not enough to turn silence into voice
    assert [type(one) for one in hearing.hear(windows(60))] == [SpeechResumed]
    ended = hearing.hear(windows(*[0] * 31))
    assert [type(one) for one in ended] == [SpeechPaused, SpeechEnded]
    assert isinstance(ended[0], SpeechPaused)
    assert isinstance(ended[1], SpeechEnded)
    assert ended[1].pcm == ended[0].pcm
    assert not hearing.is_open


def test_an_endless_activity_keeps_a_bounded_amount_of_sound() -> None:
    hearing = Hearing(ScriptedDetector, Thresholds())
    minute = windows(*[100] * 6_000)
    for _ in range(3):
        hearing.hear(minute)
    (ended,) = hearing.finish()
    assert isinstance(ended, SpeechEnded)
    assert len(ended.pcm) == 120 * 32_000


def test_detector_is_called_once_a_window() -> None:
    class Counting(EnergyDetector):
        calls = 0

        def __call__(self, window: bytes) -> float:
            assert len(window) == 1024
            self.calls += 1
            return 0.0

    detector = Counting()
    hearing = Hearing(lambda: detector, Thresholds())
    for _ in range(100):
        hearing.hear(bytes(334))
    assert detector.calls == 100 * 334 // 1024

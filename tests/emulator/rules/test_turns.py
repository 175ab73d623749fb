"""Whole turns: order, pacing, usage, and what a failing part leads to."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from tests.emulator.rules.conftest import Dial, EnergyDetector, kinds_of

from duologue.emulator.protocols import Call as FunctionCall
from duologue.emulator.protocols import Reply
from duologue.emulator.rules import ServerRules, Service
from duologue.wire.codec import ServerDecoder

ORDER_2_5 = r"(heard )*(thought )?(text )+(audio |text )*audio generation_complete turn_complete\+usage"
TAPES = Path(__file__).resolve().parents[4] / "shared" / "tapes"


def test_a_text_turn_of_2_5_comes_in_the_recorded_order(dial: Dial) -> None:
    call = dial(replies=[Reply("Hello there. How can I help you today, dear caller?")]).set_up()
    call.clear()
    call.say("Say a short greeting.")
    call.run(30)
    assert re.fullmatch(ORDER_2_5, " ".join(call.kinds()))
    assert call.kinds().count("thought") == 1
    assert call.said() == "Hello there. How can I help you today, dear caller?"


def test_one_kind_a_message_and_no_role_on_2_5(dial: Dial) -> None:
    call = dial(replies=[Reply("One, two, three, four, five, six.")]).set_up()
    call.say("Count.")
    call.run(30)
    assert all("+" not in kind or kind == "turn_complete+usage" for kind in call.kinds())
    turns = [m.server_content.model_turn for m in call.messages("audio")]
    assert {turn.role for turn in turns} == {None}


def test_3_8_opens_empty_mixes_kinds_and_names_the_role(dial: Dial) -> None:
    call = dial(
        replies=[Reply("It is foggy and twelve degrees in London this fine morning, I hear.")]
    ).set_up("3.8")
    assert call.kinds() == ["setup_complete", "handle", "empty"]
    call.clear()
    call.say("What is the weather?")
    call.run(30)
    order = r"opening text\+audio (text\+audio |audio )+generation_complete turn_complete\+usage handle empty"
    assert re.fullmatch(order, " ".join(call.kinds()))
    assert {m.server_content.model_turn.role for m in call.messages("audio")} == {"model"}
    assert call.said().startswith("It is foggy")


def test_words_run_ahead_of_their_sound_and_only_if_asked_for(dial: Dial) -> None:
    call = dial(replies=[Reply("This is quite a long sentence without any stop in it at all.")]).set_up()
    call.say("Go.")
    call.run(30)
    kinds = [kind for kind in call.kinds() if kind in ("text", "audio")]
    assert kinds[:2] == ["text", "text"]
    assert "audio" in kinds[:6]
    assert kinds.index("audio") < len(kinds) - 1 - kinds[::-1].index("text") < len(kinds) - 1

    quiet = dial().set_up(words=False)
    quiet.say("Go.")
    quiet.run(30)
    assert "text" not in quiet.kinds()
    assert "audio" in quiet.kinds()


def test_sound_is_sent_faster_than_it_plays_and_turn_complete_waits_for_its_end(dial: Dial) -> None:
    call = dial(replies=[Reply("A sentence that takes a good while to be spoken aloud.")]).set_up()
    call.say("Go.")
    call.run(30)
    sound_s = call.sound_s()
    first, last = call.at("audio")[0], call.at("audio")[-1]
    assert last - first == pytest.approx(sound_s / 3, abs=0.1)
    assert call.at("generation_complete") == [last]
    assert call.at("turn_complete")[0] == pytest.approx(first + sound_s, abs=0.001)


def test_playback_can_be_immediate(dial: Dial) -> None:
    call = dial(shared=Service(playback="immediate")).set_up()
    call.say("Go.")
    call.run(30)
    assert call.at("turn_complete") == call.at("generation_complete")


def test_time_scale_and_audio_speed_shorten_the_turn(dial: Dial) -> None:
    call = dial(shared=Service(time_scale=10, audio_speed=2)).set_up()
    call.say("Go.")
    call.run(5)
    first, sound_s = call.at("audio")[0], call.sound_s()
    assert call.at("turn_complete")[0] == pytest.approx(first + sound_s / 10, abs=0.001)
    assert call.at("audio")[-1] - first < sound_s / 20


@pytest.mark.parametrize(("model", "sizes"), [("2.5-native", (20, 121)), ("3.8", (100, 301))])
def test_message_lengths(dial: Dial, model: str, sizes: tuple[int, int]) -> None:
    call = dial(replies=[Reply("Some words to be cut into messages of sound, one after another.")]).set_up(
        model
    )
    call.say("Go.")
    call.run(30)
    lengths = [
        len(part.inline_data.data) * 3 // 4 / 48
        for message in call.messages("audio")
        for part in message.server_content.model_turn.parts
    ]
    assert all(sizes[0] <= length <= sizes[1] for length in lengths)
    assert len(set(lengths)) > 1


def test_the_next_clause_is_asked_for_while_the_first_is_sent(dial: Dial) -> None:
    call = dial(replies=[Reply("First comes this one. Then comes that one. And a third.")]).set_up()
    call.say("Go.")
    spoken = [ask.text for _, ask in call.asked if hasattr(ask, "text")]
    assert spoken == ["First comes this one.", "Then comes that one."]
    call.run(30)
    assert [ask.text for _, ask in call.asked if hasattr(ask, "text")][2:] == ["And a third."]


def test_usage_of_the_recorded_text_turn(dial: Dial) -> None:
    call = dial(replies=[Reply("Hello there.", thought="x" * 96)])
    call.voice = lambda text: bytes(48_000 * 26 // 25)
    call.set_up(systemInstruction={"parts": [{"text": "Answer in two or three words."}]})
    call.say("Say a short greeting.")
    call.run(30)
    usage = call.messages("usage")[0].usage_metadata
    assert (usage.prompt_token_count, usage.response_token_count, usage.total_token_count) == (1131, 26, 1157)
    assert usage.thoughts_token_count == 24
    assert [(d.modality, d.token_count) for d in usage.prompt_tokens_details] == [("TEXT", 1131)]
    assert [(d.modality, d.token_count) for d in usage.response_tokens_details] == [("AUDIO", 26)]


def test_prompt_count_of_the_recorded_history_turn(dial: Dial) -> None:
    call = dial().set_up(
        "models/gemini-2.5-flash-native-audio-latest",
        systemInstruction={"parts": [{"text": "Answer in one short sentence."}]},
    )
    turns = [
        {"role": "user", "parts": [{"text": "My name is Alice and my favorite color is teal."}]},
        {"role": "model", "parts": [{"text": "Nice to meet you, Alice!"}]},
    ]
    call.send({"clientContent": {"turns": turns, "turnComplete": False}})
    call.say("What is my name and favorite color?")
    call.run(30)
    assert call.messages("usage")[0].usage_metadata.prompt_token_count == 417


def test_the_prompt_grows_and_a_silent_turn_has_no_response_count(dial: Dial) -> None:
    call = dial(replies=[Reply("Fine."), Reply("")]).set_up()
    call.say("How are you?")
    call.run(10)
    call.say("And now?")
    call.run(10)
    first, second = (message.usage_metadata for message in call.messages("usage"))
    assert second.prompt_token_count > first.prompt_token_count
    assert second.response_token_count is None
    assert second.response_tokens_details is None


def test_thoughts_follow_profile_and_setup(dial: Dial) -> None:
    off = dial().set_up(generationConfig={"thinkingConfig": {"thinkingBudget": 0}})
    off.say("Go.")
    off.run(10)
    plain = dial(replies=[Reply("Yes.", thought="Hm.")]).set_up("3.8")
    plain.say("Go.")
    plain.run(10)
    asked = dial(replies=[Reply("Yes.", thought="Hm.")])
    asked.set_up(generationConfig={"thinkingConfig": {"includeThoughts": True}})
    asked.say("Go.")
    asked.run(10)
    assert [call.kinds().count("thought") for call in (off, plain, asked)] == [0, 0, 1]


def test_max_output_tokens_cuts_the_sound(dial: Dial) -> None:
    call = dial(replies=[Reply("A very long answer. " * 10)]).set_up(generationConfig={"maxOutputTokens": 50})
    call.say("Go.")
    call.run(30)
    assert call.sound_s() == pytest.approx(2.0)
    assert call.kinds()[-1] == "turn_complete+usage"


def test_a_failing_brain_skips_the_reply_and_the_call_goes_on(dial: Dial) -> None:
    call = dial(replies=[None, Reply("Better.")]).set_up()
    call.clear()
    call.say("Go.")
    assert call.kinds() == ["turn_complete+usage"]
    call.say("Again.")
    call.run(10)
    assert call.said() == "Better."


def test_a_reply_no_json_can_hold_is_skipped(dial: Dial) -> None:
    call = dial(replies=[Reply(calls=(FunctionCall("f", {"x": "\ud800"}),))]).set_up()
    call.say("Go.")
    assert call.kinds()[-1] == "turn_complete+usage"
    assert call.closed is None


def test_a_failing_voice_ends_the_link(dial: Dial) -> None:
    call = dial()
    call.voice = lambda text: None
    call.set_up()
    call.say("Go.")
    assert call.closed is not None
    assert (call.closed.code, call.closed.reason) == (1011, "Internal error encountered.")


def test_a_part_that_never_answers_counts_as_failed(dial: Dial) -> None:
    call = dial().set_up()
    call.clear()
    call.answers = False
    call.say("Go.")
    call.rules.asks()
    call.run(59)
    assert call.kinds() == []
    call.run(2)
    assert call.kinds() == ["turn_complete+usage"]
    assert [type(ask).__name__ for ask in call.rules.asks()] == ["Cancel"]


def test_an_unanswering_voice_without_sound_still_shows_the_words(dial: Dial) -> None:
    call = dial(replies=[Reply("Nothing to hear.")])
    call.voice = lambda text: b""
    call.set_up()
    call.say("Go.")
    call.run(5)
    assert call.said() == "Nothing to hear."
    assert call.kinds()[-1] == "turn_complete+usage"


def test_the_same_input_gives_the_same_frames(dial: Dial) -> None:
    def run() -> list[str]:
        call = dial(shared=Service(id_prefix="x"), replies=[Reply("Hello there, you.")])
        call.set_up("3.8", sessionResumption={})
        call.say("Go.")
        call.run(20)
        return [repr(frame) for frame in call.frames]

    assert run() == run()


def test_the_application_greets_through_a_model_turn_and_a_dot(dial: Dial) -> None:
    call = dial(replies=[Reply("Welcome!")]).set_up()
    turns = [
        {"role": "model", "parts": [{"text": "Greet the caller."}]},
        {"role": "user", "parts": [{"text": "."}]},
    ]
    call.send({"clientContent": {"turns": turns, "turnComplete": True}})
    call.run(10)
    (prompt,) = call.prompts()
    assert [(entry.role, entry.text) for entry in prompt.history] == [("instruction", "Greet the caller.")]


def test_seeded_history_keeps_its_roles(dial: Dial) -> None:
    call = dial().set_up(systemInstruction={"parts": [{"text": "Be brief."}, {"text": "Be kind."}]})
    turns = [
        {"role": "user", "parts": [{"text": "I am Alice."}]},
        {"role": "model", "parts": [{"text": "Hi Alice!"}]},
    ]
    call.send({"clientContent": {"turns": turns, "turnComplete": False}})
    assert call.prompts() == []
    call.say("What is my name?")
    (prompt,) = call.prompts()
    assert prompt.instructions == "Be brief.\nBe kind."
    assert [(entry.role, entry.text) for entry in prompt.history] == [
        ("user", "I am Alice."),
        ("model", "Hi Alice!"),
        ("user", "What is my name?"),
    ]


def test_announced_history_is_not_answered(dial: Dial) -> None:
    call = dial().set_up("3.8", historyConfig={"initialHistoryInClientContent": True})
    turns = [
        {"role": "user", "parts": [{"text": "I am Alice."}]},
        {"role": "model", "parts": [{"text": "Hi!"}]},
    ]
    call.send({"clientContent": {"turns": turns, "turnComplete": True}})
    assert call.prompts() == []
    call.send({"realtimeInput": {"text": "Who am I?"}})
    (prompt,) = call.prompts()
    assert [entry.role for entry in prompt.history] == ["user", "model", "user"]


def test_context_update_replaces_instruction_and_tools(dial: Dial) -> None:
    call = dial().set_up("3.8", systemInstruction={"parts": [{"text": "Old."}]})
    update = {
        "systemInstruction": {"parts": [{"text": "New."}]},
        "tools": {"tools": [{"functionDeclarations": [{"name": "f"}]}]},
    }
    call.send({"contextUpdate": update})
    call.send({"realtimeInput": {"text": "Go."}})
    (prompt,) = call.prompts()
    assert prompt.instructions == "New."
    assert [tool.name for tool in prompt.tools] == ["f"]

    refused = dial().set_up()
    refused.send({"contextUpdate": update})
    assert refused.closed is not None
    assert refused.closed.code == 1007


def test_the_recorded_turns_fit_the_order_asserted_here() -> None:
    yaml = pytest.importorskip("yaml")
    if not TAPES.exists():
        missing = "the recorded conversations are not beside the repository (../shared/tapes)"
        assert os.environ.get("CI") != "true", missing
        pytest.skip(missing)
    for name in ("text-turn", "spoken-turn", "history"):
        tape = yaml.safe_load((TAPES / f"native-audio-2.5-{name}.yaml").read_text())
        frames = [one["data"] for one in tape["interactions"] if one["direction"] == "received"]
        kinds = [kinds_of(ServerDecoder().decode(json.dumps(frame))[0]) for frame in frames]
        assert kinds[0] == "setup_complete"
        assert re.fullmatch(ORDER_2_5, " ".join(kinds[1:])), name


def test_next_deadline_is_none_only_without_a_link() -> None:
    rules = ServerRules(Service(), make_detector=EnergyDetector)
    assert rules.next_deadline() is None
    rules.link_opened(5.0)
    assert rules.next_deadline() == 605.0
    rules.link_lost(6.0)
    assert rules.next_deadline() is None

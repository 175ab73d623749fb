"""Recorded traffic of the real service, fed to the decoder and the core: an evidence we did not write.

The recordings stand beside the repository and are not part of it (MIT, Pydantic Services Inc.).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.core.invariants import Watched

from duologue.config import ChatMessage, SessionOptions
from duologue.core.link import Link
from duologue.core.session import Session, SessionPlan
from duologue.core.usage import token_usage
from duologue.events import (
    AudioOutput,
    GenerationCompleted,
    GenerationCreated,
    Interrupted,
    SessionReady,
    Thought,
    TokenUsage,
    ToolCall,
    Transcript,
    TurnCompleted,
)
from duologue.wire.blob import decode_base64
from duologue.wire.codec import ClientDecoder, ServerDecoder, encode
from duologue.wire.profiles import profile_for

if TYPE_CHECKING:
    from duologue.wire.client import ClientMessage

FOLDER = Path(__file__).parents[2].parent / "shared" / "tapes"
TAPES = sorted(FOLDER.glob("*.yaml"))


def test_the_recordings_are_there() -> None:
    if not TAPES and os.environ.get("CI") != "true":
        pytest.skip("no recordings in ../shared/tapes")
    assert len(TAPES) >= 6


@cache
def interactions(tape: Path) -> list[tuple[str, dict[str, Any]]]:
    import yaml

    document = yaml.load(tape.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return [
        (entry["direction"], entry["data"])
        for entry in document["interactions"]
        if entry["kind"] == "message"
    ]


class Replay:
    """One recording, played through the decoders and a session with a clock of its own."""

    def __init__(self, tape: Path) -> None:
        self.server, self.client = ServerDecoder(), ClientDecoder()
        self.sent = [data for direction, data in interactions(tape) if direction == "sent"]
        self.received = [data for direction, data in interactions(tape) if direction == "received"]
        setup = self.sent[0]["setup"]
        plan = SessionPlan(session_id="tape", setup=setup, profile=profile_for(setup["model"]))
        self.watched = Watched(plan)
        self.answers: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.now = 0.0
        self.watched.do("connect", self.now)
        for direction, data in interactions(tape):
            self.now += 0.05
            frame = json.dumps(data).encode()
            if direction == "received":
                for message in self.server.decode(frame):
                    self.watched.do("receive", message, self.now)
            else:
                for sent in self.client.decode(frame):
                    self.send(sent, data)
            self.watched.deadline_is_right(self.now)
        self.events = list(self.watched.all_events)
        self.watched.do("close", self.now)

    def send(self, message: ClientMessage, data: dict[str, Any]) -> None:
        """Give the command that the recorded client must have given."""
        if message.setup is not None:
            self.watched.do("link_opened", self.now)
        elif message.client_content is not None:
            content = message.client_content
            turns = [
                ChatMessage(
                    "model" if turn.role == "model" else "user",
                    "".join(part.text or "" for part in turn.parts or ()),
                )
                for turn in content.turns or ()
            ]
            self.watched.do("send_content", turns, self.now, turn_complete=bool(content.turn_complete))
        elif message.realtime_input is not None and message.realtime_input.audio is not None:
            pcm = decode_base64(message.realtime_input.audio.data)
            self.watched.push(len(pcm) // 2, 16_000, self.now)  # as much, but in samples the judge can follow
        elif message.tool_response is not None:
            for response in message.tool_response.function_responses or ():
                assert response.id is not None
                self.watched.do("tool_result", response.id, response.response or {}, self.now)
                [frame] = self.watched.last_frames
                self.answers.append((json.loads(frame.data), data))

    def of(self, *kinds: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]


@cache
def replay(tape: Path) -> Replay:
    return Replay(tape)


every_tape = pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.stem)


@every_tape
def test_no_field_is_unknown(tape: Path) -> None:
    played = replay(tape)
    assert played.server.unknown == {}
    assert played.client.unknown == {}


@every_tape
def test_frames_survive_our_structs(tape: Path) -> None:
    for direction, data in interactions(tape):
        decoder = ServerDecoder() if direction == "received" else ClientDecoder()
        [message] = decoder.decode(json.dumps(data))
        assert decoder.decode(encode(message)) == [message]
        if direction == "received":
            assert json.loads(encode(message)) == data


@every_tape
def test_the_session_lives_through_it(tape: Path) -> None:
    played = replay(tape)
    assert isinstance(played.events[0], SessionReady)
    assert played.watched.session.link is Link.CLOSED
    assert played.of(Interrupted) == []
    assert played.watched.session.counters.get("undecodable_audio_parts", 0) == 0


@every_tape
def test_generations_end_once_and_as_they_should(tape: Path) -> None:
    played = replay(tape)
    created = [event.id for event in played.of(GenerationCreated)]
    completed = {event.id: event for event in played.of(GenerationCompleted)}
    assert list(completed) == created
    assert created
    with_calls = {event.generation_id for event in played.of(ToolCall)}
    for name, event in completed.items():
        assert event.status == ("tool_calls" if name in with_calls else "completed")


@every_tape
def test_sound_arrives_whole(tape: Path) -> None:
    played = replay(tape)
    recorded = b"".join(
        decode_base64(part["inlineData"]["data"])
        for data in played.received
        for part in data.get("serverContent", {}).get("modelTurn", {}).get("parts", ())
        if "inlineData" in part
    )
    assert b"".join(event.pcm for event in played.of(AudioOutput)) == recorded
    total_ms = sum(event.audio_ms for event in played.of(GenerationCompleted))
    assert total_ms == pytest.approx(len(recorded) / 48, abs=2)


@every_tape
def test_transcripts_are_the_concatenation_of_the_fragments(tape: Path) -> None:
    played = replay(tape)
    for role, key in (("user", "inputTranscription"), ("model", "outputTranscription")):
        fragments = [data.get("serverContent", {}).get(key, {}).get("text", "") for data in played.received]
        shown = [event.delta for event in played.of(Transcript) if event.role == role]
        assert "".join(shown) == "".join(fragments)
        finals = [event.text for event in played.of(Transcript) if event.role == role and event.final]
        assert "".join(finals).replace(" ", "") == "".join(fragments).replace(" ", "")
    spoken = {event.item_id: event.text for event in played.of(Transcript) if event.final}
    remembered = {message.id: message.text for message in played.watched.session.chat_ctx.messages}
    assert spoken.items() <= remembered.items()


@every_tape
def test_recorded_speech_leaves_in_the_recorded_frames(tape: Path) -> None:
    spoken = [data["realtime_input"]["audio"] for data in replay(tape).sent if "realtime_input" in data]
    options = SessionOptions(chunk_ms=100)
    plan = SessionPlan(session_id="s", setup={}, profile=profile_for("gemini-3.8-live"), options=options)
    session = Session(plan)
    session.connect(0.0)
    session.link_opened(0.0)
    [ready] = ServerDecoder().decode('{"setupComplete":{}}')
    session.receive(ready, 0.0)
    session.to_send()
    for recorded in spoken:
        session.push_audio(decode_base64(recorded["data"]), 16_000, 0.0)
    session.commit_audio(0.0)
    *sound, _ = [json.loads(frame.data)["realtimeInput"] for frame in session.to_send()]
    assert [(frame["audio"]["mimeType"], decode_base64(frame["audio"]["data"])) for frame in sound] == [
        (recorded["mimeType"], decode_base64(recorded["data"])) for recorded in spoken
    ]


@every_tape
def test_thoughts_are_apart(tape: Path) -> None:
    played = replay(tape)
    thoughts = [
        part["text"]
        for data in played.received
        for part in data.get("serverContent", {}).get("modelTurn", {}).get("parts", ())
        if part.get("thought")
    ]
    assert [event.text for event in played.of(Thought)] == thoughts
    assert not any(
        thought in message.text
        for thought in thoughts
        for message in played.watched.session.chat_ctx.messages
    )


@every_tape
def test_usage_adds_up_turn_by_turn(tape: Path) -> None:
    played = replay(tape)
    recorded = [data["usageMetadata"] for data in played.received if "usageMetadata" in data]
    by_turn = [event.usage for event in played.of(TurnCompleted)]
    assert len(recorded) == len(by_turn)
    for wire, usage in zip(recorded, by_turn, strict=True):
        assert usage is not None
        assert usage.input_tokens == wire["promptTokenCount"]
        assert usage.output_tokens == wire.get("responseTokenCount", wire.get("candidatesTokenCount", 0))
        assert usage.total_tokens == wire["totalTokenCount"]
        assert usage.thought_tokens == wire.get("thoughtsTokenCount", 0)
    total = Counter[str]()
    for wire in recorded:
        total.update(input=wire["promptTokenCount"], all=wire["totalTokenCount"])
    summed: TokenUsage = played.watched.session.usage
    assert (summed.input_tokens, summed.total_tokens) == (total["input"], total["all"])


@every_tape
def test_calls_come_out_and_answers_are_what_was_sent(tape: Path) -> None:
    played = replay(tape)
    asked = [call for data in played.received for call in data.get("toolCall", {}).get("functionCalls", ())]
    assert [(call.call_id, call.name, dict(call.arguments)) for call in played.of(ToolCall)] == [
        (call["id"], call["name"], call["args"]) for call in asked
    ]
    assert len(played.answers) == len(asked)
    for ours, recorded in played.answers:
        theirs = recorded.get("tool_response") or recorded["toolResponse"]
        assert ours == {"toolResponse": theirs}


def test_usage_of_a_turn_without_sound() -> None:
    """Recorded on 3.1: no responseTokenCount, and an entry without a count."""
    [message] = ServerDecoder().decode(
        '{"usageMetadata":{"promptTokenCount":5,"totalTokenCount":5,"responseTokensDetails":[{"modality":"AUDIO"}]}}'
    )
    assert message.usage_metadata is not None
    assert token_usage(message.usage_metadata).output_by_modality == {"audio": 0}

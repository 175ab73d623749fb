"""Recorded traffic of the real service through the decoder and the core, with every promise watched.

Without sockets or tasks: what a link says is fed to a session with a clock of its own. What comes out of it
over a real socket is judged in ``test_tapes``.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.core.invariants import Watched
from tests.tapes.conftest import remark
from tests.tapes.purposes import STREAM_END, History, Mark, Result, Sound, Text, purposes_of
from tests.tapes.tape import Received, camel

from duologue.config import ChatMessage
from duologue.core.link import Link as Stage
from duologue.core.session import SessionPlan
from duologue.core.usage import token_usage
from duologue.errors import DuologueError, LinkLost
from duologue.events import GenerationCompleted, GenerationCreated, SessionReady, ToolCall
from duologue.wire.codec import ClientDecoder, ServerDecoder, encode
from duologue.wire.profiles import profile_for

if TYPE_CHECKING:
    from tests.tapes.purposes import Purpose
    from tests.tapes.tape import Link


class Replay:
    """One link, played through the decoder and a session that the judge of the promises watches."""

    def __init__(self, link: Link) -> None:
        vertex = "publishers/" in link.setup["model"]
        detection = link.setup.get("realtimeInputConfig", {}).get("automaticActivityDetection", {})
        [opening] = ClientDecoder().decode(json.dumps({"setup": link.setup}))
        assert opening.setup is not None
        plan = SessionPlan(
            session_id="tape",
            setup=json.loads(encode(opening.setup)),  # what we know of it
            profile=profile_for(link.setup["model"], "vertex" if vertex else "developer"),
            manual_activity=bool(detection.get("disabled")),
        )
        self.watched = Watched(plan)
        self.now = 0.0
        decoder = ServerDecoder()
        self.do("connect")
        self.do("link_opened")
        for entry in link.entries[1:]:
            self.now += 0.05
            if isinstance(entry, Received):
                for message in decoder.decode(entry.frame):
                    self.do("receive", message)
            else:
                for purpose in purposes_of(entry.message):
                    with contextlib.suppress(DuologueError):  # what a profile refuses is judged elsewhere
                        self.say(purpose)
            self.watched.deadline_is_right(self.now)
        self.events = list(self.watched.all_events)
        if link.close is not None:
            self.do("link_lost", LinkLost("recorded", code=link.close.code, reason=link.close.reason))
        self.do("close")

    def do(self, name: str, *arguments: Any, **keywords: Any) -> None:
        self.watched.do(name, *arguments, self.now, **keywords)

    def say(self, purpose: Purpose) -> None:
        """Give the command that the recorded client must have given."""
        match purpose:
            case Text(text):
                self.do("send_text", text)
            case History(turns, complete):
                messages = [ChatMessage("model" if r == "model" else "user", text) for r, text in turns]
                self.do("send_content", messages, turn_complete=complete)
            case Result(call, response, final):
                self.do("tool_result", call, json.loads(response), will_continue=not final)
            case Sound(pcm, rate_hz):  # as much, but in samples the judge can follow
                self.watched.push(len(pcm) // 2, rate_hz, self.now)
            case Mark("activityStart"):
                self.watched.start_activity(self.now)
            case Mark(kind):
                assert kind in ("activityEnd", STREAM_END)
                self.watched.commit(self.now)
            case _:
                pass

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.mark.off_contract("the setup is the recorded client's")
def test_every_promise_is_kept_through_it(link: Link) -> None:
    played = Replay(link)
    played.watched.replays()
    assert len(played.of(SessionReady)) == link.is_set_up
    assert played.watched.session.link is Stage.CLOSED


@pytest.mark.off_contract("the setup is the recorded client's")
def test_generations_end_once_and_as_they_should(link: Link) -> None:
    events = Replay(link).watched.all_events
    created = [event.id for event in events if isinstance(event, GenerationCreated)]
    completed = {event.id: event for event in events if isinstance(event, GenerationCompleted)}
    assert list(completed) == created
    with_calls = {event.generation_id for event in events if isinstance(event, ToolCall)}
    statuses = {event.status for name, event in completed.items() if name not in with_calls}
    assert "tool_calls" not in statuses


def test_frames_survive_our_structs(link: Link) -> None:
    """Decoded and written again they are the same, wherever a frame holds nothing we do not know."""
    for entry in link.entries:
        theirs = isinstance(entry, Received)
        decoder: Any = ServerDecoder() if theirs else ClientDecoder()
        frame = entry.frame if isinstance(entry, Received) else json.dumps(entry.message).encode()
        messages = decoder.decode(frame)
        for message in messages:
            assert decoder.decode(encode(message)) == [message]
        for path in decoder.unknown:
            remark(link, f"unknown field {path}")
        if not decoder.unknown and len(messages) == 1:
            assert _texts(camel(json.loads(encode(messages[0])))) == _texts(camel(json.loads(frame)))


def _texts(value: Any) -> Any:
    """Return JSON with every leaf as text: a number may be written either way."""
    if isinstance(value, dict):
        return {name: _texts(child) for name, child in value.items()}
    return [_texts(item) for item in value] if isinstance(value, list) else str(value)


def test_usage_of_a_turn_without_sound() -> None:
    """Recorded on 3.1: no responseTokenCount, and an entry without a count."""
    [message] = ServerDecoder().decode(
        '{"usageMetadata":{"promptTokenCount":5,"totalTokenCount":5,"responseTokensDetails":[{"modality":"AUDIO"}]}}'
    )
    assert message.usage_metadata is not None
    assert token_usage(message.usage_metadata).output_by_modality == {"audio": 0}

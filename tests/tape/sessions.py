"""Recorded sessions without a network: a core under a recorder, driven by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pybase64

from duologue.config import SessionOptions
from duologue.core.journal import make_session
from duologue.core.session import Session, SessionPlan
from duologue.tape import TapeRecorder
from duologue.tape.reader import Tape
from duologue.tape.replay import StrictResult, replay_strictly
from duologue.wire.profiles import PROFILES

if TYPE_CHECKING:
    from pathlib import Path

    from duologue.config import Recorder

TOOL = {"functionDeclarations": [{"name": "look_up", "description": "d", "behavior": "BLOCKING"}]}


def plan(profile: str = "3.8", *, handle: str | None = None, **options: Any) -> SessionPlan:
    setup: dict[str, Any] = {"model": f"models/{PROFILES[profile].default_model}", "tools": [TOOL]}
    if handle is not None:
        setup["sessionResumption"] = {"handle": handle}
    return SessionPlan(
        session_id="s", setup=setup, profile=PROFILES[profile], options=SessionOptions(**options)
    )


def content(**fields: Any) -> dict[str, Any]:
    return {"serverContent": fields}


def sound(pcm: bytes) -> dict[str, Any]:
    data = pybase64.b64encode_as_string(pcm)
    return content(modelTurn={"parts": [{"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": data}}]})


def handle(value: str) -> dict[str, Any]:
    return {"sessionResumptionUpdate": {"newHandle": value, "resumable": True}}


def call(call_id: str, **arguments: Any) -> dict[str, Any]:
    return {"toolCall": {"functionCalls": [{"id": call_id, "name": "look_up", "args": arguments}]}}


class Recorded:
    """A core under a recorder; its clock stands where it is put."""

    def __init__(
        self, recorder: Recorder, given: SessionPlan | None = None, secrets: tuple[str, ...] = ()
    ) -> None:
        self.recorder = recorder
        self.core: Session = make_session(given or plan(), recorder, secrets)
        self.now = 100.0
        self.events: list[Any] = []
        self.frames: list[bytes] = []

    def do(self, name: str, *arguments: Any, **keywords: Any) -> None:
        """Give an input that takes the time, and drain."""
        self.now += 0.01
        getattr(self.core, name)(*arguments, now=self.now, **keywords)
        self.drain()

    def drain(self) -> None:
        self.frames += [frame.data for frame in self.core.to_send()]
        self.events += self.core.events()

    def begin(self) -> None:
        self.do("connect")
        self.do("link_opened")
        self.say({"setupComplete": {}})

    def say(self, *messages: dict[str, Any], indent: int | None = None) -> None:
        """Let the service say something."""
        for message in messages:
            self.do("receive_frame", json.dumps(message, indent=indent).encode())

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


async def talk(path: Path, *, pcm: bytes = bytes(range(256)) * 40) -> Recorded:
    """Record a short conversation with a bit of everything."""
    session = Recorded(TapeRecorder(path))
    session.begin()
    for at in range(0, len(pcm), 700):
        session.do("push_audio", pcm[at : at + 700], 16_000)
    session.do("commit_audio")
    session.say(
        content(inputTranscription={"text": " Hello"}),
        sound(pcm),
        content(outputTranscription={"text": "Hi."}),
    )
    session.say(call("c1", city="Bath"), indent=2)
    session.do("push_audio", pcm, 16_000)
    session.do("tool_result", "c1", {"output": "fog"}, scheduling=None)
    session.say(handle("a-handle-of-the-service"), sound(pcm[:480]))
    session.core.report_playhead("s-gen-1", 40)
    session.do("interrupt")
    session.say(content(interrupted=True), content(turnComplete=True), {"goAway": {"timeLeft": "5s"}})
    session.do("generate_reply", "Say goodbye.", 5.0)
    session.do("handle_timeout")
    session.core.report_error(ValueError("a tool failed"))
    session.drain()
    session.do("close")
    await session.recorder.aclose()
    return session


def strict(path: Path) -> StrictResult:
    with Tape(path) as tape:
        return replay_strictly(tape)


def journal(path: Path) -> list[dict[str, Any]]:
    """The lines of a tape as they stand in the file."""
    return [json.loads(line) for line in path.read_text().splitlines()]

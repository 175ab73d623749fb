"""Plays the recorded client's part with a session of ours: each thing at its place in the recording."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from tests.tapes.options import choice_of, setup_differences, unchecked
from tests.tapes.purposes import History, Mark, Other, Result, Sound, Text, purposes_of
from tests.tapes.server import TapeServer
from tests.tapes.tape import Received
from tests.tapes.uplink import CHUNK_MS, Speech

from duologue import RealtimeModel, SessionOptions
from duologue.audio import NullSink
from duologue.config import ChatMessage, LiveConfig
from duologue.errors import ConfigError, ConnectError, DuologueError
from duologue.events import Event, RawMessage, SessionEnded, ToolCall

if TYPE_CHECKING:
    from tests.tapes.options import Choice
    from tests.tapes.purposes import Purpose
    from tests.tapes.tape import Link

    from duologue import RealtimeSession

__all__ = ["Heard", "play"]

_PATIENCE_S = 15.0


@dataclass
class Heard:
    """What came of playing one link of a recording to a session."""

    events: list[Any] = field(default_factory=list[Any])
    uplink: list[str] = field(default_factory=list[str])
    """What the server missed, or got otherwise than it was recorded."""
    unknown_fields: int = 0
    notes: list[str] = field(default_factory=list[str])


async def play(
    link: Link, library: str = "auto", *, server_link: Link | None = None, patience_s: float = 10.0
) -> Heard:
    """Play a link to an ordinary session over a real socket; return what it told and what it sent.

    Args:
        link: What the client is to say, and when.
        library: Which WebSocket library it uses.
        server_link: What the server plays and waits for, if that is to be something else.
        patience_s: How long the server waits.
    """
    choice = choice_of(link)
    heard = Heard()
    server = TapeServer(server_link or link, manual=choice.manual, patience_s=patience_s)
    async with server.serving():
        session, choice = _session(link, choice, server.url, library)
        heard.notes += choice.notes
        caller = _Caller(session, link, choice, heard)
        caller.frames_due = sum(isinstance(e, Received) for e in (server_link or link).entries)
        session.attach(NullSink())  # a sink must bear whatever is recorded
        try:
            async with session:
                await caller.speak()
                await asyncio.wait_for(server.played.wait(), _PATIENCE_S)
                await caller.has_heard(caller.frames_due)
                if link.close is not None:
                    await caller.has_ended()
        except ConnectError as error:
            if link.close is None or link.is_set_up:
                heard.uplink.append(f"ConnectError: {error}")
        except DuologueError as error:
            heard.uplink.append(f"{type(error).__name__}: {error}")
        heard.unknown_fields = session.counters.get("unknown_fields", 0)
    heard.uplink += server.missing or [
        *setup_differences((server_link or link).setup, server.setup),
        *server.differences(exact=not caller.speech.padded),
    ]
    return heard


def _session(link: Link, choice: Choice, url: str, library: str) -> tuple[RealtimeSession, Choice]:
    how: dict[str, Any] = {
        "chunk_ms": CHUNK_MS,
        "raw_messages": True,
        "mic_while_blocking": "send",  # the recorded clients hold nothing back
        "websocket_library": library,
        "close_timeout_s": 0.5,
    }
    try:
        model = _model(choice, url, how)
    except ConfigError as refusal:
        choice = unchecked(choice, link)
        choice.notes.append(str(refusal))
        model = _model(choice, url, how)
    return model.session(resume=choice.handle, turn_detection_disabled=choice.manual), choice


def _model(choice: Choice, url: str, how: dict[str, Any]) -> RealtimeModel:
    return RealtimeModel(
        **choice.backend,
        instructions=choice.instructions,
        base_url=url,
        config=LiveConfig(**choice.live),
        options=SessionOptions(**how),
    )


class _Caller:
    """Gives our session the commands that the recorded client must have given its own."""

    def __init__(self, session: RealtimeSession, link: Link, choice: Choice, heard: Heard) -> None:
        self.link = link
        self.frames_due = 0
        self._session = session
        self._heard = heard
        self._frames_heard = 0
        self._ended = False
        self._news = asyncio.Event()
        self._manual = choice.manual
        self._answered: set[str] = set()
        purposes = [purpose for message in link.sent for purpose in purposes_of(message)]
        self.speech = Speech(
            purposes,
            lambda pcm, rate_hz: session.push_audio(pcm, sample_rate=rate_hz),
            None if choice.manual else session.commit_audio,
        )
        for kind in get_args(Event):
            session.on(kind, self._take)

    def _take(self, event: Any) -> None:
        self._frames_heard += isinstance(event, RawMessage)
        self._ended |= isinstance(event, SessionEnded)
        if not isinstance(event, RawMessage):
            self._heard.events.append(event)
        self._news.set()

    async def has_heard(self, frames: int) -> None:
        """Wait until so many of the service's frames have been read, or the session is over."""
        async with asyncio.timeout(_PATIENCE_S):
            while self._frames_heard < frames and not self._ended:
                self._news.clear()
                await self._news.wait()

    async def has_ended(self) -> None:
        """Wait for the end that the recording has."""
        async with asyncio.timeout(_PATIENCE_S):
            while not self._ended:
                self._news.clear()
                await self._news.wait()

    async def speak(self) -> None:
        """Say everything the recorded client said after its setup."""
        frames = 0
        for entry in self.link.entries[1:]:
            if isinstance(entry, Received):
                self.speech.let_go()
                frames += 1
                continue
            await self.has_heard(frames)
            if self._ended:
                return
            for purpose in purposes_of(entry.message):
                await self._say(purpose, entry.message)
        self.speech.let_go()

    async def _say(self, purpose: Purpose, message: dict[str, Any]) -> None:
        session = self._session
        try:
            match purpose:
                case Text(text):
                    await session.send_text(text)
                case History(turns, complete):
                    messages = [ChatMessage("model" if r == "model" else "user", text) for r, text in turns]
                    await session.send_content(messages, turn_complete=complete)
                case Result():
                    await self._answer(purpose, message)
                case Sound():
                    await self.speech.say_next()
                case Mark(kind):
                    self._mark(kind)
                case Other():
                    session.send_raw(json.loads(purpose.message))  # for these there is no command
        except ConfigError as refusal:  # a profile of ours has no such thing: the way out is there for that
            self._heard.notes.append(f"sent raw, refused as {type(purpose).__name__}: {refusal}")
            session.send_raw(message)

    async def _answer(self, result: Result, message: dict[str, Any]) -> None:
        given = next(
            one
            for one in message["toolResponse"]["functionResponses"]
            if (one.get("id") or one.get("name") or "") == result.call
        )
        await self._session.send_tool_result(
            self._call_id(result.call),
            given.get("response") or {},
            scheduling=given.get("scheduling"),
            will_continue=not result.final,
        )
        if result.final:
            self._answered.add(self._call_id(result.call))

    def _call_id(self, call: str) -> str:
        """Return our id of a call; by its name, the oldest that is open, where the service gave none."""
        asked = [event for event in self._heard.events if isinstance(event, ToolCall)]
        if any(event.call_id == call for event in asked):
            return call
        named = [e.call_id for e in asked if e.name == call and e.call_id not in self._answered]
        return named[0] if named else call

    def _mark(self, kind: str) -> None:
        stood_in = self.speech.mark()
        if kind == "activityStart":
            self._session.start_user_activity()
        elif kind == "activityEnd":
            self._session.end_user_activity()
        elif not stood_in:
            self._session.commit_audio()

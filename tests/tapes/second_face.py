"""The same for the transport contract: plays the recorded client's part with ``GeminiLiveTransport``."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.tapes.options import choice_of, unchecked
from tests.tapes.purposes import History, Mark, Other, Result, Sound, Text, purposes_of
from tests.tapes.server import TapeServer
from tests.tapes.tape import Received
from tests.tapes.uplink import CHUNK_MS, Speech

from duologue.config import LiveConfig, SessionOptions
from duologue.errors import ConfigError, DuologueError
from duologue.io.ws import WebSocketTransport
from duologue.transport import GeminiLiveTransport, GeminiTransportConfig
from duologue.transport.base import CALLBACKS
from duologue.transport.setup import SpeechConfig
from duologue.transport.values import ContentTurn, ToolCallRequest, ToolCallResult

if TYPE_CHECKING:
    from tests.tapes.expected import Conversation
    from tests.tapes.options import Choice
    from tests.tapes.purposes import Purpose
    from tests.tapes.tape import Link

    from duologue.io.transport import TransportLink
    from duologue.wire.endpoint import Endpoint

__all__ = ["Told", "lacks", "play_to_transport", "told_otherwise"]

_PATIENCE_S = 15.0


def lacks(link: Link) -> str | None:
    """Return what of a recording this contract has no command for; None when it has all."""
    if choice_of(link).manual:
        return "marks of the user's activity"
    for purpose in (purpose for message in link.sent for purpose in purposes_of(message)):
        if isinstance(purpose, Other):
            return purpose.message
        if isinstance(purpose, Sound) and purpose.rate_hz != 16_000:
            return f"sound of {purpose.rate_hz} Hz"
        if isinstance(purpose, Result) and not purpose.final:
            return "results that go on"
    return None if link.is_set_up else "a connection that is refused"


@dataclass
class Told:
    """Everything the transport called back with, in order, and what the server missed."""

    calls: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    uplink: list[str] = field(default_factory=list[str])

    def of(self, name: str) -> list[Any]:
        return [call[1:] for call in self.calls if call[0] == name]


class _Counting:
    """Real links that count the frames which have been read and worked off."""

    def __init__(self) -> None:
        self.frames = -1
        self.news = asyncio.Event()
        self._real = WebSocketTransport()

    async def connect(self, endpoint: Endpoint, options: SessionOptions) -> TransportLink:
        link = await self._real.connect(endpoint, options)
        receive = link.receive

        async def counted() -> bytes | str:
            self.frames += 1  # asking for another one, the reader is done with those before
            self.news.set()
            return await receive()

        link.receive = counted  # type: ignore[method-assign]
        return link


async def play_to_transport(link: Link) -> Told:
    """Play a link to a transport over a real socket; return what it called back with."""
    told = Told()
    server = TapeServer(link, manual=False)
    counting = _Counting()
    async with server.serving():
        transport = _transport(link, server.url, counting)
        for name in CALLBACKS:
            setattr(transport, name, functools.partial(_note, told, counting, name))
        speaker = _Speaker(transport, link, told, counting)
        try:
            await transport.connect()
            await speaker.speak()
            await asyncio.wait_for(server.played.wait(), _PATIENCE_S)
            await speaker.has_heard(sum(isinstance(entry, Received) for entry in link.entries))
        except DuologueError as error:
            told.uplink.append(f"{type(error).__name__}: {error}")
        finally:
            await transport.disconnect()
    told.uplink += server.missing or server.differences(exact=True)
    return told


def _note(told: Told, counting: _Counting, name: str, *arguments: Any) -> None:
    told.calls.append((name.removeprefix("on_"), *arguments))
    counting.news.set()


def _transport(link: Link, url: str, counting: _Counting) -> GeminiLiveTransport:
    choice = choice_of(link)
    try:
        return GeminiLiveTransport(_config(choice, url), transport=counting)
    except ConfigError:
        return GeminiLiveTransport(_config(unchecked(choice, link), url), transport=counting)


def _config(choice: Choice, url: str) -> GeminiTransportConfig:
    live = dict(choice.live)
    modalities = live.pop("response_modalities", None) or ["AUDIO"]
    return GeminiTransportConfig(
        **choice.backend,
        system_instruction=choice.instructions,
        resumption_handle=choice.handle,
        speech_config=SpeechConfig(),
        input_audio_transcription=live["input_audio_transcription"] is not None,
        output_audio_transcription=live["output_audio_transcription"] is not None,
        response_modality="text" if modalities == ["TEXT"] else "audio",
        base_url=url,
        live=LiveConfig(**live),
        options=SessionOptions(chunk_ms=CHUNK_MS, mic_while_blocking="send", close_timeout_s=0.5),
    )


class _Speaker:
    def __init__(self, transport: GeminiLiveTransport, link: Link, told: Told, counting: _Counting) -> None:
        self._transport = transport
        self._link = link
        self._told = told
        self._counting = counting
        self._answered: set[str] = set()
        purposes = [purpose for message in link.sent for purpose in purposes_of(message)]
        self._speech = Speech(purposes, lambda pcm, _: transport.send_audio(pcm), transport.commit_audio)

    async def has_heard(self, frames: int) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            while self._counting.frames < frames and not self._told.of("close"):
                self._counting.news.clear()
                await self._counting.news.wait()

    async def speak(self) -> None:
        frames = 0
        for entry in self._link.entries[1:]:
            if isinstance(entry, Received):
                self._speech.let_go()
                frames += 1
                continue
            await self.has_heard(frames)
            if not self._transport.is_connected:
                return
            for purpose in purposes_of(entry.message):
                await self._say(purpose, entry.message)
        self._speech.let_go()

    async def _say(self, purpose: Purpose, message: dict[str, Any]) -> None:
        transport = self._transport
        match purpose:
            case Text(text):
                transport.send_content([ContentTurn("user", text)])
            case History(turns, complete):
                said = [ContentTurn("assistant" if role == "model" else "user", text) for role, text in turns]
                transport.send_content(said, turn_complete=complete)
            case Result(call):
                asked = self._asked(call)
                given = next(
                    one
                    for one in message["toolResponse"]["functionResponses"]
                    if (one.get("id") or one.get("name")) == call
                )
                transport.send_tool_result(ToolCallResult(asked.id, asked.name, given.get("response") or {}))
                self._answered.add(asked.id)
            case Sound():
                await self._speech.say_next()
            case Mark():
                if not self._speech.mark():
                    transport.commit_audio()
            case _:
                raise AssertionError(f"no command for {purpose}")

    def _asked(self, call: str) -> ToolCallRequest:
        asked: list[ToolCallRequest] = [one for (batch,) in self._told.of("tool_call") for one in batch]
        by_id = [one for one in asked if one.id == call]
        by_name = [one for one in asked if one.name == call and one.id not in self._answered]
        return (by_id or by_name)[0]


def told_otherwise(expected: Conversation, told: Told) -> list[str]:
    """Return what the callbacks told otherwise than it was recorded, turn by turn."""
    turns: list[list[tuple[Any, ...]]] = [[]]
    for call in told.calls:
        turns[-1].append(call)
        if call[0] == "turn_complete":
            turns.append([])
    found: list[str] = []
    ends = len(told.of("turn_complete"))
    if ends != len(expected.completed):
        found.append(f"{ends} on_turn_complete for {len(expected.completed)} turnComplete")
    for theirs, ours in zip(expected.turns, turns, strict=False):
        sound = b"".join(call[1] for call in ours if call[0] == "audio_output")
        if sound not in theirs.sounds():
            found.append(f"{len(sound)} bytes of sound are not the recorded {sum(map(len, theirs.sound))}")
        written = "".join(theirs.texts)  # in audio mode told as output transcription, in text mode alone
        for names, right in (
            (("input_transcription",), {theirs.user}),
            (("output_transcription", "text_output"), {theirs.model + written, written or theirs.model}),
        ):
            got = "".join(call[1] for call in ours if call[0] in names)
            if got not in right:
                found.append(f"{names[0]} {right} told as {got!r}")
        calls = [
            (one.id, one.name, dict(one.args)) for call in ours if call[0] == "tool_call" for one in call[1]
        ]
        if [(i or calls[n][0], *rest) for n, (i, *rest) in enumerate(theirs.calls)] != calls:
            found.append(f"calls {theirs.calls} told as {calls}")
    least, most = expected.interruptions
    if not least <= len(told.of("interrupted")) <= most:
        found.append(f"{len(told.of('interrupted'))} on_interrupted for {least} to {most} marks")
    handles = [(handle, resumable) for handle, resumable in expected.handles if handle]
    if told.of("resumption_update") != handles:
        found.append(f"handles {handles} told as {told.of('resumption_update')}")
    return found

"""A driver that answers the rules' asks from scripts and moves time by hand."""

from __future__ import annotations

import array
import base64
import json
import math
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import pytest

from duologue.emulator.asks import (
    Ask,
    Cancel,
    Close,
    Failed,
    Speak,
    Spoken,
    Think,
    Thought,
    Transcribe,
    Transcribed,
)
from duologue.emulator.protocols import Prompt, Reply
from duologue.emulator.rules import ServerRules, Service
from duologue.wire.codec import ServerDecoder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from duologue.wire.server import ServerMessage

MODELS = {
    "2.5-native": "models/gemini-2.5-flash-native-audio-preview-09-2025",
    "3.8": "models/gemini-3.8-live",
}
SPEECH_BYTES_PER_CHAR = 24_000 * 2 * 60 // 1000
"""The scripted voice speaks 60 ms a character."""


class EnergyDetector:
    """Speech is what is loud."""

    window_samples = 512

    def __call__(self, window: bytes) -> float:
        samples = array.array("h", window)
        if sys.byteorder == "big":
            samples.byteswap()
        return 1.0 if sum(map(abs, samples)) / len(samples) > 500 else 0.0


def tone(seconds: float, sample_rate: int = 16_000, amplitude: int = 8000) -> bytes:
    count = round(seconds * sample_rate)
    return array.array(
        "h", (round(amplitude * math.sin(2 * math.pi * 220 * at / sample_rate)) for at in range(count))
    ).tobytes()


def silence(seconds: float, sample_rate: int = 16_000) -> bytes:
    return bytes(round(seconds * sample_rate) * 2)


def kinds_of(message: ServerMessage) -> str:
    """Name what a message holds, e.g. "thought", "text+audio", "turn_complete+usage"."""
    names: list[str] = []
    content = message.server_content
    if content is not None:
        if content.input_transcription is not None:
            names.append("heard")
        if content.output_transcription is not None:
            names.append("text")
        for part in content.model_turn.parts or [] if content.model_turn else []:
            names.append("thought" if part.thought else "audio" if part.inline_data else "other")
        names += [
            name for name in ("generation_complete", "turn_complete", "interrupted") if getattr(content, name)
        ]
        if not names:
            names.append("opening")
    names += [
        name
        for name in ("setup_complete", "tool_call", "tool_call_cancellation", "go_away", "voice_activity")
        if getattr(message, name) is not None
    ]
    update = message.session_resumption_update
    if update is not None:
        names.append("handle" if update.resumable else "no_handle")
    if message.usage_metadata is not None:
        names.append("usage")
    return "+".join(names) or "empty"


@dataclass
class Call:
    """One link under test. ``replies`` answers thinks in order; ``words`` answers transcriptions."""

    rules: ServerRules
    replies: list[Reply | None] = field(default_factory=list)
    words: list[str | None] = field(default_factory=list)
    now: float = 0.0
    answers: bool = True
    frames: list[tuple[float, ServerMessage]] = field(default_factory=list)
    asked: list[tuple[float, Ask]] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    voice: Callable[[str], bytes | None] = lambda text: b"\x01\x00" * (len(text) * SPEECH_BYTES_PER_CHAR // 2)

    def open(self, *, api_version: str = "v1beta") -> Call:
        self.rules.link_opened(self.now, api_version=api_version)
        return self

    def send(self, message: Mapping[str, Any] | str | bytes) -> None:
        self.rules.receive(message if isinstance(message, str | bytes) else json.dumps(message), self.now)
        self.settle()

    def set_up(self, model: str = "2.5-native", **setup: Any) -> Call:
        full: dict[str, Any] = {"model": MODELS.get(model, model)}
        if setup.pop("words", True):
            full |= {"inputAudioTranscription": {}, "outputAudioTranscription": {}}
        self.send({"setup": full | setup})
        return self

    def say(self, text: str) -> None:
        content = {"turns": [{"role": "user", "parts": [{"text": text}]}], "turnComplete": True}
        self.send({"clientContent": content})

    def hear(self, pcm: bytes, *, chunk_ms: int = 100, speed: float = 1.0, sample_rate: int = 16_000) -> None:
        """Send sound in chunks at ``speed`` times real time; inf sends all of it now."""
        size = sample_rate * chunk_ms // 1000 * 2
        for at in range(0, len(pcm), size):
            blob = {
                "mimeType": f"audio/pcm;rate={sample_rate}",
                "data": base64.b64encode(pcm[at : at + size]).decode(),
            }
            self.send({"realtimeInput": {"audio": blob}})
            self.run_until(self.now + chunk_ms / 1000 / speed)

    def run_until(self, at: float) -> None:
        while (due := self.rules.next_deadline()) is not None and due <= at:
            self.now = max(self.now, due)
            self.rules.handle_timeout(self.now)
            self.settle()
        self.now = at

    def run(self, seconds: float) -> None:
        self.run_until(self.now + seconds)

    def settle(self) -> None:
        """Take what is to be sent, and answer what is asked, until nothing is."""
        self._collect()
        while self.answers and (asks := self.rules.asks()):
            for ask in asks:
                self.asked.append((self.now, ask))
                self.answer(ask)
                self._collect()

    def answer(self, ask: Ask) -> None:
        told: Any = None
        if isinstance(ask, Think):
            reply = self.replies.pop(0) if self.replies else Reply("All right.")
            told = Thought(ask.ask_id, reply) if reply is not None else Failed(ask.ask_id, "no brain")
        elif isinstance(ask, Speak):
            pcm = self.voice(ask.text)
            told = Spoken(ask.ask_id, pcm) if pcm is not None else Failed(ask.ask_id, "no voice")
        elif isinstance(ask, Transcribe):
            words = self.words.pop(0) if self.words else "Hello, my name is Marcelo."
            told = Transcribed(ask.ask_id, words) if words is not None else Failed(ask.ask_id, "no ears")
        if told is not None and self.answers:
            self.rules.told(told, self.now)

    def _collect(self) -> None:
        for frame in self.rules.to_send():
            decoder = ServerDecoder()
            (message,) = decoder.decode(frame)
            assert not decoder.unknown, frame
            assert msgspec.json.decode(frame) is not None
            self.frames.append((self.now, message))

    @property
    def closed(self) -> Close | None:
        return self.rules.close()

    def kinds(self) -> list[str]:
        return [kinds_of(message) for _, message in self.frames]

    def clear(self) -> None:
        self.frames.clear()
        self.asked.clear()

    def at(self, kind: str) -> list[float]:
        return [at for at, message in self.frames if kind in kinds_of(message).split("+")]

    def messages(self, kind: str) -> list[Any]:  # many optional fields; a wrong guess fails the test anyway
        return [message for _, message in self.frames if kind in kinds_of(message).split("+")]

    def said(self) -> str:
        texts = [
            message.server_content.output_transcription
            for message in self.messages("text")
            if message.server_content
        ]
        return "".join(piece.text or "" for piece in texts if piece)

    def heard(self) -> list[str]:
        texts = [
            message.server_content.input_transcription
            for message in self.messages("heard")
            if message.server_content
        ]
        return [piece.text or "" for piece in texts if piece]

    def sound_s(self) -> float:
        total = 0
        for message in self.messages("audio"):
            assert message.server_content
            assert message.server_content.model_turn
            for part in message.server_content.model_turn.parts or []:
                if part.inline_data:
                    assert part.inline_data.mime_type == "audio/pcm;rate=24000"
                    total += len(base64.b64decode(part.inline_data.data))
        return total / 48_000

    def handles(self) -> list[str]:
        updates = [message.session_resumption_update for message in self.messages("handle")]
        return [update.new_handle for update in updates if update and update.new_handle]

    def prompts(self) -> list[Prompt]:
        return [ask.prompt for _, ask in self.asked if isinstance(ask, Think)]

    def cancelled(self) -> list[int]:
        return [ask.ask_id for _, ask in self.asked if isinstance(ask, Cancel)]

    def call_ids(self) -> list[str]:
        calls = [message.tool_call for message in self.messages("tool_call")]
        return [one.id or "" for call in calls if call for one in call.function_calls or []]

    def respond(self, *ids: str, output: Any = "done", **more: Any) -> None:
        responses = [{"id": one, "name": "f", "response": {"output": output}, **more} for one in ids]
        self.send({"toolResponse": {"functionResponses": responses}})


class Dial(Protocol):
    """Opens links: what the fixture ``dial`` is."""

    def __call__(
        self,
        *,
        replies: Sequence[Reply | None] = (),
        words: Sequence[str | None] = (),
        profile: str | None = None,
        now: float = 0.0,
        api_version: str = "v1beta",
        shared: Service | None = None,
    ) -> Call: ...


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def dial(service: Service) -> Dial:
    def open_link(
        *,
        replies: Sequence[Reply | None] = (),
        words: Sequence[str | None] = (),
        profile: str | None = None,
        now: float = 0.0,
        api_version: str = "v1beta",
        shared: Service | None = None,
    ) -> Call:
        rules = ServerRules(shared or service, make_detector=EnergyDetector, profile=profile)
        return Call(rules, list(replies), list(words), now).open(api_version=api_version)

    return open_link

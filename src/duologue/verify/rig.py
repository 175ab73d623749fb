"""What a probe is given: links to one side, the messages of one profile, and how long to wait.

The messages are written out here by hand, not built by ``wire.setup``: a probe must not share a mistake
with what it checks.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from duologue.verify import marks
from duologue.verify.probe import EndedError, Observed, UnsettledError
from duologue.verify.sides import altered
from duologue.verify.speech import CHUNK_MS, SAMPLE_RATE, chunks, silence
from duologue.verify.wire import Wire
from duologue.wire.close import classify
from duologue.wire.codec import encode_audio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from duologue.verify.sides import Credentials, Pace, Side
    from duologue.verify.tape import Tapes
    from duologue.verify.wire import Seen
    from duologue.wire.profiles import ModelProfile
    from duologue.wire.server import UsageMetadata

__all__ = ["WEATHER", "Rig", "content", "how_it_ended", "text_input", "weather_tool"]

WEATHER = "What is the weather in London?"
"""What makes a model call :func:`weather_tool`."""


def weather_tool(behavior: str | None = None, *, key: str = "parameters") -> dict[str, Any]:
    """Return the declaration of ``get_weather(city)`` as an entry of ``tools``.

    Args:
        behavior: As on the wire; None declares none.
        key: ``parametersJsonSchema`` writes JSON Schema, with a parameter's name nobody would guess.
    """
    google = key == "parameters"
    name = "city" if google else "town_of_interest"
    words = [word if google else word.lower() for word in ("OBJECT", "STRING")]
    function: dict[str, Any] = {
        "name": "get_weather",
        "description": "Current weather for a city.",
        key: {"type": words[0], "properties": {name: {"type": words[1]}}, "required": [name]},
    }
    return {"functionDeclarations": [{**function, "behavior": behavior} if behavior else function]}


def content(text: str = "", *, complete: bool = True) -> dict[str, Any]:
    """Return a ``clientContent`` with a user's turn, or with none."""
    turns = {"turns": [{"role": "user", "parts": [{"text": text}]}]} if text else {}
    return {"clientContent": {**turns, "turnComplete": complete}}


def text_input(text: str) -> dict[str, Any]:
    """Return a ``realtimeInput`` of text."""
    return {"realtimeInput": {"text": text}}


def how_it_ended(seen: Seen, met: str, *worded: tuple[int, str, str]) -> Observed:
    """Return what a watch came to.

    Args:
        seen: The watch.
        met: The word when its mark was met.
        worded: Closes that are known by more than their code: code, a part of the reason, the word.

    Raises:
        EndedError: The account has used up its quota, which is no answer to anything.
    """
    if seen.end == "met":
        return Observed(met)
    if seen.end == "silent":
        return Observed("silent", "nothing came")
    detail = f"closed with {seen.code} {seen.reason}".rstrip()
    for code, part, word in worded:
        if code == seen.code and part.lower() in seen.reason.lower():
            return Observed(word, detail)
    if classify(seen.code, seen.reason).kind == "quota":  # says something about the account alone
        raise EndedError(seen.code, seen.reason)
    return Observed(f"closed_{seen.code}", detail)


class Rig:
    """Links to one side for one profile.

    Args:
        side: Whom to talk to.
        row: The profile.
        name: Of what is run, for its tapes.
        tapes: Where every frame is written down; None writes nothing.
    """

    def __init__(self, side: Side, row: ModelProfile, *, name: str, tapes: Tapes | None = None) -> None:
        self.row = row
        self.model = side.model(row)
        self.pace: Pace = side.pace
        self.usage: list[UsageMetadata] = []
        self.unknown_fields: dict[str, int] = {}
        self._side = side
        self._name = name
        self._tapes = tapes

    def setup(self, **fields: Any) -> dict[str, Any]:
        """Return the shortest setup there is, and ``fields`` (in the wire's spelling) over it."""
        modality = {"responseModalities": ["AUDIO"]}
        return {
            "setup": {
                "model": self.model,
                "generationConfig": modality,
                "outputAudioTranscription": {},
                **fields,
            }
        }

    @asynccontextmanager
    async def bare(
        self, *, credentials: Credentials = "right", api_version: str | None = None, hurried: bool = False
    ) -> AsyncGenerator[Wire]:
        """Open a link and send nothing.

        Raises:
            ConnectError: It could not be opened; ``code`` is the HTTP status, if it came to that.
        """
        endpoint = await self._side.endpoint(self.row, hurried=hurried)
        link = await self._side.connect(altered(endpoint, credentials=credentials, api_version=api_version))
        secrets = tuple(endpoint.headers.values())
        setup = self.setup()["setup"]
        tape = self._tapes.link(self._name, self.row, setup, secrets) if self._tapes is not None else None
        wire = Wire(link, tape.add if tape is not None else None)
        try:
            yield wire
        finally:
            await wire.close()
            if tape is not None:
                tape.close(wire.ended)
            self.usage += wire.usage
            for path, times in wire.unknown_fields.items():
                self.unknown_fields[path] = self.unknown_fields.get(path, 0) + times

    @asynccontextmanager
    async def session(self, *, hurried: bool = False, **fields: Any) -> AsyncGenerator[Wire]:
        """Open a link and have a setup accepted on it.

        Raises:
            EndedError: It was refused.
            UnsettledError: There was no answer.
        """
        async with self.bare(hurried=hurried) as wire:
            await wire.send(self.setup(**fields))
            seen = (await wire.watch(marks.set_up, self.pace.patience_s)).expect()
            if seen.end != "met":
                raise UnsettledError("no_setup", "the setup was not answered")
            yield wire

    async def refusal(self, setup: Mapping[str, Any], *worded: tuple[int, str, str]) -> Observed:
        """Send a setup and return ``accepted``, or how it was refused; see :func:`how_it_ended`."""
        async with self.bare() as wire:
            await wire.send(setup)
            return how_it_ended(await wire.watch(marks.set_up, self.pace.patience_s), "accepted", *worded)

    async def say(self, wire: Wire, text: str) -> None:
        """Send a user's turn as text, the way the profile takes it."""
        by_content = self.row.text_turn == "client_content"
        await wire.send(content(text) if by_content else text_input(text))

    async def answer(self, wire: Wire, text: str) -> Seen:
        """Say something and return all that came until the turn was over.

        Raises:
            EndedError: The link was closed.
            UnsettledError: The turn did not end.
        """
        await self.say(wire, text)
        seen = (await wire.watch(marks.turn_over, self.pace.patience_s)).expect()
        if seen.end != "met":
            raise UnsettledError("no_answer", f"no turn was completed after {text!r}")
        return seen

    async def begin_story(self, wire: Wire) -> None:
        """Have the model begin an answer that goes on for long, and return at its first sound."""
        await self.say(wire, "Tell me a long story.")
        seen = (await wire.watch(marks.has_sound, self.pace.patience_s)).expect()
        if seen.end != "met":
            raise UnsettledError("no_answer", "the model did not begin to speak")

    async def ask_for_a_call(self, wire: Wire, text: str = WEATHER) -> Seen:
        """Ask what takes a function, and return at the call.

        Raises:
            EndedError: The link was closed.
            UnsettledError: The model did not call.
        """
        await self.say(wire, text)
        asked = marks.any_of(lambda message: bool(marks.calls_of(message)), marks.turn_over)
        seen = (await wire.watch(asked, self.pace.patience_s)).expect()
        if not seen.calls:
            raise UnsettledError("no_call", f"the model did not call the function after {text!r}")
        return seen

    async def speak(self, wire: Wire, *, tail_s: float = 1.5) -> None:
        """Say the spoken line, and ``tail_s`` of silence behind it."""
        sound = await self._side.speech() + silence(tail_s)
        for chunk in chunks(sound):
            await wire.send(encode_audio(chunk, SAMPLE_RATE))
            await wire.wait(CHUNK_MS / 1000 / self.pace.speed)

    async def handle(self, wire: Wire) -> str:
        """Return the newest handle to resume from, after waiting for a newer one.

        Raises:
            EndedError: The link was closed.
            UnsettledError: None came.
        """
        within_s = self.pace.patience_s if wire.handle is None else self.pace.quiet_s
        (await wire.watch(marks.resumable, within_s)).expect()
        if wire.handle is None:
            raise UnsettledError("no_handle", "no handle to resume from came")
        return wire.handle

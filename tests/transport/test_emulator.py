"""The transport over real sockets, against the emulator, on both profiles."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import pytest
from tests.transport.conftest import MODELS, Told, emulator

from duologue.emulator.ears.energy import EnergyEars
from duologue.emulator.voice.tone import tone
from duologue.errors import AuthError, ConnectError
from duologue.events import AudioOutput, GenerationCompleted
from duologue.realtime import RealtimeModel
from duologue.transport import (
    ApiKeyAuth,
    ContentTurn,
    GeminiLiveTransport,
    GeminiTransportConfig,
    LLMTransportConfig,
    PendingToolCall,
    ReconnectState,
    ReplayText,
    ToolCallResult,
)

if TYPE_CHECKING:
    from duologue.emulator import Emulator
    from duologue.emulator.protocols import Prompt

pytestmark = pytest.mark.parametrize("profile", MODELS)

SCRIPT = """
fallback = "I do not follow."

[[reply]]
match = "hello"
say = "Good day to you."

[[reply]]
match = "weather"
[[reply.call]]
name = "weather"
args = {city = "Bonn"}

[[reply]]
after_result = "weather"
say = "It is {result}."

[[reply]]
match = "story"
say = "Once upon a time there was a machine that talked, and it talked on and on, until somebody spoke."
"""
WEATHER = {"name": "weather", "description": "Now.", "behavior": "BLOCKING"}


def transport_to(service: Emulator, profile: str, **options: Any) -> GeminiLiveTransport:
    config = GeminiTransportConfig(
        **({"api_key": "k", "model": MODELS[profile], "base_url": service.url} | options)
    )
    return GeminiLiveTransport(config)


@pytest.fixture
def scripted() -> Any:
    from duologue.emulator.brain.scripted import ScriptedBrain

    return ScriptedBrain(SCRIPT)


async def test_both_faces_hear_the_same_speech(profile: str, scripted: Any) -> None:
    lines = ["hello", "say something", "hello again"]
    async with emulator(brain=scripted) as service:
        heard: list[list[bytes]] = []
        model = RealtimeModel(api_key="k", model=MODELS[profile], base_url=service.url)
        async with model.session() as session:
            events = aiter(session)
            for line in lines:
                heard.append([])
                await session.send_text(line)
                async for event in events:
                    if isinstance(event, AudioOutput):
                        heard[-1].append(event.pcm)
                    elif isinstance(event, GenerationCompleted):
                        break
        transport = transport_to(service, profile)
        told = Told(transport)
        await transport.connect()
        for turn, line in enumerate(lines, 1):
            transport.send_content([ContentTurn("user", line)])
            await told.wait_for("turn_complete", turn)
        await transport.disconnect()
    assert told.of("audio_output") == [pcm for turn in heard for pcm in turn]
    assert all(len(pcm) > 0 for turn in heard for pcm in turn)
    assert b"".join(heard[0]) == b"".join(heard[2]) != b"".join(heard[1])
    assert "".join(told.of("output_transcription")).count("Good day to you.") == 2
    assert told.names.count("model_turn_start") == 3


async def test_a_spoken_turn_with_a_tool(profile: str, scripted: Any) -> None:
    async with emulator(brain=scripted, ears=EnergyEars(["What about the weather?"])) as service:
        transport = transport_to(service, profile, tools=[WEATHER])
        told = Told(transport)
        await transport.connect()
        speech = tone("What about the weather?")
        # 24 to 16 kHz, roughly: two samples of three.
        transport.send_audio(b"".join(speech[at : at + 4] for at in range(0, len(speech) - 6, 6)))
        transport.send_audio(base64.b64encode(bytes(32_000)).decode())
        await told.wait_for("tool_call")
        call = told.of("tool_call")[0][0]
        assert (call.name, call.args) == ("weather", {"city": "Bonn"})
        transport.send_tool_result(ToolCallResult(call.id, call.name, "foggy", scheduling="immediate"))
        await told.wait_for("turn_complete")
        await transport.disconnect()
    assert told.names.count("speech_started") == 1
    assert "".join(told.of("input_transcription")).strip() == "What about the weather?"
    assert "".join(told.of("output_transcription")).strip() == "It is foggy."
    assert told.names.index("speech_started") < told.names.index("tool_call")
    assert told.names.index("model_turn_start") < told.names.index("tool_call")
    assert [e.phase for e in told.of("realtime_llm_usage")][-1] == "final"
    assert told.calls[-1] == ("close", 1000, "")


async def test_text_mode_gives_words_and_no_sound(profile: str, scripted: Any) -> None:
    async with emulator(brain=scripted) as service:
        transport = transport_to(service, profile, response_modality="text")
        told = Told(transport)
        await transport.connect()
        transport.send_content([ContentTurn("user", "hello")])
        await told.wait_for("turn_complete")
        await transport.disconnect()
    assert "".join(told.of("text_output")).strip() == "Good day to you."
    assert "audio_output" not in told.names
    assert "output_transcription" not in told.names
    turn = [name for name in told.names if name.startswith(("text", "turn"))]
    assert turn[-2:] == ["text_done", "turn_complete"]
    assert turn.count("text_done") == 1


async def test_a_trigger_makes_the_model_speak_once(profile: str) -> None:
    asked: list[str] = []

    def brain(prompt: Prompt) -> str:
        asked.append(prompt.history[-1].text if prompt.history else "")
        return "Welcome."

    async with emulator(brain=brain) as service:
        transport = transport_to(service, profile)
        told = Told(transport)
        await transport.connect()
        for _ in range(3):
            transport.trigger_generation("Greet the caller.")
        await told.wait_for("turn_complete")
        await transport.disconnect()
    assert asked == ["Greet the caller."]
    assert told.names.count("model_turn_start") == 1


async def test_a_kept_conversation_goes_on_by_its_handle(profile: str) -> None:
    seen: list[list[str]] = []

    def brain(prompt: Prompt) -> str:
        seen.append([entry.text for entry in prompt.history if entry.role == "user"])
        return "Noted."

    async with emulator(brain=brain) as service:
        transport = transport_to(service, profile)
        told = Told(transport)
        await transport.connect()
        transport.send_content([ContentTurn("user", "My name is Ada.")])
        await told.wait_for("turn_complete")
        await _handle_after_turn(told)
        await service.inject("close:code=1011,reason=Deadline expired")
        await told.wait_for("close")
        assert not transport.is_connected
        history = [ReplayText("user", "This must not be told twice.")]
        await transport.reconnect(ReconnectState(conversation_history=history))
        transport.send_content([ContentTurn("user", "Who am I?")])
        await told.wait_for("turn_complete", 2)
        await transport.disconnect()
    assert seen[-1] == ["My name is Ada.", "Who am I?"]
    assert told.of("error")


async def _handle_after_turn(told: Told) -> None:
    """Wait for a handle that was told after the first turn's end."""
    async with asyncio.timeout(20):
        while "resumption_update" not in told.names[told.names.index("turn_complete") :]:
            await asyncio.sleep(0.005)


async def test_a_forgotten_conversation_is_told_again(profile: str) -> None:
    seen: list[list[tuple[str, str]]] = []

    def brain(prompt: Prompt) -> str:
        seen.append([(entry.role, entry.text) for entry in prompt.history])
        return "I see."

    async with emulator(brain=brain) as service:
        transport = transport_to(service, profile)
        await transport.connect()
        told = Told(transport)
        unknown = "00000000-0000-0000-0000-000000000000" if profile == "3.8" else "Cih" + "0" * 93
        await transport.reconnect(unknown)  # a bare handle has nothing to fall back to but a fresh start
        await transport.reconnect(
            ReconnectState(
                conversation_history=[ReplayText("user", "I am Ada."), ReplayText("assistant", "Hello Ada.")],
                pending_tool_calls=[
                    PendingToolCall(id="x", name="weather", status="completed", result="fog")
                ],
            )
        )
        transport.send_file(b"\x89PNG", "image/png")
        transport.send_content([ContentTurn("user", "Who am I?")])
        await told.wait_for("turn_complete")
        await transport.disconnect()
    texts = [text for _, text in seen[-1] if text]
    assert texts == ["I am Ada.", "Hello Ada.", '[Result of weather: {"result": "fog"}]', "Who am I?"]


async def test_a_wrong_key_and_a_dead_service_are_told_by_connect(profile: str, scripted: Any) -> None:
    async with emulator(brain=scripted, api_keys={"right"}) as service:
        transport = transport_to(service, profile)
        told = Told(transport)
        with pytest.raises(AuthError) as caught:
            await transport.connect()
        await transport.connect(LLMTransportConfig(auth=ApiKeyAuth("right")))
        assert transport.is_connected
        await transport.disconnect()
    assert "right" not in str(caught.value)
    assert told.names == [
        "session_ready",
        *(["resumption_update"] * told.names.count("resumption_update")),
        "close",
    ]
    with pytest.raises(ConnectError) as refused:
        await transport.connect()
    assert refused.value.retryable
    assert not transport.is_connected


async def test_a_typed_turn_interrupts_a_long_answer(profile: str, scripted: Any) -> None:
    async with emulator(brain=scripted, time_scale=1.0) as service:
        transport = transport_to(service, profile)
        told = Told(transport)
        await transport.connect()
        transport.send_content([ContentTurn("user", "Tell me a story.")])
        await told.wait_for("audio_output", 3)
        transport.send_content([ContentTurn("user", "hello")])
        await told.wait_for("interrupted")
        await told.wait_for("model_turn_start", 2)
        cut = told.names.index("interrupted")
        assert "audio_output" not in told.names[cut : told.names.index("model_turn_start", cut)]
        await transport.disconnect()

"""Connecting, ending, going on: what a transport does between links."""

from __future__ import annotations

import asyncio
import base64
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.io.accounts import token_server
from tests.transport.conftest import MODELS, Service, Told, content, sound

from duologue.config import LiveConfig, SessionOptions
from duologue.errors import AuthError, ConfigError, ConnectError, ReplyTimeout, SessionClosed
from duologue.transport import (
    ApiKeyAuth,
    CompressionConfig,
    ContentTurn,
    GeminiLiveTransport,
    GeminiTransportConfig,
    LLMTransportConfig,
    PendingToolCall,
    ReconnectState,
    ReplayFile,
    ReplayText,
    ReplayToolCall,
    ReplayToolResult,
    ReplayTransfer,
    ServiceAccountAuth,
    SessionUpdate,
    SpeechConfig,
    TokenProviderAuth,
    ToolCallResult,
    TranscriptionOptions,
)
from duologue.transport.connection import Connection
from duologue.transport.replay import as_turns, replay_turns
from duologue.wire import profiles
from duologue.wire.profiles import DEFAULT_VERTEX_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from duologue.io.memory import MemoryLink
    from duologue.wire.endpoint import Endpoint

    Make = Callable[..., GeminiLiveTransport]

HISTORY = (
    ReplayText("user", "Weather?"),
    ReplayToolCall("1", "weather", {"city": "Bonn"}),
    ReplayToolResult("1", "weather", "fog"),
    ReplayFile(b"\x89PNG", "image/png"),
    ReplayTransfer("host", "expert"),
    ReplayText("assistant", "Fog."),
)
REPLAYED = [
    {"role": "user", "parts": [{"text": "Weather?"}]},
    {"role": "model", "parts": [{"text": '[Call of weather with {"city": "Bonn"}]'}]},
    {"role": "user", "parts": [{"text": '[Result of weather: {"result": "fog"}]'}]},
    {"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "iVBORw=="}}]},
    {"role": "user", "parts": [{"text": "[Agent transfer: host -> expert]"}]},
    {"role": "model", "parts": [{"text": "Fog."}]},
]
HANDLE = {"sessionResumptionUpdate": {"newHandle": "h1", "resumable": True}}


# -- connecting ---------------------------------------------------------------------------------


async def test_it_is_connected_from_setup_complete_to_the_end(make: Make, service: Service) -> None:
    transport = make()
    seen: list[bool] = []
    transport.on_session_ready = lambda _: seen.append(transport.is_connected)
    transport.on_close = lambda code, reason: seen.append(transport.is_connected)
    service.silent = True
    attempt = asyncio.create_task(transport.connect())
    await service.heard("setup")
    seen.append(transport.is_connected)
    await service.say({"setupComplete": {}})
    await attempt
    seen.append(transport.is_connected)
    await service.links[-1].close(1011, "gone")
    await asyncio.sleep(0.01)
    seen.append(transport.is_connected)
    assert seen == [False, True, True, False, False]


async def test_the_setup_holds_every_option(make: Make, service: Service) -> None:
    def look(city: str) -> str:
        """Look out of the window."""
        return city

    raw = {"name": "raw", "description": "As on the wire."}
    transport = make(
        system_instruction="Be brief.",
        tools=[raw, look],
        speech_config=SpeechConfig(voice_name="Kore"),
        compression_config=CompressionConfig(trigger_tokens=9000, target_tokens=4000),
        google_search=True,
        input_audio_transcription=False,
        temperature=0.5,
        resumption_handle="h0",
    )
    await transport.connect()
    setup = service.setups[-1]
    assert setup["systemInstruction"] == {"parts": [{"text": "Be brief."}], "role": "user"}
    assert [sorted(tool) for tool in setup["tools"]] == [["functionDeclarations"], ["googleSearch"]]
    declared = setup["tools"][0]["functionDeclarations"]
    assert declared[0] == raw
    assert declared[1]["name"] == "look"
    assert (
        setup["generationConfig"]["speechConfig"]["voiceConfig"]["prebuiltVoiceConfig"]["voiceName"] == "Kore"
    )
    assert setup["generationConfig"]["temperature"] == 0.5
    assert setup["contextWindowCompression"] == {
        "triggerTokens": 9000,
        "slidingWindow": {"targetTokens": 4000},
    }
    assert "inputAudioTranscription" not in setup
    assert setup["outputAudioTranscription"] == {}
    assert setup["sessionResumption"] == {"handle": "h0"}


async def test_connect_takes_what_every_provider_takes(make: Make, service: Service) -> None:
    transport = make(google_search=True, speech_config=SpeechConfig(language_code="de-DE"))
    await transport.connect(
        LLMTransportConfig(
            auth=ApiKeyAuth("another"),
            model=MODELS["3.8"],
            instructions="Sing.",
            tools=[{"name": "f"}],
            voice="Puck",
            transcription=TranscriptionOptions(input=False, output=False),
            provider_options={"google_search": False, "compression_config": {"trigger_tokens": 5000}},
        )
    )
    setup = service.setups[-1]
    assert service.endpoints[-1].headers["x-goog-api-key"] == "another"
    assert setup["model"] == "models/gemini-3.8-live"
    assert setup["systemInstruction"]["parts"] == [{"text": "Sing."}]
    assert setup["tools"] == [{"functionDeclarations": [{"name": "f"}]}]
    speech = setup["generationConfig"]["speechConfig"]
    assert speech["languageCode"] == "de-DE"
    assert speech["voiceConfig"]["prebuiltVoiceConfig"]["voiceName"] == "Puck"
    assert "inputAudioTranscription" not in setup
    assert "outputAudioTranscription" not in setup
    assert setup["contextWindowCompression"] == {"slidingWindow": {}, "triggerTokens": 5000}


@pytest.mark.parametrize(
    ("config", "error", "words"),
    [
        (LLMTransportConfig(auth=ServiceAccountAuth("p")), ConfigError, "belongs to the Gemini Developer"),
        (LLMTransportConfig(provider_options={"truncation": 1}), ConfigError, "'truncation'"),
        (
            LLMTransportConfig(provider_options={"compression_config": {"size": 1}}),
            ConfigError,
            "trigger_tokens",
        ),
    ],
)
async def test_what_connect_cannot_do_is_refused_and_changes_nothing(
    make: Make, service: Service, config: LLMTransportConfig, error: type[Exception], words: str
) -> None:
    transport = make()
    with pytest.raises(error, match=words):
        await transport.connect(replace(config, instructions="never"))
    assert not service.links
    await transport.connect()
    assert "systemInstruction" not in service.setups[-1]


async def test_a_token_provider_is_asked_before_every_link(make: Make, service: Service) -> None:
    tokens = iter(["auth_tokens/first", "auth_tokens/second", "AIza-a-key"])

    async def get_token() -> str:
        return next(tokens)

    transport = make()
    await transport.connect(LLMTransportConfig(auth=TokenProviderAuth(get_token)))
    await transport.reconnect()
    await transport.reconnect()
    first, second, third = service.endpoints
    assert first.url.endswith(".BidiGenerateContentConstrained")
    assert dict(first.headers) == {"Authorization": "Token auth_tokens/first"}
    assert dict(second.headers) == {"Authorization": "Token auth_tokens/second"}
    assert third.url.endswith(".BidiGenerateContent")
    assert dict(third.headers) == {"x-goog-api-key": "AIza-a-key"}
    await transport.disconnect()
    await transport.connect(LLMTransportConfig(auth=ApiKeyAuth("another-key")))
    assert dict(service.endpoints[-1].headers) == {"x-goog-api-key": "another-key"}


@pytest.mark.parametrize(
    ("get_token", "error", "words"),
    [
        (lambda: asyncio.sleep(0, ""), AuthError, "no token but a str"),
        (lambda: asyncio.sleep(0, None), AuthError, "no token but a NoneType"),
        (lambda: fail(OSError("canary-in-a-url")), ConnectError, r"failed \(OSError\)"),
    ],
)
async def test_a_token_provider_that_fails(
    make: Make, service: Service, get_token: Any, error: type[ConnectError], words: str
) -> None:
    transport = make()
    with pytest.raises(error, match=words) as caught:
        await transport.connect(LLMTransportConfig(auth=TokenProviderAuth(get_token)))
    assert "canary" not in str(caught.value)
    assert not service.links


async def test_an_account_of_a_project_means_vertex(
    make: Make, service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_LOCATION", raising=False)
    transport = make(model=None, api_key="k")
    with token_server() as server:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(server.write(tmp_path)))
        await transport.connect(LLMTransportConfig(auth=ServiceAccountAuth("p", "europe-west4")))
    assert service.endpoints[-1].url.startswith("wss://europe-west4-aiplatform.googleapis.com/")
    assert dict(service.endpoints[-1].headers) == {"Authorization": "Bearer ya29.canary-1"}
    model = service.setups[-1]["model"]
    assert model == f"projects/p/locations/europe-west4/publishers/google/models/{DEFAULT_VERTEX_MODEL}"


async def test_links_of_one_account_share_its_token(
    make: Make, service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    transport = make(model=None, api_key="k")
    with token_server() as server:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(server.write(tmp_path)))
        await transport.connect(LLMTransportConfig(auth=ServiceAccountAuth("p", "europe-west4")))
        await transport.reconnect()
    first, second = [endpoint.headers["Authorization"] for endpoint in service.endpoints]
    assert first == second == "Bearer ya29.canary-1"


async def fail(error: Exception) -> str:
    raise error


async def test_a_model_that_would_change_the_capabilities_is_refused(
    make: Make, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    mute = replace(
        profiles.PROFILES["3.8"], name="mute", model_prefixes=("gemini-mute",), output_modalities=("IMAGE",)
    )
    monkeypatch.setattr(profiles, "PROFILES", {**profiles.PROFILES, "mute": mute})
    transport = make()
    with pytest.raises(ConfigError, match="would change what this transport can do"):
        await transport.connect(LLMTransportConfig(model="gemini-mute-1"))
    assert not service.links


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"connect_timeout_ms": 0}, "connect_timeout_ms is 0"),
        ({"reconnect_timeout_ms": -1}, "reconnect_timeout_ms is -1"),
        ({"response_modality": "video"}, "'audio' or 'text'"),
        ({"live": LiveConfig(response_modalities=["TEXT"])}, "response_modality"),
        ({"options": SessionOptions(turn_detection="manual")}, "turn_detection"),
        ({"model": MODELS["3.8"], "live": LiveConfig(proactivity=False)}, "proactivity"),
    ],
)
def test_options_that_cannot_be_are_refused_at_once(make: Make, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make(**options)


def test_no_secret_is_shown() -> None:
    shown = repr(GeminiTransportConfig(api_key="canary-key", resumption_handle="canary-handle"))
    shown += repr(LLMTransportConfig(auth=ApiKeyAuth("canary-auth")))
    assert "canary" not in shown


async def test_a_close_during_setup_is_told_at_once(make: Make, service: Service) -> None:
    service.silent = True
    transport = make()
    told = Told(transport)
    attempt = asyncio.create_task(transport.connect())
    await service.heard("setup")
    began_at = time.monotonic()
    await service.links[-1].close(1007, "API key not valid. Please pass a valid API key.")
    with pytest.raises(AuthError) as caught:
        await attempt
    assert time.monotonic() - began_at < 1
    assert caught.value.code == 1007
    assert not transport.is_connected
    assert told.calls == []


async def test_a_connect_that_takes_too_long_closes_its_socket(make: Make, service: Service) -> None:
    service.silent = True
    transport = make(connect_timeout_ms=20)
    with pytest.raises(ConnectError, match="connect_timeout_ms \\(20 ms\\)"):
        await transport.connect()
    with pytest.raises(ConnectionError):
        await service.links[-1].receive()
    service.silent = False
    await transport.connect()
    assert transport.is_connected


async def test_disconnecting_gives_a_connect_up(make: Make, service: Service) -> None:
    service.silent = True
    transport = make()
    attempt = asyncio.create_task(transport.connect())
    await service.heard("setup")
    await transport.disconnect()
    with pytest.raises(ConnectError, match="closed while connecting"):
        await attempt
    service.silent = False
    await transport.connect()
    assert transport.is_connected


async def test_it_connects_once_at_a_time_and_many_times_in_turn(make: Make, service: Service) -> None:
    transport = make()
    told = Told(transport)
    for _ in range(3):
        await transport.connect()
        with pytest.raises(ConfigError, match="connected already"):
            await transport.connect()
        await transport.disconnect()
        await transport.disconnect()
    assert told.names == ["session_ready", "close"] * 3
    results = await asyncio.gather(transport.connect(), transport.connect(), return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [ConfigError]
    assert len(service.links) == 4


async def test_a_lost_link_is_an_error_and_a_close(make: Make, service: Service) -> None:
    transport = make()
    told = Told(transport)
    await transport.connect()
    await service.say(content(modelTurn=sound()))
    await service.links[-1].close(1011, "Internal error encountered.")
    await told.wait_for("close")
    assert told.names[-2:] == ["error", "close"]
    assert told.of("error")[0].recoverable
    assert told.calls[-1] == ("close", 1011, "Internal error encountered.")


# -- going on -----------------------------------------------------------------------------------


async def test_reconnect_uses_the_newest_handle_and_no_history(make: Make, service: Service) -> None:
    transport = make()
    await transport.connect()
    await service.say(content(modelTurn=sound()), HANDLE)
    await service.links[-1].close(1006)
    await transport.reconnect(ReconnectState(conversation_history=HISTORY))
    assert service.setups[-1]["sessionResumption"] == {"handle": "h1"}
    assert not any("clientContent" in message for message in service.sent)
    await transport.reconnect("h2")
    assert service.setups[-1]["sessionResumption"] == {"handle": "h2"}


async def test_connect_begins_anew(make: Make, service: Service) -> None:
    transport = make(resumption_handle="h0")
    await transport.connect()
    await transport.disconnect()
    await transport.connect()
    assert [setup["sessionResumption"] for setup in service.setups] == [{"handle": "h0"}, {}]


async def test_a_refused_handle_of_the_constructor_is_tried_once(make: Make, service: Service) -> None:
    service.refuse_handles = True
    transport = make(resumption_handle="stale")
    with pytest.raises(ConnectError, match="begin a new session"):
        await transport.connect()
    await transport.connect()
    assert [setup["sessionResumption"] for setup in service.setups] == [{"handle": "stale"}, {}]


async def test_without_a_handle_the_history_is_told_again_as_text(make: Make, service: Service) -> None:
    transport = make()
    await transport.connect()
    await transport.reconnect(ReconnectState(conversation_history=HISTORY))
    assert await service.heard("clientContent") == [{"turns": REPLAYED, "turnComplete": False}]


async def test_a_refused_handle_falls_back_to_the_history(make: Make, service: Service) -> None:
    transport = make()
    told = Told(transport)
    await transport.connect()
    service.refuse_handles = True
    await service.say(content(modelTurn=sound()), content(turnComplete=True), HANDLE)
    await transport.reconnect(ReconnectState(conversation_history=HISTORY[:1]))
    assert [setup["sessionResumption"] for setup in service.setups] == [{}, {"handle": "h1"}, {}]
    assert await service.heard("clientContent") == [{"turns": REPLAYED[:1], "turnComplete": False}]
    assert told.names[-3:] == ["resumption_update", "close", "session_ready"]


async def test_a_handle_from_before_the_first_answer_does_not_replace_the_history(
    make: Make, service: Service
) -> None:
    transport = make()
    await transport.connect()
    await service.say(HANDLE)
    await transport.reconnect(ReconnectState(conversation_history=HISTORY[:1]))
    assert service.setups[-1]["sessionResumption"] == {}
    await service.say(HANDLE)
    await transport.reconnect()  # better than nothing
    assert service.setups[-1]["sessionResumption"] == {"handle": "h1"}


async def test_a_restored_conversation_is_in_every_handle_of_its_link(make: Make, service: Service) -> None:
    transport = make()
    await transport.connect()
    await transport.reconnect("kept")
    await service.say(HANDLE)
    await transport.reconnect(ReconnectState(conversation_history=HISTORY[:1]))
    assert service.setups[-1]["sessionResumption"] == {"handle": "h1"}


async def test_two_reconnects_at_once_make_one_connection(make: Make, service: Service) -> None:
    transport = make()
    await transport.connect()
    results = await asyncio.gather(transport.reconnect(), transport.reconnect(), return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [ConfigError]
    assert transport.is_connected
    assert len(service.links) == 2


async def test_the_old_link_is_closed_before_the_new_one_opens(service: Service) -> None:
    log: list[str] = []

    class Slow:
        """Opens links that take a moment to close."""

        async def connect(self, endpoint: Endpoint, options: SessionOptions) -> MemoryLink:
            link = await service.transport.connect(endpoint, options)
            log.append("opened")
            close = link.close

            async def close_slowly(code: int = 1000, reason: str = "") -> None:
                await asyncio.sleep(0.005)
                await close(code, reason)
                if log[-1] != "closed":  # closing twice is harmless
                    log.append("closed")

            link.close = close_slowly  # type: ignore[method-assign] # this link's own, nobody else's
            return link

    transport = GeminiLiveTransport(GeminiTransportConfig(api_key="k"), transport=Slow())
    told = Told(transport)
    await transport.connect()
    await service.links[-1].close(1011)
    await told.wait_for("close")
    await transport.connect()
    await transport.reconnect()
    await transport.disconnect()
    assert log == ["opened", "closed"] * 3


async def test_a_reconnect_that_takes_too_long_is_an_error(make: Make, service: Service) -> None:
    transport = make(reconnect_timeout_ms=20)
    await transport.connect()
    service.silent = True
    with pytest.raises(ConnectError, match="reconnect_timeout_ms \\(20 ms\\)"):
        await transport.reconnect()
    assert not transport.is_connected


async def test_pending_results_are_told_as_text(make: Make, service: Service) -> None:
    transport = make()
    await transport.connect()
    await service.say(HANDLE, {"toolCall": {"functionCalls": [{"id": "open", "name": "f", "args": {}}]}})
    pending = (
        PendingToolCall(id="done", name="g", status="completed", result={"x": 1}),
        PendingToolCall(id="runs", name="h"),
    )
    await transport.reconnect(ReconnectState(pending_tool_calls=pending))
    transport.send_tool_result(ToolCallResult("open", "f", 1))
    transport.send_tool_result(ToolCallResult("runs", "h", [2], scheduling="silent"))
    told = await service.heard("clientContent", 3)
    assert [(turn["turns"][0]["parts"][0]["text"], turn["turnComplete"]) for turn in told] == [
        ('[Result of g: {"x": 1}]', False),
        ('[Result of f: {"result": 1}]', True),
        ('[Result of h: {"result": [2]}]', False),
    ]
    assert not any("toolResponse" in message for message in service.sent)
    with pytest.raises(ConfigError, match="no tool call with the id 'open'"):
        transport.send_tool_result(ToolCallResult("open", "f", 1))


async def test_pending_results_are_told_in_words_where_a_resumed_conversation_takes_no_turns(
    make: Make, service: Service
) -> None:
    """Q-content-once."""
    transport = make(model="gemini-3.1-flash-live-preview")
    await transport.connect()
    await service.say({"toolCall": {"functionCalls": [{"id": "open", "name": "f", "args": {}}]}}, HANDLE)
    done = PendingToolCall(id="done", name="g", status="completed", result={"x": 1})
    await transport.reconnect(ReconnectState(pending_tool_calls=(done,)))
    transport.send_tool_result(ToolCallResult("open", "f", 1))
    told = await service.heard("realtimeInput", 2)
    assert [message["text"] for message in told] == [
        '[Result of g: {"x": 1}]',
        '[Result of f: {"result": 1}]',
    ]
    assert not any("clientContent" in message for message in service.sent)


async def test_a_new_conversation_knows_no_calls_of_the_last(make: Make, service: Service) -> None:
    transport = make()
    await transport.connect()
    await service.say({"toolCall": {"functionCalls": [{"id": "open", "name": "f"}]}})
    await transport.disconnect()
    await transport.connect()
    with pytest.raises(ConfigError, match="no tool call with the id 'open'"):
        transport.send_tool_result(ToolCallResult("open", "f", 1))


async def test_a_transfer_tells_the_new_agent_what_the_orchestrator_chose(
    make: Make, service: Service
) -> None:
    transport = make(system_instruction="A", tools=[{"name": "f"}])
    await transport.connect()
    await service.say(content(modelTurn=sound()), content(turnComplete=True), HANDLE)
    await transport.transfer_session(
        SessionUpdate(instructions="B", tools=[{"name": "g"}]),
        ReconnectState(conversation_history=HISTORY[:1]),
    )
    assert service.setups[-1]["sessionResumption"] == {}
    assert service.setups[-1]["systemInstruction"]["parts"] == [{"text": "B"}]
    assert service.setups[-1]["tools"][0]["functionDeclarations"] == [{"name": "g"}]
    assert len(await service.heard("clientContent")) == 1
    await service.say(HANDLE)
    await transport.transfer_session(SessionUpdate(instructions="C"))
    assert service.setups[-1]["sessionResumption"] == {"handle": "h1"}


async def test_updates_wait_for_the_next_link(make: Make, service: Service) -> None:
    transport = make()
    await transport.connect()
    before = len(service.sent)
    transport.update_system_instruction("B")
    transport.update_tools([{"name": "g"}])
    transport.update_google_search(True)
    transport.update_session(SessionUpdate(voice="Kore"))
    with pytest.raises(ConfigError):
        transport.update_session(SessionUpdate(provider_options={"nothing": 1}))
    with pytest.raises(ConfigError):
        transport.update_tools([{"nom": "g"}])
    await asyncio.sleep(0)
    assert len(service.sent) == before
    await transport.reconnect()
    setup = service.setups[-1]
    assert setup["systemInstruction"]["parts"] == [{"text": "B"}]
    assert setup["tools"] == [{"functionDeclarations": [{"name": "g"}]}, {"googleSearch": {}}]


# -- commands -----------------------------------------------------------------------------------


async def test_sound_is_bytes_or_base64_and_nothing_without_a_connection(
    make: Make, service: Service
) -> None:
    transport = make()
    transport.send_audio(bytes(100))
    transport.commit_audio()
    transport.clear_audio()
    assert transport.counters == {"sound_without_connection_bytes": 100}
    await transport.connect()
    transport.send_audio(b"\1\0" * 800)
    transport.send_audio("AgA=")
    transport.send_audio(memoryview(b"\3\0"))
    transport.commit_audio()
    heard = await service.heard("realtimeInput")
    while not heard[-1].get("audioStreamEnd"):
        heard = await service.heard("realtimeInput", len(heard) + 1)
    assert {piece["audio"]["mimeType"] for piece in heard[:-1]} == {"audio/pcm;rate=16000"}
    pcm = b"".join(base64.b64decode(piece["audio"]["data"]) for piece in heard[:-1])
    assert pcm == b"\1\0" * 800 + b"\2\0\3\0"
    for wrong in (b"\1", "??"):
        with pytest.raises(ConfigError):
            transport.send_audio(wrong)


async def test_cleared_sound_is_dropped_wherever_it_waits(make: Make, service: Service) -> None:
    transport = make()
    await transport.connect()
    transport.send_audio(b"\1\0" * 8000)  # whole chunks wait to be written, the rest to become one
    transport.send_content([ContentTurn("user", "a")], turn_complete=False)
    transport.clear_audio()
    transport.send_audio(b"\2\0")
    transport.commit_audio()
    assert await service.heard("realtimeInput", 2) == [
        {"audio": {"mimeType": "audio/pcm;rate=16000", "data": "AgA="}},
        {"audioStreamEnd": True},
    ]
    assert len(await service.heard("clientContent")) == 1  # nothing but sound is dropped


async def test_whatever_is_sent_as_turns_enters_the_conversation(service: Service) -> None:
    def ignore(*arguments: Any) -> None: ...

    connection = Connection(
        GeminiTransportConfig(api_key="k"),
        None,
        service.transport,
        fire=ignore,
        keep_handle=ignore,
        keep_call=ignore,
    )
    await connection.open()
    try:
        connection.send_turns(replay_turns(HISTORY), turn_complete=False)
        connection.send_turns(as_turns([{"parts": [{"text": "And "}, {"text": "now?"}]}]), turn_complete=True)
        assert await service.heard("clientContent", 2) == [
            {"turns": REPLAYED, "turnComplete": False},
            {"turns": [{"parts": [{"text": "And "}, {"text": "now?"}]}], "turnComplete": True},
        ]
        noted = [(item.role, item.text) for item in connection.core.chat_ctx.messages]
    finally:
        await connection.driver.stop()
    told_again = [(turn["role"], turn["parts"][0]["text"]) for turn in REPLAYED if "text" in turn["parts"][0]]  # type: ignore[index] # plain JSON
    assert noted == [*told_again, ("user", "And now?")]


async def test_turns_as_on_the_wire_may_be_spelt_either_way(make: Make, service: Service) -> None:
    transport = make()
    await transport.connect()
    blob = {"mime_type": "image/png", "data": "iVBORw=="}
    transport.send_client_content(
        ({"role": "user", "parts": ({"inline_data": blob},)}, {"parts": [{"text": "?", "thought": None}]})
    )
    assert await service.heard("clientContent") == [
        {"turns": [REPLAYED[3], {"parts": [{"text": "?"}]}], "turnComplete": True}
    ]


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        ({"role": "user", "text": "a"}, "turn 1 is none: .*unknown field `text`"),
        ({"parts": [{"inlineData": {"data": b"x"}}]}, r"Expected `str`, got `bytes` - at `\$\.parts"),
        ({"parts": [{"text": 1}]}, r"\$\.parts\[.*\.text"),
        ("a", "Expected `object`, got `str`"),
        ({"parts": [{"functionCall": {"args": {"x": object()}}}]}, "written as JSON"),
    ],
)
async def test_turns_that_the_wire_does_not_have_are_refused(
    make: Make, service: Service, turn: Any, words: str
) -> None:
    transport = make()
    await transport.connect()
    with pytest.raises(ConfigError, match=words):
        transport.send_client_content([{"parts": [{"text": "fine"}]}, turn])
    transport.commit_audio()
    await service.heard("realtimeInput")
    assert not any("clientContent" in message for message in service.sent)


async def test_content_and_files(make: Make, service: Service) -> None:
    transport = make()
    await transport.connect()
    transport.send_content([ContentTurn("user", "a"), ContentTurn("assistant", "b")], turn_complete=False)
    transport.send_content([ContentTurn("user", "c")])
    transport.send_client_content([{"role": "model", "parts": [{"text": "d"}]}], turn_complete=False)
    transport.send_file("iVBORw==", "image/png")
    turns = [
        (content["turns"], content.get("turnComplete", False))
        for content in await service.heard("clientContent", 4)
    ]
    assert turns == [
        ([{"role": "user", "parts": [{"text": "a"}]}, {"role": "model", "parts": [{"text": "b"}]}], False),
        ([{"role": "user", "parts": [{"text": "c"}]}], True),
        ([{"role": "model", "parts": [{"text": "d"}]}], False),
        ([REPLAYED[3]], False),
    ]


@pytest.mark.parametrize("command", ["send_content", "send_file", "send_tool_result", "trigger_generation"])
async def test_what_must_not_be_lost_is_refused_without_a_connection(make: Make, command: str) -> None:
    arguments: dict[str, tuple[Any, ...]] = {
        "send_content": ([ContentTurn("user", "a")],),
        "send_file": (b"x", "image/png"),
        "send_tool_result": (ToolCallResult("1", "f"),),
        "trigger_generation": (),
    }
    with pytest.raises(SessionClosed, match=command):
        getattr(make(), command)(*arguments[command])


async def test_results_and_their_schedules(make: Make, service: Service) -> None:
    transport = make(model=MODELS["3.8"])
    await transport.connect()
    schedules = (None, "immediate", "when_idle", "interrupt", "silent")
    calls = [{"id": str(n), "name": "f"} for n in range(7)]
    await service.say({"toolCall": {"functionCalls": calls}})
    for n, schedule in enumerate(schedules):
        transport.send_tool_result(ToolCallResult(str(n), "f", n, scheduling=schedule))  # type: ignore[arg-type] # literals
    transport.send_tool_result(ToolCallResult("5", "f", {"as": "it is"}))
    transport.send_tool_response([{"id": "6", "name": "f", "response": {"ok": True}}], "when_idle")
    answers = [m["functionResponses"][0] for m in await service.heard("toolResponse", 7)]
    assert [a.get("scheduling") for a in answers] == [
        None,
        "INTERRUPT",
        "WHEN_IDLE",
        "INTERRUPT",
        "SILENT",
        None,
        "WHEN_IDLE",
    ]
    assert [a["response"] for a in answers[4:]] == [{"result": 4}, {"as": "it is"}, {"ok": True}]
    with pytest.raises(ConfigError, match="scheduling is 'soon'"):
        transport.send_tool_result(ToolCallResult("0", "f", scheduling="soon"))  # type: ignore[arg-type] # wrong on purpose
    with pytest.raises(ConfigError, match="no JSON form"):
        transport.send_tool_result(ToolCallResult("0", "f", object()))


async def test_a_blocking_function_has_no_schedule(make: Make, service: Service) -> None:
    transport = make()
    await transport.connect()
    await service.say({"toolCall": {"functionCalls": [{"id": "1", "name": "f"}]}})
    transport.send_tool_result(ToolCallResult("1", "f", None, scheduling="immediate"))
    answer = (await service.heard("toolResponse"))[0]["functionResponses"][0]
    assert answer == {"id": "1", "name": "f", "response": {"result": None}}


# -- "ensure a reply" ---------------------------------------------------------------------------


async def asks(service: Service, transport: GeminiLiveTransport) -> bool:
    """Trigger, and tell whether anything was sent."""
    await asyncio.sleep(0.005)
    before = len(service.sent)
    transport.trigger_generation("Greet.")
    await asyncio.sleep(0.005)
    return len(service.sent) > before


@pytest.mark.parametrize("profile", MODELS)
async def test_a_reply_is_asked_for_unless_one_runs_or_is_due(
    make: Make, service: Service, profile: str
) -> None:
    transport = make(model=MODELS[profile])
    await transport.connect()
    assert await asks(service, transport)
    assert not await asks(service, transport)  # due
    await service.say(content(modelTurn=sound()))
    assert not await asks(service, transport)  # running
    await service.say(content(generationComplete=True))
    assert not await asks(service, transport)  # being played
    await service.say(content(turnComplete=True))
    assert await asks(service, transport)
    await service.say(content(modelTurn=sound()), content(turnComplete=True))
    transport.send_content([ContentTurn("user", "hi")])
    assert not await asks(service, transport)  # due to what was written


async def test_no_reply_is_asked_for_while_the_user_speaks_or_a_call_is_open(
    make: Make, service: Service
) -> None:
    transport = make(model=MODELS["3.8"])
    await transport.connect()
    await service.say(content(modelTurn=sound()))
    await service.say({"voiceActivity": {"type": "ACTIVITY_START"}}, content(interrupted=True))
    await service.say(content(turnComplete=True))
    assert not await asks(service, transport)
    await service.say({"voiceActivity": {"type": "ACTIVITY_END"}})
    assert not await asks(service, transport)
    await service.say({"toolCall": {"functionCalls": [{"id": "1", "name": "f"}]}}, content(turnComplete=True))
    assert not await asks(service, transport)
    transport.send_tool_result(ToolCallResult("1", "f", scheduling="silent"))
    assert await asks(service, transport)


async def test_the_known_caller_asks_on_every_reconnect(make: Make, service: Service) -> None:
    transport = make()
    await transport.connect()
    assert await asks(service, transport)
    await service.say(content(modelTurn=sound()))
    await transport.reconnect()  # the running answer is lost with its link
    assert await asks(service, transport)


async def test_a_reply_that_does_not_begin_is_told(
    make: Make, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("duologue.transport.connection.REPLY_DUE_S", 0.01)
    transport = make()
    told = Told(transport)
    await transport.connect()
    transport.trigger_generation()
    await told.wait_for("error")
    assert isinstance(told.of("error")[0].error, ReplyTimeout)
    await transport.reconnect()
    monkeypatch.undo()
    transport.trigger_generation()
    await transport.disconnect()
    assert told.names.count("error") == 1  # giving it up oneself is no error

"""A model: what it takes, from where, and what it refuses before anything is sent."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from tests.realtime.conftest import MODELS, Place, open_place, rest, until

from duologue import (
    ChatMessage,
    LiveConfig,
    RealtimeModel,
    SessionEnded,
    SessionOptions,
    ToolCall,
    ToolResult,
    TurnCompleted,
    connect,
)
from duologue.errors import AuthError, ConfigError, SessionClosed, Unsupported
from duologue.wire.profiles import DEFAULT_VERTEX_MODEL


def header_of(model: RealtimeModel, name: str = "x-goog-api-key") -> str:
    return asyncio.run(model.session()._address.endpoint()).headers[name]


def url_of(model: RealtimeModel) -> str:
    return asyncio.run(model.session()._address.endpoint()).url


# --- keys and addresses ----------------------------------------------------------------------------------------------


def test_no_key_names_the_variables_and_the_way_without_one() -> None:
    with pytest.raises(ConfigError) as caught:
        RealtimeModel().session()
    for word in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "--local"):
        assert word in str(caught.value)
    assert caught.value.phase == "config"
    with pytest.raises(ConfigError, match="GOOGLE_API_KEY"):
        connect()


def test_keys_in_their_order_of_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "from-gemini")
    assert header_of(RealtimeModel()) == "from-gemini"
    monkeypatch.setenv("GOOGLE_API_KEY", "from-google")
    assert header_of(RealtimeModel()) == "from-google"
    assert header_of(RealtimeModel(api_key=" from-argument\n")) == "from-argument"
    monkeypatch.setenv("GOOGLE_API_KEY", "  ")
    assert header_of(RealtimeModel()) == "from-gemini"


@pytest.mark.parametrize("key", ["two words", "schlüssel", "line\nbreak", "   "])
def test_a_key_no_header_can_carry_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RealtimeModel(api_key=key).session()
    assert key.strip() == "" or key not in str(caught.value)


def test_addresses_in_their_order_of_precedence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "duologue")
    path = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
    assert url_of(RealtimeModel(api_key="k")) == f"wss://generativelanguage.googleapis.com{path}"
    assert not caplog.records
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "https://env.example")
    assert url_of(RealtimeModel(api_key="k")) == f"wss://env.example{path}"
    assert "env.example, named by GOOGLE_GEMINI_BASE_URL" in caplog.text
    config = LiveConfig(http_options={"base_url": "https://config.example"})
    assert url_of(RealtimeModel(api_key="k", config=config)) == f"wss://config.example{path}"
    argument = RealtimeModel(api_key="k", config=config, base_url="https://argument.example")
    assert url_of(argument) == f"wss://argument.example{path}"


def test_api_versions_in_their_order_of_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_API_VERSION", "v1alpha")
    assert ".v1alpha." in url_of(RealtimeModel(api_key="k"))
    options: dict[str, Any] = {"http_options": {"api_version": "v1"}}
    assert ".v1." in url_of(RealtimeModel(api_key="k", config=options))
    assert ".v1beta." in url_of(RealtimeModel(api_key="k", config={**options, "api_version": "v1beta"}))


def test_the_environment_may_ask_for_vertex(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "True")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "https://gemini.example")  # of the other backend
    model = RealtimeModel(api_key="k")
    assert (model.model, model.profile.backend) == (DEFAULT_VERTEX_MODEL, "vertex")
    assert url_of(model) == (
        "wss://aiplatform.googleapis.com/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
    )
    assert url_of(RealtimeModel(api_key="k", vertexai=False)).startswith("wss://gemini.example/")
    monkeypatch.setenv("GOOGLE_GENAI_USE_ENTERPRISE", "0")  # set, so it decides
    assert RealtimeModel(api_key="k").profile.backend == "developer"
    monkeypatch.setenv("GOOGLE_GENAI_USE_ENTERPRISE", "1")
    assert connect(api_key="k").profile.backend == "vertex"


def test_a_model_is_called_by_its_place_where_an_account_pays() -> None:
    def name_of(**options: Any) -> Any:
        return RealtimeModel(vertexai=True, **options).session()._core._plan.setup["model"]

    name = f"publishers/google/models/{DEFAULT_VERTEX_MODEL}"
    assert name_of(api_key="k") == name
    assert name_of(project="p", location="us-central1") == f"projects/p/locations/us-central1/{name}"
    assert name_of(project="p") == f"projects/p/locations/global/{name}"


def test_what_a_token_may_be_locked_to() -> None:
    setup = RealtimeModel(instructions="Be brief.", voice="Kore").setup()
    assert setup["model"] == "models/gemini-3.8-live"
    assert setup["generationConfig"]["responseModalities"] == ["AUDIO"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("example.com", "needs a scheme"),
        ("ftp://example.com", "needs a scheme"),
        ("http://example.com", "unencrypted"),
        ("https://user:secret@example.com", "must not carry a user"),
        ("https://example.com?key=secret", "must not carry"),
        ("https://[::1", "not a URL"),
    ],
)
def test_an_address_that_cannot_be_used_says_why_without_secrets(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        RealtimeModel(api_key="k", base_url=url).session()
    assert "secret" not in str(caught.value)


def test_an_insecure_host_on_request() -> None:
    model = RealtimeModel(api_key="k", base_url="http://example.com", allow_insecure=True)
    assert url_of(model).startswith("ws://example.com/")


def test_headers_of_ones_own_but_not_in_the_keys_place() -> None:
    config = {"http_options": {"headers": {"x-team": "voice"}}}
    assert header_of(RealtimeModel(api_key="k", config=config), "x-team") == "voice"
    stolen = {"http_options": {"headers": {"X-Goog-Api-Key": "other"}}}
    with pytest.raises(ConfigError, match="the key's"):
        RealtimeModel(api_key="k", config=stolen).session()
    with pytest.raises(ConfigError, match="http_options has no 'timeout'"):
        RealtimeModel(api_key="k", config={"http_options": {"timeout": 1}}).session()


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"project": "p"}, ConfigError, "pass vertexai=True"),
        ({"location": "eu"}, ConfigError, "pass vertexai=True"),
        ({"credentials": object()}, ConfigError, "give one of them"),
        ({"vertexai": True, "model": "gemini-3.8-live"}, ConfigError, "pass vertexai=False"),
        ({"config": {"colour": "teal"}}, ConfigError, "no option 'colour'"),
        ({"config": 7}, ConfigError, "config is 7; give a duologue.LiveConfig"),
        ({"config": {"response_modalities": ["TEXT"]}}, Unsupported, "exactly one of AUDIO"),
        ({"options": SessionOptions(turn_detection="local")}, Unsupported, "turn_detection='local'"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_when_the_model_is_made(
    options: dict[str, Any], kind: type[ConfigError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        RealtimeModel(api_key="k", **options)


def test_a_config_may_be_spelled_either_way() -> None:
    one = RealtimeModel(api_key="k", config={"maxOutputTokens": 7})._config
    assert one == RealtimeModel(api_key="k", config=LiveConfig(max_output_tokens=7))._config


def test_an_unknown_model_is_warned_about_once(caplog: pytest.LogCaptureFixture) -> None:
    model = RealtimeModel(api_key="k", model="models/gemini-99-live")
    model.session()
    model.session()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "gemini-99-live" in caplog.text
    assert not model.profile.known


def test_the_defaults_and_what_is_shown() -> None:
    model = RealtimeModel(api_key="k")
    assert model.model == MODELS["3.8"]
    assert repr(model) == "RealtimeModel(model='gemini-3.8-live', profile='3.8')"
    assert model.label == "duologue.RealtimeModel(gemini-3.8-live)"
    session = model.session(session_id="mine")
    assert session.id == "mine"
    assert session.capabilities == model.capabilities
    assert session.tools == []
    assert session.resumption_handle is None
    assert session.counters == {}


# --- the service's word ----------------------------------------------------------------------------------------------


async def test_a_wrong_key_is_an_auth_error(library: str) -> None:
    async with open_place(library=library, api_keys={"the-right-one"}) as place:
        with pytest.raises(AuthError) as caught:
            await place.session(api_key="canary-of-a-wrong-key").__aenter__()
        assert (caught.value.code, caught.value.phase, caught.value.retryable) == (1007, "setup", False)
        assert "API key not valid" in caught.value.reason
        assert "canary" not in str(caught.value)
        async with place.session(api_key="the-right-one") as call:
            assert call.is_live


async def test_aclose_of_a_model_closes_its_sessions(anywhere: Place) -> None:
    model = anywhere.model()
    one, two = model.session(), model.session()
    events = aiter(one)
    async with one, two:
        await model.aclose()
        assert not one.is_live
        assert not two.is_live
        assert isinstance((await rest(events))[-1], SessionEnded)
        with pytest.raises(SessionClosed, match="send_text"):
            await one.send_text("late")
    await model.aclose()


async def test_sessions_of_one_model_do_not_share(anywhere: Place) -> None:
    model = anywhere.model()
    async with model.session() as one, model.session() as two:
        await one.send_text("Hi.")
        await until(aiter(one), TurnCompleted)
        assert one.id != two.id
        assert len(one.chat_ctx.messages) == 2
        assert two.chat_ctx.messages == ()
        one.tools.append(None)  # type: ignore[arg-type]  # a copy, so nobody else sees it
        assert two.tools == []


async def test_a_handle_restores_the_conversation(place: Place) -> None:
    model = place.model()
    async with model.session() as call:
        await call.send_text("Hi.")
        await until(aiter(call), TurnCompleted)
        for _ in range(100):
            if call.resumption_handle:
                break
            await asyncio.sleep(0.01)
        handle = call.resumption_handle
    assert handle is not None
    async with model.session(resume=handle) as again:
        assert again.is_live


async def test_results_by_hand(place: Place) -> None:
    declared = {"functionDeclarations": [{"name": "get_weather", "description": "The weather"}]}
    async with place.session(config={"gemini_tools": [declared]}) as call:
        events = aiter(call)
        await call.send_text("weather")
        asked = await until(events, ToolCall)
        with pytest.raises(ConfigError, match="no tool call with the id 'c9'"):
            await call.send_tool_result("c9", {})
        with pytest.raises(ConfigError, match="object"):
            await call.send_tool_result(asked.call_id, object())
        await call.send_tool_result(asked.call_id, "sunny")
        answered = await until(events, ToolResult)
        assert (answered.result, answered.outcome) == ({"output": "sunny"}, "answered")
        await call.send_tool_result(asked.call_id, "again")
        assert call.counters["late_tool_results"] == 1
        await until(events, TurnCompleted)
    with pytest.raises(SessionClosed, match="send_tool_result"):
        await call.send_tool_result(asked.call_id, "late")


async def test_turns_can_be_put_into_the_conversation(place: Place) -> None:
    async with place.session() as call:
        events = aiter(call)
        history = [ChatMessage("user", "My name is Ada."), ChatMessage("model", "Hello Ada.")]
        await call.send_content(history, turn_complete=False)
        await call.send_content([ChatMessage("user", "Hi.")])
        await until(events, TurnCompleted)
        assert [message.text for message in call.chat_ctx.messages] == [
            "My name is Ada.",
            "Hello Ada.",
            "Hi.",
            "Hello there.",
        ]


async def test_every_command_before_and_after_is_refused(anywhere: Place) -> None:
    session = anywhere.session()

    async def refused(words: str) -> None:
        for command in (
            session.generate_reply(),
            session.send_text("x"),
            session.send_content([]),
            session.send_tool_result("x", {}),
        ):
            with pytest.raises(SessionClosed, match=words):
                await command
        for plain in (
            session.commit_audio,
            session.start_user_activity,
            session.end_user_activity,
            session.hang_up,
        ):
            with pytest.raises(SessionClosed, match=words):
                plain()
        with pytest.raises(SessionClosed, match=words):
            session.send_raw({})
        session.interrupt()
        session.clear_audio()
        session.report_playhead("nobody", 1)

    await refused("not open yet")
    async with session:
        pass
    await refused("ended")
    assert session.counters["playhead_of_unknown_generation"] == 2


@pytest.mark.parametrize(
    "overrides",
    [
        {"tools": 5},
        {"tools": [5]},
        {"tools": {"functionDeclarations": []}},
        {"tools": [{"functionDeclarations": True}]},
        {
            "tools": [
                {"functionDeclarations": [{"behavior": "NON_BLOCKING"}, {"name": ["f"], "behavior": "x"}]}
            ]
        },
        {"sessionResumption": "x"},
        {"sessionResumption": {"handle": 5}},
    ],
)
def test_overrides_of_odd_kinds_are_the_services_to_refuse(overrides: dict[str, Any]) -> None:
    model = RealtimeModel(api_key="canary-key", config={"setup_overrides": overrides})
    assert model.session().resumption_handle is None

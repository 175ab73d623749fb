"""Whatever is given as an option: a setup that can be sent, or a ConfigError; never another exception."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import fractions
import functools
import logging
import uuid
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.realtime.conftest import Place, until

from duologue import ChatMessage, LiveConfig, RealtimeModel, SessionOptions, TurnCompleted, function_tool
from duologue.config import ModelOptions
from duologue.errors import ConfigError
from duologue.wire.client import ClientMessage
from duologue.wire.codec import ClientDecoder, encode


class Cycle(dict[str, Any]):
    """Holds itself."""

    def __init__(self) -> None:
        super().__init__()
        self["self"] = self


class Text(str):
    """A str that is not exactly one."""

    __slots__ = ()


class Number(float):
    """A float that is not exactly one, as numpy's are."""

    __slots__ = ()


@function_tool
def add(a: int) -> int:
    """Add one."""
    return a + 1


def _names(kind: type) -> list[str]:
    """Field names on the wire, which make a mapping nearly right."""
    return [field.encode_name for field in msgspec.structs.fields(kind)]


words = st.sampled_from(
    [
        *("AUDIO", "TEXT", "NON_BLOCKING", "SILENT", "v1alpha", "headers", "base_url", "api_version"),
        *(
            "https://example.com",
            "https://exa mple.com",
            "http://[",
            "gemini-3.8-live",
            "\ud800",
            "",
            " ",
            "\x00",
        ),
        *("slidingWindow", "target_tokens", "automaticActivityDetection", "thinkingBudget", "proactiveAudio"),
        *("functionDeclarations", "parameters", "googleSearch", "model", "generationConfig", "languageCodes"),
        *_names(ClientMessage),
    ]
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    words,
    st.text(st.characters(), max_size=5),
    st.builds(lambda: 10**5000),
    st.sampled_from([-(2**63) - 1, 2**64, 1e308, 3 + 4j, Text("a"), Number(0.5)]),
)
others = st.one_of(
    st.binary(max_size=3),
    st.dates(),
    st.sampled_from(
        [
            *(
                object(),
                object,
                int,
                print,
                len,
                lambda: None,
                add,
                functools.partial(add),
                Cycle(),
                range(3),
            ),
            *(datetime.timedelta(1), decimal.Decimal(1), fractions.Fraction(1, 3), uuid.UUID(int=0), {1, 2}),
            *(
                MappingProxyType({"a": 1}),
                bytearray(b"a"),
                memoryview(b"a"),
                LiveConfig(),
                SessionOptions(),
                ...,
            ),
            *(LiveConfig, ConfigError("x"), iter([]), (n for n in range(2)), NotImplemented),
        ]
    ),
)
anything = st.recursive(
    scalars | others,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner),
        st.dictionaries(words | scalars.filter(lambda key: key == key), inner, max_size=3),
    ),
    max_leaves=6,
)
quietly = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100
)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "duologue")


def try_model(**options: Any) -> None:
    try:
        session = RealtimeModel(**{"api_key": "k", **options}).session(session_id="s")
    except ConfigError:
        return
    frame = encode({"setup": session._core._plan.setup})
    config = options.get("config")
    overrides = (
        config.setup_overrides if isinstance(config, LiveConfig) else "setup_overrides" in (config or ())
    )
    if not overrides:  # what they say goes out unchecked
        assert len(ClientDecoder().decode(frame)) == 1


def test_what_may_hold_a_secret_is_not_shown() -> None:
    config = LiveConfig(
        http_options={"headers": {"Authorization": "Bearer canary"}},
        session_resumption={"handle": "canary"},
        gemini_tools=({"parallelAiSearch": {"apiKey": "canary"}},),
        setup_overrides={"sessionResumption": {"handle": "canary"}},
    )
    assert "canary" not in repr(config)


@pytest.mark.parametrize(
    "name", [*(field.name for field in dataclasses.fields(LiveConfig)), "tools", "generation_config"]
)
@quietly
@given(value=anything)
def test_any_option_of_the_service(name: str, value: Any) -> None:
    for model in ("gemini-3.8-live", "gemini-2.5-flash-native-audio-latest", "any"):
        try_model(config={name: value}, model=model, tools=[add])


@pytest.mark.parametrize("name", ["parameters", "parameters_json_schema", "response", "name", "behavior"])
@quietly
@given(value=anything)
def test_any_declaration_among_googles_tools(name: str, value: Any) -> None:
    try_model(config={"tools": [{"function_declarations": [{"name": "f", name: value}]}]})
    schema = {"type": "object", "properties": {"a": value}, "required": value}
    try_model(config={"tools": [{"functionDeclarations": [{"name": "f", name: schema}]}]})


@pytest.mark.parametrize("name", sorted(ModelOptions.__annotations__))
@quietly
@given(value=anything)
def test_any_keyword_of_a_model(name: str, value: Any) -> None:
    try_model(**{name: value})


@quietly
@given(value=anything)
def test_any_handle_and_id(value: Any) -> None:
    for name, called in (("resume", "handle"), ("session_id", "session_id")):
        given: dict[str, Any] = {name: value}
        if value is None or (isinstance(value, str) and value.isascii()):
            RealtimeModel(api_key="k").session(**given)
        elif not isinstance(value, str):
            with pytest.raises(ConfigError, match=f"^{called} is "):
                RealtimeModel(api_key="k").session(**given)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": ""}, "model is ''; give a name"),
        ({"model": 5}, "model is 5; give a str"),
        ({"instructions": ["Be brief."]}, "instructions is a list; give a str or None"),
        ({"voice": 5}, "voice is 5"),
        ({"language": b"de"}, "language is a bytes"),
        ({"temperature": "hot"}, "temperature is a str; give a finite number or None"),
        ({"temperature": 2.5}, "temperature is 2.5; give 0 to 2"),
        ({"api_key": 5}, "api_key is 5; give a str or None"),
        ({"base_url": 5}, "base_url is 5; give a str or None"),
        ({"base_url": "https://exa mple.com"}, "base_url holds blanks"),
        ({"base_url": "https://example.com\r\nx: y"}, "base_url holds blanks"),
        ({"allow_insecure": "no"}, "allow_insecure is a str; give True or False"),
        ({"vertexai": "no"}, "vertexai is a str; give True or False or None"),
        ({"options": {"chunk_ms": 20}}, "options is a dict; give a SessionOptions"),
        ({"tools": 5}, "tools is 5; give a sequence"),
        ({"tools": add}, "tools is a FunctionTool; give a sequence"),
        ({"tools": "add"}, "tools is a str; give a sequence"),
        ({"tools": [5]}, r"tools\[0\] is 5; give functions"),
        ({"config": {5: 1}}, "config has no option 5"),
        ({"config": {"topP": 0.5, "top_p": 0.5}}, "config has top_p twice"),
        ({"config": {"top_p": "a"}}, r"LiveConfig\.top_p is a str; give a finite number or None"),
        ({"config": {"setup_overrides": 3}}, r"LiveConfig\.setup_overrides is 3; give a mapping"),
        ({"config": {"gemini_tools": {"googleSearch": {}}}}, r"LiveConfig\.gemini_tools is a dict"),
        ({"config": {"http_options": {"base_url": 5}}}, "base_url is 5"),
        ({"config": {"http_options": {"api_version": 5}}}, "api_version is 5"),
        ({"config": {"http_options": {"headers": 5}}}, "headers is 5; give a mapping"),
        ({"config": {"http_options": {"headers": {"x": 5}}}}, "the header 'x' is 5"),
    ],
)
def test_what_was_given_and_what_is_allowed(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        RealtimeModel(**{"api_key": "k", **options}).session()


# --- commands --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [None, 5, ["Hi."], b"Hi.", ChatMessage("user", "Hi."), "\ud800"])
async def test_what_is_no_text_is_refused_and_the_call_goes_on(anywhere: Place, text: Any) -> None:
    async with anywhere.session() as call:
        events = aiter(call)
        with pytest.raises(ConfigError, match=r"send_text: text is .*; give a str"):
            await call.send_text(text)
        if text is not None:
            with pytest.raises(ConfigError, match=r"generate_reply: instructions is .*; give a str or None"):
                await call.generate_reply(text)
        with pytest.raises(ConfigError, match=r"turns\[1\]\.text is"):
            await call.send_content([ChatMessage("user", "Hi."), ChatMessage("user", text)])
        assert call.chat_ctx.messages == ()
        await call.send_text("Hi.")
        await until(events, TurnCompleted)
        assert len(call.chat_ctx.messages) == 2


@pytest.mark.parametrize(
    "turns", [None, 5, "Hi.", ["Hi."], [None], [{"role": "user"}], ChatMessage("user", "Hi.")]
)
async def test_what_is_no_turn_is_refused(anywhere: Place, turns: Any) -> None:
    async with anywhere.session() as call:
        with pytest.raises(ConfigError, match=r"send_content: turns is .*a ChatMessage"):
            await call.send_content(turns)
        with pytest.raises(ConfigError, match=r"turns\[0\]\.role is 'system'; give 'user' or 'model'"):
            await call.send_content([ChatMessage("system", "Hi.")])  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("timeout_s", [None, "5", float("nan"), float("inf"), True, 0, -1.0])
async def test_a_time_that_is_no_number_is_refused(anywhere: Place, timeout_s: Any) -> None:
    async with anywhere.session() as call:
        with pytest.raises(ConfigError, match="generate_reply: timeout_s is"):
            await call.generate_reply(timeout_s=timeout_s)

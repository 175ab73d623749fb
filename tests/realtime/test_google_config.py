"""google-genai's LiveConnectConfig, and mappings that hold its words, as options of a session."""

from __future__ import annotations

import datetime
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from google.genai import types
from tests.realtime.conftest import Place, until

from duologue import LiveConfig, RealtimeModel, ToolResult, TurnCompleted, function_tool
from duologue.errors import ConfigError, Unsupported
from duologue.realtime.options import read_config

if TYPE_CHECKING:
    from collections.abc import Mapping

NATIVE_2_5 = "gemini-2.5-flash-native-audio-preview-12-2025"


def read(**options: Any) -> LiveConfig:
    return read_config(types.LiveConnectConfig(**options))[0]


def setup_of(config: object, **options: Any) -> Mapping[str, Any]:
    model = RealtimeModel(**{"api_key": "k", "model": NATIVE_2_5, "config": config, **options})
    return model.session()._core._plan.setup


def get_weather(city: str) -> str:
    """Current weather for a city."""
    return f"sunny in {city}"


# -- what is unset ----------------------------------------------------------------------------------------


def test_what_is_unset_there_is_unset_here_but_for_resumption() -> None:
    assert read() == LiveConfig(
        input_audio_transcription=None,
        output_audio_transcription=None,
        context_window_compression=None,
        session_resumption=True,
    )


def test_a_mapping_keeps_our_defaults() -> None:
    config, functions = read_config({"generationConfig": {"topP": 0.5}, "temperature": 0.1, "tools": []})
    assert config == LiveConfig(top_p=0.5, temperature=0.1)
    assert functions == []


def test_none_in_a_mapping_turns_off_and_hides_nothing_of_generation_config() -> None:
    config, _ = read_config(
        {"output_audio_transcription": None, "top_p": None, "generation_config": {"top_p": 0.5}}
    )
    assert config == LiveConfig(output_audio_transcription=None, top_p=0.5)


def test_a_mapping_may_hold_googles_objects_anywhere() -> None:
    setup = setup_of(
        {
            "speech_config": types.SpeechConfig(language_code="ka-GE"),
            "safety_settings": [types.SafetySetting(threshold=types.HarmBlockThreshold.BLOCK_NONE)],
            "realtimeInputConfig": {"activity_handling": types.ActivityHandling.NO_INTERRUPTION},
            "tools": [types.Tool(google_search=types.GoogleSearch())],
        }
    )
    assert setup["generationConfig"]["speechConfig"] == {"languageCode": "ka-GE"}
    assert setup["safetySettings"] == [{"threshold": "BLOCK_NONE"}]
    assert setup["realtimeInputConfig"] == {"activityHandling": "NO_INTERRUPTION"}
    assert setup["tools"] == [{"googleSearch": {}}]
    assert "outputAudioTranscription" in setup


def test_google_genai_is_never_imported() -> None:
    script = (
        "import sys, duologue; "
        "duologue.RealtimeModel(api_key='k', config={'tools': [{'google_search': {}}], 'temperature': 1.0}).session(); "
        "assert not [name for name in sys.modules if name.startswith(('google.genai', 'pydantic'))]"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


# -- generation_config ------------------------------------------------------------------------------------


def test_what_stands_beside_generation_config_counts_more() -> None:
    within = types.GenerationConfig(
        temperature=0.1, top_p=0.2, candidate_count=1, thinking_config=types.ThinkingConfig(thinking_budget=5)
    )
    config = read(
        generation_config=within, top_p=0.9, thinking_config=types.ThinkingConfig(include_thoughts=True)
    )
    assert (config.temperature, config.top_p, config.candidate_count) == (0.1, 0.9, 1)
    assert config.thinking_config == {"includeThoughts": True}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("response_logprobs", True),
        ("response_mime_type", "text/plain"),
        ("logprobs", 2),
        ("response_schema", types.Schema(type=types.Type.STRING)),
        ("stop_sequences", ["."]),
        ("routing_config", types.GenerationConfigRoutingConfig()),
        ("audio_timestamp", True),
        ("enable_enhanced_civic_answers", True),
    ],
)
def test_what_live_sessions_do_not_have_is_refused_by_name(field: str, value: Any) -> None:
    words = f"generation_config: .*{field}.*setup_overrides"
    with pytest.raises(Unsupported, match=words):
        read(generation_config=types.GenerationConfig(**{field: value}))
    with pytest.raises(Unsupported, match=words):
        read_config({"generation_config": {field: value}})


def test_a_generation_config_that_is_none() -> None:
    with pytest.raises(ConfigError, match="generation_config is 5; give a GenerationConfig"):
        read_config({"generation_config": 5})


# -- instructions, voices -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "content"),
    [
        ("a", {"parts": [{"text": "a"}], "role": "user"}),
        (types.Part(text="a"), {"parts": [{"text": "a"}], "role": "user"}),
        (["a", types.Part(text="b")], {"parts": [{"text": "a"}, {"text": "b"}], "role": "user"}),
        (types.Content(parts=[types.Part(text="a")]), {"parts": [{"text": "a"}]}),
        (types.Content(role="system"), {"role": "system"}),
        ({"text": "a"}, {"parts": [{"text": "a"}], "role": "user"}),
        ({"parts": [{"text": "a"}]}, {"parts": [{"text": "a"}]}),
    ],
)
def test_every_form_of_an_instruction(given: Any, content: Any) -> None:
    assert setup_of({"system_instruction": given})["systemInstruction"] == content
    assert setup_of(types.LiveConnectConfig(system_instruction=given))["systemInstruction"] == content


def test_instructions_that_are_files_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"system_instruction: there is no field 'parts\.uri'"):
        setup_of(types.LiveConnectConfig(system_instruction=types.File(uri="https://a.example/b")))


def test_a_voice_may_be_a_name_alone() -> None:
    assert setup_of({"speech_config": "Kore"})["generationConfig"]["speechConfig"] == {
        "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}
    }


# -- bytes, enums, instants -----------------------------------------------------------------------------------


def test_bytes_become_standard_base64_where_the_wire_has_bytes() -> None:
    clone = types.ReplicatedVoiceConfig(mime_type="audio/wav", voice_sample_audio=b"\xff\xd8\xff")
    setup = setup_of(
        types.LiveConnectConfig(
            avatar_config=types.AvatarConfig(
                customized_avatar=types.CustomizedAvatar(image_data=b"\xff\xd8\xff")
            ),
            speech_config=types.SpeechConfig(voice_config=types.VoiceConfig(replicated_voice_config=clone)),
        )
    )
    assert setup["avatarConfig"]["customizedAvatar"]["imageData"] == "/9j/"
    voice = setup["generationConfig"]["speechConfig"]["voiceConfig"]
    assert voice["replicatedVoiceConfig"]["voiceSampleAudio"] == "/9j/"
    with pytest.raises(ConfigError, match=r"labels\.a is a bytes"):
        read_config({"labels": {"a": b"b"}})


def test_instants_carry_their_zone() -> None:
    at = datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.UTC)

    def search(start: datetime.datetime) -> types.LiveConnectConfig:
        interval = types.Interval(start_time=start)
        return types.LiveConnectConfig(
            tools=[types.Tool(google_search=types.GoogleSearch(time_range_filter=interval))]
        )

    [tool] = setup_of(search(at))["tools"]
    assert tool["googleSearch"]["timeRangeFilter"] == {"startTime": "2026-01-02T03:00:00+00:00"}
    with pytest.raises(ConfigError, match="startTime is a datetime"):
        setup_of(search(at.replace(tzinfo=None)))


# -- tools ----------------------------------------------------------------------------------------------------


def declared(**function: Any) -> Any:
    tools: list[Any] = [types.Tool(function_declarations=[types.FunctionDeclaration(name="f", **function)])]
    return setup_of(types.LiveConnectConfig(tools=tools))["tools"][0]["functionDeclarations"][0]


def test_a_schema_stays_as_it_is_in_the_wires_names() -> None:
    schema = types.Schema(
        type=types.Type.OBJECT,
        properties={"max_items": types.Schema(any_of=[types.Schema(type=types.Type.STRING, max_length=3)])},
        property_ordering=["max_items"],
        title="t",
        default={"max_items": "a"},
    )
    assert declared(parameters=schema, response=types.Schema(type=types.Type.STRING)) == {
        "name": "f",
        "parameters": {
            "type": "OBJECT",
            "properties": {"max_items": {"anyOf": [{"type": "STRING", "maxLength": 3}]}},
            "propertyOrdering": ["max_items"],
            "title": "t",
            "default": {"max_items": "a"},
        },
        "response": {"type": "STRING"},
    }


def test_references_are_inlined() -> None:
    pet = types.Schema(type=types.Type.OBJECT, properties={"name": types.Schema(type=types.Type.STRING)})
    schema = types.Schema(
        type=types.Type.OBJECT,
        properties={
            "pet": types.Schema(ref="#/defs/Pet"),
            "pets": types.Schema(type=types.Type.ARRAY, items=pet),
        },
        defs={"Pet": pet},
    )
    inlined = {"type": "OBJECT", "properties": {"name": {"type": "STRING"}}}
    assert declared(parameters=schema)["parameters"] == {
        "type": "OBJECT",
        "properties": {"pet": inlined, "pets": {"type": "ARRAY", "items": inlined}},
    }


def test_json_schema_becomes_the_services_own() -> None:
    schema = {
        "type": "object",
        "properties": {"a_b": {"type": ["string", "null"]}, "kind": {"const": "x"}},
        "required": ["a_b"],
    }
    wanted = {
        "type": "OBJECT",
        "properties": {
            "a_b": {"type": "STRING", "nullable": True},
            "kind": {"type": "STRING", "enum": ["x"]},
        },
        "required": ["a_b"],
    }
    assert declared(parameters_json_schema=schema) == {"name": "f", "parameters": wanted}
    assert declared(response_json_schema=schema) == {"name": "f", "response": wanted}
    # Mappings say the same in either case, and JSON Schema where a Schema is meant.
    for name in ("function_declarations", "functionDeclarations"):
        setup = setup_of({"tools": [{name: [{"name": "f", "parameters": schema}]}]})
        assert setup["tools"] == [{"functionDeclarations": [{"name": "f", "parameters": wanted}]}]


def test_a_function_without_arguments_has_no_schema() -> None:
    assert declared(parameters_json_schema={"type": "object", "properties": {}}) == {"name": "f"}


@pytest.mark.parametrize(
    ("tools", "words"),
    [
        (5, r"config\.tools is 5; give a list"),
        ([5], r"config\.tools\[0\] is 5; give a Tool, a mapping or a function"),
        ([{"googleSearching": {}}], "gemini_tools: there is no field 'googleSearching'"),
        ([{"function_declarations": [{"name": "f", "arguments": {}}]}], "no field .*arguments"),
        ([{"function_declarations": [{"name": "f", "parameters": 5}]}], "function 'f': its schema is 5"),
        (
            [{"function_declarations": [{"name": "f", "parameters": {}, "parametersJsonSchema": {}}]}],
            "function 'f' has parameters and parameters_json_schema",
        ),
        ([get_weather, get_weather], "two tools are called 'get_weather'"),
        ([get_weather, {"function_declarations": [{"name": "get_weather"}]}], "two functions named"),
    ],
)
def test_tools_that_are_none(tools: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        setup_of({"tools": tools})


def test_mcp_is_refused_by_its_name() -> None:
    session = type("ClientSession", (), {"__module__": "mcp.client.session"})()
    with pytest.raises(Unsupported, match=r"config\.tools\[0\]: MCP is not in this version"):
        setup_of(types.LiveConnectConfig(tools=[session]))


def test_tools_under_both_names_are_refused() -> None:
    with pytest.raises(ConfigError, match="tools and gemini_tools"):
        read_config({"tools": [{"google_search": {}}], "gemini_tools": [{"google_search": {}}]})


async def test_plain_functions_are_run(anywhere: Place) -> None:
    @function_tool
    def wave() -> str:
        """Wave."""
        return "waved"

    config = types.LiveConnectConfig(tools=[get_weather])
    async with anywhere.session(config=config, tools=[wave]) as call:
        assert [tool.name for tool in call.tools] == ["wave", "get_weather"]
        events = aiter(call)
        await call.send_text("what is the weather?")
        result = await until(events, ToolResult)
        assert result.outcome == "answered"
        assert "sunny in London" in str(result.result)
        await until(events, TurnCompleted)


# -- everything else --------------------------------------------------------------------------------------------


def test_resumption_is_what_is_asked_for() -> None:
    resumption = types.SessionResumptionConfig(handle="h")
    assert setup_of(types.LiveConnectConfig(session_resumption=resumption))["sessionResumption"] == {
        "handle": "h"
    }
    assert read(session_resumption=types.SessionResumptionConfig(transparent=True)).session_resumption == {
        "transparent": True
    }
    with pytest.raises(ConfigError, match=r"resume and config\.session_resumption's handle"):
        RealtimeModel(api_key="k", config=types.LiveConnectConfig(session_resumption=resumption)).session(
            resume="g"
        )


async def test_http_options_say_where_to_go() -> None:
    options = types.HttpOptions(base_url="https://a.example", api_version="v1", headers={"x-team": "b"})
    session = RealtimeModel(api_key="k", config=types.LiveConnectConfig(http_options=options)).session()
    endpoint = await session._address.endpoint()
    assert endpoint.url.startswith("wss://a.example/ws/google.ai.generativelanguage.v1.")
    assert endpoint.headers["x-team"] == "b"


@pytest.mark.parametrize(
    "options",
    [{"timeout": 5}, {"extra_body": {}}, {"retry_options": types.HttpRetryOptions()}, {"client_args": {}}],
)
def test_other_http_options_are_refused_by_name(options: dict[str, Any]) -> None:
    config = types.LiveConnectConfig(http_options=types.HttpOptions(**options))
    with pytest.raises(ConfigError, match=next(iter(options))):
        RealtimeModel(api_key="k", config=config).session()


class NewerConnectConfig(types.LiveConnectConfig):
    """What a later version of google-genai might bring."""

    brand_new: int | None = None


class NewerSpeechConfig(types.SpeechConfig):
    brand_new: int | None = None


class Open(types.LiveConnectConfig, extra="allow"):
    """One that takes anything."""


@pytest.mark.parametrize("config", [NewerConnectConfig(brand_new=1), Open.model_validate({"brand_new": 1})])
def test_a_field_newer_than_we_know_is_refused_by_name(config: types.LiveConnectConfig) -> None:
    with pytest.raises(ConfigError, match="config has no option 'brand_new'"):
        read_config(config)


def test_a_field_newer_than_we_know_is_refused_by_name_wherever_it_stands() -> None:
    config = types.LiveConnectConfig(speech_config=NewerSpeechConfig(brand_new=1))
    with pytest.raises(ConfigError, match="speech_config: there is no field 'brandNew'"):
        setup_of(config)
    assert read_config(NewerConnectConfig(temperature=0.5))[0].temperature == 0.5


@pytest.mark.parametrize(
    "config", [types.GenerationConfig(temperature=0.5), 5, "x", object(), types.LiveConnectConfig]
)
def test_another_object_is_no_configuration(config: object) -> None:
    with pytest.raises(ConfigError, match="a mapping of its fields, or google-genai's LiveConnectConfig"):
        read_config(config)


def test_what_holds_itself_is_refused() -> None:
    labels: dict[str, Any] = {}
    labels["labels"] = labels
    with pytest.raises(ConfigError, match="nested more than 64 deep"):
        read_config({"labels": labels})


def test_the_given_object_stays_as_it_was() -> None:
    config = types.LiveConnectConfig(
        system_instruction="a",
        tools=[get_weather, types.Tool(function_declarations=[types.FunctionDeclaration(name="f")])],
    )
    before = config.model_copy(deep=True)
    setup_of(config)
    assert config == before

"""The setup message: everything given is on the wire or refused; nothing is dropped."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from duologue.config import LiveConfig
from duologue.errors import ConfigError, Unsupported
from duologue.wire.client import ClientMessage
from duologue.wire.codec import ClientDecoder, encode
from duologue.wire.overrides import merge_overrides
from duologue.wire.profiles import PROFILES, ModelProfile, profile_for
from duologue.wire.setup import build_setup, wire_model

UNKNOWN = dataclasses.replace(
    profile_for("?"),
    thinking="level",
    tool_behaviors=("BLOCKING", "NON_BLOCKING"),
    scheduling=True,
    history_config=True,
    explicit_vad_signal=True,
    affective_dialog=True,
    proactive_audio="opt-in",
)


def wire(
    config: LiveConfig | None = None, *, profile: ModelProfile = UNKNOWN, **given: Any
) -> dict[str, Any]:
    setup = build_setup(model="m", profile=profile, config=config or LiveConfig(), **given)
    plain: dict[str, Any] = msgspec.to_builtins(setup)
    decoder = ClientDecoder()
    assert decoder.decode(encode(ClientMessage(setup=setup))) == [ClientMessage(setup=setup)]
    return plain


# Each option with a value of its own, and where on the wire that value must be.
ON_THE_WIRE: dict[str, tuple[Any, tuple[str | int, ...], Any]] = {
    "response_modalities": (("text",), ("generationConfig", "responseModalities"), ["TEXT"]),
    "candidate_count": (3, ("generationConfig", "candidateCount"), 3),
    "max_output_tokens": (77, ("generationConfig", "maxOutputTokens"), 77),
    "top_p": (0.25, ("generationConfig", "topP"), 0.25),
    "top_k": (9, ("generationConfig", "topK"), 9),
    "presence_penalty": (0.5, ("generationConfig", "presencePenalty"), 0.5),
    "frequency_penalty": (0.75, ("generationConfig", "frequencyPenalty"), 0.75),
    "seed": (11, ("generationConfig", "seed"), 11),
    "media_resolution": (
        "MEDIA_RESOLUTION_LOW",
        ("generationConfig", "mediaResolution"),
        "MEDIA_RESOLUTION_LOW",
    ),
    "input_audio_transcription": (
        {"language_codes": ["ka"]},
        ("inputAudioTranscription",),
        {"languageCodes": ["ka"]},
    ),
    "output_audio_transcription": (
        {"diarization": True},
        ("outputAudioTranscription",),
        {"diarization": True},
    ),
    "enable_affective_dialog": (True, ("generationConfig", "enableAffectiveDialog"), True),
    "proactivity": ({"proactive_audio": True}, ("proactivity",), {"proactiveAudio": True}),
    "realtime_input_config": (
        {"automatic_activity_detection": {"silence_duration_ms": 600}, "activityHandling": "NO_INTERRUPTION"},
        ("realtimeInputConfig",),
        {"automaticActivityDetection": {"silenceDurationMs": 600}, "activityHandling": "NO_INTERRUPTION"},
    ),
    "context_window_compression": (
        {"trigger_tokens": 25_000, "slidingWindow": {"target_tokens": "8000"}},
        ("contextWindowCompression",),
        {"triggerTokens": 25_000, "slidingWindow": {"targetTokens": "8000"}},
    ),
    "thinking_config": (
        {"thinking_level": "LOW"},
        ("generationConfig", "thinkingConfig"),
        {"thinkingLevel": "LOW"},
    ),
    "history_config": (
        {"initial_history_in_client_content": True},
        ("historyConfig",),
        {"initialHistoryInClientContent": True},
    ),
    "safety_settings": (
        ({"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"},),
        ("safetySettings",),
        [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    ),
    "gemini_tools": (({"google_search": {}},), ("tools", 0), {"googleSearch": {}}),
    "temperature": (0.4, ("generationConfig", "temperature"), 0.4),
    "system_instruction": (
        {"parts": [{"text": "a"}, {"text": "b"}]},
        ("systemInstruction",),
        {"parts": [{"text": "a"}, {"text": "b"}]},
    ),
    "speech_config": (
        {"language_code": "ka", "voice_config": {"prebuilt_voice_config": {"voice_name": "Kore"}}},
        ("generationConfig", "speechConfig"),
        {"languageCode": "ka", "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
    ),
    "explicit_vad_signal": (True, ("explicitVadSignal",), True),
    "translation_config": (
        {"target_language_code": "ka"},
        ("generationConfig", "translationConfig"),
        {"targetLanguageCode": "ka"},
    ),
    "avatar_config": ({"avatar_name": "Kai"}, ("avatarConfig",), {"avatarName": "Kai"}),
    "labels": ({"team_name": "a"}, ("labels",), {"team_name": "a"}),
    "tool_behavior": ("NON_BLOCKING", ("tools", -1, "functionDeclarations", 0, "behavior"), "NON_BLOCKING"),
}
# Options that mean something elsewhere than in the setup message, and where.
NOT_IN_SETUP = {
    "session_resumption": "a switch: see its own test",
    "tool_response_scheduling": "each toolResponse",
    "image_encode_options": "each video frame",
    "api_version": "the endpoint",
    "http_options": "the endpoint",
    "setup_overrides": "merged by merge_overrides",
}


def test_every_option_is_accounted_for() -> None:
    options = {field.name for field in dataclasses.fields(LiveConfig)}
    assert options == set(ON_THE_WIRE) | set(NOT_IN_SETUP)


@pytest.mark.parametrize("option", ON_THE_WIRE)
def test_every_option_reaches_the_wire(option: str) -> None:
    value, path, expected = ON_THE_WIRE[option]
    config = dataclasses.replace(LiveConfig(), **{option: value})
    found: Any = wire(config, tools=[{"name": "f"}] if option == "tool_behavior" else ())
    for step in path:
        found = found[step]
    assert found == expected


def test_every_argument_reaches_the_wire() -> None:
    declaration = {"name": "f", "parameters": {"type": "OBJECT", "properties": {"a_b": {"type": "STRING"}}}}
    setup = wire(
        instructions="Be brief.",
        tools=[declaration],
        voice="Kore",
        language="ka-GE",
        temperature=0.5,
        handle="h",
        manual_activity=True,
    )
    generation = setup["generationConfig"]
    assert setup["model"] == "models/m"
    assert setup["systemInstruction"] == {"parts": [{"text": "Be brief."}], "role": "user"}
    assert setup["tools"] == [{"functionDeclarations": [declaration]}]
    assert generation["speechConfig"] == {
        "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}},
        "languageCode": "ka-GE",
    }
    assert generation["temperature"] == 0.5
    assert setup["sessionResumption"] == {"handle": "h"}
    assert setup["realtimeInputConfig"] == {"automaticActivityDetection": {"disabled": True}}


def test_defaults_are_few() -> None:
    assert wire() == {
        "model": "models/m",
        "generationConfig": {"responseModalities": ["AUDIO"]},
        "sessionResumption": {},
        "contextWindowCompression": {"slidingWindow": {}},
        "inputAudioTranscription": {},
        "outputAudioTranscription": {},
    }


def test_what_is_on_by_default_can_be_turned_off() -> None:
    config = LiveConfig(
        input_audio_transcription=None,
        output_audio_transcription=None,
        context_window_compression=None,
        session_resumption=False,
    )
    assert wire(config) == {"model": "models/m", "generationConfig": {"responseModalities": ["AUDIO"]}}


def test_a_handle_is_sent_although_resumption_is_off_and_never_as_null() -> None:
    assert wire(LiveConfig(session_resumption=False), handle="h")["sessionResumption"] == {"handle": "h"}
    assert "handle" not in wire()["sessionResumption"]


def test_manual_activity_keeps_the_rest_of_the_detection() -> None:
    config = LiveConfig(
        realtime_input_config={
            "turnCoverage": "TURN_INCLUDES_ALL_INPUT",
            "automaticActivityDetection": {"prefixPaddingMs": 5},
        }
    )
    assert wire(config, manual_activity=True)["realtimeInputConfig"] == {
        "turnCoverage": "TURN_INCLUDES_ALL_INPUT",
        "automaticActivityDetection": {"prefixPaddingMs": 5, "disabled": True},
    }


@pytest.mark.parametrize("model", ["models/x", "tunedModels/x"])
def test_models_with_a_prefix_stay(model: str) -> None:
    assert wire_model(model) == model
    assert wire_model("x") == "models/x"


MISSPELT: dict[str, Any] = {
    "input_audio_transcription": {"languageCode": ["ka"]},
    "output_audio_transcription": {"x": 1},
    "realtime_input_config": {"automatic_activity_detection": {"silence_ms": 1}},
    "context_window_compression": {"sliding_window": {"x": 1}},
    "thinking_config": {"budget": 1},
    "history_config": {"x": 1},
    "proactivity": {"audio": True},
    "gemini_tools": ({"googleSearchEngine": {}},),
}


@pytest.mark.parametrize("option", MISSPELT)
def test_a_misspelt_field_is_refused_by_name(option: str) -> None:
    with pytest.raises(ConfigError, match=option):
        wire(dataclasses.replace(LiveConfig(), **{option: MISSPELT[option]}))


def test_a_misspelt_declaration_is_refused() -> None:
    with pytest.raises(ConfigError, match="tools"):
        wire(tools=[{"name": "f", "arguments": {}}])


def test_a_wrong_type_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="realtime_input_config"):
        wire(LiveConfig(realtime_input_config={"automatic_activity_detection": {"disabled": "maybe"}}))


LACKING: list[tuple[str, dict[str, Any]]] = [
    ("2.5-native", {"response_modalities": ("TEXT",)}),
    ("3.8", {"response_modalities": ("TEXT",)}),
    ("3.8", {"enable_affective_dialog": True}),
    ("3.8", {"thinking_config": {"thinking_level": "LOW"}}),
    ("3.8", {"thinking_config": {"thinking_budget": 0}}),
    ("2.5-native", {"thinking_config": {"thinking_level": "LOW"}}),
    ("3.8", {"proactivity": False}),
    ("3.8", {"proactivity": {"proactiveAudio": False}}),
    ("unknown", {"proactivity": True}),
    ("unknown", {"enable_affective_dialog": True}),
    ("unknown", {"tool_behavior": "NON_BLOCKING"}),
]


@pytest.mark.parametrize(("name", "options"), LACKING)
def test_what_a_profile_lacks_is_refused(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(Unsupported, match=name):
        wire(LiveConfig(**options), profile=PROFILES.get(name, profile_for("?")), tools=[{"name": "f"}])


def test_what_a_profile_has_is_taken() -> None:
    assert wire(LiveConfig(thinking_config={"thinkingBudget": 0}), profile=PROFILES["2.5-native"])
    assert wire(LiveConfig(thinking_config={"thinkingLevel": "HIGH"}), profile=PROFILES["3.8-thinking"])
    assert wire(LiveConfig(proactivity=True), profile=PROFILES["3.8"])["proactivity"] == {
        "proactiveAudio": True
    }


def test_a_declarations_own_behavior_wins() -> None:
    declarations = [{"name": "f", "behavior": "BLOCKING"}, {"name": "g"}]
    setup = wire(LiveConfig(tool_behavior="NON_BLOCKING"), tools=declarations)
    assert [f["behavior"] for f in setup["tools"][0]["functionDeclarations"]] == ["BLOCKING", "NON_BLOCKING"]
    assert declarations[1] == {"name": "g"}


class TestOverrides:
    setup = build_setup(model="m", profile=UNKNOWN, config=LiveConfig(top_p=0.5, seed=1))

    def merged(self, overrides: dict[str, Any]) -> dict[str, Any]:
        return merge_overrides(self.setup, overrides)

    def test_they_are_merged_deeply_in_either_spelling(self) -> None:
        for spelling in (
            {"generationConfig": {"topP": 0.1, "brandNew": {"a_b": 1}}},
            {"generation_config": {"top_p": 0.1, "brandNew": {"a_b": 1}}},
        ):
            assert self.merged(spelling)["generationConfig"] == {
                "responseModalities": ["AUDIO"],
                "topP": 0.1,
                "seed": 1,
                "brandNew": {"a_b": 1},
            }

    def test_none_removes_and_never_reaches_the_wire(self) -> None:
        merged = self.merged(
            {"generationConfig": {"seed": None}, "sessionResumption": {"handle": None}, "labels": {"x": None}}
        )
        assert "seed" not in merged["generationConfig"]
        assert merged["sessionResumption"] == {}
        assert merged["labels"] == {}
        assert "sessionResumption" not in self.merged({"session_resumption": None})

    def test_lists_and_plain_values_are_replaced(self) -> None:
        merged = self.merged({"generationConfig": {"responseModalities": ["TEXT"]}, "model": "models/other"})
        assert merged["generationConfig"]["responseModalities"] == ["TEXT"]
        assert merged["model"] == "models/other"

    def test_keys_of_users_stay(self) -> None:
        merged = self.merged(
            {"tools": [{"function_declarations": [{"name": "f", "parameters": {"some_key": 1}}]}]}
        )
        assert merged["tools"] == [{"functionDeclarations": [{"name": "f", "parameters": {"some_key": 1}}]}]

    def test_the_setup_itself_is_untouched(self) -> None:
        before = encode(self.setup)
        self.merged({"generationConfig": {"topP": 0.9}})
        assert encode(self.setup) == before


class Celsius(float):
    """A float that is not exactly one, as NumPy's are."""


class Name(str):
    __slots__ = ()


def test_values_of_a_subclass_go_out_as_what_they_are() -> None:
    setup = build_setup(
        model="m",
        profile=UNKNOWN,
        config=LiveConfig(top_p=Celsius(0.5)),
        voice=Name("Kore"),
        temperature=Celsius(1),
    )
    merged = merge_overrides(
        setup, {"labels": MappingProxyType({"a": Name("b")}), "x": [MappingProxyType({"n": 1})]}
    )
    assert encode(merged) == encode(
        {
            **merge_overrides(
                build_setup(
                    model="m", profile=UNKNOWN, config=LiveConfig(top_p=0.5), voice="Kore", temperature=1.0
                ),
                {},
            ),
            "labels": {"a": "b"},
            "x": [{"n": 1}],
        }
    )


def test_what_json_cannot_hold_is_refused_before_anything_is_sent() -> None:
    setup = build_setup(
        model="m", profile=UNKNOWN, config=LiveConfig(), tools=[{"name": "f", "parameters": {"x": {1j}}}]
    )
    with pytest.raises(ConfigError, match="cannot be written as JSON: there is no JSON for complex"):
        merge_overrides(setup, {})
    with pytest.raises(ConfigError, match="cannot be written as JSON"):
        merge_overrides(
            build_setup(model="m", profile=UNKNOWN, config=LiveConfig()), {"labels": {"a": "\ud800"}}
        )


@pytest.mark.parametrize(
    ("config", "given", "twins"),
    [
        (LiveConfig(temperature=0.1), {"temperature": 0.2}, "temperature and config.temperature"),
        (LiveConfig(system_instruction="a"), {"instructions": "b"}, "instructions and config.system_instr"),
        (LiveConfig(speech_config={}), {"voice": "Kore"}, "voice and config.speech_config"),
        (LiveConfig(speech_config={}), {"language": "ka"}, "language and config.speech_config"),
        (LiveConfig(session_resumption={"handle": "x"}), {"handle": "y"}, "resume and config.session_resum"),
    ],
)
def test_what_is_given_twice_is_refused(config: LiveConfig, given: dict[str, Any], twins: str) -> None:
    with pytest.raises(ConfigError, match=twins):
        wire(config, **given)


def test_the_default_voice_gives_way_to_a_speech_config() -> None:
    config = LiveConfig(speech_config={"languageCode": "ka"})
    assert wire(config, voice="Puck")["generationConfig"]["speechConfig"] == {"languageCode": "ka"}


@pytest.mark.parametrize(
    ("profile", "config", "tools", "says"),
    [
        ("3.1", LiveConfig(thinking_config={"thinkingBudget": 5}), (), "takes thinking_level"),
        ("2.5-native", LiveConfig(thinking_config={"thinking_level": "LOW"}), (), "takes thinking_budget"),
        ("3.8", LiveConfig(thinking_config={"includeThoughts": True}), (), "takes no thinking option"),
        ("3.8-thinking", LiveConfig(thinking_config={"thinking_budget": 5}), (), "takes thinking_level"),
        ("3.1", LiveConfig(tool_behavior="NON_BLOCKING"), (), "which has BLOCKING"),
        ("3.8-thinking", LiveConfig(), ({"name": "f", "behavior": "BLOCKING"},), "which has NON_BLOCKING"),
        (
            "3.1",
            LiveConfig(tool_response_scheduling="SILENT"),
            (),
            "tool_response_scheduling: .* not have it",
        ),
        ("3.8", LiveConfig(proactivity=False), (), "always on"),
        ("3.1", LiveConfig(proactivity=True), (), "proactivity: .* does not have it"),
        ("3.8", LiveConfig(enable_affective_dialog=True), (), "enable_affective_dialog: .* not have it"),
        ("3.8", LiveConfig(gemini_tools=({"codeExecution": {}},)), (), "it has functions, googleSearch"),
        ("3.8", LiveConfig(explicit_vad_signal=True), (), "explicit_vad_signal: .* not have it"),
        ("3.8", LiveConfig(session_resumption={"transparent": True}), (), "transparent: .* not have it"),
        ("3.8", LiveConfig(explicit_vad_signal=False), (), "explicit_vad_signal: .* not have it"),
        ("3.8", LiveConfig(session_resumption={"transparent": False}), (), "transparent: .* not have it"),
        (
            "3.8",
            LiveConfig(safety_settings=[{"method": "SEVERITY"}]),
            (),
            "safety_settings.method: .* not have",
        ),
        (
            "3.8",
            LiveConfig(gemini_tools=({"googleSearch": {"excludeDomains": ["a.example"]}},)),
            (),
            "google_search.exclude_domains: .* not have it",
        ),
        (
            "vertex-native",
            LiveConfig(speech_config={"voiceConfig": {"replicatedVoiceConfig": {"consentAudio": "AA=="}}}),
            (),
            "replicated_voice_config.consent_audio: .* not have it",
        ),
        (
            "2.5-native",
            LiveConfig(speech_config={"multiSpeakerVoiceConfig": {}}),
            (),
            "multi_speaker_voice_config: .* not have it",
        ),
        ("vertex-native", LiveConfig(translation_config={}), (), "translation_config: .* not have it"),
        ("vertex-native", LiveConfig(history_config={}), (), "history_config: .* not have it"),
        ("vertex-native", LiveConfig(response_modalities=["TEXT"]), (), "exactly one of AUDIO"),
    ],
)
def test_what_a_profile_does_not_allow_is_refused_with_what_it_does(
    profile: str, config: LiveConfig, tools: tuple[dict[str, Any], ...], says: str
) -> None:
    with pytest.raises(Unsupported, match=says):
        wire(config, profile=PROFILES[profile], tools=tools)


def test_vertex_has_options_of_its_own() -> None:
    config = LiveConfig(session_resumption={"transparent": True}, explicit_vad_signal=True)
    setup = wire(config, profile=PROFILES["vertex-native"], project="p", location="l")
    assert setup["sessionResumption"] == {"transparent": True}
    assert setup["model"] == "projects/p/locations/l/publishers/google/models/m"


@pytest.mark.parametrize(
    ("model", "place", "name"),
    [
        ("x", {}, "publishers/google/models/x"),
        ("models/x", {}, "publishers/google/models/x"),
        ("google/x", {}, "publishers/google/models/x"),
        ("publishers/google/models/x", {}, "publishers/google/models/x"),
        ("x", {"project": "p", "location": "l"}, "projects/p/locations/l/publishers/google/models/x"),
        ("projects/p/x", {"project": "q", "location": "l"}, "projects/p/x"),
    ],
)
def test_a_model_on_vertex_is_a_publishers(model: str, place: dict[str, str], name: str) -> None:
    assert wire_model(model, "vertex", **place) == name


@pytest.mark.parametrize("top_k", [40, 40.0])
def test_top_k_is_a_whole_number(top_k: float) -> None:
    sent = wire(LiveConfig(top_k=top_k))["generationConfig"]["topK"]
    assert (sent, type(sent)) == (40, int)
    with pytest.raises(ConfigError, match=r"top_k is 40\.5; give a whole number"):
        wire(LiveConfig(top_k=40.5))


def test_two_functions_of_one_name_are_refused() -> None:
    config = LiveConfig(gemini_tools=({"functionDeclarations": [{"name": "f"}]},))
    with pytest.raises(ConfigError, match="two functions named 'f'"):
        wire(config, tools=[{"name": "f"}])


@pytest.mark.parametrize("project", ["p/../x", "p?x", "p\n", "\u65e5\u672c", ".."])
def test_a_project_that_none_can_be_called_is_refused(project: str) -> None:
    with pytest.raises(ConfigError, match=r"^project is"):
        wire_model("m", "vertex", project=project, location="l")
    assert "example.com:p-1" in wire_model("m", "vertex", project="example.com:p-1", location="l")


def test_overrides_are_the_content_of_the_setup_and_not_the_message() -> None:
    with pytest.raises(ConfigError, match=r"under its key 'setup'"):
        merge_overrides(build_setup(model="m", profile=UNKNOWN, config=LiveConfig()), {"setup": {}})


def test_resumption_is_off_by_none_too() -> None:
    assert "sessionResumption" not in wire(LiveConfig(session_resumption=None))

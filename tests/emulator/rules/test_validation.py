"""What is refused, and how; and that nothing a peer sends makes the rules raise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.emulator.rules.conftest import MODELS, Call, Dial, EnergyDetector

from duologue.emulator.profiles import GRADES, PROFILES, profile_for_model
from duologue.emulator.rules import ServerRules, Service, refuse_key
from duologue.errors import ConfigError

NATIVE = MODELS["2.5-native"]


def refused(call: Call) -> tuple[int, str]:
    assert call.closed is not None
    return call.closed.code, call.closed.reason


SETUP_FIRST = (1007, "setup must be the first message and only the first")
INVALID = (1007, "Request contains an invalid argument.")


@pytest.mark.parametrize(
    "first",
    [
        {"clientContent": {"turnComplete": True}},
        {"realtime_input": {"text": "Hi"}},
        {"toolResponse": {}},
        {"contextUpdate": {}},
        {},
    ],
)
def test_setup_comes_first(dial: Dial, first: dict[str, Any]) -> None:
    call = dial()
    call.send(first)
    assert refused(call) == SETUP_FIRST


def test_setup_comes_once(dial: Dial) -> None:
    assert refused(dial().set_up().set_up()) == SETUP_FIRST


@pytest.mark.parametrize(
    ("setup", "reason"),
    [
        ({"bogus": 1}, "Unknown name \"bogus\" at 'setup': Cannot find field."),
        (
            {"generationConfig": {"speechConfig": {"pitch": 1}}},
            "Unknown name \"pitch\" at 'setup.generationConfig.speechConfig': Cannot find field.",
        ),
    ],
)
def test_unknown_fields(dial: Dial, setup: dict[str, Any], reason: str) -> None:
    call = dial()
    call.send({"setup": {"model": NATIVE} | setup})
    assert refused(call) == (1007, f"Invalid JSON payload received. {reason}")


def test_unknown_fields_at_the_top_and_later_on(dial: Dial) -> None:
    call = dial().set_up()
    call.send({"bogus": {}})
    assert refused(call) == (1007, 'Invalid JSON payload received. Unknown name "bogus": Cannot find field.')
    call = dial().set_up()
    call.send({"realtimeInput": {"activity": {}}})
    assert refused(call)[0] == 1007


def test_several_keys_in_one_message(dial: Dial) -> None:
    call = dial().set_up()
    call.send({"clientContent": {"turnComplete": True}, "realtimeInput": {"text": "Hi"}})
    code, reason = refused(call)
    assert code == 1007
    assert "message_type" in reason


def test_several_messages_in_one_frame(dial: Dial) -> None:
    call = dial()
    call.send(json.dumps({"setup": {"model": NATIVE}}) + "\n" + json.dumps({"realtimeInput": {"text": "Hi"}}))
    assert call.closed is None
    assert len(call.prompts()) == 1


@pytest.mark.parametrize(
    "frame", ["", "{", "[]", "null", b"\xff\xfe", '{"setup": 1}', '{"setup":{"model":1}}', "[" * 100_000]
)
def test_what_is_no_message(dial: Dial, frame: str | bytes) -> None:
    call = dial()
    call.send(frame)
    code, reason = refused(call)
    assert code == 1007
    assert reason.startswith("Invalid JSON payload received.") or (code, reason) == SETUP_FIRST


@pytest.mark.parametrize(
    ("model", "setup", "expected"),
    [
        (
            "2.5-native",
            {"generationConfig": {"responseModalities": ["TEXT"]}},
            (1007, "Cannot extract voices from a non-audio request."),
        ),
        (
            "3.8",
            {"generationConfig": {"responseModalities": ["TEXT"]}},
            (1011, "Internal error encountered."),
        ),
        ("2.5-native", {"generationConfig": {"responseModalities": ["TEXT", "AUDIO"]}}, INVALID),
        ("2.5-native", {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}}, INVALID),
        ("3.8", {"generationConfig": {"thinkingConfig": {"thinkingBudget": 1}}}, INVALID),
        ("3.8", {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}}, INVALID),
        ("3.8", {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}, INVALID),
        ("3.8", {"generationConfig": {"responseMimeType": "application/json"}}, INVALID),
        ("2.5-native", {"generationConfig": {"stopSequences": ["."]}}, INVALID),
        ("3.8", {"sessionResumption": {"handle": None}}, INVALID),
        ("3.8", {"proactivity": {"proactiveAudio": False}}, INVALID),
        ("2.5-native", {"tools": [{"codeExecution": {}}]}, INVALID),
        ("2.5-native", {"tools": [{"functionDeclarations": [{"name": "no blanks"}]}]}, INVALID),
        (
            "2.5-native",
            {"realtimeInputConfig": {"automaticActivityDetection": {"prefixPaddingMs": -1}}},
            INVALID,
        ),
    ],
)
def test_setups_a_profile_refuses(
    dial: Dial, model: str, setup: dict[str, Any], expected: tuple[int, str]
) -> None:
    call = dial()
    call.send({"setup": {"model": MODELS[model]} | setup})
    assert refused(call) == expected


@pytest.mark.parametrize(
    "setup",
    [
        {"generationConfig": {"responseModalities": ["audio"]}},
        {"generationConfig": {"responseModalities": ["AUDIO"], "mediaResolution": "HUGE"}},
        {"realtimeInputConfig": {"activityHandling": "SOMETIMES"}},
        {"realtimeInputConfig": {"turnCoverage": "ALL"}},
        {
            "realtimeInputConfig": {
                "automaticActivityDetection": {"startOfSpeechSensitivity": "START_SENSITIVITY_MEDIUM"}
            }
        },
        {"realtimeInputConfig": {"automaticActivityDetection": {"endOfSpeechSensitivity": "LOW"}}},
        {"tools": [{"functionDeclarations": [{"name": "f", "behavior": "LATER"}]}]},
    ],
)
def test_bad_enums(dial: Dial, setup: dict[str, Any]) -> None:
    code, reason = refused(dial().set_up(**setup))
    assert code == 1007
    assert reason.startswith("Invalid value at 'setup.")


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"type": "OBJECT", "$schema": "x"}, "$schema"),
        ({"type": "OBJECT", "properties": {"a": {"type": "STRING", "const": 1}}}, "const"),
        ({"type": "ARRAY", "items": {"oneOf": []}}, "oneOf"),
        ({"any_of": [{"exclusiveMinimum": 1}]}, "exclusiveMinimum"),
    ],
)
def test_json_schema_words_google_does_not_know(dial: Dial, parameters: dict[str, Any], name: str) -> None:
    code, reason = refused(
        dial().set_up(tools=[{"functionDeclarations": [{"name": "f", "parameters": parameters}]}])
    )
    assert code == 1007
    assert f'Unknown name "{name}"' in reason


@pytest.mark.parametrize(
    "setup",
    [
        {"sessionResumption": {"handle": None}},
        {"generationConfig": {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": -1}}},
        {
            "tools": [
                {"googleSearch": {}},
                {"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT", "properties": {}}}]},
            ]
        },
        {"contextWindowCompression": {"triggerTokens": "25000", "slidingWindow": {"targetTokens": 8000}}},
        {
            "generation_config": {
                "response_modalities": ["AUDIO"],
                "speech_config": {"voice_config": {"prebuilt_voice_config": {"voice_name": "Kore"}}},
            }
        },
        {
            "systemInstruction": {"role": "user", "parts": [{"text": "Be brief."}]},
            "safetySettings": [{"category": "x"}],
        },
    ],
)
def test_setups_that_are_taken(dial: Dial, setup: dict[str, Any]) -> None:
    call = dial().set_up(**setup)
    assert call.closed is None
    assert call.kinds() == ["setup_complete"]


def test_fields_of_v1alpha(dial: Dial) -> None:
    setups: tuple[dict[str, Any], ...] = (
        {"proactivity": {"proactiveAudio": True}},
        {"generationConfig": {"enableAffectiveDialog": True}},
    )
    for setup in setups:
        assert "Unknown name" in refused(dial().set_up(**setup))[1]
        assert dial(api_version="v1alpha").set_up(**setup).closed is None
    affective: dict[str, Any] = {"generationConfig": {"enableAffectiveDialog": True}}
    assert refused(dial(api_version="v1alpha").set_up("3.8", **affective)) == INVALID


@pytest.mark.parametrize("model", ["", "models/gemini-9", "models/gemini-3.8-live-extended-thinking"])
def test_unknown_models(dial: Dial, model: str) -> None:
    call = dial(api_version="v1")
    call.send({"setup": {"model": model}})
    code, reason = refused(call)
    assert code == 1008
    assert reason.encode()
    assert (
        "is not found for API version v1, or is not supported for bidiGenerateContent. Call ListModels"
        in reason
    )


def test_a_forced_profile_takes_any_model(dial: Dial) -> None:
    assert dial(profile="3.8").set_up("models/gemini-9").kinds()[:2] == ["setup_complete", "handle"]
    with pytest.raises(ConfigError, match=r"2\.5-native"):
        ServerRules(Service(), make_detector=EnergyDetector, profile="4")


@pytest.mark.parametrize(
    ("manual", "message"),
    [(False, {"activityStart": {}}), (False, {"activityEnd": {}}), (True, {"audioStreamEnd": True})],
)
def test_marks_that_do_not_fit_the_detection(dial: Dial, manual: bool, message: dict[str, Any]) -> None:
    call = dial().set_up(realtimeInputConfig={"automaticActivityDetection": {"disabled": manual}})
    call.send({"realtimeInput": message})
    assert refused(call) == (1007, "Precondition check failed.")


@pytest.mark.parametrize(
    ("blob", "code"),
    [
        ({"mimeType": "audio/pcm;rate=16000", "data": "not base64!"}, 1007),
        ({"mimeType": "audio/mp3", "data": ""}, 1007),
        ({"mimeType": "audio/pcm;rate=1", "data": ""}, 1007),
        ({"mimeType": "audio/pcm", "data": "AA"}, None),
        ({"mimeType": "AUDIO/PCM; rate=24000", "data": ""}, None),
    ],
)
def test_blobs(dial: Dial, blob: dict[str, Any], code: int | None) -> None:
    call = dial().set_up()
    call.send({"realtimeInput": {"audio": blob}})
    assert (call.closed.code if call.closed else None) == code


def test_pictures_are_taken_and_not_looked_at(dial: Dial) -> None:
    call = dial().set_up()
    picture = {"mimeType": "image/jpeg", "data": "_9g="}
    call.send({"realtimeInput": {"video": picture}})
    call.send({"realtimeInput": {"mediaChunks": [picture]}})
    assert call.closed is None


@pytest.mark.parametrize(
    "turn",
    [
        {"role": "system", "parts": [{"text": "x"}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f"}}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
    ],
)
def test_turns_a_live_conversation_does_not_take(dial: Dial, turn: dict[str, Any]) -> None:
    call = dial().set_up()
    call.send({"clientContent": {"turns": [turn]}})
    assert refused(call) == INVALID


def test_keys() -> None:
    assert refuse_key("anything") is None
    assert refuse_key("right", ["right"]) is None
    wrong, missing = refuse_key("wrong", ["right"]), refuse_key(None)
    assert wrong is not None
    assert (wrong.code, wrong.reason) == (1007, "API key not valid. Please pass a valid API key.")
    assert missing is not None
    assert missing.code == 1008
    assert missing.reason.encode()[:123].decode().endswith("Please use API Key or other form of API c")


def test_every_choice_of_a_profile_has_a_grade() -> None:
    for name, row in PROFILES.items():
        assert {field for field in row.__slots__ if field != "name"} == set(GRADES[name])
    assert profile_for_model("models/gemini-3.8-live") is PROFILES["3.8"]
    assert profile_for_model("gemini-2.5-flash-native-audio-latest") is PROFILES["2.5-native"]


# --- whatever comes, the rules answer with frames or a close and never raise ---

texts = st.text(max_size=12) | st.sampled_from(
    ["user", "model", ".", "", "AUDIO", "\ud800", "AAAA", "audio/pcm;rate=8000"]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | texts
NAMES = [
    "setup", "model", "clientContent", "turns", "turnComplete", "realtimeInput", "realtime_input", "audio", "text", "data",
    "mimeType", "mime_type", "activityStart", "activityEnd", "audioStreamEnd", "toolResponse", "functionResponses", "id",
    "response", "scheduling", "parts", "role", "tools", "functionDeclarations", "name", "parameters", "generationConfig",
    "sessionResumption", "handle", "contextUpdate", "systemInstruction", "historyConfig", "mediaChunks", "bogus",
]  # fmt: skip
values = st.recursive(
    leaves,
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | texts, below, max_size=4)
    ),
    max_leaves=12,
)
TOP = ["setup", "clientContent", "realtimeInput", "toolResponse", "contextUpdate"]
messages = st.dictionaries(st.sampled_from(TOP), values, min_size=1, max_size=2)
plausible = st.one_of(
    st.fixed_dictionaries({"realtimeInput": st.fixed_dictionaries({"text": texts})}),
    st.fixed_dictionaries(
        {
            "clientContent": st.fixed_dictionaries(
                {
                    "turns": st.lists(
                        st.fixed_dictionaries(
                            {
                                "role": st.sampled_from(["user", "model"]),
                                "parts": st.lists(st.fixed_dictionaries({"text": texts}), max_size=2),
                            }
                        ),
                        max_size=3,
                    ),
                    "turnComplete": st.booleans(),
                }
            )
        }
    ),
    st.binary(max_size=2000).map(
        lambda raw: {"realtimeInput": {"audio": {"data": __import__("base64").b64encode(raw).decode()}}}
    ),
    st.just({"realtimeInput": {"audioStreamEnd": True}}),
)
frames = st.binary(max_size=60) | texts | (messages | plausible).map(lambda value: json.dumps(value))


@settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(
    first=frames | st.sampled_from(sorted(MODELS)),
    rest=st.lists(st.tuples(frames, st.floats(0, 3)), max_size=8),
)
def test_nothing_a_peer_sends_makes_the_rules_raise(
    dial: Dial, first: str | bytes, rest: list[tuple[str | bytes, float]]
) -> None:
    call = dial(shared=Service())
    if isinstance(first, str) and first in MODELS:
        call.set_up(first, sessionResumption={})
    else:
        call.send(first)
    for frame, wait_s in rest:
        call.send(frame)
        call.run(wait_s)
    if call.closed is not None:
        assert call.closed.reason.encode()
        assert call.rules.next_deadline() is None
    call.rules.link_lost(call.now)

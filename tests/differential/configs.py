"""LiveConnectConfigs by hypothesis: mostly such as models take, each field often enough, and some that none takes."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from google.genai import types
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from duologue.wire.profiles import Backend

__all__ = ["MODELS", "SPECIAL", "Case", "cases", "get_weather"]

MODELS: dict[Backend, tuple[str, ...]] = {
    "developer": (
        "gemini-2.5-flash-native-audio-preview-12-2025",
        "gemini-3.1-flash-live-preview",
        "gemini-3.8-live",
        "gemini-3.8-live-extended-thinking",
        "gemini-next-live-translate",
    ),
    "vertex": ("gemini-live-2.5-flash", "gemini-live-2.5-flash-native-audio", "gemini-next-live"),
}


@dataclass(frozen=True)
class Case:
    """What a program asks google-genai for; the models are one for each backend."""

    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    developer: str = MODELS["developer"][0]
    vertex: str = MODELS["vertex"][1]

    def model(self, backend: Backend) -> str:
        return self.developer if backend == "developer" else self.vertex

    def config(self) -> types.LiveConnectConfig:
        """A new one each time: google-genai writes into what it is given."""
        return types.LiveConnectConfig(**self.options)


def get_weather(city: str, days: int, unit: str | None = None) -> str:
    """Current weather for a city.

    Args:
        city: Where.
        days: How many.
        unit: Of the temperature.
    """
    return f"{city} {days} {unit}"


def tell_time() -> str:
    """Tell the time."""
    return "noon"


text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
flag = st.booleans()
language = st.sampled_from(["en-US", "ka-GE", "de-DE"])
octets = st.binary(min_size=1, max_size=7)
share = st.floats(0, 1).map(lambda value: round(value, 3))


def some(cls: Callable[..., Any], /, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with any of these fields set."""
    return st.fixed_dictionaries({}, optional=fields).map(lambda given: cls(**given))


# -- schemas ----------------------------------------------------------------------------------------------

_NAMES = st.sampled_from(["a", "b_c", "max_items", "type"])
_leaf = st.one_of(
    some(
        types.Schema,
        type=st.just("STRING"),
        description=text,
        nullable=flag,
        enum=st.lists(text, min_size=1, max_size=2, unique=True),
        max_length=st.integers(1, 9),
        default=text,
        title=text,
        example=text,
    ),
    some(types.Schema, minimum=st.integers(0, 3), maximum=st.integers(4, 9)),
).map(lambda schema: schema.model_copy(update={"type": schema.type or types.Type.INTEGER}))
schemas = st.recursive(
    _leaf,
    lambda inner: st.one_of(
        inner.map(lambda item: types.Schema(type=types.Type.ARRAY, items=item, max_items=3)),
        st.lists(inner, min_size=2, max_size=2).map(lambda options: types.Schema(any_of=options)),
    ),
    max_leaves=3,
)
objects = st.dictionaries(_NAMES, schemas, min_size=1, max_size=3).map(
    lambda named: types.Schema(
        type=types.Type.OBJECT, properties=named, required=[next(iter(named))], property_ordering=list(named)
    )
)
# What both dialects say in the same words, but for the case of types and the way to say null.
_json_leaf = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["string", "integer", "number", "boolean"])}, optional={"description": text}
    ),
    st.fixed_dictionaries(
        {"type": st.just("string"), "enum": st.lists(text, min_size=1, max_size=2, unique=True)}
    ),
)
json_schemas = st.recursive(
    _json_leaf,
    lambda inner: st.one_of(
        inner.map(lambda item: {"type": "array", "items": item, "maxItems": 2}),
        _json_leaf.map(lambda option: {"anyOf": [option, {"type": "null"}]}),
        st.dictionaries(_NAMES, inner, min_size=1, max_size=2).map(
            lambda named: {"type": "object", "properties": named, "required": sorted(named)}
        ),
    ),
    max_leaves=3,
)
json_objects = st.dictionaries(_NAMES, json_schemas, min_size=1, max_size=2).map(
    lambda named: {"type": "object", "properties": named, "required": sorted(named)}
)


def declarations(name: str) -> st.SearchStrategy[Any]:
    common = {"name": st.just(name)}
    also = {"description": text, "response": st.just(types.Schema(type=types.Type.STRING))}
    return st.one_of(
        st.fixed_dictionaries({**common, "parameters": objects}, optional=also),
        st.fixed_dictionaries({**common, "parameters_json_schema": json_objects}, optional=also),
        st.fixed_dictionaries(common, optional=also),
    )


_as_object = st.sampled_from([lambda **given: types.Tool(**given), dict])
function_tools = st.tuples(
    _as_object,
    st.lists(st.sampled_from(["f", "g", "look_up"]), min_size=1, max_size=2, unique=True).flatmap(
        lambda names: st.tuples(*(declarations(name) for name in names))
    ),
).map(lambda drawn: drawn[0](function_declarations=list(drawn[1])))
search: st.SearchStrategy[Any] = st.one_of(
    st.just(types.Tool(google_search=types.GoogleSearch())),
    st.just({"google_search": {}}),
    st.just(
        types.Tool(
            google_search=types.GoogleSearch(
                time_range_filter=types.Interval(
                    start_time=datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
                    end_time=datetime.datetime(2026, 2, 2, 3, 4, 5, tzinfo=datetime.UTC),
                ),
                search_types=types.SearchTypes(web_search=types.WebSearch()),
            )
        )
    ),
)
tools = st.tuples(
    st.lists(function_tools, max_size=1),
    st.lists(search, max_size=1),
    st.sets(st.sampled_from([get_weather, tell_time])),
).map(lambda drawn: [*drawn[0], *drawn[1], *sorted(drawn[2], key=lambda function: function.__name__)])

# -- everything else --------------------------------------------------------------------------------------

transcriptions = some(
    types.AudioTranscriptionConfig,
    language_codes=st.lists(language, min_size=1, max_size=2),
    custom_vocabulary=st.lists(text, max_size=2),
    word_timestamp=flag,
    diarization=flag,
    mode=st.sampled_from(["VERBATIM", "SMART"]),
    source_text=text,
    language_auto=st.just(types.LanguageAuto()),
    language_hints=some(types.LanguageHints, language_codes=st.lists(language, min_size=1, max_size=2)),
    adaptation_phrases=st.lists(text, max_size=2),
)
voices = st.one_of(
    some(types.VoiceConfig, prebuilt_voice_config=some(types.PrebuiltVoiceConfig, voice_name=text)),
    some(types.VoiceConfig, voice=text),
    some(
        types.VoiceConfig,
        replicated_voice_config=some(
            types.ReplicatedVoiceConfig, mime_type=st.just("audio/wav"), voice_sample_audio=octets
        ),
    ),
)
speech = some(types.SpeechConfig, voice_config=voices, language_code=language)
parts = st.one_of(text.map(lambda words: types.Part(text=words)), some(types.Part, text=text, thought=flag))
contents = some(types.Content, parts=st.lists(parts, max_size=2), role=st.sampled_from(["user", "system"]))
instructions = st.one_of(
    text,
    text.map(lambda words: types.Part(text=words)),
    st.lists(st.one_of(text, parts), min_size=1, max_size=3),
    contents,
    text.map(lambda words: {"text": words}),
    st.lists(text.map(lambda words: {"text": words}), max_size=2).map(
        lambda given: {"parts": given, "role": "user"}
    ),
)
detection = some(
    types.AutomaticActivityDetection,
    disabled=flag,
    start_of_speech_sensitivity=st.sampled_from(["START_SENSITIVITY_HIGH", "START_SENSITIVITY_LOW"]),
    end_of_speech_sensitivity=st.sampled_from(["END_SENSITIVITY_HIGH", "END_SENSITIVITY_LOW"]),
    prefix_padding_ms=st.integers(0, 500),
    silence_duration_ms=st.integers(0, 2000),
)
realtime = some(
    types.RealtimeInputConfig,
    automatic_activity_detection=detection,
    activity_handling=st.sampled_from(list(types.ActivityHandling)),
    turn_coverage=st.sampled_from(list(types.TurnCoverage)),
    interim_transcript_timestamp_enabled=flag,
)
compression = some(
    types.ContextWindowCompressionConfig,
    trigger_tokens=st.integers(5_000, 2**40),
    sliding_window=some(types.SlidingWindow, target_tokens=st.integers(0, 128_000)),
)
avatars = some(
    types.AvatarConfig,
    avatar_name=text,
    customized_avatar=some(types.CustomizedAvatar, image_mime_type=st.just("image/png"), image_data=octets),
    audio_bitrate_bps=st.integers(1, 10**6),
    video_bitrate_bps=st.integers(1, 10**6),
)
safety = some(
    types.SafetySetting,
    category=st.sampled_from(["HARM_CATEGORY_HARASSMENT", "HARM_CATEGORY_HATE_SPEECH"]),
    threshold=st.sampled_from(["BLOCK_NONE", "BLOCK_ONLY_HIGH"]),
)
http = some(
    types.HttpOptions,
    base_url=st.just("https://gateway.example"),
    api_version=st.sampled_from(["v1", "v1beta"]),
    headers=st.just({"x-team": "a"}),
)

# What every model of either backend takes.
USUAL: dict[str, st.SearchStrategy[Any]] = {
    "http_options": http,
    "response_modalities": st.sampled_from([["AUDIO"], ["audio"], [types.Modality.AUDIO]]),
    "temperature": st.floats(0, 2).map(lambda value: round(value, 3)),
    "top_p": share,
    "top_k": st.integers(1, 100).map(float),
    "max_output_tokens": st.integers(1, 8192),
    "media_resolution": st.sampled_from(list(types.MediaResolution)[1:]),
    "seed": st.integers(0, 2**31 - 1),
    "speech_config": speech,
    "system_instruction": instructions,
    "tools": tools,
    "session_resumption": some(types.SessionResumptionConfig, handle=text),
    "input_audio_transcription": transcriptions,
    "output_audio_transcription": transcriptions,
    "realtime_input_config": realtime,
    "context_window_compression": compression,
    "avatar_config": avatars,
    "safety_settings": st.lists(safety, max_size=2),
    "labels": st.dictionaries(st.sampled_from(["team", "cost_center"]), text, max_size=2),
}
IN_GENERATION_CONFIG = (
    *("temperature", "top_p", "top_k", "max_output_tokens", "media_resolution", "seed", "speech_config"),
    "response_modalities",
)
generation = st.fixed_dictionaries(
    {},
    optional={
        "candidate_count": st.just(1),
        "presence_penalty": share,
        "frequency_penalty": share,
        **{name: USUAL[name] for name in IN_GENERATION_CONFIG},
    },
)

# What some models take, or one backend, or none.
SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    "thinking_config": some(
        types.ThinkingConfig, include_thoughts=flag, thinking_budget=st.sampled_from([0, -1, 1024])
    ),
    "thinking_config, of 3.1": some(
        types.ThinkingConfig, include_thoughts=flag, thinking_level=st.sampled_from(["LOW", "MINIMAL"])
    ),
    "enable_affective_dialog": flag,
    "proactivity": some(types.ProactivityConfig, proactive_audio=flag, proactive_video=flag),
    "explicit_vad_signal": flag,
    "history_config": some(types.HistoryConfig, initial_history_in_client_content=flag),
    "translation_config": some(
        types.TranslationConfig, target_language_code=language, echo_target_language=flag
    ),
    "session_resumption": some(types.SessionResumptionConfig, handle=text, transparent=flag),
    "response_modalities": st.sampled_from([["TEXT"], ["TEXT", "AUDIO"]]),
    "safety_settings": st.just([types.SafetySetting(method=types.HarmBlockMethod.SEVERITY)]),
    "tools": st.sampled_from(
        [
            [types.Tool(code_execution=types.ToolCodeExecution())],
            [types.Tool(enterprise_web_search=types.EnterpriseWebSearch(exclude_domains=["a.example"]))],
            [types.Tool(retrieval=types.Retrieval(vertex_rag_store=types.VertexRagStore(rag_corpora=["c"])))],
            [types.Tool(google_search=types.GoogleSearch(exclude_domains=["a.example"]))],
            [
                types.Tool(
                    function_declarations=[
                        types.FunctionDeclaration(name="f", behavior=types.Behavior.NON_BLOCKING)
                    ]
                )
            ],
            [
                types.Tool(
                    function_declarations=[
                        types.FunctionDeclaration(name="f", behavior=types.Behavior.BLOCKING)
                    ]
                )
            ],
        ]
    ),
    "generation_config": st.sampled_from(
        [
            types.GenerationConfig(stop_sequences=["."]),
            types.GenerationConfig(response_mime_type="text/plain"),
            types.GenerationConfig(thinking_config=types.ThinkingConfig(thinking_budget=0)),
        ]
    ),
}


# Models that take them, on the Developer API.
WILLING: dict[str, tuple[str, ...]] = {
    "thinking_config": MODELS["developer"][:1],
    "thinking_config, of 3.1": MODELS["developer"][1:2],
    "enable_affective_dialog": MODELS["developer"][:1],
    "proactivity": MODELS["developer"][:1],
    "history_config": MODELS["developer"][:4],
    "translation_config": MODELS["developer"][4:],
}


@st.composite
def cases(draw: st.DrawFn, special: str | None = None) -> Case:
    """A case of usual options, and one that only some models take, mostly for such a model."""
    names = draw(st.sets(st.sampled_from(sorted(USUAL)), max_size=7))
    options = {name: draw(USUAL[name]) for name in sorted(names)}
    developer = MODELS["developer"]
    if draw(st.integers(0, 3)) == 0:
        within = {name: value for name, value in draw(generation).items() if name not in options}
        options["generation_config"] = types.GenerationConfig(**within)
    if special is not None:
        options[special.partition(",")[0]] = draw(SPECIAL[special])
        developer = WILLING.get(special, developer) if draw(st.integers(0, 3)) else developer
    return Case(
        options,
        developer=draw(st.sampled_from(developer)),
        vertex=draw(st.sampled_from(MODELS["vertex"])),
    )

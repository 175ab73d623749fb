"""Where our setup differs from google-genai's on purpose: the one list, each entry with its reason."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from google.genai import types
from tests.differential.configs import Case, get_weather
from tests.differential.google import canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from duologue.wire.profiles import Backend, ModelProfile

__all__ = ["DEVIATIONS", "Deviation", "Setup"]

Setup = dict[str, Any]

_OF_LIVE: Final = {
    *("responseModalities", "temperature", "topP", "topK", "maxOutputTokens", "candidateCount", "seed"),
    *("presencePenalty", "frequencyPenalty", "mediaResolution", "speechConfig", "thinkingConfig"),
    *("enableAffectiveDialog", "translationConfig"),
}


def _as_it_is(setup: Setup, case: Case) -> None:
    pass


def _never(setup: Setup, profile: ModelProfile) -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """What we do otherwise.

    Either ``amend`` makes their setup what ours is to be, or ``we_refuse`` tells from their setup, or
    ``they_refuse`` from their words, that one side sends nothing.
    """

    name: str
    why: str
    example: Case
    backend: Backend = "developer"
    amend: Callable[[Setup, Case], None] = _as_it_is
    we_refuse: Callable[[Setup, ModelProfile], bool] = _never
    they_refuse: str = "(?!)"


# -- what we add or say otherwise -----------------------------------------------------------------------


def _generation(setup: Setup) -> Setup:
    generation: Setup = setup.setdefault("generationConfig", {})
    return generation


def _functions(setup: Setup) -> list[Setup]:
    return [f for tool in setup.get("tools", ()) for f in tool.get("functionDeclarations", ())]


def _resumption(setup: Setup, case: Case) -> None:
    setup.setdefault("sessionResumption", {})


def _audio(setup: Setup, case: Case) -> None:
    _generation(setup).setdefault("responseModalities", ["AUDIO"])


def _voice(setup: Setup, case: Case) -> None:
    if _generation(setup).get("responseModalities", ["AUDIO"]) == ["AUDIO"]:
        puck = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Puck"}}}
        _generation(setup).setdefault("speechConfig", puck)


def _empty_instruction(setup: Setup, case: Case) -> None:
    if case.options.get("system_instruction") == "":
        del setup["systemInstruction"]


def _flat_counts(setup: Setup, case: Case) -> None:
    within = case.options.get("generation_config")
    for name in ("speech_config", "thinking_config", "translation_config"):
        flat = case.options.get(name)
        if flat is not None and within is not None and getattr(within, name) is not None:
            said = canonical({name: flat.model_dump(mode="json", exclude_none=True)})
            _generation(setup).update(said)


def _docstrings(setup: Setup, case: Case) -> None:
    """Our declaration has the docstring's parts where they belong, and no default and no schema of the result."""
    plain = {f.__name__: f for f in case.options.get("tools") or () if inspect.isfunction(f)}
    for function in _functions(setup):
        if function["name"] not in plain:
            continue
        summary, _, rest = (inspect.getdoc(plain[function["name"]]) or "").partition("\n\n")
        function["description"] = summary
        function.pop("responseJsonSchema", None)
        for name, words in re.findall(r"^    (\w+): (.*)$", rest, re.MULTILINE):
            function["parametersJsonSchema"]["properties"][name]["description"] = words


def _one_dialect(setup: Setup, case: Case) -> None:
    for function in _functions(setup):
        for place in ("parameters", "response"):
            given = function.pop(f"{place}JsonSchema", None)
            if given is not None and given.get("properties", True):
                function[place] = _google(given)


def _google(schema: Setup) -> Setup:
    options = schema.get("anyOf")
    if options is not None:
        [option] = [option for option in options if option["type"] != "null"]
        said = {name: value for name, value in schema.items() if name == "description"}
        return {**_google(option), **said, "nullable": True}
    said = {name: value for name, value in schema.items() if name != "default"}
    said["type"] = schema["type"].upper()
    if "items" in said:
        said["items"] = _google(said["items"])
    if "properties" in said:
        said["properties"] = {name: _google(below) for name, below in said["properties"].items()}
    return said


# -- what we refuse -------------------------------------------------------------------------------------


def _thinking(setup: Setup, profile: ModelProfile) -> bool:
    thinking = setup.get("generationConfig", {}).get("thinkingConfig")
    if thinking is None:
        return False
    level = "thinkingLevel" in thinking and profile.thinking != "level"
    budget = "thinkingBudget" in thinking and profile.thinking != "budget"
    return profile.thinking == "none" or level or budget


def _proactivity(setup: Setup, profile: ModelProfile) -> bool:
    audio = setup.get("proactivity", {}).get("proactiveAudio")
    return (audio is True and profile.proactive_audio == "no") or (
        audio is False and profile.proactive_audio == "always"
    )


def _affective(setup: Setup, profile: ModelProfile) -> bool:
    return (
        bool(setup.get("generationConfig", {}).get("enableAffectiveDialog")) and not profile.affective_dialog
    )


def _modalities(setup: Setup, profile: ModelProfile) -> bool:
    asked = setup.get("generationConfig", {}).get("responseModalities", ["AUDIO"])
    return len(asked) != 1 or asked[0] not in profile.output_modalities


def _google_tools(setup: Setup, profile: ModelProfile) -> bool:
    asked = {name for tool in setup.get("tools", ()) for name in tool} - {"functionDeclarations"}
    return not asked <= set(profile.google_tools)


def _behavior(setup: Setup, profile: ModelProfile) -> bool:
    asked = {f["behavior"] for f in _functions(setup) if "behavior" in f}
    return not asked <= set(profile.tool_behaviors)


def _twins(setup: Setup, profile: ModelProfile) -> bool:
    names = [f["name"] for f in _functions(setup)]
    return len(set(names)) < len(names)


def _top_k(setup: Setup, profile: ModelProfile) -> bool:
    return bool(setup.get("generationConfig", {}).get("topK", 0) % 1)


def _temperature(setup: Setup, profile: ModelProfile) -> bool:
    return not 0 <= setup.get("generationConfig", {}).get("temperature", 1) <= 2


def _any_value(setup: Setup, profile: ModelProfile) -> bool:
    return any(
        not {"type", "anyOf", "enum"} & set(below)
        for f in _functions(setup)
        for below in f.get("parametersJsonSchema", {}).get("properties", {}).values()
    )


def _two_schemas(setup: Setup, profile: ModelProfile) -> bool:
    return any({"parameters", "parametersJsonSchema"} <= set(f) for f in _functions(setup))


def _tool(**function: Any) -> list[types.Tool]:
    return [types.Tool(function_declarations=[types.FunctionDeclaration(name="f", **function)])]


DEVIATIONS: Final[Sequence[Deviation]] = (
    # -- what we add ------------------------------------------------------------------------------------
    Deviation(
        name="resumption",
        why="a lost link is recovered with a handle, and handles come to those who ask",
        example=Case(),
        amend=_resumption,
    ),
    Deviation(
        name="modality",
        why="AUDIO is named always, as google-genai does on Vertex: the service's default differs by model",
        example=Case(),
        amend=_audio,
    ),
    Deviation(
        name="voice",
        why="a voice is named always, so that a session that is resumed or made again sounds the same",
        example=Case(),
        amend=_voice,
    ),
    # -- what we say otherwise --------------------------------------------------------------------------
    Deviation(
        name="empty instruction",
        why="an empty text instructs nothing",
        example=Case({"system_instruction": ""}),
        amend=_empty_instruction,
    ),
    Deviation(
        name="flat fields replace",
        why="google-genai merges two objects into one on Vertex, and sends both on the Developer API",
        example=Case(
            {
                "generation_config": types.GenerationConfig(
                    thinking_config=types.ThinkingConfig(thinking_budget=0)
                ),
                "thinking_config": types.ThinkingConfig(include_thoughts=True),
            }
        ),
        backend="vertex",
        amend=_flat_counts,
    ),
    Deviation(
        name="docstrings",
        why="a parameter's line of the docstring is said where the parameter is, not in the function's text; "
        "defaults are Python's, and the service has no use for the type of a result",
        example=Case({"tools": [get_weather]}),
        amend=_docstrings,
    ),
    Deviation(
        name="one dialect of schemas",
        why="live sessions have been reported to ignore parametersJsonSchema without a word; and a function "
        "without arguments has no schema, since some models refuse an object without properties",
        example=Case({"tools": _tool(parameters_json_schema={"type": "object", "properties": {}})}),
        amend=_one_dialect,
    ),
    # -- what we take and they do not -------------------------------------------------------------------
    Deviation(
        name="flat fields count more",
        why="google-genai means that too, but stumbles over it on Vertex",
        example=Case({"top_p": 0.5, "generation_config": types.GenerationConfig(top_p=0.7)}),
        backend="vertex",
        they_refuse="Cannot set value for an existing key",
    ),
    # -- what the model's profile does not have ---------------------------------------------------------
    Deviation(
        name="thinking",
        why="models take a budget, a level or neither; the service closes the session for the wrong one",
        example=Case({"thinking_config": types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW)}),
        we_refuse=_thinking,
    ),
    Deviation(
        name="proactivity",
        why="some models are never proactive, others always; asking for the contrary is an error of theirs",
        example=Case(
            {"proactivity": types.ProactivityConfig(proactive_audio=False)}, developer="gemini-3.8-live"
        ),
        we_refuse=_proactivity,
    ),
    Deviation(
        name="affective dialog",
        why="only native audio of 2.5 has it",
        example=Case({"enable_affective_dialog": True}, developer="gemini-3.8-live"),
        we_refuse=_affective,
    ),
    Deviation(
        name="modalities",
        why="each model has its own, and a session exactly one; native audio closes with 1007 for TEXT",
        example=Case({"response_modalities": ["TEXT"]}),
        we_refuse=_modalities,
    ),
    Deviation(
        name="history",
        why="historyConfig is reported to be unknown on Vertex",
        example=Case({"history_config": types.HistoryConfig()}),
        backend="vertex",
        we_refuse=lambda setup, profile: "historyConfig" in setup and not profile.history_config,
    ),
    Deviation(
        name="translation",
        why="only models that translate take it, and none of them is on Vertex",
        example=Case({"translation_config": types.TranslationConfig()}, developer="gemini-3.8-live"),
        we_refuse=lambda setup, profile: (
            "translationConfig" in setup.get("generationConfig", {}) and not profile.translation
        ),
    ),
    Deviation(
        name="Google's tools",
        why="live models are documented to have Search and functions, on Vertex retrieval and other searches",
        example=Case({"tools": [types.Tool(code_execution=types.ToolCodeExecution())]}),
        we_refuse=_google_tools,
    ),
    Deviation(
        name="behavior",
        why="some models run every function one way; the other would be ignored without a word",
        example=Case({"tools": _tool(behavior=types.Behavior.NON_BLOCKING)}),
        backend="vertex",
        we_refuse=_behavior,
    ),
    Deviation(
        name="transparent resumption",
        why="a model of Vertex that nobody here knows is asked for nothing it might refuse",
        example=Case(
            {"session_resumption": types.SessionResumptionConfig(transparent=True)}, vertex="gemini-next-live"
        ),
        backend="vertex",
        we_refuse=lambda setup, profile: (
            "transparent" in setup.get("sessionResumption", {}) and not profile.transparent_resumption
        ),
    ),
    # -- what no live session has -----------------------------------------------------------------------
    Deviation(
        name="options of other methods",
        why="generation_config is shared with methods that are not live; Google documents which it lacks",
        example=Case({"generation_config": types.GenerationConfig(stop_sequences=["."])}),
        we_refuse=lambda setup, profile: bool(set(setup.get("generationConfig", {})) - _OF_LIVE),
    ),
    Deviation(
        name="two functions of one name",
        why="their calls could not be told apart",
        example=Case({"tools": [*_tool(), *_tool()]}),
        we_refuse=_twins,
    ),
    Deviation(
        name="a fraction of top_k",
        why="topK is a whole number on the wire",
        example=Case({"top_k": 1.5}),
        we_refuse=_top_k,
    ),
    Deviation(
        name="temperature",
        why="documented as 0 to 2",
        example=Case({"temperature": 2.5}),
        we_refuse=_temperature,
    ),
    Deviation(
        name="values of any type",
        why="the service's dialect of schemas has no words for them",
        example=Case({"tools": _tool(parameters_json_schema={"type": "object", "properties": {"a": {}}})}),
        we_refuse=_any_value,
    ),
    Deviation(
        name="two schemas",
        why="documented to exclude each other",
        example=Case(
            {
                "tools": _tool(
                    parameters=types.Schema(type=types.Type.OBJECT), parameters_json_schema={"type": "object"}
                )
            }
        ),
        we_refuse=_two_schemas,
    ),
)

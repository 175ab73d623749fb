"""The setup message, from options and a profile; nothing is accepted and dropped.

Read ``refusals`` for what a profile does not allow, ``overrides`` for what is merged in last.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from duologue.checks import check_value, shown
from duologue.errors import ConfigError, Unsupported
from duologue.wire.client import (
    AutomaticActivityDetection,
    ContextWindowCompression,
    GenerationConfig,
    HistoryConfig,
    PrebuiltVoiceConfig,
    ProactivityConfig,
    RealtimeInputConfig,
    SessionResumption,
    Setup,
    SpeechConfig,
    ThinkingConfig,
    TranscriptionConfig,
    VoiceConfig,
)
from duologue.wire.content import Content, Part, Struct, Tool
from duologue.wire.normalise import normalise
from duologue.wire.refusals import refuse_unsupported

if TYPE_CHECKING:
    from duologue.config import LiveConfig
    from duologue.wire.profile import Backend, ModelProfile

__all__ = ["build_setup", "wire_model"]

_S = TypeVar("_S", bound=Struct)

DEFAULT_VOICE = "Puck"
_PART_OF_A_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]*")


def wire_model(
    model: str, backend: Backend = "developer", *, project: str | None = None, location: str | None = None
) -> str:
    """Return the model as the backend wants it.

    Args:
        model: With or without what stands before the last slash; a name that has it stays as it is.
        backend: ``models/X`` on the Developer API, ``publishers/google/models/X`` on Vertex AI.
        project: Of Vertex AI; with ``location`` the name becomes a full resource name.
        location: Of Vertex AI.

    Raises:
        ConfigError: A project or location that none can be called.

    Source: python-genai's ``t_live_model`` and captured setups.
    """
    if backend == "developer":
        return model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"
    if model.startswith("projects/"):
        return model
    name = model.removeprefix("models/")
    if not name.startswith("publishers/"):
        publisher, slash, rest = name.partition("/")  # "google/gemini-x" is short for a publisher's model
        name = f"publishers/{publisher}/models/{rest}" if slash else f"publishers/google/models/{name}"
    if not project or not location:
        return name
    for option, given in (("project", project), ("location", location)):
        if not _PART_OF_A_NAME.fullmatch(given):
            raise ConfigError(f"{option} is {shown(given)}, which no resource of Google Cloud can be called")
    return f"projects/{project}/locations/{location}/{name}"


def build_setup(
    *,
    model: str,
    profile: ModelProfile,
    config: LiveConfig,
    instructions: str | None = None,
    tools: Sequence[Mapping[str, Any]] = (),
    voice: str | None = None,
    language: str | None = None,
    temperature: float | None = None,
    handle: str | None = None,
    manual_activity: bool = False,
    project: str | None = None,
    location: str | None = None,
) -> Setup:
    """Return the setup message.

    Args:
        model: As the user wrote it.
        profile: The model's row; decides what is possible.
        config: The service's options.
        instructions: System instruction; one part.
        tools: Function declarations as on the wire.
        voice: Name of a prebuilt voice; None lets the service choose.
        language: BCP-47; None lets the model choose.
        temperature: 0..2.
        handle: Resumes that state; None starts afresh.
        manual_activity: Turns the service's own detection off.
        project: Of Vertex AI.
        location: Of Vertex AI.

    Raises:
        Unsupported: The profile lacks something asked for.
        ConfigError: A value the wire has no place for, or one given twice; names the option.
    """
    texts = {"instructions": instructions, "voice": voice, "language": language, "handle": handle}
    for option, text in texts.items():
        check_value(option, text, str | None)
    if config.image_encode_options is not None:
        raise Unsupported("image_encode_options: video is not in this version; leave it unset")
    modalities = [str(m).upper() for m in (config.response_modalities or ("AUDIO",))]
    realtime = _optional("realtime_input_config", config.realtime_input_config, RealtimeInputConfig)
    setup = Setup(
        model=wire_model(model, profile.backend, project=project, location=location),
        generation_config=GenerationConfig(
            response_modalities=modalities,
            temperature=_temperature(temperature, config),
            top_p=config.top_p,
            top_k=_whole("top_k", config.top_k),
            max_output_tokens=config.max_output_tokens,
            candidate_count=config.candidate_count,
            presence_penalty=config.presence_penalty,
            frequency_penalty=config.frequency_penalty,
            seed=config.seed,
            media_resolution=config.media_resolution,
            speech_config=_speech(voice, language, config, spoken="AUDIO" in modalities),
            thinking_config=_optional("thinking_config", config.thinking_config, ThinkingConfig),
            enable_affective_dialog=config.enable_affective_dialog,
        ),
        system_instruction=_instruction(instructions, config),
        tools=_tools(config, tools),
        realtime_input_config=_manual(realtime) if manual_activity else realtime,
        session_resumption=_resumption(handle, config),
        context_window_compression=_optional(
            "context_window_compression", config.context_window_compression, ContextWindowCompression
        ),
        input_audio_transcription=_optional(
            "input_audio_transcription", config.input_audio_transcription, TranscriptionConfig
        ),
        output_audio_transcription=_optional(
            "output_audio_transcription", config.output_audio_transcription, TranscriptionConfig
        ),
        proactivity=_proactivity(config),
        history_config=_optional("history_config", config.history_config, HistoryConfig),
        explicit_vad_signal=config.explicit_vad_signal,
    )
    setup = _with_leaves(setup, config)
    refuse_unsupported(setup, config, profile)
    return setup


def _with_leaves(setup: Setup, config: LiveConfig) -> Setup:
    """Add the options whose shapes are the wire's own, checked against its structs."""
    given: dict[str, Any] = {}
    if config.safety_settings:
        given["safetySettings"] = [dict(setting) for setting in config.safety_settings]
    if config.avatar_config is not None:
        given["avatarConfig"] = config.avatar_config
    if config.labels is not None:
        given["labels"] = dict(config.labels)
    if config.translation_config is not None:
        given["generationConfig"] = {"translationConfig": config.translation_config}
    if not given:
        return setup
    leaves = _convert("setup", given, Setup)
    generation = setup.generation_config
    if leaves.generation_config is not None and generation is not None:
        translation = leaves.generation_config.translation_config
        generation = msgspec.structs.replace(generation, translation_config=translation)
    return msgspec.structs.replace(
        setup,
        generation_config=generation,
        safety_settings=leaves.safety_settings,
        avatar_config=leaves.avatar_config,
        labels=leaves.labels,
    )


def _optional(option: str, value: Mapping[str, Any] | None, cls: type[_S]) -> _S | None:
    return None if value is None else _convert(option, value, cls)


def _convert(option: str, value: Mapping[str, Any], cls: type[_S]) -> _S:
    unknown: list[str] = []
    plain = normalise(dict(value), cls, unknown)
    if unknown:
        allowed = ", ".join(field.name for field in msgspec.structs.fields(cls))
        raise ConfigError(f"{option}: there is no field {unknown[0]!r}; its fields are {allowed}")
    try:
        return msgspec.convert(plain, cls)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{option}: {error}") from error


def _once(option: str, given: object, twin: str, other: object) -> None:
    if given is not None and other is not None:
        raise ConfigError(f"{option} and config.{twin} say the same; give one of the two")


def _temperature(temperature: float | None, config: LiveConfig) -> float | None:
    check_value("temperature", temperature, float | None)
    _once("temperature", temperature, "temperature", config.temperature)
    chosen = config.temperature if temperature is None else temperature
    if chosen is not None and not 0 <= chosen <= 2:
        raise ConfigError(f"temperature is {chosen}; give 0 to 2, or None for the service's own")
    return chosen


def _whole(option: str, value: float | None) -> int | None:
    if value is not None and value != int(value):
        raise ConfigError(f"{option} is {value}; give a whole number, or None for the service's own")
    return None if value is None else int(value)


def _instruction(text: str | None, config: LiveConfig) -> Content | None:
    given = config.system_instruction
    _once("instructions", text, "system_instruction", given)
    if isinstance(given, Mapping):
        return _convert("system_instruction", given, Content)
    text = text or given
    return Content(parts=[Part(text=text)], role="user") if text else None


def _speech(
    voice: str | None, language: str | None, config: LiveConfig, *, spoken: bool
) -> SpeechConfig | None:
    given = config.speech_config
    if given is not None:
        # The model's voice has a default, which cannot be told from the same name given on purpose.
        _once("voice", None if voice == DEFAULT_VOICE else voice, "speech_config", given)
        _once("language", language, "speech_config", given)
        return _convert("speech_config", given, SpeechConfig)
    if not spoken or (voice is None and language is None):
        return None
    named = VoiceConfig(prebuilt_voice_config=PrebuiltVoiceConfig(voice_name=voice)) if voice else None
    return SpeechConfig(voice_config=named, language_code=language)


def _proactivity(config: LiveConfig) -> ProactivityConfig | None:
    given = config.proactivity
    if isinstance(given, bool):
        given = {"proactiveAudio": given}
    return _optional("proactivity", given, ProactivityConfig)


def _resumption(handle: str | None, config: LiveConfig) -> SessionResumption | None:
    given = config.session_resumption
    if isinstance(given, Mapping):
        asked = _convert("session_resumption", given, SessionResumption)
        _once("resume", handle, "session_resumption's handle", asked.handle)
        return msgspec.structs.replace(asked, handle=handle or asked.handle or None)
    return SessionResumption(handle=handle) if given or handle else None


def _tools(config: LiveConfig, declarations: Sequence[Mapping[str, Any]]) -> list[Tool] | None:
    tools: list[Tool] = []
    if declarations:
        declared = [_declared(declaration, config) for declaration in declarations]
        tools.append(_convert("tools", {"functionDeclarations": declared}, Tool))
    tools.extend(_convert("gemini_tools", tool, Tool) for tool in config.gemini_tools or ())
    _refuse_twins(tools)
    return tools or None


def _refuse_twins(tools: Sequence[Tool]) -> None:
    names = [declared.name for tool in tools for declared in tool.function_declarations or ()]
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise ConfigError(f"gemini_tools: there are two functions named {twins[0]!r}; rename one")


def _declared(declaration: Mapping[str, Any], config: LiveConfig) -> Mapping[str, Any]:
    behavior = declaration.get("behavior") or config.tool_behavior
    return {**declaration, "behavior": behavior} if behavior else declaration


def _manual(realtime: RealtimeInputConfig | None) -> RealtimeInputConfig:
    realtime = realtime or RealtimeInputConfig()
    detection = realtime.automatic_activity_detection or AutomaticActivityDetection()
    return msgspec.structs.replace(
        realtime, automatic_activity_detection=msgspec.structs.replace(detection, disabled=True)
    )

"""The setup message, from options and a profile; nothing is accepted and dropped.

What the profile does not allow is refused here, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from duologue.checks import check_value
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
from duologue.wire.codec import encode
from duologue.wire.content import Content, Part, Struct, Tool
from duologue.wire.normalise import normalise, rename

if TYPE_CHECKING:
    from duologue.config import LiveConfig
    from duologue.wire.profiles import ModelProfile

__all__ = ["build_setup", "merge_overrides", "wire_model"]

_S = TypeVar("_S", bound=Struct)


def wire_model(model: str) -> str:
    """Return the model as the Developer API wants it: ``models/X``."""
    return model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"


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

    Raises:
        Unsupported: The profile lacks something asked for.
        ConfigError: A value the wire has no place for; names the option.
    """
    texts = {"instructions": instructions, "voice": voice, "language": language, "handle": handle}
    for option, text in texts.items():
        check_value(option, text, str | None)
    _check_temperature(temperature)
    modalities = [str(m).upper() for m in (config.response_modalities or ("AUDIO",))]
    profile.check_modalities(modalities)
    if config.image_encode_options is not None:
        raise Unsupported("image_encode_options: video is not in this version; leave it unset")
    if config.tool_response_scheduling is not None and not profile.non_blocking:
        raise Unsupported(
            f"tool_response_scheduling: profile {profile.name} has no scheduling; leave it unset"
        )
    if config.enable_affective_dialog and not profile.affective_dialog:
        raise Unsupported(f"enable_affective_dialog: profile {profile.name} does not have it; leave it unset")
    realtime = _optional("realtime_input_config", config.realtime_input_config, RealtimeInputConfig)
    return Setup(
        model=wire_model(model),
        generation_config=GenerationConfig(
            response_modalities=modalities,
            temperature=temperature,
            top_p=config.top_p,
            top_k=config.top_k,
            max_output_tokens=config.max_output_tokens,
            candidate_count=config.candidate_count,
            presence_penalty=config.presence_penalty,
            frequency_penalty=config.frequency_penalty,
            seed=config.seed,
            media_resolution=config.media_resolution,
            speech_config=_speech(voice, language) if "AUDIO" in modalities else None,
            thinking_config=_thinking(config, profile),
            enable_affective_dialog=config.enable_affective_dialog,
        ),
        system_instruction=_instruction(instructions),
        tools=_tools(config, tools, profile),
        realtime_input_config=_manual(realtime) if manual_activity else realtime,
        session_resumption=SessionResumption(handle=handle) if config.session_resumption or handle else None,
        context_window_compression=_optional(
            "context_window_compression", config.context_window_compression, ContextWindowCompression
        ),
        input_audio_transcription=_optional(
            "input_audio_transcription", config.input_audio_transcription, TranscriptionConfig
        ),
        output_audio_transcription=_optional(
            "output_audio_transcription", config.output_audio_transcription, TranscriptionConfig
        ),
        proactivity=_proactivity(config, profile),
        history_config=_optional("history_config", config.history_config, HistoryConfig),
        safety_settings=[dict(setting) for setting in config.safety_settings]
        if config.safety_settings
        else None,
    )


def merge_overrides(setup: Setup, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the setup as plain JSON with ``overrides`` merged in deeply, last.

    Keys may be camelCase or snake_case where the field is known, at every level; a value of None
    removes a field.

    Raises:
        ConfigError: Together they hold something that JSON has no form for.
    """
    try:
        plain: dict[str, Any] = msgspec.to_builtins(setup, enc_hook=_exact)
        over: dict[str, Any] = msgspec.to_builtins(rename(overrides, Setup), enc_hook=_exact)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ConfigError(f"the options cannot be written as JSON: {error}") from error
    merged = _merge(plain, over)
    encode(merged)  # what cannot be sent is refused before anything is connected
    return merged


def _exact(value: object) -> object:
    """Return a subclass's value, such as a NumPy number, as the plain one msgspec can write."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, Mapping):
        return dict(cast("Mapping[object, object]", value))
    raise TypeError(f"there is no JSON for {type(value).__name__}")


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            # Also where there is nothing to merge with: a None inside must not reach the wire.
            known = cast("dict[str, Any]", below) if isinstance(below, dict) else {}
            merged[key] = _merge(known, cast("Mapping[str, Any]", value))
        else:
            merged[key] = value
    return merged


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


def _check_temperature(temperature: float | None) -> None:
    check_value("temperature", temperature, float | None)
    if temperature is not None and not 0 <= temperature <= 2:
        raise ConfigError(f"temperature is {temperature}; give 0 to 2, or None for the service's own")


def _instruction(text: str | None) -> Content | None:
    return Content(parts=[Part(text=text)]) if text else None


def _speech(voice: str | None, language: str | None) -> SpeechConfig | None:
    if voice is None and language is None:
        return None
    named = VoiceConfig(prebuilt_voice_config=PrebuiltVoiceConfig(voice_name=voice)) if voice else None
    return SpeechConfig(voice_config=named, language_code=language)


def _thinking(config: LiveConfig, profile: ModelProfile) -> ThinkingConfig | None:
    if config.thinking_config is None:
        return None
    if profile.thinking == "none":
        raise Unsupported(f"thinking_config: profile {profile.name} takes {_takes(profile)}")
    thinking = _convert("thinking_config", config.thinking_config, ThinkingConfig)
    if thinking.thinking_level is not None and profile.thinking != "level":
        raise Unsupported(f"thinking_config.thinking_level: profile {profile.name} takes {_takes(profile)}")
    if thinking.thinking_budget is not None and profile.thinking != "budget":
        raise Unsupported(f"thinking_config.thinking_budget: profile {profile.name} takes {_takes(profile)}")
    return thinking


def _takes(profile: ModelProfile) -> str:
    return (
        "no thinking option; leave it unset" if profile.thinking == "none" else f"thinking_{profile.thinking}"
    )


def _proactivity(config: LiveConfig, profile: ModelProfile) -> ProactivityConfig | None:
    given = config.proactivity
    if given is None:
        return None
    if isinstance(given, bool):
        given = {"proactiveAudio": given}
    wanted = _convert("proactivity", given, ProactivityConfig)
    if wanted.proactive_audio and profile.proactive_audio == "no":
        raise Unsupported(f"proactivity: profile {profile.name} does not have it; leave it unset")
    if wanted.proactive_audio is False and profile.proactive_audio == "always":
        raise Unsupported(
            f"proactivity: it is always on with profile {profile.name} and cannot be turned off"
        )
    return wanted


def _tools(
    config: LiveConfig, declarations: Sequence[Mapping[str, Any]], profile: ModelProfile
) -> list[Tool] | None:
    tools: list[Tool] = []
    if declarations:
        tools.append(
            _convert(
                "tools", {"functionDeclarations": [_declared(d, config, profile) for d in declarations]}, Tool
            )
        )
    tools.extend(_convert("gemini_tools", tool, Tool) for tool in config.gemini_tools or ())
    return tools or None


def _declared(declaration: Mapping[str, Any], config: LiveConfig, profile: ModelProfile) -> Mapping[str, Any]:
    behavior = declaration.get("behavior") or config.tool_behavior
    if behavior == "NON_BLOCKING" and not profile.non_blocking:
        raise Unsupported(
            f"tool {declaration.get('name')!r}: behavior NON_BLOCKING is not honoured by profile {profile.name}"
        )
    return {**declaration, "behavior": behavior} if behavior else declaration


def _manual(realtime: RealtimeInputConfig | None) -> RealtimeInputConfig:
    realtime = realtime or RealtimeInputConfig()
    detection = realtime.automatic_activity_detection or AutomaticActivityDetection()
    return msgspec.structs.replace(
        realtime, automatic_activity_detection=msgspec.structs.replace(detection, disabled=True)
    )

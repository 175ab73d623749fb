"""What a profile does not allow, refused before anything is sent; each message says what it does allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from duologue.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from duologue.config import LiveConfig
    from duologue.wire.client import ProactivityConfig, Setup, ThinkingConfig
    from duologue.wire.content import FunctionDeclaration, Tool
    from duologue.wire.profile import Backend, ModelProfile

__all__ = ["refuse_unsupported"]

_WAY_OUT = "or, if the service has learnt it since, say it with setup_overrides"


def refuse_unsupported(setup: Setup, config: LiveConfig, profile: ModelProfile) -> None:
    """Check a setup message against its profile.

    Args:
        setup: As it would be sent, without ``setup_overrides``: those are never checked.
        config: For options of ours that leave no trace in the setup.
        profile: The model's row.

    Raises:
        Unsupported: Names the option, the profile, and what the profile has instead.
    """
    generation = setup.generation_config
    assert generation is not None
    profile.check_modalities(generation.response_modalities or [])
    _thinking(generation.thinking_config, profile)
    _proactivity(setup.proactivity, profile)
    if generation.enable_affective_dialog and not profile.affective_dialog:
        raise _none("enable_affective_dialog", profile)
    if generation.translation_config is not None and not profile.translation:
        raise _none("translation_config", profile)
    if setup.history_config is not None and not profile.history_config:
        raise _none("history_config", profile)
    # Also where they are False: it is the field that a backend does not know.
    if setup.explicit_vad_signal is not None and not profile.explicit_vad_signal:
        raise _none("explicit_vad_signal", profile)
    resumption = setup.session_resumption
    if resumption is not None and resumption.transparent is not None and not profile.transparent_resumption:
        raise _none("session_resumption.transparent", profile)
    for option, value, backend in _of_one_backend(setup):
        if value is not None and backend != profile.backend:
            raise _none(option, profile)
    if config.tool_response_scheduling is not None and not profile.scheduling:
        raise _none("tool_response_scheduling", profile)
    if config.tool_behavior is not None:
        _behavior("tool_behavior", config.tool_behavior, profile)
    _tools(setup.tools or (), profile)


def _none(option: str, profile: ModelProfile) -> Unsupported:
    return Unsupported(f"{option}: profile {profile.name} does not have it; leave it unset, {_WAY_OUT}")


def _of_one_backend(setup: Setup) -> Iterator[tuple[str, object, Backend | None]]:
    """Yield options that one backend alone understands, or none: name, value, backend.

    Source: google-genai's converters of its live setup, which refuse them.
    """
    for setting in setup.safety_settings or ():
        yield "safety_settings.method", setting.method, "vertex"
    for tool in setup.tools or ():
        if tool.google_search is not None:
            yield "google_search.exclude_domains", tool.google_search.exclude_domains, "vertex"
            yield "google_search.blocking_confidence", tool.google_search.blocking_confidence, "vertex"
    speech = setup.generation_config.speech_config if setup.generation_config else None
    if speech is None:
        return
    yield "speech_config.multi_speaker_voice_config", speech.multi_speaker_voice_config, None
    clone = speech.voice_config.replicated_voice_config if speech.voice_config else None
    if clone is not None:
        yield "replicated_voice_config.consent_audio", clone.consent_audio, "developer"
        yield "replicated_voice_config.voice_consent_signature", clone.voice_consent_signature, "developer"


def _thinking(given: ThinkingConfig | None, profile: ModelProfile) -> None:
    if given is None:
        return
    takes = (
        "no thinking option; leave it unset" if profile.thinking == "none" else f"thinking_{profile.thinking}"
    )
    if profile.thinking == "none":
        raise Unsupported(f"thinking_config: profile {profile.name} takes {takes}, {_WAY_OUT}")
    for kind, value in (("level", given.thinking_level), ("budget", given.thinking_budget)):
        if value is not None and profile.thinking != kind:
            raise Unsupported(f"thinking_config.thinking_{kind}: profile {profile.name} takes {takes}")


def _proactivity(given: ProactivityConfig | None, profile: ModelProfile) -> None:
    if given is None:
        return
    if given.proactive_audio and profile.proactive_audio == "no":
        raise _none("proactivity", profile)
    if given.proactive_audio is False and profile.proactive_audio == "always":
        raise Unsupported(
            f"proactivity: it is always on with profile {profile.name} and cannot be turned off"
        )


def _behavior(whose: str, behavior: str, profile: ModelProfile) -> None:
    if behavior not in profile.tool_behaviors:
        honoured = " and ".join(profile.tool_behaviors)
        raise Unsupported(
            f"{whose}: behavior {behavior} is not honoured by profile {profile.name}, which has {honoured}"
        )


def _tools(tools: Iterable[Tool], profile: ModelProfile) -> None:
    for tool in tools:
        declared: list[FunctionDeclaration] = tool.function_declarations or []
        for declaration in declared:
            if declaration.behavior is not None:
                _behavior(f"tool {declaration.name!r}", declaration.behavior, profile)
        given = [f.encode_name for f in msgspec.structs.fields(tool) if getattr(tool, f.name) is not None]
        for name in given:
            if name != "functionDeclarations" and name not in profile.google_tools:
                allowed = ", ".join(("functions", *profile.google_tools))
                raise Unsupported(
                    f"gemini_tools: profile {profile.name} does not have {name}; it has {allowed}; "
                    f"leave it out, {_WAY_OUT}"
                )

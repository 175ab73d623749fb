"""Gemini's options, and what they make of a session: plan, endpoint, capabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from duologue.config import LiveConfig, SessionOptions
from duologue.core.session import SessionPlan
from duologue.errors import ConfigError, Unsupported
from duologue.io.address import find_address
from duologue.io.auth import check_account, find_backend
from duologue.tools import Registry
from duologue.transport.values import (
    ApiKeyAuth,
    LLMTransportConfig,
    ResponseModality,
    ServiceAccountAuth,
    SessionUpdate,
    ToolDeclaration,
    TransportCapabilities,
)
from duologue.wire.overrides import merge_overrides
from duologue.wire.profiles import DEFAULT_MODELS, ModelProfile, profile_for
from duologue.wire.setup import build_setup

if TYPE_CHECKING:
    from duologue.io.adc import GoogleAccount
    from duologue.io.address import Address
    from duologue.transport.values import TransportAuth

__all__ = [
    "CompressionConfig",
    "GeminiTransportConfig",
    "Output",
    "SpeechConfig",
    "address_of",
    "capabilities_of",
    "merged",
    "model_of",
    "output_of",
    "plan_of",
    "profile_of",
    "updated",
]

Output = Literal["audio", "text", "transcript"]
"""What an answer is taken from: its sound, its text, or, for text of a model that only speaks, the
transcript of its sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechConfig:
    """Voice and language of the answers; in text mode neither is sent."""

    voice_name: str | None = None
    language_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompressionConfig:
    """When the service cuts old turns away, and down to what; None leaves a size to the service."""

    trigger_tokens: int | None = None
    target_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GeminiTransportConfig:
    """How a ``GeminiLiveTransport`` connects.

    Args:
        api_key: A key or an ephemeral token; None looks into ``GOOGLE_API_KEY``, then ``GEMINI_API_KEY``.
            Never shown.
        model: Its capabilities are the transport's, for good; None is the backend's recommended one.
        vertexai: Whether the model runs on Vertex AI; None looks into the environment. This and the next
            three: see ``RealtimeModel``.
        project: Of Vertex AI.
        location: Of Vertex AI.
        credentials: Of google-auth, or an async function that returns a token for each link. Never shown.
        system_instruction: The model's instructions.
        tools: Functions, ``@function_tool`` objects or declarations as on the wire. None of them is run
            here: calls go to ``on_tool_call``.
        resumption_handle: The first ``connect`` restores this conversation. Never shown.
        speech_config: Voice and language.
        compression_config: None is the service's sliding window with its own sizes.
        google_search: Lets the model search.
        input_audio_transcription: Whether the user is transcribed.
        output_audio_transcription: Whether the model is; text mode may need it and then keeps it on.
        temperature: 0..2.
        response_modality: ``"text"`` is for an external voice.
        connect_timeout_ms: For all of ``connect``; ``options`` limits each phase.
        reconnect_timeout_ms: For all of ``reconnect``.
        base_url: Another host; None looks into ``GOOGLE_GEMINI_BASE_URL``, on Vertex AI into
            ``GOOGLE_VERTEX_BASE_URL``.
        allow_insecure: Permits an unencrypted link to another host than loopback.
        live: Every other option of the service.
        options: How this library behaves.
    """

    api_key: str | None = field(default=None, repr=False)
    model: str | None = None
    vertexai: bool | None = None
    project: str | None = None
    location: str | None = None
    credentials: object | None = field(default=None, repr=False)
    system_instruction: str | None = None
    tools: Sequence[ToolDeclaration] = ()
    resumption_handle: str | None = field(default=None, repr=False)
    speech_config: SpeechConfig = SpeechConfig()
    compression_config: CompressionConfig | None = None
    google_search: bool = False
    input_audio_transcription: bool = True
    output_audio_transcription: bool = True
    temperature: float | None = None
    response_modality: ResponseModality = "audio"
    connect_timeout_ms: int = 30_000
    reconnect_timeout_ms: int = 45_000
    base_url: str | None = None
    allow_insecure: bool = False
    live: LiveConfig = field(default_factory=LiveConfig)
    options: SessionOptions = field(default_factory=SessionOptions)

    def __post_init__(self) -> None:
        for name in ("connect_timeout_ms", "reconnect_timeout_ms"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; give a positive number of milliseconds")
        if self.response_modality not in ("audio", "text"):
            raise ConfigError(f"response_modality is {self.response_modality!r}; give 'audio' or 'text'")
        backend, _ = find_backend(self.vertexai)
        check_account(
            backend,
            api_key=self.api_key,
            project=self.project,
            location=self.location,
            credentials=self.credentials,
        )
        if self.live.response_modalities is not None:
            raise ConfigError("live.response_modalities: give response_modality to the transport instead")


def profile_of(config: GeminiTransportConfig) -> ModelProfile:
    """Return the row of the model on its backend.

    Raises:
        ConfigError: The model belongs to the other one.
    """
    backend, _ = find_backend(config.vertexai)
    return profile_for(model_of(config), backend)


def model_of(config: GeminiTransportConfig) -> str:
    """Return the model that is named, else the backend's recommended one."""
    backend, _ = find_backend(config.vertexai)
    return DEFAULT_MODELS[backend] if config.model is None else config.model


def capabilities_of(profile: ModelProfile) -> TransportCapabilities:
    """Return what a model of this profile can do through this transport."""
    return TransportCapabilities(
        message_truncation=False,
        turn_detection=True,
        user_transcription=True,
        in_place_session_update=False,
        session_resumption=True,
        context_compression=True,
        grounding_metadata=True,
        # A model that only speaks still gives text: the transcript of what it says.
        text_response_modality=bool({"TEXT", "AUDIO"}.intersection(profile.output_modalities)),
    )


def output_of(config: GeminiTransportConfig) -> Output:
    """Return what answers are taken from."""
    if config.response_modality == "audio":
        return "audio"
    return "text" if "TEXT" in profile_of(config).output_modalities else "transcript"


def plan_of(
    config: GeminiTransportConfig,
    *,
    session_id: str,
    handle: str | None,
    place: tuple[str, str] | None = None,
) -> SessionPlan:
    """Return what the core is made of.

    Args:
        config: The options.
        session_id: Begins every id.
        handle: Restores that conversation.
        place: Project and location of Vertex AI, where the model's name begins with them.

    Raises:
        ConfigError: An option that is none, or that the model's profile does not allow.
    """
    profile = profile_of(config)
    output = output_of(config)
    speech = config.speech_config if output == "audio" else SpeechConfig()
    setup = build_setup(
        model=model_of(config),
        profile=profile,
        config=_live(config, output),
        instructions=config.system_instruction,
        tools=_declarations(config.tools),
        voice=speech.voice_name,
        language=speech.language_code,
        temperature=config.temperature,
        handle=handle,
        manual_activity=config.options.turn_detection == "manual",
        project=place[0] if place else None,
        location=place[1] if place else None,
    )
    if config.options.turn_detection != "server":
        raise Unsupported("options.turn_detection: this transport leaves detection to the service")
    return SessionPlan(
        session_id=session_id,
        setup=merge_overrides(setup, config.live.setup_overrides),
        profile=profile,
        # The raw frames tell where one ends (calls are told as one batch) and hold the provider's usage.
        options=replace(config.options, raw_messages=True),
    )


def address_of(config: GeminiTransportConfig, google: GoogleAccount | None = None) -> Address:
    """Return where to connect.

    Args:
        config: The options.
        google: The account of the connection before, when the credentials are the same.

    Raises:
        ConfigError: No key, a URL that cannot be used, or google-auth is needed and missing.
    """
    profile = profile_of(config)
    return find_address(
        config.live,
        backend=profile.backend,
        api_key=config.api_key,
        project=config.project,
        location=config.location,
        credentials=config.credentials,
        google=google,
        base_url=config.base_url,
        allow_insecure=config.allow_insecure,
        default_version=profile.api_version_for(config.live),
    )


def merged(config: GeminiTransportConfig, given: LLMTransportConfig) -> GeminiTransportConfig:
    """Return ``config`` with what ``given`` sets.

    Raises:
        ConfigError: A provider option that is none.
    """
    words = given.transcription
    changes: dict[str, Any] = {
        "model": given.model,
        "input_audio_transcription": words.input if words else None,
        "output_audio_transcription": words.output if words else None,
    }
    update = SessionUpdate(
        instructions=given.instructions,
        tools=given.tools,
        voice=given.voice,
        response_modality=given.response_modality,
        provider_options=given.provider_options,
    )
    return updated(replace(config, **_paid_by(given.auth), **_set(changes)), update)


def updated(config: GeminiTransportConfig, update: SessionUpdate) -> GeminiTransportConfig:
    """Return ``config`` with what ``update`` sets.

    Raises:
        ConfigError: A provider option that is none.
    """
    changes: dict[str, Any] = {
        "system_instruction": update.instructions,
        "tools": update.tools,
        "response_modality": update.response_modality,
    }
    if update.voice is not None:
        changes["speech_config"] = replace(config.speech_config, voice_name=update.voice)
    for name, value in update.provider_options.items():
        changes[name] = _provider_option(name, value)
    return replace(config, **_set(changes))


def _set(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if value is not None}


def _provider_option(name: str, value: Any) -> Any:
    if name == "google_search":
        return bool(value)
    if name != "compression_config":
        raise ConfigError(
            f"provider_options has no {name!r}; Gemini's are google_search and compression_config"
        )
    if value is None or isinstance(value, CompressionConfig):
        return value
    try:
        return CompressionConfig(**value)
    except TypeError as error:
        raise ConfigError("compression_config: its fields are trigger_tokens and target_tokens") from error


def _paid_by(auth: TransportAuth | None) -> dict[str, Any]:
    """Return what an authentication changes: it takes the place of any other."""
    if auth is None:
        return {}
    if isinstance(auth, ApiKeyAuth):
        return {"api_key": auth.api_key, "credentials": None}
    if isinstance(auth, ServiceAccountAuth):
        return {
            "api_key": None,
            "credentials": None,
            "vertexai": True,
            "project": auth.project_id,
            "location": auth.location,
        }
    return {"api_key": None, "credentials": auth.get_token}


def _live(config: GeminiTransportConfig, output: Output) -> LiveConfig:
    """Return the service's options as this transport's own decide them."""
    live = config.live
    heard = config.output_audio_transcription if output == "audio" else output == "transcript"
    compression: Mapping[str, Any] | None = live.context_window_compression
    if config.compression_config is not None:
        sizes = config.compression_config
        window: dict[str, int] = {} if sizes.target_tokens is None else {"targetTokens": sizes.target_tokens}
        trigger = {} if sizes.trigger_tokens is None else {"triggerTokens": sizes.trigger_tokens}
        compression = {"slidingWindow": window, **trigger}
    search: list[Mapping[str, Any]] = [{"googleSearch": {}}] if config.google_search else []
    return replace(
        live,
        response_modalities=("TEXT" if output == "text" else "AUDIO",),
        input_audio_transcription=(live.input_audio_transcription or {})
        if config.input_audio_transcription
        else None,
        output_audio_transcription=(live.output_audio_transcription or {}) if heard else None,
        context_window_compression=compression,
        gemini_tools=(*(live.gemini_tools or ()), *search) or None,
    )


def _declarations(tools: Sequence[ToolDeclaration]) -> list[Mapping[str, Any]]:
    """Return declarations in the order given, mappings as they are."""
    functions = iter(Registry([tool for tool in tools if not isinstance(tool, Mapping)]).declarations())
    return [tool if isinstance(tool, Mapping) else next(functions) for tool in tools]

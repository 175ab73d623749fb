"""What a client sends: exactly one of the five keys of :class:`ClientMessage` per frame.

Source: Live API reference; protobuf ``BidiGenerateContentClientMessage``.
"""

from __future__ import annotations

from typing import Any

from duologue.wire.base import Empty, Int64, Struct
from duologue.wire.content import Blob, Content, FunctionResponse, VoiceConsentSignature
from duologue.wire.tooling import Tool

__all__ = [
    "AutomaticActivityDetection",
    "AvatarConfig",
    "ClientContent",
    "ClientMessage",
    "ContextUpdate",
    "ContextWindowCompression",
    "CustomizedAvatar",
    "Empty",
    "GenerationConfig",
    "HistoryConfig",
    "ImageConfig",
    "LanguageHints",
    "MultiSpeakerVoiceConfig",
    "PrebuiltVoiceConfig",
    "ProactivityConfig",
    "RealtimeInput",
    "RealtimeInputConfig",
    "ReplicatedVoiceConfig",
    "SafetySetting",
    "SessionResumption",
    "Setup",
    "SlidingWindow",
    "SpeakerVoiceConfig",
    "SpeechConfig",
    "ThinkingConfig",
    "ToolList",
    "ToolResponse",
    "TranscriptionConfig",
    "TranslationConfig",
    "VoiceConfig",
]


class PrebuiltVoiceConfig(Struct, frozen=True, kw_only=True):
    """One of the service's named voices."""

    voice_name: str | None = None


class ReplicatedVoiceConfig(Struct, frozen=True, kw_only=True):
    """A cloned voice: a sample of it, and its owner's consent, spoken or signed. Sounds are base64."""

    mime_type: str | None = None
    voice_sample_audio: str | None = None
    consent_audio: str | None = None
    voice_consent_signature: VoiceConsentSignature | None = None


class VoiceConfig(Struct, frozen=True, kw_only=True):
    """Which voice speaks."""

    prebuilt_voice_config: PrebuiltVoiceConfig | None = None
    replicated_voice_config: ReplicatedVoiceConfig | None = None
    voice: str | None = None
    """A speaker by an identifier."""


class SpeakerVoiceConfig(Struct, frozen=True, kw_only=True):
    """The voice of one speaker among several."""

    speaker: str | None = None
    voice_config: VoiceConfig | None = None


class MultiSpeakerVoiceConfig(Struct, frozen=True, kw_only=True):
    """Voices for a text with several speakers; not for live conversations."""

    speaker_voice_configs: list[SpeakerVoiceConfig] | None = None


class SpeechConfig(Struct, frozen=True, kw_only=True):
    """Voice and language of spoken output."""

    voice_config: VoiceConfig | None = None
    language_code: str | None = None
    multi_speaker_voice_config: MultiSpeakerVoiceConfig | None = None


class ThinkingConfig(Struct, frozen=True, kw_only=True):
    """How much the model thinks; models take either budget or level, or neither (see profiles)."""

    include_thoughts: bool | None = None
    thinking_budget: int | None = None
    thinking_level: str | None = None


class TranslationConfig(Struct, frozen=True, kw_only=True):
    """What a translating model speaks, and whether it repeats what is in that language already."""

    target_language_code: str | None = None
    echo_target_language: bool | None = None


class ImageConfig(Struct, frozen=True, kw_only=True):
    """The shape of pictures a model makes."""

    aspect_ratio: str | None = None


class GenerationConfig(Struct, frozen=True, kw_only=True):
    """Sampling and output options of ``setup.generationConfig``.

    The last group is part of the grammar, shared with the service's other methods; live sessions are
    documented not to have it, and we never send it.
    """

    response_modalities: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    max_output_tokens: int | None = None
    candidate_count: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    media_resolution: str | None = None
    speech_config: SpeechConfig | None = None
    thinking_config: ThinkingConfig | None = None
    enable_affective_dialog: bool | None = None
    translation_config: TranslationConfig | None = None

    stop_sequences: list[str] | None = None
    response_mime_type: str | None = None
    response_schema: dict[str, Any] | None = None
    response_json_schema: Any = None
    response_json_schema_ordered: Any = None
    response_logprobs: bool | None = None
    logprobs: int | None = None
    enable_enhanced_civic_answers: bool | None = None
    image_config: ImageConfig | None = None


class AutomaticActivityDetection(Struct, frozen=True, kw_only=True):
    """How the service tells speech from silence. Unset sensitivities are HIGH on the Developer API."""

    disabled: bool | None = None
    start_of_speech_sensitivity: str | None = None
    end_of_speech_sensitivity: str | None = None
    prefix_padding_ms: int | None = None
    silence_duration_ms: int | None = None


class RealtimeInputConfig(Struct, frozen=True, kw_only=True):
    """Activity detection, what an activity does to a running answer, what a turn contains."""

    automatic_activity_detection: AutomaticActivityDetection | None = None
    activity_handling: str | None = None
    turn_coverage: str | None = None
    interim_transcript_timestamp_enabled: bool | None = None


class SessionResumption(Struct, frozen=True, kw_only=True):
    """Asks for handles; with ``handle``, restores that state. Never send ``handle: null``."""

    handle: str | None = None
    transparent: bool | None = None


class SlidingWindow(Struct, frozen=True, kw_only=True):
    """Cuts old turns away, down to ``target_tokens``."""

    target_tokens: Int64 | None = None


class ContextWindowCompression(Struct, frozen=True, kw_only=True):
    """When and how the context is cut; unset sizes are the service's."""

    trigger_tokens: Int64 | None = None
    sliding_window: SlidingWindow | None = None


class LanguageHints(Struct, frozen=True, kw_only=True):
    """Which languages to expect; older form of ``language_codes``."""

    language_codes: list[str] | None = None


class TranscriptionConfig(Struct, frozen=True, kw_only=True):
    """Presence turns transcription on; every field is optional."""

    language_codes: list[str] | None = None
    custom_vocabulary: list[str] | None = None
    word_timestamp: bool | None = None
    diarization: bool | None = None
    mode: str | None = None
    source_text: str | None = None
    language_auto: Empty | None = None
    language_hints: LanguageHints | None = None
    adaptation_phrases: list[str] | None = None


class ProactivityConfig(Struct, frozen=True, kw_only=True):
    """Lets the model stay silent when it is not addressed."""

    proactive_audio: bool | None = None
    proactive_video: bool | None = None


class HistoryConfig(Struct, frozen=True, kw_only=True):
    """Announces that the first clientContent is history, not a request."""

    initial_history_in_client_content: bool | None = None


class SafetySetting(Struct, frozen=True, kw_only=True):
    """What is blocked of one kind of harm; ``method`` is for Vertex."""

    category: str | None = None
    threshold: str | None = None
    method: str | None = None


class CustomizedAvatar(Struct, frozen=True, kw_only=True):
    """A face of one's own: one picture, base64."""

    image_mime_type: str | None = None
    image_data: str | None = None


class AvatarConfig(Struct, frozen=True, kw_only=True):
    """A face that speaks; a named one or one's own."""

    avatar_name: str | None = None
    customized_avatar: CustomizedAvatar | None = None
    audio_bitrate_bps: int | None = None
    video_bitrate_bps: int | None = None


class Setup(Struct, frozen=True, kw_only=True):
    """The first message, and only the first."""

    model: str = ""
    generation_config: GenerationConfig | None = None
    system_instruction: Content | None = None
    tools: list[Tool] | None = None
    realtime_input_config: RealtimeInputConfig | None = None
    session_resumption: SessionResumption | None = None
    context_window_compression: ContextWindowCompression | None = None
    input_audio_transcription: TranscriptionConfig | None = None
    output_audio_transcription: TranscriptionConfig | None = None
    proactivity: ProactivityConfig | None = None
    history_config: HistoryConfig | None = None
    explicit_vad_signal: bool | None = None
    safety_settings: list[SafetySetting] | None = None
    avatar_config: AvatarConfig | None = None
    labels: dict[str, str] | None = None


class ClientContent(Struct, frozen=True, kw_only=True):
    """Turns appended to the history; interrupts a running generation. See the profile for when."""

    turns: list[Content] | None = None
    turn_complete: bool | None = None


class RealtimeInput(Struct, frozen=True, kw_only=True):
    """Sound, pictures, text and activity marks; one sub-field a message."""

    audio: Blob | None = None
    video: Blob | None = None
    text: str | None = None
    activity_start: Empty | None = None
    activity_end: Empty | None = None
    audio_stream_end: bool | None = None
    media_chunks: list[Blob] | None = None


class ToolResponse(Struct, frozen=True, kw_only=True):
    """Answers to function calls."""

    function_responses: list[FunctionResponse] | None = None


class ToolList(Struct, frozen=True, kw_only=True):
    """The inner object of ``contextUpdate.tools``."""

    tools: list[Tool] | None = None


class ContextUpdate(Struct, frozen=True, kw_only=True):
    """Replaces instruction or tools while the session runs, on models that have it."""

    system_instruction: Content | None = None
    tools: ToolList | None = None


class ClientMessage(Struct, frozen=True, kw_only=True):
    """One frame from the client: exactly one of these is set."""

    setup: Setup | None = None
    client_content: ClientContent | None = None
    realtime_input: RealtimeInput | None = None
    tool_response: ToolResponse | None = None
    context_update: ContextUpdate | None = None

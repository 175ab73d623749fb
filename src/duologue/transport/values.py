"""What goes in and out of a transport: frozen values, the same for every provider.

Read this to see every field with its meaning. Nothing here knows Gemini's wire.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = [
    "ApiKeyAuth",
    "AudioFormat",
    "ContentTurn",
    "LLMTransportConfig",
    "PendingToolCall",
    "RealtimeLLMUsageEvent",
    "ReconnectState",
    "ReplayFile",
    "ReplayItem",
    "ReplayText",
    "ReplayToolCall",
    "ReplayToolResult",
    "ReplayTransfer",
    "ResponseModality",
    "ResultScheduling",
    "ServiceAccountAuth",
    "SessionUpdate",
    "TokenProviderAuth",
    "ToolCallRequest",
    "ToolCallResult",
    "ToolDeclaration",
    "TranscriptionOptions",
    "TransportAuth",
    "TransportCapabilities",
    "TransportError",
]

ResponseModality = Literal["audio", "text"]
ResultScheduling = Literal["immediate", "when_idle", "interrupt", "silent"]
ToolDeclaration = Callable[..., Any] | Mapping[str, Any]
"""A ``@function_tool``, a plain function, or a function declaration as on the wire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportCapabilities:
    """What a transport can do. Branch on these, never on a provider's name."""

    message_truncation: bool
    """The service can cut its message at the playhead."""
    turn_detection: bool
    """The service detects when the user speaks."""
    user_transcription: bool
    """The service transcribes the user."""
    in_place_session_update: bool
    """``update_session`` works without a new link."""
    session_resumption: bool
    """The service gives handles from which a conversation is restored."""
    context_compression: bool
    """The service cuts old turns away by itself."""
    grounding_metadata: bool
    """Search results are told."""
    text_response_modality: bool = False
    """``response_modality="text"`` gives text and no sound, as an external voice needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFormat:
    """The sound of both directions; rates in Hz, samples signed little-endian."""

    input_sample_rate: int = 16_000
    output_sample_rate: int = 24_000
    channels: int = 1
    bit_depth: int = 16
    encoding: str = "pcm"


@dataclass(frozen=True, slots=True)
class ApiKeyAuth:
    """A key, or with Gemini an ephemeral token; never shown."""

    api_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServiceAccountAuth:
    """The machine's account in a cloud project (Application Default Credentials).

    With Gemini it stands for Vertex AI; without a location, that of the environment, else ``global``.
    """

    project_id: str
    location: str | None = None


@dataclass(frozen=True, slots=True)
class TokenProviderAuth:
    """A function that fetches a token, awaited before every link.

    With Gemini: an ephemeral token or a key of the Developer API, or an access token for Vertex AI,
    whichever the transport is set to.
    """

    get_token: Callable[[], Awaitable[str]] = field(repr=False)


TransportAuth = ApiKeyAuth | ServiceAccountAuth | TokenProviderAuth


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionOptions:
    """Which side is transcribed; None leaves it as it is."""

    input: bool | None = None
    output: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LLMTransportConfig:
    """What ``connect`` may set, the same for every provider; None leaves a thing as it is."""

    auth: TransportAuth | None = None
    model: str | None = None
    instructions: str | None = None
    tools: Sequence[ToolDeclaration] | None = None
    voice: str | None = None
    transcription: TranscriptionOptions | None = None
    response_modality: ResponseModality | None = None
    provider_options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """For Gemini: ``google_search`` (bool) and ``compression_config`` (``CompressionConfig`` or its fields)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionUpdate:
    """What may change while the conversation goes on; None leaves a thing as it is."""

    instructions: str | None = None
    tools: Sequence[ToolDeclaration] | None = None
    voice: str | None = None
    response_modality: ResponseModality | None = None
    provider_options: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class ContentTurn:
    """One turn of text."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallRequest:
    """The model asks for a function."""

    id: str
    name: str
    args: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCallResult:
    """What a call came to. A mapping is sent as it is, anything else as ``{"result": ...}``."""

    id: str
    name: str
    result: Any = None
    scheduling: ResultScheduling | None = None
    """When a model that did not wait for it takes it up; None leaves that to the service."""


@dataclass(frozen=True, slots=True)
class TransportError:
    """Something went wrong; ``recoverable`` says whether going on or reconnecting may help."""

    error: Exception
    recoverable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimeLLMUsageEvent:
    """Tokens, as the provider counts them: ``"update"`` as they are told, ``"final"`` once a turn."""

    phase: Literal["update", "final"]
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    modality_breakdown: Mapping[str, int]
    """``input_text``, ``input_audio``, ``input_image``, ``cached``, ``cached_text``, ``cached_audio``,
    ``output_text``, ``output_audio``; those that are zero are left out."""
    provider_raw: Mapping[str, Any]
    """The provider's own object."""
    provider: str = "gemini_live"
    kind: str = "response"
    unit: str = "tokens"


@dataclass(frozen=True, slots=True)
class ReplayText:
    """Somebody said or wrote something."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class ReplayToolCall:
    """The model asked for a function."""

    id: str
    name: str
    args: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReplayToolResult:
    """A function's result was told."""

    id: str
    name: str
    result: Any


@dataclass(frozen=True, slots=True)
class ReplayFile:
    """The user showed a file; ``data`` as bytes or base64 text."""

    data: bytes | str = field(repr=False)
    mime_type: str


@dataclass(frozen=True, slots=True)
class ReplayTransfer:
    """One agent handed over to another."""

    from_agent: str
    to_agent: str


ReplayItem = ReplayText | ReplayToolCall | ReplayToolResult | ReplayFile | ReplayTransfer


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingToolCall:
    """A call whose result the model had not been told when the link ended."""

    id: str
    name: str
    args: Mapping[str, Any] = field(default_factory=dict[str, Any])
    status: Literal["executing", "completed"] = "executing"
    result: Any = None
    agent_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectState:
    """What the orchestrator knows of the conversation, for a service that has forgotten it."""

    conversation_history: Sequence[ReplayItem] = ()
    pending_tool_calls: Sequence[PendingToolCall] = ()

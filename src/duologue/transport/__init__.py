"""The face for orchestrators: one contract for every provider, and Gemini's side of it.

``base`` holds the contract, ``values`` what goes in and out, ``gemini`` the transport. Thin over the same
core and driver as ``duologue.realtime``; no protocol rules here.
"""

from duologue.transport.base import LLMTransport, TransportCallbacks
from duologue.transport.gemini import GeminiLiveTransport
from duologue.transport.setup import CompressionConfig, GeminiTransportConfig, SpeechConfig
from duologue.transport.values import (
    ApiKeyAuth,
    AudioFormat,
    ContentTurn,
    LLMTransportConfig,
    PendingToolCall,
    RealtimeLLMUsageEvent,
    ReconnectState,
    ReplayFile,
    ReplayItem,
    ReplayText,
    ReplayToolCall,
    ReplayToolResult,
    ReplayTransfer,
    ServiceAccountAuth,
    SessionUpdate,
    TokenProviderAuth,
    ToolCallRequest,
    ToolCallResult,
    TranscriptionOptions,
    TransportCapabilities,
    TransportError,
)

__all__ = [
    "ApiKeyAuth",
    "AudioFormat",
    "CompressionConfig",
    "ContentTurn",
    "GeminiLiveTransport",
    "GeminiTransportConfig",
    "LLMTransport",
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
    "ServiceAccountAuth",
    "SessionUpdate",
    "SpeechConfig",
    "TokenProviderAuth",
    "ToolCallRequest",
    "ToolCallResult",
    "TranscriptionOptions",
    "TransportCallbacks",
    "TransportCapabilities",
    "TransportError",
]

"""Realtime spoken conversations with Google's Gemini Live API.

Start with :func:`connect`. Everything public is importable from here and loaded when first used, so
that ``import duologue`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from duologue import tokens as tokens
    from duologue.audio import EchoGuard as EchoGuard
    from duologue.audio import Microphone as Microphone
    from duologue.audio import NullSink as NullSink
    from duologue.audio import Speaker as Speaker
    from duologue.audio import WavFile as WavFile
    from duologue.config import ChatContext as ChatContext
    from duologue.config import ChatMessage as ChatMessage
    from duologue.config import LiveConfig as LiveConfig
    from duologue.config import SessionOptions as SessionOptions
    from duologue.emulator import Emulator as Emulator
    from duologue.events import AudioOutput as AudioOutput
    from duologue.events import Event as Event
    from duologue.events import GenerationCompleted as GenerationCompleted
    from duologue.events import GenerationCreated as GenerationCreated
    from duologue.events import GoAway as GoAway
    from duologue.events import Grounding as Grounding
    from duologue.events import InputSpeechStarted as InputSpeechStarted
    from duologue.events import InputSpeechStopped as InputSpeechStopped
    from duologue.events import Interrupted as Interrupted
    from duologue.events import RawMessage as RawMessage
    from duologue.events import Reconnecting as Reconnecting
    from duologue.events import ResumptionUpdate as ResumptionUpdate
    from duologue.events import SessionEnded as SessionEnded
    from duologue.events import SessionError as SessionError
    from duologue.events import SessionReady as SessionReady
    from duologue.events import TextOutput as TextOutput
    from duologue.events import Thought as Thought
    from duologue.events import TokenUsage as TokenUsage
    from duologue.events import ToolCall as ToolCall
    from duologue.events import ToolCallCancelled as ToolCallCancelled
    from duologue.events import ToolResult as ToolResult
    from duologue.events import Transcript as Transcript
    from duologue.events import TurnCompleted as TurnCompleted
    from duologue.events import TurnTimings as TurnTimings
    from duologue.events import UsageReported as UsageReported
    from duologue.events import WaitingForInput as WaitingForInput
    from duologue.realtime import Generation as Generation
    from duologue.realtime import RealtimeModel as RealtimeModel
    from duologue.realtime import RealtimeSession as RealtimeSession
    from duologue.realtime import connect as connect
    from duologue.tools import FunctionTool as FunctionTool
    from duologue.tools import ToolContext as ToolContext
    from duologue.tools import end_call as end_call
    from duologue.tools import function_tool as function_tool
    from duologue.transport import GeminiLiveTransport as GeminiLiveTransport
    from duologue.transport import GeminiTransportConfig as GeminiTransportConfig
    from duologue.transport import LLMTransport as LLMTransport

_HOMES: dict[str, tuple[str, ...]] = {
    "duologue": ("tokens",),  # a module of its own
    "duologue.audio": ("EchoGuard", "Microphone", "NullSink", "Speaker", "WavFile"),
    "duologue.config": ("ChatContext", "ChatMessage", "LiveConfig", "SessionOptions"),
    "duologue.emulator": ("Emulator",),
    "duologue.events": (
        "AudioOutput",
        "Event",
        "GenerationCompleted",
        "GenerationCreated",
        "GoAway",
        "Grounding",
        "InputSpeechStarted",
        "InputSpeechStopped",
        "Interrupted",
        "RawMessage",
        "Reconnecting",
        "ResumptionUpdate",
        "SessionEnded",
        "SessionError",
        "SessionReady",
        "TextOutput",
        "Thought",
        "TokenUsage",
        "ToolCall",
        "ToolCallCancelled",
        "ToolResult",
        "Transcript",
        "TurnCompleted",
        "TurnTimings",
        "UsageReported",
        "WaitingForInput",
    ),
    "duologue.realtime": ("Generation", "RealtimeModel", "RealtimeSession", "connect"),
    "duologue.tools": ("FunctionTool", "ToolContext", "end_call", "function_tool"),
    "duologue.transport": ("GeminiLiveTransport", "GeminiTransportConfig", "LLMTransport"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [*sorted(_HOME_OF), "__version__"]  # pyright: ignore[reportUnsupportedDunderAll] -- the table above


def __getattr__(name: str) -> Any:
    """Load a public name from its room when it is first used (PEP 562)."""
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'duologue' has no attribute {name!r}")
    value = import_module(f"{home}.{name}") if home == __name__ else getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)

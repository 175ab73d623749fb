"""The contract of a transport: 18 callbacks, three properties, 12 methods.

Read this to drive any provider, or to add one. A test holds the membership exactly. Callbacks are plain
functions called on the event loop's thread, in the order of the wire; what one raises is told to
``on_error`` and stops nothing. All methods belong to the loop's thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from duologue.transport.values import (
    AudioFormat,
    LLMTransportConfig,
    RealtimeLLMUsageEvent,
    ReconnectState,
    SessionUpdate,
    ToolCallRequest,
    TransportCapabilities,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from duologue.transport.values import ContentTurn, ToolCallResult

__all__ = [
    "CALLBACKS",
    "AudioFormat",
    "LLMTransport",
    "LLMTransportConfig",
    "RealtimeLLMUsageEvent",
    "ReconnectState",
    "SessionUpdate",
    "ToolCallRequest",
    "TransportCallbacks",
    "TransportCapabilities",
    "TransportError",
]


@runtime_checkable
class TransportCallbacks(Protocol):
    """The callbacks; set any of them, at any time."""

    on_session_ready: Callable[[str], object] | None = None
    """(session_id): commands and sound reach the model from now on."""
    on_model_turn_start: Callable[[], object] | None = None
    """(): once per turn of the model, before anything else of that turn."""
    on_audio_output: Callable[[bytes], object] | None = None
    """(pcm): s16le mono at ``audio_format.output_sample_rate``, faster than real time. Whole samples,
    except that a turn cut short may end in one odd byte, which ``on_error`` tells of (Q-odd-audio)."""
    on_text_output: Callable[[str], object] | None = None
    """(text): a piece of the answer, in text mode only."""
    on_text_done: Callable[[], object] | None = None
    """(): in text mode, once per turn, after its text and before ``on_turn_complete``."""
    on_turn_complete: Callable[[], object] | None = None
    """(): the service has ended the turn."""
    on_interrupted: Callable[[], object] | None = None
    """(): silence what is being played; no sound of that answer follows."""
    on_speech_started: Callable[[], object] | None = None
    """(): the user has begun to speak; once per onset."""
    on_input_transcription: Callable[[str], object] | None = None
    """(fragment): what the user said, verbatim and not cumulative."""
    on_output_transcription: Callable[[str], object] | None = None
    """(fragment): what the model said, verbatim and not cumulative."""
    on_tool_call: Callable[[Sequence[ToolCallRequest]], object] | None = None
    """(calls): everything asked for at once."""
    on_tool_call_cancel: Callable[[Sequence[str]], object] | None = None
    """(ids): results that are no longer wanted."""
    on_grounding_metadata: Callable[[Mapping[str, Any]], object] | None = None
    """(metadata): search results the answer rests on."""
    on_go_away: Callable[[str], object] | None = None
    """(time_left): the link will end, e.g. in ``"9.5s"``; "" when the service does not say."""
    on_resumption_update: Callable[[str, bool], object] | None = None
    """(handle, resumable): a new handle; it is stored for ``reconnect``."""
    on_realtime_llm_usage: Callable[[RealtimeLLMUsageEvent], object] | None = None
    """(event): token counts."""
    on_error: Callable[[TransportError], object] | None = None
    """(error): something went wrong after connecting."""
    on_close: Callable[[int | None, str], object] | None = None
    """(code, reason): the last of a connection, whoever ended it."""


CALLBACKS: Final = tuple(TransportCallbacks.__annotations__)
"""Their names."""


@runtime_checkable
class LLMTransport(TransportCallbacks, Protocol):
    """A conversation with a speaking model, whoever provides it."""

    @property
    def capabilities(self) -> TransportCapabilities:
        """What it can do; readable before connecting, and fixed for good."""
        ...

    @property
    def audio_format(self) -> AudioFormat:
        """The sound of both directions."""
        ...

    @property
    def is_connected(self) -> bool:
        """Whether commands and sound reach the model now."""
        ...

    async def connect(self, config: LLMTransportConfig | None = None) -> None:
        """Begin a new conversation; return once it can be talked to."""
        ...

    async def disconnect(self) -> None:
        """End the connection; idempotent."""
        ...

    async def reconnect(self, state: ReconnectState | str | None = None) -> None:
        """Go on with the conversation over a new link."""
        ...

    async def transfer_session(self, update: SessionUpdate, state: ReconnectState | None = None) -> None:
        """Go on as another agent."""
        ...

    def send_audio(self, data: bytes | bytearray | memoryview | str) -> None:
        """Hand over the user's sound, as bytes or base64 text."""
        ...

    def commit_audio(self) -> None:
        """Say that the user's sound pauses here."""
        ...

    def clear_audio(self) -> None:
        """Drop the user's sound that is not on the wire yet."""
        ...

    def send_content(self, turns: Sequence[ContentTurn], *, turn_complete: bool = True) -> None:
        """Append turns; with ``turn_complete`` the model answers."""
        ...

    def send_file(self, data: bytes | str, mime_type: str) -> None:
        """Show the model a file without asking for an answer."""
        ...

    def send_tool_result(self, result: ToolCallResult) -> None:
        """Answer a tool call."""
        ...

    def trigger_generation(self, instructions: str | None = None) -> None:
        """Ensure a reply: do nothing while one is running or due."""
        ...

    def update_session(self, update: SessionUpdate) -> None:
        """Change instructions, tools or options; at once or with the next link (see ``capabilities``)."""
        ...

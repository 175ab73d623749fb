"""What you configure, and the small protocols through which rooms are handed to the driver.

Read this to see every option with its default. All are frozen: derive a changed copy with
``dataclasses.replace``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypedDict, runtime_checkable

from duologue.checks import check_fields
from duologue.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence

    from duologue.core.outlet import Frame, Notice
    from duologue.core.session import SessionPlan
    from duologue.events import Event, ToolCall

__all__ = [
    "AudioSink",
    "AudioSource",
    "ChatContext",
    "ChatMessage",
    "Clock",
    "LiveConfig",
    "MicWhileBlocking",
    "ModelOptions",
    "RealtimeCapabilities",
    "Recorder",
    "Scheduling",
    "SessionOptions",
    "ToolBehavior",
    "ToolOutcome",
    "ToolRunner",
    "TurnDetection",
]

Scheduling = Literal["SILENT", "WHEN_IDLE", "INTERRUPT"]
ToolBehavior = Literal["BLOCKING", "NON_BLOCKING"]
MicWhileBlocking = Literal["buffer", "send", "drop"]
TurnDetection = Literal["server", "local", "manual"]
Role = Literal["user", "model"]


def _transcription_on() -> Mapping[str, Any] | None:
    return {}


def _sliding_window() -> Mapping[str, Any] | None:
    return {"slidingWindow": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveConfig:
    """Options of the model and the service, named as on the wire but in snake_case.

    Unset (None or empty) means: not sent, the service decides. On by default, and how to turn them
    off: ``input_audio_transcription``, ``output_audio_transcription`` and
    ``context_window_compression`` with None, ``session_resumption`` with False or None.

    ``system_instruction``, ``temperature`` and ``speech_config`` say what keywords of the model say
    too: give one of the two.

    Source: the Live API reference, BidiGenerateContentSetup.
    """

    system_instruction: str | Mapping[str, Any] | None = None
    """A text, or a Content as on the wire; each part is a paragraph of its own."""
    temperature: float | None = None
    """0..2."""
    speech_config: Mapping[str, Any] | None = None
    """Voice and language as on the wire, for what ``voice`` and ``language`` have no words for."""

    response_modalities: Sequence[str] | None = None
    """Exactly one of ``"AUDIO"`` and ``"TEXT"``; None is AUDIO."""
    candidate_count: int | None = None
    max_output_tokens: int | None = None
    """Counts sound too: 25 tokens a second."""
    top_p: float | None = None
    top_k: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    media_resolution: str | None = None
    input_audio_transcription: Mapping[str, Any] | None = field(default_factory=_transcription_on)
    output_audio_transcription: Mapping[str, Any] | None = field(default_factory=_transcription_on)
    enable_affective_dialog: bool | None = None
    proactivity: Mapping[str, Any] | bool | None = None
    realtime_input_config: Mapping[str, Any] | None = None
    """``automatic_activity_detection``, ``activity_handling``, ``turn_coverage``; either case."""
    session_resumption: bool | Mapping[str, Any] | None = field(default=True, repr=False)
    """Whether to ask for handles; a mapping may hold ``handle`` and, on Vertex AI, ``transparent``. Not shown."""
    context_window_compression: Mapping[str, Any] | None = field(default_factory=_sliding_window)
    thinking_config: Mapping[str, Any] | None = None
    history_config: Mapping[str, Any] | None = None
    safety_settings: Sequence[Mapping[str, Any]] | None = None
    gemini_tools: Sequence[Mapping[str, Any]] | None = field(default=None, repr=False)
    """Tools as on the wire, e.g. ``({"googleSearch": {}},)``; functions declared here are not run: answer
    their calls with ``send_tool_result``. Not shown: some hold a key of their own."""
    explicit_vad_signal: bool | None = None
    """Vertex AI only."""
    translation_config: Mapping[str, Any] | None = None
    """Models that translate, on the Developer API only."""
    avatar_config: Mapping[str, Any] | None = None
    labels: Mapping[str, Any] | None = None
    tool_behavior: ToolBehavior | None = None
    tool_response_scheduling: Scheduling | None = None
    image_encode_options: Mapping[str, Any] | None = None
    api_version: str | None = None
    http_options: Mapping[str, Any] | None = field(default=None, repr=False)
    """``api_version``, ``base_url`` and ``headers`` are honoured; anything else is refused. Not shown."""
    setup_overrides: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """Merged deeply into the setup message last: the way out for fields newer than this package. Not shown."""

    def __post_init__(self) -> None:
        check_fields(self)


_LEAST_AND_MOST: Final[Mapping[str, tuple[int, int | None]]] = {
    "chunk_ms": (10, 1000),
    "uplink_buffer_ms": (0, None),
    "control_queue_size": (16, None),
    "outbox_messages": (1, None),
    "max_message_bytes": (64 * 1024, None),
}
"""Of each whole number among the session's options; its seconds are all more than 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How this library behaves; nothing in here reaches the service.

    Args:
        chunk_ms: Length of one uplink audio message, 10..1000 ms.
        uplink_buffer_ms: Sound that has waited longer than this to be written is dropped, oldest first,
            and counted; a burst pushed at once is kept, up to a minute of it.
        downlink_buffer_s: Sound a subscriber may leave unread, per generation, before its oldest
            is dropped and counted.
        tool_timeout_s: How long one tool call may run; the model is told when it ran out.
        mic_while_blocking: What happens to the microphone while a BLOCKING call is unanswered:
            kept (at most 10 s) and sent after the answer, sent at once, or dropped. The service has
            been reported to close sessions that are sent sound meanwhile.
        turn_detection: Who decides when the user speaks: the service, this side, or explicit calls.
        connect_timeout_s: For DNS, TCP and TLS together.
        upgrade_timeout_s: For the HTTP upgrade to a WebSocket.
        setup_timeout_s: From the setup message to setupComplete.
        close_timeout_s: For the closing handshake.
        recovery_deadline_s: A session is live again or ended within this. Not honoured in this version:
            a lost link ends the session at once.
        stall_after_s: A turn that began and shows nothing for this long is reported as stalled. Not
            honoured in this version: nothing watches for it.
        control_queue_size: Control events a subscriber may leave unread before ``SlowConsumer``.
        outbox_messages: Text and tool results waiting to be written before ``QueueFull``.
        max_message_bytes: Larger frames end the link.
        websocket_library: ``"auto"`` takes picows when it is installed.
        raw_messages: Emit a ``RawMessage`` for every server message.
    """

    chunk_ms: int = 50
    uplink_buffer_ms: int = 3000
    downlink_buffer_s: float = 120.0
    tool_timeout_s: float = 30.0
    mic_while_blocking: MicWhileBlocking = "buffer"
    turn_detection: TurnDetection = "server"
    connect_timeout_s: float = 10.0
    upgrade_timeout_s: float = 10.0
    setup_timeout_s: float = 10.0
    close_timeout_s: float = 2.0
    recovery_deadline_s: float = 60.0
    stall_after_s: float = 15.0
    control_queue_size: int = 4096
    outbox_messages: int = 1024
    max_message_bytes: int = 16 * 1024 * 1024
    websocket_library: Literal["auto", "websockets", "picows"] = "auto"
    raw_messages: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        for name, (least, most) in _LEAST_AND_MOST.items():
            value = getattr(self, name)
            if value < least or (most is not None and value > most):
                allowed = f"{least} or more" if most is None else f"{least} to {most}"
                raise ConfigError(f"SessionOptions.{name} is {value}; give {allowed}")
        for name in self.__slots__:
            if name.endswith("_s") and getattr(self, name) <= 0:
                raise ConfigError(
                    f"SessionOptions.{name} is {getattr(self, name)}; give a positive number of seconds"
                )


@dataclass(frozen=True, slots=True)
class RealtimeCapabilities:
    """What a transport or model can do, fixed when it is made. Branch on these, never on names."""

    message_truncation: bool = False
    turn_detection: bool = True
    user_transcription: bool = True
    auto_tool_reply_generation: bool = True
    audio_output: bool = True
    manual_function_calls: bool = False
    in_place_session_update: bool = False
    session_resumption: bool = True
    context_compression: bool = True
    grounding_metadata: bool = True
    text_response_modality: bool = False


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn of a conversation as text."""

    role: Role
    text: str
    interrupted: bool = False
    id: str = ""


@dataclass(frozen=True, slots=True)
class ChatContext:
    """A conversation as a value: an ordered tuple of messages."""

    messages: tuple[ChatMessage, ...] = ()

    def add(self, role: Role, text: str) -> ChatContext:
        """Return a copy with one more message."""
        return ChatContext((*self.messages, ChatMessage(role, text)))


@runtime_checkable
class Clock(Protocol):
    """Monotonic time, and a way to be called at an instant of it."""

    def now(self) -> float:
        """Return seconds of a clock that never goes back."""
        ...

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Arrange for ``callback()`` at ``when``; return a function that cancels it."""
        ...


@runtime_checkable
class AudioSource(Protocol):
    """Where the caller's sound comes from: a microphone, a file, a browser.

    Iterating gives s16le PCM frames, interleaved when ``channels`` > 1, **at the pace of real
    time**; it ends when the source is exhausted.
    """

    @property
    def sample_rate(self) -> int:
        """Samples a second of one channel, in Hz."""
        ...

    @property
    def channels(self) -> int:
        """Number of interleaved channels, 1 or 2."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Open the source and yield its frames."""
        ...

    async def aclose(self) -> None:
        """Release the device or file; idempotent."""
        ...


@runtime_checkable
class AudioSink(Protocol):
    """Where the model's sound goes. Owns pacing and the playhead; nothing here blocks."""

    def start(self, report_playhead: Callable[[str, int], None]) -> None:
        """Begin playing; call ``report_playhead(generation_id, played_ms)`` as sound is heard."""
        ...

    def write(self, generation_id: str, pcm: bytes) -> None:
        """Queue s16le mono 24 kHz sound of a generation; returns at once."""
        ...

    def end(self, generation_id: str) -> None:
        """Tell that no more sound of this generation will be written."""
        ...

    def flush(self) -> None:
        """Fall silent now: everything queued and unheard is thrown away (interruption)."""
        ...

    async def drained(self) -> None:
        """Return once everything written so far has been heard or flushed."""
        ...

    async def aclose(self) -> None:
        """Stop and release the device or file (files are whole afterwards); idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What a tool run has to tell the model (and the application)."""

    response: Mapping[str, Any]
    is_error: bool = False
    scheduling: Scheduling | None = None
    will_continue: bool = False
    failure: Exception | None = None
    """An exception that was not a ToolError: becomes a ``SessionError``; the model hears a generic sentence."""


@runtime_checkable
class ToolRunner(Protocol):
    """Runs registered tools; handed to the driver, which starts one run per call id."""

    def handles(self, name: str) -> bool:
        """Tell whether a function of this name is registered."""
        ...

    def run(self, call: ToolCall, session: object) -> AsyncGenerator[ToolOutcome, None]:
        """Run one call. Yields one final outcome, after any ``will_continue`` ones; never raises.

        Closing the generator cancels the tool (a thread's late result is discarded).
        """
        ...


@runtime_checkable
class Recorder(Protocol):
    """Takes the journal of one session: everything its core is fed, and everything that comes of it.

    Called on the hot path, in the loop's thread: nothing here blocks or raises, ``begin`` and ``aclose``
    apart. What is handed over may change afterwards, where the application holds it too.
    """

    def begin(self, plan: SessionPlan, secrets: Iterable[str]) -> None:
        """Take what the session is made of, and what must not be written down.

        Raises:
            TapeError: It cannot record: a file that is there already, or a recorder that has begun before.
        """
        ...

    def hide(self, secret: str) -> None:
        """Take a secret that became known later, such as an access token."""
        ...

    def fed(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Take an input of the core by the name of its method, before it has any effect."""
        ...

    def sent(self, frames: Sequence[Frame]) -> None:
        """Take the frames that came of the inputs so far."""
        ...

    def told(self, events: Sequence[Event | Notice]) -> None:
        """Take the events that came of the inputs so far."""
        ...

    async def aclose(self) -> None:
        """Write everything down and end; idempotent, never raises."""
        ...


class ModelOptions(TypedDict, total=False):
    """The keywords of ``RealtimeModel`` (a test holds the two equal)."""

    model: str | None
    instructions: str | None
    tools: Sequence[Any]
    voice: str
    language: str | None
    temperature: float | None
    api_key: str | None
    vertexai: bool | None
    project: str | None
    location: str | None
    credentials: object | None
    base_url: str | None
    allow_insecure: bool
    config: LiveConfig | Mapping[str, Any] | object | None
    options: SessionOptions

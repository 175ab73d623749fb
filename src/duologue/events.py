"""What a session tells you: frozen events, one union, ``match`` on the class.

Read this to know what can happen. All sound is signed 16-bit little-endian mono at 24 kHz; all
durations carry their unit. Events arrive in wire order; ``SessionEnded`` is always the last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AudioOutput",
    "Event",
    "GenerationCompleted",
    "GenerationCreated",
    "GenerationStatus",
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
    "ToolCallOutcome",
    "ToolResult",
    "Transcript",
    "TurnCompleted",
    "TurnTimings",
    "UsageReported",
    "WaitingForInput",
]

GenerationStatus = Literal["completed", "interrupted", "tool_calls", "lost"]
ToolCallOutcome = Literal["answered", "cancelled", "abandoned"]


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one turn, or sums over turns, as the service counts them.

    ``total`` is the service's own figure: it leaves thoughts out, and details need not sum to the
    counts (both recorded). Sound is 25 tokens a second.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    thought_tokens: int = 0
    cached_tokens: int = 0
    tool_use_tokens: int = 0
    input_by_modality: Mapping[str, int] = field(default_factory=dict[str, int])
    output_by_modality: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class TurnTimings:
    """When things of one turn happened, in seconds of the session's clock; None: did not happen."""

    user_stopped_at: float | None = None
    """The end of the user's speech as told by the service or by ``end_user_activity``."""
    created_at: float | None = None
    first_audio_at: float | None = None
    generated_at: float | None = None
    completed_at: float | None = None


@dataclass(frozen=True, slots=True)
class SessionReady:
    """setupComplete has arrived: commands and sound reach the model from now on."""

    session_id: str
    """Ours, or the service's own where it sends one (Vertex)."""


@dataclass(frozen=True, slots=True)
class GenerationCreated:
    """The model has begun an answer; the first of its sound, text or calls follows."""

    id: str
    user_initiated: bool
    """True when it is the answer to ``generate_reply``."""


@dataclass(frozen=True, slots=True)
class AudioOutput:
    """A piece of the model's speech, faster than real time: hand it to something that paces."""

    generation_id: str
    pcm: bytes
    """s16le mono 24 kHz; shape (n,), 2·n bytes. Where a generation's sound ends in half a sample, that byte
    comes alone and last, and a ``SessionError`` of code ``odd_audio`` with it (Q-odd-audio)."""
    offset_ms: int
    """Where in the generation's sound this piece begins."""


@dataclass(frozen=True, slots=True)
class TextOutput:
    """A piece of the answer in the TEXT modality; never a thought, never a transcript."""

    generation_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """A thought summary; not meant to be spoken or shown as speech."""

    generation_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """Words somebody said, growing fragment by fragment."""

    role: Literal["user", "model"]
    text: str
    """All of this item so far; leading blanks stripped."""
    delta: str
    """What this event adds, verbatim from the wire; "" when only ``final`` became true."""
    final: bool
    item_id: str


@dataclass(frozen=True, slots=True)
class InputSpeechStarted:
    """The user has begun to speak (heard by the service, or told by ``start_user_activity``)."""

    audio_offset_ms: int | None = None
    """Where in the uplink sound, when the service says."""


@dataclass(frozen=True, slots=True)
class InputSpeechStopped:
    """The user has stopped speaking."""

    audio_offset_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The answer was cut off. No sound of these generations is delivered after this event."""

    generations: tuple[str, ...]
    """Ids of the turn's generations; empty when the service interrupted before any began."""
    by: Literal["service", "application"]
    heard_ms: int
    """How much of the interrupted turn's sound was heard."""
    heard_ms_estimated: bool
    """False when a sink measured it."""


@dataclass(frozen=True, slots=True)
class GenerationCompleted:
    """The last event of a generation: exactly one for each ``GenerationCreated``."""

    id: str
    status: GenerationStatus
    audio_ms: int = 0
    """Length of the sound delivered."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a function. Registered tools are run for you."""

    call_id: str
    name: str
    arguments: Mapping[str, Any]
    generation_id: str
    idempotency_key: str
    """Same session, turn, name and arguments: same key, whatever id the service gives the call."""


@dataclass(frozen=True, slots=True)
class ToolCallCancelled:
    """The service no longer wants the result; undo side effects if you can."""

    call_id: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """How a call ended here: exactly one for each ``ToolCall``."""

    call_id: str
    result: Mapping[str, Any] | None
    """The response object sent to the model; None unless answered."""
    outcome: ToolCallOutcome
    name: str = ""
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class TurnCompleted:
    """The service has ended the turn (it waits for what it believes is the end of playback)."""

    generations: tuple[str, ...]
    usage: TokenUsage | None
    heard_ms: int
    heard_ms_estimated: bool
    timings: TurnTimings
    reason: str | None = None
    """turnCompleteReason, e.g. "MALFORMED_FUNCTION_CALL"; None when all is well."""
    interaction_status: str | None = None
    """"IN_PROGRESS" when more output follows although this turn is over (models that think in the
    background), "IDLE" when none does; None where the service says neither."""


@dataclass(frozen=True, slots=True)
class UsageReported:
    """Usage that came outside a turn's end."""

    usage: TokenUsage


@dataclass(frozen=True, slots=True)
class Grounding:
    """Search results the answer rests on, under the wire's own names; what is newer than this package is left out."""

    metadata: Mapping[str, Any]
    generation_id: str | None = None


@dataclass(frozen=True, slots=True)
class WaitingForInput:
    """The model is not generating and expects the user to go on."""


@dataclass(frozen=True, slots=True)
class GoAway:
    """The service will end this link soon."""

    time_left_s: float | None


@dataclass(frozen=True, slots=True)
class ResumptionUpdate:
    """The service issued (or withheld) a handle for resuming the session."""

    handle: str | None = field(repr=False)
    resumable: bool
    last_consumed_index: int | None = None


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The link was lost and is being made anew.

    Not honoured in this version: never emitted, a lost link ends the session with ``SessionEnded``.
    """

    reason: str
    attempt: int


@dataclass(frozen=True, slots=True)
class SessionError:
    """Something went wrong that did not end the session."""

    error: Exception
    recoverable: bool = True


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The last event. ``error`` is None when we or the service ended it in good order."""

    code: int | None
    reason: str
    error: Exception | None


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A server message as it came; only with ``SessionOptions(raw_messages=True)``."""

    frame: bytes = field(repr=False)
    """As received; may hold a handle, so it is not shown."""


Event = (
    SessionReady
    | GenerationCreated
    | AudioOutput
    | TextOutput
    | Thought
    | Transcript
    | InputSpeechStarted
    | InputSpeechStopped
    | Interrupted
    | GenerationCompleted
    | ToolCall
    | ToolCallCancelled
    | ToolResult
    | TurnCompleted
    | UsageReported
    | Grounding
    | WaitingForInput
    | GoAway
    | ResumptionUpdate
    | Reconnecting
    | SessionError
    | SessionEnded
    | RawMessage
)
"""Everything a session can tell; ``match`` it and let ``assert_never`` watch for new members."""

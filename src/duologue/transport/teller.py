"""From the core's events to callbacks. It renames and batches; what a message means the core has decided."""

from __future__ import annotations

import asyncio
import json
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Literal

from duologue.events import (
    AudioOutput,
    GenerationCompleted,
    GenerationCreated,
    GoAway,
    Grounding,
    InputSpeechStarted,
    InputSpeechStopped,
    Interrupted,
    RawMessage,
    ResumptionUpdate,
    SessionEnded,
    SessionError,
    SessionReady,
    TextOutput,
    TokenUsage,
    ToolCall,
    ToolCallCancelled,
    ToolResult,
    Transcript,
    TurnCompleted,
    UsageReported,
)
from duologue.transport.usage import usage_event
from duologue.transport.values import ToolCallRequest, TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from duologue.config import Clock
    from duologue.events import Event
    from duologue.transport.setup import Output
    from duologue.transport.watch import ReplyWatch

__all__ = ["Teller"]

_json = json.JSONDecoder()


class Stage(Enum):
    """How far a connection has come; it only goes forward."""

    NEW = auto()
    """Not set up yet."""
    READY = auto()
    """Nothing was said by the model yet."""
    TALKED = auto()
    """The model has begun a turn."""


class Teller:
    """Follows one connection.

    Args:
        fire: Calls a callback by its name.
        output: What answers are taken from.
        watch: Told what shows whether a reply is running or due.
        marks_speech: The service says when the user has stopped.
        clock: For ``watch``.
        keep_handle: Takes each handle that can be used, and whether the model has said anything on this link.
        keep_call: Takes (id, name) of each call that the end of the link left open.
    """

    def __init__(
        self,
        fire: Callable[..., None],
        *,
        output: Output,
        watch: ReplyWatch,
        marks_speech: bool,
        clock: Clock,
        keep_handle: Callable[[str, bool], None],
        keep_call: Callable[[str, str], None],
    ) -> None:
        self._fire = fire
        self._output: Output = output
        self._watch = watch
        self._marks_speech = marks_speech
        self._clock = clock
        self._keep_handle = keep_handle
        self._keep_call = keep_call
        self._loop = asyncio.get_running_loop()
        self._flush_later: asyncio.Handle | None = None
        self._calls: list[ToolCallRequest] = []
        self._cancelled: list[str] = []
        self._frame = b""
        self._usage: tuple[TokenUsage, Mapping[str, Any]] | None = None
        self._stage = Stage.NEW
        self._turn_begun = False
        self._tell: dict[type, Callable[[Any], None]] = {
            SessionReady: self._ready,
            GenerationCreated: self._generation_created,
            GenerationCompleted: self._generation_completed,
            AudioOutput: lambda e: self._content("on_audio_output", e.pcm),
            TextOutput: lambda e: self._content("on_text_output", e.text),
            Transcript: self._transcript,
            InputSpeechStarted: self._speech_started,
            InputSpeechStopped: lambda _: self._watch.stopped(self._clock.now()),
            Interrupted: self._interrupted,
            Grounding: lambda e: self._fire("on_grounding_metadata", e.metadata),
            UsageReported: lambda e: self._used(e.usage),
            TurnCompleted: self._turn_completed,
            ResumptionUpdate: self._resumption,
            GoAway: lambda e: self._fire("on_go_away", _seconds(e.time_left_s)),
            SessionError: lambda e: self._fire("on_error", TransportError(e.error, e.recoverable)),
            SessionEnded: self._ended,
        }

    @property
    def interest(self) -> frozenset[type]:
        """Bulk events worth building: in text mode no sound is decoded."""
        sources: dict[Output, frozenset[type]] = {
            "audio": frozenset({AudioOutput}),
            "text": frozenset({TextOutput}),
            "transcript": frozenset(),
        }
        return sources[self._output] | {Transcript, RawMessage}

    def deliver(self, event: Event) -> None:
        """Take one event of the driver; calls and cancellations wait for the others of their message."""
        match event:
            case ToolCall(call_id=call_id, name=name, arguments=arguments):
                self._calls.append(ToolCallRequest(call_id, name, arguments))
                self._flush_soon()
            case ToolCallCancelled(call_id=call_id):
                self._cancelled.append(call_id)
                self._flush_soon()
            case ToolResult(call_id=call_id, name=name, outcome=outcome):
                if outcome == "abandoned":
                    self._keep_call(call_id, name)
            case _:
                self._flush()
                if isinstance(event, RawMessage):
                    self._frame = event.frame
                elif (tell := self._tell.get(type(event))) is not None:
                    tell(event)

    # -- batches ------------------------------------------------------------------------------

    def _flush_soon(self) -> None:
        if self._flush_later is None:
            self._flush_later = self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        if self._flush_later is None:
            return
        self._flush_later.cancel()
        self._flush_later = None
        cancelled, self._cancelled = self._cancelled, []
        calls, self._calls = self._calls, []
        if cancelled:
            self._fire("on_tool_call_cancel", cancelled)
        if calls:
            self._fire("on_tool_call", calls)

    # -- one event each -----------------------------------------------------------------------

    def _ready(self, event: SessionReady) -> None:
        self._stage = Stage.READY
        self._fire("on_session_ready", event.session_id)

    def _generation_created(self, event: GenerationCreated) -> None:  # noqa: ARG002
        self._watch.begins(self._clock.now())
        self._stage = Stage.TALKED
        if not self._turn_begun:
            self._turn_begun = True
            self._fire("on_model_turn_start")

    def _content(self, name: str, piece: bytes | str) -> None:
        self._watch.continues(self._clock.now())
        self._fire(name, piece)

    def _generation_completed(self, event: GenerationCompleted) -> None:
        if event.status == "completed":
            self._watch.generated(self._clock.now(), event.audio_ms)
        else:
            self._watch.ends()

    def _transcript(self, event: Transcript) -> None:
        if not event.delta:
            return
        if event.role == "user":
            noted = self._watch.heard if self._marks_speech else self._watch.expect
            noted(self._clock.now())
            self._fire("on_input_transcription", event.delta)
        elif self._output == "audio":
            self._content("on_output_transcription", event.delta)
        elif self._output == "transcript":
            self._content("on_text_output", event.delta)

    def _speech_started(self, event: InputSpeechStarted) -> None:  # noqa: ARG002
        if self._marks_speech:
            self._watch.speaking(self._clock.now())
        else:
            self._watch.expect(self._clock.now())
        self._fire("on_speech_started")

    def _interrupted(self, event: Interrupted) -> None:  # noqa: ARG002
        self._watch.ends()
        self._turn_begun = False
        self._fire("on_interrupted")

    def _turn_completed(self, event: TurnCompleted) -> None:
        self._watch.ends()
        self._turn_begun = False
        if event.usage is not None and (self._usage is None or self._usage[0] is not event.usage):
            self._used(event.usage)
        if self._output != "audio":
            self._fire("on_text_done")
        usage, self._usage = self._usage, None
        if usage is not None:
            self._fire_usage(usage[1], "final")
        self._fire("on_turn_complete")

    def _used(self, usage: TokenUsage) -> None:
        raw = _usage_in(self._frame)
        self._usage = (usage, raw)
        self._fire_usage(raw, "update")

    def _fire_usage(self, raw: Mapping[str, Any], phase: Literal["update", "final"]) -> None:
        event = usage_event(raw, phase)
        if event is not None:
            self._fire("on_realtime_llm_usage", event)

    def _resumption(self, event: ResumptionUpdate) -> None:
        if event.handle:
            if event.resumable:
                self._keep_handle(event.handle, self._stage is Stage.TALKED)
            self._fire("on_resumption_update", event.handle, event.resumable)

    def _ended(self, event: SessionEnded) -> None:
        if self._stage is Stage.NEW:
            return  # connect() raises
        if event.error is not None:
            self._fire(
                "on_error", TransportError(event.error, recoverable=getattr(event.error, "retryable", False))
            )
        self._fire("on_close", event.code, event.reason)


def _usage_in(frame: bytes) -> Mapping[str, Any]:
    """Return the last ``usageMetadata`` in a frame that the core has read; it may hold several objects."""
    text, at = frame.decode(), 0
    found: Mapping[str, Any] = {}
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        message, at = _json.raw_decode(text, at)
        found = message.get("usageMetadata") or message.get("usage_metadata") or found
    return found


def _seconds(time_left_s: float | None) -> str:
    return "" if time_left_s is None else f"{time_left_s:g}s"

"""What is said: turns, transcript, activity, tools and usage, fed with the service's messages.

A message may carry several keys and a content several fields; all are honoured, in one fixed order
(Q-many-keys): cancellations, activity marks, ``interrupted``, the user's words, the model's words and
sound, tool calls, ``generationComplete``, ``turnComplete``, the resumption handle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from duologue.core.activity import UserActivity
from duologue.core.replies import PendingReply
from duologue.core.tools import ToolLedger
from duologue.core.transcript import TranscriptBook
from duologue.core.turns import TurnBook
from duologue.core.usage import UsageLedger, token_usage
from duologue.events import ResumptionUpdate, UsageReported, WaitingForInput
from duologue.wire.base import duration_ms, int64

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duologue.core.outlet import Outlet
    from duologue.wire.profiles import ModelProfile
    from duologue.wire.server import ServerContent, ServerMessage

__all__ = ["Conversation"]


class Conversation:
    """Composes the machines of what is said; knows nothing of links and sockets.

    Args:
        outlet: Receives every event.
        id_prefix: Begins every id made here.
        profile: What the model does.
        marked_activity: The application marks when the user speaks.
        behaviors: The behaviour each function was declared with, where it was.
    """

    def __init__(
        self,
        outlet: Outlet,
        *,
        id_prefix: str,
        profile: ModelProfile,
        marked_activity: bool,
        behaviors: Mapping[str, str],
    ) -> None:
        self._out = outlet
        self.transcript = TranscriptBook(outlet, id_prefix)
        self.activity = UserActivity(outlet, marked=marked_activity)
        self.replies = PendingReply(outlet)
        self.usage = UsageLedger()
        self.tools = ToolLedger(
            outlet, id_prefix=id_prefix, behaviors=behaviors, default_behavior=profile.tool_behavior
        )
        self.turns = TurnBook(
            outlet,
            self.transcript,
            id_prefix=id_prefix,
            on_begin=self._generation_begins,
            on_created=self.replies.started,
        )
        self.handle: str | None = None

    def hear(self, message: ServerMessage, now: float) -> None:
        """Take everything in ``message`` that belongs to the conversation."""
        content = message.server_content
        if message.tool_call_cancellation is not None:
            for call_id in message.tool_call_cancellation.ids or ():
                self.tools.cancel(call_id)
        if message.voice_activity is not None or message.voice_activity_detection_signal is not None:
            self._heard_activity(message, now)
        if content is not None:
            self._content(content, now)
        if message.tool_call is not None:
            self._called(message, now)
        self._ends(content, message, now)
        if message.session_resumption_update is not None:
            self._resumption(message)

    def lose(self, now: float, why: str) -> None:
        """The session is over: everything open ends, in a fixed order, each thing once."""
        self.turns.lose()
        self.transcript.end("user")
        self.activity.stop(now)
        self.tools.abandon_all()
        self.usage.close_turn()
        self.replies.abort(why)

    def _heard_activity(self, message: ServerMessage, now: float) -> None:
        self.activity.marks_are_sent()
        mark = message.voice_activity
        if mark is not None:
            offset_ms = duration_ms(mark.audio_offset)
            if mark.type == "ACTIVITY_START":
                self.turns.user_speaks()
                self.transcript.end("user")
                self.activity.start(offset_ms)
            elif mark.type == "ACTIVITY_END":
                self.activity.stop(now, offset_ms)
        signal = message.voice_activity_detection_signal
        kind = signal.vad_signal_type or "" if signal is not None else ""
        if kind.endswith("_SOS"):
            self.activity.start()
        elif kind.endswith("_EOS"):
            self.activity.stop(now)

    def _content(self, content: ServerContent, now: float) -> None:
        output = content.output_transcription
        words = output.text if output is not None else None
        if content.interrupted:
            # Every fragment is delivered; these begin no generation, all may have been generated before.
            if words and self.turns.current is not None:
                self.turns.transcribed(words, now)
            elif words:
                self.transcript.add("model", words)
            self.activity.imply_start()
            self.turns.interrupt(now, by="service")
            self.transcript.end("model", interrupted=True)
            if content.model_turn is not None:
                self._out.count("content_beside_interrupted")
        heard = content.input_transcription
        if heard is not None and heard.text:
            self.activity.imply_start()
            self.transcript.add("user", heard.text)
        if heard is not None and heard.finished:
            self.transcript.end("user")
        if content.interrupted:
            return
        if words:
            self.turns.transcribed(words, now)
        if content.model_turn is not None:
            self.turns.content(content.model_turn, now)
        if content.grounding_metadata is not None:
            self.turns.grounded(msgspec.to_builtins(content.grounding_metadata))
        if content.waiting_for_input:
            self._out.emit(WaitingForInput())

    def _called(self, message: ServerMessage, now: float) -> None:
        assert message.tool_call is not None
        calls = message.tool_call.function_calls or ()
        if not calls:
            return
        if self.turns.is_silenced:
            for call in calls:
                self.tools.refuse(call, "The answer was interrupted; the function was not run.")
            return
        generation = self.turns.begin_call(now)
        for call in calls:
            self.tools.ask(call, generation_id=generation.id, turn=self.turns.ordinal)
        self.turns.called(now, blocking=any(self.tools.is_blocking(call.name) for call in calls))

    def _ends(self, content: ServerContent | None, message: ServerMessage, now: float) -> None:
        usage = token_usage(message.usage_metadata) if message.usage_metadata is not None else None
        if usage is not None:
            self.usage.report(usage)
        if content is not None and content.generation_complete:
            self.turns.generation_complete(now)
        if content is not None and content.turn_complete:
            self.turns.turn_complete(
                now,
                self.usage.close_turn(),
                content.turn_complete_reason,
                content.interaction_status or message.interaction_status,
            )
        elif usage is not None:
            self._out.emit(UsageReported(usage))
            if not self.turns.is_open:
                self.usage.close_turn()

    def _resumption(self, message: ServerMessage) -> None:
        update = message.session_resumption_update
        assert update is not None
        handle = update.new_handle or None
        resumable = bool(update.resumable) and handle is not None
        if resumable:
            self.handle = handle
        index = int64(update.last_consumed_client_message_index)
        self._out.emit(ResumptionUpdate(handle=handle, resumable=resumable, last_consumed_index=index))

    def _generation_begins(self, now: float) -> bool:
        self.transcript.end("user")
        self.activity.imply_stop(now)
        self.turns.user_stopped_at, self.activity.stopped_at = self.activity.stopped_at, None
        return self.replies.waiting

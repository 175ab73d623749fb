"""Every message the server sends, shaped as the profile shapes it.

Nothing is decided here but form; what is sent when is the business of ``server`` and ``turn``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from duologue.emulator.rules.words import clean, input_fragments
from duologue.wire.blob import pcm_blob
from duologue.wire.codec import encode
from duologue.wire.content import Content, FunctionCall, Part
from duologue.wire.server import (
    GoAway,
    ServerContent,
    ServerMessage,
    SessionResumptionUpdate,
    SetupComplete,
    ToolCall,
    ToolCallCancellation,
    Transcription,
    UsageMetadata,
    VoiceActivity,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duologue.emulator.profiles import EmulatedProfile
    from duologue.emulator.protocols import Call
    from duologue.emulator.rules.calls import PendingCall

__all__ = ["OUTPUT_RATE_HZ", "Outlet", "is_sendable"]

OUTPUT_RATE_HZ = 24_000


def is_sendable(calls: Sequence[Call]) -> bool:
    """Tell whether the calls of a reply can be written as JSON."""
    try:
        for call in calls:
            encode(FunctionCall(name=call.name, args=dict(call.args)))
    except (TypeError, ValueError, RecursionError):
        return False
    return True


class Outlet:
    """Collects the frames of one link, in order."""

    def __init__(self, profile: EmulatedProfile) -> None:
        self._profile = profile
        self._frames: list[bytes] = []

    def drain(self) -> list[bytes]:
        """Return the frames collected since the last call."""
        frames, self._frames = self._frames, []
        return frames

    def setup_complete(self) -> None:
        """Answer the setup."""
        self._send(ServerMessage(setup_complete=SetupComplete()))

    def empty(self) -> None:
        """Send ``{}`` where the profile strews such in."""
        if self._profile.empty_messages == "now_and_then":
            self._send(ServerMessage())

    def handle(self, handle: str) -> None:
        """Hand out a resumption handle."""
        self._send(
            ServerMessage(
                session_resumption_update=SessionResumptionUpdate(new_handle=handle, resumable=True)
            )
        )

    def not_resumable(self) -> None:
        """Say that there is no handle for the present state."""
        self._send(ServerMessage(session_resumption_update=SessionResumptionUpdate(resumable=False)))

    def voice_activity(self, kind: str, at_s: float) -> None:
        """Tell of the caller's activity where the profile does; ``kind`` as on the wire."""
        if self._profile.voice_activity == "sent":
            self._send(ServerMessage(voice_activity=VoiceActivity(type=kind, audio_offset=f"{at_s:.3f}s")))

    def input_transcription(self, text: str) -> None:
        """Send what the caller said, in the profile's pieces."""
        pieces = [text] if self._profile.input_words == "sentence" else input_fragments(text)
        for piece in pieces:
            self._content(ServerContent(input_transcription=Transcription(text=piece)))

    def opening(self) -> None:
        """Mark the start of a generation where the profile does."""
        if self._profile.opening == "empty_content":
            self._content(ServerContent())

    def thought(self, text: str) -> None:
        """Send a thought part."""
        self._content(ServerContent(model_turn=self._model_turn(Part(text=clean(text), thought=True))))

    def output_transcription(self, text: str) -> None:
        """Send words that have been or are about to be heard."""
        self._content(ServerContent(output_transcription=Transcription(text=text)))

    def audio(self, pcm: bytes, words: Sequence[str]) -> None:
        """Send sound (s16le mono 24 kHz) and the words that go before it, together where the profile may."""
        turn = self._model_turn(Part(inline_data=pcm_blob(pcm, sample_rate=OUTPUT_RATE_HZ)))
        if words and self._profile.message_kinds == "several":
            said = Transcription(text="".join(words))
            self._content(ServerContent(model_turn=turn, output_transcription=said))
            return
        for piece in words:
            self.output_transcription(piece)
        self._content(ServerContent(model_turn=turn))

    def tool_call(self, calls: Sequence[PendingCall]) -> None:
        """Send all calls of one reply in one message."""
        functions = [
            FunctionCall(id=pending.call_id, name=pending.call.name, args=dict(pending.call.args))
            for pending in calls
        ]
        self._send(ServerMessage(tool_call=ToolCall(function_calls=functions)))

    def cancel_calls(self, ids: list[str]) -> None:
        """Take calls back."""
        self._send(ServerMessage(tool_call_cancellation=ToolCallCancellation(ids=ids)))

    def generation_complete(self) -> None:
        """Say that all of the generation has been sent."""
        self._content(ServerContent(generation_complete=True))

    def interrupted(self) -> None:
        """Say that the caller has cut the model short."""
        self._content(ServerContent(interrupted=True))

    def turn_complete(self, usage: UsageMetadata) -> None:
        """End the turn; usage travels in the same message."""
        self._send(ServerMessage(server_content=ServerContent(turn_complete=True), usage_metadata=usage))

    def go_away(self, time_left_s: float) -> None:
        """Announce the end of the link."""
        self._send(ServerMessage(go_away=GoAway(time_left=f"{time_left_s:g}s")))

    def _model_turn(self, part: Part) -> Content:
        return Content(parts=[part], role=self._profile.model_role)

    def _content(self, content: ServerContent) -> None:
        self._send(ServerMessage(server_content=content))

    def _send(self, message: ServerMessage) -> None:
        self._frames.append(encode(message))

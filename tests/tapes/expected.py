"""What a conversation was, turn by turn: once as the recording has it, once as a session tells it.

The recording's side is computed here from plain JSON; nothing of our wire or core takes part in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.tapes.tape import decoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Call", "Conversation", "Counts", "Turn", "conversation_of", "counts_of"]

Counts = dict[str, Any]
Call = tuple[str | None, str, dict[str, Any]]
"""Id (None where the service gave none), name, arguments."""


@dataclass
class Turn:
    """What came up to one ``turnComplete``, or after the last."""

    sound: list[bytes] = field(default_factory=lambda: [b""])
    """Cut where the service interrupted; each stretch but the last was interrupted."""
    user: str = ""
    model: str = ""
    thoughts: list[str] = field(default_factory=list[str])
    texts: list[str] = field(default_factory=list[str])
    calls: list[Call] = field(default_factory=list[Call])
    usage: Counts | None = None
    usage_at_end: bool = False
    """The usage stands beside the ``turnComplete`` itself."""
    reason: str | None = None
    complete: bool = False

    def sounds(self) -> set[bytes]:
        """Every concatenation that is right: an interruption may drop half a sample that waited."""
        right = {b""}
        for number, stretch in enumerate(self.sound, start=1):
            cut = {stretch, stretch[:-1]} if number < len(self.sound) and len(stretch) % 2 else {stretch}
            right = {before + after for before in right for after in cut}
        return right


@dataclass
class Conversation:
    """All of one link."""

    session_id: str | None = None
    ready: int = 0
    turns: list[Turn] = field(default_factory=lambda: [Turn()])
    late_usage: list[Counts] = field(default_factory=list[Counts])
    interruptions: tuple[int, int] = (0, 0)
    """At least and at most: a second mark with nothing between may be passed over."""
    cancelled: list[str] = field(default_factory=list[str])
    grounding: list[Mapping[str, Any]] = field(default_factory=list[Any])
    go_aways: list[float | None] = field(default_factory=list[Any])
    handles: list[tuple[str | None, bool]] = field(default_factory=list[Any])
    waits: int = 0
    errors: int = 0

    @property
    def completed(self) -> list[Turn]:
        return [turn for turn in self.turns if turn.complete]


def conversation_of(messages: Iterable[dict[str, Any]], results: Mapping[str, int]) -> Conversation:
    """Return what the service's messages, in camelCase, amount to.

    Args:
        messages: In order.
        results: Call id to the number of messages that had come before its final result was sent.
    """
    reader = _Reader(results)
    for message in messages:
        reader.take(message)
    return reader.found


class _Reader:
    def __init__(self, results: Mapping[str, int]) -> None:
        self.found = Conversation()
        self._results = results
        self._asked: set[str] = set()
        self._cancelled: set[str] = set()
        self._taken = 0
        self._silent = False

    def take(self, message: dict[str, Any]) -> None:
        found, turn = self.found, self.found.turns[-1]
        if "setupComplete" in message:
            found.ready = 1
            found.session_id = found.session_id or message["setupComplete"].get("sessionId")
        for call_id in message.get("toolCallCancellation", {}).get("ids") or ():
            open_still = self._results.get(call_id, self._taken + 1) > self._taken
            if call_id in self._asked - self._cancelled and open_still:
                self._cancelled.add(call_id)
                found.cancelled.append(call_id)
        content = message.get("serverContent", {})
        self._content(content, turn)
        for call in message.get("toolCall", {}).get("functionCalls") or ():
            if call.get("id") is None or call["id"] not in self._asked:
                turn.calls.append((call.get("id"), call.get("name", ""), call.get("args") or {}))
                self._asked.add(call.get("id") or "")
                self._silent = False
        self._ends(message, content, turn)
        if "sessionResumptionUpdate" in message:
            update = message["sessionResumptionUpdate"]
            handle = update.get("newHandle") or None
            found.handles.append((handle, bool(update.get("resumable")) and handle is not None))
        if "goAway" in message:
            found.go_aways.append(_seconds(message["goAway"].get("timeLeft")))
        found.errors += "error" in message
        self._taken += 1

    def _content(self, content: dict[str, Any], turn: Turn) -> None:
        turn.user += content.get("inputTranscription", {}).get("text", "")
        turn.model += content.get("outputTranscription", {}).get("text", "")
        if content.get("interrupted"):  # sound beside it belongs to what was cut off
            least, most = self.found.interruptions
            self.found.interruptions = (least + (not self._silent), most + 1)
            self._silent = True
            turn.sound.append(b"")
            return
        for part in content.get("modelTurn", {}).get("parts") or ():
            self._part(part, turn)
        if content.get("modelTurn") or content.get("outputTranscription", {}).get("text"):
            self._silent = False
        if content.get("groundingMetadata"):
            self.found.grounding.append(content["groundingMetadata"])
        self.found.waits += bool(content.get("waitingForInput"))

    @staticmethod
    def _part(part: dict[str, Any], turn: Turn) -> None:
        if "inlineData" in part:
            kind, *parameters = (
                str(part["inlineData"].get("mimeType", "")).replace(" ", "").lower().split(";")
            )
            rates = [parameter for parameter in parameters if parameter.startswith("rate=")]
            if kind in ("audio/pcm", "audio/l16") and rates in ([], ["rate=24000"]):
                turn.sound[-1] += decoded(part["inlineData"].get("data", ""))
        elif part.get("text"):
            (turn.thoughts if part.get("thought") else turn.texts).append(part["text"])

    def _ends(self, message: dict[str, Any], content: dict[str, Any], turn: Turn) -> None:
        if "usageMetadata" in message:
            turn.usage = counts_of(message["usageMetadata"])
            turn.usage_at_end = bool(content.get("turnComplete"))
            if not turn.usage_at_end:
                self.found.late_usage.append(turn.usage)
        if content.get("turnComplete"):
            turn.complete, turn.reason = True, content.get("turnCompleteReason")
            self.found.turns.append(Turn())
            self._silent = False


def counts_of(wire: dict[str, Any]) -> Counts:
    """Return token counts under our names; Vertex says candidates*, and any count may be missing."""

    def count(*names: str) -> int:
        return next((int(wire[name]) for name in names if name in wire), 0)

    def modalities(*names: str) -> dict[str, int]:
        sums: dict[str, int] = {}
        for entry in next((wire[name] for name in names if name in wire), ()):
            kind = str(entry.get("modality", "MODALITY_UNSPECIFIED")).lower()
            sums[kind] = sums.get(kind, 0) + int(entry.get("tokenCount", 0))
        return sums

    return {
        "input_tokens": count("promptTokenCount"),
        "output_tokens": count("responseTokenCount", "candidatesTokenCount"),
        "total_tokens": count("totalTokenCount"),
        "thought_tokens": count("thoughtsTokenCount"),
        "cached_tokens": count("cachedContentTokenCount"),
        "tool_use_tokens": count("toolUsePromptTokenCount"),
        "input_by_modality": modalities("promptTokensDetails"),
        "output_by_modality": modalities("responseTokensDetails", "candidatesTokensDetails"),
    }


def _seconds(duration: Any) -> float | None:
    return float(duration[:-1]) if isinstance(duration, str) and duration.endswith("s") else None

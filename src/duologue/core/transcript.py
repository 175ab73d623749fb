"""What was said, by whom: fragments joined into items, items into the conversation.

A fragment is kept verbatim; its leading blank belongs to it. An item begins with the first fragment
and ends when the service says so (``finished``) or when what follows shows it. Every fragment is
delivered once, also those of an answer that was interrupted.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from duologue.config import ChatContext, ChatMessage
from duologue.events import Transcript

if TYPE_CHECKING:
    from duologue.core.outlet import Outlet

__all__ = ["TranscriptBook"]

_HISTORY_ITEMS = 2000

Role = Literal["user", "model"]


@dataclass(slots=True)
class _Item:
    """One stretch of words that is still growing."""

    id: str
    text: str = ""


class TranscriptBook:
    """Joins fragments and keeps the conversation so far, at most 2,000 items (oldest dropped).

    Args:
        outlet: Receives ``Transcript`` events when somebody wants them.
        id_prefix: Begins every item's id.
    """

    def __init__(self, outlet: Outlet, id_prefix: str) -> None:
        self._outlet = outlet
        self._prefix = id_prefix
        self._items = 0
        self._open: dict[Role, _Item] = {}
        self._written = ""
        self._history: deque[ChatMessage] = deque(maxlen=_HISTORY_ITEMS)

    @property
    def context(self) -> ChatContext:
        """The conversation so far, ended items only."""
        return ChatContext(tuple(self._history))

    def add(self, role: Role, delta: str) -> None:
        """Take a fragment; empty ones say nothing."""
        if not delta:
            return
        item = self._open.get(role)
        if item is None:
            item = self._open[role] = _Item(self._next_id())
        item.text = (item.text + delta).lstrip() if not item.text else item.text + delta
        if self._outlet.wants(Transcript):
            self._outlet.emit(Transcript(role, item.text, delta, final=False, item_id=item.id))

    def write(self, text: str) -> None:
        """Take a piece of a written answer (TEXT modality): part of the conversation, but no transcript."""
        self._written += text

    def end(self, role: Role, *, interrupted: bool = False) -> None:
        """Close the open item of ``role``, if there is one."""
        if role == "model" and self._written:
            written, self._written = self._written, ""
            self._history.append(ChatMessage(role, written, interrupted=interrupted, id=self._next_id()))
        item = self._open.pop(role, None)
        if item is None:
            return
        self._history.append(ChatMessage(role, item.text, interrupted=interrupted, id=item.id))
        if self._outlet.wants(Transcript):
            self._outlet.emit(Transcript(role, item.text, "", final=True, item_id=item.id))

    def mark_interrupted(self) -> None:
        """The model's newest item was cut off while it was being played."""
        for index in range(len(self._history) - 1, -1, -1):
            if self._history[index].role == "model":
                self._history[index] = replace(self._history[index], interrupted=True)
                return

    def note(self, role: Role, text: str) -> None:
        """Enter what was written rather than said: part of the conversation, but no transcript."""
        self._history.append(ChatMessage(role, text, id=self._next_id()))

    def _next_id(self) -> str:
        self._items += 1
        return f"{self._prefix}item-{self._items}"

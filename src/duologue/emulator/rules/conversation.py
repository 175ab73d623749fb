"""What has been said, asked and answered, and what still waits to be added.

Read this for what the brain gets to see. While the model's turn runs, what comes in is held back and
added behind the model's words, so that the last entry is always what is to be answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from duologue.emulator.protocols import Call, Entry, Prompt, ToolSpec
from duologue.emulator.rules.words import clean, estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from duologue.wire.content import Content, FunctionDeclaration, Tool

__all__ = ["Conversation", "call_tokens", "content_text", "entries_of_turns", "written_entry"]

MAX_CONTEXT_BYTES = 2 * 1024 * 1024
"""Of instruction, tools and history: the service's 128k tokens, at sixteen bytes a token."""
MAX_ENTRIES = 4096
_ENTRY_BYTES = 128
"""What an entry takes without its text."""


def content_text(content: Content | None) -> str:
    """Return the text parts of ``content``; each is a paragraph of its own."""
    parts = (content.parts if content else None) or []
    return "\n".join(clean(part.text) for part in parts if part.text)


def entries_of_turns(turns: Sequence[Content], *, complete: bool) -> list[Entry]:
    """Return what the turns of a clientContent add to the history.

    A user turn of "." or nothing adds nothing: it only asks for a reply. A message that begins with a
    turn of role "model" or of no role and goes on with such a nudge is how clients give the model an
    instruction. Elsewhere a turn without a role is an instruction too, unless it is what is to be answered.

    Args:
        turns: As sent; roles "user", "model" or none.
        complete: The message's ``turnComplete``.
    """
    entries: list[Entry] = []
    user_spoke = False
    for index, turn in enumerate(turns):
        text = content_text(turn)
        if _is_nudge(turn, text):
            continue
        following = turns[index + 1] if index + 1 < len(turns) else None
        nudged = following is not None and _is_nudge(following, content_text(following))
        if turn.role == "user":
            user_spoke = True
            entries.append(Entry("user", text))
        elif not turn.role:
            asks = complete and following is None
            entries.append(Entry("user" if asks else "instruction", text))
        else:
            entries.append(Entry("instruction" if nudged and not user_spoke else "model", text))
    return entries


def _json_schema(declared: FunctionDeclaration) -> Mapping[str, Any] | None:
    """Return a real JSON Schema where one was declared: google-genai sends plain functions so."""
    schema: Any = declared.parameters_json_schema
    return cast("Mapping[str, Any]", schema) if isinstance(schema, Mapping) else None


def written_entry(text: str) -> Entry:
    """Return what a realtime text adds: the caller's words, or a nudge to go on when it has none."""
    return Entry("instruction") if text.strip() in ("", ".") else Entry("user", text)


def _is_nudge(turn: Content, text: str) -> bool:
    blank = text.strip() in ("", ".")
    return blank and (turn.role == "user" or not text.strip())


class Conversation:
    """The history of one conversation, its instruction and tools, and sound counted for usage.

    Args:
        instructions: The system instruction's text.
        tools: As in the setup.
        history: What a handle restored.
        slides: Forget the oldest entries where the context would be exhausted
            (``contextWindowCompression``).
    """

    def __init__(
        self,
        instructions: str,
        tools: Sequence[Tool],
        history: tuple[Entry, ...] = (),
        *,
        slides: bool = False,
    ) -> None:
        self._instructions = instructions
        self._slides = slides
        self._entries: list[Entry] = []
        self._entries_bytes = 0
        self.audio_in_s = 0.0
        self.audio_out_s = 0.0
        self._held: list[Entry] = []
        self.behaviors: dict[str, str] = {}
        self._tools: tuple[ToolSpec, ...] = ()
        self._tools_bytes = 0
        self.declare(tools)
        self.extend(history)

    @property
    def entries(self) -> Sequence[Entry]:
        """What happened, oldest first; without what is held."""
        return self._entries

    @property
    def size_bytes(self) -> int:
        """About how much memory the history takes, what is held included."""
        return self._entries_bytes

    @property
    def is_exhausted(self) -> bool:
        """Whether more was said than the context holds: the service ends such a session."""
        return (
            len(self._instructions) + self._tools_bytes + self._entries_bytes > MAX_CONTEXT_BYTES
            or len(self._entries) + len(self._held) > MAX_ENTRIES
        )

    def declare(self, tools: Sequence[Tool]) -> None:
        """Replace the declared functions."""
        declarations = [one for tool in tools for one in tool.function_declarations or []]
        self.behaviors = {one.name: one.behavior for one in declarations if one.behavior}
        self._tools = tuple(
            ToolSpec(clean(one.name), clean(one.description or ""), one.parameters or _json_schema(one) or {})
            for one in declarations
        )
        self._tools_bytes = sum(len(str(tool)) for tool in self._tools)

    def instruct(self, instructions: str) -> None:
        """Replace the system instruction."""
        self._instructions = instructions

    def add(self, entry: Entry) -> None:
        """Append one entry now."""
        self.extend((entry,))

    def extend(self, entries: Iterable[Entry]) -> None:
        """Append entries now."""
        for entry in entries:
            self._entries.append(entry)
            self._entries_bytes += _entry_bytes(entry)
        self._slide()

    def hold(self, entry: Entry) -> None:
        """Keep an entry until :meth:`release`."""
        self._held.append(entry)
        self._entries_bytes += _entry_bytes(entry)

    def release(self) -> None:
        """Append what was held."""
        self._entries += self._held
        self._held.clear()
        self._slide()

    def prompt(self) -> Prompt:
        """Return what the brain is to answer."""
        return Prompt(self._instructions, tuple(self._entries), self._tools)

    def prompt_text_tokens(self) -> int:
        """Return about how many text tokens the prompt holds, without the hidden preamble."""
        fixed = estimate_tokens(self._instructions) + sum(
            estimate_tokens(f"{tool.name}{tool.description}{dict(tool.parameters)}") for tool in self._tools
        )
        return fixed + sum(_entry_tokens(entry) for entry in self._entries)

    def _slide(self) -> None:
        """Forget the older half of an exhausted context, if it may; the newest entry always stays."""
        while self._slides and self.is_exhausted and len(self._entries) > 1:
            forgotten = len(self._entries) // 2
            self._entries_bytes -= sum(map(_entry_bytes, islice(self._entries, forgotten)))
            del self._entries[:forgotten]


def _entry_bytes(entry: Entry) -> int:
    values = len(str(entry.call)) if entry.call else 0
    values += len(str(entry.result)) if entry.result else 0
    return _ENTRY_BYTES + len(entry.text.encode("utf-8", "replace")) + values


def _entry_tokens(entry: Entry) -> int:
    if entry.role == "call":
        return call_tokens(entry.call)
    if entry.role == "result":
        return estimate_tokens(str(dict(entry.result or {})))
    return estimate_tokens(entry.text)


def call_tokens(call: Call | None) -> int:
    """Return about how many tokens a function call is charged as."""
    return estimate_tokens(f"{call.name}{dict(call.args)}") if call else 0

"""What has been said, asked and answered, and what still waits to be added.

Read this for what the brain gets to see. While the model's turn runs, what comes in is held back and
added behind the model's words, so that the last entry is always what is to be answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from duologue.emulator.protocols import Call, Entry, Prompt, ToolSpec
from duologue.emulator.rules.words import clean, estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duologue.wire.content import Content, FunctionDeclaration, Tool

__all__ = ["Conversation", "call_tokens", "content_text", "entries_of_turns", "written_entry"]


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
    """

    def __init__(self, instructions: str, tools: Sequence[Tool], history: tuple[Entry, ...] = ()) -> None:
        self.instructions = instructions
        self.entries: list[Entry] = list(history)
        self.audio_in_s = 0.0
        self.audio_out_s = 0.0
        self.held: list[Entry] = []
        self.behaviors: dict[str, str] = {}
        self._tools: tuple[ToolSpec, ...] = ()
        self.declare(tools)

    def declare(self, tools: Sequence[Tool]) -> None:
        """Replace the declared functions."""
        declarations = [one for tool in tools for one in tool.function_declarations or []]
        self.behaviors = {one.name: one.behavior for one in declarations if one.behavior}
        self._tools = tuple(
            ToolSpec(clean(one.name), clean(one.description or ""), one.parameters or _json_schema(one) or {})
            for one in declarations
        )

    def add(self, entry: Entry) -> None:
        """Append one entry now."""
        self.entries.append(entry)

    def hold(self, entry: Entry) -> None:
        """Keep an entry until :meth:`release`."""
        self.held.append(entry)

    def release(self) -> None:
        """Append what was held."""
        self.entries += self.held
        self.held.clear()

    def prompt(self) -> Prompt:
        """Return what the brain is to answer."""
        return Prompt(self.instructions, tuple(self.entries), self._tools)

    def prompt_text_tokens(self) -> int:
        """Return about how many text tokens the prompt holds, without the hidden preamble."""
        fixed = estimate_tokens(self.instructions) + sum(
            estimate_tokens(f"{tool.name}{tool.description}{dict(tool.parameters)}") for tool in self._tools
        )
        return fixed + sum(_entry_tokens(entry) for entry in self.entries)


def _entry_tokens(entry: Entry) -> int:
    if entry.role == "call":
        return call_tokens(entry.call)
    if entry.role == "result":
        return estimate_tokens(str(dict(entry.result or {})))
    return estimate_tokens(entry.text)


def call_tokens(call: Call | None) -> int:
    """Return about how many tokens a function call is charged as."""
    return estimate_tokens(f"{call.name}{dict(call.args)}") if call else 0

r"""A brain that follows a script: what a test wants said, word for word.

The script is TOML, a list of rules::

    fallback = "I have no line for that."     # optional; without it, silence

    [[reply]]                                 # ordered: without ``match`` or ``after_result``, used once, in turn
    say = "Hello, how can I help you?"
    thought = "**Greeting**"

    [[reply]]                                 # matching: used every time; first match wins over ordered rules
    match = "weather"                         # substring of the last entry's text, case ignored
    say = "One moment."
    [[reply.call]]
    name = "get_weather"
    args = {city = "London"}

    [[reply]]
    match = '/^(bye|good night)\b/'           # between slashes: a regular expression, case ignored

    say = "Goodbye!"
    [[reply]]
    after_result = "get_weather"              # when the last entry is this tool's result ("*": any tool's)
    say = "It is {result}."                   # {result}: its "output", "result" or "error", else all of it as JSON

Rules are tried in this order: ``after_result`` for results, ``match`` for what was said or instructed, then the
ordered rules. How far the ordered rules have come is read from the history (how many entries asked for one of
them), so the brain keeps no state and a restored conversation goes on where it stood. A result never uses up an
ordered rule.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from duologue.emulator.protocols import Call, Entry, Prompt, Reply
from duologue.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ScriptedBrain"]

_TOP = ("fallback", "reply")
_RULE = ("after_result", "call", "match", "say", "thought")
_CALL = ("args", "name")


@dataclass(frozen=True, slots=True)
class _Rule:
    reply: Reply
    pattern: re.Pattern[str] | None
    after_result: str


class ScriptedBrain:
    """A brain (see ``protocols.Brain``) that reads its lines from a script.

    Args:
        script: The script's text, TOML as the module's page says.
        source: What to call the script in errors.

    Raises:
        ConfigError: The text is not TOML, or holds a key or a value that a script cannot have.
    """

    def __init__(self, script: str, *, source: str = "the script") -> None:
        try:
            table = tomllib.loads(script)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{source} is not TOML: {error}.") from error
        reader = _Reader(source)
        reader.check_keys(table, "", _TOP)
        self._fallback = Reply(reader.text(table, "", "fallback"))
        rules = [
            reader.rule(item, f"reply[{index}]")
            for index, item in enumerate(reader.tables(table, "", "reply"))
        ]
        self._after = [rule for rule in rules if rule.after_result]
        self._matching = [rule for rule in rules if rule.pattern and not rule.after_result]
        self._ordered = [rule for rule in rules if not rule.pattern and not rule.after_result]

    @classmethod
    def from_file(cls, path: Path) -> ScriptedBrain:
        """Read the script at ``path``.

        Raises:
            ConfigError: The file cannot be read, or is not a script.
        """
        try:
            script = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"The script {path} cannot be read: {error}.") from error
        return cls(script, source=str(path))

    async def think(self, prompt: Prompt) -> Reply:
        """Return the script's reply to the last entry: the same for the same history."""
        if not prompt.history:
            return self._fallback
        last = prompt.history[-1]
        if last.role == "result":
            rule = next((rule for rule in self._after if _answers(rule, last)), None)
            return _with_result(rule.reply, last) if rule else self._fallback
        if last.role not in ("user", "instruction"):
            return Reply()
        if rule := self._match(last):
            return rule.reply
        used = sum(
            entry.role in ("user", "instruction") and not self._match(entry) for entry in prompt.history[:-1]
        )
        return self._ordered[used].reply if used < len(self._ordered) else self._fallback

    async def aclose(self) -> None:
        """Do nothing: the script is in memory."""

    def _match(self, entry: Entry) -> _Rule | None:
        return next(
            (rule for rule in self._matching if rule.pattern and rule.pattern.search(entry.text)), None
        )


def _answers(rule: _Rule, entry: Entry) -> bool:
    """Tell whether the rule is for this result; a rule with ``match`` wants its text in the result, too."""
    name = entry.call.name if entry.call else ""
    heard = rule.pattern is None or rule.pattern.search(_result_text(entry)) is not None
    return rule.after_result in ("*", name) and heard


def _result_text(entry: Entry) -> str:
    result = entry.result or {}
    value: Any = next((result[key] for key in ("output", "result", "error") if key in result), result)
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def _with_result(reply: Reply, entry: Entry) -> Reply:
    return Reply(reply.text.replace("{result}", _result_text(entry)), reply.calls, reply.thought)


class _Reader:
    """Reads tables strictly: every complaint names the file, the key and what is allowed."""

    def __init__(self, source: str) -> None:
        self._source = source

    def check_keys(self, table: Mapping[str, Any], where: str, allowed: tuple[str, ...]) -> None:
        for key in table:
            if key not in allowed:
                raise ConfigError(
                    f"{self._source}: unknown key {_path(where, key)!r}; allowed here: {', '.join(allowed)}."
                )

    def text(self, table: Mapping[str, Any], where: str, key: str) -> str:
        value = table.get(key, "")
        if not isinstance(value, str):
            raise ConfigError(
                f"{self._source}: {_path(where, key)!r} must be text, not {type(value).__name__}."
            )
        return value

    def tables(self, table: Mapping[str, Any], where: str, key: str) -> list[Mapping[str, Any]]:
        value: object = table.get(key, [])
        items = cast("list[Mapping[str, Any]]", value) if isinstance(value, list) else None
        if items is None or not all(isinstance(item, Mapping) for item in cast("list[object]", items)):
            raise ConfigError(
                f"{self._source}: {_path(where, key)!r} must be a list of tables, [[reply]] style."
            )
        return items

    def rule(self, table: Mapping[str, Any], where: str) -> _Rule:
        self.check_keys(table, where, _RULE)
        calls = tuple(self._call(item, f"{where}.call") for item in self.tables(table, where, "call"))
        reply = Reply(self.text(table, where, "say"), calls, self.text(table, where, "thought"))
        return _Rule(reply, self._pattern(table, where), self.text(table, where, "after_result"))

    def _call(self, table: Mapping[str, Any], where: str) -> Call:
        self.check_keys(table, where, _CALL)
        name, args = self.text(table, where, "name"), table.get("args", {})
        if not name or not isinstance(args, Mapping):
            raise ConfigError(
                f"{self._source}: {where!r} needs a 'name', and 'args' as a table when there are any."
            )
        return Call(name, cast("Mapping[str, Any]", args))

    def _pattern(self, table: Mapping[str, Any], where: str) -> re.Pattern[str] | None:
        match = self.text(table, where, "match")
        if not match:
            return None
        is_regex = len(match) > 2 and match.startswith("/") and match.endswith("/")
        try:
            return re.compile(match[1:-1] if is_regex else re.escape(match), re.IGNORECASE)
        except re.error as error:
            raise ConfigError(
                f"{self._source}: {_path(where, 'match')!r} is no regular expression: {error}."
            ) from error


def _path(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key

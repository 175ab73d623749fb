"""A scene: what the caller says and does, step by step, read from TOML and checked before anything runs.

``docs/reference/scenes.md`` is the page for people who write one.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

from duologue.checks import shown
from duologue.errors import ConfigError
from duologue.realtime.options import read_config

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = [
    "DEFAULT_TIMEOUT_S",
    "Activity",
    "Await",
    "CallerOptions",
    "Instruct",
    "Milestone",
    "Pause",
    "Say",
    "Scene",
    "SessionTable",
    "Step",
    "TypeText",
    "read_scene",
]

Milestone = Literal["reply", "reply_started", "tool_call", "interrupted", "silence"]
DEFAULT_TIMEOUT_S: Final = 30.0
"""Silence of the model after which a step is given up; the service itself has been seen to take seconds."""
_GREETING: Final = "Greet the caller."


@dataclass(frozen=True, slots=True)
class Say:
    """The caller speaks: a text by the caller's voice, or a recording."""

    text: str
    """What is said; of a recording, its name."""
    wav: Path | None = None
    interrupt_after_s: float | None = None
    """Speak this long after the answer to the step before became audible: a barge-in."""


@dataclass(frozen=True, slots=True)
class TypeText:
    """The caller types instead of speaking."""

    text: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is said for a while."""

    wait_s: float


@dataclass(frozen=True, slots=True)
class Await:
    """Go on when something has happened, fail when it does not."""

    milestone: Milestone
    timeout_s: float = DEFAULT_TIMEOUT_S
    """Counted while the model is silent."""


@dataclass(frozen=True, slots=True)
class Instruct:
    """The application makes the model speak."""

    instructions: str


@dataclass(frozen=True, slots=True)
class Activity:
    """The application marks where the caller's speech begins or ends."""

    edge: Literal["start", "end"]


Step = Say | TypeText | Pause | Await | Instruct | Activity


@dataclass(frozen=True, slots=True)
class CallerOptions:
    """Who calls, and from what kind of room."""

    voice: str = "pico:en-GB"
    noise_dbfs: float | None = -60.0
    """None is digital silence."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class SessionTable:
    """What a scene asks of the session; None leaves it to the command line or the default."""

    instructions: str | None = None
    voice: str | None = None
    model: str | None = None
    profile: str | None = None
    language: str | None = None
    temperature: float | None = None
    tools: Path | None = None
    turn_detection: Literal["server", "manual"] = "server"
    silence_duration_ms: int | None = None
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a file says."""

    steps: tuple[Step, ...]
    session: SessionTable = SessionTable()
    caller: CallerOptions = CallerOptions()


def read_scene(path: Path) -> Scene:
    """Read and check a scene.

    Whether its voice and model exist is found out when they are used; recordings and the tools file
    must be there now.

    Args:
        path: A TOML file; paths inside it count from its folder.

    Raises:
        ConfigError: Unreadable, no TOML, or a key, value or step that no scene has; the message names
            the file, the step (counted from 1) and the key.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"the scene {path} cannot be read: {error.strerror or error}") from error
    except RecursionError as error:
        raise ConfigError(f"the scene {path} nests too deeply; no scene needs that") from error
    except ValueError as error:  # no TOML, no UTF-8, or a number of thousands of digits
        raise ConfigError(f"the scene {path} is not TOML that can be read: {error}") from error
    top = _Table(str(path), table, path.parent)
    top.refuse_unknown("session", "caller", "step")
    steps = top.tables("step")
    if not steps:
        top.fail('has no steps; write at least one, such as [[step]] with say = "Hello!"')
    session = _session(top.table("session"))
    return Scene(
        steps=tuple(_step(step, manual=session.turn_detection == "manual") for step in steps),
        session=session,
        caller=_caller(top.table("caller")),
    )


class _Table:
    """A TOML table that can say where it is when something in it is wrong."""

    def __init__(self, where: str, values: Mapping[str, Any], folder: Path) -> None:
        self.where = where
        self.values = values
        self.folder = folder

    def fail(self, what: str) -> Any:
        raise ConfigError(f"{self.where} {what}")

    def refuse_unknown(self, *known: str) -> None:
        for key in self.values:
            if key not in known:
                self.fail(f"has a key {key!r} that means nothing; it may have {', '.join(known)}")

    def table(self, key: str) -> _Table:
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            self.fail(f"has {key!r} as {_kind(value)}; write a table, [{key}]")
        return _Table(f"{self.where}, [{key}]", cast("dict[str, Any]", value), self.folder)

    def tables(self, key: str) -> list[_Table]:
        values: object = self.values.get(key, [])
        rows = cast("list[object]", values) if isinstance(values, list) else None
        if rows is None or not all(isinstance(row, dict) for row in rows):
            self.fail(f"has {key!r} as {_kind(self.values[key])}; write tables, [[{key}]]")
        return [
            _Table(f"{self.where}, {key} {number}", row, self.folder)
            for number, row in enumerate(cast("list[dict[str, Any]]", rows), 1)
        ]

    def text(self, key: str) -> str | None:
        value = self.values.get(key)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            self.fail(f"has {key} = {shown(value)}; write a text that is not empty")
        return value

    def number(self, key: str, low: float, high: float, unit: str) -> float | None:
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.fail(f"has {key} = {shown(value)}; give {low:g} to {high:g} {unit}".rstrip())
        return float(value)

    def choice(self, key: str, choices: tuple[str, ...]) -> Any:
        value = self.values.get(key)
        if value is not None and value not in choices:
            self.fail(f"has {key} = {shown(value)}; give one of {', '.join(map(repr, choices))}")
        return value

    def file(self, key: str, value: str) -> Path:
        path = self.folder / value
        kind = _kind_of_file(path)
        if kind != "a file":
            self.fail(
                f"has {key} = {shown(value)}, and {path} is {kind}; paths count from the scene's folder"
            )
        return path


def _kind_of_file(path: Path) -> str:
    try:
        if path.is_file():
            return "a file"
        if path.is_dir():
            return "a folder"
        return "neither file nor folder" if path.exists() else "not there"
    except OSError as error:  # a name that is too long, a folder that may not be entered
        return f"out of reach ({error.strerror or error})"


def _kind(value: object) -> str:
    names: dict[type[Any], str] = {str: "a text", list: "a list", dict: "a table", bool: "true or false"}
    return names.get(type(value), "a number")


def _session(table: _Table) -> SessionTable:
    table.refuse_unknown(*SessionTable.__dataclass_fields__)
    tools = table.text("tools")
    silence_ms = table.number("silence_duration_ms", 0, 60_000, "milliseconds")
    if table.text("model") and table.text("profile"):
        table.fail("has both model and profile; a profile names its own model, give one of the two")
    return SessionTable(
        instructions=table.text("instructions"),
        voice=table.text("voice"),
        model=table.text("model"),
        profile=table.text("profile"),
        language=table.text("language"),
        temperature=table.number("temperature", 0, 2, ""),
        tools=table.file("tools", tools) if tools else None,
        turn_detection=table.choice("turn_detection", ("server", "manual")) or "server",
        silence_duration_ms=None if silence_ms is None else int(silence_ms),
        config=_service_options(table.table("config")),
    )


def _service_options(table: _Table) -> Mapping[str, Any]:
    """Return the options as they are written, once they have been found to be some."""
    try:
        read_config(table.values)
    except ConfigError as error:
        table.fail(f"cannot be used: {error}")
    return table.values


def _caller(table: _Table) -> CallerOptions:
    table.refuse_unknown("voice", "noise_dbfs", "seed")
    quiet = table.values.get("noise_dbfs") is False
    noise_dbfs = None if quiet else table.number("noise_dbfs", -90, -20, "dBFS, or false for none")
    seed = table.number("seed", 0, 2**53, "")
    default = CallerOptions()
    return CallerOptions(
        voice=table.text("voice") or default.voice,
        noise_dbfs=None if quiet else default.noise_dbfs if noise_dbfs is None else noise_dbfs,
        seed=default.seed if seed is None else int(seed),
    )


def _say(table: _Table) -> Step:
    said = table.text("say") or ""
    after_s = table.number("interrupt_after_s", 0, 600, "seconds")
    if not said.lower().endswith(".wav"):
        return Say(said, interrupt_after_s=after_s)
    path = table.file("say", said)
    return Say(path.name, path, after_s)


def _await(table: _Table) -> Step:
    milestone = table.choice("wait_for", get_args(Milestone))
    return Await(milestone, table.number("timeout_s", 0.1, 3600, "seconds") or DEFAULT_TIMEOUT_S)


def _greet(table: _Table) -> Step:
    greet = table.values["greet"]
    if greet is True:
        return Instruct(_GREETING)
    if not isinstance(greet, str):
        table.fail(
            f'has greet = {shown(greet)}; write true, or what the greeting is to say, such as "Greet Ada."'
        )
    return Instruct(table.text("greet") or _GREETING)


_KINDS: Final[Mapping[str, tuple[Callable[[_Table], Step], tuple[str, ...]]]] = {
    "say": (_say, ("interrupt_after_s",)),
    "text": (lambda table: TypeText(table.text("text") or ""), ()),
    "wait_s": (lambda table: Pause(table.number("wait_s", 0, 3600, "seconds") or 0.0), ()),
    "wait_for": (_await, ("timeout_s",)),
    "greet": (_greet, ()),
    "instructions": (lambda table: Instruct(table.text("instructions") or ""), ()),
    "activity": (lambda table: Activity(table.choice("activity", ("start", "end"))), ()),
}
"""Key that makes a step → how it is read, and which further keys it may have."""


def _step(table: _Table, *, manual: bool) -> Step:
    kinds = [key for key in table.values if key in _KINDS]
    if len(kinds) != 1:
        found = " and ".join(map(repr, kinds)) if kinds else ", ".join(map(repr, table.values)) or "nothing"
        table.fail(f"has {found}; a step has exactly one of {', '.join(_KINDS)}")
    read, further = _KINDS[kinds[0]]
    table.refuse_unknown(kinds[0], *further)
    step = read(table)
    if isinstance(step, Activity) and not manual:
        table.fail('marks the caller\'s activity; that needs turn_detection = "manual" in [session]')
    return step

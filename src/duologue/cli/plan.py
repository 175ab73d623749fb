"""From the options of ``duologue talk`` and a scene to a plan of the call. Refuses what cannot be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from duologue.cli.call import CallPlan
from duologue.cli.caller import line_from_wav
from duologue.cli.demo_tools import DEMO_TOOLS
from duologue.cli.local import LocalOptions
from duologue.cli.scene import Await, Say, Scene, SessionTable, Step, TypeText, read_scene
from duologue.cli.tools_file import load_tools
from duologue.config import SessionOptions
from duologue.errors import ConfigError
from duologue.io.auth import find_account
from duologue.tape import check_free

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TalkOptions", "make_plan"]

_SILENCE_MS: Final = 500
"""Silence that ends the caller's turn: quicker than the service's own default."""


@dataclass(frozen=True, slots=True)
class TalkOptions:
    """The command line as it was given."""

    output_dir: Path
    local: bool = False
    inputs: tuple[Path, ...] = ()
    texts: tuple[str, ...] = ()
    scene: Path | None = None
    record: Path | None = None
    tools: Path | None = None
    model: str | None = None
    profile: str | None = None
    brain: str | None = None
    emulator_voice: str | None = None
    voice: str | None = None
    headphones: bool = False


def make_plan(options: TalkOptions) -> CallPlan:
    """Decide everything that can be decided before the call.

    Raises:
        ConfigError: Options that do not go together, a key that is missing, a scene or tools file that
            cannot be used.
        AudioError: A recording that cannot be used.
        TapeError: A file is where the tape is to be.
    """
    _check_together(options)
    if options.record is not None:
        check_free(options.record)
    scene = _scene(options)
    table = scene.session if scene is not None else SessionTable()
    return CallPlan(
        folder=options.output_dir,
        model_options=_model_options(options, table),
        local=LocalOptions(options.profile or table.profile, options.brain, options.emulator_voice)
        if options.local
        else None,
        steps=None if scene is None else scene.steps,
        numbered=options.scene is not None,
        caller=Scene(()).caller if scene is None else scene.caller,
        echo_guard=not options.headphones,
        record=options.record,
    )


def _check_together(options: TalkOptions) -> None:
    """Refuse what a session would refuse later, and what would have no effect."""
    if options.local:
        return
    for name in ("profile", "brain", "emulator_voice"):
        if getattr(options, name) is not None:
            raise ConfigError(f"--{name.replace('_', '-')} is about the emulator: it needs --local")
    find_account()


def _scene(options: TalkOptions) -> Scene | None:
    """Return what plays the caller; None is a person at this machine."""
    if options.scene is not None:
        if options.inputs or options.texts:
            raise ConfigError("--scene plays the caller alone: leave --input and --text out, or write steps")
        return read_scene(options.scene)
    steps: list[Step] = []
    for path in options.inputs:
        line_from_wav(path)  # a file that cannot be used is refused before anything starts
        steps += [Say(path.name, path), Await("reply")]
    for text in options.texts:
        if not text.strip():
            raise ConfigError("--text is empty; give words to say")
        try:
            text.encode()
        except UnicodeEncodeError as error:  # a command line may hold any bytes
            raise ConfigError("--text holds bytes that are no UTF-8 text; give words to say") from error
        steps += [TypeText(text), Await("reply")]
    if steps:
        return Scene(tuple(steps))
    _check_devices()
    return None


def _check_devices() -> None:
    from duologue.audio import devices_available

    microphone, loudspeaker = devices_available()
    if not (microphone and loudspeaker):
        missing = " and ".join(
            name for name, there in (("microphone", microphone), ("loudspeaker", loudspeaker)) if not there
        )
        raise ConfigError(
            f"there is no {missing} here: give --input WAV, --text T or --scene FILE.toml "
            "(`duologue doctor` says what is missing)"
        )


def _model_options(options: TalkOptions, table: SessionTable) -> dict[str, Any]:
    tools_file = options.tools or table.tools
    given: dict[str, Any] = {
        "model": _model(options, table),
        "instructions": table.instructions,
        "voice": options.voice or table.voice,
        "language": table.language,
        "temperature": table.temperature,
        "config": _config(table),
        "tools": DEMO_TOOLS if tools_file is None else load_tools(tools_file),
        "options": SessionOptions(turn_detection=table.turn_detection),
    }
    return {name: value for name, value in given.items() if value is not None}


def _model(options: TalkOptions, table: SessionTable) -> str | None:
    if options.model is not None:
        if not options.model.strip():
            raise ConfigError("--model is empty; give a name, or leave it out")
        return options.model
    profile = options.profile or (None if table.model else table.profile)
    if profile is None:
        return table.model
    from duologue.emulator.profiles import PROFILES as PLAYED
    from duologue.wire.profiles import PROFILES

    known = {name: PROFILES[name].default_model for name in PLAYED}
    if profile not in known:
        raise ConfigError(f"there is no profile {profile!r}; there are: {', '.join(known)}")
    return known[profile]


def _config(table: SessionTable) -> dict[str, Any]:
    """Return the scene's own options with our shorter silence where it says nothing about that."""
    config = dict(table.config)
    if table.turn_detection == "manual":
        return config
    silence_ms = _SILENCE_MS if table.silence_duration_ms is None else table.silence_duration_ms
    outer, realtime = _take(config, "realtime_input_config", "realtimeInputConfig")
    inner, detection = _take(realtime, "automatic_activity_detection", "automaticActivityDetection")
    if table.silence_duration_ms is not None or not {"silence_duration_ms", "silenceDurationMs"} & set(
        detection
    ):
        detection = {key: value for key, value in detection.items() if key != "silenceDurationMs"} | {
            "silence_duration_ms": silence_ms
        }
    return config | {outer: realtime | {inner: detection}}


def _take(table: Mapping[str, Any], *names: str) -> tuple[str, dict[str, Any]]:
    """Return which of the names a table uses (else the first), and what it holds there."""
    name = next((name for name in names if name in table), names[0])
    value = table.get(name, {})
    if not isinstance(value, Mapping):
        raise ConfigError(f"the scene's [session.config] has {name} = {value!r}; write a table")
    return name, dict(cast("Mapping[str, Any]", value))

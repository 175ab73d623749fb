"""Other people's recordings made into tapes: the frames are theirs, the times are made up.

Accepted is the YAML that pydantic-ai's tests record WebSockets to: ``{version: 1, interactions: [{kind:
message, direction: sent | received, data: {...}}]}``. What the client must have asked its core for is
derived from the frames it sent, so that a replay knows of turns, calls and sound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from duologue.core.session import SessionPlan
from duologue.errors import ConfigError, ProtocolError, TapeError
from duologue.tape.format import Line, sound_path
from duologue.tape.plan import model_of
from duologue.tape.reader import Tape
from duologue.tape.writer import TapeWriter
from duologue.wire.blob import audio_rate_hz, decode_base64
from duologue.wire.client import ClientMessage
from duologue.wire.codec import ClientDecoder, encode
from duologue.wire.normalise import rename
from duologue.wire.profiles import profile_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from duologue.wire.client import RealtimeInput
    from duologue.wire.profiles import Backend

__all__ = ["ACCEPTED", "Imported", "import_recording"]

ACCEPTED: Final = "YAML as pydantic-ai records WebSockets to (version: 1, interactions: [...])"
_MAX_FILE_BYTES: Final = 64 * 1024 * 1024
_MAX_DEPTH: Final = 64
_STEP_S: Final = 0.05
"""Between two frames, when nothing says how long it took."""
_SESSION_ID: Final = "import"

_Command = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Imported:
    """What became a tape."""

    model: str
    profile: str
    sent: int
    received: int


@dataclass(frozen=True, slots=True)
class _Message:
    is_sent: bool
    data: Mapping[str, Any]


def import_recording(source: Path, path: Path) -> Imported:
    """Write a tape of a recording; an earlier import at ``path`` is replaced, nothing else is.

    Args:
        source: The recording.
        path: Of the tape.

    Raises:
        TapeError: The recording is of another kind, or a file is in the way; says what is accepted.
    """
    messages = _messages(source)
    plan = _plan(source, messages)
    _make_room(path)
    writer = TapeWriter(path, plan, times="made up", source=source.name)
    try:
        _write(writer, messages)
        writer.flush()
    except OSError as error:
        raise TapeError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        writer.close()
    sent = sum(message.is_sent for message in messages)
    return Imported(model_of(plan.setup), plan.profile.name, sent, len(messages) - sent)


# -- reading ----------------------------------------------------------------------------------


def _messages(source: Path) -> list[_Message]:
    try:
        if source.stat().st_size > _MAX_FILE_BYTES:
            raise TapeError(f"{source} has more than {_MAX_FILE_BYTES} bytes; that is no recording")
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "it is no text"
        raise TapeError(f"{source} cannot be read: {words}. Accepted: {ACCEPTED}") from error
    document = _mapping(_yaml(source, text))
    entries = document.get("interactions")
    if "tape" in document:
        raise TapeError(f"{source} is a tape already")
    if not isinstance(entries, list) or document.get("version") != 1:
        raise TapeError(f"{source} is no recording that can be imported. Accepted: {ACCEPTED}")
    return [_message(source, number, entry) for number, entry in enumerate(cast("list[object]", entries), 1)]


def _mapping(value: object) -> Mapping[str, object]:
    """Return a mapping as it is, and an empty one for anything else."""
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _message(source: Path, number: int, entry: object) -> _Message:
    given = _mapping(entry)
    direction, data = given.get("direction"), given.get("data")
    if given.get("kind") != "message" or direction not in ("sent", "received") or not isinstance(data, dict):
        raise TapeError(
            f"{source}, interaction {number}: it is no message with a direction (sent or received) and data"
        )
    return _Message(direction == "sent", cast("dict[str, Any]", data))


def _yaml(source: Path, text: str) -> object:
    try:
        import yaml
    except ImportError as error:
        raise ConfigError("importing needs PyYAML: pip install PyYAML (the extra [cli])") from error
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    try:
        for event in yaml.parse(
            text, Loader=loader
        ):  # before anything is built: a few lines can ask for much
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > _MAX_DEPTH:
                raise TapeError(f"{source} has aliases or is nested too deeply; no recording is")
        return cast("object", yaml.load(text, Loader=loader))  # noqa: S506 -- one of the two safe loaders
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, TapeError):
            raise
        raise TapeError(f"{source} is no YAML: {' '.join(str(error).split())[:200]}") from error


def _plan(source: Path, messages: list[_Message]) -> SessionPlan:
    first = messages[0].data if messages and messages[0].is_sent else None
    setup = _mapping(_mapping(rename(first, ClientMessage)).get("setup"))
    if not setup and (first is None or "setup" not in first):
        raise TapeError(f"{source}: a conversation begins with a setup message that was sent; this does not")
    try:
        model = model_of(setup)
        backend: Backend = "vertex" if "publishers/" in model else "developer"
        detection = _mapping(_mapping(setup.get("realtimeInputConfig")).get("automaticActivityDetection"))
        return SessionPlan(
            session_id=_SESSION_ID,
            setup=setup,
            profile=profile_for(model, backend),
            manual_activity=bool(detection.get("disabled")),
        )
    except ConfigError as error:
        raise TapeError(f"{source}: its setup cannot be used: {error}") from error


def _make_room(path: Path) -> None:
    """Take an earlier import away; anything else that is there stays, and is refused when written to."""
    try:
        with Tape(path) as tape:
            is_import = tape.header.times == "made up"
    except TapeError:
        return
    if is_import:
        for each in (path, sound_path(path, "up"), sound_path(path, "down")):
            each.unlink(missing_ok=True)


# -- writing ----------------------------------------------------------------------------------


def _write(writer: TapeWriter, messages: list[_Message]) -> None:
    decoder, at = ClientDecoder(), 0.0
    writer.line(Line(at=at, do="connect"))
    for message in messages:
        frame = encode(message.data)
        at = round(at + _STEP_S, 6)
        if not message.is_sent:
            writer.got(frame, at)
            continue
        try:
            commands = [command for sent in decoder.decode(frame) for command in _commands(sent)]
        except ProtocolError as error:
            commands = []
            writer.line(Line(at=at, note=f"what was sent next cannot be read: {error}"))
        for name, arguments in commands:
            _command(writer, name, arguments, at)
        writer.sent(frame, at=at)
    writer.line(Line(at=round(at + _STEP_S, 6), do="close"))
    writer.line(Line(end="imported"))


def _command(writer: TapeWriter, name: str, arguments: dict[str, Any], at: float) -> None:
    if name == "push_audio":
        writer.pushed(arguments["pcm"], arguments["rate_hz"], at)
    else:
        writer.line(Line(at=at, do=name, args=arguments or None))


def _commands(message: ClientMessage) -> Iterator[_Command]:
    """Yield what the core must have been asked for, for this to be sent."""
    if message.setup is not None:
        yield "link_opened", {}
    if message.client_content is not None:
        content = message.client_content
        turns = msgspec.to_builtins(content.turns or [])
        yield "send_turns", {"turns": turns, "turn_complete": bool(content.turn_complete)}
    if message.realtime_input is not None:
        yield from _realtime(message.realtime_input)
    for response in (message.tool_response.function_responses or ()) if message.tool_response else ():
        if response.id:
            arguments = {"call_id": response.id, "response": response.response or {}}
            yield "tool_result", {**arguments, "will_continue": bool(response.will_continue)}


def _realtime(given: RealtimeInput) -> Iterator[_Command]:
    if given.activity_start is not None:
        yield "start_activity", {}
    if given.audio is not None:
        pcm = decode_base64(given.audio.data)
        yield "push_audio", {"pcm": pcm, "rate_hz": audio_rate_hz(given.audio.mime_type, 16_000)}
    if given.text:
        yield "send_text", {"text": given.text}
    if given.activity_end is not None:
        yield "end_activity", {}
    if given.audio_stream_end:
        yield "commit_audio", {}

"""Other people's recordings made into tapes: the frames are theirs, the times are made up.

Accepted is the YAML that pydantic-ai's tests record WebSockets to: ``{version: 1, interactions: [{kind:
message, direction: sent | received, data: {...}}, {kind: close, code: ..., reason: ...}]}``. What the client
must have asked its core for is derived from the frames it sent, so that a replay knows of turns, calls and
sound. A tape holds one link; every further setup of a recording begins a tape of its own.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from duologue.core.session import SessionPlan
from duologue.errors import ConfigError, LinkLost, ProtocolError, TapeError
from duologue.tape.format import Line, sound_path
from duologue.tape.plan import model_of
from duologue.tape.reader import Tape
from duologue.tape.values import error_value
from duologue.tape.writer import TapeWriter
from duologue.wire.blob import audio_rate_hz, decode_base64
from duologue.wire.client import ClientMessage
from duologue.wire.codec import ClientDecoder, ServerDecoder, encode
from duologue.wire.normalise import rename
from duologue.wire.profiles import profile_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from duologue.wire.client import RealtimeInput
    from duologue.wire.content import FunctionResponse
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
    """One link of a recording, and the tape it became."""

    tape: Path
    model: str
    profile: str
    sent: int
    received: int


@dataclass(frozen=True, slots=True)
class _Message:
    is_sent: bool
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Close:
    code: int
    reason: str


_Link = list[_Message | _Close]


def import_recording(source: Path, path: Path) -> list[Imported]:
    """Write a tape for each link of a recording; earlier imports there are replaced, nothing else is.

    Args:
        source: The recording.
        path: Of the first tape; ``call.tape`` is followed by ``call-2.tape``, and so on.

    Raises:
        TapeError: The recording is of another kind, or a file is in the way; says what is accepted.
    """
    links = _links(source)
    plans = [_plan(source, link) for link in links]
    paths = [path, *(path.with_name(f"{path.stem}-{n}{path.suffix}") for n in range(2, len(links) + 1))]
    for each in paths:
        _make_room(each)
    return [
        _import(source.name, link, plan, each) for link, plan, each in zip(links, plans, paths, strict=True)
    ]


def _import(source: str, link: _Link, plan: SessionPlan, path: Path) -> Imported:
    writer = TapeWriter(path, plan, times="made up", source=source)
    try:
        _write(writer, link)
        writer.flush()
    except OSError as error:
        raise TapeError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        writer.close()
    directions = [entry.is_sent for entry in link if isinstance(entry, _Message)]
    sent, received = directions.count(True), directions.count(False)
    return Imported(path, model_of(plan.setup), plan.profile.name, sent, received)


# -- reading ----------------------------------------------------------------------------------


def _links(source: Path) -> list[_Link]:
    """Return the recording cut at every setup."""
    links: list[_Link] = []
    for entry in _entries(source):
        if isinstance(entry, _Message) and entry.is_sent and "setup" in entry.data:
            links.append([])
        if not links:
            break
        links[-1].append(entry)
    if not links:
        raise TapeError(f"{source}: a conversation begins with a setup message that was sent; this does not")
    return links


def _entries(source: Path) -> list[_Message | _Close]:
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
    return [_entry(source, number, entry) for number, entry in enumerate(cast("list[object]", entries), 1)]


def _mapping(value: object) -> Mapping[str, object]:
    """Return a mapping as it is, and an empty one for anything else."""
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _entry(source: Path, number: int, entry: object) -> _Message | _Close:
    given = _mapping(entry)
    direction, data, code = given.get("direction"), given.get("data"), given.get("code")
    if given.get("kind") == "close" and isinstance(code, int):
        return _Close(code, str(given.get("reason") or ""))
    if (
        given.get("kind", "message") != "message"
        or direction not in ("sent", "received")
        or not isinstance(data, dict)
    ):
        raise TapeError(
            f"{source}, interaction {number}: it is neither a message with a direction (sent or received) and "
            "data that is one JSON object, nor a close with a code"
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


def _plan(source: Path, link: _Link) -> SessionPlan:
    first = cast("_Message", link[0]).data
    setup = _mapping(_mapping(rename(first, ClientMessage)).get("setup"))
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


def _write(writer: TapeWriter, link: _Link) -> None:
    commands, at = _Commands(), 0.0
    writer.line(Line(at=at, do="connect"))
    for entry in link:
        at = round(at + _STEP_S, 6)
        if isinstance(entry, _Close):
            writer.line(Line(at=at, do="link_lost", args={"lost": error_value(_lost(entry))}))
            continue
        frame = encode(entry.data)
        if not entry.is_sent:
            commands.heard(frame)
            writer.got(frame, at)
            continue
        try:
            given = list(commands.behind(frame))
        except ProtocolError as error:
            given = []
            writer.line(Line(at=at, note=f"what was sent next cannot be read: {error}"))
        for name, arguments in given:
            _command(writer, name, arguments, at)
        writer.sent(frame, at=at)
    writer.line(Line(at=round(at + _STEP_S, 6), do="close"))
    writer.line(Line(end="imported"))


def _lost(close: _Close) -> LinkLost:
    said = f"the service closed the link: {close.code} {close.reason}".rstrip()
    return LinkLost(said, code=close.code, reason=close.reason)


def _command(writer: TapeWriter, name: str, arguments: dict[str, Any], at: float) -> None:
    if name == "push_audio":
        writer.pushed(arguments["pcm"], arguments["rate_hz"], at)
    else:
        writer.line(Line(at=at, do=name, args=arguments or None))


class _Commands:
    """Tells what the core must have been asked for, for a frame to be sent."""

    def __init__(self) -> None:
        self._sent, self._got = ClientDecoder(), ServerDecoder()
        self._unnamed = 0
        self._ids: defaultdict[str, deque[str]] = defaultdict(deque)
        """Of calls that the service gave no id: by name, in order, the ids that the core will give them."""

    def heard(self, frame: bytes) -> None:
        """Note the calls in a frame of the service."""
        with suppress(ProtocolError):
            for message in self._got.decode(frame):
                for call in (message.tool_call.function_calls or ()) if message.tool_call else ():
                    if not call.id:
                        self._unnamed += 1
                        self._ids[call.name or ""].append(f"{_SESSION_ID}-call-{self._unnamed}")

    def behind(self, frame: bytes) -> Iterator[_Command]:
        """Yield (input, arguments).

        Raises:
            ProtocolError: The frame cannot be read.
        """
        for message in self._sent.decode(frame):
            if message.setup is not None:
                yield "link_opened", {}
            if message.client_content is not None:
                content = message.client_content
                turns = msgspec.to_builtins(content.turns or [])
                yield "send_turns", {"turns": turns, "turn_complete": bool(content.turn_complete)}
            if message.realtime_input is not None:
                yield from _realtime(message.realtime_input)
            for response in (message.tool_response.function_responses or ()) if message.tool_response else ():
                yield from self._result(response)

    def _result(self, given: FunctionResponse) -> Iterator[_Command]:
        waiting = self._ids[given.name or ""]
        call_id = given.id or (waiting[0] if waiting else None)
        if call_id is None:
            return
        if not given.id and not given.will_continue:
            waiting.popleft()
        arguments = {"call_id": call_id, "response": given.response or {}}
        yield "tool_result", {**arguments, "will_continue": bool(given.will_continue)}


def _realtime(given: RealtimeInput) -> Iterator[_Command]:
    if given.activity_start is not None:
        yield "start_activity", {}
    for blob in (given.audio, *(given.media_chunks or ())):
        if blob is not None and (blob.mime_type or "").lower().startswith("audio/"):
            rate_hz = audio_rate_hz(blob.mime_type, 16_000)
            yield "push_audio", {"pcm": decode_base64(blob.data), "rate_hz": rate_hz}
    if given.text:
        yield "send_text", {"text": given.text}
    if given.activity_end is not None:
        yield "end_activity", {}
    if given.audio_stream_end:
        yield "commit_audio", {}

"""What the fuzzing starts from: frames of real recordings, and frames that our own codec writes.

The recordings stand beside the repository (``DUOLOGUE_TAPES``, else ``../shared/tapes``) and are not part
of it. Without them our own frames remain; in CI their absence is a failure.
"""

from __future__ import annotations

import json
import os
import random
import types
import typing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from duologue.wire.blob import encode_base64
from duologue.wire.client import ClientMessage
from duologue.wire.codec import encode, encode_audio
from duologue.wire.content import Blob, Content, Part, Struct
from duologue.wire.server import ServerContent, ServerMessage

__all__ = ["NAMES", "SIBLINGS", "Corpus", "corpus", "tape_folder"]

_OWN_FRAMES = 400
_SEED = 20_260_912
_STRINGS = ("", "a", "AUDIO", "user", "model", "50s", "0.2s", "AAAA", "_-8", "42", "call-1", "ACTIVITY_START")
_MIME_TYPES = ("audio/pcm;rate=24000", "audio/pcm;rate=16000", "audio/pcm", "image/jpeg")


@dataclass(frozen=True)
class Corpus:
    """Where inputs begin."""

    shapes: list[list[bytes]]
    """Frames, grouped by their shape: sound is most of what is recorded, and only one of many shapes."""
    values: dict[str, list[bytes]]
    """What stood under each name, as JSON."""


def tape_folder() -> Path:
    """Where the recordings are, whether or not there are any."""
    beside = Path(__file__).parents[2].parent / "shared" / "tapes"
    return Path(os.environ.get("DUOLOGUE_TAPES") or beside)


@cache
def corpus() -> Corpus:
    """Recorded frames and our own, in the order of their shapes."""
    shapes: dict[str, list[bytes]] = {}
    values: dict[str, set[bytes]] = {}
    for frame in (*_recorded(), *_own()):
        message = json.loads(frame)
        shapes.setdefault(_shape(message), []).append(frame)
        _collect(message, values)
    return Corpus(
        [shapes[shape] for shape in sorted(shapes)], {name: sorted(found) for name, found in values.items()}
    )


def _recorded() -> list[bytes]:
    paths = sorted(tape_folder().glob("*.yaml"))
    if not paths:
        return []
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    tapes = [yaml.load(path.read_text(), Loader=loader) for path in paths]
    return [
        json.dumps(entry["data"]).encode()
        for tape in tapes
        for entry in tape["interactions"]
        if entry["kind"] == "message"
    ]


def _own() -> list[bytes]:
    rng = random.Random(_SEED)
    frames = [encode_audio(rng.randbytes(1600), 16_000), encode({"setupComplete": {}}), encode({})]
    frames += [encode(_sound(rng, parts)) for parts in (1, 1, 2)]
    for cls in (ServerMessage, ClientMessage):
        for field in msgspec.structs.fields(cls):
            for _ in range(_OWN_FRAMES // 16):
                frames.append(encode(cls(**{field.name: _value(field.type, rng)})))
        frames += [encode(_struct(cls, rng, fields=2)) for _ in range(_OWN_FRAMES // 4)]
    contents = [_struct(ServerContent, rng, fields=4) for _ in range(_OWN_FRAMES // 4)]
    return frames + [encode(ServerMessage(server_content=content)) for content in contents]


def _sound(rng: random.Random, parts: int) -> ServerMessage:
    blobs = [Blob(mime_type=_MIME_TYPES[0], data=encode_base64(rng.randbytes(960))) for _ in range(parts)]
    turn = Content(parts=[Part(inline_data=blob) for blob in blobs])
    return ServerMessage(server_content=ServerContent(model_turn=turn))


def _struct(cls: type[Struct], rng: random.Random, fields: int = 3) -> Any:
    known = msgspec.structs.fields(cls)
    chosen = rng.sample(known, min(len(known), rng.randrange(fields + 1)))
    return cls(**{field.name: _value(field.type, rng, field.name) for field in chosen})


def _value(annotation: Any, rng: random.Random, name: str = "") -> Any:
    """A value that fits, read off the struct's own annotation."""
    arguments = [one for one in typing.get_args(annotation) if one is not type(None)]
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return _value(rng.choice(arguments), rng, name)
    if origin is list:
        return [_value(arguments[0], rng, name) for _ in range(rng.randrange(3))]
    if origin is dict or annotation is Any:
        return {rng.choice(("a", "some_key", "someKey")): rng.choice(("v", None, 1, [1], {"b_c": 2.5}))}
    if annotation is str:
        return rng.choice(_MIME_TYPES if name == "mime_type" else _STRINGS)
    plain: dict[Any, Any] = {bool: rng.random() < 0.5, int: rng.randrange(-9, 1000), float: rng.random()}
    return plain[annotation] if annotation in plain else _struct(annotation, rng)


def _shape(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{_shape(child)}" for name, child in sorted(value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(sorted({_shape(child) for child in value})) + "]"
    return "."


def _collect(value: Any, values: dict[str, set[bytes]]) -> None:
    if isinstance(value, list):
        for child in value:
            _collect(child, values)
    elif isinstance(value, dict):
        for name, child in value.items():
            values.setdefault(name, set()).add(json.dumps(child).encode())
            _collect(child, values)


def _siblings() -> dict[str, list[str]]:
    """Of every field's name on the wire: the names that may stand beside it."""
    found: dict[str, set[str]] = {}
    waiting: list[Any] = [ServerMessage, ClientMessage]
    seen: set[Any] = set()
    while waiting:
        annotation = waiting.pop()
        waiting += typing.get_args(annotation)
        if annotation in seen or not (isinstance(annotation, type) and issubclass(annotation, Struct)):
            continue
        seen.add(annotation)
        fields = msgspec.structs.fields(annotation)
        names = {field.encode_name for field in fields}
        for field in fields:
            found.setdefault(field.encode_name, set()).update(names)
            waiting.append(field.type)
    return {name: sorted(found[name]) for name in sorted(found)}


SIBLINGS = _siblings()
NAMES = list(SIBLINGS)

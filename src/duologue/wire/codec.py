"""Bytes to structs and back, both directions, with a fast path for sound.

Read this to see what a frame may look like. Decoding is strict first; on failure the frame is walked
by schema (``normalise``), unknown fields are counted and named, and only what is not JSON, has the wrong
types or passes a limit is a :class:`ProtocolError`. Several objects in one frame are several messages.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import msgspec
import pybase64

from duologue.errors import ConfigError, ProtocolError
from duologue.wire.client import ClientMessage, RealtimeInput
from duologue.wire.content import Blob, Struct
from duologue.wire.normalise import normalise
from duologue.wire.server import ServerMessage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["ClientDecoder", "ServerDecoder", "encode", "encode_audio"]

_Message = TypeVar("_Message", bound=Struct)

_MAX_UNKNOWN_NAMES = 256
_MAX_UNKNOWN_CHARACTERS = 200
_MAX_MESSAGES = 1000
"""In one frame; one is usual."""
_MAX_DEPTH = 100
"""Where protobuf's own parsers stop. What is deeper would overflow the stack of somebody further on."""
_encoder = msgspec.json.Encoder()


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is larger than any that a double holds")
    return number


_BLANKS = re.compile(r"[ \t\n\r]*")
_lenient = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)

_AUDIO_TAIL = b'"}}}'
_AUDIO_HEADS: dict[int, bytes] = {}
# What google-genai for Python writes around each chunk; compared as bytes, so a fast path only.
_SNAKE_HEAD = b'{"realtime_input": {"audio": {"data": "'
_SNAKE_TAIL_START = b'", "mime_type": "'
_MAX_MIME_BYTES = 64


def encode(message: Struct | Mapping[str, Any]) -> bytes:
    """Return the JSON text of a message, UTF-8.

    Raises:
        ConfigError: It holds something that JSON has no form for: an object, a lone surrogate, a cycle.
    """
    try:
        return _encoder.encode(message)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ConfigError(f"a message cannot be written as JSON: {error}") from error


def encode_audio(pcm: bytes | memoryview, sample_rate: int) -> bytes:
    """Return a ``realtimeInput.audio`` frame; the same bytes ``encode`` would give, several times faster.

    Args:
        pcm: s16le mono PCM.
        sample_rate: Declared in the mime type; the service accepts any.
    """
    head = _AUDIO_HEADS.get(sample_rate)
    if head is None:
        head = b'{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=%d","data":"' % sample_rate
        _AUDIO_HEADS[sample_rate] = head
    return head + pybase64.b64encode(pcm) + _AUDIO_TAIL


class _Decoder(Generic[_Message]):
    """Decodes frames of one direction; keeps a bounded count of fields it did not know."""

    def __init__(self, cls: type[_Message], *, numbers_as_text: bool) -> None:
        self._cls = cls
        self._strictly = not numbers_as_text
        self._decode_strictly = msgspec.json.Decoder(cls).decode
        self.unknown: dict[str, int] = {}
        """How often each field came that no schema has, by its dotted path (the first 200 characters of it,
        the first 256 paths). Their content is not kept: a tape holds the frame as it came."""

    def decode(self, frame: bytes | str) -> list[_Message]:
        """Return the messages in ``frame``, usually one.

        Raises:
            ProtocolError: Not JSON, not an object, a field of the wrong type, nested more than 100 levels
                deep, or more than 1,000 messages; says which.
        """
        raw = frame.encode(errors="surrogatepass") if isinstance(frame, str) else frame
        try:
            message = self._decode_strictly(raw)
        except (msgspec.ValidationError, msgspec.DecodeError, ValueError, RecursionError):
            return [self._convert(value) for value in _json_values(raw)]
        # Nothing opens behind the head of a frame of sound, and that is most frames: looked at here, in place.
        opens_later = raw.find(b"{", _MAX_DEPTH) > 0 or raw.find(b"[", _MAX_DEPTH) > 0
        if opens_later and _has_many_brackets(raw):
            _check_depth(msgspec.json.decode(raw))
        return [message]

    def _convert(self, value: dict[str, Any]) -> _Message:
        unknown: list[str] = []
        plain = normalise(value, self._cls, unknown)
        for path in unknown:
            self._note_unknown(path[:_MAX_UNKNOWN_CHARACTERS])
        try:
            return msgspec.convert(plain, self._cls, strict=self._strictly)
        except (msgspec.ValidationError, ValueError) as error:
            raise ProtocolError(f"a message does not fit its schema: {error}") from error

    def _note_unknown(self, path: str) -> None:
        if path in self.unknown or len(self.unknown) < _MAX_UNKNOWN_NAMES:
            self.unknown[path] = self.unknown.get(path, 0) + 1


class ServerDecoder(_Decoder[ServerMessage]):
    """Decodes what a service sends."""

    def __init__(self) -> None:
        # A count written as "12" or 12.0 is legal protobuf JSON, and no reason to lose a turn's end.
        super().__init__(ServerMessage, numbers_as_text=True)


class ClientDecoder(_Decoder[ClientMessage]):
    """Decodes what a client sends: camelCase or snake_case, either base64 alphabet."""

    def __init__(self) -> None:
        super().__init__(ClientMessage, numbers_as_text=False)

    def decode(self, frame: bytes | str) -> list[ClientMessage]:
        """Return the messages in ``frame``; recognises google-genai's audio frames without parsing."""
        raw = frame.encode(errors="surrogatepass") if isinstance(frame, str) else frame
        if raw.startswith(_SNAKE_HEAD):
            audio = _snake_audio(raw)
            if audio is not None:
                return [ClientMessage(realtime_input=RealtimeInput(audio=audio))]
        return super().decode(raw)


def _snake_audio(raw: bytes) -> Blob | None:
    """Read google-genai's audio frame by its fixed text; None when anything is unusual."""
    tail_at = raw.rfind(_SNAKE_TAIL_START, -_MAX_MIME_BYTES - len(_SNAKE_TAIL_START))
    if tail_at < 0 or not raw.endswith(_AUDIO_TAIL):
        return None
    data = raw[len(_SNAKE_HEAD) : tail_at]
    mime_type = raw[tail_at + len(_SNAKE_TAIL_START) : -len(_AUDIO_TAIL)]
    if b'"' in data or b"\\" in data or b'"' in mime_type or b"\\" in mime_type:
        return None
    try:
        return Blob(mime_type=mime_type.decode("ascii"), data=data.decode("ascii"))
    except UnicodeDecodeError:
        return None


def _json_values(raw: bytes) -> list[dict[str, Any]]:
    """Return every JSON object in ``raw``, however they are separated."""
    try:
        text = raw.decode()
    except UnicodeError as error:
        raise ProtocolError(f"a frame of {len(raw)} bytes is not UTF-8") from error
    may_be_deep = _has_many_brackets(raw)
    may_be_half = "\\ud" in text or "\\uD" in text
    values: list[dict[str, Any]] = []
    at = _past_blanks(text, 0)
    while at < len(text):
        try:
            value, at = _lenient.raw_decode(text, at)
            if may_be_half:
                _encoder.encode(value)  # half a surrogate pair is no character: refused here, not in a log
        except (ValueError, RecursionError) as error:  # a ValueError also for numbers of 5,000 digits
            raise ProtocolError(f"a frame of {len(text)} characters is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise ProtocolError(f"a frame holds a JSON {type(value).__name__} where an object belongs")
        values.append(cast("dict[str, Any]", value))
        if may_be_deep:
            _check_depth(values[-1])
        if len(values) > _MAX_MESSAGES:
            raise ProtocolError(f"a frame holds more than {_MAX_MESSAGES} messages")
        at = _past_blanks(text, at)
    if not values:
        raise ProtocolError("a frame is empty")
    return values


def _past_blanks(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    assert blanks is not None  # it matches nothing, too
    return blanks.end()


def _has_many_brackets(raw: bytes) -> bool:
    return raw.count(b"{") + raw.count(b"[") > _MAX_DEPTH


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [child for item in level for child in _inside(item) if isinstance(child, dict | list)]
        if not level:
            return
    raise ProtocolError(f"a message is nested more than {_MAX_DEPTH} levels deep")


def _inside(container: object) -> Iterable[object]:
    if isinstance(container, dict):
        return cast("dict[str, object]", container).values()
    return cast("list[object]", container)

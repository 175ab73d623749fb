"""Bytes to structs and back, both directions, with a fast path for sound.

Read this to see what a frame may look like. Decoding is strict first; on failure the frame is walked
by schema (``normalise``), unknown fields are counted and named, and only what is not JSON or has the
wrong types is a :class:`ProtocolError`. Several objects in one frame are several messages.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import msgspec
import pybase64

from duologue.errors import ConfigError, ProtocolError
from duologue.wire.client import ClientMessage, RealtimeInput
from duologue.wire.content import Blob, Struct
from duologue.wire.normalise import normalise
from duologue.wire.server import ServerMessage

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ClientDecoder", "ServerDecoder", "encode", "encode_audio"]

_Message = TypeVar("_Message", bound=Struct)

_MAX_UNKNOWN_NAMES = 256
_encoder = msgspec.json.Encoder()


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


_lenient = json.JSONDecoder(parse_constant=_no_constant)

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
        self._strict = msgspec.json.Decoder(cls)
        self.unknown: dict[str, int] = {}

    def decode(self, frame: bytes | str) -> list[_Message]:
        """Return the messages in ``frame``, usually one.

        Raises:
            ProtocolError: Not JSON, not an object, or a field of the wrong type; says which.
        """
        try:
            return [self._strict.decode(frame)]
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeError, RecursionError):
            return [self._convert(value) for value in _json_values(frame)]

    def _convert(self, value: Any) -> _Message:
        unknown: list[str] = []
        try:
            plain = normalise(value, self._cls, unknown)
        except RecursionError as error:
            raise ProtocolError("a message is nested too deeply") from error
        for path in unknown:
            if path in self.unknown or len(self.unknown) < _MAX_UNKNOWN_NAMES:
                self.unknown[path] = self.unknown.get(path, 0) + 1
        try:
            return msgspec.convert(plain, self._cls, strict=self._strictly)
        except (msgspec.ValidationError, RecursionError) as error:
            raise ProtocolError(f"a message does not fit its schema: {error}") from error


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


def _json_values(frame: bytes | str) -> list[dict[str, Any]]:
    """Return every JSON object in ``frame``, however they are separated."""
    try:
        text = (frame if isinstance(frame, bytes) else frame.encode()).decode()
    except UnicodeError as error:
        raise ProtocolError(f"a frame of {len(frame)} bytes is not UTF-8") from error
    values: list[dict[str, Any]] = []
    at = 0
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at == len(text):
            break
        try:
            value, at = _lenient.raw_decode(text, at)
            if "\\ud" in text or "\\uD" in text:
                _encoder.encode(value)  # half a surrogate pair is no character: refused here, not in a log
        except (ValueError, RecursionError) as error:  # a ValueError also for numbers of 5,000 digits
            raise ProtocolError(f"a frame of {len(text)} characters is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise ProtocolError(f"a frame holds a JSON {type(value).__name__} where an object belongs")
        values.append(cast("dict[str, Any]", value))
    if not values:
        raise ProtocolError("a frame is empty")
    return values

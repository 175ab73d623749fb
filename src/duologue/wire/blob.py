"""Base64 in either alphabet, with or without padding, strictly.

google-genai for Python sends the URL-safe alphabet, the service answers in the standard one. A lax
decoder would skip ``-`` and ``_`` and hand over corrupt sound without a word, so every attempt here
is strict.
"""

from __future__ import annotations

import binascii
import re

import pybase64

from duologue.errors import ProtocolError
from duologue.wire.content import Blob

__all__ = ["audio_rate_hz", "decode_base64", "decoded_bytes", "encode_base64", "pcm_blob"]

# A rate that can be meant: ASCII digits, not zero, at most 999,999 Hz.
_RATE = re.compile(r"[1-9][0-9]{0,5}")


def decode_base64(data: str | bytes) -> bytes:
    """Return the bytes behind ``data``.

    Args:
        data: Standard or URL-safe base64, padded in full or not at all; no white space.

    Raises:
        ProtocolError: A character of neither alphabet, both alphabets mixed, an impossible length, or
            padding that does not fill it up.
    """
    try:
        return pybase64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return _decode_other_forms(data)


def _decode_other_forms(data: str | bytes) -> bytes:
    raw = data.encode("ascii", "replace") if isinstance(data, str) else bytes(data)
    if not raw.endswith(b"="):
        raw += b"=" * (-len(raw) % 4)
    url_safe = b"-" in raw or b"_" in raw
    msg = f"a blob of {len(data)} characters is not base64 in the standard or the URL-safe alphabet"
    if url_safe and (b"+" in raw or b"/" in raw):
        raise ProtocolError(msg)
    try:
        return pybase64.b64decode(raw, altchars=b"-_" if url_safe else b"+/", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProtocolError(msg) from error


def encode_base64(data: bytes | bytearray | memoryview) -> str:
    """Return standard, padded base64."""
    return pybase64.b64encode_as_string(data)


def decoded_bytes(data: str) -> int:
    """Return how many bytes ``data`` holds, without decoding it."""
    length = len(data)
    if data.endswith("=="):
        length -= 2
    elif data.endswith("="):
        length -= 1
    return length * 3 // 4


def audio_rate_hz(mime_type: str, default: int) -> int:
    """Return the ``rate`` parameter of ``audio/pcm;rate=24000``; ``default`` when it has none in use."""
    for parameter in mime_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "rate" and _RATE.fullmatch(value.strip()):
            return int(value)
    return default


def pcm_blob(pcm: bytes, *, sample_rate: int) -> Blob:
    """Return a Blob of s16le mono PCM."""
    return Blob(mime_type=f"audio/pcm;rate={sample_rate}", data=encode_base64(pcm))

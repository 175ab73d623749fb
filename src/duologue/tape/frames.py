"""Frames with their sound taken out: text stays in the journal, base64 of PCM becomes a reference.

Only base64 that encodes back to the very same characters is taken out, so a frame that is put together
again is the frame, byte by byte.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pybase64

from duologue.errors import TapeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from duologue.tape.format import Piece, Pieces

__all__ = ["join_frame", "split_frame"]

_DATA: Final = re.compile(rb'"data"\s*:\s*"([A-Za-z0-9+/_=-]+)"')
_AUDIO: Final = re.compile(rb"audio/(?:pcm|l16)", re.IGNORECASE)
_NEAR_BYTES: Final = 120
"""How far from its data a blob's mime type may stand."""


def split_frame(
    frame: bytes, *, keep_sound: Callable[[bytes], int | None], clean: Callable[[str], str]
) -> Pieces:
    """Return a frame as the pieces a tape holds.

    Args:
        frame: As it was on the wire.
        keep_sound: Stores PCM and returns its offset; None to leave it in the text.
        clean: Takes the secrets out of JSON text. It sees the whole text at once, sound left out.
    """
    spans = list(_sound_in(frame))
    try:
        texts = [text.decode() for text in _texts_around(frame, spans)]
    except UnicodeDecodeError:
        garbled = clean(frame.decode("latin-1")).encode("latin-1", "replace")
        return [{"b64": pybase64.b64encode_as_string(garbled)}]
    whole = "".join(texts)
    cleaned = clean(whole)
    if cleaned != whole:
        texts = [clean(text) for text in texts]
        if "".join(texts) != cleaned:  # a secret that shows only in the text as a whole
            return clean(frame.decode())
    pieces: list[Piece] = [texts[0]]
    for (from_byte, to_byte, pcm), text in zip(spans, texts[1:], strict=True):
        base64, offset = frame[from_byte:to_byte], keep_sound(pcm)
        if offset is None:
            pieces.append(base64.decode())
        elif _is_standard(base64):
            pieces.append([offset, len(pcm)])
        else:
            pieces.append({"urlsafe": [offset, len(pcm)]})
        pieces.append(text)
    return texts[0] if len(pieces) == 1 else pieces


def _texts_around(frame: bytes, spans: list[tuple[int, int, bytes]]) -> Iterator[bytes]:
    at = 0
    for from_byte, to_byte, _ in spans:
        yield frame[at:from_byte]
        at = to_byte
    yield frame[at:]


def _sound_in(frame: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (begin, end, PCM) of each stretch of base64 that is sound."""
    if b"audio/" not in frame:
        return
    for match in _DATA.finditer(frame):
        from_byte, to_byte = match.span(1)
        around = frame[max(0, from_byte - _NEAR_BYTES) : from_byte], frame[to_byte : to_byte + _NEAR_BYTES]
        if not any(map(_AUDIO.search, around)):
            continue
        text = match.group(1)
        standard = _is_standard(text)
        try:
            pcm = pybase64.b64decode(text, altchars=None if standard else b"-_", validate=True)
        except ValueError:
            continue
        if (pybase64.b64encode if standard else pybase64.urlsafe_b64encode)(pcm) == text:
            yield from_byte, to_byte, pcm


def _is_standard(base64: bytes) -> bool:
    return b"-" not in base64 and b"_" not in base64


def join_frame(pieces: Pieces, sound: Callable[[int, int], bytes]) -> bytes:
    """Return the frame that ``split_frame`` took apart.

    Args:
        pieces: What the tape holds.
        sound: Returns PCM by offset and length in bytes.

    Raises:
        TapeError: A piece that is none.
    """
    if isinstance(pieces, str):
        return _utf8(pieces)
    return b"".join(_piece(piece, sound) for piece in pieces)


def _piece(piece: Piece, sound: Callable[[int, int], bytes]) -> bytes:
    if isinstance(piece, str):
        return _utf8(piece)
    if isinstance(piece, list):
        return pybase64.b64encode(_referred(piece, sound))
    match piece:
        case {"urlsafe": list(reference)}:
            return pybase64.urlsafe_b64encode(_referred(reference, sound))
        case {"b64": str(text)}:
            try:
                return pybase64.b64decode(text, validate=True)
            except ValueError as error:
                raise TapeError("a piece of a frame is no base64") from error
        case _:
            raise TapeError("a piece of a frame is of no known kind")


def _referred(reference: list[int], sound: Callable[[int, int], bytes]) -> bytes:
    if len(reference) != 2:
        raise TapeError("a reference to sound is [offset, length]")
    return sound(reference[0], reference[1])


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise TapeError("a piece of a frame holds half a surrogate pair") from error

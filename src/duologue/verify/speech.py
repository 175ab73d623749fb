"""A spoken line for the probes that need one: made here, nobody's voice.

The emulator takes any sound with the rhythm of speech; Gemini has to understand it, so only a voice with
words will do there.
"""

from __future__ import annotations

from typing import Final

from duologue.emulator.caller import SAMPLE_RATE, speak_line
from duologue.errors import DuologueError
from duologue.verify.probe import UnsettledError

__all__ = ["CHUNK_MS", "LINE", "SAMPLE_RATE", "chunks", "silence", "spoken_line"]

LINE: Final = "Hello, can you hear me?"
CHUNK_MS: Final = 100
_CHUNK_BYTES: Final = SAMPLE_RATE * CHUNK_MS // 1000 * 2


async def spoken_line(voice: str) -> bytes:
    """Return :data:`LINE` spoken, s16le mono 16 kHz, with a moment of room before and none behind.

    Args:
        voice: A name as ``duologue emulator --voice`` takes it.

    Raises:
        UnsettledError: That voice cannot speak here; says why.
    """
    try:
        line = await speak_line(LINE, voice=voice, lead_s=0.2, tail_s=0.0)
    except DuologueError as error:
        raise UnsettledError("no_speech", f"nothing here can speak: {error}") from None
    return line.pcm


def silence(seconds: float) -> bytes:
    """Return so much digital silence."""
    return bytes(2 * round(seconds * SAMPLE_RATE))


def chunks(pcm: bytes) -> list[bytes]:
    """Cut sound into messages' worth."""
    return [pcm[at : at + _CHUNK_BYTES] for at in range(0, len(pcm), _CHUNK_BYTES)]

"""Lead sound into silence without a click."""

from __future__ import annotations

import struct

from duologue.audio.format import SAMPLE_BYTES

__all__ = ["Declick"]

_SAMPLE = struct.Struct("<h")


class Declick:
    """Remember the last sample of sound and let the silence after it fall from there to zero.

    Invents the few samples of the ramp instead of fading the sound itself: what was to be played is
    played unchanged, and what was thrown away is not heard. Sound that starts within a ramp ends it.

    Args:
        ramp_samples: Length of the ramp, 0 or more; 0 turns it off.
    """

    def __init__(self, ramp_samples: int) -> None:
        self._ramp_samples = ramp_samples
        self._from = 0
        self._left = 0

    def finish(self, frame: bytearray | memoryview, sound_bytes: int) -> None:
        """Overwrite a frame after its first ``sound_bytes`` with the ramp and silence.

        Args:
            frame: Mono s16le, writable.
            sound_bytes: How much of it is sound already; whole samples.
        """
        if sound_bytes:
            self._from = _SAMPLE.unpack_from(frame, sound_bytes - SAMPLE_BYTES)[0]
            self._left = self._ramp_samples if self._from else 0
        size = len(frame)
        if sound_bytes == size:
            return
        at = sound_bytes
        while self._left and at + SAMPLE_BYTES <= size:
            _SAMPLE.pack_into(frame, at, self._from * self._left // (self._ramp_samples + 1))
            self._left -= 1
            at += SAMPLE_BYTES
        frame[at:] = bytes(size - at)

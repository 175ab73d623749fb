"""The uplink: the caller's sound, cut into chunks, held back while it must not be sent.

Sample-exact: what goes in comes out once, in order, except what is counted as dropped. Resampling is
done before, at the source (``audio.resample``): it must not be reset when a link is.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING

from duologue.core.machine import Machine, Table
from duologue.core.outlet import Frame
from duologue.wire.codec import encode_audio

if TYPE_CHECKING:
    from duologue.core.outlet import Outlet

__all__ = ["GATE_TABLE", "Gate", "Uplink"]


class Gate(Enum):
    """What happens to a finished chunk."""

    OPEN = auto()
    """It is sent."""
    HELD = auto()
    """It is kept until the gate opens; the oldest are dropped beyond the limit."""
    SHUT = auto()
    """It is dropped and counted."""


GATE_TABLE: Table[Gate] = {
    Gate.OPEN: frozenset({Gate.HELD, Gate.SHUT}),
    Gate.HELD: frozenset({Gate.OPEN, Gate.SHUT}),
    Gate.SHUT: frozenset({Gate.OPEN, Gate.HELD}),
}


class Uplink:
    """Chunks s16le mono PCM of any rate into ``realtimeInput.audio`` frames.

    Args:
        outlet: Receives the frames; counts ``uplink_dropped_ms``.
        chunk_ms: Length of a frame.
        held_limit_ms: How much sound is kept while the gate is held.
    """

    def __init__(self, outlet: Outlet, *, chunk_ms: int, held_limit_ms: int) -> None:
        self._outlet = outlet
        self._chunk_ms = chunk_ms
        self._gate = Machine(GATE_TABLE, Gate.HELD)
        self._held: deque[Frame] = deque()
        self._held_ms = 0.0
        self._lost_ms = {"uplink_dropped_ms": 0.0, "uplink_cleared_ms": 0.0}
        self._rest = bytearray()
        self._rate_hz = 16_000
        self._chunk_bytes = self._bytes_of(self._rate_hz)
        self.held_limit_ms = held_limit_ms

    def _bytes_of(self, rate_hz: int) -> int:
        return max(2, rate_hz * self._chunk_ms // 1000 * 2)

    def push(self, pcm: bytes | memoryview, rate_hz: int) -> None:
        """Take sound; whole chunks leave at once, the rest waits for more."""
        if rate_hz != self._rate_hz:
            self.flush()
            self._rate_hz = rate_hz
            self._chunk_bytes = self._bytes_of(rate_hz)
        size = self._chunk_bytes
        if not self._rest and len(pcm) == size:
            self._chunk(pcm)
            return
        rest = self._rest
        rest += pcm
        if len(rest) < size:
            return
        whole = bytes(rest)
        at = 0
        while len(whole) - at >= size:
            self._chunk(whole[at : at + size])
            at += size
        del rest[:at]

    def flush(self) -> None:
        """Let go of the part of a chunk that waits for more."""
        if self._rest:
            rest = bytes(self._rest)
            self._rest.clear()
            self._chunk(rest)

    def clear(self) -> None:
        """Drop what is not on its way yet: the unfinished chunk and all sound that is held; marks stay."""
        cleared_ms = self._held_ms + len(self._rest) * 500 / self._rate_hz
        self._rest.clear()
        self._held = deque(frame for frame in self._held if not frame.audio_ms)
        self._held_ms = 0.0
        self._lost("uplink_cleared_ms", cleared_ms)

    def set_gate(self, gate: Gate) -> None:
        """Open, hold or shut; opening sends what was held, shutting drops its sound and sends its marks."""
        if gate is self._gate.state:
            return
        self._gate.to(gate)
        held, self._held, self._held_ms = self._held, deque(), 0.0
        for frame in held:
            if gate is Gate.OPEN or not frame.audio_ms:
                self._outlet.send(frame.data, audio_ms=frame.audio_ms)
            else:
                self._lost("uplink_dropped_ms", frame.audio_ms)

    def mark(self, data: bytes) -> None:
        """Send a mark (the end of the stream, of an activity) in its place: behind the sound that is held."""
        if self._gate.state is Gate.HELD:
            self._held.append(Frame(data))
        else:
            self._outlet.send(data)

    def end(self) -> None:
        """The session is over: what was not sent is counted as dropped."""
        self._held = deque(frame for frame in self._held if frame.audio_ms)
        self.set_gate(Gate.SHUT)
        self.flush()

    def _chunk(self, pcm: bytes | memoryview) -> None:
        length_ms = len(pcm) * 500 / self._rate_hz
        gate = self._gate.state
        if gate is Gate.OPEN:
            self._outlet.send(encode_audio(pcm, self._rate_hz), audio_ms=length_ms)
        elif gate is Gate.SHUT:
            self._lost("uplink_dropped_ms", length_ms)
        else:
            self._hold(encode_audio(pcm, self._rate_hz), length_ms)

    def _hold(self, data: bytes, length_ms: float) -> None:
        self._held.append(Frame(data, length_ms))
        self._held_ms += length_ms
        while self._held_ms > self.held_limit_ms:
            oldest = next(frame for frame in self._held if frame.audio_ms)
            if oldest is self._held[-1]:
                break
            self._held.remove(oldest)
            self._held_ms -= oldest.audio_ms
            self._lost("uplink_dropped_ms", oldest.audio_ms)

    def _lost(self, counter: str, length_ms: float) -> None:
        """Count in whole milliseconds without rounding each piece: short ones would vanish."""
        before = self._lost_ms[counter]
        self._lost_ms[counter] = before + length_ms
        self._outlet.count(counter, round(before + length_ms) - round(before))

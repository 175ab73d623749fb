"""The uplink's promise as a judge: every sample carries its number, every mark its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from duologue.wire.blob import audio_rate_hz, decode_base64

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duologue.wire.client import RealtimeInput

__all__ = ["BrokenPromiseError", "Samples", "require"]


class BrokenPromiseError(AssertionError):
    """A promise was broken."""


def require(holds: bool, broken: str) -> None:
    if not holds:
        raise BrokenPromiseError(broken)


@dataclass
class Samples:
    """The uplink as sample numbers: what was pushed, marked, sent, dropped and cleared."""

    count: int = 0
    pushed_ms: float = 0.0
    sent_ms: float = 0.0
    last_sent: int = -1
    skipped: int = 0
    """Samples that were not sent although later ones were."""
    marks: list[tuple[int, bool]] = field(default_factory=list[tuple[int, bool]])
    """Marks not sent yet: how many samples had been pushed before, and whether it ends something."""
    floor: int = 0
    """Samples before the last end that was sent may not come any more."""

    def push(self, samples: int, rate_hz: int) -> bytes:
        """Return the next samples: each carries its own number."""
        numbers = range(self.count, self.count + samples)
        self.count += samples
        self.pushed_ms += samples * 1000 / rate_hz
        return b"".join((number & 0xFFFF).to_bytes(2, "little") for number in numbers)

    def mark(self, *, end: bool) -> None:
        self.marks.append((self.count, end))

    def sent(self, realtime: RealtimeInput, audio_ms: float) -> None:
        if realtime.audio is None:
            require(audio_ms == 0, "what is not sound counts as sound")
            if realtime.text is None and realtime.video is None:
                require(bool(self.marks), "a mark that nobody gave")
                position, is_end = self.marks.pop(0)
                require(self.last_sent < position, "a mark was overtaken by sound behind it")
                self.floor = position if is_end else self.floor
            return
        data = decode_base64(realtime.audio.data)
        rate_hz = audio_rate_hz(realtime.audio.mime_type, 0)
        require(len(data) % 2 == 0 and len(data) > 0, "half a sample, or none")
        require(abs(audio_ms - len(data) * 500 / rate_hz) < 1e-6, "audio_ms is not the length of the sound")
        self.sent_ms += audio_ms
        for at in range(0, len(data), 2):
            low = int.from_bytes(data[at : at + 2], "little")
            number = self.last_sent + ((low - self.last_sent - 1) & 0xFFFF) + 1
            require(number < self.count, "a sample was sent twice, out of order, or changed")
            require(at == 0 or number == self.last_sent + 1, "a gap inside one frame")
            self.skipped += number - self.last_sent - 1
            require(number >= self.floor, "a mark overtook sound before it")
            if self.marks:
                require(number < self.marks[0][0], "sound overtook a mark")
            self.last_sent = number

    def settled(self, counters: Mapping[str, int], *, over: bool) -> None:
        lost_ms = sum(counters.get(name, 0) for name in ("uplink_dropped_ms", "uplink_cleared_ms"))
        # Rounding could hide a few samples, so: none is missing at all unless a loss was counted.
        missing = self.skipped + (self.count - 1 - self.last_sent if over else 0)
        counted = "uplink_dropped_ms" in counters or "uplink_cleared_ms" in counters
        require(missing == 0 or counted, f"{missing} samples are missing and no loss was counted")
        accounted_ms = self.sent_ms + lost_ms
        require(accounted_ms <= self.pushed_ms + 1.5, "more sound is accounted for than was pushed")
        if over:
            require(accounted_ms >= self.pushed_ms - 1.5, "sound vanished without being counted")

"""One generation: the model's part of a turn, from its first content to its one end."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from duologue.core.machine import Machine, Table

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "GENERATION_TABLE",
    "OUTPUT_BYTES_PER_MS",
    "OUTPUT_RATE_HZ",
    "Generation",
    "GenerationState",
    "heard",
]

OUTPUT_RATE_HZ = 24_000
OUTPUT_BYTES_PER_MS = 48
"""24 kHz, 16 bit, mono: the only sound the service sends."""


class GenerationState(Enum):
    """Where a generation is."""

    CREATED = auto()
    """It has an id and no content yet."""
    STREAMING = auto()
    """Content arrives and is delivered."""
    DISCARDING = auto()
    """The application interrupted it; what still comes is discarded and counted."""
    ENDED = auto()
    """Nothing of it will come any more."""


GENERATION_TABLE: Table[GenerationState] = {
    GenerationState.CREATED: frozenset({GenerationState.STREAMING, GenerationState.DISCARDING}),
    GenerationState.STREAMING: frozenset({GenerationState.DISCARDING, GenerationState.ENDED}),
    GenerationState.DISCARDING: frozenset({GenerationState.ENDED}),
    GenerationState.ENDED: frozenset(),
}


class Generation:
    """What the core remembers of a generation; the sound itself is not kept."""

    __slots__ = (
        "announced",
        "audio_bytes",
        "first_audio_at",
        "half",
        "id",
        "machine",
        "played_ms",
        "produced",
        "silenced_at_ms",
    )

    def __init__(self, generation_id: str, *, announced: bool = True) -> None:
        self.id = generation_id
        self.announced = announced
        """False for what came of a silenced turn: nobody was told of it."""
        self.machine = Machine(GENERATION_TABLE, GenerationState.CREATED)
        self.audio_bytes = 0
        self.half = b""
        """The first byte of a sample whose second has not come yet (Q-odd-audio); not in ``audio_bytes``."""
        self.first_audio_at: float | None = None
        self.played_ms: int | None = None
        """What sinks reported; None when none did."""
        self.silenced_at_ms: int | None = None
        """What had been heard when it was interrupted; None when it was not."""
        self.produced: set[str] = set()
        """Kinds of content it had: "audio", "text", "transcript", "thought", "call"."""

    @property
    def state(self) -> GenerationState:
        """The machine's state."""
        return self.machine.state

    @property
    def audio_ms(self) -> int:
        """Length of the sound delivered."""
        return self.audio_bytes // OUTPUT_BYTES_PER_MS

    @property
    def interrupted(self) -> bool:
        """Whether it was cut off, by either side."""
        return self.silenced_at_ms is not None

    def heard(self, now: float) -> tuple[int, bool]:
        """Return (milliseconds heard, whether that is an estimate).

        A sink's word is final, also when it comes after the interruption. The estimate assumes
        playback from the first sound on, without a pause.
        """
        if self.played_ms is not None:
            return min(self.played_ms, self.audio_ms), False
        if self.silenced_at_ms is not None:
            return self.silenced_at_ms, True
        if self.first_audio_at is None:
            return 0, True
        return min(self.audio_ms, max(0, round((now - self.first_audio_at) * 1000))), True


def heard(generations: Iterable[Generation], now: float) -> tuple[int, bool]:
    """Sum what was heard of several; an estimate as soon as one part is, or when there is none."""
    parts = [generation.heard(now) for generation in generations if generation.audio_bytes]
    return sum(ms for ms, _ in parts), any(estimated for _, estimated in parts) or not parts

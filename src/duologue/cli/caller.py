"""The caller of a scene as a source of sound: a quiet room, and lines spoken into it when they are due."""

from __future__ import annotations

import asyncio
import random
from array import array
from dataclasses import dataclass, field
from operator import add
from typing import TYPE_CHECKING, Final

from duologue.audio import read_wav, rms_dbfs
from duologue.audio.frames import pcm_from_samples, samples_of
from duologue.audio.pace import LoopClock, sleep_until
from duologue.cli.scene import CallerOptions, Say
from duologue.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

__all__ = [
    "SAMPLE_RATE",
    "VOICED_DBFS",
    "Caller",
    "Line",
    "Utterance",
    "line_from_wav",
    "prepare_lines",
    "voiced_stretches",
]

SAMPLE_RATE: Final = 16_000
VOICED_DBFS: Final = -45.0
"""A 10 ms frame of speech at or above this level counts as voiced."""
_LEVEL_SAMPLES: Final = SAMPLE_RATE // 100
_JOINED_SAMPLES: Final = SAMPLE_RATE // 5
"""Voice after a shorter gap is the same stretch: words are full of such gaps."""
_ABOVE_NOISE_DB: Final = 10.0
_BELOW_PEAK_DB: Final = 20.0
"""However loud the noise is, voice this far below the loudest of it counts."""
_FRAME_SAMPLES: Final = SAMPLE_RATE // 50
_ROOM_S: Final = 5
"""The room's noise repeats after this long, which nobody hears."""
_SMOOTHING: Final = 0.6


@dataclass(frozen=True, slots=True)
class Line:
    """Something to say, without the room."""

    text: str
    pcm: bytes
    """s16le mono 16 kHz."""
    stretches: tuple[tuple[int, int], ...]
    """First and last voiced sample (both inclusive) of each stretch of voice; at least one."""

    @property
    def first_voiced_sample(self) -> int:
        """Where its voice begins."""
        return self.stretches[0][0]

    @property
    def last_voiced_sample(self) -> int:
        """Where its voice ends, inclusive."""
        return self.stretches[-1][1]


@dataclass(slots=True)
class Utterance:
    """A line being spoken: when it began, and when its voice ended."""

    line: Line
    from_at: float
    """Of its first sample, on the loop's clock."""
    spoken: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the last voiced sample has been handed on."""

    @property
    def stretches(self) -> list[tuple[float, float]]:
        """When each stretch of its voice begins and ends, on the loop's clock."""
        return [
            (self.from_at + first / SAMPLE_RATE, self.from_at + (last + 1) / SAMPLE_RATE)
            for first, last in self.line.stretches
        ]


class Caller:
    """Yield 20 ms frames at the pace of real time: the room's noise, and over it what is said.

    It never ends by itself: close it. One line is spoken at a time.

    Args:
        options: The room's noise and its seed.
    """

    def __init__(self, options: CallerOptions = CallerOptions()) -> None:  # noqa: B008 -- frozen
        self._room = _room_noise(options.noise_dbfs, options.seed)
        self._started_at = 0.0
        self._frames = 0
        self._closed = False
        self._speaking: Utterance | None = None
        self._line: array[int] = array("h")
        self._line_from = 0

    @property
    def sample_rate(self) -> int:
        """Always 16,000 Hz."""
        return SAMPLE_RATE

    @property
    def channels(self) -> int:
        """Always 1."""
        return 1

    @property
    def is_live(self) -> bool:
        """Whether its sound is flowing, so that a line has a time."""
        return self._started_at > 0.0

    def say(self, line: Line) -> Utterance:
        """Begin to speak with the next frame; what was being spoken is cut off."""
        self._line_from = self._frames * _FRAME_SAMPLES
        self._line = samples_of(line.pcm)
        self._speaking = Utterance(line, self._started_at + self._line_from / SAMPLE_RATE)
        return self._speaking

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield frames, each when its last sample would have been recorded."""
        clock = LoopClock()
        self._started_at = clock.now()
        while True:
            due_at = self._started_at + (self._frames + 1) * _FRAME_SAMPLES / SAMPLE_RATE
            await sleep_until(clock, due_at)
            if self._closed:
                return
            yield self._next_frame()

    async def aclose(self) -> None:
        """End the iteration at its next frame; idempotent."""
        self._closed = True

    def _next_frame(self) -> bytes:
        at = self._frames * _FRAME_SAMPLES
        self._frames += 1
        room_at = at % len(self._room)
        room = self._room[room_at : room_at + _FRAME_SAMPLES]
        speaking = self._speaking
        if speaking is None:
            return pcm_from_samples(room)
        line_at = at - self._line_from
        voice = self._line[line_at : line_at + _FRAME_SAMPLES]
        if line_at + _FRAME_SAMPLES > speaking.line.last_voiced_sample:
            speaking.spoken.set()
        if line_at + _FRAME_SAMPLES >= len(self._line):
            self._speaking = None
        return pcm_from_samples(_mix(room, voice))


def _mix(room: array[int], voice: array[int]) -> array[int]:
    mixed = array("h", (max(-32768, min(32767, sample)) for sample in map(add, room, voice)))
    mixed.extend(room[len(voice) :])
    return mixed


def _room_noise(noise_dbfs: float | None, seed: int) -> array[int]:
    """Return noise that falls towards high frequencies, as rooms do: white noise through one pole."""
    samples = _ROOM_S * SAMPLE_RATE
    if noise_dbfs is None:
        return array("h", bytes(2 * samples))
    draw = random.Random(seed).uniform
    # Uniform noise of variance 1/3 leaves the pole with variance (1−k)/(1+k)/3.
    spread = ((1 - _SMOOTHING) / (1 + _SMOOTHING) / 3) ** 0.5
    scale = 32768 * 10 ** (noise_dbfs / 20) / spread * (1 - _SMOOTHING)
    noise, state = array("h"), 0.0
    for _ in range(samples):
        state = _SMOOTHING * state + draw(-scale, scale)
        noise.append(max(-32768, min(32767, round(state))))
    return noise


def line_from_wav(path: Path, text: str | None = None) -> Line:
    """Read a recording as a line: any WAV that ``read_wav`` takes, as 16 kHz mono.

    A recording without voice is a line all the same: it counts as voiced from end to end.

    Raises:
        AudioError: The file cannot be used, or is empty; the message names it and says what it holds.
    """
    pcm = read_wav(path, sample_rate=SAMPLE_RATE)
    if not pcm:
        raise AudioError(f"{path} is a WAV file without a single sample: record something first")
    return Line(text or path.name, pcm, voiced_stretches(pcm))


def voiced_stretches(pcm: bytes) -> tuple[tuple[int, int], ...]:
    """Find the stretches of voice in sound of 16 kHz; sound without any is one from end to end.

    A noise that goes on through all of it (a hum, the steps of an 8-bit recording) is not voice: what
    counts stands out of it.
    """
    step_bytes = 2 * _LEVEL_SAMPLES
    levels_dbfs = [rms_dbfs(pcm[at : at + step_bytes]) for at in range(0, len(pcm), step_bytes)]
    floor_dbfs = sorted(levels_dbfs)[len(levels_dbfs) // 50]  # not the very least: that may be a fade
    above_dbfs = min(floor_dbfs + _ABOVE_NOISE_DB, max(levels_dbfs) - _BELOW_PEAK_DB)
    threshold_dbfs = max(VOICED_DBFS, above_dbfs)
    stretches: list[tuple[int, int]] = []
    for number, level_dbfs in enumerate(levels_dbfs):
        if level_dbfs < threshold_dbfs:
            continue
        first = number * _LEVEL_SAMPLES
        last = min(first + _LEVEL_SAMPLES, len(pcm) // 2) - 1
        if stretches and first - stretches[-1][1] <= _JOINED_SAMPLES:
            first = stretches.pop()[0]
        stretches.append((first, last))
    return tuple(stretches) or ((0, len(pcm) // 2 - 1),)


async def prepare_lines(says: Iterable[Say], options: CallerOptions) -> dict[Say, Line]:
    """Speak every text with the caller's voice and read every recording, before the call begins.

    Raises:
        AudioError: A recording cannot be used, or a text has nothing to say.
        ConfigError: The caller's voice is not installed.
        WorkerError: The voice failed.
    """
    from duologue.emulator.caller import speak_line
    from duologue.emulator.voice import make_voice

    wanted = list(dict.fromkeys(says))
    lines = {say: line_from_wav(say.wav) for say in wanted if say.wav is not None}
    spoken = [say for say in wanted if say.wav is None]
    if not spoken:
        return lines
    voice = make_voice(options.voice)
    try:
        for say in spoken:
            made = await speak_line(say.text, voice=voice, noise_dbfs=None, lead_s=0.0, tail_s=0.0)
            lines[say] = Line(say.text, made.pcm, voiced_stretches(made.pcm))
    finally:
        await voice.aclose()
    return lines

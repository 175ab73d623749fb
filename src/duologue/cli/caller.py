"""The caller of a scene as a source of sound: a quiet room, and lines spoken into it when they are due."""

from __future__ import annotations

import asyncio
import random
from array import array
from dataclasses import dataclass, field
from operator import add
from typing import TYPE_CHECKING, Final

from duologue.audio import read_wav
from duologue.audio.frames import pcm_from_samples, samples_of
from duologue.audio.pace import LoopClock, sleep_until
from duologue.cli.scene import CallerOptions, Say
from duologue.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

__all__ = ["SAMPLE_RATE", "VOICED_DBFS", "Caller", "Line", "Utterance", "line_from_wav", "prepare_lines"]

SAMPLE_RATE: Final = 16_000
VOICED_DBFS: Final = -45.0
"""A 10 ms frame of speech at or above this level counts as voiced."""
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
    first_voiced_sample: int
    last_voiced_sample: int
    """Inclusive."""


@dataclass(slots=True)
class Utterance:
    """A line being spoken: when it began, and when its voice ended."""

    line: Line
    began_at: float
    """Of its first voiced sample, on the loop's clock."""
    ended_at: float
    """Of its last voiced sample, likewise."""
    spoken: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the last voiced sample has been handed on."""


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
        from_at = self._started_at + self._line_from / SAMPLE_RATE
        self._line = samples_of(line.pcm)
        self._speaking = Utterance(
            line,
            began_at=from_at + line.first_voiced_sample / SAMPLE_RATE,
            ended_at=from_at + (line.last_voiced_sample + 1) / SAMPLE_RATE,
        )
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
    from duologue.emulator.voice.shaping import voiced_span

    pcm = read_wav(path, sample_rate=SAMPLE_RATE)
    if not pcm:
        raise AudioError(f"{path} is a WAV file without a single sample: record something first")
    span = voiced_span(pcm, SAMPLE_RATE, threshold_dbfs=VOICED_DBFS) or (0, len(pcm) // 2 - 1)
    return Line(text or path.name, pcm, *span)


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
            lines[say] = Line(say.text, made.pcm, made.first_voiced_sample, made.last_voiced_sample)
    finally:
        await voice.aclose()
    return lines

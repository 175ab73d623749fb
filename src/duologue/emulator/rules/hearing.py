"""The caller's side: when speech starts, pauses and ends, told from the sound itself.

Read this for activity detection. All is counted in samples of received sound, never by the clock, so
a sender faster or slower than real time is heard alike. One machine, two ways in: automatic (a
detector judges every window) and manual (the client marks start and end).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from duologue.emulator.rules.resample import TARGET_RATE_HZ
from duologue.wire.client import AutomaticActivityDetection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from duologue.emulator.protocols import Detector

__all__ = [
    "ACTIVITY_TRANSITIONS",
    "Activity",
    "Heard",
    "Hearing",
    "SpeechEnded",
    "SpeechPaused",
    "SpeechResumed",
    "SpeechStarted",
    "Thresholds",
]

_BYTES_PER_SAMPLE = 2
_LOOK_BACK_MS = 320
"""Sound kept from before the first voiced window: first consonants are quiet."""
_PAUSE_MS = 200
"""Silence after which a transcription is worth starting on speculation."""
_TRAILING_MS = 200
"""Silence left at the end of an utterance."""
_MAX_UTTERANCE_S = 120
"""Older sound of an activity that does not end is forgotten."""

_START_PROBABILITY: Mapping[str, float] = {"START_SENSITIVITY_HIGH": 0.5, "START_SENSITIVITY_LOW": 0.8}
_END_PROBABILITY: Mapping[str, float] = {"END_SENSITIVITY_HIGH": 0.35, "END_SENSITIVITY_LOW": 0.15}


def _samples(ms: float) -> int:
    return round(ms * TARGET_RATE_HZ / 1000)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When sound counts as speech. Probabilities 0..1, lengths in milliseconds."""

    start: float = 0.5
    """At or over this a quiet stream turns voiced."""
    end: float = 0.35
    """Under this a voiced stream turns quiet."""
    prefix_ms: int = 20
    """Speech required before its start is committed; at least two windows are."""
    silence_ms: int = 800
    """Silence required before its end is."""

    @classmethod
    def from_setup(cls, detection: AutomaticActivityDetection | None) -> Thresholds:
        """Return the thresholds a setup asks for; unset sensitivities are HIGH, as on the Developer API."""
        asked, own = detection or AutomaticActivityDetection(), cls()
        prefix_ms, silence_ms = asked.prefix_padding_ms, asked.silence_duration_ms
        return cls(
            start=_START_PROBABILITY.get(asked.start_of_speech_sensitivity or "", own.start),
            end=_END_PROBABILITY.get(asked.end_of_speech_sensitivity or "", own.end),
            prefix_ms=own.prefix_ms if prefix_ms is None else prefix_ms,
            silence_ms=own.silence_ms if silence_ms is None else silence_ms,
        )


class Activity(Enum):
    """What the caller is doing."""

    QUIET = "quiet"
    STARTING = "starting"
    """Voiced, but not yet for long enough."""
    SPEAKING = "speaking"
    TRAILING = "trailing"
    """Silent for less than the required silence."""
    MARKED = "marked"
    """Between activityStart and activityEnd."""


ACTIVITY_TRANSITIONS: Mapping[Activity, frozenset[Activity]] = {
    Activity.QUIET: frozenset({Activity.STARTING, Activity.MARKED}),
    Activity.STARTING: frozenset({Activity.QUIET, Activity.SPEAKING}),
    Activity.SPEAKING: frozenset({Activity.TRAILING, Activity.QUIET}),
    Activity.TRAILING: frozenset({Activity.SPEAKING, Activity.QUIET}),
    Activity.MARKED: frozenset({Activity.QUIET}),
}
"""Where an activity may go from where."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """An activity was committed; ``at_samples`` is where its speech began in the stream."""

    at_samples: int


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """A short silence: ``pcm`` is the utterance so far, perhaps all of it."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    """Speech went on after a pause."""


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The activity is over; ``at_samples`` is where its speech ended, ``pcm`` is all of it."""

    at_samples: int
    pcm: bytes


Heard = SpeechStarted | SpeechPaused | SpeechResumed | SpeechEnded


class Hearing:
    """Turns a stream of 16 kHz sound into activities. Never looks at a clock.

    Args:
        make_detector: Makes what judges each window, called once, at the first sound: a detector may
            take megabytes that a caller who only writes never needs. ``None`` means that the client
            marks activities itself.
        thresholds: As the setup asked.
    """

    def __init__(self, make_detector: Callable[[], Detector] | None, thresholds: Thresholds) -> None:
        self.activity = Activity.QUIET
        self.heard_samples = 0
        self._make_detector = make_detector
        self._detector: Detector | None = None
        self._thresholds = thresholds
        self._partial = bytearray()  # less than one window
        self._sound = bytearray()  # look-back while quiet, the utterance while speaking
        self._run_samples = 0  # how long the present stretch of voice or silence has lasted
        self._voice_at_samples = 0  # where the first or the last voiced window lies
        self._paused_at_bytes = 0  # end of the sound a pause was told with; 0 = not told

    @property
    def is_manual(self) -> bool:
        """Whether the client marks activities itself."""
        return self._make_detector is None

    @property
    def is_open(self) -> bool:
        """Whether an activity has been committed and not ended."""
        return self.activity in (Activity.SPEAKING, Activity.TRAILING, Activity.MARKED)

    @property
    def silence_s(self) -> float:
        """The silence that ends an activity."""
        return self._thresholds.silence_ms / 1000

    def hear(self, pcm: bytes) -> list[Heard]:
        """Take in sound, s16le mono 16 kHz, in pieces of any length; return what happened in it."""
        if self._make_detector is None:
            self.heard_samples += len(pcm) // _BYTES_PER_SAMPLE
            if self.activity is Activity.MARKED:
                self._keep(pcm)
            return []
        if self._detector is None:
            self._detector = self._make_detector()
        detector = self._detector
        self._partial += pcm
        window_bytes = detector.window_samples * _BYTES_PER_SAMPLE
        happened: list[Heard] = []
        at = 0
        while at + window_bytes <= len(self._partial):
            window = bytes(self._partial[at : at + window_bytes])
            at += window_bytes
            happened += self._judge(window, detector(window))
        del self._partial[:at]
        return happened

    def mark_start(self) -> list[Heard]:
        """Open an activity because the client says so; nothing if one is open."""
        if self.activity is not Activity.QUIET:
            return []
        self._to(Activity.MARKED)
        self._sound.clear()
        self._voice_at_samples = self.heard_samples
        return [SpeechStarted(self.heard_samples)]

    def finish(self) -> list[Heard]:
        """End whatever is open at once: the stream ended, was marked as ended, or fell silent for good."""
        was_open = self.is_open
        pcm = bytes(self._sound)
        at_samples = self.heard_samples if self.is_manual else self._voice_at_samples
        self._quiet()
        self._sound.clear()
        self._partial.clear()
        return [SpeechEnded(at_samples, pcm)] if was_open else []

    def release(self) -> None:
        """Give up the detector and the sound: nothing more will be heard. A detector may have ``release()``."""
        detector, self._detector = self._detector, None
        release = getattr(detector, "release", None)
        if callable(release):
            release()
        self._sound.clear()
        self._partial.clear()

    def _judge(self, window: bytes, probability: float) -> list[Heard]:
        self._keep(window)
        window_samples = len(window) // _BYTES_PER_SAMPLE
        self.heard_samples += window_samples
        if self.activity in (Activity.QUIET, Activity.TRAILING):
            voiced = probability >= self._thresholds.start
        else:
            voiced = probability >= self._thresholds.end
        return self._voiced(window_samples) if voiced else self._silent(window_samples)

    def _voiced(self, window_samples: int) -> list[Heard]:
        if self.activity is Activity.QUIET:
            self._to(Activity.STARTING)
            self._run_samples = 0
            self._voice_at_samples = self.heard_samples - window_samples
        if self.activity is Activity.STARTING:
            self._run_samples += window_samples
            if self._run_samples < max(_samples(self._thresholds.prefix_ms), 2 * window_samples):
                return []
            started_at = self._voice_at_samples
            self._to(Activity.SPEAKING)
            self._voice_at_samples = self.heard_samples
            return [SpeechStarted(started_at)]
        happened: list[Heard] = []
        if self.activity is Activity.TRAILING:
            self._to(Activity.SPEAKING)
            if self._paused_at_bytes:
                self._paused_at_bytes = 0
                happened.append(SpeechResumed())
        self._voice_at_samples = self.heard_samples
        return happened

    def _silent(self, window_samples: int) -> list[Heard]:
        if self.activity is Activity.STARTING:
            self._quiet()
        elif self.activity is Activity.SPEAKING:
            self._to(Activity.TRAILING)
            self._run_samples = 0
        if self.activity is not Activity.TRAILING:
            return []
        self._run_samples += window_samples
        if self._run_samples >= _samples(self._thresholds.silence_ms):
            return [self._end_of_silence()]
        if self._run_samples >= _samples(_PAUSE_MS) and not self._paused_at_bytes:
            self._paused_at_bytes = len(self._sound)
            return [SpeechPaused(bytes(self._sound))]
        return []

    def _end_of_silence(self) -> SpeechEnded:
        surplus = max(self._run_samples - _samples(_TRAILING_MS), 0) * _BYTES_PER_SAMPLE
        end = self._paused_at_bytes or len(self._sound) - surplus
        ended = SpeechEnded(self._voice_at_samples, bytes(self._sound[:end]))
        self._quiet()
        del self._sound[: -_samples(_LOOK_BACK_MS) * _BYTES_PER_SAMPLE]
        return ended

    def _keep(self, sound: bytes) -> None:
        self._sound += sound
        limit_ms = _LOOK_BACK_MS if self.activity is Activity.QUIET else _MAX_UTTERANCE_S * 1000
        surplus = len(self._sound) - _samples(limit_ms) * _BYTES_PER_SAMPLE
        if surplus > 0:
            del self._sound[:surplus]
            self._paused_at_bytes = max(self._paused_at_bytes - surplus, 0)

    def _quiet(self) -> None:
        if self.activity is not Activity.QUIET:
            self._to(Activity.QUIET)
        self._run_samples = 0
        self._paused_at_bytes = 0

    def _to(self, activity: Activity) -> None:
        assert activity in ACTIVITY_TRANSITIONS[self.activity], (self.activity, activity)
        self.activity = activity

"""Shared by the tests of sound: a tone, a clock that moves when told, a stand-in for PortAudio."""

from __future__ import annotations

import heapq
import itertools
import math
from array import array
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


class VirtualClock:
    """A clock that stands still between calls of ``advance``."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._numbers = itertools.count()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._cancelled: set[int] = set()

    def now(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        number = next(self._numbers)
        heapq.heappush(self._timers, (when, number, callback))
        return lambda: self._cancelled.add(number)

    def advance(self, duration_s: float) -> None:
        """Let time pass and call what falls due, in order."""
        until = self._now + duration_s + 1e-9
        while self._timers and self._timers[0][0] <= until:
            when, number, callback = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            if number not in self._cancelled:
                callback()
        self._now = until

    def jump(self, duration_s: float) -> None:
        """Let time pass while nothing can run, as a blocked loop does; then call what fell due."""
        self._now += duration_s
        self.advance(0.0)

    @property
    def pending(self) -> int:
        """Timers that are neither due nor cancelled."""
        return sum(number not in self._cancelled for _, number, _ in self._timers)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture(scope="session")
def make_clock() -> Callable[[], VirtualClock]:
    """Return what makes a clock, for tests that need one an example."""
    return VirtualClock


@pytest.fixture
def tone() -> Callable[..., bytes]:
    """Return a function that makes a sine: (hz, duration_ms, sample_rate, amplitude=12000)."""

    def make(hz: float, duration_ms: int, sample_rate: int, amplitude: float = 12_000) -> bytes:
        samples = duration_ms * sample_rate // 1000
        step = 2 * math.pi * hz / sample_rate
        return array("h", [round(amplitude * math.sin(step * n)) for n in range(samples)]).tobytes()

    return make


class PortAudioError(Exception):
    """As sounddevice's."""


class _Status:
    def __init__(self, *, input_overflow: bool = False, output_underflow: bool = False) -> None:
        self.input_overflow = input_overflow
        self.output_underflow = output_underflow

    def __bool__(self) -> bool:
        return self.input_overflow or self.output_underflow


class _Stream:
    """A device stream whose thread is the test: ``give`` and ``take`` call back."""

    latency = 0.0

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.callback = options["callback"]
        self.state = "made"

    def start(self) -> None:
        self.state = "started"

    def close(self, ignore_errors: bool = True) -> None:
        self.state = "closed"

    def give(self, pcm: bytes, **status: bool) -> None:
        self.callback(pcm, len(pcm) // 2, None, _Status(**status))

    def take(self, **status: bool) -> bytes:
        samples = self.options["blocksize"] * self.options["channels"]
        frame = bytearray(b"\x55" * (2 * samples))
        self.callback(frame, self.options["blocksize"], None, _Status(**status))
        return bytes(frame)


class StandInSoundDevice:
    """The part of sounddevice that is used here, with devices as a test wants them."""

    PortAudioError = PortAudioError

    def __init__(self) -> None:
        self.rates: tuple[int, ...] = (16_000, 24_000, 48_000)
        self.channels: tuple[int, ...] = (1, 2)
        self.present = True
        self.refuses_to_open = False
        self.streams: list[_Stream] = []
        self.default = type("Default", (), {"device": (0, 1)})()

    def query_hostapis(self) -> list[dict[str, Any]]:
        return [{"name": "ALSA"}]

    def query_devices(self, device: object = None, kind: str | None = None) -> Any:
        base = {"hostapi": 0, "default_samplerate": 48_000.0}
        devices: list[dict[str, Any]] = [
            base | {"name": "desk mic", "max_input_channels": 1, "max_output_channels": 0},
            base | {"name": "desk box", "max_input_channels": 0, "max_output_channels": 2},
        ]
        if kind is None:
            return devices if self.present else []
        if not self.present:
            raise PortAudioError("Error querying device -1")
        if isinstance(device, str) and not any(device in found["name"] for found in devices):
            raise ValueError(f"No {kind} device matching {device!r}")
        return devices[0 if kind == "input" else 1]

    def check_input_settings(self, *, device: object, channels: int, dtype: str, samplerate: int) -> None:
        if samplerate not in self.rates:
            raise PortAudioError("Invalid sample rate")
        if channels not in self.channels:
            raise PortAudioError("Invalid number of channels")

    check_output_settings = check_input_settings

    def _open(self, **options: Any) -> _Stream:
        if self.refuses_to_open:
            raise PortAudioError("Device unavailable")
        self.streams.append(_Stream(**options))
        return self.streams[-1]

    RawInputStream = _open
    RawOutputStream = _open


@pytest.fixture
def sound_device(monkeypatch: pytest.MonkeyPatch) -> StandInSoundDevice:
    """Put a stand-in in the place of the package sounddevice, which is not ours."""
    stand_in = StandInSoundDevice()
    monkeypatch.setitem(__import__("sys").modules, "sounddevice", stand_in)
    return stand_in

"""A microphone as a source. The device's thread hands over each frame and waits for nobody."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from duologue.audio.devices import StreamPlan, input_rate, plan_stream, portaudio
from duologue.audio.format import FRAME_MS, INPUT_RATE, ms_to_bytes, ms_to_samples
from duologue.audio.frames import Framer, mono
from duologue.audio.resample import Resampler
from duologue.errors import AudioError, ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["Microphone"]

_HELD_MS: Final = 5000
"""Sound that may wait for a slow reader; beyond it the oldest frame is dropped and counted."""
_DEAD_AFTER_S: Final = 5.0
"""A device that gives nothing for this long has been unplugged or taken away."""


class Microphone:
    """Yield mono s16le frames from a sound device, at its pace.

    Opens the device when it is first iterated, which blocks the loop for the moment that PortAudio
    takes. The device's own rate is used where it refuses ``sample_rate``: resampled when soxr is
    installed, else declared by ``sample_rate``. Does not cancel echo (see ``EchoGuard``).

    Five seconds may wait for a slow reader; then the oldest frame goes, counted in
    ``dropped_frames``. Frames that the device itself lost are in ``overflows``.

    Args:
        device: Index, part of a name, or None for the default one.
        sample_rate: Wanted rate in Hz.
        frame_ms: Length of a frame, 5..1000 ms.

    Raises:
        ConfigError: A value out of its range. Devices are looked for later.
    """

    def __init__(
        self, device: int | str | None = None, *, sample_rate: int = INPUT_RATE, frame_ms: int = FRAME_MS
    ) -> None:
        if not 5 <= frame_ms <= 1000 or sample_rate <= 0:
            msg = f"Microphone got frame_ms={frame_ms}, sample_rate={sample_rate}; give 5..1000 ms and a positive rate"
            raise ConfigError(msg)
        self._device = device
        self._wanted_hz = sample_rate
        self._frame_ms = frame_ms
        self._planned: StreamPlan | None = None
        self._stream: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._captured: deque[bytes] = deque(maxlen=max(1, _HELD_MS // frame_ms))
        self._ready = asyncio.Event()
        self._closed = False
        self.dropped_frames = 0
        self.overflows = 0

    @property
    def sample_rate(self) -> int:
        """Samples a second, in Hz; asks the device.

        Raises:
            AudioError: There is no such device.
            ConfigError: sounddevice is not installed.
        """
        return input_rate(self._plan(), self._wanted_hz)

    @property
    def channels(self) -> int:
        """Always 1: more are mixed down."""
        return 1

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Open the device and yield its frames until ``aclose``.

        Raises:
            AudioError: The device cannot be opened, is open already, or stopped giving sound.
            ConfigError: sounddevice is not installed.
        """
        if self._stream is not None:
            msg = "this Microphone is being read already; make another"
            raise AudioError(msg)
        if self._closed:
            return
        plan = self._plan()
        resampler = Resampler(plan.sample_rate, self.sample_rate)
        framer = Framer(ms_to_bytes(self._frame_ms, self.sample_rate))
        self._open(plan)
        try:
            while await self._more(plan):
                while self._captured and not self._closed:
                    sound = resampler.process(mono(self._captured.popleft(), channels=plan.channels))
                    for frame in framer.push(sound):
                        yield frame
        finally:
            self._release()

    async def aclose(self) -> None:
        """Release the device and end the iteration; idempotent."""
        self._closed = True
        self._ready.set()
        self._release()

    async def _more(self, plan: StreamPlan) -> bool:
        try:
            async with asyncio.timeout(_DEAD_AFTER_S):
                await self._ready.wait()
        except TimeoutError:
            msg = f"the microphone {plan.name!r} has given no sound for {_DEAD_AFTER_S:g} s; is it still plugged in?"
            raise AudioError(msg) from None
        self._ready.clear()
        return not self._closed

    def _plan(self) -> StreamPlan:
        if self._planned is None:
            self._planned = plan_stream("input", self._device, self._wanted_hz)
        return self._planned

    def _open(self, plan: StreamPlan) -> None:
        library = portaudio()
        self._loop = asyncio.get_running_loop()
        self._captured.clear()
        self._ready.clear()
        try:
            self._stream = library.RawInputStream(
                samplerate=plan.sample_rate,
                blocksize=ms_to_samples(self._frame_ms, plan.sample_rate),
                device=plan.device,
                channels=plan.channels,
                dtype="int16",
                callback=self._on_sound,
            )
            self._stream.start()
        except library.PortAudioError as error:
            self._release()
            msg = f"the microphone {plan.name!r} cannot be opened: {error}"
            raise AudioError(msg) from error

    def _release(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close(ignore_errors=True)

    def _on_sound(self, sound: Any, _frames: int, _time: Any, status: Any) -> None:
        """Run on the device's thread, once a frame."""
        if status and status.input_overflow:
            self.overflows += 1
        if len(self._captured) == self._captured.maxlen:
            self.dropped_frames += 1
        self._captured.append(bytes(sound))
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(self._ready.set)
            except RuntimeError:  # the loop is closed: nobody reads any more
                self._loop = None

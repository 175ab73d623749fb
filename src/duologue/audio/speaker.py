"""A loudspeaker as a sink. The device's thread owns the playout and never waits for the loop.

The loop's side only appends commands to a deque; the callback carries them out and then pulls its
frame. So sound goes on while the loop is blocked, and an interruption is silent at the next
callback, whatever had been queued. What was heard crosses back once a frame.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from duologue.audio.devices import StreamPlan, plan_stream, portaudio
from duologue.audio.format import FRAME_MS, OUTPUT_RATE, ms_to_samples
from duologue.audio.frames import interleave
from duologue.audio.playout import Playhead, Playout
from duologue.audio.resample import Resampler
from duologue.audio.sink import BaseSink, SinkState
from duologue.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Speaker", "SpeakerFeed"]

_DEAD_AFTER_S: Final = 5.0
"""A device that asks for nothing for this long has been unplugged or taken away."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What crosses back from the device's thread."""

    commands: int
    progress: tuple[Playhead, ...]
    queued: tuple[str, ...]


class SpeakerFeed:
    """What the device's thread runs: commands in, device frames out. Knows no device and no loop.

    Args:
        playout: From now on this feed's alone.
        device_hz: The device's rate; soxr stands between when it is not the playout's.
        channels: The device's channels, 1 or 2; both get the same.

    Raises:
        ConfigError: The rates differ and soxr is not installed.
    """

    def __init__(self, playout: Playout, device_hz: int, channels: int) -> None:
        self.commands: deque[Callable[[], object]] = deque()
        self.playout = playout
        self._channels = channels
        self._resampler = Resampler(playout.sample_rate, device_hz)
        self._grain_samples = ms_to_samples(10, playout.sample_rate)
        self._direct = device_hz == playout.sample_rate and channels == 1
        self._ready = bytearray()
        self._carried_out = 0
        self._told = 0

    def fill(self, frame: memoryview | bytearray) -> Heard | None:
        """Carry out what was asked and overwrite a device frame.

        Args:
            frame: Writable s16le of the device's rate and channels.

        Returns:
            What changed, or None when nothing did.
        """
        while self.commands:
            self.commands.popleft()()
            self._carried_out += 1
        if self._direct:
            self.playout.read_into(frame)
        else:
            self._convert_into(frame)
        progress = self.playout.take_progress()
        if not progress and self._told == self._carried_out:
            return None
        self._told = self._carried_out
        return Heard(self._carried_out, progress, self.playout.queued_generations())

    def _convert_into(self, frame: memoryview | bytearray) -> None:
        while len(self._ready) < len(frame):
            sound = self._resampler.process(self.playout.read(self._grain_samples))
            self._ready += interleave(sound, sound) if self._channels == 2 else sound
        frame[:] = self._ready[: len(frame)]
        del self._ready[: len(frame)]


class Speaker(BaseSink):
    """Play 24 kHz sound on a sound device; the playhead is what has left the loudspeaker.

    Opens the device at ``start``, which blocks the loop for the moment that PortAudio takes. Where
    the device refuses 24 kHz its own rate is used, which needs soxr. The playhead is reported
    ``latency_s`` after the samples were pulled, when they are heard. A ``flush`` cannot take back
    what the device already holds: silence begins within one frame plus that latency.

    Args:
        device: Index, part of a name, or None for the default one.
        latency: How much the device holds, in seconds, or PortAudio's ``"low"`` or ``"high"``. Less
            falls silent sooner, more survives a busy machine.
        prebuffer_ms: As for ``Playout``.
    """

    def __init__(
        self, device: int | str | None = None, *, latency: float | str = 0.06, prebuffer_ms: int = 60
    ) -> None:
        super().__init__()
        self._device = device
        self._latency = latency
        self._playout = Playout(prebuffer_ms=prebuffer_ms)
        self._early: list[Callable[[], object]] = []
        self._feed: SpeakerFeed | None = None
        self._stream: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timers: deque[asyncio.TimerHandle] = deque()
        self._watchdog: asyncio.TimerHandle | None = None
        self._callbacks = 0
        self._sounding_until = 0.0
        self.latency_s = 0.0
        self.underflows = 0

    @property
    def is_playing(self) -> bool:
        """Whether sound is leaving the loudspeaker now."""
        return self._loop is not None and self._loop.time() < self._sounding_until

    @property
    def underruns(self) -> int:
        """How often a generation ran dry in its middle: the network was late."""
        return self._playout.underruns

    def write(self, generation_id: str, pcm: bytes) -> None:
        """Queue s16le mono 24 kHz sound of a generation; dropped when it has failed or is closed.

        Half a sample at its end is left out.
        """
        self._command(partial(self._playout.write, generation_id, bytes(pcm)), generation_id)

    def end(self, generation_id: str) -> None:
        """Tell that no more sound of this generation will be written."""
        self._command(partial(self._playout.end, generation_id))

    def flush(self) -> None:
        """Fall silent now: everything queued and not yet in the device is thrown away."""
        self._command(self._playout.flush)

    def _command(self, command: Callable[[], object], written: str | None = None) -> None:
        if self._state not in (SinkState.NEW, SinkState.RUNNING):
            return
        self._count_command(written)
        (self._early if self._feed is None else self._feed.commands).append(command)

    def _open(self) -> None:
        plan = plan_stream("output", self._device, OUTPUT_RATE)
        library = portaudio()
        self._loop = asyncio.get_running_loop()
        feed = SpeakerFeed(self._playout, plan.sample_rate, plan.channels)
        feed.commands.extend(self._early)
        try:
            self._stream = library.RawOutputStream(
                samplerate=plan.sample_rate,
                blocksize=ms_to_samples(FRAME_MS, plan.sample_rate),
                device=plan.device,
                channels=plan.channels,
                dtype="int16",
                latency=self._latency,
                callback=partial(self._on_demand, feed),
            )
            self._stream.start()
        except library.PortAudioError as error:
            self._close()
            msg = f"the loudspeaker {plan.name!r} cannot be opened: {error}"
            raise AudioError(msg) from error
        self._early.clear()
        self._feed = feed
        self.latency_s = float(self._stream.latency)
        self._watch(plan, -1)

    def _close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close(ignore_errors=True)  # waits for a running callback, drops what is queued
        if self._watchdog is not None:
            self._watchdog.cancel()
        while self._timers:
            self._timers.popleft().cancel()
        self._sounding_until = 0.0

    def _on_demand(self, feed: SpeakerFeed, frame: Any, _frames: int, _time: Any, status: Any) -> None:
        """Run on the device's thread, once a frame. Must not raise: that would end the stream."""
        self._callbacks += 1
        if status and status.output_underflow:
            self.underflows += 1
        view = memoryview(frame).cast("B")
        try:
            heard = feed.fill(view)
            if heard is not None:
                self._cross(partial(self._on_heard, heard))
        except Exception as error:
            view[:] = bytes(len(view))
            self._cross(partial(self._fail, error))

    def _cross(self, callback: Callable[[], None]) -> None:
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(callback)
            except RuntimeError:  # the loop is closed: nobody listens any more
                self._loop = None

    def _on_heard(self, heard: Heard) -> None:
        if self._loop is None or self._state is not SinkState.RUNNING:
            return
        if heard.progress:
            self._sounding_until = self._loop.time() + self.latency_s + 2 * FRAME_MS / 1000
        self._timers.append(self._loop.call_later(self.latency_s, self._on_air, heard))

    def _on_air(self, heard: Heard) -> None:
        self._timers.popleft()
        self._observe(heard.commands, heard.progress, heard.queued)

    def _watch(self, plan: StreamPlan, seen_callbacks: int) -> None:
        if self._state in (SinkState.FAILED, SinkState.CLOSED) or self._loop is None:
            return
        if self._callbacks == seen_callbacks:
            msg = f"the loudspeaker {plan.name!r} has taken no sound for {_DEAD_AFTER_S:g} s; is it still plugged in?"
            self._fail(AudioError(msg))
            return
        self._watchdog = self._loop.call_later(_DEAD_AFTER_S, self._watch, plan, self._callbacks)

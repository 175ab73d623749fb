"""The codec benchmark: what a message of sound costs each way, beside google-genai in the same run.

Both are measured in one process, in turn, on the same sound, and give the same: from a frame's bytes to
PCM, and from PCM to the text of a frame. Ours is what a session does. Theirs is the code of their own
session, ``AsyncSession._receive`` and ``send_realtime_input``, on a socket that takes no time.
google-genai is no dependency of this package; where it is missing, our figures stand alone.
"""

from __future__ import annotations

import base64
import gc
import json
import random
import statistics
import time
from dataclasses import dataclass, field
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pybase64

from duologue.bench.relay import BenchError
from duologue.errors import ConfigError
from duologue.wire.blob import decode_base64
from duologue.wire.codec import ServerDecoder, encode_audio

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

__all__ = ["CodecFigures", "CodecPlan", "measure_codec"]

_DOWNLINK_PCM_BYTES = 24_000 * 2 * 40 // 1000
_UPLINK_RATE_HZ = 16_000
_UPLINK_PCM_BYTES = _UPLINK_RATE_HZ * 2 * 50 // 1000
_MESSAGES = 50
"""Different ones in turn: a single one would stay where the processor finds it soonest."""
_OUR_PASSES = 40
_THEIR_PASSES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecPlan:
    """What to measure.

    Args:
        rounds: Measurements of each kind, 1 to 1,000; the median counts.

    Raises:
        ConfigError: A number out of range.
    """

    rounds: int = 15

    def __post_init__(self) -> None:
        if not 1 <= self.rounds <= 1000:
            raise ConfigError(f"{self.rounds} rounds cannot be measured; give 1 to 1000")


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecFigures:
    """What came out: microseconds of processor time a message, medians over the rounds."""

    decode_us: float
    """From the bytes of a server's frame to its 40 ms of PCM."""
    decode_ratio: float | None
    """How many times as long google-genai takes; None where it is not installed."""
    encode_us: float
    """From 50 ms of a microphone's PCM to the bytes of its frame."""
    encode_ratio: float | None
    google_genai_decode_us: float | None
    google_genai_encode_us: float | None
    google_genai: str | None
    """Its version."""
    rounds: int
    decode_us_rounds: tuple[float, ...]
    encode_us_rounds: tuple[float, ...]
    decode_pcm_bytes: int
    encode_pcm_bytes: int
    gc_enabled: bool
    """Whether garbage was collected meanwhile, for ours and theirs alike; in a program it is."""
    base64: str
    """The library that ours uses, and with which instructions."""


def measure_codec(plan: CodecPlan) -> CodecFigures:
    """Measure both directions, ours and theirs in turn.

    Raises:
        BenchError: One of the two did not give the sound that went in.
    """
    rng = random.Random(1)
    sound = [rng.randbytes(_DOWNLINK_PCM_BYTES) for _ in range(_MESSAGES)]
    chunks = [rng.randbytes(_UPLINK_PCM_BYTES) for _ in range(_MESSAGES)]
    frames = [_server_frame(pcm) for pcm in sound]
    theirs = _GoogleGenai.installed()
    decode = _Race(_our_decode(), theirs.decode if theirs else None)
    encode = _Race(lambda pcm: encode_audio(pcm, _UPLINK_RATE_HZ), theirs.encode if theirs else None)
    decode.check(frames, sound, bytes)
    encode.check(chunks, chunks, _sound_in)
    for _ in range(plan.rounds):
        decode.run(frames)
        encode.run(chunks)
    return CodecFigures(
        decode_us=_median(decode.ours_us),
        decode_ratio=decode.ratio,
        encode_us=_median(encode.ours_us),
        encode_ratio=encode.ratio,
        google_genai_decode_us=_median(decode.theirs_us) if theirs else None,
        google_genai_encode_us=_median(encode.theirs_us) if theirs else None,
        google_genai=theirs.version if theirs else None,
        rounds=plan.rounds,
        decode_us_rounds=tuple(round(us, 3) for us in decode.ours_us),
        encode_us_rounds=tuple(round(us, 3) for us in encode.ours_us),
        decode_pcm_bytes=_DOWNLINK_PCM_BYTES,
        encode_pcm_bytes=_UPLINK_PCM_BYTES,
        gc_enabled=gc.isenabled(),
        base64=f"pybase64 {pybase64.get_version()}",
    )


def _server_frame(pcm: bytes) -> bytes:
    """Return a frame of sound as the Developer API sends it (recorded)."""
    blob = {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(pcm).decode()}
    return json.dumps({"serverContent": {"modelTurn": {"parts": [{"inlineData": blob}]}}}).encode()


def _our_decode() -> Callable[[bytes], bytes]:
    decoder = ServerDecoder()

    def decode(frame: bytes) -> bytes:
        for message in decoder.decode(frame):
            content = message.server_content
            if content is not None and content.model_turn is not None:
                for part in content.model_turn.parts or ():
                    if part.inline_data is not None:
                        return decode_base64(part.inline_data.data)
        return b""

    return decode


def _sound_in(frame: bytes | str) -> bytes:
    """Return the PCM of a client's frame in either spelling and alphabet, by the standard library alone."""
    message = json.loads(frame)
    [content] = message.values()
    data: str = content["audio"]["data"]
    return base64.b64decode(data.translate(str.maketrans("-_", "+/")))


@dataclass
class _Race:
    """One direction: ours and theirs in turn on the same messages."""

    ours: Callable[[Any], Any]
    theirs: Callable[[Any], Any] | None
    ours_us: list[float] = field(default_factory=list[float])
    theirs_us: list[float] = field(default_factory=list[float])

    def check(self, given: Sequence[Any], expected: Sequence[bytes], read: Callable[[Any], bytes]) -> None:
        """Refuse to measure what does not do the work; warms both up, too."""
        for name, step in (("duologue", self.ours), ("google-genai", self.theirs)):
            if step is not None and [read(step(one)) for one in given] != list(expected):
                raise BenchError(f"{name} does not give the sound that went in: there is nothing to compare")

    def run(self, given: Sequence[Any]) -> None:
        """Measure each once."""
        self.ours_us.append(_us_a_message(self.ours, given, _OUR_PASSES))
        if self.theirs is not None:
            self.theirs_us.append(_us_a_message(self.theirs, given, _THEIR_PASSES))

    @property
    def ratio(self) -> float | None:
        """How many times as long theirs takes."""
        if not self.theirs_us:
            return None
        return round(statistics.median(self.theirs_us) / statistics.median(self.ours_us), 2)


def _us_a_message(step: Callable[[Any], Any], given: Sequence[Any], passes: int) -> float:
    gc.collect(1)  # what others left is not charged to this one
    began_at = time.thread_time()  # not the clock's: on a busy machine that would measure the others
    for _ in range(passes):
        for one in given:
            step(one)
    return (time.thread_time() - began_at) / (passes * len(given)) * 1e6


def _median(rounds_us: Sequence[float]) -> float:
    return round(statistics.median(rounds_us), 3)


class _Socket:
    """Gives the frame it was told to give; keeps the last that was sent."""

    frame: bytes = b""
    sent: str = ""

    async def recv(self, *, decode: bool) -> bytes:  # noqa: ARG002 -- theirs is asked for bytes
        return self.frame

    async def send(self, text: str) -> None:
        self.sent = text


class _GoogleGenai:
    """Their session, without a connection and without an event loop: neither is what is compared."""

    def __init__(self, live: Any, types: Any, version: str) -> None:
        self.version = version
        self._socket = _Socket()
        self._session = live.AsyncSession(
            api_client=SimpleNamespace(vertexai=False),  # all that both methods ask of it
            websocket=self._socket,
        )
        self._blob = types.Blob

    @classmethod
    def installed(cls) -> _GoogleGenai | None:
        """Return it, or None where there is none."""
        try:
            package, live, types = map(
                import_module, ("google.genai", "google.genai.live", "google.genai.types")
            )
        except ImportError:
            return None
        return cls(live, types, package.__version__)

    def decode(self, frame: bytes) -> bytes:
        self._socket.frame = frame
        message = _result(self._session._receive())  # pyright: ignore[reportPrivateUsage]
        data: bytes = message.server_content.model_turn.parts[0].inline_data.data
        return data

    def encode(self, pcm: bytes) -> str:
        blob = self._blob(data=pcm, mime_type=f"audio/pcm;rate={_UPLINK_RATE_HZ}")
        _result(self._session.send_realtime_input(audio=blob))
        return self._socket.sent


def _result(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise BenchError("google-genai waits for something where only its socket is expected")

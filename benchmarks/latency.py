"""From the end of a caller's words to the first sound of the answer, and how much of that is ours.

Run it as ``python benchmarks/latency.py [--turns N] [--json]``. An emulator with the best ears and voice that
are installed runs in a process of its own; a session with ``silence_duration_ms=500`` is spoken to in real
time, as by a microphone that never stops. All instants are ``time.monotonic()``, which processes share.

``first_audio_ms``: last voiced sample → first ``AudioOutput`` delivered. ``ours_ms``: that frame written by
the emulator → delivered; the emulator notes the instant after the system took the frame, so a prompt
delivery can be a fraction of a millisecond before it. ``stages_ms``: medians, each counted from the last
voiced sample: its sound read by the emulator, transcribed, the answer's words and its sound written.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from duologue import RealtimeModel, RealtimeSession
from duologue.bench.loops import loop_name, run_in_loop
from duologue.config import LiveConfig
from duologue.emulator import Emulator
from duologue.emulator.caller import CallerLine, speak_line
from duologue.emulator.voice import make_voice
from duologue.events import AudioOutput, TurnCompleted
from duologue.wire.blob import decoded_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

SILENCE_MS = 500
FRAME_MS = 20
FRAME_BYTES = 16 * FRAME_MS * 2
ANSWER_WITHIN_S = 15.0
TURN_WITHIN_S = 60.0

LINES = (
    "Hello! My favourite colour is teal.",
    "What is my favourite colour?",
    "My name is Marcelo.",
    "What is my name?",
    "Tell me something about the sea.",
    "My favourite animal is a horse.",
    "What can you do?",
    "What is my favourite animal?",
    "How are you today?",
    "Thank you very much.",
)


# -- the emulator's process -------------------------------------------------------------------


async def serve() -> None:
    """Run an emulator until stdin ends, then print what went over its sockets, and when."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with Emulator() as emulator:
        print(json.dumps({"url": emulator.url}), flush=True)
        await lines.read()
        print(json.dumps([moment for frame in emulator.log for moment in _moments(frame)]))


def _moments(frame: Any) -> Iterator[tuple[str, float, int]]:
    """(kind, instant, samples) of what matters here in one frame."""
    message = frame.message
    if not isinstance(message, dict):
        return
    if frame.direction == "uplink":
        audio = message.get("realtimeInput", {}).get("audio")
        if audio:
            yield "uplink", frame.monotonic_at, decoded_bytes(audio["data"]) // 2
        return
    content = message.get("serverContent", {})
    for key in ("inputTranscription", "outputTranscription"):
        if key in content:
            yield key, frame.monotonic_at, 0
    for part in content.get("modelTurn", {}).get("parts", ()):
        if "inlineData" in part:
            yield "sound", frame.monotonic_at, decoded_bytes(part["inlineData"]["data"]) // 2


# -- the caller's process ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Turn:
    """What the caller's side knows of one turn."""

    last_voiced_at: float
    samples_up_to_it: int
    """Pushed in the whole call until then, the last voiced one included."""
    first_audio_at: float
    """When its first ``AudioOutput`` was delivered."""
    first_audio_index: int
    """Which of the call's pieces of sound that was."""


class Caller:
    """Speaks into a session in real time, room noise between the lines, and notes instants."""

    def __init__(self, session: RealtimeSession) -> None:
        self._session = session
        self._line = b""
        self._pushed = 0
        draw = random.Random(1).randrange
        self._room = b"".join(
            draw(-16, 17).to_bytes(2, "little", signed=True) for _ in range(FRAME_BYTES // 2)
        )
        self._line_began: asyncio.Future[tuple[float, int]] | None = None
        self._pieces = 0
        self._first: asyncio.Future[tuple[float, int]] | None = None
        session.on(AudioOutput, self._hear)

    def _hear(self, event: AudioOutput) -> None:  # noqa: ARG002 -- only the instant counts
        if self._first is not None and not self._first.done():
            self._first.set_result((time.monotonic(), self._pieces))
        self._pieces += 1

    async def microphone(self) -> None:
        """Push a frame every 20 ms until cancelled: when its last sample would have been heard."""
        due_at = time.monotonic()
        while True:
            begins_at, due_at = due_at, due_at + FRAME_MS / 1000
            await asyncio.sleep(max(0.0, due_at - time.monotonic()))
            if self._line and self._line_began is not None and not self._line_began.done():
                self._line_began.set_result((begins_at, self._pushed))
            frame, self._line = self._line[:FRAME_BYTES], self._line[FRAME_BYTES:]
            self._session.push_audio(frame + self._room[len(frame) :])
            self._pushed += FRAME_BYTES // 2

    async def say(self, line: CallerLine) -> Turn:
        """Speak one line; return once the whole answer has been played."""
        loop = asyncio.get_running_loop()
        events = aiter(self._session)
        self._line_began, self._first = loop.create_future(), loop.create_future()
        self._line = line.pcm
        began_at, pushed_before = await self._line_began
        async with asyncio.timeout(line.duration_s + ANSWER_WITHIN_S):
            first_audio_at, index = await self._first
        async with asyncio.timeout(TURN_WITHIN_S):
            async for event in events:
                if isinstance(event, TurnCompleted):
                    break
        spoken = line.last_voiced_sample + 1
        return Turn(began_at + spoken / 16_000, pushed_before + spoken, first_audio_at, index)


async def measure(turns: int) -> dict[str, Any]:
    """Hold a conversation of so many turns, one more before it to warm up; return the figures."""
    voice = make_voice("pico:en-GB")
    try:
        lines = [await speak_line(text, voice=voice, seed=n) for n, text in enumerate(LINES)]
    finally:
        await voice.aclose()
    server = await create_subprocess_exec(
        sys.executable, __file__, "--serve", stdin=PIPE, stdout=PIPE, limit=2**26
    )
    assert server.stdout is not None
    url = json.loads(await server.stdout.readline())["url"]
    config = LiveConfig(
        realtime_input_config={"automatic_activity_detection": {"silence_duration_ms": SILENCE_MS}}
    )
    said: list[Turn] = []
    async with RealtimeModel(api_key="benchmark", base_url=url, config=config).session() as session:
        caller = Caller(session)
        microphone = asyncio.create_task(caller.microphone())
        for number, line in enumerate(islice(cycle(lines), turns + 1)):
            turn = await caller.say(line)
            if number:
                said.append(turn)
                late_ms = (turn.first_audio_at - turn.last_voiced_at) * 1000
                print(f"turn {number}/{turns}: {late_ms:.0f} ms ({line.text})", file=sys.stderr)
        microphone.cancel()
    return figures(said, await _log(server))


async def _log(server: Process) -> list[tuple[str, float, int]]:
    out, _ = await server.communicate(b"")  # closes its stdin, which ends it
    log: list[tuple[str, float, int]] = json.loads(out)
    return log


def figures(said: list[Turn], log: list[tuple[str, float, int]]) -> dict[str, Any]:
    """Bring both sides' instants together."""
    sound_at = [at for kind, at, _ in log if kind == "sound"]
    first_ms = [(turn.first_audio_at - turn.last_voiced_at) * 1000 for turn in said]
    ours_ms = [(turn.first_audio_at - sound_at[turn.first_audio_index]) * 1000 for turn in said]
    stages: dict[str, list[float]] = {"heard": [], "understood": [], "answer_begun": [], "sound_written": []}
    for turn in said:
        written_at = sound_at[turn.first_audio_index]
        stages["heard"].append(_arrival(log, turn.samples_up_to_it) - turn.last_voiced_at)
        for stage, kind in (("understood", "inputTranscription"), ("answer_begun", "outputTranscription")):
            times = [at for name, at, _ in log if name == kind and turn.last_voiced_at < at <= written_at]
            if times:
                stages[stage].append(times[0] - turn.last_voiced_at)
        stages["sound_written"].append(written_at - turn.last_voiced_at)
    return {
        "first_audio_ms": _summary(first_ms),
        "ours_ms": _summary(ours_ms),
        "stages_ms": {k: round(statistics.median(v) * 1000, 1) for k, v in stages.items() if v},
        "turns": len(said),
        "silence_duration_ms": SILENCE_MS,
        "loop": loop_name(),
    }


def _arrival(log: list[tuple[str, float, int]], samples: int) -> float:
    """When the emulator had read that many samples of the caller's sound."""
    heard = 0
    for kind, at, count in log:
        heard += count if kind == "uplink" else 0
        if heard >= samples:
            return at
    raise AssertionError("the emulator's log lacks sound that was pushed")


def _summary(values: list[float]) -> dict[str, Any]:
    return {
        "median": round(statistics.median(values), 2),
        "max": round(max(values), 2),
        "all": [round(value, 2) for value in values],
    }


def main() -> None:
    """Print the figures, as sentences or as one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, default=10, help="spoken turns that count (10)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        run_in_loop(serve(), loop_name())
        return
    result = run_in_loop(measure(max(1, given.turns)), loop_name())
    if given.json:
        print(json.dumps(result))
        return
    print(
        f"first audio after the caller's last voiced sample: median {result['first_audio_ms']['median']} ms, "
        f"of which ours {result['ours_ms']['median']} ms (at most {result['ours_ms']['max']} ms)"
    )
    for stage, after_ms in result["stages_ms"].items():
        print(f"  {stage.replace('_', ' ')} after {after_ms} ms")


if __name__ == "__main__":
    main()

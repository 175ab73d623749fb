"""One measurement of the relay in a process of its own: N sessions of ours, or N bare loops.

Both do the same work on the same library with the same codec: sound is sent every so often, every message
is decoded, its sound unpacked. Ours is a :class:`RealtimeSession` that takes 20 ms frames and a subscriber
that reads every event. The bare loop is the least anybody would write: a task that reads, a task that
sends a chunk every 50 ms; no session, no queue, no turn, no transcript. Ours is charged for the finer
timer as well. Runs as ``python -m duologue.bench.relayclient PLAN``; prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import ssl
import sys
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from duologue.bench.loops import LoopName, run_in_loop
from duologue.config import SessionOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from duologue.realtime import RealtimeSession

__all__ = ["ClientPlan", "main"]

_UPLINK_RATE_HZ = 16_000
_FRAME_MS = 20
_OPENING_AT_ONCE = 10
_WARM_UP_S = 1.0
_PCM_BYTES_PER_S = 48_000


class ClientPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What one measuring process is told."""

    kind: Literal["session", "bare"]
    library: Literal["websockets", "picows"]
    loop: LoopName
    sessions: int
    seconds: float
    url: str
    ca_file: str


class _Heard:
    """Seconds of sound that one session has delivered."""

    __slots__ = ("pcm_bytes",)

    def __init__(self) -> None:
        self.pcm_bytes = 0


async def measure(plan: ClientPlan) -> dict[str, Any]:
    """Open all sessions, let them talk, and return what the time cost."""
    context = ssl.create_default_context(cafile=plan.ca_file)
    start = _start_session if plan.kind == "session" else _start_bare
    gate = asyncio.Semaphore(_OPENING_AT_ONCE)
    heard = [_Heard() for _ in range(plan.sessions)]
    async with AsyncExitStack() as stack:
        tasks: list[asyncio.Task[None]] = []
        stack.push_async_callback(_cancel, tasks)

        async def open_one(number: int) -> None:
            async with gate:
                tasks.extend(await start(plan, context, stack, heard[number], number))

        await asyncio.gather(*(open_one(number) for number in range(plan.sessions)))
        await asyncio.sleep(_WARM_UP_S)
        before = [one.pcm_bytes for one in heard]
        began_at, cpu_s = time.monotonic(), _cpu_s()
        await asyncio.sleep(plan.seconds)
        window_s, cpu_s = time.monotonic() - began_at, _cpu_s() - cpu_s
        rates = [
            (one.pcm_bytes - was) / _PCM_BYTES_PER_S / window_s
            for one, was in zip(heard, before, strict=True)
        ]
        for task in tasks:
            if task.done():
                task.result()  # a session that ended early spoils the figure: say why instead
    return {
        "cpu_ms_per_session_s": cpu_s * 1000 / (plan.sessions * window_s),
        "window_s": window_s,
        "downlink_rate_min": min(rates),
        "downlink_rate_max": max(rates),
    }


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _paced(length_ms: int, number: int) -> AsyncIterator[None]:
    """Yield at the pace of a microphone; sessions don't beat in step."""
    now = asyncio.get_running_loop().time
    due_at = now() + length_ms / 1000 * (number * 0.618 % 1)
    while True:
        await asyncio.sleep(max(0.0, due_at - now()))
        yield
        due_at += length_ms / 1000


def _sound(length_ms: int, number: int) -> bytes:
    return random.Random(number).randbytes(_UPLINK_RATE_HZ * length_ms // 1000 * 2)


# -- ours -------------------------------------------------------------------------------------


async def _start_session(
    plan: ClientPlan, context: ssl.SSLContext, stack: AsyncExitStack, heard: _Heard, number: int
) -> list[asyncio.Task[None]]:
    from duologue.io.ws import WebSocketTransport
    from duologue.realtime import RealtimeModel

    model = RealtimeModel(api_key="bench", base_url=plan.url, vertexai=False)
    transport = WebSocketTransport(ssl_context=context, library=plan.library)
    session = await stack.enter_async_context(model.session(transport=transport))
    return [
        asyncio.create_task(_listen(session, heard)),
        asyncio.create_task(_speak(session, number)),
    ]


async def _listen(session: RealtimeSession, heard: _Heard) -> None:
    from duologue.events import AudioOutput, SessionEnded

    async for event in session:
        if isinstance(event, AudioOutput):
            heard.pcm_bytes += len(event.pcm)
        elif isinstance(event, SessionEnded) and event.error is not None:
            raise event.error


async def _speak(session: RealtimeSession, number: int) -> None:
    frame = _sound(_FRAME_MS, number)
    async for _ in _paced(_FRAME_MS, number):
        session.push_audio(frame)


# -- the bare loop ----------------------------------------------------------------------------


async def _start_bare(
    plan: ClientPlan, context: ssl.SSLContext, stack: AsyncExitStack, heard: _Heard, number: int
) -> list[asyncio.Task[None]]:
    if plan.library == "picows":
        import picows.websockets as library
    else:
        import websockets as library  # type: ignore[no-redef] # the same names, by one of two libraries

    connect: Callable[..., Any] = library.connect
    connection = await stack.enter_async_context(
        connect(
            plan.url.replace("https:", "wss:") + "/ws",
            ssl=context,
            compression=None,
            ping_interval=None,
            max_size=16 * 1024 * 1024,
            max_queue=64,
        )
    )
    await connection.send('{"setup":{"model":"models/any"}}')
    await connection.recv()
    return [
        asyncio.create_task(_read(connection.recv, heard)),
        asyncio.create_task(_write(connection.send, number)),
    ]


async def _read(receive: Callable[..., Awaitable[bytes]], heard: _Heard) -> None:
    from duologue.wire.blob import decode_base64
    from duologue.wire.codec import ServerDecoder

    decoder = ServerDecoder()
    while True:
        for message in decoder.decode(await receive(decode=False)):
            content = message.server_content
            if content is not None and content.model_turn is not None:
                for part in content.model_turn.parts or ():
                    if part.inline_data is not None:
                        heard.pcm_bytes += len(decode_base64(part.inline_data.data))


async def _write(send: Callable[..., Awaitable[None]], number: int) -> None:
    from duologue.wire.codec import encode_audio

    chunk_ms = SessionOptions().chunk_ms
    chunk = _sound(chunk_ms, number)
    async for _ in _paced(chunk_ms, number):
        await send(encode_audio(chunk, _UPLINK_RATE_HZ), text=True)


def main() -> None:
    """Measure what the one argument, a plan as JSON, says."""
    plan = msgspec.json.decode(sys.argv[1], type=ClientPlan)
    sys.stdout.write(json.dumps(run_in_loop(measure(plan), plan.loop)) + "\n")


if __name__ == "__main__":
    main()

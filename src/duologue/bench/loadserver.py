"""A server that only makes load: Gemini Live's frames at real time's rate, for many clients at once.

It knows just enough of the protocol: ``setupComplete`` after the first message, then without end turns
of 4 s: 25 messages of 40 ms of sound and 5 of words a second, ``generationComplete``, ``turnComplete``
with usage. What comes up is counted by its frame headers and thrown away. Frames are built once, so that
the server costs a small part of what any client does. Runs as ``python -m duologue.bench.loadserver``:
one line of JSON when ready, one for every line on stdin, and an end when stdin ends.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import random
import sys
import time
from typing import TYPE_CHECKING, Any, Final, cast

from duologue.bench.loops import loop_name, run_in_loop
from duologue.wire.codec import encode, encode_audio

if TYPE_CHECKING:
    from duologue.emulator.tls import LoopbackTLS

__all__ = ["AUDIO_MS", "LoadServer", "main"]

AUDIO_MS: Final = 40
"""Length of one message of sound, as recorded from the service."""
_TICKS_A_TURN: Final = 100
_TICKS_A_WORD: Final = 5
_SAMPLE_RATE: Final = 24_000
_TEXT, _CLOSE = 0x1, 0x8
_UUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_UPLINK_FRAME_CHARACTERS: Final = len(encode_audio(b"", 16_000))


class LoadServer:
    """Serves load over TLS on a loopback port.

    Args:
        tls: The certificate to show.
        seed: Of the sound's samples.
    """

    def __init__(self, tls: LoopbackTLS, *, seed: int = 1) -> None:
        self._tls = tls
        self._frames = _Frames(random.Random(seed))
        self._clients: list[_Client] = []
        self._cpu_at_report = time.process_time()
        self._reported_at = time.monotonic()

    async def open(self) -> str:
        """Listen on a free port; return the base URL."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._client, "127.0.0.1", 0, ssl=self._tls.server_context)
        self._server = server
        return f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def aclose(self) -> None:
        """Stop listening and drop who is still there."""
        self._server.close()
        for client in self._clients:
            client.drop()

    def report(self) -> dict[str, Any]:
        """Return what happened since the last report, and forget it."""
        clients = [client for client in self._clients if client.ticks]
        self._clients = [client for client in self._clients if client.connected]
        now, cpu = time.monotonic(), time.process_time()
        late_ms = sorted(client.latest_s * 1000 for client in clients)
        figures = {
            "sessions": len(clients),
            "uplink_rate_min": min((client.uplink_rate for client in clients), default=0.0),
            "late_ms_median": late_ms[len(late_ms) // 2] if late_ms else 0.0,
            "late_ms_max": late_ms[-1] if late_ms else 0.0,
            "backlog_bytes_max": max((client.backlog_bytes for client in clients), default=0),
            "cpu_share": (cpu - self._cpu_at_report) / max(now - self._reported_at, 1e-9),
        }
        self._cpu_at_report, self._reported_at = cpu, now
        return figures

    def _client(self) -> _Client:
        client = _Client(self._frames, phase_s=AUDIO_MS / 1000 * (len(self._clients) * 0.382 % 1))
        self._clients.append(client)
        return client


class _Frames:
    """Every frame that is ever sent, as it goes onto the socket."""

    def __init__(self, draw: random.Random) -> None:
        sound: list[bytes] = []
        for _ in range(8):  # different samples, since sound does not compress into caches either
            pcm = draw.randbytes(_SAMPLE_RATE * AUDIO_MS // 1000 * 2)
            data = base64.b64encode(pcm).decode()
            part = {"inlineData": {"mimeType": f"audio/pcm;rate={_SAMPLE_RATE}", "data": data}}
            sound.append(_frame({"serverContent": {"modelTurn": {"parts": [part]}}}))
        self.ready = _frame({"setupComplete": {}})
        self.sound = sound
        self.word = _frame({"serverContent": {"outputTranscription": {"text": " and so on"}}})
        counts = {"promptTokenCount": 500, "responseTokenCount": 100, "totalTokenCount": 600}
        self.ends = (
            _frame({"serverContent": {"generationComplete": True}}),
            _frame({"serverContent": {"turnComplete": True}, "usageMetadata": counts}),
        )


def _frame(message: dict[str, Any]) -> bytes:
    return _framed(_TEXT, encode(message))


def _framed(opcode: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + payload


class _Client(asyncio.Protocol):
    """One connection: the upgrade, then sound down and counts of what comes up."""

    def __init__(self, frames: _Frames, *, phase_s: float) -> None:
        self._frames = frames
        self._phase_s = phase_s
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unread = bytearray()
        self._take = self._upgrade
        self._timer: asyncio.TimerHandle | None = None
        self._due_at = 0.0
        self.ticks = 0
        self.latest_s = 0.0
        self.backlog_bytes = 0
        self._uplink_ms = 0.0
        self._uplink_from_at = self._uplink_to_at = 0.0

    @property
    def connected(self) -> bool:
        """Whether the client is still there."""
        return self._transport is not None

    @property
    def uplink_rate(self) -> float:
        """Sound that came up, in seconds a second; 1.0 is real time."""
        elapsed_s = self._uplink_to_at - self._uplink_from_at
        return self._uplink_ms / 1000 / elapsed_s if elapsed_s > 0 else 0.0

    def drop(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's do not inherit from it

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Send no more."""
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Take bytes: a request first, frames after it."""
        self._unread += data
        while self._take():
            pass

    def _upgrade(self) -> bool:
        end = self._unread.find(b"\r\n\r\n")
        if end < 0:
            return False
        lines = bytes(self._unread[:end]).split(b"\r\n")
        del self._unread[: end + 4]
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(b":") for line in lines[1:])}
        digest = hashlib.sha1(headers.get(b"sec-websocket-key", b"") + _UUID, usedforsecurity=False).digest()
        self._write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        self._take = self._frame
        return True

    def _frame(self) -> bool:
        """Take one frame by its header; its content stays masked."""
        unread = self._unread
        if len(unread) < 2:
            return False
        size, head = unread[1] & 0x7F, 6
        if size == 126:
            size, head = int.from_bytes(unread[2:4], "big"), 8
        elif size == 127:
            size, head = int.from_bytes(unread[2:10], "big"), 14
        if len(unread) < head + size:
            return False
        opcode = unread[0] & 0x0F
        del unread[: head + size]
        if opcode == _CLOSE:
            self._write(_framed(_CLOSE, b"\x03\xe8"))
            if self._transport is not None:
                self._transport.close()
        elif opcode == _TEXT:
            self._heard(size)
        return True

    def _heard(self, size: int) -> None:
        now = self._loop.time()
        if self._timer is None:  # the setup
            self._write(self._frames.ready)
            self._due_at = now + self._phase_s
            self._timer = self._loop.call_at(self._due_at, self._tick)
        elif not self._uplink_from_at:  # the first frame begins the clock, those after it count
            self._uplink_from_at = now
        else:
            self._uplink_to_at = now
            self._uplink_ms += (size - _UPLINK_FRAME_CHARACTERS) * 3 / 4 / 32

    def _tick(self) -> None:
        if self._transport is None:
            return
        self.latest_s = max(self.latest_s, self._loop.time() - self._due_at)
        self.backlog_bytes = max(self.backlog_bytes, self._transport.get_write_buffer_size())
        sound = self._frames.sound
        self._write(sound[self.ticks % len(sound)])
        self.ticks += 1
        if self.ticks % _TICKS_A_WORD == 0:
            self._write(self._frames.word)
        if self.ticks % _TICKS_A_TURN == 0:
            for frame in self._frames.ends:
                self._write(frame)
        self._due_at += AUDIO_MS / 1000
        self._timer = self._loop.call_at(self._due_at, self._tick)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


async def _serve() -> None:
    from duologue.emulator.tls import LoopbackTLS

    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    with LoopbackTLS() as tls:
        server = LoadServer(tls)
        _say({"url": await server.open(), "ca_file": str(tls.ca_file), "pid": os.getpid()})
        while await lines.readline():
            _say(server.report())
        await server.aclose()


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until stdin ends."""
    run_in_loop(_serve(), loop_name())


if __name__ == "__main__":
    main()

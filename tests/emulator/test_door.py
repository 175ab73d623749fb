"""The front door over real sockets, plain and TLS, with polite, rude and broken clients."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus

import picows.websockets
import pytest
import websockets
from hypothesis import given
from hypothesis import strategies as st

from duologue.emulator.asks import Close
from duologue.emulator.door import Door
from duologue.emulator.http import (
    BadRequestError,
    HeadReader,
    Request,
    host_name,
    is_loopback,
    is_trusted_origin,
    live_api_version,
)
from duologue.emulator.link import DoorLimits, Guest, Link, cut_reason
from duologue.emulator.tls import LoopbackTLS
from duologue.errors import ConfigError

PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
UPGRADE = (
    f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
CLOSED = (websockets.ConnectionClosed, picows.websockets.ConnectionClosed)
QUICK = DoorLimits(head_timeout_s=0.05, backlog_timeout_s=0.2, closing_timeout_s=0.2)


class Echo:
    """A guest that sends back what it gets and remembers how the link ended."""

    def __init__(self, ended: list[tuple[int, str]]) -> None:
        self.ended = ended
        self.link: Link | None = None

    def opened(self, link: Link) -> None:
        self.link = link

    def received(self, frame: bytes | str) -> None:
        assert self.link is not None
        kind = b"text:" if isinstance(frame, str) else b"binary:"
        data = frame.encode() if isinstance(frame, str) else frame
        if data.startswith(b"close "):
            self.link.close(int(data[6:10]), data[11:].decode())
        elif data == b"reset":
            self.link.reset()
        elif data.startswith(b"flood "):
            for _ in range(int(data[6:])):
                self.link.send(bytes(64 * 1024))
        else:
            self.link.send(kind + data)

    def lost(self, code: int, reason: str) -> None:
        self.ended.append((code, reason))


class House:
    """A door with echoing guests behind it."""

    def __init__(self, door: Door, scheme: str, context: ssl.SSLContext | None) -> None:
        self.door = door
        self.scheme = scheme
        self.context = context
        self.requests: list[tuple[Request, str]] = []
        self.ended: list[tuple[int, str]] = []

    @property
    def uri(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.door.port}{PATH}"

    async def raw(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.door.port, ssl=self.context)

    async def lost(self, count: int = 1) -> list[tuple[int, str]]:
        async with asyncio.timeout(5):
            while len(self.ended) < count:
                await asyncio.sleep(0.002)
        return self.ended


@asynccontextmanager
async def house(
    *, tls: bool = False, limits: DoorLimits = QUICK, refuse: Close | None = None
) -> AsyncIterator[House]:
    """Open a house; on leaving, the door is closed and no task of it may be left."""
    before = asyncio.all_tasks()
    async with AsyncExitStack() as stack:
        authority = stack.enter_context(LoopbackTLS()) if tls else None

        def admit(request: Request, api_version: str) -> Guest | Close:
            home.requests.append((request, api_version))
            return refuse if refuse is not None else Echo(home.ended)

        door = Door(admit, limits=limits)
        await door.open("127.0.0.1", 0, authority.server_context if authority else None)
        home = House(door, "wss" if tls else "ws", authority.client_context() if authority else None)
        try:
            yield home
        finally:
            await door.aclose()
    assert asyncio.all_tasks() <= before


Connect = Callable[[House], Awaitable[websockets.ClientConnection]]


async def _by_websockets(home: House) -> websockets.ClientConnection:
    return await websockets.connect(home.uri, ssl=home.context, max_size=None, ping_interval=None, proxy=None)


async def _by_picows(home: House) -> websockets.ClientConnection:
    return await picows.websockets.connect(
        home.uri, ssl=home.context, max_size=None, ping_interval=None, proxy=None
    )


@pytest.fixture(params=[_by_websockets, _by_picows], ids=["websockets", "picows"])
def connect(request: pytest.FixtureRequest) -> Connect:
    way: Connect = request.param
    return way


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def tls(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def test_messages_come_in_as_text_or_binary_and_go_out_as_binary(connect: Connect, tls: bool) -> None:
    async with house(tls=tls) as home:
        link = await connect(home)
        await link.send("grüß dich")
        assert await link.recv() == "text:grüß dich".encode()
        await link.send(b"\x00\xff")
        assert await link.recv() == b"binary:\x00\xff"
        await link.send(["one ", "message ", "in parts"])
        assert await link.recv() == b"text:one message in parts"
        await link.close()
        assert await home.lost() == [(1000, "")]


async def test_a_close_from_our_side_reaches_the_client_with_its_reason_cut(
    connect: Connect, tls: bool
) -> None:
    async with house(tls=tls) as home:
        link = await connect(home)
        await link.send("close 1011 " + "ä" * 100)
        with contextlib.suppress(*CLOSED):
            await link.recv()
        assert (link.close_code, link.close_reason) == (1011, "ä" * 61)
        assert (await home.lost())[0][0] == 1011


async def test_a_large_message_passes_and_a_larger_one_is_closed_with_1009(tls: bool) -> None:
    async with house(tls=tls, limits=DoorLimits(message_bytes=1_000_000, closing_timeout_s=1)) as home:
        link = await _by_websockets(home)
        await link.send(bytes(1_000_000))
        assert len(await link.recv()) == 1_000_007
        with contextlib.suppress(*CLOSED):
            await link.send([bytes(600_000), bytes(600_000)])
            await link.recv()
        await link.wait_closed()
        assert link.close_code == 1009


async def test_pings_are_answered(connect: Connect) -> None:
    async with house() as home:
        link = await connect(home)
        async with asyncio.timeout(2):
            await (await link.ping())
        await link.close()


async def test_a_reset_is_an_end_without_a_close_frame(connect: Connect, tls: bool) -> None:
    async with house(tls=tls) as home:
        link = await connect(home)
        await link.send("reset")
        with pytest.raises(CLOSED):
            await link.recv()
        assert await home.lost() == [(1006, "")]


async def test_a_refusal_waits_for_the_first_message(connect: Connect, tls: bool) -> None:
    words = "API key not valid. Please pass a valid API key."
    patient = DoorLimits(refusal_delay_s=60)
    async with house(tls=tls, limits=patient, refuse=Close(1007, words)) as home:
        link = await connect(home)
        await link.send(
            "setup"
        )  # must not fail: clients report a close that they read, not one met in sending
        with pytest.raises(CLOSED):
            await link.recv()
        assert (link.close_code, link.close_reason) == (1007, words)


async def test_a_refusal_of_the_silent_comes_by_itself(connect: Connect) -> None:
    hasty = DoorLimits(refusal_delay_s=0.02)
    async with house(limits=hasty, refuse=Close(1008, "no")) as home:
        link = await connect(home)
        await link.wait_closed()
        assert (link.close_code, link.close_reason) == (1008, "no")


async def test_a_close_without_a_status_is_an_end_in_order(tls: bool) -> None:
    """Q-no-status: the JavaScript SDK closes so; it is answered in kind and is no broken link."""
    async with house(tls=tls) as home:
        reader, writer = await home.raw()
        writer.write(UPGRADE.encode() + b"\r\n" + b"\x88\x80\x00\x00\x00\x00")
        await reader.readuntil(b"\r\n\r\n")
        async with asyncio.timeout(5):
            assert await reader.read() == b"\x88\x00"
        writer.close()
        assert await home.lost() == [(1005, "")]


async def test_shutting_down_says_1001(connect: Connect, tls: bool) -> None:
    async with house(tls=tls) as home:
        link = await connect(home)
        await home.door.aclose()
        await link.wait_closed()
        assert link.close_code == 1001
        with pytest.raises(OSError):
            await home.raw()


async def test_shutting_down_does_not_wait_for_idle_or_deaf_connections() -> None:
    async with house(limits=DoorLimits(closing_timeout_s=0.05)) as home:
        _, idle = await home.raw()
        _, deaf = await home.raw()
        deaf.write(UPGRADE.encode() + b"\r\n")
        await asyncio.sleep(0.01)
        async with asyncio.timeout(1):
            await home.door.aclose()
        idle.close()
        deaf.close()


async def test_the_door_speaks_no_compression_and_passes_on_version_and_key() -> None:
    async with house() as home:
        reader, writer = await home.raw()
        path = PATH.replace("v1beta", "v1alpha")
        head = (
            UPGRADE.replace(PATH, f"/{path}?key=a%2Fb")
            + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        )
        writer.write(head.encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert b"sec-websocket-extensions" not in answer.lower()
        writer.close()
        ((request, api_version),) = home.requests
        assert (api_version, request.api_key) == ("v1alpha", "a/b")
        assert "a%2Fb" not in repr(request)
        await home.lost()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (
            "POST /v1beta/models HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
            + "x" * 100_000,
            404,
        ),
        (f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n", 426),
        (UPGRADE.replace("GET", "POST") + "\r\n", 405),
        (UPGRADE.replace("Version: 13", "Version: 8") + "\r\n", 400),
        (UPGRADE.replace("AAAAAAAAAAAAAAAAAAAAAA==", "short") + "\r\n", 400),
        (UPGRADE.replace("Host: 127.0.0.1", "Host: evil.example") + "\r\n", 403),
        (UPGRADE.replace("Host: 127.0.0.1", "Host: 127.0.0.1.evil.example:80") + "\r\n", 403),
        (UPGRADE.replace("Host: 127.0.0.1", "Host: 192.0.2.1") + "\r\n", 403),
        (UPGRADE.replace("Host: 127.0.0.1\r\n", "") + "\r\n", 400),
        (UPGRADE.replace("Host: 127.0.0.1", "Host: localhost\r\nHost: evil.example") + "\r\n", 400),
        (UPGRADE.replace("Host: 127.0.0.1", "Host: evil@localhost") + "\r\n", 400),
        (UPGRADE + "Origin: https://evil.example\r\n\r\n", 403),
        (UPGRADE + "Origin: http://localhost.evil.example\r\n\r\n", 403),
        (UPGRADE + "Origin: null\r\n\r\n", 403),
        (UPGRADE + "Origin: http://localhost:3000\r\nOrigin: http://evil.example\r\n\r\n", 403),
        ("GET /x HTTP/1.0\r\n\r\n", 505),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("GET http://elsewhere.example/ HTTP/1.1\r\n\r\n", 400),
        ("GET /x\r\n\r\n", 400),
        ("GET /x HTTP/1.1\r\nname : value\r\n\r\n", 400),
        ("GET /x HTTP/1.1\r\nname: value\r\n folded\r\n\r\n", 400),
        ("GET /x HTTP/1.1\r\nname: val\x00ue\r\n\r\n", 400),
        ("GET /x HTTP/1.1\r\nname: val\nue: y\r\n\r\n", 400),
        ("\x00\x01\x02\x03", 400),
        ("GET /" + "x" * 9000 + " HTTP/1.1\r\n\r\n", 431),
        ("GET /x HTTP/1.1\r\n" + "a: b\r\n" * 101 + "\r\n", 431),
        ("GET /x HTTP/1.1\r\n" + "a: " + "b" * 40_000, 431),
        ("GET /slow HTTP/1.1\r\n", 408),
        ("", 408),
    ],
)
async def test_what_is_not_an_upgrade_gets_an_http_error_in_google_s_shape(
    head: str, status: int, tls: bool
) -> None:
    async with house(tls=tls) as home:
        reader, writer = await home.raw()
        writer.write(head.encode("latin-1"))
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
        first, _, body = answer.partition(b"\r\n\r\n")
        assert first.startswith(f"HTTP/1.1 {status} ".encode())
        assert json.loads(body)["error"]["code"] == status
        assert home.requests == []


@pytest.mark.parametrize(
    ("hosts", "name"),
    [
        (["localhost:8080"], "localhost"),
        (["Emulator.LOCALHOST."], "emulator.localhost"),
        (["127.8.8.8:1"], "127.8.8.8"),
        (["[::1]:443"], "::1"),
        (["[::1]"], "::1"),
    ],
)
def test_names_of_loopback(hosts: list[str], name: str) -> None:
    assert host_name(hosts) == name
    assert is_loopback(name)


@pytest.mark.parametrize(
    "hosts", [[], ["a", "a"], [""], [":80"], ["[::1"], ["a b"], ["localhost:x"], ["u@a"]]
)
def test_what_names_no_host(hosts: list[str]) -> None:
    assert host_name(hosts) is None


@pytest.mark.parametrize("name", ["evil.example", "localhost.evil.example", "0.0.0.0", "192.0.2.1", "::"])
def test_names_that_are_not_loopback(name: str) -> None:
    assert not is_loopback(name)


async def test_beyond_loopback_any_host_s_name_is_answered() -> None:
    door = Door(lambda request, api_version: Echo([]), limits=QUICK)
    await door.open("0.0.0.0", 0)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write((UPGRADE.replace("Host: 127.0.0.1", "Host: emulator.example") + "\r\n").encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 101 ")
        writer.close()
    finally:
        await door.aclose()


async def test_more_connections_than_the_limit_get_503_until_one_has_gone(tls: bool) -> None:
    async with house(tls=tls, limits=DoorLimits(connections=3, closing_timeout_s=0.2)) as home:
        inside = [await _by_websockets(home) for _ in range(3)]
        reader, writer = await home.raw()
        writer.write((UPGRADE + "\r\n").encode())
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
        first, _, body = answer.partition(b"\r\n\r\n")
        assert first.startswith(b"HTTP/1.1 503 ")
        assert json.loads(body)["error"]["status"] == "UNAVAILABLE"
        await inside.pop().close()
        await home.lost()
        async with asyncio.timeout(5):
            while len(inside) < 3:
                with contextlib.suppress(websockets.InvalidStatus):
                    inside.append(await _by_websockets(home))
        for link in inside:
            await link.close()


async def test_refusals_are_bounded_too() -> None:
    async with house(limits=DoorLimits(connections=0, closing_timeout_s=30)) as home:
        refused = [await home.raw() for _ in range(64)]
        for reader, _ in refused:
            assert (await reader.readline()).startswith(b"HTTP/1.1 503 ")
        reader, writer = await home.raw()
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        for _, each in [*refused, (reader, writer)]:
            each.close()


async def test_a_client_that_says_nothing_is_closed(connect: Connect) -> None:
    async with house(limits=DoorLimits(first_message_timeout_s=0.03, closing_timeout_s=0.2)) as home:
        talkative = await connect(home)
        await talkative.send("hello")
        assert await talkative.recv() == b"text:hello"
        silent = await connect(home)
        async with asyncio.timeout(5):
            with pytest.raises(CLOSED):
                await silent.recv()
        assert (silent.close_code, silent.close_reason) == (
            1011,
            "Deadline expired before operation could complete.",
        )
        await talkative.send("still there")
        assert await talkative.recv() == b"text:still there"
        await talkative.close()


@pytest.mark.parametrize("piece", [b"", b"x"], ids=["empty", "one byte"])
async def test_a_message_in_too_many_fragments_is_closed_with_1009(piece: bytes) -> None:
    limits = DoorLimits(message_fragments=100, closing_timeout_s=1)
    async with (
        house(limits=limits) as home,
        websockets.connect(home.uri, ping_interval=None, proxy=None) as link,
    ):
        await link.send([b"y", *[piece] * 98])  # the library ends it with one more, an empty one
        assert await link.recv() == b"binary:y" + piece * 98
        await link.send([b"y", *[piece] * 100])
        with pytest.raises(websockets.ConnectionClosed):
            await link.recv()
        assert (link.close_code, link.close_reason) == (1009, "too many fragments")
        assert await home.lost() == [(1009, "too many fragments")]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_sending_after_a_reset_is_passed_over(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    class Resetting(Echo):
        def received(self, frame: bytes | str) -> None:
            assert self.link is not None
            self.link.reset()
            assert not self.link.is_open
            self.link.send(b"too late")
            self.link.close(1000)
            self.link.reset()
            asyncio.get_running_loop().call_soon(self.link.send, b"much too late")

    ended: list[tuple[int, str]] = []

    async def meet() -> None:
        door = Door(lambda request, api_version: Resetting(ended), limits=QUICK)
        await door.open("127.0.0.1", 0)
        uri = f"ws://127.0.0.1:{door.port}{PATH}"
        async with websockets.connect(uri, ping_interval=None, proxy=None) as link:
            await link.send("hello")
            with pytest.raises(websockets.ConnectionClosed):
                await link.recv()
        await door.aclose()

    if loop == "uvloop":
        pytest.importorskip("uvloop").run(meet())
    else:
        asyncio.run(meet())
    assert ended == [(1006, "")]
    assert "Traceback" not in caplog.text
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1", "https://[::1]:8443"])
async def test_pages_of_this_machine_may_connect(origin: str) -> None:
    async with house() as home:
        link = await websockets.connect(
            home.uri, origin=websockets.Origin(origin), ping_interval=None, proxy=None
        )
        await link.close()
        assert len(home.requests) == 1


async def test_tls_on_a_plain_port_and_plain_http_on_a_tls_port_end_quietly() -> None:
    async with house() as home:
        with pytest.raises((ssl.SSLError, OSError)):
            await asyncio.open_connection("127.0.0.1", home.door.port, ssl=ssl.create_default_context())
    async with house(tls=True) as home:
        reader, writer = await asyncio.open_connection("127.0.0.1", home.door.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        link = await _by_websockets(home)
        await link.close()


@pytest.mark.parametrize(
    ("garbage", "code"),
    [
        (b"\x81\x05hello", 1002),  # not masked
        (b"\x83\x80\x00\x00\x00\x00", 1002),  # reserved opcode
        (b"\xf1\x80\x00\x00\x00\x00", 1002),  # reserved bits
        (b"\x80\x80\x00\x00\x00\x00", 1002),  # continues nothing
        (b"\x82\xff" + struct.pack("!Q", 2**40) + bytes(4), 1009),
        (b"\x88\x81\x00\x00\x00\x00\x01", 1002),  # a close frame with half a code
    ],
)
async def test_garbage_after_the_upgrade_is_failed_with_a_close_frame(
    garbage: bytes, code: int, tls: bool
) -> None:
    async with house(tls=tls) as home:
        reader, writer = await home.raw()
        writer.write(UPGRADE.encode() + b"\r\n" + garbage)
        await reader.readuntil(b"\r\n\r\n")
        async with asyncio.timeout(5):
            answer = await reader.read()
        assert answer[0] == 0x88
        assert struct.unpack("!H", answer[2:4])[0] == code
        writer.close()
        await home.lost()


async def test_a_frame_sent_with_the_upgrade_and_frames_cut_anywhere_are_understood() -> None:
    frame = b"\x81\x85\x00\x00\x00\x00hello"
    async with house() as home:
        reader, writer = await home.raw()
        for byte in UPGRADE.encode() + b"\r\n" + frame + frame:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(24) == b"\x82\x0atext:hello" * 2
        writer.close()
        assert await home.lost() == [(1006, "")]


async def test_an_abrupt_disconnect_is_1006(tls: bool) -> None:
    async with house(tls=tls) as home:
        reader, writer = await home.raw()
        writer.write(UPGRADE.encode() + b"\r\n")
        await reader.readuntil(b"\r\n\r\n")
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        assert await home.lost() == [(1006, "")]


@pytest.mark.parametrize("limits", [DoorLimits(backlog_bytes=1_000_000), QUICK], ids=["bytes", "seconds"])
async def test_a_client_that_does_not_read_is_dropped(limits: DoorLimits, tls: bool) -> None:
    async with house(tls=tls, limits=limits) as home:
        _, writer = await home.raw()
        assert isinstance(writer.transport, asyncio.Transport)
        writer.transport.pause_reading()
        request = b"flood 40"
        writer.write(UPGRADE.encode() + b"\r\n")
        async with asyncio.timeout(10):
            while not home.ended:
                writer.write(bytes([0x81, 0x80 | len(request)]) + bytes(4) + request)
                await asyncio.sleep(0.01)
        assert home.ended == [(1006, "")]
        writer.transport.abort()


async def test_fifty_connections_at_once(connect: Connect, tls: bool) -> None:
    async with house(tls=tls, limits=DoorLimits()) as home:

        async def one(number: int) -> None:
            link = await connect(home)
            for turn in range(3):
                await link.send(f"{number}.{turn}")
                assert await link.recv() == f"text:{number}.{turn}".encode()
            await link.close()

        await asyncio.gather(*(one(number) for number in range(50)))
        assert await home.lost(50) == [(1000, "")] * 50


async def test_a_taken_port_says_what_to_do() -> None:
    async with house() as home:
        other = Door(lambda _request, _version: Close(1000))
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{home.door.port}.*port 0"):
            await other.open("127.0.0.1", home.door.port)


async def test_an_address_of_another_machine_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1:0.*127\.0\.0\.1"):
        await Door(lambda _request, _version: Close(1000)).open("192.0.2.1", 0)


@given(st.text())
def test_a_reason_is_cut_between_characters(reason: str) -> None:
    cut = cut_reason(reason)
    raw = reason.encode("utf-8", "replace")
    assert len(cut.encode()) <= 123
    assert raw.startswith(cut.encode())
    assert len(cut.encode()) > 119 or cut.encode() == raw


@given(st.lists(st.integers(1, 40), max_size=20))
def test_a_head_is_read_the_same_however_it_is_cut(cuts: list[int]) -> None:
    raw = b"\r\n" + UPGRADE.encode() + b"X-Goog-Api-Key:  k \r\n\r\nrest"
    reader = HeadReader()
    request = None
    at = 0
    for cut in [*cuts, len(raw)]:
        piece = raw[at : at + cut]
        at += cut
        if request is None:
            request = reader.feed(piece)
            tail = reader.rest if request is not None else b""
        else:
            tail += piece
    assert request is not None
    assert tail == b"rest"
    assert (request.method, request.path, request.api_key) == ("GET", PATH, "k")


@given(st.binary(max_size=200))
def test_noise_is_refused_or_waited_for_but_never_a_crash(noise: bytes) -> None:
    with contextlib.suppress(BadRequestError):
        HeadReader().feed(noise + b"\r\n\r\n")


@pytest.mark.parametrize(
    ("path", "version"),
    [
        (PATH, "v1beta"),
        ("/" + PATH, "v1beta"),
        (PATH.replace("v1beta", "v1"), "v1"),
        (PATH.replace("v1beta", "v1alpha"), "v1alpha"),
        (PATH.replace("v1beta", "v2"), None),
        (PATH + "/", None),
        ("//" + PATH, None),
        (PATH.replace(".", "/"), None),
    ],
)
def test_live_paths(path: str, version: str | None) -> None:
    assert live_api_version(path) == version


def test_no_origin_is_trusted_and_two_are_not() -> None:
    assert is_trusted_origin([])
    assert not is_trusted_origin(["http://localhost", "http://localhost"])


def test_a_bad_request_carries_its_status() -> None:
    with pytest.raises(BadRequestError) as caught:
        HeadReader().feed(b"BREW /pot HTCPCP/1.0\r\n\r\n")
    assert caught.value.status is HTTPStatus.BAD_REQUEST

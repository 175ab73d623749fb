"""What we give to people who test their agents, used as they would."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from duologue import AudioOutput, RealtimeModel, SessionEnded, SessionReady
from duologue.config import Clock
from duologue.errors import ConnectError, LinkLost, ReplyTimeout, SetupTimeout
from duologue.io.transport import Transport, TransportLink
from duologue.testing import MemoryLink, MemoryTransport, VirtualClock, live_emulator

if TYPE_CHECKING:
    from duologue.emulator import Emulator
    from duologue.wire.endpoint import Endpoint

__all__ = ["live_emulator"]


class Service:
    """The least that is a service: agrees to every setup, answers nothing."""

    def __init__(self, *, agrees: bool = True) -> None:
        self.endpoints: list[Endpoint] = []
        self.links: list[MemoryLink] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._agrees = agrees

    def accept(self, link: MemoryLink, endpoint: Endpoint) -> None:
        self.endpoints.append(endpoint)
        self.links.append(link)
        self._tasks.append(asyncio.create_task(self._agree(link)))

    async def _agree(self, link: MemoryLink) -> None:
        assert "setup" in json.loads(await link.receive())
        if self._agrees:
            await link.send('{"setupComplete": {}}')


# --- the clock -------------------------------------------------------------------------------------------------------


def test_the_clock_is_a_clock_and_starts_where_it_is_told() -> None:
    assert isinstance(VirtualClock(), Clock)
    assert VirtualClock(7.5).now() == 7.5


def test_what_is_due_happens_in_order_each_at_its_instant() -> None:
    clock = VirtualClock()
    seen: list[tuple[str, float]] = []
    for name, when in (("b", 2.0), ("a", 1.0), ("b2", 2.0), ("late", 9.0)):
        clock.call_at(when, lambda name=name: seen.append((name, clock.now())))  # type: ignore[misc]  # a default binds it
    clock.advance(5.0)
    assert seen == [("a", 1.0), ("b", 2.0), ("b2", 2.0)]
    assert clock.now() == 5.0
    clock.advance(4.0)
    assert seen[-1] == ("late", 9.0)


def test_what_becomes_due_meanwhile_happens_too() -> None:
    clock = VirtualClock()
    seen: list[float] = []

    def tick() -> None:
        seen.append(clock.now())
        clock.call_at(clock.now() + 1, tick)

    clock.call_at(1.0, tick)
    clock.advance(3.5)
    assert seen == [1.0, 2.0, 3.0]


def test_a_cancelled_call_never_happens() -> None:
    clock = VirtualClock()
    seen: list[str] = []
    cancel = clock.call_at(1.0, lambda: seen.append("no"))
    kept = clock.call_at(1.0, lambda: seen.append("yes"))
    cancel()
    cancel()
    clock.advance(2.0)
    kept()
    assert seen == ["yes"]


def test_an_instant_in_the_past_is_due_at_once_and_time_does_not_go_back() -> None:
    clock = VirtualClock(10.0)
    seen: list[float] = []
    clock.call_at(3.0, lambda: seen.append(clock.now()))
    clock.advance(0.0)
    assert seen == [10.0]
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1.0)
    assert clock.now() == 10.0


# --- the transport ---------------------------------------------------------------------------------------------------


async def test_links_in_memory_keep_order_and_deliver_what_came_before_the_close() -> None:
    ours, theirs = MemoryLink.pair()
    assert isinstance(ours, TransportLink)
    for number in range(3):
        await ours.send(b"%d" % number)
    await ours.close(1001, "bye")
    await ours.close()
    assert [await theirs.receive() for _ in range(3)] == [b"0", b"1", b"2"]
    for end in (ours, theirs):
        with pytest.raises(LinkLost) as caught:
            await end.receive()
        assert (caught.value.code, caught.value.reason) == (1001, "bye")
        with pytest.raises(LinkLost):
            await end.send(b"late")


async def test_a_waiting_reader_is_woken_by_a_message_and_by_the_close() -> None:
    ours, theirs = MemoryLink.pair()
    waiting = asyncio.create_task(ours.receive())
    await asyncio.sleep(0)
    await theirs.send("hello")
    assert await waiting == "hello"
    waiting = asyncio.create_task(ours.receive())
    await asyncio.sleep(0)
    await theirs.close()
    with pytest.raises(LinkLost):
        await waiting


async def test_a_session_over_memory_under_virtual_time() -> None:
    service, clock = Service(), VirtualClock()
    transport = MemoryTransport(service.accept)
    assert isinstance(transport, Transport)
    session = RealtimeModel(api_key="k").session(transport=transport, clock=clock)
    events = aiter(session)
    async with session as call:
        assert isinstance(await anext(events), SessionReady)
        assert service.endpoints[0].url.startswith("wss://generativelanguage.googleapis.com/")
        asking = asyncio.create_task(call.generate_reply("Greet.", timeout_s=600))
        await asyncio.sleep(0)
        clock.advance(599)
        await asyncio.sleep(0)
        assert not asking.done()
        clock.advance(1)
        with pytest.raises(ReplyTimeout, match="600 s"):
            await asking
    assert isinstance(await anext(events), SessionEnded)


async def test_an_hour_of_waiting_for_setup_takes_no_time() -> None:
    service, clock = Service(agrees=False), VirtualClock()
    session = RealtimeModel(api_key="k").session(transport=MemoryTransport(service.accept), clock=clock)
    entering = asyncio.create_task(session.__aenter__())
    while not service.links:
        await asyncio.sleep(0)
    await asyncio.sleep(0.001)
    clock.advance(3600)
    with pytest.raises(SetupTimeout):
        await entering


async def test_a_refused_connection_on_request() -> None:
    refusal = ConnectError("out of order", code=503)
    transport = MemoryTransport(lambda link, endpoint: None, refuse=refusal)
    with pytest.raises(ConnectError) as caught:
        await RealtimeModel(api_key="k").session(transport=transport).__aenter__()
    assert caught.value is refusal


# --- the fixture -----------------------------------------------------------------------------------------------------


async def test_the_fixture_is_a_running_emulator(live_emulator: Emulator) -> None:
    async with RealtimeModel(api_key="any", base_url=live_emulator.url).session() as call:
        sound: list[AudioOutput] = []
        call.on(AudioOutput, sound.append)
        generation = await call.generate_reply("Greet the caller.")
        assert await generation.status() == "completed"
    assert sum(len(event.pcm) for event in sound) > 24_000
    assert len(live_emulator.sessions) == 1
    assert live_emulator.url.startswith("http://127.0.0.1:")


async def test_every_test_gets_an_emulator_of_its_own(live_emulator: Emulator) -> None:
    assert len(live_emulator.sessions) == 0


def test_it_needs_no_pytest() -> None:
    code = "import sys; sys.modules['pytest_asyncio'] = None; import duologue.testing as t; print(t.VirtualClock().now())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("0.0\n", "")

"""How the driver begins and ends: from every state, at every step, leaving nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import weakref
from typing import TYPE_CHECKING

import pytest
from tests.io.driver_rig import Rig, drain, sound, steps, tool_call

from duologue.config import SessionOptions
from duologue.core.link import Link
from duologue.errors import (
    AuthError,
    ConnectError,
    DuologueError,
    LinkLost,
    QueueFull,
    SessionClosed,
    SetupTimeout,
)
from duologue.events import (
    AudioOutput,
    GenerationCreated,
    SessionEnded,
    SessionError,
    SessionReady,
    ToolCall,
    ToolResult,
)
from duologue.io.memory import MemoryLink, MemoryTransport
from duologue.testing import VirtualClock
from duologue.tools import function_tool

if TYPE_CHECKING:
    from duologue.wire.endpoint import Endpoint

pytestmark = pytest.mark.usefixtures("nothing_is_left")


# --- connecting ------------------------------------------------------------------------------------------------------


async def test_start_returns_once_setup_is_complete() -> None:
    rig = Rig()
    starting = asyncio.create_task(rig.driver.start())
    await rig.peer.connected.wait()
    assert await rig.peer.next() == {"setup": {"model": "models/m"}}
    await steps(5)
    assert not starting.done()
    await rig.peer.send({"setupComplete": {}})
    await starting
    assert rig.events == [SessionReady("s")]
    await rig.driver.stop()
    assert rig.events[1:] == [SessionEnded(1000, "", None)]


async def test_a_service_that_never_agrees_is_a_setup_timeout() -> None:
    clock = VirtualClock()
    rig = Rig(clock=clock, options=SessionOptions(setup_timeout_s=7, close_timeout_s=0.2))
    starting = asyncio.create_task(rig.driver.start())
    await rig.peer.connected.wait()
    await rig.peer.next()
    clock.advance(6.9)
    await steps(5)
    assert not starting.done()
    clock.advance(0.2)
    with pytest.raises(SetupTimeout, match="within 7 s") as caught:
        await starting
    assert (caught.value.phase, caught.value.retryable) == ("setup", True)
    assert rig.events == [SessionEnded(None, "", caught.value)]
    with pytest.raises(LinkLost):
        await rig.peer.link.receive()


@pytest.mark.parametrize(
    ("code", "reason", "kind", "retryable"),
    [
        (1007, "API key not valid. Please pass a valid API key.", AuthError, False),
        (1008, "Method doesn't allow unregistered callers", AuthError, False),
        (1011, "Token has been used too many times", AuthError, False),
        (1007, "Invalid session handle", ConnectError, True),
        (1007, "Request contains an invalid argument.", ConnectError, False),
        (1008, "models/m is not found for API version v1beta", ConnectError, False),
        (1008, "BidiGenerateContent session not found", ConnectError, True),
        (1011, "You exceeded your current quota", ConnectError, True),
        (1011, "Internal error encountered.", ConnectError, True),
        (1000, "", ConnectError, False),
    ],
)
async def test_a_close_during_setup_raises_what_it_means(
    code: int, reason: str, kind: type[ConnectError], retryable: bool
) -> None:
    rig = Rig()
    starting = asyncio.create_task(rig.driver.start())
    await rig.peer.connected.wait()
    await rig.peer.next()
    await rig.peer.link.close(code, reason)
    with pytest.raises(ConnectError) as caught:
        await starting
    error = caught.value
    assert type(error) is kind
    assert (error.code, error.reason, error.phase, error.retryable) == (code, reason, "setup", retryable)
    assert rig.events == [SessionEnded(code, reason, error)]


async def test_a_refused_connection_is_raised_as_it_is() -> None:
    refusal = ConnectError("nobody listens", phase="connect", retryable=True)
    rig = Rig(transport=MemoryTransport(lambda link, endpoint: None, refuse=refusal))
    with pytest.raises(ConnectError) as caught:
        await rig.driver.start()
    assert caught.value is refusal
    assert rig.events == [SessionEnded(None, "", refusal)]


async def test_a_transport_with_a_mistake_is_a_connect_error(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        async def connect(self, endpoint: Endpoint, options: SessionOptions) -> MemoryLink:
            raise KeyError("mistake")

    rig = Rig(transport=Broken())
    with pytest.raises(ConnectError, match="KeyError") as caught:
        await rig.driver.start()
    assert caught.value.phase == "connect"
    assert [record.levelno for record in caplog.records if record.name == "duologue.link"] == [logging.ERROR]


@pytest.mark.parametrize("count", range(14))
async def test_starting_can_be_cancelled_at_every_step(count: int) -> None:
    rig = Rig()
    agreeing = asyncio.create_task(rig.peer.set_up())
    starting = asyncio.create_task(rig.driver.start())
    await steps(count)
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await starting
    await rig.driver.stop()
    agreeing.cancel()
    with contextlib.suppress(asyncio.CancelledError, LinkLost):
        await agreeing
    assert rig.core.link in (Link.CLOSED, Link.IDLE)  # idle: cancelled before it began
    for link in rig.peer.links:
        with pytest.raises(LinkLost):
            await drain(link)


@pytest.mark.parametrize("count", range(14))
async def test_stop_is_right_at_every_step_of_connecting(count: int) -> None:
    rig = Rig()
    agreeing = asyncio.create_task(rig.peer.set_up())
    starting = asyncio.create_task(rig.driver.start())
    await steps(count + 1)
    await rig.driver.stop()
    with contextlib.suppress(ConnectError):
        await starting
    agreeing.cancel()
    with contextlib.suppress(asyncio.CancelledError, LinkLost):
        await agreeing
    assert rig.of(SessionEnded) == [SessionEnded(1000, "", None)]
    assert rig.events[-1] == SessionEnded(1000, "", None)


async def test_closing_while_connecting_tells_whoever_waits() -> None:
    class Endless:
        async def connect(self, endpoint: Endpoint, options: SessionOptions) -> MemoryLink:
            await asyncio.Event().wait()
            raise AssertionError

    rig = Rig(transport=Endless())
    starting = asyncio.create_task(rig.driver.start())
    await steps(3)
    await rig.driver.stop()
    with pytest.raises(ConnectError, match="closed while connecting"):
        await starting


class Stubborn:
    """Makes its link in the very moment it is cancelled."""

    def __init__(self) -> None:
        self.ours, self.theirs = MemoryLink.pair()

    async def connect(self, endpoint: Endpoint, options: SessionOptions) -> MemoryLink:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return self.ours


async def test_a_link_made_in_the_moment_it_was_given_up_is_closed() -> None:
    stubborn = Stubborn()
    rig = Rig(transport=stubborn)
    starting = asyncio.create_task(rig.driver.start())
    await steps(3)
    await rig.driver.stop()
    with pytest.raises(ConnectError):
        await starting
    with pytest.raises(LinkLost):
        await drain(stubborn.theirs)


def test_a_link_made_while_the_loop_shuts_down_is_closed() -> None:
    made: list[Stubborn] = []

    async def main() -> None:
        made.append(Stubborn())
        loose = asyncio.create_task(Rig(transport=made[0]).driver.start())
        await steps(3)
        assert not loose.done()

    asyncio.run(main())
    with pytest.raises(LinkLost):
        asyncio.run(drain(made[0].theirs))


# --- ending ----------------------------------------------------------------------------------------------------------


async def test_stop_may_be_called_before_twice_and_by_many() -> None:
    rig = Rig()
    await rig.driver.stop()
    assert rig.events == [SessionEnded(1000, "", None)]
    rig = await Rig().start()
    await asyncio.gather(*(rig.driver.stop() for _ in range(5)))
    await rig.driver.stop()
    assert rig.events[1:] == [SessionEnded(1000, "", None)]


async def test_stop_while_the_service_is_about_to_leave() -> None:
    rig = await Rig().start()
    await rig.peer.send({"goAway": {"timeLeft": "5s"}})
    await asyncio.sleep(0.01)
    assert rig.core.link is Link.DRAINING
    await rig.driver.stop()
    assert rig.kinds == ["SessionReady", "GoAway", "SessionEnded"]


async def test_the_services_close_is_the_last_event() -> None:
    rig = await Rig().start()
    await rig.peer.send(sound())
    await rig.peer.link.close(1011, "Internal error encountered.")
    (ended,) = await rig.until(SessionEnded)
    assert rig.kinds == [
        "SessionReady",
        "GenerationCreated",
        "AudioOutput",
        "GenerationCompleted",
        "SessionEnded",
    ]
    assert (ended.code, ended.reason) == (1011, "Internal error encountered.")
    assert isinstance(ended.error, LinkLost)
    await rig.driver.stop()
    assert rig.kinds.count("SessionEnded") == 1


async def test_what_was_accepted_before_the_end_is_written_also_when_writing_takes_time() -> None:
    class Slow(MemoryLink):
        async def send(self, frame: bytes | str) -> None:
            await asyncio.sleep(0)
            await super().send(frame)

    ours, theirs = Slow(), MemoryLink()
    ours.peer, theirs.peer = theirs, ours

    class Transport:
        async def connect(self, endpoint: Endpoint, options: SessionOptions) -> MemoryLink:
            rig.peer.accept(theirs, endpoint)
            return ours

    rig = Rig(transport=Transport())
    await rig.start()
    for number in range(20):
        rig.say(f"line {number}")
    await rig.driver.stop()
    texts = [m["clientContent"]["turns"][0]["parts"][0]["text"] for m in await rig.peer.rest()]
    assert texts == [f"line {number}" for number in range(20)]


async def test_a_link_that_takes_nothing_more_does_not_hold_up_the_end() -> None:
    class Stuck(MemoryLink):
        async def send(self, frame: bytes | str) -> None:
            if b"setup" not in (frame if isinstance(frame, bytes) else frame.encode()):
                await asyncio.Event().wait()
            await super().send(frame)

    ours, theirs = Stuck(), MemoryLink()
    ours.peer, theirs.peer = theirs, ours

    class Transport:
        async def connect(self, endpoint: Endpoint, options: SessionOptions) -> MemoryLink:
            rig.peer.accept(theirs, endpoint)
            return ours

    rig = Rig(transport=Transport(), options=SessionOptions(close_timeout_s=0.03, outbox_messages=2))
    await rig.start()
    rig.say("1")
    await steps(3)
    for text in ("2", "3"):
        rig.driver.check_room()
        rig.say(text)
    with pytest.raises(QueueFull):
        rig.driver.check_room()
    await asyncio.wait_for(rig.driver.stop(), 0.5)
    assert rig.of(SessionEnded) == [SessionEnded(1000, "", None)]


async def test_stop_from_inside_an_event_function() -> None:
    rig = Rig()
    stopping: list[asyncio.Task[None]] = []
    rig.functions.append(
        lambda event: (
            stopping.append(asyncio.create_task(rig.driver.stop()))
            if isinstance(event, GenerationCreated)
            else None
        )
    )
    await rig.start()
    await rig.peer.send(sound())
    await rig.until(SessionEnded)
    await asyncio.gather(*stopping)
    assert rig.core.link is Link.CLOSED


async def test_stop_from_a_task_of_the_session_only_asks() -> None:
    rig = await Rig().start()
    after: list[str] = []

    async def pump() -> None:
        await rig.driver.stop()
        after.append("went on")

    rig.driver.spawn(pump())
    await rig.until(SessionEnded)
    await rig.driver.stop()
    assert after == ["went on"]


async def test_stop_from_inside_a_tool() -> None:
    @function_tool
    async def look_up() -> str:
        await rig.driver.stop()
        return "never told"

    rig = await Rig(look_up).start()
    await rig.peer.send(tool_call("c1"))
    await rig.until(SessionEnded)
    await asyncio.wait_for(rig.driver.stop(), 0.5)
    assert [result.outcome for result in rig.of(ToolResult)] == ["abandoned"]


async def test_spawning_after_the_end_does_nothing() -> None:
    rig = await Rig().start()
    await rig.driver.stop()
    ran: list[int] = []

    async def work() -> None:
        ran.append(1)

    rig.driver.spawn(work())
    await steps(3)
    assert ran == []


async def test_a_failing_task_of_the_session_is_an_error_event_and_nothing_after_the_end() -> None:
    rig = await Rig().start()

    async def fails() -> None:
        raise RuntimeError("the device was pulled out")

    async def fails_late() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("late")

    rig.driver.spawn(fails())
    (failed,) = await rig.until(SessionError)
    assert str(failed.error) == "the device was pulled out"
    rig.driver.spawn(fails_late())
    await steps(2)
    await rig.driver.stop()
    assert rig.kinds[-2:] == ["SessionError", "SessionEnded"]


async def test_commands_after_the_end_are_refused() -> None:
    rig = await Rig().start()
    await rig.driver.stop()
    with pytest.raises(SessionClosed, match="send_text: the session has ended"):
        rig.say("late")


async def test_a_mistake_inside_the_session_ends_it_with_an_error(caplog: pytest.LogCaptureFixture) -> None:
    class Odd(MemoryLink):
        async def receive(self) -> bytes | str:
            frame = await super().receive()
            if "odd" in str(frame):
                raise ZeroDivisionError("a library's mistake")
            return frame

    ours, theirs = Odd(), MemoryLink()
    ours.peer, theirs.peer = theirs, ours

    class Transport:
        async def connect(self, endpoint: Endpoint, options: SessionOptions) -> MemoryLink:
            rig.peer.accept(theirs, endpoint)
            return ours

    rig = Rig(transport=Transport())
    await rig.start()
    await rig.peer.send({"odd": 1})
    (ended,) = await rig.until(SessionEnded)
    assert isinstance(ended.error, DuologueError)
    assert isinstance(ended.error.__cause__, ZeroDivisionError)
    await rig.driver.stop()
    with pytest.raises(LinkLost):
        await theirs.receive()


def test_a_loop_that_shuts_down_leaves_nothing_pending(caplog: pytest.LogCaptureFixture) -> None:
    rigs: list[Rig] = []

    @function_tool
    async def look_up() -> str:
        await asyncio.Event().wait()
        return ""

    async def main() -> None:
        rig = await Rig(look_up).start()
        rigs.append(rig)
        await rig.peer.send(tool_call("c1"))
        await rig.until(ToolCall)
        connecting = Rig()
        rigs.append(connecting)
        loose = asyncio.create_task(connecting.driver.start())
        await connecting.peer.connected.wait()
        assert not loose.done()

    asyncio.run(main())
    for rig in rigs:
        assert rig.core.link is Link.CLOSED
        assert rig.kinds.count("SessionEnded") == 1
        with pytest.raises(LinkLost):
            asyncio.run(drain(rig.peer.link))
    gc.collect()
    assert not caplog.records


async def test_a_session_nobody_holds_is_collected() -> None:
    rig = await Rig().start()
    await rig.peer.send(sound())
    await rig.until(AudioOutput)
    await rig.driver.stop()
    seen = weakref.ref(rig.driver), weakref.ref(rig.core)
    del rig
    gc.collect()
    assert [reference() for reference in seen] == [None, None]

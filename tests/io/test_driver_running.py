"""The driver while it runs: frames that break the protocol, order, tools, time."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from tests.io.driver_rig import Rig, sound, steps, tool_call

from duologue.config import SessionOptions, ToolOutcome
from duologue.errors import (
    ConfigError,
    ProtocolError,
    ToolError,
)
from duologue.events import (
    AudioOutput,
    GenerationCompleted,
    GenerationCreated,
    RawMessage,
    SessionEnded,
    SessionError,
    ToolCall,
    ToolResult,
)
from duologue.testing import VirtualClock
from duologue.tools import function_tool

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = pytest.mark.usefixtures("nothing_is_left")


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"not json",
        b"[1]",
        b'{"serverContent": 7}',
        b"\xff\xfe",
        "{}\ud800",
        b'{"serverContent": {"modelTurn": {"parts": [{"text": "\\ud800"}]}}}',
        b'{"usageMetadata": {"totalTokenCount": ' + b"9" * 5000 + b"}}",
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    ],
    ids=["empty", "text", "array", "type", "utf8", "surrogate", "escaped-surrogate", "huge-number", "deep"],
)
async def test_a_frame_that_breaks_the_protocol_is_reported_and_reading_goes_on(frame: bytes | str) -> None:
    rig = await Rig().start()
    await rig.peer.link.send(frame)
    await rig.peer.send(sound())
    await rig.until(AudioOutput)
    assert rig.kinds == ["SessionReady", "SessionError", "GenerationCreated", "AudioOutput"]
    assert isinstance(rig.of(SessionError)[0].error, ProtocolError)
    await rig.driver.stop()


async def test_sound_that_is_no_base64_spoils_only_itself() -> None:
    rig = await Rig().start()
    bad = sound()
    bad["serverContent"]["modelTurn"]["parts"][0]["inlineData"]["data"] = "!!"
    await rig.peer.send(bad, sound())
    await rig.until(AudioOutput)
    assert len(rig.of(SessionError)) == 1
    await rig.driver.stop()


async def test_raw_messages_only_when_asked_for_and_none_after_the_end() -> None:
    rig = await Rig().start()
    await rig.driver.stop()
    assert not rig.of(RawMessage)
    rig = Rig(options=SessionOptions(raw_messages=True, close_timeout_s=0.2))
    rig.functions.append(
        lambda event: rig.driver.command(rig.core.close) if isinstance(event, GenerationCreated) else None
    )
    await rig.start()
    await rig.peer.send(sound(), sound(), sound())
    await rig.until(SessionEnded)
    await rig.driver.stop()
    assert rig.events[-1] == SessionEnded(1000, "", None)
    assert [json.loads(raw.frame) for raw in rig.of(RawMessage)] == [{"setupComplete": {}}, sound()]


async def test_a_command_from_inside_an_event_function_keeps_one_order() -> None:
    rig = Rig()
    rig.functions.append(
        lambda event: rig.driver.command(rig.core.interrupt) if isinstance(event, GenerationCreated) else None
    )
    await rig.start()
    words = {"serverContent": {"outputTranscription": {"text": "one "}}}
    await rig.peer.send(words)
    await rig.until(GenerationCompleted)
    kinds = rig.kinds
    assert kinds.index("GenerationCreated") < kinds.index("Transcript") < kinds.index("Interrupted")
    await rig.driver.stop()


async def test_interrupting_from_inside_an_event_function_takes_the_sound_behind_it_away() -> None:
    rig = Rig()
    rig.functions.append(
        lambda event: rig.driver.command(rig.core.interrupt) if isinstance(event, GenerationCreated) else None
    )
    await rig.start()
    await rig.peer.send(sound())
    await rig.until(GenerationCompleted)
    assert rig.kinds == ["SessionReady", "GenerationCreated", "Interrupted", "GenerationCompleted"]
    await rig.driver.stop()


# --- tools -----------------------------------------------------------------------------------------------------------


async def test_a_tool_runs_once_and_its_result_is_written() -> None:
    runs: list[str] = []

    @function_tool
    async def look_up() -> str:
        runs.append("run")
        return "found"

    rig = await Rig(look_up).start()
    await rig.peer.send(tool_call("c1"), tool_call("c1"))
    answer = await rig.peer.next()
    assert answer["toolResponse"]["functionResponses"] == [
        {"id": "c1", "name": "look_up", "response": {"output": "found"}}
    ]
    await rig.until(ToolResult)
    assert runs == ["run"]
    assert rig.core.counters["duplicate_call_ids"] == 1
    await rig.driver.stop()
    assert await rig.peer.rest() == []


async def test_a_cancelled_call_cancels_its_tool() -> None:
    ended: list[str] = []
    begun = asyncio.Event()

    @function_tool
    async def look_up() -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")
        return ""

    rig = await Rig(look_up).start()
    await rig.peer.send(tool_call("c1"))
    await begun.wait()
    await rig.peer.send({"toolCallCancellation": {"ids": ["c1", "unknown"]}})
    (result,) = await rig.until(ToolResult)
    assert result.outcome == "cancelled"
    await asyncio.sleep(0.01)
    assert ended == ["cancelled"]
    assert rig.core.counters["cancellations_too_late"] == 1
    await rig.driver.stop()
    assert await rig.peer.rest() == []


async def test_a_result_after_the_cancellation_is_counted_and_not_sent() -> None:
    rig = await Rig().start()
    await rig.peer.send(tool_call("c1"), {"toolCallCancellation": {"ids": ["c1"]}})
    await rig.until(ToolResult)
    rig.driver.command(lambda now: rig.core.tool_result("c1", {"output": 1}, now))
    assert rig.core.counters["late_tool_results"] == 1
    await rig.driver.stop()
    assert await rig.peer.rest() == []


@pytest.mark.parametrize(
    ("error", "told", "reported"),
    [(ValueError("secret detail"), "The tool failed.", 1), (ToolError("No such city."), "No such city.", 0)],
)
async def test_a_tool_that_raises_is_told_and_the_call_goes_on(
    error: Exception, told: str, reported: int
) -> None:
    @function_tool
    async def look_up() -> str:
        raise error

    rig = await Rig(look_up).start()
    await rig.peer.send(tool_call("c1"))
    answer = await rig.peer.next()
    assert answer["toolResponse"]["functionResponses"][0]["response"] == {"error": told}
    await rig.peer.send(sound())
    await rig.until(AudioOutput)
    assert [type(event.error) for event in rig.of(SessionError)] == [type(error)] * reported
    (result,) = rig.of(ToolResult)
    assert (result.outcome, result.is_error) == ("answered", True)
    await rig.driver.stop()


async def test_an_async_generator_answers_in_parts() -> None:
    @function_tool
    async def look_up() -> AsyncGenerator[str, None]:
        yield "first"
        yield "second"

    rig = await Rig(look_up).start()
    await rig.peer.send(tool_call("c1"))
    answers = [(await rig.peer.next())["toolResponse"]["functionResponses"][0] for _ in range(3)]
    assert [(a["response"], a.get("willContinue")) for a in answers] == [
        ({"output": "first"}, True),
        ({"output": "second"}, True),
        ({}, None),
    ]
    assert len(await rig.until(ToolResult)) == 1
    await rig.driver.stop()


@pytest.mark.parametrize("how", ["raises", "no-json"])
async def test_a_strangers_runner_cannot_end_the_session(how: str) -> None:
    class Rude:
        def handles(self, name: str) -> bool:
            return True

        async def run(self, call: ToolCall, session: object) -> AsyncGenerator[ToolOutcome, None]:
            if how == "raises":
                raise RuntimeError("against the protocol")
            yield ToolOutcome({"output": object()})

    rig = await Rig(runner=Rude()).start()
    await rig.peer.send(tool_call("c1"))
    answer = await rig.peer.next()
    assert answer["toolResponse"]["functionResponses"][0]["response"] == {"error": "The tool failed."}
    (failed,) = await rig.until(SessionError)
    assert isinstance(failed.error, RuntimeError if how == "raises" else ConfigError)
    await rig.peer.send(sound())
    await rig.until(AudioOutput)
    await rig.driver.stop()


async def test_a_call_nobody_registered_is_left_to_the_application() -> None:
    rig = await Rig().start()
    await rig.peer.send(tool_call("c1"))
    (call,) = await rig.until(ToolCall)
    await steps(5)
    assert [open_call.call_id for open_call in rig.core.open_calls] == [call.call_id]
    rig.driver.command(lambda now: rig.core.tool_result("c1", {"output": "by hand"}, now))
    assert (await rig.peer.next())["toolResponse"]["functionResponses"][0]["response"] == {
        "output": "by hand"
    }
    await rig.driver.stop()


async def test_the_end_abandons_running_tools_and_cancels_them() -> None:
    ended: list[str] = []
    begun = asyncio.Event()

    @function_tool
    async def look_up() -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")
        return ""

    rig = await Rig(look_up).start()
    await rig.peer.send(tool_call("c1"))
    await begun.wait()
    await rig.driver.stop()
    assert ended == ["cancelled"]
    assert rig.kinds[-2:] == ["ToolResult", "SessionEnded"]
    assert rig.of(ToolResult)[0].outcome == "abandoned"
    assert not rig.of(AudioOutput)


# --- time ------------------------------------------------------------------------------------------------------------


async def test_replies_time_out_by_the_sessions_clock() -> None:
    clock = VirtualClock(100.0)
    rig = await Rig(clock=clock).start()
    rig.driver.command(lambda now: rig.core.generate_reply(None, 5.0, now))
    clock.advance(4.9)
    assert rig.notices == []
    clock.advance(0.2)
    assert [type(notice).__name__ for notice in rig.notices] == ["ReplyFailed"]
    await rig.driver.stop()

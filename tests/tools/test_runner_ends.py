"""How calls end before their tool does: timeouts and cancellation."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from duologue.config import ToolOutcome
from duologue.events import ToolCall
from duologue.tools import Registry, Runner, function_tool

MakeCall = Callable[..., ToolCall]
Run = Callable[..., Any]


async def collect(runner: Runner, call: ToolCall) -> list[ToolOutcome]:
    return [outcome async for outcome in runner.run(call, None)]


async def test_timeout_is_told_and_reported(run: Run) -> None:
    seen: list[str] = []

    @function_tool(timeout_s=0.01)
    async def tool() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    (outcome,) = await run(tool)
    assert outcome.response == {"error": "The tool timed out after 0.01 s."}
    assert isinstance(outcome.failure, TimeoutError)
    assert seen == ["cancelled"]


async def test_default_timeout(run: Run) -> None:
    async def tool() -> None:
        await asyncio.sleep(60)

    (outcome,) = await run(tool, default_timeout_s=0.01)
    assert isinstance(outcome.failure, TimeoutError)


async def test_a_tools_own_timeout_error_is_just_a_failure(run: Run) -> None:
    async def tool() -> None:
        raise TimeoutError("database")

    (outcome,) = await run(tool)
    assert outcome.response == {"error": "The tool failed."}


async def test_a_threads_late_result_is_discarded(make_call: MakeCall) -> None:
    release, ended = threading.Event(), threading.Event()

    @function_tool(timeout_s=0.01)
    def stuck() -> str:
        release.wait(10)
        ended.set()
        return "too late"

    def quick() -> str:
        return "quick"

    runner = Runner(Registry([stuck, quick]), max_concurrency=1)
    (outcome,) = await collect(runner, make_call("stuck"))
    assert isinstance(outcome.failure, TimeoutError)
    waiting = asyncio.create_task(collect(runner, make_call("quick")))
    await asyncio.sleep(0.02)
    assert not waiting.done()  # the stuck thread keeps the only place
    release.set()
    assert await waiting == [ToolOutcome({"output": "quick"})]
    assert ended.is_set()


async def test_a_sync_tool_does_not_block_the_loop(run: Run) -> None:
    release = threading.Event()

    def slow() -> str:
        return "released" if release.wait(10) else "never"

    task = asyncio.create_task(run(slow))
    for _ in range(100):
        await asyncio.sleep(0)
    release.set()  # the loop got here although the tool blocks
    assert await task == [ToolOutcome({"output": "released"})]


async def test_concurrency_is_bounded_and_otherwise_real(make_call: MakeCall) -> None:
    running, most = 0, 0

    async def tool(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return number

    runner = Runner(Registry([tool]), max_concurrency=3)
    answers = await asyncio.gather(*(collect(runner, make_call("tool", {"number": n})) for n in range(10)))
    assert [answer[0].response["output"] for answer in answers] == list(range(10))
    assert most == 3


async def test_cancelling_the_consumer_cancels_the_tool(make_call: MakeCall) -> None:
    started = asyncio.Event()
    seen: list[str] = []

    async def tool() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)  # cleaning up may take a moment
            seen.append("cleaned up")

    task = asyncio.create_task(collect(Runner(Registry([tool])), make_call("tool")))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cleaned up"]


async def test_a_tool_that_ignores_cancellation_does_not_hold_up_the_outcome(make_call: MakeCall) -> None:
    release = asyncio.Event()

    @function_tool(timeout_s=0.01)
    async def stubborn() -> str:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return "at last"

    outcomes = Runner(Registry([stubborn])).run(make_call("stubborn"), None)
    assert (await anext(outcomes)).response == {"error": "The tool timed out after 0.01 s."}
    release.set()
    with pytest.raises(StopAsyncIteration):
        await anext(outcomes)


async def test_a_stream_that_ignores_cancellation_is_ended(make_call: MakeCall) -> None:
    closed: list[str] = []

    @function_tool(timeout_s=0.01)
    async def stubborn() -> AsyncIterator[int]:
        number = 0
        try:
            while True:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    number += 1
                yield number
        finally:
            closed.append("closed")

    answers = await collect(Runner(Registry([stubborn])), make_call("stubborn"))
    assert [answer.will_continue for answer in answers] == [False]
    assert closed == ["closed"]


async def test_no_task_is_left_behind(make_call: MakeCall) -> None:
    async def tool() -> str:
        return "x"

    before = asyncio.all_tasks()
    await collect(Runner(Registry([tool])), make_call("tool"))
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


def cancel_myself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


async def test_a_tool_that_ends_without_an_answer_is_answered_for_at_once(run: Run) -> None:
    async def leaves() -> None:
        raise GeneratorExit

    async def cancels_itself() -> None:
        cancel_myself()
        await asyncio.sleep(60)

    async def cancels_itself_and_returns() -> str:
        cancel_myself()
        return "done"

    async def cancels_itself_and_hides_it() -> str:
        cancel_myself()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return "done"

    for tool in (leaves, cancels_itself, cancels_itself_and_returns, cancels_itself_and_hides_it):
        async with asyncio.timeout(1):
            (outcome,) = await run(tool, default_timeout_s=30)
        assert outcome.response == {"error": "The tool failed."}
        assert tool.__name__ in str(outcome.failure)


@pytest.mark.parametrize("waits", [True, False])
async def test_a_stream_that_ends_without_an_end_is_ended_at_once(run: Run, waits: bool) -> None:
    async def cancels_itself() -> AsyncIterator[str]:
        yield "one"
        yield "two"
        if waits:
            await asyncio.sleep(0.01)
        cancel_myself()
        yield "three"

    async def leaves() -> AsyncIterator[str]:
        yield "one"
        yield "two"
        if waits:
            await asyncio.sleep(0.01)
        raise GeneratorExit

    for tool in (cancels_itself, leaves):
        async with asyncio.timeout(1):
            outcomes = await run(tool, default_timeout_s=30)
        assert [outcome.response for outcome in outcomes] == [
            {"output": "one"},
            {"output": "two"},
            {"error": "The tool failed."},
        ]
        assert [outcome.will_continue for outcome in outcomes] == [True, True, False]


async def test_the_failure_of_a_call_that_ended_so_is_not_kept_for_later_ones(make_call: MakeCall) -> None:
    runs: list[int] = []

    @function_tool(dedupe_within_s=60)
    async def tool() -> str:
        runs.append(1)
        if len(runs) == 1:
            raise GeneratorExit
        return "done"

    runner = Runner(Registry([tool]))
    (first,) = await collect(runner, make_call("tool"))
    assert first.is_error
    assert await collect(runner, make_call("tool")) == [ToolOutcome({"output": "done"})]

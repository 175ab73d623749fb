import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from duologue.config import ToolOutcome
from duologue.events import ToolCall
from duologue.tools import Registry, Runner, function_tool

MakeCall = Callable[..., ToolCall]


async def collect(runner: Runner, call: ToolCall) -> list[ToolOutcome]:
    return [outcome async for outcome in runner.run(call, None)]


class Counter:
    """A tool that counts its runs, a clock to set, and a runner over both."""

    def __init__(self, make_call: MakeCall, *, fail: bool = False) -> None:
        self.runs, self.at, self.fail = 0, 0.0, fail
        self.gate = asyncio.Event()
        self.gate.set()

        @function_tool(dedupe_within_s=2.0)
        async def count() -> int:
            self.runs += 1
            run = self.runs
            await self.gate.wait()
            if self.fail:
                raise KeyError("x")
            return run

        self.runner = Runner(Registry([count]), now=lambda: self.at)
        self.ask = functools.partial(make_call, "count")

    async def call(self, key: str = "key") -> Any:
        (outcome,) = await collect(self.runner, self.ask(key=key))
        return outcome


async def test_a_repeated_call_gets_the_earlier_answer(make_call: MakeCall) -> None:
    counter = Counter(make_call)
    assert (await counter.call()).response == {"output": 1}
    counter.at = 1.99
    assert (await counter.call()).response == {"output": 1}
    assert (await counter.call("other")).response == {"output": 2}
    counter.at = 2.0
    assert (await counter.call()).response == {"output": 3}


async def test_calls_without_a_key_all_run(make_call: MakeCall) -> None:
    counter = Counter(make_call)
    assert [(await counter.call("")).response["output"] for _ in range(2)] == [1, 2]


async def test_simultaneous_repeats_share_one_run(make_call: MakeCall) -> None:
    counter = Counter(make_call)
    counter.gate.clear()
    tasks = [asyncio.create_task(counter.call()) for _ in range(3)]
    await asyncio.sleep(0.001)
    counter.gate.set()
    assert [outcome.response for outcome in await asyncio.gather(*tasks)] == [{"output": 1}] * 3
    assert counter.runs == 1


async def test_a_failure_is_shared_but_not_kept(make_call: MakeCall) -> None:
    counter = Counter(make_call, fail=True)
    counter.gate.clear()
    tasks = [asyncio.create_task(counter.call()) for _ in range(2)]
    await asyncio.sleep(0.001)
    counter.gate.set()
    outcomes = await asyncio.gather(*tasks)
    assert [outcome.is_error for outcome in outcomes] == [True, True]
    assert [outcome.failure is not None for outcome in outcomes] == [True, False]
    counter.fail = False
    assert (await counter.call()).response == {"output": 2}


async def test_when_the_first_is_cancelled_the_second_runs_itself(make_call: MakeCall) -> None:
    counter = Counter(make_call)
    counter.gate.clear()
    first, second = (asyncio.create_task(counter.call()) for _ in range(2))
    await asyncio.sleep(0.001)
    first.cancel()
    await asyncio.sleep(0.001)
    counter.gate.set()
    assert (await second).response == {"output": 2}
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_repeated_stream_is_replayed_whole(make_call: MakeCall) -> None:
    @function_tool(dedupe_within_s=2.0)
    async def tool() -> AsyncIterator[int]:
        yield 1
        yield 2

    runner = Runner(Registry([tool]), now=lambda: 0.0)
    first = await collect(runner, make_call("tool"))
    assert len(first) == 3
    assert await collect(runner, make_call("tool")) == first

"""The promise: every call ends in exactly one final outcome, whatever its tool does."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duologue.config import ToolOutcome
from duologue.events import ToolCall
from duologue.tools import Registry, Runner, function_tool

MakeCall = Callable[..., ToolCall]


async def collect(runner: Runner, call: ToolCall) -> list[ToolOutcome]:
    return [outcome async for outcome in runner.run(call, None)]


async def behave(what: str, steps: int) -> str:
    for _ in range(steps):
        await asyncio.sleep(0)
    if what == "raise":
        raise ValueError(what)
    if what == "exit":
        sys.exit(1)
    if what == "hang":
        await asyncio.sleep(60)
    if what == "stubborn":
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "after the end"
    return what


async def stream(what: str, steps: int) -> AsyncIterator[int]:
    for step in range(steps):
        yield step
        await asyncio.sleep(0)
    if what == "stream_raise":
        raise ValueError(what)


def thread(what: str, steps: int) -> str:
    return what * steps


@settings(deadline=None, max_examples=40)
@given(
    plans=st.lists(
        st.tuples(
            st.sampled_from(
                ["return", "raise", "exit", "hang", "stubborn", "stream", "stream_raise", "thread", "bad"]
            ),
            st.integers(0, 3),
        ),
        max_size=8,
    ),
    max_concurrency=st.integers(1, 3),
)
def test_every_call_ends_in_exactly_one_final_outcome(
    plans: list[tuple[str, int]], max_concurrency: int
) -> None:
    tools = {"stream": "stream", "stream_raise": "stream", "thread": "thread"}

    async def play() -> None:
        runner = Runner(
            Registry([behave, stream, thread]), default_timeout_s=0.02, max_concurrency=max_concurrency
        )
        calls = [
            ToolCall(
                str(n),
                tools.get(what, "behave"),
                {} if what == "bad" else {"what": what, "steps": steps},
                "g",
                "",
            )
            for n, (what, steps) in enumerate(plans)
        ]
        for outcomes in await asyncio.gather(*(collect(runner, call) for call in calls)):
            assert [outcome.will_continue for outcome in outcomes] == [True] * (len(outcomes) - 1) + [False]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(play())


@pytest.mark.slow
async def test_a_tool_that_never_ends_is_left_behind_after_a_second(make_call: MakeCall) -> None:
    release = asyncio.Event()

    @function_tool(timeout_s=0.01)
    async def immortal() -> None:
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()

    started_at = time.monotonic()
    (outcome,) = await collect(Runner(Registry([immortal])), make_call("immortal"))
    assert isinstance(outcome.failure, TimeoutError)
    assert 0.9 < time.monotonic() - started_at < 3
    release.set()

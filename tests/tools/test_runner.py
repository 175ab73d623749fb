import asyncio
import contextvars
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from duologue.config import ToolOutcome, ToolRunner
from duologue.errors import ConfigError, ToolError
from duologue.events import ToolCall
from duologue.tools import Registry, Runner, ToolContext, end_call, function_tool

MakeCall = Callable[..., ToolCall]
Run = Callable[..., Any]


async def collect(runner: Runner, call: ToolCall) -> list[ToolOutcome]:
    return [outcome async for outcome in runner.run(call, None)]


def test_runner_is_a_tool_runner() -> None:
    runner = Runner(Registry([end_call]))
    assert isinstance(runner, ToolRunner)
    assert runner.handles("end_call")
    assert not runner.handles("other")


async def test_unknown_tool_is_answered(make_call: MakeCall) -> None:
    (outcome,) = await collect(Runner(Registry()), make_call("nope"))
    assert outcome.response == {"error": "There is no tool named 'nope'."}
    assert outcome.is_error


@pytest.mark.parametrize("bound", ["default_timeout_s", "max_concurrency", "max_result_bytes"])
def test_bounds_must_be_positive(bound: str) -> None:
    options: dict[str, Any] = {bound: 0}
    with pytest.raises(ConfigError, match=bound):
        Runner(Registry(), **options)


async def test_sync_async_and_plain_functions(run: Run) -> None:
    def sync(city: str) -> str:
        return f"fog in {city}, {threading.current_thread() is threading.main_thread()}"

    async def coroutine(city: str) -> dict[str, Any]:
        return {"city": city, "main": threading.current_thread() is threading.main_thread()}

    assert await run(sync, {"city": "Bonn"}) == [ToolOutcome({"output": "fog in Bonn, False"})]
    assert await run(coroutine, {"city": "Bonn"}) == [ToolOutcome({"city": "Bonn", "main": True})]


async def test_sync_function_returning_a_coroutine_is_awaited(run: Run) -> None:
    async def later() -> str:
        return "done"

    def sync() -> Any:
        return later()

    assert await run(sync) == [ToolOutcome({"output": "done"})]


async def test_thread_sees_context_variables(run: Run) -> None:
    tenant = contextvars.ContextVar("tenant", default="nobody")
    tenant.set("acme")

    def who() -> str:
        return tenant.get()

    assert await run(who) == [ToolOutcome({"output": "acme"})]


async def test_context_is_injected(run: Run) -> None:
    seen: list[ToolContext] = []

    async def tool(context: ToolContext, a: int) -> int:
        seen.append(context)
        return a

    session = object()
    assert await run(tool, {"a": 1}, session) == [ToolOutcome({"output": 1})]
    assert seen == [ToolContext("call-1", "key", session)]


async def test_bad_arguments_are_told_and_nothing_runs(run: Run) -> None:
    ran: list[str] = []

    def tool(city: str) -> None:
        ran.append(city)

    (outcome,) = await run(tool, {"town": "Bonn"})
    assert outcome == ToolOutcome({"error": "argument 'city' is missing"}, is_error=True)
    assert ran == []


async def test_context_cannot_be_given_by_the_model(run: Run) -> None:
    async def tool(context: ToolContext) -> str:
        return context.call_id

    (outcome,) = await run(tool, {"context": {"call_id": "evil"}})
    assert outcome.is_error
    assert "'context' is unknown" in outcome.response["error"]


async def test_only_a_tool_errors_text_reaches_the_model(run: Run) -> None:
    async def told() -> None:
        raise ToolError("No such city.")

    def secret() -> None:
        raise KeyError("password=hunter2")

    assert await run(told) == [ToolOutcome({"error": "No such city."}, is_error=True)]
    (outcome,) = await run(secret)
    assert outcome.response == {"error": "The tool failed."}
    assert outcome.is_error
    assert isinstance(outcome.failure, KeyError)


class Odd(BaseException):
    pass


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(
    "raised", [SystemExit(3), StopIteration(), Odd(), asyncio.CancelledError()], ids=repr
)
async def test_odd_exceptions_are_failures(run: Run, raised: BaseException, kind: str) -> None:
    def sync() -> None:
        raise raised

    async def coroutine() -> None:
        raise raised

    (outcome,) = await run(sync if kind == "sync" else coroutine)
    assert outcome.response == {"error": "The tool failed."}
    assert isinstance(outcome.failure, RuntimeError)


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), GeneratorExit(), SystemExit(0)], ids=repr)
async def test_a_thread_cannot_end_the_program(run: Run, raised: BaseException) -> None:
    def tool() -> None:
        raise raised

    (outcome,) = await run(tool)
    assert outcome.response == {"error": "The tool failed."}
    assert outcome.failure is not None
    assert repr(raised) in str(outcome.failure)
    assert outcome.failure.__cause__ is raised


async def test_long_error_texts_are_cut(run: Run) -> None:
    async def tool() -> None:
        raise ToolError("x" * 100_000)

    (outcome,) = await run(tool)
    assert len(outcome.response["error"]) == 2000


async def test_results_that_cannot_be_sent(run: Run) -> None:
    def strange() -> Any:
        return object()

    def long() -> str:
        return "x" * 100

    (outcome,) = await run(strange)
    assert outcome.is_error
    assert "type object" in outcome.response["error"]
    assert outcome.failure is not None
    (outcome,) = await run(long, max_result_bytes=50)
    assert outcome.response["error"].startswith(
        "The tool ran, but its result is too large to send: 113 bytes"
    )


async def test_scheduling_comes_from_the_tool(run: Run) -> None:
    @function_tool(behavior="NON_BLOCKING", scheduling="INTERRUPT")
    async def tool(ok: bool) -> str:
        if not ok:
            raise ToolError("no")
        return "yes"

    assert [outcome.scheduling for outcome in await run(tool, {"ok": True})] == ["INTERRUPT"]
    assert [outcome.scheduling for outcome in await run(tool, {"ok": False})] == ["INTERRUPT"]


async def test_a_stream_sends_each_item_at_once_and_ends_silently(make_call: MakeCall) -> None:
    release = asyncio.Event()

    async def search(query: str) -> AsyncIterator[str]:
        yield f"looking for {query}"
        await release.wait()
        yield "found"

    outcomes = Runner(Registry([search])).run(make_call("search", {"query": "x"}), None)
    assert await anext(outcomes) == ToolOutcome({"output": "looking for x"}, will_continue=True)
    release.set()
    assert [outcome async for outcome in outcomes] == [
        ToolOutcome({"output": "found"}, will_continue=True),
        ToolOutcome({}, scheduling="SILENT"),
    ]


async def test_an_empty_stream_still_answers(run: Run) -> None:
    async def tool() -> AsyncIterator[str]:
        nothing: list[str] = []
        for item in nothing:
            yield item

    assert await run(tool) == [ToolOutcome({"output": None})]


async def test_a_stream_that_fails_ends_in_one_error(run: Run) -> None:
    async def tool() -> AsyncIterator[str]:
        yield "begun"
        raise ToolError("lost it")

    assert await run(tool) == [
        ToolOutcome({"output": "begun"}, will_continue=True),
        ToolOutcome({"error": "lost it"}, is_error=True),
    ]


async def test_leaving_a_stream_early_closes_it(make_call: MakeCall) -> None:
    closed: list[str] = []

    async def tool() -> AsyncIterator[int]:
        try:
            for number in range(1000):
                yield number
        finally:
            closed.append("closed")

    outcomes = Runner(Registry([tool])).run(make_call("tool"), None)
    assert (await anext(outcomes)).response == {"output": 0}
    await outcomes.aclose()
    assert closed == ["closed"]


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("answer", [True, False])
async def test_confirmation(run: Run, answer: bool, is_async: bool) -> None:
    asked: list[tuple[str, Mapping[str, Any]]] = []
    paid: list[float] = []

    def ask(context: ToolContext, arguments: Mapping[str, Any]) -> bool:
        asked.append((context.call_id, arguments))
        return answer

    async def ask_later(context: ToolContext, arguments: Mapping[str, Any]) -> bool:
        return ask(context, arguments)

    @function_tool(confirm=ask_later if is_async else ask)
    async def pay(amount: float, context: ToolContext) -> str:
        paid.append(amount)
        return "paid"

    (outcome,) = await run(pay, {"amount": 5})
    assert asked == [("call-1", {"amount": 5.0})]
    if answer:
        assert (outcome, paid) == (ToolOutcome({"output": "paid"}), [5.0])
    else:
        text = "The user or the application declined this call."
        assert (outcome, paid) == (ToolOutcome({"error": text}, is_error=True), [])


async def test_a_confirmation_that_fails_declines(run: Run) -> None:
    ran: list[int] = []

    def ask(context: ToolContext, arguments: Mapping[str, Any]) -> bool:
        raise OSError("no terminal")

    @function_tool(confirm=ask)
    def tool() -> None:
        ran.append(1)

    (outcome,) = await run(tool)
    assert outcome.response == {"error": "The tool failed."}
    assert isinstance(outcome.failure, OSError)
    assert ran == []


async def test_bad_arguments_are_not_put_to_the_user(run: Run) -> None:
    asked: list[int] = []

    def ask(context: ToolContext, arguments: Mapping[str, Any]) -> bool:
        asked.append(1)
        return True

    @function_tool(confirm=ask)
    def tool(a: int) -> None: ...

    (outcome,) = await run(tool, {"a": "x"})
    assert outcome.is_error
    assert asked == []


async def test_end_call_hangs_up_on_the_loops_thread(run: Run) -> None:
    class Phone:
        hung_up_in: threading.Thread | None = None

        def hang_up(self) -> None:
            self.hung_up_in = threading.current_thread()

    phone = Phone()
    (outcome,) = await run(end_call, {}, phone)
    assert not outcome.is_error
    assert phone.hung_up_in is threading.main_thread()


def test_a_hanging_tool_does_not_hold_up_the_end_of_the_process() -> None:
    code = """
import asyncio, threading
from duologue.events import ToolCall
from duologue.tools import Registry, Runner, function_tool

@function_tool(timeout_s=0.01)
def hang() -> None:
    threading.Event().wait()

async def main() -> None:
    async for outcome in Runner(Registry([hang])).run(ToolCall("1", "hang", {}, "g", "k"), None):
        print(outcome.response["error"])

asyncio.run(main())
"""
    started_at = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout.strip() == "The tool timed out after 0.01 s."
    assert done.stderr == ""
    assert time.monotonic() - started_at < 15

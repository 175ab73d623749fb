"""Run tool calls: whatever happens inside a tool, each call ends in exactly one final outcome."""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from duologue.config import ToolOutcome
from duologue.errors import ConfigError, ToolError
from duologue.tools.arguments import read_arguments
from duologue.tools.declare import FunctionTool, ToolContext
from duologue.tools.dedupe import RecentCalls
from duologue.tools.results import ResultError, response_of
from duologue.tools.threads import Threads

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from duologue.events import ToolCall
    from duologue.tools.registry import Registry

__all__ = ["Runner"]

_CLEANUP_GRACE_S = 1.0
_MAX_ERROR_CHARACTERS = 2000

AnyTool = FunctionTool[..., Any]
Results = asyncio.Queue[ToolOutcome]


class Runner:
    """Runs the tools of a registry; implements ``duologue.config.ToolRunner``.

    Sync functions run in threads, async ones on the loop. A result becomes the response object
    (see ``response_of``), a failure ``{"error": text}``: a ``ToolError``'s own text, a generic
    sentence for any other exception, which is handed to the application as ``failure``. Belongs to
    one event loop.

    Args:
        registry: The tools.
        default_timeout_s: For tools that name none; counts from the call, so waiting for a free
            place and for ``confirm=`` is part of it.
        max_concurrency: Calls that run at once; others wait. Also the number of threads: one whose
            call timed out keeps its place until it ends.
        max_result_bytes: Largest response as JSON; a larger one becomes an error.
        now: Seconds of a clock that never goes back; measures ``dedupe_within_s`` only.

    Raises:
        ConfigError: A bound is not positive.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        default_timeout_s: float = 30.0,
        max_concurrency: int = 16,
        max_result_bytes: int = 64 * 1024,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        if not (default_timeout_s > 0 and max_concurrency > 0 and max_result_bytes > 0):
            msg = "Runner: default_timeout_s, max_concurrency and max_result_bytes must be positive"
            raise ConfigError(msg)
        self._registry = registry
        self._default_timeout_s = default_timeout_s
        self._max_result_bytes = max_result_bytes
        self._places = asyncio.Semaphore(max_concurrency)
        self._threads = Threads(max_concurrency)
        self._recent = RecentCalls(now)

    def handles(self, name: str) -> bool:
        """Tell whether a function of this name is registered."""
        return self._registry.get(name) is not None

    async def run(self, call: ToolCall, session: object) -> AsyncGenerator[ToolOutcome, None]:
        """Run one call: ``will_continue`` outcomes as they come, then one final outcome.

        Never raises an exception of the tool's. Cancelling the consuming task, or closing this
        iterator, cancels the tool and gives it a second to clean up; a thread goes on and its late
        result is discarded. A tool that ignores its cancellation does not hold up the outcome.
        """
        tool = self._registry.get(call.name)
        if tool is None:
            yield _error(f"There is no tool named {call.name[:64]!r}.")
            return
        fresh = self._run(tool, call, ToolContext(call.call_id, call.idempotency_key, session))
        shared = tool.dedupe_within_s is not None and bool(call.idempotency_key)
        async with aclosing(self._once(tool, call.idempotency_key, fresh) if shared else fresh) as outcomes:
            async for outcome in outcomes:
                yield outcome

    async def _once(
        self, tool: AnyTool, key: str, fresh: AsyncGenerator[ToolOutcome, None]
    ) -> AsyncGenerator[ToolOutcome, None]:
        """Replay the answer of an earlier call with the same key, or make a new one."""
        key = f"{tool.name} {key}"
        while (earlier := self._recent.find(key)) is not None:
            await asyncio.wait({earlier.outcomes})
            if not earlier.outcomes.cancelled():
                for outcome in earlier.outcomes.result():
                    yield replace(outcome, failure=None)  # reported once already
                return
        earlier = self._recent.begin(key)
        seen: list[ToolOutcome] = []
        try:
            async with aclosing(fresh):
                async for outcome in fresh:
                    seen.append(outcome)
                    if not outcome.will_continue:
                        self._recent.end(key, earlier, tuple(seen), tool.dedupe_within_s or 0.0)
                    yield outcome
        finally:
            if not earlier.outcomes.done():
                self._recent.end(key, earlier, tuple(seen), 0.0)

    async def _run(
        self, tool: AnyTool, call: ToolCall, context: ToolContext
    ) -> AsyncGenerator[ToolOutcome, None]:
        """Start the tool in a task of its own and pass on what it has to tell, until the deadline.

        A task, because waiting for a queue can always be ended, and waiting for a tool cannot.
        """
        timeout_s = tool.timeout_s if tool.timeout_s is not None else self._default_timeout_s
        deadline = asyncio.get_running_loop().time() + timeout_s
        results: Results = asyncio.Queue(1)
        task = asyncio.create_task(
            self._work(tool, call, context, results), name=f"duologue-tool-{tool.name}"
        )
        task.add_done_callback(lambda done: _put_end(done, results))
        try:
            more = True
            while more:
                if task.done():
                    _put_end(task, results)
                try:
                    async with asyncio.timeout_at(deadline):
                        outcome = await results.get()
                except TimeoutError:
                    task.cancel()
                    text = f"The tool timed out after {timeout_s:g} s."
                    outcome = _error(
                        text, TimeoutError(f"tool {tool.name!r} timed out after {timeout_s:g} s")
                    )
                more = outcome.will_continue
                yield replace(outcome, scheduling=outcome.scheduling or tool.scheduling)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=_CLEANUP_GRACE_S)

    async def _work(self, tool: AnyTool, call: ToolCall, context: ToolContext, results: Results) -> None:
        """Put every outcome of one call into the queue; the last one is final."""
        try:
            async with self._places:
                final = await self._attempt(tool, call, context, results)
        except ToolError as exc:
            final = _error(str(exc)[:_MAX_ERROR_CHARACTERS])
        except ResultError as exc:
            final = _error(str(exc), exc)
        except asyncio.CancelledError as exc:
            if _cancelled():
                raise  # by us: nobody is waiting any more
            final = _error("The tool failed.", RuntimeError(f"tool {tool.name!r} cancelled itself: {exc!r}"))
        except Exception as exc:
            final = _error("The tool failed.", exc)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as exc:
            # A tool that calls sys.exit() has failed; the conversation must not end with it.
            failure = RuntimeError(f"tool {tool.name!r} raised {exc!r}")
            failure.__cause__ = exc
            final = _error("The tool failed.", failure)
        if not _cancelled():
            await results.put(final)

    async def _attempt(
        self, tool: AnyTool, call: ToolCall, context: ToolContext, results: Results
    ) -> ToolOutcome:
        arguments = read_arguments(tool, call.arguments)
        if tool.confirm is not None and not await self._confirmed(tool, context, arguments):
            return _error("The user or the application declined this call.")
        if tool.context_parameter is not None:
            arguments[tool.context_parameter] = context
        if tool.kind == "stream":
            return await self._stream(tool, arguments, results)
        if tool.kind == "async":
            result = await tool.function(**arguments)
        else:
            result = await self._call(functools.partial(tool.function, **arguments), tool.name)
        return ToolOutcome(response_of(result, self._max_result_bytes))

    async def _stream(self, tool: AnyTool, arguments: Mapping[str, Any], results: Results) -> ToolOutcome:
        """Send each item at once; the end is an empty result that asks for no words of its own."""
        sent = False
        async with aclosing(cast("AsyncGenerator[Any, None]", tool.function(**arguments))) as items:
            async for item in items:
                response = response_of(item, self._max_result_bytes)
                if _cancelled():
                    break  # the tool ignored it; nobody reads its results any more
                await results.put(ToolOutcome(response, will_continue=True))
                sent = True
        return ToolOutcome({}, scheduling="SILENT") if sent else ToolOutcome({"output": None})

    async def _confirmed(self, tool: AnyTool, context: ToolContext, arguments: Mapping[str, Any]) -> bool:
        confirm: Any = tool.confirm
        if inspect.iscoroutinefunction(confirm):
            return bool(await confirm(context, dict(arguments)))
        return bool(await self._call(functools.partial(confirm, context, dict(arguments)), tool.name))

    async def _call(self, function: Callable[[], Any], name: str) -> Any:
        """Call a sync function in a thread; what it returns may still turn out to be awaitable."""
        result = await self._threads.run(function, f"duologue-tool-{name}")
        return await result if inspect.isawaitable(result) else result


def _put_end(task: asyncio.Task[None], results: Results) -> None:
    """Answer for a tool whose task is over and has put no answer: it cancelled itself or raised GeneratorExit.

    When an answer waits to be read, there is nothing to do; one nobody waits for any more does no harm.
    """
    raised = None if task.cancelled() else task.exception()
    if results.empty():
        how = "was cancelled" if raised is None else f"raised {raised!r}"
        failure = RuntimeError(f"{task.get_name()} {how} and gave no answer")
        results.put_nowait(_error("The tool failed.", failure))


def _cancelled() -> bool:
    """Tell whether the tool's task was told to end, even if the tool took no notice."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _error(text: str, failure: Exception | None = None) -> ToolOutcome:
    return ToolOutcome({"error": text}, is_error=True, failure=failure)

"""Tool calls of one session while they run: one task each, its outcomes told to the core."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from duologue.config import ToolOutcome
from duologue.errors import SessionClosed

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from duologue.config import Clock, ToolRunner
    from duologue.core.session import Session
    from duologue.events import ToolCall

__all__ = ["ToolRuns"]


class ToolRuns:
    """Starts, follows and cancels the calls that a runner has a function for.

    Args:
        core: Told every outcome.
        runner: Runs them; None leaves every call to the application.
        owner: What tools get as their session.
        clock: Time for the core.
        pump: Called after the core was told something.
    """

    def __init__(
        self,
        core: Session,
        runner: ToolRunner | None,
        *,
        owner: object,
        clock: Clock,
        pump: Callable[[], None],
    ) -> None:
        self._core = core
        self._runner = runner
        self._owner = owner
        self._clock = clock
        self._pump = pump
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, call: ToolCall, group: asyncio.TaskGroup) -> asyncio.Task[None] | None:
        """Run a call in a task of ``group``; None when it is the application's to answer."""
        runner = self._runner
        if runner is None or not runner.handles(call.name):
            return None
        task = self._tasks[call.call_id] = group.create_task(self._run(runner, call))
        return task

    def cancel(self, call_id: str) -> None:
        """Cancel a run; nothing when there is none."""
        task = self._tasks.pop(call_id, None)
        if task is not None:
            task.cancel()

    async def _run(self, runner: ToolRunner, call: ToolCall) -> None:
        try:
            # Closing the run, also when this task is cancelled between two outcomes, cancels the tool.
            async with contextlib.aclosing(runner.run(call, self._owner)) as outcomes:
                async for outcome in outcomes:
                    self._tell(call, outcome)
        except Exception as error:  # somebody else's runner, or an outcome that JSON cannot hold
            self._tell(call, ToolOutcome({"error": "The tool failed."}, is_error=True, failure=error))

    def _tell(self, call: ToolCall, outcome: ToolOutcome) -> None:
        if outcome.failure is not None:
            self._core.report_error(outcome.failure)
        if not outcome.will_continue:
            self._tasks.pop(call.call_id, None)  # ended: nothing is left to cancel
        with contextlib.suppress(SessionClosed):  # the session ended meanwhile, the call with it
            self._core.tool_result(
                call.call_id,
                outcome.response,
                self._clock.now(),
                is_error=outcome.is_error,
                scheduling=outcome.scheduling,
                will_continue=outcome.will_continue,
            )
        self._pump()

"""Helpers for the tool tests: calls as the session hands them over, and a runner that collects."""

import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from duologue.config import ToolOutcome
from duologue.events import ToolCall
from duologue.tools import Registry, Runner

Run = Callable[..., Any]


@pytest.fixture
def make_call() -> Callable[..., ToolCall]:
    numbers = itertools.count(1)

    def make(name: str, arguments: Mapping[str, Any] | None = None, *, key: str = "key") -> ToolCall:
        return ToolCall(f"call-{next(numbers)}", name, arguments or {}, "gen-1", key)

    return make


@pytest.fixture
def run(make_call: Callable[..., ToolCall]) -> Run:
    """Run one call of one tool to its end; returns its outcomes."""

    async def run_tool(
        tool: Any, arguments: Mapping[str, Any] | None = None, session: object = None, **options: Any
    ) -> list[ToolOutcome]:
        registry = Registry([tool])
        runner = Runner(registry, **options)
        name = next(iter(registry)).name
        outcomes: AsyncIterator[ToolOutcome] = runner.run(make_call(name, arguments), session)
        return [outcome async for outcome in outcomes]

    return run_tool

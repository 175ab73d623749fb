"""What type checkers see: the decorated function keeps its signature.

``assert_type`` is checked by mypy, which runs over the tests; the functions only have to exist.
"""

from collections.abc import AsyncIterator, Awaitable, Coroutine
from typing import TYPE_CHECKING, Any, assert_type

from duologue.tools import FunctionTool, Registry, ToolContext, function_tool


@function_tool
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@function_tool(
    name="ask", timeout_s=5.0, confirm=lambda context, arguments: bool(arguments) and bool(context)
)
async def ask(question: str, *, context: ToolContext | None = None) -> str:
    """Ask somebody."""
    return question


@function_tool
async def count(to: int) -> AsyncIterator[int]:
    """Count."""
    for number in range(to):
        yield number


def test_results_keep_their_types() -> None:
    assert_type(add(1, b=2), int)
    if TYPE_CHECKING:
        _ = assert_type(ask("why"), Coroutine[Any, Any, str])
        assert_type(count(3), AsyncIterator[int])
        awaitable: Awaitable[str] = ask("why", context=None)
        callable_again: FunctionTool[..., Any] = add
        add("one")  # type: ignore[arg-type]  # must be an error
        add(1, c=2)  # type: ignore[call-arg]  # must be an error
        _ = ask(question=5)  # type: ignore[arg-type]  # must be an error
        function_tool(timeout_s="5")  # type: ignore[call-overload]  # must be an error
        _ = awaitable
        function_tool(callable_again)
    assert len(Registry([add, ask, count, print_it])) == 4


def print_it(text: str) -> None:
    """Print a text."""

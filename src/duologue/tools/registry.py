"""The tools of a session, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from duologue.checks import check_value, shown
from duologue.errors import ConfigError
from duologue.tools.declare import FunctionTool, function_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Registry"]

_MAX_DECLARATIONS = 512


class Registry:
    """Tools in the order given, no two of one name. Never changes; make a new one instead.

    Args:
        tools: Tools, or plain functions, which are declared with all defaults.

    Raises:
        ConfigError: No sequence, more than 512, two have the same name, or a function cannot be declared.
    """

    def __init__(self, tools: Sequence[FunctionTool[..., Any] | Callable[..., Any]] = ()) -> None:
        check_value("tools", tools, Sequence[Any])
        if len(tools) > _MAX_DECLARATIONS:
            msg = f"{len(tools)} tools are too many: the service takes at most {_MAX_DECLARATIONS}"
            raise ConfigError(msg)
        self._by_name: dict[str, FunctionTool[..., Any]] = {}
        for number, given in enumerate(tools):
            if not callable(given):
                raise ConfigError(
                    f"tools[{number}] is {shown(given)}; give functions or what @function_tool makes of them"
                )
            tool = _as_tool(given)
            if tool.name in self._by_name:
                msg = f"two tools are called {tool.name!r}; rename one with @function_tool(name=...)"
                raise ConfigError(msg)
            self._by_name[tool.name] = tool

    def get(self, name: str) -> FunctionTool[..., Any] | None:
        """Find a tool; None if there is none of this name."""
        return self._by_name.get(name)

    def declarations(self) -> list[dict[str, Any]]:
        """Build the wire's FunctionDeclarations."""
        return [tool.declaration() for tool in self._by_name.values()]

    def __iter__(self) -> Iterator[FunctionTool[..., Any]]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)


def _as_tool(given: FunctionTool[..., Any] | Callable[..., Any]) -> FunctionTool[..., Any]:
    if isinstance(given, FunctionTool):
        return cast("FunctionTool[..., Any]", given)
    return function_tool(given)

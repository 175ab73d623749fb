"""Arguments as a model sends them: checked, then made what the function expects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from duologue.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duologue.tools.declare import FunctionTool

__all__ = ["MAX_ARGUMENT_BYTES", "read_arguments"]

MAX_ARGUMENT_BYTES = 64 * 1024


def read_arguments(
    tool: FunctionTool[..., Any], arguments: Mapping[str, Any], *, max_bytes: int = MAX_ARGUMENT_BYTES
) -> dict[str, Any]:
    """Check a call's arguments against the tool's declaration and build the Python values.

    Nothing is coerced but whole floats to integers; unknown names are refused at every depth. Does
    not fill in defaults: the function does.

    Args:
        tool: The tool that was called.
        arguments: The decoded JSON object of the call.
        max_bytes: Largest size of the arguments as JSON.

    Returns:
        Keyword arguments for the function, without the ``ToolContext``.

    Raises:
        ToolError: They don't fit; the text says which and why, for the model to try again.
    """
    import msgspec

    try:
        size = len(msgspec.json.encode(arguments))
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        msg = "the arguments are not valid JSON"
        raise ToolError(msg) from exc
    if size > max_bytes:
        msg = f"the arguments are too long: {size} bytes, at most {max_bytes} are accepted"
        raise ToolError(msg)
    values: dict[str, Any] = tool.arguments.read(arguments, "")
    return values

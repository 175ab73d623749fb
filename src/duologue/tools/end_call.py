"""A tool with which the model hangs up."""

from __future__ import annotations

from duologue.tools.declare import ToolContext, function_tool

__all__ = ["end_call"]


@function_tool(on_lost="abandon")
async def end_call(context: ToolContext) -> str:
    """End the call. Say goodbye first; use this only when the other side is done as well."""
    # async, so that it runs on the loop's thread; the session waits until the goodbye has been heard.
    context.session.hang_up()
    return "The call ends once your words have been heard. Say nothing more."

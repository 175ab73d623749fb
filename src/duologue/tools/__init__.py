"""Tools: functions the model may call.

Declare one with ``function_tool``, hand it to ``connect(tools=[...])``. Importing this package loads
neither docstring_parser nor msgspec nor pydantic: they are imported when first needed.
"""

from __future__ import annotations

from duologue.tools.arguments import read_arguments
from duologue.tools.declare import Confirm, FunctionTool, ToolContext, function_tool
from duologue.tools.end_call import end_call
from duologue.tools.hints import FreeForm
from duologue.tools.registry import Registry
from duologue.tools.runner import Runner
from duologue.tools.schema import google_schema

__all__ = [
    "Confirm",
    "FreeForm",
    "FunctionTool",
    "Registry",
    "Runner",
    "ToolContext",
    "end_call",
    "function_tool",
    "google_schema",
    "read_arguments",
]

"""Tools out of a Python file that the user names."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from typing import TYPE_CHECKING, Any, cast

from duologue.errors import ConfigError, DuologueError
from duologue.tools import FunctionTool

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["load_tools"]


def load_tools(path: Path) -> list[FunctionTool[..., Any]]:
    """Run a Python file and return the ``@function_tool`` functions in it, in order.

    The file is the user's own program: it is run with all rights, beside this one. Its folder is not
    put on the path.

    Raises:
        ConfigError: It cannot be read or run, or holds no tool; names the file and the line.
    """
    if not path.is_file():
        kind = "is a folder" if path.is_dir() else "is not there"
        raise ConfigError(f"the tools file {path} {kind}; give a Python file with @function_tool functions")
    spec = importlib.util.spec_from_file_location("duologue_tools_file", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"the tools file {path} is no Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except DuologueError:
        raise
    except SyntaxError as error:
        raise ConfigError(f"the tools file {path} is not Python: line {error.lineno}: {error.msg}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a stranger's file does when it is run, sys.exit() included
        raise ConfigError(_what_it_raised(path, spec.origin, error)) from error
    found = cast(
        "list[FunctionTool[..., Any]]",
        [value for value in vars(module).values() if isinstance(value, FunctionTool)],
    )
    tools = list({id(tool): tool for tool in found}.values())  # one may go by two names
    if not tools:
        raise ConfigError(f"the tools file {path} holds no tool: put @function_tool above its functions")
    return tools


def _what_it_raised(path: Path, file_name: str | None, error: BaseException) -> str:
    lines = [
        line
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == file_name
    ]
    where = f" in line {lines[-1]}" if lines else ""
    did = (
        f"ended the program ({error!r})"
        if isinstance(error, SystemExit)
        else f"raised {type(error).__name__}: {error}"
    )
    return f"the tools file {path} {did}{where}; it must be possible to import it"

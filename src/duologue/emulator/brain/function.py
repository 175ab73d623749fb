"""Use a plain function as a brain: the shortest way to script the emulator from a test."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from duologue.emulator.protocols import Prompt, Reply
from duologue.errors import ConfigError

__all__ = ["BrainFunction", "FunctionBrain"]

BrainFunction = Callable[[Prompt], "Reply | str | Awaitable[Reply | str]"]
"""From a prompt to a reply, or to the words of one; may be a coroutine function."""


class FunctionBrain:
    """A brain (see ``protocols.Brain``) whose thoughts are one function's.

    A plain function runs in the event loop and must be quick; a slow one belongs into a coroutine function. What
    it raises is not caught here.

    Args:
        function: Takes a ``Prompt``, returns (or is awaited for) a ``Reply`` or a ``str``.

    Raises:
        ConfigError: ``function`` is not callable.
    """

    def __init__(self, function: BrainFunction) -> None:
        if not callable(function):
            raise ConfigError(
                f"A brain must be a name, a Brain or a function, not {type(function).__name__}."
            )
        self._function = function

    async def think(self, prompt: Prompt) -> Reply:
        """Return what the function says to ``prompt``; a ``str`` becomes the words of a reply.

        Raises:
            ConfigError: The function returned neither a ``Reply`` nor a ``str``.
        """
        given: Any = self._function(prompt)
        answer: Any = await given if inspect.isawaitable(given) else given
        if isinstance(answer, str):
            return Reply(answer)
        if isinstance(answer, Reply):
            return answer
        name = getattr(self._function, "__name__", type(self._function).__name__)
        raise ConfigError(
            f"The brain function {name!r} returned {type(answer).__name__}: it must be a Reply or a str."
        )

    async def aclose(self) -> None:
        """Do nothing: a function holds nothing open."""

"""Brains for the emulator: what to say next, and which declared tool to call.

``demo`` needs nothing but this package, ``scripted:FILE`` plays a TOML script in tests, a URL asks any
OpenAI-compatible endpoint, and a plain function will do as well. :func:`make_brain` picks one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from duologue.emulator.brain.function import BrainFunction, FunctionBrain
from duologue.emulator.protocols import Brain
from duologue.errors import ConfigError

if TYPE_CHECKING:
    from duologue.emulator.brain.demo import DemoBrain as DemoBrain
    from duologue.emulator.brain.openai import OpenAIBrain as OpenAIBrain
    from duologue.emulator.brain.scripted import ScriptedBrain as ScriptedBrain

__all__ = ["BrainFunction", "FunctionBrain", "make_brain"]


def make_brain(spec: str | Brain | BrainFunction | None = None, *, url: str | None = None) -> Brain:
    """Return the brain that ``spec`` or ``url`` names.

    It opens no connection and asks no model: a wrong ``url`` shows at the first thought.

    Args:
        spec: ``"demo"`` (or None), ``"scripted:FILE"`` with a TOML file, a :class:`Brain`, which is returned as it
            is, or a function or coroutine function from ``Prompt`` to ``Reply`` or ``str``.
        url: Base URL of an OpenAI-compatible endpoint, such as ``http://127.0.0.1:11434/v1``; excludes ``spec``.

    Raises:
        ConfigError: The spec is not known, the script cannot be used, or both arguments were given.
    """
    if url is not None:
        if spec is not None:
            raise ConfigError("Both a brain and a brain URL were given: name one of them.")
        from duologue.emulator.brain.openai import OpenAIBrain

        return OpenAIBrain(url)
    if isinstance(spec, Brain):
        return spec
    if spec is not None and not isinstance(spec, str):
        return FunctionBrain(spec)
    if spec is None or spec == "demo":
        from duologue.emulator.brain.demo import DemoBrain

        return DemoBrain()
    kind, _, file = spec.partition(":")
    if kind == "scripted" and file:
        from duologue.emulator.brain.scripted import ScriptedBrain

        return ScriptedBrain.from_file(Path(file))
    raise ConfigError(f"There is no brain {spec!r}: use 'demo' or 'scripted:FILE' with a TOML file.")

"""Who is told: the older callback object first, then the transport's own callbacks."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from duologue.errors import ConfigError
from duologue.transport.values import TransportError

if TYPE_CHECKING:
    from duologue.transport.base import TransportCallbacks

__all__ = ["Dispatch", "check_callback"]

_log = logging.getLogger("duologue.transport")

_LEGACY: Final[Mapping[str, str]] = {
    "on_session_ready": "on_setup_complete",
    "on_audio_output": "on_audio_output",
    "on_tool_call": "on_tool_call",
    "on_tool_call_cancel": "on_tool_call_cancellation",
    "on_turn_complete": "on_turn_complete",
    "on_interrupted": "on_interrupted",
    "on_model_turn_start": "on_model_turn_start",
    "on_input_transcription": "on_input_transcription",
    "on_output_transcription": "on_output_transcription",
    "on_go_away": "on_go_away",
    "on_resumption_update": "on_resumption_update",
    "on_grounding_metadata": "on_grounding_metadata",
    "on_error": "on_error",
    "on_close": "on_close",
}


def check_callback(name: str, value: object) -> None:
    """Refuse what could not be called or would never be awaited.

    Raises:
        TypeError: Says which and why.
    """
    if value is not None and not callable(value):
        raise TypeError(f"{name} is a {type(value).__name__}, which cannot be called")
    if inspect.iscoroutinefunction(value):
        raise TypeError(f"{name} is a coroutine function: nothing would await it; give a plain function")


class Dispatch:
    """Calls both paths of an event; what one raises stops neither the other nor the reader.

    Args:
        slots: Whose ``on_...`` attributes are called.
        legacy: An object or mapping with callbacks under their older names; ``on_error`` of it gets the
            bare exception.

    Raises:
        ConfigError: A mapping with a key that is no callback.
        TypeError: A callback that is a coroutine function.
    """

    def __init__(self, slots: TransportCallbacks, legacy: object | Mapping[str, object] | None) -> None:
        self._slots = slots
        self._legacy = _functions(legacy)

    def fire(self, name: str, *arguments: Any) -> None:
        """Tell everybody who wants to know."""
        older = self._legacy.get(name)
        if older is not None:
            bare = (arguments[0].error,) if name == "on_error" else arguments
            self._call(name, older, bare)
        current = getattr(self._slots, name)
        if current is not None:
            self._call(name, current, arguments)

    def _call(self, name: str, function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        try:
            function(*arguments)
        except Exception as error:  # one callback's mistake must not stop the reader
            if name == "on_error":
                _log.exception("on_error itself failed")
            else:
                self.fire("on_error", TransportError(error, recoverable=True))


def _functions(legacy: object | Mapping[str, object] | None) -> dict[str, Callable[..., object]]:
    if legacy is None:
        return {}
    if isinstance(legacy, Mapping):
        given = cast("Mapping[str, object]", legacy)
        unknown = sorted(set(given) - set(_LEGACY.values()))
        if unknown:
            raise ConfigError(f"there is no callback {unknown[0]!r}; there are {', '.join(_LEGACY.values())}")
        found = {name: given.get(old) for name, old in _LEGACY.items()}
    else:
        found = {name: getattr(legacy, old, None) for name, old in _LEGACY.items()}
    for name, function in found.items():
        check_callback(_LEGACY[name], function)
    return {
        name: cast("Callable[..., object]", function)
        for name, function in found.items()
        if function is not None
    }

"""Words for people, the same on the screen, in the transcript and in the picture."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["call_text", "clean", "clock_text", "length_text", "result_text"]

_MAX_RESULT_CHARS = 400


def clean(text: str) -> str:
    """Return text on one line without control characters: what comes from outside may hold escape codes."""
    kept = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") else c for c in text)
    return " ".join(kept.split())


def call_text(name: str, arguments: Mapping[str, Any]) -> str:
    """Return a call as one would write it: ``get_weather(city="London")``."""
    given = (f"{clean(key)}={_value(value)}" for key, value in arguments.items())
    return f"{clean(name)}({', '.join(given)})"


def result_text(result: Mapping[str, Any] | None, *, limit: int = _MAX_RESULT_CHARS) -> str:
    """Return a tool's result, without its wrapper, cut to a length."""
    if result is None:
        return "none"
    only: Any = next(iter(result.values())) if len(result) == 1 else result
    text = clean(only) if isinstance(only, str) else _value(only)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def clock_text(at_s: float) -> str:
    """Return an instant as minutes and seconds: ``0:07.4``."""
    tenths = round(max(0.0, at_s) * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def length_text(duration_s: float) -> str:
    """Return a length of time: ``25.2 s``, ``2 min 5 s``."""
    if duration_s < 60:
        return f"{duration_s:.1f} s"
    seconds = round(duration_s)
    return f"{seconds // 60} min {seconds % 60} s"


def _value(value: object) -> str:
    return clean(json.dumps(value, ensure_ascii=False, default=str))

"""What a docstring tells the model: the tool's purpose and the meaning of each parameter."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Documentation", "read_docstring"]

_SECTION_MARKS = (":", "---", "@")
"""No style has sections without one of these; most tools' docstrings need no parser, then."""


@dataclass(frozen=True, slots=True)
class Documentation:
    """A docstring taken apart."""

    summary: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


def read_docstring(documented: Any) -> Documentation:
    """Parse the docstring of a function or class in Google, NumPy or reST style.

    Sections about returns, exceptions and examples are left out: they are for programmers. Does not
    fail on a malformed docstring: all of it is the summary then.
    """
    text = inspect.cleandoc(getattr(documented, "__doc__", None) or "")
    if not text or text.startswith(f"{getattr(documented, '__name__', '')}("):
        return Documentation()  # none, or the signature that a dataclass writes for itself
    if not any(mark in text for mark in _SECTION_MARKS):
        return Documentation(text)
    from docstring_parser import ParseError, parse

    try:
        parsed = parse(text)
    except ParseError:
        return Documentation(text)
    paragraphs = [part.strip() for part in (parsed.short_description, parsed.long_description) if part]
    parameters = {
        name.strip().lstrip("*"): " ".join(part.description.split())
        for part in parsed.params
        for name in part.arg_name.split(",")  # NumPy's "x, y : int"
        if part.description
    }
    return Documentation("\n\n".join(paragraphs), parameters)

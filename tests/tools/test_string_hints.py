"""Hints as strings, as ``from __future__ import annotations`` leaves them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NotRequired, TypedDict

import pytest

from duologue.errors import ConfigError
from duologue.tools import ToolContext, function_tool

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class Place:
    city: str
    zone: str | None = None


class Search(TypedDict, total=False):
    place: Place
    limit: NotRequired[int]


def find(search: Search, context: ToolContext) -> None: ...


def unreachable(good: str, names: Sequence[str]) -> None: ...


def test_string_hints_are_resolved_in_their_module() -> None:
    tool = function_tool(find)
    assert tool.context_parameter == "context"
    search = tool.declaration()["parameters"]["properties"]["search"]
    assert search["properties"]["place"]["properties"]["zone"] == {"type": "STRING", "nullable": True}
    assert "required" not in search


def test_names_for_type_checkers_only_are_explained() -> None:
    with pytest.raises(
        ConfigError, match=r"tool 'unreachable', parameter 'names': .*Sequence.*TYPE_CHECKING"
    ):
        function_tool(unreachable)

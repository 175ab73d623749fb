"""Declarations as Google's own client reads them: its types refuse keys they do not know."""

import enum
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import pydantic
from google.genai import types

from duologue.tools import FreeForm, FunctionTool, end_call, function_tool


class Size(enum.Enum):
    SMALL = 1
    LARGE = 2


@dataclass
class Topping:
    name: str
    grams: float = 10.0


class Pickup(msgspec.Struct):
    at: Annotated[str, msgspec.Meta(pattern="^[0-9]{2}:[0-9]{2}$")]
    shelf: Annotated[int, msgspec.Meta(gt=0)] | None = None


class Payment(pydantic.BaseModel):
    method: Literal["cash", "card"]
    tip: float = pydantic.Field(default=0, ge=0, lt=100)
    notes: list[str] = pydantic.Field(default_factory=list, max_length=3)


@function_tool
async def order(
    pizza: str,
    size: Size,
    toppings: list[Topping],
    pickup: Pickup,
    payment: Payment | None = None,
    slices: Literal[4, 8] = 8,
    address: tuple[str, int] | None = None,
    extras: Annotated[dict[str, Any], FreeForm] | None = None,
    urgent: bool = False,
    table: int | str = 0,
) -> AsyncIterator[str]:
    """Order a pizza.

    Args:
        pizza: Its name.
        size: How large.
    """
    yield pizza


def test_googles_types_take_every_kind_of_declaration() -> None:
    tools: tuple[FunctionTool[..., Any], ...] = (order, end_call)
    for tool in tools:
        declared = types.FunctionDeclaration.model_validate(tool.declaration())
        back = declared.model_dump(mode="json", exclude_none=True, by_alias=True)
        assert back == tool.declaration()

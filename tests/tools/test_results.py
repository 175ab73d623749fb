import datetime
import enum
from dataclasses import dataclass
from typing import Any

import msgspec
import pydantic
import pytest

from duologue.tools.results import ResultError, response_of


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Plain:
    colour: Colour
    day: datetime.date


class Packed(msgspec.Struct):
    x: int


class Model(pydantic.BaseModel):
    day: datetime.date


@pytest.mark.parametrize(
    ("result", "response"),
    [
        ("text", {"output": "text"}),
        (None, {"output": None}),
        (5, {"output": 5}),
        ([1, "a"], {"output": [1, "a"]}),
        ({"temperature": 12}, {"temperature": 12}),
        ({}, {}),
        (("a", 1), {"output": ["a", 1]}),
        ({"a"}, {"output": ["a"]}),
        (Colour.RED, {"output": "red"}),
        (Plain(Colour.RED, datetime.date(2026, 1, 2)), {"colour": "red", "day": "2026-01-02"}),
        (Packed(1), {"x": 1}),
        (Model(day=datetime.date(2026, 1, 2)), {"day": "2026-01-02"}),
        ([Model(day=datetime.date(2026, 1, 2))], {"output": [{"day": "2026-01-02"}]}),
        (b"\x00", {"output": "AA=="}),
        (float("nan"), {"output": None}),
    ],
    ids=str,
)
def test_results_become_objects(result: Any, response: Any) -> None:
    assert response_of(result, 1000) == response


def test_what_is_no_json_is_named() -> None:
    loop: list[Any] = []
    loop.append(loop)
    for result, name in (
        (object(), "object"),
        ({"deep": [object()]}, "object"),
        (loop, "list"),
        ({("a", "b"): 1}, "tuple"),
        ("\ud800", "str"),
    ):
        with pytest.raises(ResultError, match=f"holds a value of type {name}, which has no JSON form"):
            response_of(result, 1000)


def test_the_cap_counts_bytes_of_the_whole_object() -> None:
    frame = len('{"output":""}')
    assert response_of("é" * 5, frame + 10) == {"output": "ééééé"}
    with pytest.raises(ResultError, match=f"{frame + 11} bytes, at most {frame + 10}"):
        response_of("é" * 5 + "x", frame + 10)
    assert response_of({"a": 1}, 7) == {"a": 1}
    with pytest.raises(ResultError, match="8 bytes, at most 7"):
        response_of({"a": 10}, 7)

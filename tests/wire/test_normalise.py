"""Names from one spelling to the other; the walk by schema is tested with the codec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.wire.structs import STRUCTS

from duologue.wire.normalise import snake_case

if TYPE_CHECKING:
    from duologue.wire.content import Struct


@pytest.mark.parametrize("cls", STRUCTS, ids=lambda cls: cls.__name__)
def test_every_wire_name_leads_back_to_its_field(cls: type[Struct]) -> None:
    for field in msgspec.structs.fields(cls):
        assert snake_case(field.encode_name) == field.name
        assert snake_case(field.name) == field.name


@pytest.mark.parametrize(
    ("name", "expected"),
    [("top_k", "top_k"), ("topK", "top_k"), ("base64Data", "base64_data"), ("", ""), ("X", "x")],
)
def test_words_begin_where_a_capital_follows_a_small_letter_or_digit(name: str, expected: str) -> None:
    assert snake_case(name) == expected

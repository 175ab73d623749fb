"""What our decoder takes of a client, against what the published contract takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract import published as contract

from duologue.errors import ProtocolError
from duologue.wire.codec import ClientDecoder

if TYPE_CHECKING:
    from collections.abc import Callable

google = pytest.importorskip(
    "google.protobuf.descriptor", reason="the published contract, see requirements/dev.in"
)
Kind = google.FieldDescriptor

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
json_values = (
    st.none() | st.booleans() | words | st.dictionaries(words, st.integers(0, 9) | words, max_size=2)
)
seconds = st.integers(0, 9999).map(lambda ms: f"{ms / 1000:g}s")
_SCALARS: dict[int, Callable[[], st.SearchStrategy[Any]]] = {
    Kind.TYPE_STRING: lambda: words,
    Kind.TYPE_BYTES: lambda: st.sampled_from(["", "AAAA", "AA==", "AA", "_-8=", "+/8"]),
    Kind.TYPE_BOOL: st.booleans,
    Kind.TYPE_INT32: lambda: st.integers(-(2**31), 2**31 - 1),
    Kind.TYPE_INT64: lambda: st.integers(-(2**63), 2**63 - 1).flatmap(lambda n: st.sampled_from([n, str(n)])),
    Kind.TYPE_FLOAT: lambda: st.floats(-1e6, 1e6, width=32),
    Kind.TYPE_DOUBLE: lambda: st.floats(-1e6, 1e6),
}
_PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "google.protobuf.Duration": seconds,
    "google.protobuf.Timestamp": st.just("2026-10-12T10:30:00Z"),
    "google.protobuf.Struct": st.dictionaries(words, json_values, max_size=2),
    "google.protobuf.Value": json_values,
}
_DEEPEST = 6


def field_value(field: Any, depth: int) -> st.SearchStrategy[Any]:
    """JSON that the contract takes for this field."""
    message = field.message_type
    if message is None:
        one = (
            st.sampled_from([value.name for value in field.enum_type.values])
            if field.enum_type
            else _SCALARS[field.type]()
        )
    elif message.GetOptions().map_entry:
        return st.dictionaries(words, field_value(message.fields_by_name["value"], depth), max_size=2)
    elif message.full_name in _PLAIN:
        one = _PLAIN[message.full_name]
    else:
        one = message_value(message, depth + 1)
    return st.lists(one, max_size=2) if field.is_repeated else one


def message_value(message: Any, depth: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    """JSON of this message: some of its fields, in either spelling, at most one of each oneof."""
    if depth > _DEEPEST or not message.fields:
        return st.just({})

    @st.composite
    def build(draw: st.DrawFn) -> dict[str, Any]:
        result: dict[str, Any] = {}
        used: set[str] = set()
        for field in draw(
            st.lists(st.sampled_from(list(message.fields)), max_size=4, unique_by=lambda f: f.name)
        ):
            group = field.containing_oneof.name if field.containing_oneof else field.name
            if group not in used:
                used.add(group)
                result[draw(st.sampled_from([field.json_name, field.name]))] = draw(field_value(field, depth))
        return result

    return build()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_what_the_contract_takes_we_read_without_a_field_unknown(data: st.DataObject) -> None:
    frame = json.dumps(data.draw(message_value(contract.message_class("client").DESCRIPTOR)))
    assert contract.refusal(frame, "client") is None
    decoder = ClientDecoder()
    [message] = decoder.decode(frame)
    assert decoder.unknown == {}
    assert message is not None


def taken(frame: str) -> tuple[bool, bool]:
    """Whether the contract takes a frame, and whether our decoder does with every field known."""
    published = contract.refusal(frame, "client") is None
    decoder = ClientDecoder()
    try:
        decoder.decode(frame)
    except ProtocolError:
        return published, False
    return published, not decoder.unknown


@pytest.mark.parametrize(
    "frame",
    [
        '{"realtimeInput":{"text":1}}',
        '{"realtimeInput":{"audioStreamEnd":"true"}}',
        '{"setup":{"generationConfig":{"maxOutputTokens":"a"}}}',
        '{"setup":{"generationConfig":{"temperature":"warm"}}}',
        '{"setup":{"systemInstruction":"Be brief."}}',
        '{"setup":{"tools":{"googleSearch":{}}}}',
        '{"clientContent":{"turns":[1]}}',
        '{"bogus":{}}',
        '{"setup":{"bogus":1}}',
        "1",
        "{",
    ],
)
def test_what_both_refuse(frame: str) -> None:
    assert taken(frame) == (False, False)


DIFFERENCES: dict[str, tuple[str, str]] = {
    "a number for an enum": (
        '{"setup":{"generationConfig":{"mediaResolution":1}}}',
        "nobody has been seen to write one; our structs hold enums as text",
    ),
    "a number in quotes": (
        '{"setup":{"generationConfig":{"maxOutputTokens":"5"}}}',
        "protobuf's JSON takes it for any number; ours for int64 only, as what is sent to a service is judged",
    ),
    "a whole number with a point": (
        '{"setup":{"generationConfig":{"maxOutputTokens":5.0}}}',
        "likewise",
    ),
    "an unknown value of an enum": (
        '{"setup":{"generationConfig":{"mediaResolution":"HUGE"}}}',
        "the service adds values; the emulator's rules refuse those that no model has",
    ),
    "a wrong schema": (
        '{"setup":{"tools":[{"functionDeclarations":[{"name":"f","parameters":{"oneOf":[]}}]}]}}',
        "a schema is a dict here; the emulator's rules judge it",
    ),
    "two members of a oneof": (
        '{"setup":{"model":"m"},"realtimeInput":{"text":"t"}}',
        "every field is honoured here; the emulator's rules refuse it",
    ),
    "two parts in one": (
        '{"clientContent":{"turns":[{"parts":[{"text":"t","inlineData":{}}]}]}}',
        "every field is honoured here",
    ),
    "an empty list": (
        "[]",
        "Python's parser reads it as an empty message; the service's own is not known to",
    ),
    "no base64": (
        '{"realtimeInput":{"audio":{"data":"A"}}}',
        "a blob is decoded when somebody wants it, more strictly than protobuf does it",
    ),
}
"""Frames that one takes and the other refuses, and why we leave it at that."""


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_every_listed_difference_is_one(difference: str) -> None:
    published, ours = taken(DIFFERENCES[difference][0])
    assert published is not ours

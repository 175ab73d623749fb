"""Values against hints, and the options that are checked so: nonsense never gets in, and is named."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.checks import check_value, shown
from duologue.config import LiveConfig, SessionOptions
from duologue.errors import ConfigError

Size = Literal["S", "L"]


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("a", str),
        (1, int),
        (1, float),
        (0.5, float | None),
        (None, float | None),
        (True, bool),
        ("S", Size | None),
        ((), Sequence[str]),
        (["a"], Sequence[str] | None),
        ({"a": [1, {"b": None}]}, Mapping[str, Any]),
        (MappingProxyType({"a": (1, "b", 0.5)}), Mapping[str, Any] | bool),
        (object(), object),
        (SessionOptions(), SessionOptions),
    ],
)
def test_what_fits(value: object, hint: Any) -> None:
    check_value("x", value, hint)


@pytest.mark.parametrize(
    ("value", "hint", "words"),
    [
        (5, str, "x is 5; give a str"),
        ("a", int, "x is a str; give an int"),
        (True, int, "x is True; give an int"),
        (1.5, int | None, "x is 1.5; give an int or None"),
        (2**63, int, "x is an int of more than 64 bits; give an int"),
        (math.nan, float, "x is nan; give a finite number"),
        (math.inf, float, "x is inf; give a finite number"),
        (1, bool, "x is 1; give True or False"),
        ("M", Size, "x is 'M'; give 'S' or 'L'"),
        (["S"], Size, "x is a list; give 'S' or 'L'"),
        ("abc", Sequence[str], "x is a str; give a sequence of which each is a str"),
        ([1], Sequence[str], "x is a list; give a sequence of which each is a str"),
        (3, Mapping[str, Any], "x is 3; give a mapping"),
        ({5: 1}, Mapping[str, Any], "x has the key 5; give keys that are text"),
        ({"a": {"b": [0, {1}]}}, Mapping[str, Any], "x.a.b[1] is a set; give what JSON can hold"),
        ({"day": datetime.date(2020, 1, 1)}, Mapping[str, Any], "x.day is a date; give what JSON can hold"),
        ([{}, {"a": {1}}], Sequence[Mapping[str, Any]], "x[1].a is a set; give what JSON can hold"),
        ("\ud800", str, "x is a str with a lone surrogate, which no message can hold; give a str"),
        (object(), SessionOptions, "x is an object; give a SessionOptions"),
    ],
)
def test_what_does_not_fit_is_named(value: object, hint: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_value("x", value, hint)
    assert str(caught.value) == words


def test_an_int_too_long_to_be_written_is_named_all_the_same() -> None:
    with pytest.raises(ConfigError, match="x is an int of more than 64 bits"):
        check_value("x", 10**5000, float)


def test_a_cycle_and_a_deep_value_are_refused() -> None:
    cycle: dict[str, Any] = {}
    cycle["again"] = cycle
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    for value in (cycle, {"deep": deep}):
        with pytest.raises(ConfigError, match="x is nested more than 64 deep"):
            check_value("x", value, Mapping[str, Any])


def test_what_may_be_a_secret_is_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        LiveConfig(http_options="canary")  # type: ignore[arg-type]  # that is the point
    assert str(caught.value) == "LiveConfig.http_options is a str; give a mapping or None"
    with pytest.raises(ConfigError) as caught:
        LiveConfig(http_options={"headers": {"x": b"canary"}})
    assert "canary" not in str(caught.value)
    assert shown("long " * 20) == "a str"


# --- options ---------------------------------------------------------------------------------------------------------

anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters()),
    st.binary(),
    st.lists(st.text() | st.integers(), max_size=3),
    st.dictionaries(st.text() | st.integers(), st.integers() | st.none(), max_size=3),
    st.dates(),
    st.builds(object),
    st.builds(lambda: 10**5000),
    st.sampled_from([-(10**400), 1e308, -0.0, 5e-324, int, "auto", "buffer", "server", "manual"]),
)
SETS = {
    "mic_while_blocking": {"buffer", "send", "drop"},
    "turn_detection": {"server", "local", "manual"},
    "websocket_library": {"auto", "websockets", "picows"},
}
RANGES = {
    "chunk_ms": (10, 1000),
    "uplink_buffer_ms": (0, 2**63 - 1),
    "control_queue_size": (16, 2**63 - 1),
    "outbox_messages": (1, 2**63 - 1),
    "max_message_bytes": (65_536, 2**63 - 1),
}


def sensible(name: str, value: Any) -> bool:
    """What each option may be, written a second time and differently."""
    if name == "raw_messages":
        return value is True or value is False
    if name in SETS:
        return isinstance(value, str) and value in SETS[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if name in RANGES:
        least, most = RANGES[name]
        return isinstance(value, int) and least <= value <= most
    if isinstance(value, int) and value >= 2**63:
        return False
    return name.endswith("_s") and 0 < value < math.inf


@given(st.sampled_from([field.name for field in dataclasses.fields(SessionOptions)]), anything)
def test_no_nonsense_gets_into_the_sessions_options(name: str, value: Any) -> None:
    if sensible(name, value):
        assert getattr(SessionOptions(**{name: value}), name) == value
    else:
        with pytest.raises(ConfigError, match=rf"^SessionOptions\.{name} is .+; give "):
            SessionOptions(**{name: value})


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("chunk_ms", [10, 1000], [9, 1001, 50.0, True]),
        ("uplink_buffer_ms", [0, 10**6], [-1, math.inf, 1.5]),
        ("downlink_buffer_s", [0.1, 1], [0, -1.0, math.nan]),
        ("control_queue_size", [16], [15, 0]),
        ("outbox_messages", [1], [0]),
        ("max_message_bytes", [65_536], [65_535]),
        *(
            (f"{name}_timeout_s", [0.01, 10], [0, -1, math.nan, math.inf, "10", None])
            for name in ("connect", "tool")
        ),
        ("recovery_deadline_s", [60], [0]),
        ("stall_after_s", [15], [-1]),
        ("turn_detection", ["local"], ["auto", None]),
        ("websocket_library", ["picows"], ["aiohttp", True]),
        ("raw_messages", [True], [1, None, "yes"]),
    ],
)
def test_the_edges_of_the_sessions_options(name: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert getattr(SessionOptions(**{name: value}), name) == value
    for value in bad:
        with pytest.raises(ConfigError, match=rf"SessionOptions\.{name} is "):
            SessionOptions(**{name: value})

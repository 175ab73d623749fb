"""The ledger of tool calls: one outcome an id, one final frame, keys that last."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.core import messages as say

from duologue.core.outlet import Outlet
from duologue.core.tools import ToolLedger
from duologue.errors import ConfigError
from duologue.events import ToolCall, ToolResult
from duologue.wire.content import FunctionCall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.core.conftest import Begin

BEHAVIORS = {"block": "BLOCKING", "free": "NON_BLOCKING"}


def ledger(default: str = "BLOCKING") -> tuple[Outlet, ToolLedger]:
    outlet = Outlet()
    return outlet, ToolLedger(outlet, id_prefix="s-", behaviors=BEHAVIORS, default_behavior=default)


def ask(
    book: ToolLedger, name: str = "block", call_id: str | None = "1", *, turn: int = 1, **args: Any
) -> None:
    book.ask(FunctionCall(id=call_id, name=name, args=args or None), generation_id="g", turn=turn)


def response(outlet: Outlet) -> Mapping[str, Any]:
    [frame] = outlet.drain_frames()
    [only] = json.loads(frame.data)["toolResponse"]["functionResponses"]
    found: Mapping[str, Any] = only
    return found


@pytest.mark.parametrize("call_id", ["call_229188", "fc_58", "function-call-1", "ü \n", "0"])
def test_ids_are_echoed(call_id: str) -> None:
    """Q-opaque-ids."""
    outlet, book = ledger()
    ask(book, call_id=call_id)
    book.answer(call_id, {"output": 1})
    assert response(outlet) == {"id": call_id, "name": "block", "response": {"output": 1}}


@pytest.mark.parametrize("missing", [None, ""])
def test_calls_without_an_id_get_one_here_and_none_on_the_wire(missing: str | None) -> None:
    outlet, book = ledger()
    ask(book, call_id=missing)
    ask(book, call_id=missing)
    first, second = [event for event in outlet.drain_events() if isinstance(event, ToolCall)]
    assert (first.call_id, second.call_id) == ("s-call-1", "s-call-2")
    book.answer("s-call-2", {})
    assert "id" not in response(outlet)


def test_a_duplicate_id_is_counted_and_ignored() -> None:
    outlet, book = ledger()
    ask(book)
    ask(book, "free")
    assert len(book.open_calls) == 1
    assert outlet.counters == {"duplicate_call_ids": 1}


def test_a_late_result_is_counted_and_not_sent() -> None:
    """Q-cancelled-calls."""
    outlet, book = ledger()
    ask(book)
    book.cancel("1")
    book.answer("1", {"output": 1})
    assert not outlet.drain_frames()
    assert outlet.counters == {"late_tool_results": 1}


def test_a_late_cancellation_is_counted_and_the_call_stays_answered() -> None:
    """Q-late-cancellation."""
    outlet, book = ledger()
    ask(book)
    book.answer("1", {})
    book.cancel("1")
    book.cancel("never")
    outcomes = [event.outcome for event in outlet.drain_events() if isinstance(event, ToolResult)]
    assert outcomes == ["answered"]
    assert outlet.counters == {"cancellations_too_late": 2}


def test_an_unknown_id_is_refused() -> None:
    """Q-unknown-result."""
    with pytest.raises(ConfigError, match="nobody"):
        ledger()[1].answer("nobody", {})


def test_partial_results_and_one_final_one() -> None:
    outlet, book = ledger()
    ask(book, "free")
    for number in range(2):
        book.answer("1", {"output": number}, scheduling="SILENT", will_continue=True)
        assert response(outlet)["willContinue"] is True
        assert book.open_calls
    book.answer("1", {"output": 2}, scheduling="INTERRUPT", is_error=True)
    final = response(outlet)
    assert "willContinue" not in final
    assert final["scheduling"] == "INTERRUPT"
    [result] = [event for event in outlet.drain_events() if isinstance(event, ToolResult)]
    assert (result.result, result.outcome, result.is_error, result.name) == (
        {"output": 2},
        "answered",
        True,
        "free",
    )


def test_scheduling_is_for_free_calls() -> None:
    outlet, book = ledger()
    ask(book, "block")
    book.answer("1", {}, scheduling="SILENT")
    assert "scheduling" not in response(outlet)


def test_a_result_that_is_no_json_leaves_the_call_open() -> None:
    outlet, book = ledger()
    ask(book)
    with pytest.raises(ConfigError, match="JSON"):
        book.answer("1", {"output": object()})
    assert [call.call_id for call in book.open_calls] == ["1"]
    book.answer("1", {"output": "sorry"})
    assert response(outlet)["response"] == {"output": "sorry"}


@pytest.mark.parametrize(("name", "default", "blocking"), [
    ("block", "NON_BLOCKING", True),
    ("free", "BLOCKING", False),
    ("other", "BLOCKING", True),
    ("other", "NON_BLOCKING", False),
])  # fmt: skip
def test_blocking(name: str, default: str, blocking: bool) -> None:
    _, book = ledger(default)
    ask(book, name)
    assert book.blocking is blocking
    book.answer("1", {})
    assert not book.blocking


def test_the_idempotency_key_is_of_turn_name_and_arguments() -> None:
    outlet, book = ledger()
    ask(book, "block", "1", a=1, b=[2])
    ask(book, "block", "2", b=[2], a=1)
    ask(book, "block", "3", a=1, b=[3])
    ask(book, "free", "4", a=1, b=[2])
    ask(book, "block", "5", turn=2, a=1, b=[2])
    keys = [event.idempotency_key for event in outlet.drain_events() if isinstance(event, ToolCall)]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4


def test_the_ledger_is_bounded_and_open_calls_stay() -> None:
    _, book = ledger()
    ask(book, call_id="open")
    for number in range(1100):
        ask(book, call_id=str(number))
        book.answer(str(number), {})
    assert [call.call_id for call in book.open_calls] == ["open"]
    with pytest.raises(ConfigError):
        book.answer("0", {})
    book.answer("1099", {})


def test_the_behaviour_comes_from_the_setup(begin: Begin) -> None:
    watched = begin("3.8", tools=({"name": "block", "behavior": "BLOCKING"}, {"name": "other"}))
    watched.do("receive", say.calls(("1", "other")), 1.0)
    assert not watched.session._talk.tools.blocking
    watched.do("receive", say.calls(("2", "block")), 1.0)
    assert watched.session._talk.tools.blocking

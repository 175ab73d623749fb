"""The ledger of tool calls: every id ends here exactly once, answered, cancelled or abandoned."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from duologue.core.machine import Machine, Table
from duologue.errors import ConfigError
from duologue.events import ToolCall, ToolCallCancelled, ToolCallOutcome, ToolResult
from duologue.wire.client import ClientMessage, ToolResponse
from duologue.wire.codec import encode
from duologue.wire.content import FunctionCall, FunctionResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duologue.config import Scheduling
    from duologue.core.outlet import Outlet

__all__ = ["CALL_TABLE", "CallState", "ToolLedger"]

_ENDED_KEPT = 1000


class CallState(Enum):
    """Where a call is."""

    OPEN = auto()
    """It waits for its result."""
    ANSWERED = auto()
    """Its final result was sent."""
    CANCELLED = auto()
    """The service took it back."""
    ABANDONED = auto()
    """The session ended first."""


CALL_TABLE: Table[CallState] = {
    CallState.OPEN: frozenset({CallState.ANSWERED, CallState.CANCELLED, CallState.ABANDONED}),
    CallState.ANSWERED: frozenset(),
    CallState.CANCELLED: frozenset(),
    CallState.ABANDONED: frozenset(),
}


_OUTCOMES: dict[CallState, ToolCallOutcome] = {
    CallState.ANSWERED: "answered",
    CallState.CANCELLED: "cancelled",
    CallState.ABANDONED: "abandoned",
}


@dataclass(slots=True)
class _Call:
    """One call; ``wire_id`` is None where the service gave none."""

    event: ToolCall
    wire_id: str | None
    blocking: bool
    machine: Machine[CallState]


class ToolLedger:
    """Keeps open calls by id and writes their results.

    Args:
        outlet: Receives ToolCall, ToolCallCancelled, ToolResult and the frames.
        id_prefix: Begins the ids made for calls that came without one, and every idempotency key.
        behaviors: What each declared function was declared as, where it was.
        default_behavior: What an undeclared behaviour means for this model.
    """

    def __init__(
        self, outlet: Outlet, *, id_prefix: str, behaviors: Mapping[str, str], default_behavior: str
    ) -> None:
        self._outlet = outlet
        self._prefix = id_prefix
        self._behaviors = behaviors
        self._default = default_behavior
        self._calls: dict[str, _Call] = {}
        self._unnamed = 0

    @property
    def open_calls(self) -> list[ToolCall]:
        """Calls that wait for a result."""
        return [c.event for c in self._calls.values() if c.machine.state is CallState.OPEN]

    @property
    def blocking(self) -> bool:
        """Whether the model waits for a result before it goes on."""
        return any(c.blocking and c.machine.state is CallState.OPEN for c in self._calls.values())

    def is_blocking(self, name: str) -> bool:
        """Tell whether calls of this function hold the model up."""
        return self._behaviors.get(name, self._default) != "NON_BLOCKING"

    def ask(self, call: FunctionCall, *, generation_id: str, turn: int) -> None:
        """Enter a call from the model; an id already seen is counted and ignored."""
        entered = self._enter(call, generation_id, turn)
        if entered is not None:
            self._outlet.emit(entered.event)

    def _enter(self, call: FunctionCall, generation_id: str, turn: int) -> _Call | None:
        call_id = call.id
        if not call_id:
            self._unnamed += 1
            call_id = f"{self._prefix}call-{self._unnamed}"
        if call_id in self._calls:
            self._outlet.count("duplicate_call_ids")
            return None
        arguments = call.args or {}
        event = ToolCall(
            call_id=call_id,
            name=call.name,
            arguments=arguments,
            generation_id=generation_id,
            idempotency_key=self._key(turn, call.name, arguments),
        )
        entered = _Call(
            event, call.id or None, self.is_blocking(call.name), Machine(CALL_TABLE, CallState.OPEN)
        )
        self._calls[call_id] = entered
        return entered

    def answer(
        self,
        call_id: str,
        response: Mapping[str, Any],
        *,
        is_error: bool = False,
        scheduling: Scheduling | None = None,
        will_continue: bool = False,
    ) -> None:
        """Send a result. After the call's end it is counted as late and not sent.

        Raises:
            ConfigError: No such call was ever made, or ``response`` is not JSON; the call stays open.
        """
        call = self._calls.get(call_id)
        if call is None:
            raise ConfigError(f"there is no tool call with the id {call_id!r} in this session")
        if call.machine.state is not CallState.OPEN:
            self._outlet.count("late_tool_results")
            return
        result = dict(response)
        answer = FunctionResponse(
            id=call.wire_id,
            name=call.event.name,
            response=result,
            scheduling=None if call.blocking else scheduling,
            will_continue=True if will_continue else None,
        )
        # Written first: a result that is no JSON must not end the call.
        self._outlet.send(encode(ClientMessage(tool_response=ToolResponse(function_responses=[answer]))))
        if not will_continue:
            call.machine.to(CallState.ANSWERED)
            self._ended(call, result, is_error=is_error)

    def refuse(self, call: FunctionCall, why: str) -> None:
        """Answer a call that nobody is told of: the model must not wait for it."""
        entered = self._enter(call, generation_id="", turn=0)
        if entered is None:
            return
        refusal = FunctionResponse(id=entered.wire_id, name=call.name, response={"error": why})
        self._outlet.send(encode(ClientMessage(tool_response=ToolResponse(function_responses=[refusal]))))
        entered.machine.to(CallState.ANSWERED)
        self._outlet.count("refused_calls")
        self._forget_oldest()

    def cancel(self, call_id: str) -> None:
        """The service takes a call back; unknown and ended ids are counted."""
        call = self._calls.get(call_id)
        if call is None or call.machine.state is not CallState.OPEN:
            self._outlet.count("cancellations_too_late")
            return
        call.machine.to(CallState.CANCELLED)
        self._outlet.emit(ToolCallCancelled(call_id))
        self._ended(call, None)

    def abandon_all(self) -> None:
        """The session is over: no open call can be answered any more."""
        for call in [c for c in self._calls.values() if c.machine.state is CallState.OPEN]:
            call.machine.to(CallState.ABANDONED)
            self._ended(call, None)

    def _ended(self, call: _Call, result: Mapping[str, Any] | None, *, is_error: bool = False) -> None:
        self._outlet.emit(
            ToolResult(
                call.event.call_id,
                result,
                _OUTCOMES[call.machine.state],
                name=call.event.name,
                is_error=is_error,
            )
        )
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        """Keep the ledger bounded: of the ended calls the newest thousand are remembered."""
        ended = [i for i, c in self._calls.items() if c.machine.state is not CallState.OPEN]
        for call_id in ended[: max(0, len(ended) - _ENDED_KEPT)]:
            del self._calls[call_id]

    def _key(self, turn: int, name: str, arguments: Mapping[str, Any]) -> str:
        canonical = json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        text = f"{self._prefix}\x1f{turn}\x1f{name}\x1f{canonical}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

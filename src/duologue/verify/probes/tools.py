"""Probes of function calls: who waits for whom, where ``scheduling`` counts, what takes a call back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duologue.verify import marks
from duologue.verify.probe import Observed, Probe, UnsettledError, by_cell, held
from duologue.verify.rig import content, how_it_ended, text_input, weather_tool

if TYPE_CHECKING:
    from typing import Any, Literal

    from duologue.verify.rig import Rig
    from duologue.wire.content import FunctionCall
    from duologue.wire.profiles import ModelProfile

__all__ = ["PROBES"]

_RESULT = {"output": "Foggy, 12 degrees."}
_NOT_FOUND = (1008, "entity was not found", "not_found")


def _response(call: FunctionCall, **fields: Any) -> dict[str, Any]:
    response = {"id": call.id, "name": call.name, "response": _RESULT, **fields}
    return {"toolResponse": {"functionResponses": [response]}}


async def _undeclared_behavior(rig: Rig) -> Observed:
    async with rig.session(tools=[weather_tool()]) as wire:
        asked = await rig.ask_for_a_call(wire)
        seen = (await wire.watch(marks.turn_over, rig.pace.quiet_s * 2)).expect()
        done = asked.has(marks.turn_over) or seen.end == "met"
        return Observed("turn_completes_first" if done else "turn_waits")


async def _is_silent(rig: Rig, place: Literal["beside", "inside", "nowhere"]) -> bool:
    """Answer a call with SILENT written in one place or in none; return whether the model kept silent."""
    async with rig.session(tools=[weather_tool("NON_BLOCKING")]) as wire:
        asked = await rig.ask_for_a_call(wire)
        if not asked.has(marks.turn_over):
            (await wire.watch(marks.turn_over, rig.pace.quiet_s * 2)).expect()
        fields: dict[str, Any] = {"scheduling": "SILENT"} if place == "beside" else {}
        if place == "inside":
            fields = {"response": {**_RESULT, "scheduling": "SILENT"}}
        await wire.send(_response(asked.calls[0], **fields))
        return (await wire.watch(marks.answers, rig.pace.quiet_s)).expect().end == "silent"


async def _scheduling(rig: Rig) -> Observed:
    if await _is_silent(rig, "nowhere"):
        raise UnsettledError("always_silent", "a result without scheduling got no answer either")
    places = [place for place in ("beside", "inside") if await _is_silent(rig, place)]
    detail = f"SILENT kept the model silent when written {' and '.join(places) or 'in neither place'}"
    return Observed({0: "neither", 1: places[0] if places else "", 2: "both"}[len(places)], detail)


async def _parallel_calls(rig: Rig) -> Observed:
    async with rig.session(tools=[weather_tool()]) as wire:
        asked = await rig.ask_for_a_call(wire, "What is the weather in London and Paris?")
        if len(asked.calls) > 1:
            return Observed("one_message", f"{len(asked.calls)} calls")
        after = (await wire.watch(lambda message: bool(marks.calls_of(message)), rig.pace.quiet_s)).expect()
        if not after.calls:
            raise UnsettledError("one_call", "the model asked for one city alone")
        return Observed("several_messages")


async def _json_schema(rig: Rig) -> Observed:
    async with rig.session(tools=[weather_tool(key="parametersJsonSchema")]) as wire:
        asked = await rig.ask_for_a_call(wire)
        names = sorted(asked.calls[0].args or {})
        honoured = names == ["town_of_interest"]
        return Observed("honoured" if honoured else "ignored", f"arguments: {', '.join(names) or 'none'}")


async def _unknown_result(rig: Rig) -> Observed:
    async with rig.session(tools=[weather_tool()]) as wire:
        response = {"id": "never-asked", "name": "get_weather", "response": _RESULT}
        await wire.send({"toolResponse": {"functionResponses": [response]}})
        seen = await wire.watch(marks.never, rig.pace.quiet_s)
        return Observed("passed_over") if seen.end == "silent" else how_it_ended(seen, "", _NOT_FOUND)


async def _taken_back(rig: Rig, message: dict[str, Any]) -> Observed:
    """Send ``message`` while a blocking call is unanswered, and see what becomes of the call."""
    async with rig.session(tools=[weather_tool("BLOCKING")]) as wire:
        asked = await rig.ask_for_a_call(wire)
        await wire.send(message)
        seen = await wire.watch(marks.cancels, rig.pace.quiet_s * 2)
        if seen.end == "silent":
            return Observed("not_cancelled")
        taken = seen.received[-1].message.tool_call_cancellation if seen.end == "met" else None
        if taken is not None and asked.calls[0].id not in (taken.ids or []):
            return Observed("another_cancelled")
        return how_it_ended(seen, "cancelled")


async def _content_cancels(rig: Rig) -> Observed:
    return await _taken_back(rig, content("Never mind, thank you."))


async def _input_cancels(rig: Rig) -> Observed:
    return await _taken_back(rig, text_input("Never mind, thank you."))


def _who_waits(row: ModelProfile) -> str:
    free = row.tool_behavior == "NON_BLOCKING" or row.tool_call_ends_turn
    return "turn_completes_first" if free else "turn_waits"


PROBES = (
    Probe(
        id="undeclared-behavior",
        fact="A function without behavior is NON_BLOCKING on 3.8: the turn completes before the result.",
        about="profile:tool_behavior",
        outcomes=("turn_completes_first", "turn_waits"),
        claims=by_cell("tool_behavior", _who_waits),
        run=_undeclared_behavior,
    ),
    Probe(
        id="scheduling-place",
        fact="scheduling counts beside response and inside it.",
        about="Q-scheduling-place",
        outcomes=("both", "beside", "inside", "neither"),
        claims=held("both", "guessed", ("2.5-native", "3.8", "3.8-thinking")),
        run=_scheduling,
        turns=6,
    ),
    Probe(
        id="parallel-calls",
        fact="Parallel calls come in one toolCall.",
        about="Q-parallel-calls",
        outcomes=("one_message", "several_messages"),
        claims=held("one_message", "reported", ("3.8",)) | held("one_message", "guessed", ("2.5-native",)),
        run=_parallel_calls,
    ),
    Probe(
        id="json-schema",
        fact="parametersJsonSchema is honoured; there are reports that it is ignored.",
        about="Q-json-schema-ignored",
        outcomes=("honoured", "ignored"),
        claims=held("honoured", "reported", ("2.5-native", "3.8")),
        run=_json_schema,
    ),
    Probe(
        id="unknown-result",
        fact="A result for an id that was never asked for closes with 1008.",
        about="Q-unknown-result",
        outcomes=("not_found", "passed_over"),
        claims=held("not_found", "reported"),
        run=_unknown_result,
        turns=0,
    ),
    Probe(
        id="content-cancels-calls",
        fact="clientContent takes back a blocking call that is unanswered.",
        about="Q-cancelled-calls",
        outcomes=("cancelled", "another_cancelled", "not_cancelled"),
        claims=held("cancelled", "documented", ("2.5-native", "3.8")),
        run=_content_cancels,
        turns=2,
    ),
    Probe(
        id="input-cancels-calls",
        fact="New input takes back a blocking call on 3.8; on 2.5 it waits behind the call.",
        about="Q-cancelled-calls",
        outcomes=("cancelled", "another_cancelled", "not_cancelled"),
        claims=held("cancelled", "documented", ("3.8",)) | held("not_cancelled", "guessed", ("2.5-native",)),
        run=_input_cancels,
        turns=2,
    ),
)

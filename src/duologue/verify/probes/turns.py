"""Probes of turns: what is answered, what interrupts, what ends in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duologue.verify import marks
from duologue.verify.probe import Observed, Probe, UnsettledError, by_cell, held
from duologue.verify.rig import WEATHER, content, how_it_ended, text_input, weather_tool

if TYPE_CHECKING:
    from typing import Any

    from duologue.verify.rig import Rig
    from duologue.wire.profiles import ModelProfile

__all__ = ["PROBES"]

_ARGUMENT = (1007, "invalid argument", "invalid_argument")
_LEAST_PLAYBACK_S = 0.5


async def _realtime_text(rig: Rig) -> Observed:
    async with rig.session() as wire:
        await wire.send(text_input("Hello!"))
        seen = await wire.watch(marks.any_of(marks.has_sound, marks.turn_over), rig.pace.patience_s)
        return how_it_ended(seen, "spoken_reply" if seen.has(marks.has_sound) else "turn_without_sound")


async def _content_in_mid_session(rig: Rig) -> Observed:
    async with rig.session() as wire:
        await rig.answer(wire, "Hello!")
        await wire.send(content("What can you do?"))
        seen = await wire.watch(marks.answers, rig.pace.patience_s)
        return how_it_ended(seen, "answered", _ARGUMENT)


async def _interrupting(rig: Rig, message: dict[str, Any]) -> Observed:
    """Send ``message`` into a long answer, and see whether that is cut short."""
    async with rig.session() as wire:
        await rig.begin_story(wire)
        await wire.send(message)
        ends = marks.any_of(marks.interrupted, marks.turn_over)
        seen = await wire.watch(ends, rig.pace.patience_s)
        if seen.end == "closed":
            return how_it_ended(seen, "", _ARGUMENT)
        return Observed("interrupted" if seen.has(marks.interrupted) else "not_interrupted")


async def _content_interrupts(rig: Rig) -> Observed:
    return await _interrupting(rig, content(complete=False))


async def _text_interrupts(rig: Rig) -> Observed:
    return await _interrupting(rig, text_input("Stop, please. What can you do?"))


async def _speech_interrupts(rig: Rig) -> Observed:
    async with rig.session() as wire:
        await rig.begin_story(wire)
        await rig.speak(wire)
        seen = (await wire.watch(marks.turn_over, rig.pace.patience_s)).expect()
        kinds = seen.each(_kind)
        if "interrupted" not in kinds:
            return Observed("not_interrupted")
        before, after = kinds[: kinds.index("interrupted")], kinds[kinds.index("interrupted") :]
        if "generation" in before:
            raise UnsettledError("too_fast", "the whole answer had been sent before it was interrupted")
        if "turn" not in after:
            return Observed("turn_left_open")
        return Observed("generation_complete_too" if "generation" in after else "turn_complete_alone")


def _kind(message: Any) -> str:
    if marks.interrupted(message):
        return "interrupted"
    if marks.generation_complete(message):
        return "generation"
    return "turn" if marks.turn_over(message) else ""


async def _paced_turn_complete(rig: Rig) -> Observed:
    async with rig.session() as wire:
        seen = await rig.answer(wire, "Hello!")
        began, generated = seen.first(marks.has_sound), seen.first(marks.generation_complete)
        if began is None or generated is None:
            raise UnsettledError("no_sound", "no sound, or no generationComplete, in the answer")
        left_s = began.at_s + sum(seen.each(marks.sound_s)) - generated.at_s
        if left_s < _LEAST_PLAYBACK_S:
            raise UnsettledError("too_slow", f"only {left_s:.1f} s were left to play at generationComplete")
        waited_s = seen.received[-1].at_s - generated.at_s
        detail = f"turnComplete {waited_s:.1f} s after generationComplete, {left_s:.1f} s left to play"
        return Observed("delayed" if waited_s >= left_s / 2 else "at_once", detail)


async def _context_update(rig: Rig) -> Observed:
    async with rig.session() as wire:
        await wire.send({"contextUpdate": {"tools": {"tools": [weather_tool()]}}})
        refused = await wire.watch(marks.never, rig.pace.quiet_s)
        if refused.end == "closed":
            return how_it_ended(refused, "", _ARGUMENT)
        await rig.say(wire, WEATHER)
        asked = marks.any_of(lambda message: bool(marks.calls_of(message)), marks.turn_over)
        seen = await wire.watch(asked, rig.pace.patience_s)
        return how_it_ended(seen, "takes_effect" if seen.calls else "no_effect", _ARGUMENT)


def _in_mid_session(row: ModelProfile) -> str:
    return "answered" if row.client_content == "any time" else "invalid_argument"


def _by_content(row: ModelProfile) -> str:
    return "interrupted" if row.interrupt == "client_content" else "invalid_argument"


PROBES = (
    Probe(
        id="realtime-text",
        fact="realtimeInput.text gets a spoken reply by itself.",
        about="Q-text-is-activity",
        outcomes=("spoken_reply", "turn_without_sound"),
        claims=held("spoken_reply", "reported"),
        run=_realtime_text,
    ),
    Probe(
        id="content-in-mid-session",
        fact="clientContent is answered after the model's first turn; 3.1 closes with 1007.",
        about="profile:client_content",
        outcomes=("answered", "invalid_argument"),
        claims=by_cell("client_content", _in_mid_session),
        run=_content_in_mid_session,
        turns=2,
    ),
    Probe(
        id="content-interrupts",
        fact="An empty clientContent interrupts a running answer; on 3.1 it is no way to say so.",
        about="profile:interrupt",
        outcomes=("interrupted", "not_interrupted", "invalid_argument"),
        claims=by_cell("interrupt", _by_content),
        run=_content_interrupts,
    ),
    Probe(
        id="text-interrupts",
        fact="realtimeInput.text counts as activity and interrupts a running answer, on 3.1 as well.",
        about="Q-text-is-activity",
        outcomes=("interrupted", "not_interrupted", "invalid_argument"),
        claims=held("interrupted", "documented"),
        run=_text_interrupts,
        turns=2,
    ),
    Probe(
        id="speech-interrupts",
        fact="An interrupted turn ends with interrupted, then turnComplete, without generationComplete.",
        about="Q-no-generation-complete",
        outcomes=("turn_complete_alone", "generation_complete_too", "turn_left_open", "not_interrupted"),
        claims=held("turn_complete_alone", "documented"),
        run=_speech_interrupts,
        turns=2,
    ),
    Probe(
        id="paced-turn-complete",
        fact="turnComplete waits after generationComplete until the sound would have been played.",
        about="Q-paced-turn-complete",
        outcomes=("delayed", "at_once"),
        claims=held("delayed", "documented", ("2.5-native", "3.1", "3.8")),
        run=_paced_turn_complete,
    ),
    Probe(
        id="context-update",
        fact="contextUpdate replaces the tools of a running session, on 3.8; others close with 1007.",
        about="profile:context_update",
        outcomes=("takes_effect", "no_effect", "invalid_argument"),
        claims=by_cell(
            "context_update", lambda row: "takes_effect" if row.context_update else "invalid_argument"
        ),
        run=_context_update,
    ),
)

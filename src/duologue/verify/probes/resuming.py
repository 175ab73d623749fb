"""Probes of handles and of a link's end: what is restored, what is refused, how the end is announced."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from duologue.verify import marks
from duologue.verify.probe import ALL, Observed, Probe, UnsettledError, held
from duologue.verify.rig import how_it_ended
from duologue.wire.content import duration_s

if TYPE_CHECKING:
    from duologue.verify.rig import Rig

__all__ = ["PROBES"]

_FACT = "My favourite colour is green."
_QUESTION = "What is my favourite colour?"
_MALFORMED = (1007, "invalid session handle", "invalid_handle")
_DEAD = (1008, "session not found", "session_not_found")
_INTERNAL = (1011, "internal error", "internal_error")
_KEPT_SHARE = 0.5
"""Of the announced time, that has to pass for the announcement to count as kept: our clocks differ."""


async def _handle_after(rig: Rig, text: str) -> str:
    """Hold one turn on a link of its own, close it, and return its handle."""
    async with rig.session(sessionResumption={}) as wire:
        await rig.answer(wire, text)
        handle = await rig.handle(wire)
    await asyncio.sleep(rig.pace.settle_s)
    return handle


async def _malformed_handle(rig: Rig) -> Observed:
    setup = rig.setup(sessionResumption={"handle": "no handle at all"})
    return await rig.refusal(setup, _MALFORMED, _DEAD)


async def _dead_handle(rig: Rig) -> Observed:
    handle = await _handle_after(rig, "Hello!")
    return await rig.refusal(rig.setup(sessionResumption={"handle": _another(handle)}), _MALFORMED, _DEAD)


def _another(handle: str) -> str:
    """Return a handle of the same form that nobody issued: its last hexadecimal digits turned on by one."""
    digits = "0123456789abcdef"
    turned = str.maketrans(digits, digits[1:] + digits[0])
    return handle[:-12] + handle[-12:].translate(turned)


async def _resumed_while_open(rig: Rig) -> Observed:
    async with rig.session(sessionResumption={}) as wire:
        await rig.answer(wire, "Hello!")
        handle = await rig.handle(wire)
        return await rig.refusal(rig.setup(sessionResumption={"handle": handle}), _INTERNAL)


async def _what_is_restored(rig: Rig) -> Observed:
    handle = await _handle_after(rig, _FACT)
    async with rig.session(sessionResumption={"handle": handle}) as wire:
        said = (await rig.answer(wire, _QUESTION)).words
        return Observed("remembered" if "green" in said.lower() else "forgotten", f"answered {said!r}")


async def _lost_generation(rig: Rig) -> Observed:
    async with rig.session(sessionResumption={}) as wire:
        await rig.answer(wire, _FACT)
        handle = await rig.handle(wire)
        await rig.begin_story(wire)
        handle = wire.handle or handle
    await asyncio.sleep(rig.pace.settle_s)
    async with rig.session(sessionResumption={"handle": handle}) as wire:
        seen = (await wire.watch(marks.answers, rig.pace.quiet_s)).expect()
        return Observed("continued" if seen.end == "met" else "not_continued")


async def _go_away(rig: Rig) -> Observed:
    async with rig.session(hurried=True, contextWindowCompression={"slidingWindow": {}}) as wire:
        seen = await wire.watch(marks.goes_away, rig.pace.link_life_s)
        if seen.end == "closed":
            return Observed("not_announced", f"closed with {seen.code} {seen.reason}".rstrip())
        if seen.end == "silent":
            raise UnsettledError("no_end", f"the link was still open after {rig.pace.link_life_s:g} s")
        notice = seen.received[-1]
        announced = notice.message.go_away.time_left if notice.message.go_away is not None else None
        left_s = duration_s(announced)
        if left_s is None:
            return Observed("no_time_left", f"timeLeft {announced!r}")
        after = await wire.watch(marks.never, left_s * 2 + rig.pace.patience_s)
        if after.end != "closed":
            return Observed("still_open", f"long after timeLeft {announced}")
        end = how_it_ended(after, "")
        detail = f"timeLeft {announced}; {end.detail}"
        kept = after.until_s - notice.at_s >= left_s * _KEPT_SHARE
        return Observed("announced" if kept else "ended_early", detail)


PROBES = (
    Probe(
        id="malformed-handle",
        fact="A handle that is none closes with 1007 Invalid session handle.",
        about="Q-dead-handle",
        outcomes=("invalid_handle", "session_not_found", "accepted"),
        claims=held("invalid_handle", "reported"),
        run=_malformed_handle,
        turns=0,
    ),
    Probe(
        id="dead-handle",
        fact="A handle nobody knows closes with 1008 BidiGenerateContent session not found.",
        about="Q-dead-handle",
        outcomes=("session_not_found", "invalid_handle", "accepted"),
        claims=held("session_not_found", "reported"),
        run=_dead_handle,
    ),
    Probe(
        id="resume-while-open",
        fact="Resuming while the old link is open is refused with 1011.",
        about="Q-one-link-at-a-time",
        outcomes=("internal_error", "accepted"),
        claims=held("internal_error", "reported"),
        run=_resumed_while_open,
    ),
    Probe(
        id="handle-restores",
        fact="A handle restores what was said before it was issued.",
        about="Q-not-resumable",
        outcomes=("remembered", "forgotten"),
        claims=held("remembered", "reported"),
        run=_what_is_restored,
        turns=2,
    ),
    Probe(
        id="lost-generation",
        fact="An answer that ran when the link was lost is not continued on the next.",
        about="Q-lost-generation",
        outcomes=("not_continued", "continued"),
        claims=held("not_continued", "documented"),
        run=_lost_generation,
        turns=2,
    ),
    Probe(
        id="go-away",
        fact="goAway announces the end of the link, and the link lasts as long as it says.",
        about="Q-go-away",
        outcomes=("announced", "ended_early", "still_open", "no_time_left", "not_announced"),
        claims=held("announced", "documented", ALL),
        run=_go_away,
        turns=0,
        needs_patience=True,
    ),
)

"""Probes of how a session opens: frames, the first answer, what comes unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duologue.verify import marks
from duologue.verify.probe import ALL, Observed, Probe, UnsettledError, held
from duologue.verify.rig import how_it_ended

if TYPE_CHECKING:
    from duologue.verify.rig import Rig

__all__ = ["PROBES"]


async def _framing(rig: Rig) -> Observed:
    async with rig.bare() as wire:
        await wire.send(rig.setup())
        seen = (await wire.watch(lambda message: True, rig.pace.patience_s)).expect()  # noqa: ARG005
        return Observed(seen.received[0].framing) if seen.received else Observed("silent")


async def _first_message(rig: Rig) -> Observed:
    async with rig.bare() as wire:
        await wire.send(rig.setup())
        seen = (await wire.watch(marks.set_up, rig.pace.patience_s)).expect()
        if not seen.received:
            return Observed("silent")
        first = seen.received[0].message
        before = seen.received.index(seen.received[-1]) if seen.end == "met" else len(seen.received)
        return Observed("setup_complete" if marks.set_up(first) else "something_else", f"{before} before it")


async def _unrequested_handle(rig: Rig) -> Observed:
    async with rig.session() as wire:
        early = (await wire.watch(marks.resumable, rig.pace.quiet_s)).expect()
        if early.end == "met":
            return Observed("sent", "before anything was said")
        seen = await rig.answer(wire, "Hello!")
        late = (await wire.watch(marks.resumable, rig.pace.quiet_s)).expect()
        if seen.has(marks.resumable) or late.end == "met":
            return Observed("sent_later", "after a turn")
        return Observed("not_sent")


async def _empty_messages(rig: Rig) -> Observed:
    async with rig.session() as wire:
        seen = await rig.answer(wire, "Hello!")
        after = (await wire.watch(marks.never, rig.pace.quiet_s)).expect()
        count = seen.count(marks.is_empty) + after.count(marks.is_empty)
        total = len(seen.received) + len(after.received)
        return Observed("sent" if count else "not_sent", f"{count} of {total} messages")


async def _snake_case(rig: Rig) -> Observed:
    setup = {
        "model": rig.model,
        "generation_config": {"response_modalities": ["AUDIO"]},
        "output_audio_transcription": {},
        "realtime_input_config": {"automatic_activity_detection": {"silence_duration_ms": 800}},
    }
    async with rig.bare() as wire:
        await wire.send({"setup": setup})
        return how_it_ended(await wire.watch(marks.set_up, rig.pace.patience_s), "accepted")


async def _interaction_status(rig: Rig) -> Observed:
    async with rig.session() as wire:
        seen = await rig.answer(wire, "Hello!")
        completed = [one.message for one in seen.received if marks.turn_complete(one.message)]
        inside = [
            message.server_content.interaction_status
            for message in completed
            if message.server_content is not None and message.server_content.interaction_status
        ]
        beside = [message.interaction_status for message in completed if message.interaction_status]
        told = ", ".join(inside + beside)
        if inside:
            return Observed("inside", told)
        return Observed("beside", told) if beside else Observed("absent")


async def _usage_place(rig: Rig) -> Observed:
    async with rig.session() as wire:
        seen = await rig.answer(wire, "Hello!")
        if seen.received[-1].message.usage_metadata is not None:
            return Observed("beside")
        if any(path.endswith("usageMetadata") for path in wire.unknown_fields):
            return Observed("inside")
        after = (await wire.watch(marks.never, rig.pace.quiet_s)).expect()
        reported = any(one.message.usage_metadata for one in (*seen.received, *after.received))
        return Observed("on_its_own" if reported else "absent")


async def _usage_total(rig: Rig) -> Observed:
    async with rig.session() as wire:
        await rig.answer(wire, "Hello!")
        usage = wire.usage[-1] if wire.usage else None
        if usage is None or usage.total_token_count is None:
            raise UnsettledError("no_usage", "no total was reported")
        prompt = usage.prompt_token_count or 0
        response = usage.response_token_count or usage.candidates_token_count or 0
        thoughts = usage.thoughts_token_count or 0
        total = usage.total_token_count
        detail = f"prompt {prompt}, response {response}, thoughts {thoughts}, total {total}"
        if total == prompt + response:
            return Observed("prompt_and_response", detail)
        return Observed("with_thoughts" if total == prompt + response + thoughts else "another_sum", detail)


PROBES = (
    Probe(
        id="binary-frames",
        fact="The service sends its JSON in binary frames.",
        about="Q-binary-json",
        outcomes=("binary", "text"),
        claims=held("binary", "recorded", ALL),
        run=_framing,
        turns=0,
    ),
    Probe(
        id="setup-complete-first",
        fact="The first message is setupComplete.",
        about="Q-first-frame",
        outcomes=("setup_complete", "something_else"),
        claims=held("setup_complete", "documented", ALL),
        run=_first_message,
        turns=0,
    ),
    Probe(
        id="unrequested-handle",
        fact="A resumption handle comes before anything was said, although none was asked for.",
        about="Q-early-handle",
        outcomes=("sent", "sent_later", "not_sent"),
        claims=held("sent", "reported", ("3.8",)) | held("not_sent", "recorded", ("2.5-native",)),
        run=_unrequested_handle,
    ),
    Probe(
        id="empty-messages",
        fact='Empty messages, {} or {"serverContent":{}}, come in an ordinary turn.',
        about="Q-lazy-generation",
        outcomes=("sent", "not_sent"),
        claims=held("sent", "reported", ("3.8",))
        | held("sent", "recorded", ("3.1",))
        | held("not_sent", "recorded", ("2.5-native",)),
        run=_empty_messages,
    ),
    Probe(
        id="snake-case",
        fact="Names in snake_case are taken, at every level.",
        about="Q-two-cases",
        outcomes=("accepted",),
        claims=held("accepted", "recorded", ALL),
        run=_snake_case,
        turns=0,
    ),
    Probe(
        id="interaction-status",
        fact="interactionStatus comes with turnComplete, inside serverContent.",
        about="profile:turn_may_continue",
        outcomes=("inside", "beside", "absent"),
        claims=held("inside", "guessed", ("3.8-thinking",))
        | held("absent", "reported", ("3.8",))
        | held("absent", "recorded", ("2.5-native", "3.1")),
        run=_interaction_status,
    ),
    Probe(
        id="usage-place",
        fact="usageMetadata stands beside serverContent, in the message with turnComplete.",
        about="Q-usage-beside",
        outcomes=("beside", "inside", "on_its_own", "absent"),
        claims=held("beside", "recorded", ("2.5-native", "3.1", "vertex-half-cascade"))
        | held("beside", "reported", ("3.8",)),
        run=_usage_place,
    ),
    Probe(
        id="usage-total",
        fact="The total is prompt plus response; thoughts are not in it.",
        about="Q-thoughts-not-in-total",
        outcomes=("prompt_and_response", "with_thoughts", "another_sum"),
        claims=held("prompt_and_response", "recorded", ("2.5-native", "3.1", "vertex-half-cascade"))
        | held("prompt_and_response", "reported", ("3.8",)),
        run=_usage_total,
    ),
)

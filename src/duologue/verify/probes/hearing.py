"""Probes that speak: what the service tells of the caller's speech, and when it takes it to be over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duologue.verify import marks
from duologue.verify.probe import Observed, Probe, UnsettledError, by_cell, held

if TYPE_CHECKING:
    from duologue.verify.rig import Rig

__all__ = ["PROBES"]

_LONG_SILENCE_MS = 8_000
"""Asked for, so that only ``audioStreamEnd`` can end a turn before it has passed."""


async def _voice_activity(rig: Rig) -> Observed:
    async with rig.session(inputAudioTranscription={}) as wire:
        await rig.speak(wire)
        seen = (await wire.watch(marks.answers, rig.pace.patience_s)).expect()
        if seen.has(marks.voice_activity):
            return Observed("sent")
        if seen.end != "met":
            raise UnsettledError("not_heard", "what was spoken got no answer")
        return Observed("not_sent")


async def _input_words(rig: Rig) -> Observed:
    async with rig.session(inputAudioTranscription={}) as wire:
        await rig.speak(wire)
        seen = (await wire.watch(marks.turn_over, rig.pace.patience_s)).expect()
        pieces = seen.count(marks.hears_words)
        if not pieces:
            raise UnsettledError("not_heard", "what was spoken was not transcribed")
        return Observed("fragments" if pieces > 1 else "sentence", f"{pieces} for a line of five words")


async def _stream_end(rig: Rig) -> Observed:
    detection = {"automaticActivityDetection": {"silenceDurationMs": _LONG_SILENCE_MS}}
    async with rig.session(inputAudioTranscription={}, realtimeInputConfig=detection) as wire:
        await rig.speak(wire, tail_s=0.2)
        await wire.send({"realtimeInput": {"audioStreamEnd": True}})
        taken = marks.any_of(marks.answers, marks.hears_words)
        early = (await wire.watch(taken, _LONG_SILENCE_MS / 1000 * 0.7)).expect()
        if early.end == "met":
            return Observed("ends_the_turn")
        late = (await wire.watch(taken, rig.pace.patience_s)).expect()
        if late.end != "met":
            raise UnsettledError("not_heard", "what was spoken got no answer")
        return Observed("ignored", "the answer came after the silence that had been asked for")


PROBES = (
    Probe(
        id="voice-activity",
        fact="voiceActivity tells of the caller's speech without being asked for.",
        about="profile:sends_voice_activity",
        outcomes=("sent", "not_sent"),
        claims=by_cell(
            "sends_voice_activity", lambda row: "sent" if row.sends_voice_activity else "not_sent"
        ),
        run=_voice_activity,
    ),
    Probe(
        id="input-words",
        fact="What the caller said is transcribed in fragments on 2.5, as one sentence on 3.8.",
        about="Q-input-words",
        outcomes=("fragments", "sentence"),
        claims=held("fragments", "recorded", ("2.5-native",)) | held("sentence", "reported", ("3.8",)),
        run=_input_words,
    ),
    Probe(
        id="stream-end",
        fact="audioStreamEnd ends the caller's turn at once, whatever silence was asked for.",
        about="Q-stream-end",
        outcomes=("ends_the_turn", "ignored"),
        claims=held("ends_the_turn", "documented"),
        run=_stream_end,
    ),
)

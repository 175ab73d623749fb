"""Every probe can find its other outcomes: a service that behaves otherwise is found out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.verify.conftest import (
    GENERATED,
    INTERRUPTED,
    LIMITS,
    OVER,
    REPLY,
    USAGE,
    Manners,
    Step,
    call,
    handle,
    heard,
    scripted,
    sound,
    words,
)

from duologue.verify.catalogue import PROBES
from duologue.verify.run import probe_alone

SET_UP: Step = {"setupComplete": {}}
STORY: tuple[Step, ...] = (sound(),)
"""An answer that begins and does not end by itself."""
CALLS: tuple[Step, ...] = (call("fc_1"),)
WHOLE = {"serverContent": {"generationComplete": True, "turnComplete": True}}


def over(**content: Any) -> dict[str, Any]:
    return {"serverContent": {"turnComplete": True, **content}, "usageMetadata": USAGE}


def opens(*steps: Step) -> Manners:
    return Manners(opening=steps)


def closes(code: int, reason: str = "") -> Manners:
    return opens((code, reason))


def says(*answers: tuple[Step, ...]) -> Manners:
    return Manners(answers=answers)


# (probe, profile, how the service behaves, what is found): none of it is what we hold.
CONTRARY: list[tuple[str, str, Manners, str]] = [
    ("binary-frames", "3.8", Manners(framing="text"), "text"),
    ("setup-complete-first", "3.8", opens(handle(), SET_UP), "something_else"),
    ("setup-complete-first", "3.8", opens(), "silent"),
    ("unrequested-handle", "3.8", Manners(), "not_sent"),
    ("unrequested-handle", "3.8", says((*REPLY, handle())), "sent_later"),
    ("unrequested-handle", "2.5-native", opens(SET_UP, handle()), "sent"),
    ("empty-messages", "3.8", Manners(), "not_sent"),
    ("empty-messages", "2.5-native", says(({"serverContent": {}}, *REPLY)), "sent"),
    ("snake-case", "3.8", closes(1007, "Invalid JSON payload received."), "closed_1007"),
    ("interaction-status", "3.8", says((sound(), over(interactionStatus="IDLE"))), "inside"),
    ("interaction-status", "3.8-thinking", says((sound(), {**OVER, "interactionStatus": "IDLE"})), "beside"),
    ("interaction-status", "3.8-thinking", Manners(), "absent"),
    ("usage-place", "3.8", says((sound(), WHOLE, {"usageMetadata": USAGE})), "on_its_own"),
    ("usage-place", "3.8", says((sound(), WHOLE)), "absent"),
    ("usage-place", "3.8", says((sound(), {"serverContent": {"turnComplete": True, "usageMetadata": USAGE}})), "inside"),
    ("usage-total", "3.8", says((sound(), {**OVER, "usageMetadata": {**USAGE, "totalTokenCount": 18}})), "with_thoughts"),
    ("usage-total", "3.8", says((sound(), {**OVER, "usageMetadata": {**USAGE, "totalTokenCount": 99}})), "another_sum"),
    ("second-setup", "3.8", Manners(), "accepted"),
    ("second-setup", "3.8", Manners(other=[(1008, "no")]), "closed_1008"),
    ("content-before-setup", "3.8", opens(SET_UP, *REPLY), "accepted"),
    ("unknown-field", "3.8", Manners(), "accepted"),
    ("unknown-field", "3.8", closes(1007, "Request contains an invalid argument."), "closed_1007"),
    ("bad-key", "3.8", Manners(), "accepted"),
    ("bad-key", "3.8", Manners(status=401), "http_other"),
    ("no-key", "3.8", closes(1007, "API key not valid."), "key_not_valid"),
    ("no-key", "3.8", Manners(status=404), "http_404"),
    ("wrong-version", "3.8", Manners(), "accepted"),
    ("wrong-version", "3.8", Manners(status=400), "http_other"),
    ("unknown-model", "3.8", Manners(), "accepted"),
    ("text-modality", "2.5-native", closes(1011, "Internal error encountered."), "internal_error"),
    ("text-modality", "3.8", Manners(), "accepted"),
    ("null-handle", "2.5-native", closes(1007, "Request contains an invalid argument."), "invalid_argument"),
    ("null-handle", "3.8", Manners(), "accepted"),
    ("plain-instruction", "3.8", Manners(), "accepted"),
    ("marks-under-automatic", "3.8", Manners(), "accepted"),
    ("realtime-text", "3.8", says(({"serverContent": {"turnComplete": True}},)), "turn_without_sound"),
    ("realtime-text", "3.8", says(()), "silent"),
    ("content-in-mid-session", "3.8", says(REPLY, ((1007, "Request contains an invalid argument."),)), "invalid_argument"),
    ("content-in-mid-session", "3.1", Manners(), "answered"),
    ("content-interrupts", "3.8", says(STORY, (OVER,)), "not_interrupted"),
    ("content-interrupts", "3.1", says(STORY, (INTERRUPTED,)), "interrupted"),
    ("text-interrupts", "3.8", says(STORY, (GENERATED, OVER)), "not_interrupted"),
    ("speech-interrupts", "3.8", Manners(answers=[STORY], speech=[INTERRUPTED, GENERATED, OVER]), "generation_complete_too"),
    ("speech-interrupts", "3.8", Manners(answers=[STORY], speech=[INTERRUPTED]), "turn_left_open"),
    ("speech-interrupts", "3.8", Manners(answers=[STORY]), "not_interrupted"),
    ("paced-turn-complete", "3.8", says((sound(2.0), GENERATED, OVER)), "at_once"),
    ("context-update", "3.8", Manners(), "no_effect"),
    ("context-update", "3.8", Manners(other=[(1007, "Request contains an invalid argument.")]), "invalid_argument"),
    ("context-update", "2.5-native", says(CALLS), "takes_effect"),
    ("voice-activity", "3.8", Manners(speech=REPLY), "not_sent"),
    ("voice-activity", "2.5-native", Manners(speech=[{"voiceActivity": {"type": "ACTIVITY_START"}}, *REPLY]), "sent"),
    ("input-words", "3.8", Manners(speech=[heard("Hello,"), heard(" can you"), *REPLY]), "fragments"),
    ("input-words", "2.5-native", Manners(speech=[heard("Hello."), *REPLY]), "sentence"),
    ("stream-end", "3.8", Manners(stream_end=[5.8, *REPLY]), "ignored"),
    ("undeclared-behavior", "3.8", says(CALLS), "turn_waits"),
    ("undeclared-behavior", "2.5-native", says((*CALLS, OVER)), "turn_completes_first"),
    ("scheduling-place", "3.8", Manners(answers=[(*CALLS, OVER)], results=REPLY), "neither"),
    ("parallel-calls", "3.8", says((call("fc_1"), call("fc_2"))), "several_messages"),
    ("json-schema", "3.8", says(CALLS), "ignored"),
    ("unknown-result", "3.8", Manners(), "passed_over"),
    ("unknown-result", "3.8", Manners(results=[(1007, "no")]), "closed_1007"),
    ("content-cancels-calls", "3.8", says(CALLS, REPLY), "not_cancelled"),
    ("content-cancels-calls", "3.8", says(CALLS, ({"toolCallCancellation": {"ids": ["fc_9"]}},)), "another_cancelled"),
    ("input-cancels-calls", "2.5-native", says(CALLS, ({"toolCallCancellation": {"ids": ["fc_1"]}},)), "cancelled"),
    ("input-cancels-calls", "2.5-native", says(CALLS, ((1008, "Operation is not implemented"),)), "closed_1008"),
    ("malformed-handle", "3.8", Manners(), "accepted"),
    ("malformed-handle", "3.8", closes(1008, "BidiGenerateContent session not found"), "session_not_found"),
    ("dead-handle", "3.8", says((*REPLY, handle())), "accepted"),
    ("resume-while-open", "3.8", says((*REPLY, handle())), "accepted"),
    ("handle-restores", "3.8", says((sound(), words("I do not know."), OVER, handle())), "forgotten"),
    ("lost-generation", "3.8", replace(says((*REPLY, handle()), STORY), opening=(SET_UP, 0.02, sound())), "continued"),
    ("go-away", "3.8", opens(SET_UP, (1011, "Deadline expired")), "not_announced"),
    ("go-away", "3.8", opens(SET_UP, {"goAway": {}}, (1008, "")), "no_time_left"),
    ("go-away", "3.8", opens(SET_UP, {"goAway": {"timeLeft": "10s"}}, (1008, "")), "ended_early"),
    ("go-away", "3.8", opens(SET_UP, {"goAway": {"timeLeft": "0.05s"}}), "still_open"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("probe", "profile", "manners", "found"),
    CONTRARY,
    ids=[f"{probe}-{profile}-{found}" for probe, profile, _, found in CONTRARY],
)
async def test_what_is_otherwise_is_refuted(probe: str, profile: str, manners: Manners, found: str) -> None:
    async with scripted(manners) as (side, _):
        finding = await probe_alone(side, PROBES[probe], profile, LIMITS)
    assert (finding.found, finding.verdict) == (found, "refuted"), finding


def test_every_probe_can_be_refuted() -> None:
    assert {probe for probe, *_ in CONTRARY} == set(PROBES)

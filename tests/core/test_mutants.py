"""A standing check of the promises' tests: each of these mistakes must be caught by the judge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from tests.core.conversation_machine import ConversationMachine, walk

from duologue.core.activity import UserActivity
from duologue.core.conversation import Conversation
from duologue.core.generation import Generation, GenerationState
from duologue.core.outlet import Outlet
from duologue.core.replies import PendingReply
from duologue.core.session import Session
from duologue.core.tools import CallState, ToolLedger
from duologue.core.transcript import TranscriptBook
from duologue.core.turns import TurnBook
from duologue.core.uplink import Uplink
from duologue.events import GenerationCompleted, SessionEnded, Transcript

HUNT = settings(
    max_examples=45,
    stateful_step_count=50,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)

Patch = Callable[[pytest.MonkeyPatch], None]
MUTANTS: dict[str, Patch] = {}


def mutant(patch: Patch) -> Patch:
    MUTANTS[patch.__name__] = patch
    return patch


@mutant
def a_lost_link_leaves_the_generation_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TurnBook, "lose", lambda self: self._transcript.end("model"))


@mutant
def an_interruption_does_not_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TurnBook, "_cut", lambda self, generation, by: None)


@mutant
def a_discarded_generation_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    def state(self: Generation) -> GenerationState:
        real = self.machine.state
        return GenerationState.STREAMING if real is GenerationState.DISCARDING else real

    monkeypatch.setattr(Generation, "state", property(state))


@mutant
def a_generation_completes_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    original = TurnBook._end

    def end(self: TurnBook, generation: Generation, status: Any) -> None:
        original(self, generation, status)
        if generation.interrupted:
            self._outlet.emit(GenerationCompleted(generation.id, status))

    monkeypatch.setattr(TurnBook, "_end", end)


@mutant
def half_a_sample_goes_out_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    original = TurnBook._whole_samples

    def whole_samples(self: TurnBook, generation: Generation, data: str) -> None:
        original(self, generation, data)
        if generation.half:
            self._end_half(generation)

    monkeypatch.setattr(TurnBook, "_whole_samples", whole_samples)


@mutant
def half_a_sample_is_told_after_its_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    original = TurnBook._cut

    def cut(self: TurnBook, generation: Generation, by: Any) -> None:
        generation.half = b"\1" if generation.audio_bytes else b""
        original(self, generation, by)

    monkeypatch.setattr(TurnBook, "_cut", cut)


@mutant
def a_call_is_answered_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    original = ToolLedger.answer

    def answer(self: ToolLedger, call_id: str, response: Any, **how: Any) -> None:
        call = self._calls.get(call_id)
        if call is not None and call.machine.state is CallState.ANSWERED:
            call.machine._state = CallState.OPEN
        original(self, call_id, response, **how)

    monkeypatch.setattr(ToolLedger, "answer", answer)


@mutant
def a_cancelled_call_may_still_be_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    original = ToolLedger.answer

    def answer(self: ToolLedger, call_id: str, response: Any, **how: Any) -> None:
        call = self._calls.get(call_id)
        if call is not None and call.machine.state is CallState.CANCELLED:
            call.machine._state = CallState.OPEN
        original(self, call_id, response, **how)

    monkeypatch.setattr(ToolLedger, "answer", answer)


@mutant
def open_calls_are_forgotten_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToolLedger, "abandon_all", lambda self: None)


@mutant
def a_result_that_is_no_json_ends_its_call(monkeypatch: pytest.MonkeyPatch) -> None:
    original = ToolLedger.answer

    def answer(self: ToolLedger, call_id: str, response: Any, **how: Any) -> None:
        try:
            original(self, call_id, response, **how)
        except ValueError:
            call = self._calls.get(call_id)
            if call is not None:
                call.machine.to(CallState.ANSWERED)
            raise

    monkeypatch.setattr(ToolLedger, "answer", answer)


@mutant
def a_flush_loses_two_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Uplink.flush

    def flush(self: Uplink) -> None:
        del self._rest[-2:]
        original(self)

    monkeypatch.setattr(Uplink, "flush", flush)


@mutant
def a_gate_that_opens_sends_the_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Uplink.set_gate

    def set_gate(self: Uplink, gate: Any) -> None:
        self._held.reverse()
        original(self, gate)

    monkeypatch.setattr(Uplink, "set_gate", set_gate)


@mutant
def a_mark_overtakes_held_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Uplink, "mark", lambda self, data: self._outlet.send(data))


@mutant
def dropped_sound_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Uplink, "_lost", lambda self, counter, length_ms: None)


@mutant
def a_reply_is_superseded_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: PendingReply, error: Any) -> None:
        self._pending = None

    monkeypatch.setattr(PendingReply, "_fail", fail)


@mutant
def words_beside_an_interruption_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Conversation._content

    def content(self: Conversation, given: Any, now: float) -> None:
        if given.interrupted and self.turns.current is None:
            given = msgspec.structs.replace(given, output_transcription=None)
        original(self, given, now)

    monkeypatch.setattr(Conversation, "_content", content)


@mutant
def an_item_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    original = TranscriptBook.end

    def end(self: TranscriptBook, role: Any, *, interrupted: bool = False) -> None:
        if role == "model":
            original(self, role, interrupted=interrupted)

    monkeypatch.setattr(TranscriptBook, "end", end)


@mutant
def unwanted_transcripts_are_built(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Outlet.wants
    monkeypatch.setattr(Outlet, "wants", lambda self, kind: kind is Transcript or original(self, kind))


@mutant
def the_setup_deadline_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Session._ready

    def ready(self: Session, service_id: str | None) -> None:
        deadline_at = self._setup_deadline_at
        original(self, service_id)
        self._setup_deadline_at = deadline_at

    monkeypatch.setattr(Session, "_ready", ready)


@mutant
def the_end_is_told_first(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Conversation.lose

    def lose(self: Conversation, now: float, why: str) -> None:
        self._out.emit(SessionEnded(None, why, None))
        original(self, now, why)

    monkeypatch.setattr(Conversation, "lose", lose)


@mutant
def the_user_never_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    original = UserActivity.start
    monkeypatch.setattr(UserActivity, "speaking", property(lambda self: False))
    monkeypatch.setattr(UserActivity, "start", lambda self, offset=None: None if offset else original(self))


@pytest.mark.parametrize("name", MUTANTS)
def test_the_judge_catches(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name](monkeypatch)
    with pytest.raises(AssertionError):
        walk(ConversationMachine, HUNT, seeds=range(30))

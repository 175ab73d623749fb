"""How much one client may make the emulator keep: the context's size, with and without compression."""

from __future__ import annotations

import math
from typing import Any

import pytest
from tests.emulator.rules.conftest import Call, Dial, tone

from duologue.emulator.asks import Close
from duologue.emulator.protocols import Call as FunctionCall
from duologue.emulator.protocols import Reply
from duologue.emulator.rules import Service, Snapshot

EXHAUSTED = Close(1007, "Request contains an invalid argument.")
COMPRESSED: dict[str, Any] = {"contextWindowCompression": {"slidingWindow": {}}}
KILOBYTE = "x" * 1000


def tell(call: Call, *texts: str) -> None:
    """Add turns of the user without asking for a reply."""
    turns = [{"role": "user", "parts": [{"text": text}]} for text in texts]
    call.send({"clientContent": {"turns": turns, "turnComplete": False}})


def test_a_context_is_exhausted_by_its_bytes(dial: Dial) -> None:
    call = dial().set_up()
    for _ in range(20):
        tell(call, KILOBYTE * 100)
    assert call.closed is None
    tell(call, KILOBYTE * 100)
    assert call.closed == EXHAUSTED


def test_a_context_is_exhausted_by_its_entries(dial: Dial) -> None:
    call = dial().set_up()
    tell(call, *["x"] * 4096)
    assert call.closed is None
    tell(call, "x")
    assert call.closed == EXHAUSTED


@pytest.mark.parametrize(
    "setup",
    [
        {"systemInstruction": {"parts": [{"text": KILOBYTE * 2100}]}},
        {"tools": [{"functionDeclarations": [{"name": "f", "description": KILOBYTE * 2100}]}]},
    ],
    ids=["instruction", "tools"],
)
def test_a_setup_may_exhaust_it(dial: Dial, setup: dict[str, Any]) -> None:
    call = dial().set_up(**setup)
    assert call.closed == EXHAUSTED
    assert call.kinds() == []


def test_what_waits_behind_a_turn_counts(dial: Dial) -> None:
    call = dial()
    call.answers = False
    call.set_up(realtimeInputConfig={"activityHandling": "NO_INTERRUPTION"})
    call.say("Go.")
    for _ in range(25):
        call.send({"realtimeInput": {"text": KILOBYTE * 100}})
    assert call.closed == EXHAUSTED


def test_results_and_updates_count(dial: Dial) -> None:
    call = dial(replies=[Reply(calls=(FunctionCall("f", {}),))])
    call.set_up(tools=[{"functionDeclarations": [{"name": "f"}]}])
    call.say("Go.")
    call.respond(*call.call_ids(), output=KILOBYTE * 2100)
    assert call.closed == EXHAUSTED
    updated = dial().set_up("3.8")
    updated.send({"contextUpdate": {"systemInstruction": {"parts": [{"text": KILOBYTE * 2100}]}}})
    assert updated.closed == EXHAUSTED


def test_compression_forgets_the_oldest(dial: Dial) -> None:
    call = dial().set_up(**COMPRESSED)
    for index in range(30):
        tell(call, f"{index} {KILOBYTE * 100}")
    tell(call, *["x"] * 5000)
    call.say("Well?")
    assert call.closed is None
    history = call.prompts()[-1].history
    assert history[-1].text == "Well?"
    assert 2000 < len(history) <= 4096
    assert sum(len(entry.text) for entry in history) <= 2 * 1024 * 1024
    tell(call, KILOBYTE * 2100)
    assert call.closed == EXHAUSTED


def test_a_detector_is_made_for_sound_and_released_at_the_end() -> None:
    class Held:
        window_samples = 512
        released = 0

        def __call__(self, window: bytes) -> float:
            return 0.0

        def release(self) -> None:
            self.released += 1

    from duologue.emulator.rules import ServerRules

    made: list[Held] = []

    def make() -> Held:
        made.append(Held())
        return made[-1]

    call = Call(ServerRules(Service(), make_detector=make)).open().set_up()
    call.say("Go.")
    assert made == []
    call.hear(tone(0.5))
    assert [held.released for held in made] == [0]
    call.rules.link_lost(call.now)
    call.rules.link_lost(call.now)
    assert [held.released for held in made] == [1]


def test_handles_are_bounded_by_what_they_hold() -> None:
    service = Service()
    service.conversation_opened("a", "s1")
    state = Snapshot("a", "m", (), 0.0, 0.0, 0.0, size_bytes=1024 * 1024)
    handles = [service.issue(state, "uuid") for _ in range(100)]
    service.conversation_closed("a", "s1", 0.0)
    kept = [handle for handle in handles if service.redeem(handle, "uuid", "m", 0.0) == state]
    assert kept == handles[-64:]
    assert service.redeem(kept[0], "uuid", "m", math.inf) != state  # too late: forgotten, and not counted
    small = service.issue(Snapshot("b", "m", (), 0.0, 0.0, 0.0, size_bytes=1), "uuid")
    assert service.redeem(kept[1], "uuid", "m", 0.0) == state
    service.conversation_opened("b", "s2")
    service.conversation_closed("b", "s2", 0.0)
    assert isinstance(service.redeem(small, "uuid", "m", 0.0), Snapshot)

"""The small parts: tables, the transcript, activity, usage; and that the core is pure."""

from __future__ import annotations

import copy
import subprocess
import sys
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core import messages as say

from duologue.core.activity import ACTIVITY_TABLE, UserActivity
from duologue.core.generation import GENERATION_TABLE
from duologue.core.link import LINK_TABLE, Link
from duologue.core.machine import IllegalTransitionError, Machine, Table
from duologue.core.outlet import Outlet
from duologue.core.tools import CALL_TABLE
from duologue.core.transcript import TranscriptBook
from duologue.core.uplink import GATE_TABLE
from duologue.core.usage import UsageLedger, token_usage
from duologue.events import InputSpeechStarted, InputSpeechStopped, TokenUsage, Transcript
from duologue.wire.server import ModalityTokenCount, UsageMetadata

if TYPE_CHECKING:
    from tests.core.conftest import Begin

    from duologue.core.session import Session

TABLES: list[Table[Any]] = [LINK_TABLE, ACTIVITY_TABLE, GENERATION_TABLE, CALL_TABLE, GATE_TABLE]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: type(next(iter(table))).__name__)
def test_a_table_is_whole(table: Table[Any]) -> None:
    kind: type[Enum] = type(next(iter(table)))
    states = set(kind)
    assert set(table) == states
    for state, to in table.items():
        assert to <= states
        assert state not in to
    first = next(iter(table))
    reached = {first}
    while more := {to for state in reached for to in table[state]} - reached:
        reached |= more
    assert reached == states


@pytest.mark.parametrize("table", TABLES, ids=lambda table: type(next(iter(table))).__name__)
def test_a_machine_makes_the_moves_of_its_table_and_no_other(table: Table[Any]) -> None:
    for old in table:
        for new in table:
            machine = Machine(table, old)
            if new in table[old]:
                machine.to(new)
                assert machine.state is new
            else:
                with pytest.raises(IllegalTransitionError, match=old.name):
                    machine.to(new)
                assert machine.state is old


def test_moves_can_be_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lamp(Enum):
        OFF = auto()
        ON = auto()

    seen: list[tuple[Enum, Enum]] = []
    monkeypatch.setattr(Machine, "watch", lambda old, new: seen.append((old, new)))
    Machine({Lamp.OFF: frozenset({Lamp.ON}), Lamp.ON: frozenset()}, Lamp.OFF).to(Lamp.ON)
    assert seen == [(Lamp.OFF, Lamp.ON)]


class TestTranscript:
    @given(st.lists(st.text(max_size=5), max_size=8))
    def test_deltas_are_verbatim_and_the_text_is_their_sum(self, fragments: list[str]) -> None:
        outlet = Outlet()
        book = TranscriptBook(outlet, "p-")
        for fragment in fragments:
            book.add("user", fragment)
        book.end("user")
        events = [event for event in outlet.drain_events() if isinstance(event, Transcript)]
        assert "".join(event.delta for event in events) == "".join(fragments)
        assert [event.final for event in events] == [False] * (len(events) - 1) + [True] * bool(events)
        if events:
            assert events[-1].text == "".join(fragments).lstrip() == book.context.messages[0].text

    def test_both_speakers_at_once(self) -> None:
        outlet = Outlet()
        book = TranscriptBook(outlet, "p-")
        book.add("user", " I")
        book.add("model", " You")
        book.add("user", " am")
        book.end("model", interrupted=True)
        book.end("user")
        book.end("user")
        said = [(m.role, m.text, m.interrupted, m.id) for m in book.context.messages]
        assert said == [("model", "You", True, "p-item-2"), ("user", "I am", False, "p-item-1")]

    def test_the_history_is_bounded(self) -> None:
        book = TranscriptBook(Outlet(), "p-")
        for number in range(2100):
            book.note("user", str(number))
        assert len(book.context.messages) == 2000
        assert book.context.messages[0].text == "100"

    def test_finished_ends_the_users_item(self, begin: Begin) -> None:
        """Q-input-words."""
        watched = begin("3.8")
        for message in (say.heard(" one"), say.heard(None, finished=True), say.heard(" two"), say.sound()):
            watched.do("receive", message, 1.0)
        assert [m.text for m in watched.session.chat_ctx.messages] == ["one", "two"]


class TestActivity:
    def events(self, outlet: Outlet) -> list[Any]:
        return outlet.drain_events()

    def test_marks_make_one_start_and_one_stop(self) -> None:
        """Q-voice-activity."""
        outlet = Outlet()
        activity = UserActivity(outlet, marked=True)
        activity.stop(1.0)
        activity.start(200)
        activity.start(300)
        activity.stop(2.0, 900)
        activity.stop(3.0)
        assert self.events(outlet) == [InputSpeechStarted(200), InputSpeechStopped(900)]
        assert activity.stopped_at == 2.0

    def test_hints_count_where_nobody_marks(self) -> None:
        """Q-implied-activity."""
        for marked in (False, True):
            outlet = Outlet()
            activity = UserActivity(outlet, marked=marked)
            activity.imply_start()
            activity.imply_stop(1.0)
            assert len(self.events(outlet)) == (0 if marked else 2)
            assert activity.stopped_at is None

    @pytest.mark.parametrize("signal", ["VAD_SIGNAL_TYPE_", ""])
    def test_both_kinds_of_marks(self, begin: Begin, signal: str) -> None:
        watched = begin("3.8")
        start = say.vad_signal(f"{signal}SOS") if signal else say.voice("ACTIVITY_START", "0.200s")
        stop = say.vad_signal(f"{signal}EOS") if signal else say.voice("ACTIVITY_END", "infs")
        for message in (start, start, stop, stop, say.vad_signal("?"), say.voice("?")):
            watched.do("receive", message, 1.0)
        speech = [e for e in watched.all_events if isinstance(e, InputSpeechStarted | InputSpeechStopped)]
        assert [e.audio_offset_ms for e in speech] == [None if signal else 200, None]


class TestUsage:
    def test_names_of_both_backends(self) -> None:
        developer = UsageMetadata(prompt_token_count=1, response_token_count=2, total_token_count=3)
        vertex = UsageMetadata(prompt_token_count=1, candidates_token_count=2, total_token_count=3)
        assert token_usage(developer) == token_usage(vertex) == TokenUsage(1, 2, 3)

    def test_what_was_recorded(self) -> None:
        """Q-thoughts-not-in-total, Q-details-do-not-sum, Q-silent-turn: passed on as it came."""
        odd = UsageMetadata(
            prompt_token_count=482,
            total_token_count=551,
            thoughts_token_count=24,
            prompt_tokens_details=[ModalityTokenCount(modality="TEXT", token_count=360)],
            response_tokens_details=[ModalityTokenCount(modality="AUDIO"), ModalityTokenCount(token_count=4)],
        )
        usage = token_usage(odd)
        assert (usage.input_tokens, usage.output_tokens, usage.total_tokens, usage.thought_tokens) == (
            482,
            0,
            551,
            24,
        )
        assert usage.input_by_modality == {"text": 360}
        assert usage.output_by_modality == {"audio": 0, "modality_unspecified": 4}

    @given(st.lists(st.tuples(st.integers(0, 99), st.booleans()), max_size=12))
    def test_the_last_count_of_each_turn_is_summed_once(self, counts: list[tuple[int, bool]]) -> None:
        """Q-counts-grow."""
        ledger = UsageLedger()
        expected, last = 0, 0
        for count, turn_ends in counts:
            ledger.report(TokenUsage(input_tokens=count, input_by_modality={"text": count}))
            last = count
            if turn_ends:
                assert ledger.close_turn() == TokenUsage(
                    input_tokens=count, input_by_modality={"text": count}
                )
                expected, last = expected + count, 0
        assert ledger.total.input_tokens == expected + last
        assert ledger.total.input_by_modality.get("text", 0) == expected + last


class TestPurity:
    FORBIDDEN = (
        "asyncio",
        "socket",
        "ssl",
        "logging",
        "random",
        "secrets",
        "threading",
        "websockets",
        "numpy",
    )

    def test_importing_the_core_brings_no_clock_no_loop_no_socket(self) -> None:
        """In an interpreter of its own; what its dependencies need anyway is taken off."""
        code = (
            "import sys, json, hashlib, dataclasses, enum, typing, urllib.parse, ipaddress, re\n"
            "import msgspec, pybase64\n"
            "before = set(sys.modules)\n"
            "import duologue.core.session, duologue.core.verdict, duologue.wire.codec, duologue.wire.setup\n"
            "import duologue.wire.endpoint, duologue.wire.profiles\n"
            "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('duologue')))\n"
        )
        brought = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
        assert not set(brought) & {*self.FORBIDDEN, "time", "datetime"}

    def test_a_copy_goes_its_own_way(self, begin: Begin) -> None:
        """The session is a value: a deep copy continues like the original and does not touch it."""
        watched = begin()
        for message in (say.heard(" a"), say.said(" b"), say.sound(), say.calls(("1", "f"))):
            watched.do("receive", message, 1.0)
        twin: Session = copy.deepcopy(watched.session)
        assert twin.link is Link.READY
        twin.close(2.0)
        assert watched.session.link is Link.READY
        again = copy.deepcopy(watched.session)
        watched.do("tool_result", "1", {"output": 1}, 3.0)
        again.tool_result("1", {"output": 1}, 3.0)
        assert list(again.to_send()) == watched.last_frames
        assert again.events() == watched.last_events
        assert twin.open_calls == []


def test_hints_stand_in_for_marks_until_the_first_mark(begin: Begin) -> None:
    """Q-voice-activity, Q-implied-activity: on 3.8 too, nobody knows whether marks come before one has come."""
    watched = begin("3.8")
    watched.do("receive", say.heard("Hello"), 1.0)
    assert "InputSpeechStarted" in [type(event).__name__ for event in watched.last_events]
    watched.do("receive", say.voice("ACTIVITY_END"), 1.1)
    watched.do("receive", say.heard("again"), 1.2)
    assert "InputSpeechStarted" not in [type(event).__name__ for event in watched.last_events]

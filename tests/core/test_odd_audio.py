"""Q-odd-audio: sound whose pieces are cut anywhere, as recorded traffic has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core import messages as say
from tests.core.invariants import Watched
from tests.core.test_turns import hear, names, only

from duologue.core.outlet import BULK
from duologue.core.session import SessionPlan
from duologue.errors import ProtocolError
from duologue.events import AudioOutput, GenerationCompleted, SessionError
from duologue.wire.profiles import PROFILES

if TYPE_CHECKING:
    from tests.core.conftest import Begin

DONE = say.GENERATION_COMPLETE


def sizes(events: list[Any]) -> list[tuple[int, int]]:
    """Return (offset_ms, bytes) of every piece of sound."""
    return [(e.offset_ms, len(e.pcm)) for e in events if isinstance(e, AudioOutput)]


def odd_errors(events: list[Any]) -> list[SessionError]:
    return [e for e in events if isinstance(e, SessionError) and getattr(e.error, "code", "") == "odd_audio"]


def test_a_sample_split_across_messages_is_put_together(begin: Begin) -> None:
    """Q-odd-audio: whole samples leave at once, half a one with the piece that has its other half."""
    watched = begin()
    pieces = [say.cut_part(33, 1), say.cut_part(33, 2)]
    events = hear(watched, *(say.parts(piece) for piece in pieces), DONE)
    assert sizes(events) == [(0, 32), (0, 34)]
    assert [e.pcm for e in events if isinstance(e, AudioOutput)] == [b"\1" * 32, b"\1" + b"\2" * 33]
    assert odd_errors(events) == []
    assert only(events, GenerationCompleted).audio_ms == 1


def test_the_last_odd_byte_is_kept_and_told(begin: Begin) -> None:
    """Q-odd-audio: nothing of the sound is missing, and one recoverable error says what is odd."""
    events = hear(begin(), say.parts(say.cut_part(97)), DONE, say.TURN_COMPLETE)
    assert sizes(events) == [(0, 96), (2, 1)]
    [told] = odd_errors(events)
    assert told.recoverable
    assert isinstance(told.error, ProtocolError)
    assert told.error.number is None
    assert "97 bytes" in str(told.error)
    assert names(events)[-4:] == ["AudioOutput", "SessionError", "GenerationCompleted", "TurnCompleted"]


def test_each_generation_has_halves_of_its_own(begin: Begin) -> None:
    watched = begin(tools=({"name": "block", "behavior": "BLOCKING"},))
    cut = say.parts(say.cut_part(3))
    events = hear(watched, cut, say.calls(("1", "block")), cut, DONE)
    assert sizes(events) == [(0, 2), (0, 1), (0, 2), (0, 1)]
    assert len(odd_errors(events)) == 2


def test_a_link_that_is_lost_leaves_the_byte_too(begin: Begin) -> None:
    watched = begin()
    hear(watched, say.parts(say.cut_part(3)))
    watched.do("close", 2.0)
    assert sizes(watched.last_events) == [(0, 1)]


@pytest.mark.parametrize("by", ["service", "application"])
def test_an_interruption_drops_the_half_that_waits(begin: Begin, by: str) -> None:
    watched = begin()
    hear(watched, say.parts(say.cut_part(481)))
    if by == "service":
        events = hear(watched, say.INTERRUPTED, say.TURN_COMPLETE)
    else:
        watched.do("interrupt", 1.0)
        events = [*watched.last_events, *hear(watched, say.parts(say.cut_part(4)), say.TURN_COMPLETE)]
    assert sizes(events) == []
    assert odd_errors(events) == []
    assert watched.session.counters["discarded_audio_bytes"] == (1 if by == "service" else 5)


def test_who_begins_to_listen_in_the_middle_gets_whole_samples(begin: Begin) -> None:
    watched = begin()
    watched.do("set_interest", BULK - {AudioOutput})
    hear(watched, say.parts(say.cut_part(33, 1)), say.parts(say.cut_part(16, 2)))
    watched.do("set_interest", BULK)
    events = hear(watched, say.parts(say.cut_part(3, 3)), DONE)
    assert [e.pcm for e in events if isinstance(e, AudioOutput)] == [b"\2\3\3\3"]
    assert only(events, AudioOutput).offset_ms == 1


def test_it_is_told_also_when_nobody_listens(begin: Begin) -> None:
    watched = begin()
    watched.do("set_interest", BULK - {AudioOutput})
    events = hear(watched, say.parts(say.cut_part(97)), DONE)
    assert len(odd_errors(events)) == 1
    assert only(events, GenerationCompleted).audio_ms == 2


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(lengths=st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_pieces_cut_anywhere_lose_nothing(lengths: list[int]) -> None:
    """Q-odd-audio: the same bytes, every piece but the last in whole samples."""
    plan = SessionPlan(session_id="s", setup={"model": "m"}, profile=PROFILES["2.5-native"])
    watched = Watched(plan)
    for name, arguments in (("connect", ()), ("link_opened", ()), ("receive", (say.READY,))):
        watched.do(name, *arguments, 0.0)
    messages = [say.parts(say.cut_part(size, fill)) for fill, size in enumerate(lengths)]
    pieces = [e.pcm for e in hear(watched, *messages, DONE) if isinstance(e, AudioOutput)]
    assert b"".join(pieces) == b"".join(bytes([fill]) * size for fill, size in enumerate(lengths))
    assert all(len(piece) % 2 == 0 for piece in pieces[:-1])
    assert len(odd_errors(watched.all_events)) == sum(lengths) % 2

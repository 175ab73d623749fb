"""Marks, words and voiced sound put together: which utterances there were, when, and what was heard of them."""

from __future__ import annotations

import math

import pytest

from duologue.cli.utterances import CallerTurn, CallerVoice

ZERO_S = 0.07
"""How much later a mark comes than the sound it is about."""


def _told(turns: list[CallerTurn]) -> list[tuple[float, float, str]]:
    return [(round(turn.began_at_s, 2), round(turn.ended_at_s, 2), turn.heard) for turn in turns]


def _mark(voice: CallerVoice, from_s: float, to_s: float, *, silence_s: float = 0.5) -> None:
    """Tell an activity as the service does: where it was in the sound, and later than it was."""
    voice.started(from_s + ZERO_S, round(from_s * 1000))
    voice.stopped(to_s + silence_s + ZERO_S, round(to_s * 1000))


def test_a_recording_is_split_where_the_service_hears_it_end() -> None:
    voice = CallerVoice()
    voice.line([(1.0, 1.5), (1.8, 2.5), (4.0, 5.0), (8.0, 9.0)], None)
    for item, (from_s, to_s) in {"One.": (1.05, 2.4), "Two.": (4.03, 4.9), "Three.": (8.0, 9.0)}.items():
        _mark(voice, from_s, to_s)
        voice.words(item, item, to_s + 0.6)
    assert _told(voice.turns()) == [(1.0, 2.5, "One."), (4.0, 5.0, "Two."), (8.0, 9.0, "Three.")]


def test_noise_between_two_utterances_belongs_to_none() -> None:
    voice = CallerVoice()
    voice.line([(1.0, 2.0), (3.5, 3.6), (5.0, 6.0)], None)
    _mark(voice, 1.0, 2.0)
    voice.words("a", "One.", 2.6)
    _mark(voice, 5.0, 6.0)
    voice.words("b", "Two.", 6.6)
    assert _told(voice.turns()) == [(1.0, 2.0, "One."), (5.0, 6.0, "Two.")]


def test_a_noise_that_never_ends_leaves_the_time_to_the_marks() -> None:
    voice = CallerVoice()
    voice.line([(0.0, 20.0)], None)
    _mark(voice, 3.0, 5.0)
    voice.words("a", "One.", 5.6)
    _mark(voice, 9.0, 10.0)
    voice.words("b", "Two.", 10.6)
    first, second = voice.turns()
    assert (first.began_at_s, first.ended_at_s) == pytest.approx((3.0, 5.0), abs=0.1)
    assert (second.began_at_s, second.ended_at_s) == pytest.approx((9.0, 10.0), abs=0.1)


def test_marks_without_places_are_enough() -> None:
    """Where the service marks nothing, words tell the beginning late and the answer tells the end."""
    voice = CallerVoice()
    for began_s in (0.2, 10.0, 20.0):  # a knock, then two utterances
        voice.voiced(began_s, began_s + (0.1 if began_s < 1 else 2.0))
    for number, at_s in enumerate((12.1, 22.1)):
        voice.started(at_s, None)
        voice.words(f"u{number}", f"{number}.", at_s)
        voice.stopped(at_s + 0.5, None)
    assert _told(voice.turns()) == [(10.0, 12.0, "0."), (20.0, 22.0, "1.")]


def test_what_lies_ahead_is_not_taken_for_what_was_said() -> None:
    voice = CallerVoice()
    voice.line([(1.0, 2.0), (9.0, 10.0)], None)
    voice.started(2.6, None)
    voice.words("a", "One.", 2.6)
    turn = voice.turn_of("a", 2.6)
    assert turn is not None
    assert turn.began_at_s == 1.0


def test_words_that_come_late_belong_to_what_was_said_before() -> None:
    voice = CallerVoice()
    voice.line([(1.0, 2.0), (3.0, 4.0)], None)
    _mark(voice, 1.0, 2.0)
    voice.started(3.0 + ZERO_S, 3000)
    voice.words("a", "One.", 3.1)
    voice.stopped(4.5, 4000)
    voice.words("b", "Two.", 4.6)
    assert [turn.heard for turn in voice.turns()] == ["One.", "Two."]


def test_an_activity_without_sound_gives_its_words_to_the_turn_before() -> None:
    voice = CallerVoice()
    voice.line([(1.0, 2.0)], "One. Two.")
    _mark(voice, 1.0, 2.0)
    voice.words("a", "One.", 2.6)
    voice.started(2.7, None)
    voice.words("b", "Two.", 2.7)
    assert _told(voice.turns()) == [(1.0, 2.0, "One. Two.")]
    turn = voice.turn_of("b")
    assert turn is not None
    assert turn.began_at_s == 1.0
    assert voice.turn_of("c") is None


def test_a_recording_that_nobody_understood_is_one_turn() -> None:
    voice = CallerVoice()
    voice.line([(1.0, 2.0), (4.0, 5.0)], None)
    _mark(voice, 1.0, 2.0)
    _mark(voice, 4.0, 5.0)
    (turn,) = voice.turns()
    assert (turn.began_at_s, turn.ended_at_s, turn.heard, turn.said) == (1.0, 5.0, "", "")


def test_two_lines_heard_as_one_are_one_turn_with_both() -> None:
    voice = CallerVoice()
    voice.line([(1.0, 2.0)], "One.")
    voice.line([(2.3, 3.0)], "Two.")
    _mark(voice, 1.0, 3.0)
    voice.words("a", "One. Two.", 3.6)
    (turn,) = voice.turns()
    assert (turn.said, turn.heard, turn.ended_at_s) == ("One. Two.", "One. Two.", 3.0)


def test_what_the_end_of_the_call_cut_off_says_so() -> None:
    voice = CallerVoice()
    voice.line([(1.0, 2.0)], "One.")
    voice.line([(5.0, 9.0)], "Two.")
    _mark(voice, 1.0, 2.0)
    voice.words("a", "One.", 2.6)
    assert [(t.ended_at_s, t.cut_off) for t in voice.turns(until_s=6.0)] == [(2.0, False), (6.0, True)]
    assert [t.said for t in voice.turns(until_s=4.0)] == ["One."]
    assert [t.cut_off for t in voice.turns(until_s=9.2)] == [False, True], "nobody had the time to answer"
    assert [t.cut_off for t in voice.turns(until_s=math.inf)] == [False, False]

"""Whether a reply is running or due; nothing of it lasts for ever."""

from __future__ import annotations

from duologue.transport.watch import REPLY_DUE_S, SILENCE_LIMIT_S, ReplyWatch


def test_nothing_is_due_at_first() -> None:
    assert not ReplyWatch().busy(0.0)


def test_what_is_due_is_given_up_some_time() -> None:
    watch = ReplyWatch()
    watch.expect(100.0)
    assert watch.busy(100.0 + REPLY_DUE_S - 0.01)
    assert not watch.busy(100.0 + REPLY_DUE_S)


def test_who_speaks_is_waited_for_until_they_stop() -> None:
    watch = ReplyWatch()
    watch.speaking(0.0)
    watch.expect(1.0)  # something written meanwhile does not end it
    assert watch.busy(40.0)
    watch.stopped(45.0)
    assert watch.busy(45.0 + REPLY_DUE_S - 0.01)
    assert not watch.busy(45.0 + REPLY_DUE_S)


def test_speech_whose_end_is_lost_counts_as_over_some_time() -> None:
    watch = ReplyWatch()
    watch.speaking(0.0)
    assert watch.busy(SILENCE_LIMIT_S - 0.01)
    watch.heard(40.0)
    assert watch.busy(40.0 + SILENCE_LIMIT_S - 0.01)
    assert not watch.busy(40.0 + SILENCE_LIMIT_S)


def test_words_that_come_after_the_end_of_speech_do_not_prolong_it() -> None:
    watch = ReplyWatch()
    watch.speaking(0.0)
    watch.stopped(2.0)
    watch.heard(3.0)
    assert not watch.busy(2.0 + REPLY_DUE_S)
    watch.speaking(20.0)
    watch.begins(25.0)  # which shows that the speech is over
    watch.heard(26.0)
    watch.ends()
    assert not watch.busy(27.0)


def test_an_answer_that_stalls_counts_as_over_some_time() -> None:
    watch = ReplyWatch()
    watch.begins(0.0)
    watch.continues(50.0)
    assert watch.busy(50.0 + SILENCE_LIMIT_S - 0.01)
    assert not watch.busy(50.0 + SILENCE_LIMIT_S)
    watch.continues(200.0)  # it was only slow
    assert watch.busy(201.0)


def test_what_comes_after_the_end_of_an_answer_does_not_prolong_it() -> None:
    watch = ReplyWatch()
    watch.begins(0.0)
    watch.ends()
    watch.continues(1.0)
    assert not watch.busy(1.0)


def test_more_words_do_not_cut_a_long_playback_short() -> None:
    watch = ReplyWatch()
    watch.begins(0.0)
    watch.generated(1.0, 200_000)
    watch.continues(2.0)
    assert watch.busy(200.0)


def test_a_turn_that_never_completes_holds_nothing_up() -> None:
    watch = ReplyWatch()
    watch.begins(0.0)
    assert watch.busy(9.0)
    watch.generated(10.0, 3000)
    assert watch.busy(13.0)
    assert not watch.busy(20.0)


def test_the_end_of_an_interrupted_turn_leaves_the_next_reply_due() -> None:
    watch = ReplyWatch()
    watch.begins(0.0)
    watch.expect(0.0)  # the user speaks into it
    watch.ends()
    watch.ends()  # the turn's own end comes later
    assert watch.busy(1.0)
    watch.begins(1.0)
    watch.ends()
    assert not watch.busy(1.0)

"""Whether a reply is running or due; nothing of it lasts for ever."""

from __future__ import annotations

from duologue.transport.watch import REPLY_DUE_S, ReplyWatch


def test_nothing_is_due_at_first() -> None:
    assert not ReplyWatch().busy(0.0)


def test_what_is_due_is_given_up_some_time() -> None:
    watch = ReplyWatch()
    watch.expect(100.0)
    assert watch.busy(100.0 + REPLY_DUE_S - 0.01)
    assert not watch.busy(100.0 + REPLY_DUE_S)


def test_who_speaks_is_waited_for_until_they_stop() -> None:
    watch = ReplyWatch()
    watch.speaking()
    assert watch.busy(1e9)
    watch.expect(5.0)
    assert not watch.busy(5.0 + REPLY_DUE_S)


def test_a_turn_that_never_completes_holds_nothing_up() -> None:
    watch = ReplyWatch()
    watch.begins()
    assert watch.busy(1e9)
    watch.generated(10.0, 3000)
    assert watch.busy(13.0)
    assert not watch.busy(20.0)


def test_the_end_of_an_interrupted_turn_leaves_the_next_reply_due() -> None:
    watch = ReplyWatch()
    watch.begins()
    watch.expect(0.0)  # the user speaks into it
    watch.ends()
    watch.ends()  # the turn's own end comes later
    assert watch.busy(1.0)
    watch.begins()
    watch.ends()
    assert not watch.busy(1.0)

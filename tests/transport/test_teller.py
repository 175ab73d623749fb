"""What the teller learns about replies from events, with time turned by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from duologue.events import InputSpeechStarted, InputSpeechStopped, Transcript
from duologue.testing import VirtualClock
from duologue.transport.teller import Teller
from duologue.transport.watch import REPLY_DUE_S, ReplyWatch

if TYPE_CHECKING:
    from duologue.events import Event


def teller(watch: ReplyWatch, clock: VirtualClock, *, marks_speech: bool) -> Teller:
    def ignore(*arguments: Any) -> None: ...

    return Teller(
        ignore,
        output="audio",
        watch=watch,
        marks_speech=marks_speech,
        clock=clock,
        keep_handle=ignore,
        keep_call=ignore,
    )


def words(text: str) -> Event:
    return Transcript("user", text, text, final=False, item_id="1")


@pytest.mark.parametrize("marks_speech", [True, False])
async def test_speech_is_waited_for_as_the_service_shows_it(marks_speech: bool) -> None:
    watch, clock = ReplyWatch(), VirtualClock(100.0)
    told = teller(watch, clock, marks_speech=marks_speech)
    told.deliver(InputSpeechStarted())
    told.deliver(words("and so on"))
    # Without marks only what is heard shows that somebody speaks: noise must not count for ever.
    assert watch.busy(100.0 + 2 * REPLY_DUE_S) is marks_speech
    clock.advance(5.0)
    told.deliver(words(" and on"))
    assert watch.busy(104.0 + REPLY_DUE_S)
    told.deliver(InputSpeechStopped())
    assert not watch.busy(105.0 + REPLY_DUE_S)

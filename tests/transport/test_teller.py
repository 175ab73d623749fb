"""What the teller learns about replies from events, with time turned by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

from duologue.errors import DuologueError, LinkLost
from duologue.events import (
    AudioOutput,
    GenerationCreated,
    InputSpeechStarted,
    InputSpeechStopped,
    SessionEnded,
    SessionReady,
    TextOutput,
    Transcript,
)
from duologue.testing import VirtualClock
from duologue.transport.teller import Teller
from duologue.transport.watch import REPLY_DUE_S, SILENCE_LIMIT_S, ReplyWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from duologue.events import Event
    from duologue.transport import TransportError
    from duologue.transport.setup import Output


def ignore(*arguments: Any) -> None: ...


def teller(
    watch: ReplyWatch,
    clock: VirtualClock,
    *,
    marks_speech: bool = True,
    output: Output = "audio",
    fire: Callable[..., None] = ignore,
) -> Teller:
    return Teller(
        fire,
        output=output,
        watch=watch,
        marks_speech=marks_speech,
        clock=clock,
        keep_handle=ignore,
        keep_call=ignore,
    )


def words(text: str, role: Literal["user", "model"] = "user") -> Event:
    return Transcript(role, text, text, final=False, item_id="1")


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
    limit_s = SILENCE_LIMIT_S if marks_speech else REPLY_DUE_S
    assert watch.busy(105.0 + limit_s - 0.01)
    assert not watch.busy(105.0 + limit_s)
    told.deliver(InputSpeechStopped())
    assert not watch.busy(105.0 + REPLY_DUE_S)
    told.deliver(words(" and off"))
    assert watch.busy(105.0 + REPLY_DUE_S - 0.01)


CONTENT: dict[Output, Event] = {
    "audio": AudioOutput("g", b"\1\0", 0),
    "text": TextOutput("g", "a"),
    "transcript": words("a", "model"),
}


@pytest.mark.parametrize("output", CONTENT)
async def test_an_answer_runs_as_long_as_more_of_it_comes(output: Output) -> None:
    watch, clock = ReplyWatch(), VirtualClock(100.0)
    told = teller(watch, clock, output=output)
    told.deliver(GenerationCreated("g", user_initiated=False))
    for _ in range(3):
        clock.advance(SILENCE_LIMIT_S - 1)
        told.deliver(CONTENT[output])
    assert watch.busy(clock.now() + SILENCE_LIMIT_S - 0.01)
    assert not watch.busy(clock.now() + SILENCE_LIMIT_S)  # it has stalled


@pytest.mark.parametrize(
    ("error", "recoverable"),
    [
        (LinkLost("reset", code=1006), True),
        (LinkLost("no such model", code=1008, retryable=False), False),
        (DuologueError("a mistake"), False),
        (RuntimeError("somebody else's"), False),
    ],
)
async def test_the_end_says_whether_going_on_may_help(error: Exception, recoverable: bool) -> None:
    calls: list[tuple[Any, ...]] = []
    told = teller(ReplyWatch(), VirtualClock(0.0), fire=lambda *call: calls.append(call))
    told.deliver(SessionReady("s"))
    told.deliver(SessionEnded(1006, "why", error))
    failure: TransportError = calls[1][1]
    assert (failure.error, failure.recoverable) == (error, recoverable)
    assert [call[0] for call in calls] == ["on_session_ready", "on_error", "on_close"]

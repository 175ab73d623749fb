"""The bare wire: what a watch returns, and that nothing is lost between two watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.verify.conftest import OVER, REPLY, Manners, handle, scripted, sound

from duologue.verify import marks
from duologue.verify.probe import EndedError
from duologue.verify.rig import Rig
from duologue.wire.profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.verify.conftest import Step

    from duologue.verify.wire import Wire

HELLO = {"realtimeInput": {"text": "Hello!"}}


@pytest.fixture
def steps() -> list[Step]:
    """What comes in answer to the first turn; filled by the test."""
    return []


@pytest.fixture
async def wire(steps: list[Step]) -> AsyncGenerator[Wire]:
    async with scripted(Manners(answers=[steps])) as (side, _):
        rig = Rig(side, PROFILES["3.8"], name="test")
        async with rig.session() as wire:
            yield wire


async def test_a_watch_ends_with_its_mark_and_leaves_the_rest(wire: Wire, steps: list[Step]) -> None:
    steps += REPLY
    await wire.send(HELLO)
    first = await wire.watch(marks.has_sound, 2)
    assert (first.end, len(first.received)) == ("met", 1)
    rest = await wire.watch(marks.turn_over, 2)
    assert (rest.end, rest.words) == ("met", "Hello!")


async def test_what_comes_meanwhile_waits_with_its_time(wire: Wire, steps: list[Step]) -> None:
    steps += [sound(), 0.3, OVER]
    await wire.send(HELLO)
    await wire.wait(0.6)
    seen = await wire.watch(marks.turn_over, 0)
    assert seen.end == "met"
    assert 0.2 < seen.received[1].at_s - seen.received[0].at_s < 0.5


async def test_a_close_is_told_after_what_came_before_it(wire: Wire, steps: list[Step]) -> None:
    steps += [sound(), (1011, "Internal error encountered.")]
    await wire.send(HELLO)
    await wire.wait(5)
    await wire.send(HELLO)
    seen = await wire.watch(marks.turn_over, 2)
    assert (seen.end, seen.code, seen.reason) == ("closed", 1011, "Internal error encountered.")
    assert seen.has(marks.has_sound)
    assert wire.ended == "ended by the service: 1011 Internal error encountered."
    assert (await wire.watch(marks.turn_over, 2)).end == "closed"
    with pytest.raises(EndedError, match="1011 Internal"):
        seen.expect()


async def test_silence_is_an_end_as_well(wire: Wire) -> None:
    seen = (await wire.watch(marks.turn_over, 0.05)).expect()
    assert (seen.end, seen.received) == ("silent", ())


async def test_the_newest_handle_is_kept(wire: Wire, steps: list[Step]) -> None:
    closed = {"sessionResumptionUpdate": {"resumable": False}}
    steps += [handle("the-first"), handle("the-second"), closed, OVER]
    await wire.send(HELLO)
    await wire.watch(marks.turn_over, 2)
    assert wire.handle == "the-second"
    assert [one.total_token_count for one in wire.usage] == [15]

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.audio.pace import LoopClock, Ticker, sleep_until
from duologue.config import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.audio.conftest import VirtualClock


@given(steps_ms=st.lists(st.integers(1, 300), max_size=30), period_ms=st.integers(1, 50))
def test_ticks_agree_with_the_clock_however_it_moves(
    make_clock: Callable[[], VirtualClock], steps_ms: list[int], period_ms: int
) -> None:
    clock = make_clock()
    ticks: list[float] = []
    ticker = Ticker(clock, period_ms / 1000, lambda: ticks.append(clock.now()))
    ticker.start()
    for number, step_ms in enumerate(steps_ms):
        (clock.jump if number % 3 == 2 else clock.advance)(step_ms / 1000)
    assert len(ticks) == sum(steps_ms) // period_ms
    ticker.stop()
    assert clock.pending == 0


def test_a_ticker_may_be_stopped_by_its_own_tick(clock: VirtualClock) -> None:
    ticks: list[int] = []

    def tick() -> None:
        ticks.append(1)
        if len(ticks) == 3:
            ticker.stop()

    ticker = Ticker(clock, 0.02, tick)
    ticker.start()
    clock.jump(1.0)
    clock.advance(1.0)
    assert len(ticks) == 3
    ticker.stop()
    assert clock.pending == 0


async def test_a_cancelled_sleeper_takes_its_timer_along(clock: VirtualClock) -> None:
    assert isinstance(clock, Clock)
    sleeper = asyncio.create_task(sleep_until(clock, clock.now() + 1))
    await asyncio.sleep(0)
    assert clock.pending == 1
    sleeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeper
    assert clock.pending == 0


async def test_a_deadline_that_has_passed_still_lets_others_run() -> None:
    clock = LoopClock()
    assert isinstance(clock, Clock)
    ran: list[int] = []
    asyncio.get_running_loop().call_soon(ran.append, 1)
    await sleep_until(clock, clock.now() - 1)
    assert ran == [1]

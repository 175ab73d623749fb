"""The loop: inputs from a seed into targets, until the inputs are through or something is found."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from tests.fuzz.corpus import corpus
from tests.fuzz.generate import inputs
from tests.fuzz.target import FindingError, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["Hang", "hunt"]

INPUTS_A_TARGET = 100
LIMIT_CPU_S = 1.0
"""Of one input. Processor time, so that a busy machine makes no difference."""
_SHOWN = 400


class Hang(BaseException):
    """An input took longer than any may. No Exception: nothing on its way may take it for one of its own."""


def hunt(seed: int, count: int) -> None:
    """Feed ``count`` inputs.

    Raises:
        FindingError: One led to something that must not be; says how to repeat it.
    """
    made = inputs(seed, corpus())
    with _limited() as start:
        for first in range(0, count, INPUTS_A_TARGET):
            number = seed + first // INPUTS_A_TARGET
            batch = list(islice(made, min(INPUTS_A_TARGET, count - first)))
            fed = 0
            try:
                target = Target(number)
                for fed, frame in enumerate(batch, 1):  # noqa: B007 -- for the words below
                    start()
                    target.feed(frame)
                target.end()
            except (Exception, Hang) as error:
                raise FindingError(_words(seed, number, batch[:fed], error)) from error


@contextmanager
def _limited() -> Iterator[Callable[[], object]]:
    """Give a function that allows the input which follows its time, and stop the one that takes more."""

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise Hang(f"an input took more than {LIMIT_CPU_S:g} s")

    before = signal.signal(signal.SIGVTALRM, ring)
    try:
        yield lambda: signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT_CPU_S)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _words(seed: int, number: int, frames: list[bytes | str], error: BaseException) -> str:
    last = frames[-1] if frames else b""
    shown = repr(last if len(last) <= _SHOWN else last[:_SHOWN]) + (" …" if len(last) > _SHOWN else "")
    alone = "alone" if _fails_alone(last, number) else f"as the last of {len(frames)} frames"
    return (
        f"{type(error).__name__}: {error}\n"
        f"seed {seed}, target {number}, {alone}: Target({number}).feed({shown})  # {len(last)} long"
    )


def _fails_alone(frame: bytes | str, number: int) -> bool:
    target = Target(number)
    signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT_CPU_S)
    try:
        target.feed(frame)
        target.end()
    except (Exception, Hang):
        return True
    return False

"""Watches every frame of the Developer API that passes through this process while the tests run.

What our client sends and what our emulator answers must be read by Google's published contract, whatever
a test is about. So the two places that every frame leaves by are watched from the first test to the last:
``Session.to_send`` (all the driver writes) and ``ServerRules.to_send`` (all the emulator writes but the
goAway of a fault). Frames are only put aside there, without their sound; they are judged when the test's
own code is done, each kind once in a process, and one that the contract refuses fails the test that sent it.

Not watched: links to Vertex, whose dialect has no published contract; tests marked ``off_contract``, which
send what they like; and programs that a test starts (the command line), as they are other processes: what
those say is read off the tapes they record (``tests/e2e/test_tape.py``).
"""

from __future__ import annotations

from functools import wraps
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from duologue.core.session import Session
from duologue.emulator.rules import ServerRules
from duologue.wire.profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.published import Side

    from duologue.core.outlet import Frame

_DATA: Final = b'"data":"'
_HEAD_BYTES: Final = 256
"""The sound of a frame, if any, begins within these."""


def without_sound(frame: bytes) -> bytes:
    """The frame with its first blob replaced by the shortest, so that a minute of sound is one frame."""
    at = frame.find(_DATA, 0, _HEAD_BYTES)
    if at < 0:
        return frame
    begin = at + len(_DATA)
    return frame[:begin] + b"AAAA" + frame[frame.index(b'"', begin) :]


class Observer:
    """Puts frames aside as they pass, and judges them when asked."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[Side, bytes], None] = {}
        self._verdicts: dict[int, str | None] = {}
        self.seen: dict[Side, int] = {"client": 0, "server": 0}
        """How many frames have passed since the start."""

    def see(self, frame: bytes, side: Side) -> None:
        """Put a frame aside."""
        self.seen[side] += 1
        self._waiting[side, without_sound(frame)] = None

    def forget(self) -> None:
        """Drop what waits unjudged."""
        self._waiting.clear()

    def judge(self) -> list[str]:
        """Judge what waits; return what the contract has against it."""
        waiting, self._waiting = self._waiting, {}
        return [complaint for side, frame in waiting if (complaint := self._verdict(side, frame))]

    def _verdict(self, side: Side, frame: bytes) -> str | None:
        key = hash((side, frame))
        if key not in self._verdicts:
            from tests.contract.published import complaint  # not before a test has sent something

            said = complaint(frame, side)
            self._verdicts[key] = said and f"{said}\n    {side} frame: {frame[:2000].decode()}"
        return self._verdicts[key]


OBSERVER: Final = Observer()
"""Of this process."""


def watch() -> None:
    """Begin to watch; for good, as a process of tests has nothing else to do."""
    if find_spec("google.ai.generativelanguage_v1beta") is None:
        return  # tests/contract says that it is missing
    _wrap(Session, _see_client)
    _wrap(ServerRules, _see_emulator)


def _wrap(cls: type[Any], see: Callable[[Any, Any], None]) -> None:
    drain = cls.to_send

    @wraps(drain)
    def observed(self: Any) -> Any:
        frames = drain(self)
        if frames:
            see(self, frames)
        return frames

    cls.to_send = observed


def _see_client(session: Any, frames: list[Frame]) -> None:
    if session._plan.profile.backend == "developer":
        for frame in frames:
            OBSERVER.see(frame.data, "client")


def _see_emulator(rules: Any, frames: list[bytes]) -> None:
    if PROFILES[rules._outlet._profile.name].backend == "developer":
        for frame in frames:
            OBSERVER.see(frame, "server")

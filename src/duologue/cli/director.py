"""Plays the steps of a scene against a session: speaks, waits, interrupts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

from duologue.cli.scene import (
    DEFAULT_TIMEOUT_S,
    Activity,
    Await,
    Instruct,
    Milestone,
    Pause,
    Say,
    Step,
    TypeText,
)
from duologue.errors import DuologueError, LinkLost

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from duologue.cli.call_log import CallLog, Reply
    from duologue.cli.caller import Caller, Line
    from duologue.cli.record import HeardSink
    from duologue.realtime import RealtimeSession

__all__ = ["Director", "SceneError", "Stage"]

_sleep = asyncio.sleep  # by this name a test moves its own clock
_LOOK_S: Final = 0.02
"""The director looks around once a frame of sound."""
_QUIET_S: Final = 0.3
"""Silence after playout that is not just a gap between two generations."""
_RESULT_GRACE_S: Final = 3.0
"""A tool's result that the model says nothing about for this long was not meant to be spoken."""
_EARLY_GRACE_S: Final = 3.0
"""After a line during which the model answered already, quiet for this long means that it has no more to say."""


class SceneError(DuologueError):
    """What the caller waited for did not come about, such as a reply that never came."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What a director works with."""

    session: RealtimeSession
    log: CallLog
    sink: HeardSink
    caller: Caller
    lines: Mapping[Say, Line]
    now: Callable[[], float]
    """Seconds since the loudspeaker started."""
    show_typed: Callable[[str, float], None]
    """Told what was typed, for a display."""


class Director:
    """Carries out steps one after another.

    What a ``wait_for`` waits for is counted from the last step that made the model speak: its
    beginning for ``tool_call`` and ``interrupted``, its end for ``reply`` and ``reply_started``.

    Args:
        stage: The running call.
        numbered: Whether the user wrote the steps, and so knows their numbers.
    """

    def __init__(self, stage: Stage, *, numbered: bool = True) -> None:
        self._stage = stage
        self._log = stage.log
        self._numbered = numbered
        self._last = "the call"
        self._began_at_s = 0.0
        self._ended_at_s = 0.0

    async def play(self, steps: Sequence[Step]) -> None:
        """Play all steps.

        Raises:
            SceneError: Something waited for did not happen in time; names the step, counted from 1, or
                what was to be answered.
            LinkLost: The session ended before the scene did.
        """
        await self._until(lambda: self._stage.caller.is_live)
        for number, step in enumerate(steps, 1):
            await self._play(number, step)

    async def _play(self, number: int, step: Step) -> None:
        match step:
            case Say():
                await self._say(number, step)
            case TypeText(text=text):
                self._mark(self._stage.now())
                self._last = f"{text!r}"
                self._log.caller_types(text, self._ended_at_s)
                self._stage.show_typed(text, self._ended_at_s)
                await self._stage.session.send_text(text)
            case Pause(wait_s=wait_s):
                until_s = self._stage.now() + wait_s
                await self._until(lambda: self._stage.now() >= until_s)
            case Await(milestone=milestone, timeout_s=timeout_s):
                await self._await(number, milestone, timeout_s)
            case Instruct(instructions=instructions):
                self._mark(self._stage.now())
                self._log.caller_types(instructions, self._ended_at_s, "instruction")
                await self._stage.session.generate_reply(instructions)
            case Activity(edge="start"):
                self._stage.session.start_user_activity()
            case Activity():
                self._stage.session.end_user_activity()
                self._ended_at_s = min(self._ended_at_s, self._stage.now())
            case _:
                assert_never(step)

    def _mark(self, began_at_s: float, ended_at_s: float | None = None) -> None:
        self._began_at_s = began_at_s
        self._ended_at_s = began_at_s if ended_at_s is None else ended_at_s

    # -- speaking -----------------------------------------------------------------------------

    async def _say(self, number: int, step: Say) -> None:
        if step.interrupt_after_s is not None:
            await self._until(
                lambda: self._answer_began_at_s() is not None,
                number,
                "answer to interrupt",
                DEFAULT_TIMEOUT_S,
            )
            due_at_s = (self._answer_began_at_s() or 0.0) + step.interrupt_after_s
            await self._until(lambda: self._stage.now() >= due_at_s)
        utterance = self._stage.caller.say(self._stage.lines[step])
        self._last = step.text if step.wav is not None else f"{step.text!r}"
        zero_at = self._stage.sink.started_at
        stretches = [(began_at - zero_at, ended_at - zero_at) for began_at, ended_at in utterance.stretches]
        self._mark(stretches[0][0], stretches[-1][1])
        self._log.caller_speaks(stretches, None if step.wav is not None else step.text)
        await self._until(utterance.spoken.is_set)

    def _answer_began_at_s(self) -> float | None:
        """When the answer to the last step became audible; None as long as it has not."""
        began = (reply.began_at_s for reply in self._log.replies.values())
        return next((at_s for at_s in began if at_s is not None and at_s >= self._ended_at_s), None)

    # -- waiting ------------------------------------------------------------------------------

    async def _await(self, number: int, milestone: Milestone, timeout_s: float) -> None:
        log, began_at_s = self._log, self._began_at_s
        conditions: dict[Milestone, Callable[[], bool]] = {
            "reply": self._answered,
            "reply_started": lambda: self._answer_began_at_s() is not None,
            "tool_call": lambda: any(use.asked_at_s >= began_at_s for use in log.tools.values()),
            "interrupted": lambda: (log.interrupted_at_s or -1.0) >= began_at_s,
            "silence": self._idle,
        }
        condition = conditions[milestone]
        await self._until(condition, number, milestone.replace("_", " "), timeout_s)
        if milestone in ("reply", "silence"):  # and it stays so
            quiet_since_s = self._stage.now()
            while self._stage.now() - quiet_since_s < _QUIET_S:
                await self._until(condition, number, milestone, timeout_s)
                await _sleep(_LOOK_S)
                if not condition():
                    quiet_since_s = self._stage.now()

    def _idle(self) -> bool:
        """Nothing sounds and nothing is being said."""
        open_replies = (not reply.status for reply in self._log.replies.values())
        return self._stage.sink.is_silent and not any(open_replies)

    def _answered(self) -> bool:
        """A turn that answers the last step was completed, its tools' results included, and was heard.

        An answer that came while the step was still being spoken counts when nothing comes after it: a
        recording may go on with noise, or hold several utterances.
        """
        since_began = [r for r in self._log.replies.values() if r.created_at_s >= self._began_at_s]
        answers = [reply for reply in since_began if reply.created_at_s >= self._ended_at_s - _LOOK_S]
        if not answers and not self._log.voice.is_open and self._quiet_s() >= _EARLY_GRACE_S:
            answers = since_began
        if not answers or not self._idle() or not self._closed(answers[-1]):
            return False
        results = [use.ended_at_s for use in self._log.tools.values() if use.asked_at_s >= self._began_at_s]
        if any(at_s is None for at_s in results):
            return False
        newest_at_s = max((at_s for at_s in results if at_s is not None), default=-1.0)
        if answers[-1].created_at_s >= newest_at_s:
            return True
        return self._stage.now() - newest_at_s > _RESULT_GRACE_S

    def _closed(self, reply: Reply) -> bool:
        return reply.id in self._log.closed_turns or reply.status == "lost"

    async def _until(
        self,
        condition: Callable[[], bool],
        number: int = 0,
        what: str = "",
        timeout_s: float = 3600.0,
    ) -> None:
        began_at_s = self._stage.now()
        while not condition():
            ended = self._log.ended
            if ended is not None:
                if isinstance(ended.error, DuologueError):
                    raise ended.error
                said = f" with code {ended.code} {ended.reason!r}" if ended.code is not None else ""
                raise LinkLost(
                    f"the session ended{said} before the scene did", code=ended.code, reason=ended.reason
                )
            if self._stage.now() - max(began_at_s, self._last_sound_at_s()) >= timeout_s:
                which = f"step {number}: no {what}" if self._numbered else f"no {what} to {self._last}"
                raise SceneError(f"{which} within {timeout_s:g} s{self._hint()}")
            await _sleep(_LOOK_S)

    def _last_sound_at_s(self) -> float:
        """When the model was last heard: a long answer is no reason to give up."""
        return max((reply.ended_at_s or 0.0 for reply in self._log.replies.values()), default=0.0)

    def _quiet_s(self) -> float:
        """For how long neither side has said anything."""
        return self._stage.now() - max(self._ended_at_s, self._last_sound_at_s())

    def _hint(self) -> str:
        turns = self._log.turns()
        if turns and turns[-1].kind == "spoken" and not turns[-1].heard:
            return "; no words were understood in what the caller said last"
        return ""

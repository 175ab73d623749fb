"""The record of one model turn, from the first thought to turnComplete.

Read this for the order of what a turn sends. A turn has one or more rounds: think, speak, call; a
blocking call holds it until every result is there, and then it thinks again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal

from duologue.emulator.protocols import Call, Entry, Reply
from duologue.emulator.rules.calls import CallLedger, PendingCall
from duologue.emulator.rules.conversation import Conversation, call_tokens
from duologue.emulator.rules.outlet import Outlet, is_sendable
from duologue.emulator.rules.speech import Playhead, Speech
from duologue.emulator.rules.usage import AUDIO_TOKENS_PER_S, turn_usage
from duologue.emulator.rules.words import clean, estimate_tokens
from duologue.wire.client import ThinkingConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duologue.emulator.profiles import EmulatedProfile
    from duologue.emulator.rules.askbook import AskBook
    from duologue.emulator.rules.service import Service

__all__ = ["TURN_TRANSITIONS", "Phase", "Stage", "Turn", "max_audio_s", "thoughts_of"]


class Phase(Enum):
    """Where a turn is."""

    THINKING = "thinking"
    SPEAKING = "speaking"
    BLOCKED = "blocked"
    """A blocking call is out."""
    PLAYING = "playing"
    """All is sent; the client is assumed to be playing it."""
    ENDED = "ended"


TURN_TRANSITIONS: Mapping[Phase, frozenset[Phase]] = {
    Phase.THINKING: frozenset({Phase.SPEAKING, Phase.BLOCKED, Phase.PLAYING, Phase.ENDED}),
    Phase.SPEAKING: frozenset({Phase.BLOCKED, Phase.PLAYING, Phase.ENDED}),
    Phase.BLOCKED: frozenset({Phase.THINKING, Phase.ENDED}),
    Phase.PLAYING: frozenset({Phase.ENDED}),
    Phase.ENDED: frozenset(),
}
"""Where a turn may go from where."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What every turn of a link works with."""

    profile: EmulatedProfile
    service: Service
    outlet: Outlet
    asks: AskBook
    conversation: Conversation
    calls: CallLedger
    model: str
    output_words: bool
    """The setup asked for output transcription."""
    thoughts: Literal["always", "never"]
    max_audio_s: float


class Turn:
    """One turn of the model; ask it for its phase after everything it is told.

    Args:
        stage: The link's parts.
        now: When it starts; the brain is asked at once.
    """

    def __init__(self, stage: Stage, now: float) -> None:
        self.phase = Phase.THINKING
        self._stage = stage
        self._playhead = Playhead(stage.service)
        self._speech: Speech | None = None
        self._calls: tuple[Call, ...] = ()
        self._call_tokens = 0
        self._thought_tokens = 0
        self._think_id: int | None = None
        self._prompt_tokens = 0
        self._think(now)

    def is_sounding(self, now: float) -> bool:
        """Tell whether the client is assumed to hear something of this turn."""
        return self._playhead.is_sounding(now)

    def owns(self, ask_id: int) -> bool:
        """Tell whether this turn made the ask."""
        return ask_id == self._think_id or (self._speech is not None and self._speech.owns(ask_id))

    def thought(self, reply: Reply, now: float) -> None:
        """Take the brain's answer and begin to carry it out."""
        stage = self._stage
        if not is_sendable(reply.calls):
            self.abandon()
            return
        stage.outlet.opening()
        self._send_thought(reply)
        self._calls = reply.calls
        self._speech = Speech(
            reply.text,
            profile=stage.profile,
            service=stage.service,
            outlet=stage.outlet,
            asks=stage.asks,
            playhead=self._playhead,
            with_words=stage.output_words,
            limit_s=stage.max_audio_s,
        )
        if self._speech.is_sent:
            self._after_speech(now)
            return
        self._to(Phase.SPEAKING)
        self._speech.start(now)

    def spoken(self, ask_id: int, pcm: bytes, now: float) -> None:
        """Take the sound of one clause."""
        assert self._speech is not None
        self._speech.spoken(ask_id, pcm, now)
        self.pump(now)

    def pump(self, now: float) -> None:
        """Do what is due."""
        if self.phase is Phase.SPEAKING and self._speech is not None:
            self._speech.pump(now)
            if self._speech.is_sent:
                self._after_speech(now)
        if self.phase is Phase.PLAYING and not self.is_sounding(now):
            self._remember(self._said())
            self._end()

    def results_are_in(self, now: float) -> None:
        """Go on after the last blocking call was answered."""
        self._to(Phase.THINKING)
        self._think(now)

    def abandon(self) -> None:
        """End the turn without an answer: the brain has failed, or asked for what no JSON can hold."""
        self._end()

    def interrupt(self, now: float) -> None:
        """Stop at once; only what has been heard stays in the history."""
        stage = self._stage
        stage.asks.cancel(self._think_id)
        if self._speech is not None:
            self._speech.cancel()
            self._remember(self._speech.heard_text(now), interrupted=True)
        stage.outlet.interrupted()
        cancelled = stage.calls.cancel_blocking()
        if cancelled:
            stage.outlet.cancel_calls(cancelled)
        self._end()

    def next_deadline(self) -> float | None:
        """Return when something is due."""
        if self.phase is Phase.PLAYING:
            return self._playhead.ends_at
        if self.phase is Phase.SPEAKING and self._speech is not None:
            return self._speech.next_deadline()
        return None

    def _think(self, now: float) -> None:
        conversation = self._stage.conversation
        self._prompt_tokens = conversation.prompt_text_tokens()
        self._think_id = self._stage.asks.think(conversation.prompt(), now)

    def _send_thought(self, reply: Reply) -> None:
        stage = self._stage
        text = reply.thought
        history = stage.conversation.entries
        # Recorded: a turn that calls a function has no thought part, before the call or after.
        calls = bool(reply.calls) or (bool(history) and history[-1].role == "result")
        if not text and reply.text and not calls:
            text = _thought_about(reply.text, len(history))
        if not text or stage.thoughts == "never":
            return
        self._thought_tokens += estimate_tokens(text)
        stage.outlet.thought(text)

    def _after_speech(self, now: float) -> None:
        calls, self._calls = self._calls, ()
        blocked = self._call(calls) if calls else False
        if blocked:
            self._to(Phase.BLOCKED)
            return
        self._stage.outlet.generation_complete()
        self._to(Phase.PLAYING)
        self.pump(now)

    def _call(self, calls: tuple[Call, ...]) -> bool:
        """Send the calls; return whether the turn has to wait for one of them."""
        stage = self._stage
        self._remember(self._said())
        pending: list[PendingCall] = []
        for call in calls:
            call_id = stage.profile.call_id_prefix + stage.service.next_digits()
            behavior = stage.conversation.behaviors.get(call.name, stage.profile.default_behavior)
            pending.append(PendingCall(call_id, call, behavior))
            stage.calls.open(pending[-1])
            stage.conversation.add(Entry("call", call=call))
            self._call_tokens += call_tokens(call)
        stage.outlet.tool_call(pending)
        return any(one.behavior == "BLOCKING" for one in pending)

    def _said(self) -> str:
        return self._speech.text if self._speech is not None else ""

    def _remember(self, text: str, *, interrupted: bool = False) -> None:
        """Add what was said to the history, once."""
        self._speech = None
        if text:
            self._stage.conversation.add(Entry("model", text, interrupted=interrupted))

    def _end(self) -> None:
        stage = self._stage
        usage = turn_usage(
            stage.profile,
            stage.model,
            stage.conversation,
            prompt_text_tokens=self._prompt_tokens,
            audio_out_s=self._playhead.sent_s,
            call_tokens=self._call_tokens,
            thought_tokens=self._thought_tokens,
        )
        stage.conversation.audio_out_s += self._playhead.sent_s
        stage.outlet.turn_complete(usage)
        self._to(Phase.ENDED)

    def _to(self, phase: Phase) -> None:
        assert phase in TURN_TRANSITIONS[self.phase], (self.phase, phase)
        self.phase = phase


def max_audio_s(max_output_tokens: int | None) -> float:
    """Return how many seconds of sound a turn may have; the cap counts sound as well as text."""
    return max_output_tokens / AUDIO_TOKENS_PER_S if max_output_tokens and max_output_tokens > 0 else math.inf


def thoughts_of(profile: EmulatedProfile, thinking: ThinkingConfig | None) -> Literal["always", "never"]:
    """Return whether thought parts are sent: the brain's own, made up where it has none; or none at all."""
    asked = thinking or ThinkingConfig()
    return "never" if asked.thinking_budget == 0 else profile.thoughts


def _thought_about(reply: str, entries: int) -> str:
    """Word the thought part that comes with every plain answer, in the recorded form."""
    words = len(clean(reply).split())
    return (
        "**Settling on a Reply**\n\nThe conversation so far has "
        f"{entries} {'entry' if entries == 1 else 'entries'}; an answer of {words} "
        f"{'word' if words == 1 else 'words'} fits the last of them.\n\n\n\n"
    )

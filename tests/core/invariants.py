"""The promises as a judge: watches one core session from outside and objects to what breaks one.

``Watched`` feeds a session and keeps its journal; ``Judge`` sees every message that went in and every event
and frame that came out. Neither looks inside. Used by the state machine, the tapes, the mutants and later
by simulations.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.core.samples import BrokenPromiseError, Samples, require

from duologue.core.link import Link
from duologue.core.outlet import BULK, Frame, Notice, ReplyFailed, ReplyStarted
from duologue.core.session import Session, SessionPlan
from duologue.errors import DuologueError, SessionClosed
from duologue.events import (
    AudioOutput,
    Event,
    GenerationCompleted,
    GenerationCreated,
    InputSpeechStarted,
    InputSpeechStopped,
    Interrupted,
    SessionEnded,
    SessionError,
    SessionReady,
    TextOutput,
    Thought,
    ToolCall,
    ToolCallCancelled,
    ToolResult,
    Transcript,
    TurnCompleted,
)
from duologue.wire.codec import ClientDecoder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from duologue.wire.client import ClientMessage
    from duologue.wire.server import ServerMessage

__all__ = ["BrokenPromiseError", "Judge", "Samples", "Watched"]

BYTES_PER_MS = 48
COMMANDS_NEEDING_LIFE = frozenset(
    {"push_audio", "commit_audio", "start_activity", "end_activity", "send_text", "send_content"}
    | {"generate_reply", "tool_result", "send_raw"}
)


@dataclass
class _Generation:
    audio_bytes: int = 0
    interrupted: bool = False
    completed: bool = False
    in_turn: bool = False


@dataclass
class _Item:
    role: str
    text: str = ""
    final: bool = False


@dataclass
class _Call:
    wire_id: str
    outcome: str | None = None
    cancelled: bool = False


@dataclass
class Judge:
    """Holds the promises against what came out; raises :class:`BrokenPromiseError`."""

    interest: frozenset[type] = BULK
    generations: dict[str, _Generation] = field(default_factory=dict[str, _Generation])
    newest_generation: str | None = None
    items: dict[str, _Item] = field(default_factory=dict[str, _Item])
    wire_ids: set[str] = field(default_factory=set[str])
    calls: dict[str, _Call] = field(default_factory=dict[str, _Call])
    ended: bool = False
    ready: bool = False
    speaking: bool = False
    replies_open: set[int] = field(default_factory=set[int])
    turns_told: int = 0
    turns_completed: int = 0
    fragments: dict[str, list[str]] = field(default_factory=lambda: {"user": [], "model": []})
    deltas: dict[str, list[str]] = field(default_factory=lambda: {"user": [], "model": []})
    texts_sent: list[str] = field(default_factory=list[str])
    texts_shown: list[str] = field(default_factory=list[str])
    words_missed: bool = False
    """Transcripts were unwanted for a while: sums over them say nothing any more."""
    sound_missed: bool = False
    """The same for the model's sound."""
    odd_told: bool = False
    """That sound ended in half a sample, since the last generation completed."""
    final_results: Counter[str] = field(default_factory=Counter[str])
    sound: Samples = field(default_factory=lambda: Samples())
    frames_seen: int = 0

    # -- what went in -------------------------------------------------------------------------

    def wants(self, kinds: frozenset[type]) -> None:
        self.interest = kinds
        self.words_missed |= Transcript not in kinds
        self.sound_missed |= AudioOutput not in kinds

    def heard_from_service(self, message: ServerMessage) -> None:
        """Note what the service said and must therefore come out."""
        for asked in (message.tool_call.function_calls or ()) if message.tool_call else ():
            self.wire_ids.add(asked.id or "")
        content = message.server_content
        if content is None:
            return
        self.turns_told += bool(content.turn_complete)
        if Transcript in self.interest:
            for role, words in (
                ("user", content.input_transcription),
                ("model", content.output_transcription),
            ):
                if words is not None and words.text:
                    self.fragments[role].append(words.text)
        for part in (content.model_turn.parts or ()) if content.model_turn is not None else ():
            if part.text and not part.thought:
                self.texts_sent.append(part.text)

    # -- what came out: events ----------------------------------------------------------------

    def event(self, event: Event | Notice) -> None:
        """Judge one event, in order."""
        require(not self.ended, f"{type(event).__name__} after SessionEnded")
        if type(event) in BULK:
            require(type(event) in self.interest, f"{type(event).__name__} was built, nobody wanted it")
        judge: Callable[[Any], None] | None = getattr(self, f"_{type(event).__name__}", None)
        if judge is not None:
            judge(event)

    def _SessionEnded(self, event: SessionEnded) -> None:
        self.ended = True
        for name, generation in self.generations.items():
            require(generation.completed, f"{name} was created and never completed")
        for name, item in self.items.items():
            require(item.final or self.words_missed, f"transcript item {name} never became final")
        for name, call in self.calls.items():
            require(call.outcome is not None, f"tool call {name} has no outcome")
        require(not self.replies_open, f"replies {self.replies_open} were never told their fate")
        require(not self.speaking, "the user's activity was never closed")

    def _SessionReady(self, event: SessionReady) -> None:
        require(not self.ready, "SessionReady twice")
        self.ready = True

    def _GenerationCreated(self, event: GenerationCreated) -> None:
        require(event.id not in self.generations, f"generation id {event.id} twice")
        self.generations[event.id] = _Generation()
        self.newest_generation = event.id
        require(
            event.user_initiated == bool(self.replies_open), "user_initiated and the pending reply differ"
        )

    def _ReplyStarted(self, event: ReplyStarted) -> None:
        require(event.reply_id in self.replies_open, "a reply started that was not pending")
        require(event.generation_id == self.newest_generation, "a reply started with an old generation")
        self.replies_open.discard(event.reply_id)

    def _ReplyFailed(self, event: ReplyFailed) -> None:
        require(event.reply_id in self.replies_open, "a reply failed that was not pending")
        self.replies_open.discard(event.reply_id)

    def _open_generation(self, name: str, what: str) -> _Generation:
        require(name in self.generations, f"{what} of unknown generation {name}")
        generation = self.generations[name]
        require(not generation.interrupted, f"{what} of {name} after its Interrupted")
        require(not generation.completed, f"{what} of {name} after its GenerationCompleted")
        return generation

    def _AudioOutput(self, event: AudioOutput) -> None:
        generation = self._open_generation(event.generation_id, "sound")
        follows = event.offset_ms == generation.audio_bytes // BYTES_PER_MS
        require(follows or self.sound_missed, "offset_ms does not follow the sound")
        require(len(event.pcm) > 0, "sound of no length")
        require(generation.audio_bytes % 2 == 0, "sound after half a sample")
        generation.audio_bytes += len(event.pcm)

    def _TextOutput(self, event: TextOutput) -> None:
        self._open_generation(event.generation_id, "text")
        self.texts_shown.append(event.text)

    def _Thought(self, event: Thought) -> None:
        self._open_generation(event.generation_id, "a thought")

    def _Interrupted(self, event: Interrupted) -> None:
        for name in event.generations:
            require(name in self.generations, f"unknown generation {name} interrupted")
            require(not self.generations[name].interrupted, f"{name} was interrupted twice")
            self.generations[name].interrupted = True
        require(event.heard_ms >= 0, "less than nothing was heard")
        require(bool(event.generations) or event.heard_ms == 0, "something was heard of no generation")

    def _GenerationCompleted(self, event: GenerationCompleted) -> None:
        require(event.id in self.generations, f"unknown generation {event.id} completed")
        generation = self.generations[event.id]
        require(not generation.completed, f"{event.id} completed twice")
        require(
            not (generation.interrupted and event.status == "completed"),
            f"{event.id} was interrupted and says completed",
        )
        generation.completed = True
        if not self.sound_missed and not generation.interrupted:
            odd = bool(generation.audio_bytes % 2)
            require(self.odd_told == odd, f"{event.id} ends in half a sample: {odd}; told: {self.odd_told}")
        self.odd_told = False

    def _SessionError(self, event: SessionError) -> None:
        if getattr(event.error, "code", None) == "odd_audio":
            require(event.recoverable and not self.odd_told, "half a sample is told once, as no end")
            self.odd_told = True

    def _TurnCompleted(self, event: TurnCompleted) -> None:
        self.turns_completed += 1
        require(self.turns_completed <= self.turns_told, "a TurnCompleted that the service did not tell")
        for name in event.generations:
            require(self.generations[name].completed, f"the turn completed before its generation {name}")
            require(not self.generations[name].in_turn, f"{name} is in two turns")
            self.generations[name].in_turn = True
        require(event.heard_ms >= 0, "less than nothing was heard")

    def _ToolCall(self, event: ToolCall) -> None:
        require(event.call_id not in self.calls, f"tool call {event.call_id} twice")
        require(event.generation_id in self.generations, "a tool call of an unknown generation")
        # A call that came without an id is answered without one: then its name tells it apart.
        self.calls[event.call_id] = _Call(event.call_id if event.call_id in self.wire_ids else event.name)

    def _ToolCallCancelled(self, event: ToolCallCancelled) -> None:
        require(event.call_id in self.calls, "an unknown tool call was cancelled")
        self.calls[event.call_id].cancelled = True

    def _ToolResult(self, event: ToolResult) -> None:
        require(event.call_id in self.calls, f"a result for the unknown call {event.call_id}")
        call = self.calls[event.call_id]
        require(call.outcome is None, f"call {event.call_id} ended as {call.outcome} and as {event.outcome}")
        require(call.cancelled == (event.outcome == "cancelled"), "ToolCallCancelled and the outcome differ")
        require((event.result is not None) == (event.outcome == "answered"), "a result without an answer")
        call.outcome = event.outcome

    def _InputSpeechStarted(self, event: InputSpeechStarted) -> None:
        require(not self.speaking, "the user began to speak twice")
        self.speaking = True

    def _InputSpeechStopped(self, event: InputSpeechStopped) -> None:
        require(self.speaking, "the user stopped without having begun")
        self.speaking = False

    def _Transcript(self, event: Transcript) -> None:
        item = self.items.setdefault(event.item_id, _Item(event.role))
        require(item.role == event.role, f"item {event.item_id} has two speakers")
        require(not item.final, f"item {event.item_id} goes on after its end")
        item.text += event.delta
        item.final = event.final
        require(event.delta == "" or not event.final, "a delta in the final event")
        if not self.words_missed:
            require(
                event.text == item.text.lstrip(), f"item {event.item_id}: text is not the sum of its deltas"
            )
        if event.delta:
            self.deltas[event.role].append(event.delta)

    # -- what came out: frames ----------------------------------------------------------------

    def frame(self, frame: Frame, messages: Sequence[ClientMessage]) -> None:
        """Judge one frame, in order."""
        require(len(messages) == 1, "one frame, one message")
        message = messages[0]
        self.frames_seen += 1
        require(
            (message.setup is not None) == (self.frames_seen == 1), "setup is the first frame and only that"
        )
        if message.realtime_input is not None:
            self.sound.sent(message.realtime_input, frame.audio_ms)
        else:
            require(frame.audio_ms == 0, "a frame that is not sound may be dropped as if it were")
        for response in (message.tool_response.function_responses or ()) if message.tool_response else ():
            if not response.will_continue:
                self.final_results[response.id or response.name or ""] += 1

    # -- sums ---------------------------------------------------------------------------------

    def settled(self, session: Session) -> None:
        """Judge what must hold between any two steps."""
        require(self.ended == (session.link is Link.CLOSED), "SessionEnded and CLOSED go together")
        if not self.words_missed:
            words = set(self.fragments["user"]) | set(self.fragments["model"])
            for role, sent in self.fragments.items():
                shown = [delta for delta in self.deltas[role] if delta in words]
                require(shown == sent, f"{role} fragments {sent} were delivered as {shown}")
        remaining = iter(self.texts_sent)
        require(all(shown in remaining for shown in self.texts_shown), "text out of order, or twice")
        require(self.turns_completed <= self.turns_told, "more turns completed than the service told")
        answered = Counter(call.wire_id for call in self.calls.values() if call.outcome == "answered")
        require(answered <= self.final_results, "an answered call whose result is not on the wire")
        refused = session.counters.get("refused_calls", 0)  # answered on the wire alone
        require(answered.total() + refused == self.final_results.total(), "not one frame for each answer")
        self.sound.settled(session.counters, over=self.ended)


class Watched:
    """A session, its journal, and a judge that sees all of it."""

    def __init__(self, plan: SessionPlan) -> None:
        self.plan = plan
        self.session = Session(plan)
        self.judge = Judge()
        self.journal: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.results: list[str] = []
        self.last_events: list[Event | Notice] = []
        self.last_frames: list[Frame] = []
        self.all_events: list[Event | Notice] = []
        self.all_frames: list[Frame] = []
        self._decoder = ClientDecoder()

    def do(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call one method of the session, then judge what came of it.

        Typed refusals (a DuologueError) are recorded and raised again after judging.
        """
        was_closed = self.session.link is Link.CLOSED
        self.journal.append((name, args, kwargs))
        if name == "receive" and not was_closed:
            self.judge.heard_from_service(args[0])
        if name == "set_interest":
            self.judge.wants(args[0])
        if name == "generate_reply" and self.session.is_live:
            self._reply_asked(args, kwargs)
            return None
        refused: DuologueError | None = None
        result: Any = None
        try:
            result = getattr(self.session, name)(*args, **kwargs)
        except DuologueError as error:
            refused = error
        if was_closed and name in COMMANDS_NEEDING_LIFE:
            require(isinstance(refused, SessionClosed), f"{name} after the end does not raise SessionClosed")
        self._drain(was_closed=was_closed)
        if refused is not None:
            raise refused
        return result

    def _reply_asked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        # Its id is known when the call returns, after the events it caused; those concern older replies.
        reply_id = self.session.generate_reply(*args, **kwargs)
        self._drain(was_closed=False)
        require(reply_id not in self.judge.replies_open, "a reply id twice")
        require(not self.judge.replies_open, "two replies are pending")
        self.judge.replies_open.add(reply_id)

    def _drain(self, *, was_closed: bool) -> None:
        self.last_events = self.session.events()
        self.last_frames = list(self.session.to_send())
        self.all_events += self.last_events
        self.all_frames += self.last_frames
        for event in self.last_events:
            self.judge.event(event)
        for frame in self.last_frames:
            require(not was_closed, "a frame after the end")
            self.judge.frame(frame, self._decoder.decode(frame.data))
        require(not self._decoder.unknown, f"fields of nobody's schema: {self._decoder.unknown}")
        if was_closed:
            require(self.session.link is Link.CLOSED, "CLOSED was left")
        self.judge.settled(self.session)

    def commit(self, now: float) -> None:
        """End the stream or the activity, whichever the plan says; the judge expects the mark."""
        if self.session.is_live and (self.judge.speaking or not self.plan.manual_activity):
            self.judge.sound.mark(end=True)
        self.do("commit_audio", now)

    def start_activity(self, now: float) -> None:
        """Begin the user's activity; the judge expects the mark."""
        if self.session.is_live and self.plan.manual_activity and not self.judge.speaking:
            self.judge.sound.mark(end=False)
        self.do("start_activity", now)

    def push(self, samples: int, rate_hz: int, now: float) -> None:
        """Push numbered samples."""
        if self.session.link is Link.CLOSED:
            self.do("push_audio", b"\0\0", rate_hz, now)
            return
        self.do("push_audio", self.judge.sound.push(samples, rate_hz), rate_hz, now)

    def deadline_is_right(self, now: float) -> None:
        """A deadline exactly when something waits; never one that has passed after handle_timeout."""
        waits = self.session.link is Link.SETUP or bool(self.judge.replies_open)
        deadline = self.session.next_deadline()
        require(waits == (deadline is not None), f"deadline {deadline}, waiting: {waits}")
        if self.journal and self.journal[-1][0] == "handle_timeout" and deadline is not None:
            require(deadline > now, "handle_timeout left a deadline that has passed")

    def replays(self) -> None:
        """The same journal gives the same events and frames."""
        again = Session(self.plan)
        events: list[Event | Notice] = []
        frames: list[Frame] = []
        for name, args, kwargs in self.journal:
            with contextlib.suppress(DuologueError):
                getattr(again, name)(*args, **kwargs)
            events += again.events()
            frames += again.to_send()
        require(
            list(map(repr, events)) == list(map(repr, self.all_events)), "the journal replays to other events"
        )
        require(frames == self.all_frames, "the journal replays to other frames")
        require(again.counters == self.session.counters, "the journal replays to other counters")
        require(again.chat_ctx == self.session.chat_ctx, "the journal replays to another conversation")

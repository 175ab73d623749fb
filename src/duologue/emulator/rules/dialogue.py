"""What happens once a setup was accepted: hearing, answering, tools, handles.

Read this for the rules of who interrupts whom and when a reply is owed. ``server`` owns the link and
hands every decoded message here.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from duologue.emulator.asks import Close, Failed, Spoken, Thought, Told, Transcribed
from duologue.emulator.protocols import Entry
from duologue.emulator.rules import validation
from duologue.emulator.rules.calls import CallLedger, PendingCall, schedule_of
from duologue.emulator.rules.conversation import Conversation, content_text, entries_of_turns, written_entry
from duologue.emulator.rules.hearing import Heard, Hearing, SpeechEnded, SpeechStarted, Thresholds
from duologue.emulator.rules.listening import Listening, Utterance
from duologue.emulator.rules.resample import TARGET_RATE_HZ, Resampler
from duologue.emulator.rules.service import Service, Snapshot
from duologue.emulator.rules.turn import Phase, Stage, Turn, max_audio_s, thoughts_of
from duologue.emulator.rules.usage import turn_usage
from duologue.emulator.rules.words import clean
from duologue.errors import ProtocolError
from duologue.wire.blob import audio_rate_hz, decode_base64
from duologue.wire.client import (
    ClientContent,
    ContextUpdate,
    GenerationConfig,
    RealtimeInput,
    RealtimeInputConfig,
    Setup,
    ToolResponse,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from duologue.emulator.profiles import EmulatedProfile
    from duologue.emulator.protocols import Detector
    from duologue.emulator.rules.askbook import AskBook
    from duologue.emulator.rules.outlet import Outlet
    from duologue.wire.content import Blob, FunctionResponse

__all__ = ["Dialogue"]

_RATES_HZ = range(1_000, 192_001)


class _Intake(Enum):
    """Whether the first clientContent is still awaited as history (``historyConfig``)."""

    SEEDING = "seeding"
    OPEN = "open"


class Dialogue:
    """The conversation on one link. Methods that take a message return how to close, or None.

    Args:
        setup: Accepted.
        profile: How this model behaves.
        service: Shared with other links.
        make_detector: Makes this link's detector, when the first sound comes.
        outlet: Where messages go.
        asks: Where questions go.
        state: A fresh state, or what a handle restored; its ``conversation`` is this link's.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        profile: EmulatedProfile,
        service: Service,
        make_detector: Callable[[], Detector],
        outlet: Outlet,
        asks: AskBook,
        state: Snapshot,
    ) -> None:
        self._setup = setup
        self._profile = profile
        self._service = service
        self._outlet = outlet
        self._asks = asks
        self._state = state
        self._conversation = Conversation(
            content_text(setup.system_instruction),
            setup.tools or (),
            state.history,
            slides=setup.context_window_compression is not None,
        )
        self._conversation.audio_in_s = state.audio_in_s
        self._conversation.audio_out_s = state.audio_out_s
        self._calls = CallLedger()
        generation = setup.generation_config or GenerationConfig()
        self._stage = Stage(
            profile=profile,
            service=service,
            outlet=outlet,
            asks=asks,
            conversation=self._conversation,
            calls=self._calls,
            model=state.model,
            output_words=setup.output_audio_transcription is not None,
            thoughts=thoughts_of(profile, generation.thinking_config),
            max_audio_s=max_audio_s(generation.max_output_tokens),
        )
        realtime = setup.realtime_input_config or RealtimeInputConfig()
        detection = realtime.automatic_activity_detection
        by_hand = detection is not None and bool(detection.disabled)
        self._listening = Listening(
            Hearing(None if by_hand else make_detector, Thresholds.from_setup(detection)), asks
        )
        self._interrupts = realtime.activity_handling != "NO_INTERRUPTION"
        self._resampler = Resampler(TARGET_RATE_HZ)
        history = setup.history_config
        seeds = history is not None and history.initial_history_in_client_content
        self._intake = _Intake.SEEDING if seeds else _Intake.OPEN
        self._turn: Turn | None = None
        self._owes_reply = False

    @property
    def is_exhausted(self) -> bool:
        """Whether the conversation has outgrown its context."""
        return self._conversation.is_exhausted

    def opened(self) -> None:
        """Send what follows setupComplete at once."""
        if self._profile.unrequested_handles == "sent":
            self._issue_handle()
            self._outlet.empty()

    def client_content(self, message: ClientContent, now: float) -> Close | None:
        """Add turns; any such message interrupts, and ``turnComplete`` asks for a reply."""
        refused = validation.check_client_content(message)
        if refused:
            return refused
        complete = bool(message.turn_complete)
        entries = entries_of_turns(message.turns or (), complete=complete)
        if self._intake is _Intake.SEEDING:
            self._conversation.extend(entries)
            self._intake = _Intake.OPEN if complete else _Intake.SEEDING
            return None
        self._interrupt(now)
        # Nothing but a nudge asks the model to go on: an instruction that says nothing.
        self._conversation.extend(entries or ([Entry("instruction")] if complete else []))
        self._owes_reply = self._owes_reply or complete
        self._settle(now, at_once=complete)
        return None

    def realtime(self, message: RealtimeInput, now: float) -> Close | None:
        """Take sound, text and marks of activity. Pictures are accepted and not looked at."""
        hearing = self._listening.hearing
        marks = message.activity_start is not None or message.activity_end is not None
        if marks != hearing.is_manual and (marks or message.audio_stream_end):
            return validation.PRECONDITION
        if self._intake is _Intake.SEEDING:
            return None
        if message.activity_start is not None:
            self._follow(hearing.mark_start(), now)
        blob = message.audio or next(iter(message.media_chunks or ()), None)
        if blob is not None:
            refused = self._hear(blob, now)
            if refused:
                return refused
        if message.activity_end is not None or message.audio_stream_end:
            self._follow(hearing.finish(), now)
        if message.text:
            self._barge_in(now)
            self._enter(written_entry(clean(message.text)))
            self._owes_reply = True
        self._settle(now)
        return None

    def tool_response(self, message: ToolResponse, now: float) -> Close | None:
        """Take results; a blocked turn goes on once it has all of them."""
        refused = validation.check_tool_response(message)
        if refused:
            return refused
        at_once = False
        for response in message.function_responses or ():
            call_id = response.id or ""
            if self._calls.was_cancelled(call_id):
                continue
            pending = self._calls.get(call_id)
            if pending is None:
                return validation.NOT_FOUND
            at_once = self._take_result(pending, response, now) or at_once
        if self._turn is None:
            self._issue_handle()
        elif self._turn.phase is Phase.BLOCKED and not self._calls.blocking():
            self._issue_handle()
            self._turn.results_are_in(now)
        self._settle(now, at_once=at_once)
        return None

    def context_update(self, message: ContextUpdate) -> Close | None:
        """Replace instruction or tools from here on, where the profile has that."""
        if self._profile.context_update == "refused":
            return validation.INVALID_ARGUMENT
        if message.tools is not None:
            tools = message.tools.tools or []
            refused = validation.check_tools(tools, "context_update.tools")
            if refused:
                return refused
            self._conversation.declare(tools)
        if message.system_instruction is not None:
            self._conversation.instruct(content_text(message.system_instruction))
        return None

    def told(self, answer: Told, now: float) -> Close | None:
        """Take an answer to an ask; one that is no longer wanted is passed over."""
        if not self._asks.take(answer.ask_id):
            return None
        refused: Close | None = None
        turn = self._turn
        match answer:
            case Transcribed():
                self._listening.told(answer.ask_id, answer.text)
            case Thought() if turn is not None and turn.owns(answer.ask_id):
                turn.thought(answer.reply, now)
            case Spoken() if turn is not None and turn.owns(answer.ask_id):
                turn.spoken(answer.ask_id, answer.pcm, now)
            case Failed():
                refused = self._failed(answer.ask_id)
            case _:
                refused = validation.INTERNAL  # an answer of the wrong kind: a part is broken
        self._settle(now)
        return refused

    def advance(self, now: float) -> Close | None:
        """Do what has fallen due by ``now``."""
        silent_at = self._listening.next_deadline()
        if silent_at is not None and silent_at <= now:
            self._follow(self._listening.hearing.finish(), now)
        for ask_id in self._asks.overdue(now):
            self._asks.cancel(ask_id)
            refused = self._failed(ask_id)
            if refused:
                return refused
        if self._turn is not None:
            self._turn.pump(now)
        self._settle(now)
        return None

    def next_deadline(self) -> float | None:
        """Return when :meth:`advance` has something to do."""
        deadlines = (
            self._listening.next_deadline(),
            self._asks.next_deadline(),
            self._turn.next_deadline() if self._turn is not None else None,
        )
        return min((at for at in deadlines if at is not None), default=None)

    def ended(self) -> None:
        """Give up what the conversation held: its link is over."""
        self._listening.hearing.release()

    def _hear(self, blob: Blob, now: float) -> Close | None:
        kind = blob.mime_type.partition(";")[0].strip().lower()
        if kind.startswith("image/"):
            return None  # google-genai's older calls put pictures into mediaChunks
        sample_rate = audio_rate_hz(blob.mime_type, TARGET_RATE_HZ)
        if kind != "audio/pcm" or sample_rate not in _RATES_HZ:
            return validation.INVALID_ARGUMENT
        try:
            pcm = decode_base64(blob.data)
        except ProtocolError:
            return validation.bad_base64("realtime_input.audio.data")
        if sample_rate != self._resampler.sample_rate:
            self._resampler = Resampler(sample_rate)
        self._listening.note_audio(now)
        self._follow(self._listening.hearing.hear(self._resampler.feed(pcm)), now)
        return None

    def _follow(self, happened: list[Heard], now: float) -> None:
        for heard in happened:
            self._listening.follow(heard, now)
            if isinstance(heard, SpeechStarted):
                self._announce("ACTIVITY_START", heard.at_samples)
                self._barge_in(now)
            elif isinstance(heard, SpeechEnded):
                self._announce("ACTIVITY_END", heard.at_samples)

    def _announce(self, kind: str, at_samples: int) -> None:
        if not self._listening.hearing.is_manual:
            self._outlet.voice_activity(kind, at_samples / TARGET_RATE_HZ)

    def _barge_in(self, now: float) -> None:
        """Interrupt because the caller became active, unless the setup or a waiting call forbids it."""
        turn = self._turn
        if turn is None or not self._interrupts:
            return
        waits = self._profile.input_while_blocked == "waits"
        if turn.phase is Phase.BLOCKED and waits and not turn.is_sounding(now):
            return
        self._interrupt(now)

    def _interrupt(self, now: float) -> None:
        if self._turn is not None:
            self._turn.interrupt(now)
            self._close_turn()

    def _take_result(self, pending: PendingCall, response: FunctionResponse, now: float) -> bool:
        """Enter one result; return whether it is to be spoken of at once."""
        result = {key: value for key, value in (response.response or {}).items() if key != "scheduling"}
        entry = Entry("result", call=pending.call, result=result)
        blocking = pending.behavior == "BLOCKING"
        if blocking or not response.will_continue:
            self._calls.settle(pending.call_id)
        if blocking:
            self._conversation.add(entry)
            return False
        schedule = schedule_of(response)
        user_first = self._profile.interrupt_result == "after_user" and not self._listening.is_user_quiet
        at_once = schedule == "INTERRUPT" and not user_first
        if at_once:
            self._interrupt(now)
        self._enter(entry)
        self._owes_reply = self._owes_reply or schedule != "SILENT"
        return at_once

    def _failed(self, ask_id: int) -> Close | None:
        turn = self._turn
        if turn is None or not turn.owns(ask_id):
            self._listening.told(ask_id, "", failed=True)
            return None
        if turn.phase is not Phase.THINKING:
            return validation.INTERNAL
        turn.abandon()
        return None

    def _enter(self, entry: Entry) -> None:
        """Add to the history, behind the running turn if there is one."""
        if self._turn is None:
            self._conversation.add(entry)
        else:
            self._conversation.hold(entry)

    def _settle(self, now: float, *, at_once: bool = False) -> None:
        """Bring words, turns and owed replies up to date after anything happened.

        Args:
            now: The time.
            at_once: Start an owed reply although the caller is speaking.
        """
        for utterance in self._listening.finished():
            self._take_words(utterance)
        if self._turn is not None and self._turn.phase is Phase.ENDED:
            self._close_turn()
        if self._turn is None and self._owes_reply and (at_once or self._listening.is_user_quiet):
            self._owes_reply = False
            if self._setup.session_resumption is not None:
                self._outlet.not_resumable()
            self._turn = Turn(self._stage, now)

    def _take_words(self, utterance: Utterance) -> None:
        if not utterance.words:
            if utterance.failed and self._turn is None:
                self._outlet.turn_complete(
                    turn_usage(self._stage.profile, self._stage.model, self._conversation)
                )
            return
        self._conversation.audio_in_s += utterance.seconds
        if self._setup.input_audio_transcription is not None:
            self._outlet.input_transcription(utterance.words)
        self._enter(Entry("user", utterance.words))
        self._owes_reply = True

    def _close_turn(self) -> None:
        """The turn is over: what waited behind it joins the history, and that state gets a handle."""
        self._turn = None
        self._conversation.release()
        self._issue_handle()
        self._outlet.empty()

    def _issue_handle(self) -> None:
        if self._setup.session_resumption is None and self._profile.unrequested_handles == "never":
            return
        state = Snapshot(
            conversation=self._state.conversation,
            model=self._state.model,
            history=tuple(self._conversation.entries),
            audio_in_s=self._conversation.audio_in_s,
            audio_out_s=self._conversation.audio_out_s,
            began_at=self._state.began_at,
            size_bytes=self._conversation.size_bytes,
        )
        self._outlet.handle(self._service.issue(state, self._profile.handle_form))

"""Random conversations over one core session: what may happen, and in which order it may.

Every rule has its precondition, for a walk in which everything is always allowed seldom gets to where an
answer is running. Time is a number. The judge (``invariants``) objects; this module only talks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.core import messages as say
from tests.core.invariants import Samples, Watched

from duologue.config import ChatMessage, SessionOptions
from duologue.core.link import Link
from duologue.core.outlet import BULK, Outlet
from duologue.core.session import SessionPlan
from duologue.core.uplink import Gate, Uplink
from duologue.errors import ConfigError, ConnectError, LinkLost, ProtocolError, SessionClosed, Unsupported
from duologue.events import AudioOutput, TextOutput, Thought, Transcript
from duologue.wire.client import ClientMessage, Empty, RealtimeInput
from duologue.wire.codec import ClientDecoder, encode
from duologue.wire.content import Blob, Content, FunctionCall, Part
from duologue.wire.grounding import GroundingMetadata
from duologue.wire.profiles import PROFILES
from duologue.wire.server import (
    ErrorStatus,
    ServerContent,
    ServerMessage,
    SetupComplete,
    ToolCall,
    Transcription,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

REFUSALS = (SessionClosed, ConfigError, Unsupported)
CLOSES = [(1000, ""), (1006, ""), (1008, "The operation was aborted."), (1011, "Internal error encountered.")]
SETUP = {
    "model": "models/m",
    "tools": [
        {
            "functionDeclarations": [
                {"name": "block", "behavior": "BLOCKING"},
                {"name": "free", "behavior": "NON_BLOCKING"},
                {"name": "default"},
            ]
        }
    ],
}

plans = st.builds(
    lambda profile, manual, policy, chunk_ms, buffer_ms: SessionPlan(
        session_id="s",
        setup=SETUP,
        profile=PROFILES[profile],
        options=SessionOptions(chunk_ms=chunk_ms, mic_while_blocking=policy, uplink_buffer_ms=buffer_ms),
        manual_activity=manual,
    ),
    st.sampled_from(sorted(PROFILES)),
    st.booleans(),
    st.sampled_from(["buffer", "send", "drop"]),
    st.sampled_from([10, 20, 50]),
    st.sampled_from([60, 200]),
)
kinds = st.sampled_from(["sound", "said", "text", "thought", "sound", "two", "odd", "corrupt"])
ends = st.sampled_from(["", "", "generation", "turn", "both"])
odds = st.integers(0, 9)


class ConversationMachine(RuleBasedStateMachine):
    """One session from nothing to its end."""

    @initialize(
        plan=plans,
        begun=st.sampled_from([0, 1, 2, 3, 3, 3, 3, 3]),
        unwanted=st.sampled_from([None, None, None, AudioOutput, Transcript, TextOutput]),
    )
    def begin(self, plan: SessionPlan, begun: int, unwanted: type | None) -> None:
        self.now = 100.0
        self.words = 0
        self.calls_made = 0
        self.watched = Watched(plan)
        if unwanted is not None:
            self.do("set_interest", BULK - {unwanted})
        if begun > 0:
            self.do("connect", self.now)
        if begun > 1:
            self.do("link_opened", self.now)
        if begun > 2:
            self.do("receive", say.READY, self.now)

    def do(self, name: str, *args: Any, **kwargs: Any) -> None:
        self.watched.do(name, *args, **kwargs)

    def try_to(self, name: str, *args: Any, **kwargs: Any) -> None:
        try:
            self.do(name, *args, **kwargs)
        except REFUSALS:
            live = self.watched.session.is_live
            manual_only = name in ("start_activity", "end_activity")
            too_late = (
                name == "send_content" and self.watched.plan.profile.client_content != "any time"
            )  # Q-content-once: its own tests say when
            assert not live or manual_only or too_late or name == "tool_result"

    def link_is(self, *states: Link) -> bool:
        return self.watched.session.link in states

    @property
    def live(self) -> bool:
        return self.watched.session.is_live

    def fragment(self, prefix: str) -> str:
        self.words += 1
        return f" {prefix}{self.words}"

    def ended_calls(self) -> list[str]:
        return [name for name, call in self.watched.judge.calls.items() if call.outcome is not None]

    # -- the link -----------------------------------------------------------------------------

    @precondition(lambda self: self.link_is(Link.IDLE))
    @rule()
    def connect(self) -> None:
        self.do("connect", self.now)

    @precondition(lambda self: self.link_is(Link.CONNECTING))
    @rule()
    def link_opened(self) -> None:
        self.do("link_opened", self.now)

    @precondition(lambda self: self.link_is(Link.SETUP))
    @rule(also=st.booleans())
    def setup_complete(self, also: bool) -> None:
        content = ServerContent(output_transcription=Transcription(text=self.fragment("m"))) if also else None
        self.do("receive", ServerMessage(setup_complete=SetupComplete(), server_content=content), self.now)

    @precondition(lambda self: self.link_is(Link.IDLE, Link.CONNECTING, Link.CLOSED))
    @rule(odds=odds)
    def connect_failed(self, odds: int) -> None:
        if odds == 5:
            self.do("fail", ConnectError("no route"), self.now)

    @precondition(lambda self: not self.link_is(Link.IDLE) and len(self.watched.journal) > 6)
    @rule(close=st.sampled_from(CLOSES), odds=odds)
    def link_lost(self, close: tuple[int, str], odds: int) -> None:
        if odds == 5:
            self.do("link_lost", LinkLost("gone", code=close[0], reason=close[1]), self.now)

    @precondition(lambda self: len(self.watched.journal) > 6)
    @rule(odds=odds)
    def end(self, odds: int) -> None:
        if odds == 5:
            self.do("close", self.now)
        elif odds == 3:
            self.do("fail", ProtocolError("cannot go on"), self.now)

    @rule(passed_s=st.sampled_from([0.01, 0.2, 0.2, 6.0]))
    def time_passes(self, passed_s: float) -> None:
        self.now += passed_s
        self.do("handle_timeout", self.now)

    # -- what the service says ----------------------------------------------------------------

    def part(self, kind: str) -> list[Part]:
        match kind:
            case "sound":
                return [say.sound_part(20)]
            case "odd":
                return [say.cut_part(), say.cut_part(1), say.cut_part(481)]
            case "text":
                return [Part(text=self.fragment("text"))]
            case "thought":
                return [Part(text="hm", thought=True)]
            case "two":
                return [say.sound_part(10), Part(text=self.fragment("text")), say.sound_part(10)]
            case "corrupt":
                return [Part(inline_data=Blob(mime_type="audio/pcm", data="A+-A")), Part()]
            case _:
                return []

    @precondition(lambda self: not self.link_is(Link.IDLE, Link.CONNECTING))
    @rule(kind=kinds, words=st.booleans(), ends=ends, told=st.booleans())
    def answers(self, kind: str, words: bool, ends: str, told: bool) -> None:
        given = self.part(kind)
        said = Transcription(text=self.fragment("m")) if words or kind == "said" else None
        content = ServerContent(
            model_turn=Content(parts=given) if given else None,
            output_transcription=said,
            generation_complete=True if ends in ("generation", "both") else None,
            turn_complete=True if ends in ("turn", "both") else None,
        )
        self.do(
            "receive",
            ServerMessage(server_content=content, usage_metadata=say.usage(10, 5) if told else None),
            self.now,
        )

    @precondition(lambda self: not self.link_is(Link.IDLE, Link.CONNECTING))
    @rule(role=st.sampled_from(["m", "u", ""]), kind=kinds, turn=st.booleans())
    def interrupts(self, role: str, kind: str, turn: bool) -> None:
        words = Transcription(text=self.fragment(role)) if role else None
        content = ServerContent(
            interrupted=True,
            output_transcription=words if role == "m" else None,
            input_transcription=words if role == "u" else None,
            model_turn=Content(parts=[say.sound_part(10)]) if kind == "sound" else None,
            turn_complete=True if turn else None,
        )
        self.do("receive", ServerMessage(server_content=content), self.now)

    @precondition(lambda self: self.live)
    @rule(finished=st.sampled_from([None, True]), empty=st.booleans())
    def hears_the_user(self, finished: bool | None, empty: bool) -> None:
        self.do("receive", say.heard(None if empty else self.fragment("u"), finished=finished), self.now)

    @precondition(lambda self: self.live)
    @rule(mark=st.sampled_from(["ACTIVITY_START", "ACTIVITY_END", "X_SOS", "X_EOS", "?"]))
    def marks_the_user(self, mark: str) -> None:
        self.do("receive", say.vad_signal(mark) if "_" in mark[:2] else say.voice(mark, "1.2s"), self.now)

    @precondition(lambda self: not self.link_is(Link.IDLE, Link.CONNECTING))
    @rule(
        names=st.lists(st.sampled_from(["block", "free", "default"]), min_size=1, max_size=3),
        form=st.sampled_from(["id", "id", "id", "none", "again"]),
    )
    def asks_for_tools(self, names: list[str], form: str) -> None:
        asked: list[FunctionCall] = []
        for name in names:
            self.calls_made += form != "again"
            call_id = f"fc_{self.calls_made}"
            if form == "none":
                name = f"{name}_{self.calls_made}"
            asked.append(FunctionCall(id=None if form == "none" else call_id, name=name, args={"a": 1}))
        self.do("receive", ServerMessage(tool_call=ToolCall(function_calls=asked)), self.now)

    @precondition(lambda self: self.calls_made > 0)
    @rule(number=st.integers(0, 4))
    def takes_a_call_back(self, number: int) -> None:
        self.do("receive", say.cancel(f"fc_{self.calls_made - number}"), self.now)

    @precondition(lambda self: not self.link_is(Link.IDLE, Link.CONNECTING))
    @rule(what=st.sampled_from(["go", "handle", "no handle", "error", "empty", "ready", "usage", "ground"]))
    def says_something_else(self, what: str) -> None:
        message = {
            "go": say.go_away(),
            "handle": say.handle("h-1"),
            "no handle": say.handle(None, resumable=False),
            "error": ServerMessage(error=ErrorStatus(message="odd")),
            "empty": say.EMPTY,
            "ready": say.READY if self.live else say.EMPTY,
            "usage": ServerMessage(usage_metadata=say.usage(3)),
            "ground": say.content(
                grounding_metadata=GroundingMetadata(web_search_queries=["q"]), waiting_for_input=True
            ),
        }[what]
        self.do("receive", message, self.now)

    # -- what the application does --------------------------------------------------------------

    @rule(samples=st.sampled_from([1, 7, 160, 800, 1601]), rate_hz=st.sampled_from([16_000, 16_000, 44_100]))
    def pushes_sound(self, samples: int, rate_hz: int) -> None:
        try:
            self.watched.push(samples, rate_hz, self.now)
        except SessionClosed:
            assert self.link_is(Link.CLOSED)

    @rule(what=st.sampled_from(["commit", "clear", "start", "start", "end"]))
    def marks_sound(self, what: str) -> None:
        try:
            match what:
                case "commit":
                    self.watched.commit(self.now)
                case "start":
                    self.watched.start_activity(self.now)
                case "clear":
                    self.do("clear_audio")
                case _ if self.watched.plan.manual_activity:
                    self.watched.commit(self.now)
                case _:
                    self.do("end_activity", self.now)
        except REFUSALS:
            assert not self.live or not self.watched.plan.manual_activity

    @rule(what=st.sampled_from(["text", "content", "raw", "error", "interest"]), all_of_it=st.booleans())
    def says(self, what: str, all_of_it: bool) -> None:
        match what:
            case "text":
                self.try_to("send_text", "hello", self.now)
            case "content":
                turns = [ChatMessage("user", "a"), ChatMessage("model", "b")]
                self.try_to("send_content", turns, self.now, turn_complete=all_of_it)
            case "raw":
                self.try_to("send_raw", {"clientContent": {"turnComplete": True}}, self.now)
            case "error":
                self.do("report_error", ValueError("of a subscriber"))
            case _:
                self.do("set_interest", BULK if all_of_it else BULK - {AudioOutput, Thought})

    @precondition(lambda self: self.live)
    @rule(timeout_s=st.sampled_from([0.1, 5.0]), words=st.sampled_from([None, "greet"]))
    def asks_for_a_reply(self, timeout_s: float, words: str | None) -> None:
        self.do("generate_reply", words, timeout_s, self.now)

    @precondition(lambda self: self.live or len(self.watched.journal) < 6)
    @rule()
    def interrupts_locally(self) -> None:
        self.do("interrupt", self.now)

    @precondition(lambda self: self.live and bool(self.watched.session.open_calls))
    @rule(good=st.booleans())
    def answers_the_oldest_call(self, good: bool) -> None:
        oldest = self.watched.session.open_calls[0].call_id
        self.try_to("tool_result", oldest, {"output": 1 if good else object()}, self.now)

    @precondition(lambda self: self.live and bool(self.ended_calls()))
    @rule()
    def answers_too_late(self) -> None:
        self.do("tool_result", self.ended_calls()[-1], {"output": "late"}, self.now)

    @precondition(lambda self: self.live)
    @rule(samples=st.sampled_from([160, 800]))
    def speaks_while_the_model_waits(self, samples: int) -> None:
        """What is held back meanwhile must keep its order."""
        self.calls_made += 1
        call_id = f"fc_{self.calls_made}"
        self.do("receive", say.calls((call_id, "block")), self.now)
        if self.watched.plan.manual_activity:
            self.watched.start_activity(self.now)
        self.watched.push(samples, 16_000, self.now)
        self.watched.commit(self.now)
        self.do("tool_result", call_id, {"output": 1}, self.now)

    @precondition(lambda self: bool(self.watched.judge.calls))
    @rule(data=st.data(), more=st.booleans(), good=st.integers(0, 9))
    def answers_a_call(self, data: st.DataObject, more: bool, good: int) -> None:
        known = sorted(self.watched.judge.calls)
        call_id = data.draw(st.sampled_from(known)) if good != 8 else "unknown"
        response: dict[str, Any] = {"output": object() if good == 9 else "done"}
        self.try_to("tool_result", call_id, response, self.now, will_continue=more and good < 4)

    @precondition(lambda self: bool(self.watched.judge.generations))
    @rule(back=st.integers(0, 2), played_ms=st.sampled_from([0, 5, 40]))
    def plays(self, back: int, played_ms: int) -> None:
        names = list(self.watched.judge.generations)
        self.do("report_playhead", names[max(0, len(names) - 1 - back)], played_ms)

    # -- what must hold -------------------------------------------------------------------------

    @invariant()
    def deadline(self) -> None:
        self.watched.deadline_is_right(self.now)

    def teardown(self) -> None:
        if hasattr(self, "watched"):
            self.do("close", self.now)
            assert self.watched.judge.ended
            self.watched.replays()


class UplinkMachine(RuleBasedStateMachine):
    """The uplink alone, its gate moved at will: more edges than one link's life has."""

    def __init__(self) -> None:
        super().__init__()
        self.outlet = Outlet()
        self.uplink = Uplink(self.outlet, chunk_ms=10, held_limit_ms=40)
        self.samples = Samples()
        self.decoder = ClientDecoder()

    def check(self, *, over: bool = False) -> None:
        for frame in self.outlet.drain_frames():
            message = self.decoder.decode(frame.data)[0]
            assert message.realtime_input is not None
            self.samples.sent(message.realtime_input, frame.audio_ms)
        self.samples.settled(self.outlet.counters, over=over)

    @rule(samples=st.integers(0, 500), rate_hz=st.sampled_from([8000, 16_000, 22_050]))
    def push(self, samples: int, rate_hz: int) -> None:
        self.uplink.push(self.samples.push(samples, rate_hz), rate_hz)
        self.check()

    @rule(gate=st.sampled_from(list(Gate)))
    def set_gate(self, gate: Gate) -> None:
        self.uplink.set_gate(gate)
        self.check()

    @rule()
    def mark(self) -> None:
        self.uplink.flush()
        self.samples.mark(end=True)
        self.uplink.mark(encode(ClientMessage(realtime_input=RealtimeInput(activity_end=Empty()))))
        self.check()

    @rule()
    def clear(self) -> None:
        self.uplink.clear()
        self.check()

    def teardown(self) -> None:
        self.uplink.end()
        self.check(over=True)


def walk(machine: type[RuleBasedStateMachine], how: settings, *, seeds: Iterable[int]) -> None:
    """Run ``machine`` once for each seed.

    Several short runs see more of the plans than one long one: hypothesis varies what it has already tried.
    The same seeds give the same walks.
    """
    for number in seeds:
        seeded = seed(number)(type(machine.__name__, (machine,), {}))
        run_state_machine_as_test(seeded, settings=how)

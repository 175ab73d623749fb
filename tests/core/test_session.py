"""The session as its driver sees it: the link's life, commands, replies, the gate, the end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.core import messages as say

from duologue.config import ChatMessage
from duologue.core.link import Link
from duologue.core.outlet import BULK, ReplyFailed, ReplyStarted
from duologue.errors import (
    AuthError,
    ConfigError,
    ConnectError,
    LinkLost,
    ProtocolError,
    ReplyAborted,
    ReplySuperseded,
    ReplyTimeout,
    SessionClosed,
    SetupTimeout,
    Unsupported,
)
from duologue.events import (
    GenerationCompleted,
    GenerationCreated,
    GoAway,
    InputSpeechStarted,
    InputSpeechStopped,
    ResumptionUpdate,
    SessionEnded,
    SessionError,
    SessionReady,
    ToolResult,
    Transcript,
)
from duologue.wire.codec import ServerDecoder
from duologue.wire.content import Content, Part
from duologue.wire.server import ServerMessage, SetupComplete

if TYPE_CHECKING:
    from tests.core.conftest import Begin
    from tests.core.invariants import Watched

BLOCKING = {"name": "block", "behavior": "BLOCKING"}
UP_TO_READY = [Link.IDLE, Link.CONNECTING, Link.SETUP, Link.READY]
CLOSES = [(1000, ""), (1006, ""), (1007, "API key not valid."), (1008, "The operation was aborted.")]


def ended(watched: Watched) -> SessionEnded:
    last = watched.last_events[-1]
    assert isinstance(last, SessionEnded)
    return last


def frames(watched: Watched) -> list[dict[str, Any]]:
    return [json.loads(frame.data) for frame in watched.last_frames]


class TestLink:
    def test_setup_is_the_first_frame_and_nothing_else_goes_before_the_answer(self, begin: Begin) -> None:
        """Q-setup-first."""
        watched = begin(until=Link.SETUP)
        assert [json.loads(frame.data) for frame in watched.all_frames] == [
            {"setup": dict(watched.plan.setup)}
        ]
        watched.push(1600, 16_000, 0.0)
        assert watched.last_frames == []
        watched.do("receive", say.READY, 1.0)
        assert [type(event) for event in watched.last_events] == [SessionReady]
        assert len(watched.last_frames) == 2

    def test_the_services_own_id_wins(self, begin: Begin) -> None:
        watched = begin(until=Link.SETUP)
        watched.do("receive", ServerMessage(setup_complete=SetupComplete(session_id="theirs")), 1.0)
        assert watched.last_events == [SessionReady("theirs")]

    def test_a_second_setup_complete_is_counted(self, begin: Begin) -> None:
        watched = begin()
        watched.do("receive", say.READY, 1.0)
        assert watched.last_events == []
        assert watched.session.counters["setup_complete_again"] == 1

    def test_setup_has_a_deadline(self, begin: Begin) -> None:
        watched = begin(until=Link.SETUP, setup_timeout_s=3.0)
        assert watched.session.next_deadline() == 3.0
        watched.do("handle_timeout", 2.9)
        assert watched.session.link is Link.SETUP
        watched.do("handle_timeout", 3.0)
        assert isinstance(ended(watched).error, SetupTimeout)
        assert watched.session.next_deadline() is None

    @pytest.mark.parametrize(("code", "reason"), CLOSES)
    def test_a_close_during_setup_is_a_connect_error(self, begin: Begin, code: int, reason: str) -> None:
        """Q-bad-key among others: the verdict rests on code and reason."""
        watched = begin(until=Link.SETUP)
        watched.do("link_lost", LinkLost("gone", code=code, reason=reason), 1.0)
        end = ended(watched)
        assert isinstance(end.error, ConnectError)
        assert isinstance(end.error, AuthError) == ("key" in reason)
        assert (end.code, end.reason) == (code, reason)

    @pytest.mark.parametrize(("code", "reason"), CLOSES)
    @pytest.mark.parametrize("answering", [False, True])
    def test_a_close_later(self, begin: Begin, code: int, reason: str, answering: bool) -> None:
        """Q-clean-close-in-a-turn, Q-lost-generation."""
        watched = begin()
        if answering:
            watched.do("receive", say.sound(), 1.0)
        lost = LinkLost("gone", code=code, reason=reason)
        watched.do("link_lost", lost, 2.0)
        error = ended(watched).error
        if code == 1000 and not answering:
            assert error is None
        else:
            assert isinstance(error, LinkLost)
            assert (error.code, error.reason, error.retryable) == (code, reason, "key" not in reason)
        completed = [event for event in watched.last_events if isinstance(event, GenerationCompleted)]
        assert [event.status for event in completed] == (["lost"] if answering else [])

    def test_failing_to_connect(self, begin: Begin) -> None:
        watched = begin(until=Link.CONNECTING)
        error = ConnectError("no route", code=403)
        watched.do("fail", error, 1.0)
        assert ended(watched) == SessionEnded(403, "", error)

    def test_connecting_may_fail_after_the_close(self, begin: Begin) -> None:
        watched = begin(until=Link.CONNECTING)
        watched.do("close", 1.0)
        watched.do("fail", ConnectError("cancelled"), 1.1)
        assert watched.last_events == []

    @pytest.mark.parametrize("state", UP_TO_READY)
    def test_closing_from_any_state_in_good_order(self, begin: Begin, state: Link) -> None:
        watched = begin(until=state)
        watched.do("close", 1.0)
        assert ended(watched) == SessionEnded(1000, "", None)
        watched.do("close", 1.1)
        assert watched.last_events == []

    @pytest.mark.parametrize("state", UP_TO_READY)
    def test_failing_from_any_state(self, begin: Begin, state: Link) -> None:
        watched = begin(until=state)
        error = ProtocolError("cannot go on")
        watched.do("fail", error, 1.0)
        assert ended(watched).error is error

    def test_everything_open_ends_once_and_the_end_is_last(self, begin: Begin) -> None:
        watched = begin("3.8", tools=({"name": "free"},))
        for message in (
            say.heard("wait"),
            say.voice("ACTIVITY_START"),
            say.said("yes"),
            say.calls(("1", "free")),
        ):
            watched.do("receive", message, 1.0)
        watched.do("generate_reply", None, 5.0, 1.0)
        watched.do("close", 2.0)
        assert [type(event) for event in watched.last_events] == [
            Transcript,
            GenerationCompleted,
            InputSpeechStopped,
            ToolResult,
            ReplyFailed,
            SessionEnded,
        ]

    def test_nothing_is_heard_after_the_end(self, begin: Begin) -> None:
        watched = begin()
        watched.do("close", 1.0)
        for name, arguments in (
            ("receive", (say.sound(), 2.0)),
            ("link_lost", (LinkLost("gone"), 2.0)),
            ("fail", (ProtocolError("x"), 2.0)),
            ("handle_timeout", (99.0,)),
            ("interrupt", (2.0,)),
            ("clear_audio", ()),
            ("report_playhead", ("x", 1)),
            ("report_error", (ValueError("x"),)),
        ):
            watched.do(name, *arguments)
            assert watched.last_events == []
            assert watched.last_frames == []


COMMANDS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("commit_audio", (1.0,), {}),
    ("start_activity", (1.0,), {}),
    ("end_activity", (1.0,), {}),
    ("send_text", ("a", 1.0), {}),
    ("send_content", ([], 1.0), {"turn_complete": True}),
    ("generate_reply", (None, 1.0, 1.0), {}),
    ("tool_result", ("x", {}, 1.0), {}),
    ("send_raw", ({}, 1.0), {}),
]


class TestCommands:
    @pytest.mark.parametrize(
        ("name", "args", "kwargs"), [*COMMANDS, ("push_audio", (b"\0\0", 16_000, 1.0), {})]
    )
    def test_after_the_end(
        self, begin: Begin, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        watched = begin(manual=True)
        watched.do("close", 1.0)
        with pytest.raises(SessionClosed, match="has ended"):
            watched.do(name, *args, **kwargs)

    @pytest.mark.parametrize("state", UP_TO_READY[:-1])
    @pytest.mark.parametrize(("name", "args", "kwargs"), COMMANDS)
    def test_before_it_is_open(
        self, begin: Begin, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], state: Link
    ) -> None:
        with pytest.raises(SessionClosed, match="not open yet"):
            begin(manual=True, until=state).do(name, *args, **kwargs)

    @pytest.mark.parametrize("name", ["start_activity", "end_activity"])
    def test_marks_need_manual_detection(self, begin: Begin, name: str) -> None:
        """Q-marks-need-manual."""
        with pytest.raises(Unsupported, match="turn_detection_disabled"):
            begin().do(name, 1.0)

    def test_manual_activity(self, begin: Begin) -> None:
        watched = begin(manual=True, chunk_ms=10)
        watched.start_activity(1.0)
        assert watched.last_events == [InputSpeechStarted()]
        watched.start_activity(1.1)
        assert watched.last_events == []
        watched.push(100, 16_000, 1.2)
        watched.commit(1.3)
        assert [list(frame["realtimeInput"]) for frame in frames(watched)] == [["audio"], ["activityEnd"]]
        assert watched.last_events == [InputSpeechStopped()]
        watched.commit(1.4)
        assert watched.last_frames == []

    def test_commit_flushes_and_ends_the_stream(self, begin: Begin) -> None:
        """Q-stream-end."""
        watched = begin()
        watched.push(100, 16_000, 1.0)
        watched.commit(1.1)
        assert [list(frame["realtimeInput"]) for frame in frames(watched)] == [["audio"], ["audioStreamEnd"]]

    @pytest.mark.parametrize(("profile", "key"), [("2.5-native", "clientContent"), ("3.8", "realtimeInput")])
    def test_text_goes_the_way_of_the_profile(self, begin: Begin, profile: str, key: str) -> None:
        """Q-text-is-activity."""
        watched = begin(profile)
        watched.do("send_text", "hello", 1.0)
        [frame] = frames(watched)
        assert list(frame) == [key]
        assert "hello" in json.dumps(frame)
        watched.do("generate_reply", "greet them", 5.0, 2.0)
        [frame] = frames(watched)
        assert list(frame) == [key]
        assert "greet them" in json.dumps(frame)
        assert [m.text for m in watched.session.chat_ctx.messages] == ["hello"]

    def test_content(self, begin: Begin) -> None:
        watched = begin()
        watched.do(
            "send_content", [ChatMessage("user", "a"), ChatMessage("model", "b")], 1.0, turn_complete=False
        )
        assert frames(watched) == [
            {
                "clientContent": {
                    "turns": [
                        {"parts": [{"text": "a"}], "role": "user"},
                        {"parts": [{"text": "b"}], "role": "model"},
                    ],
                    "turnComplete": False,
                }
            }
        ]
        assert [(m.role, m.text) for m in watched.session.chat_ctx.messages] == [
            ("user", "a"),
            ("model", "b"),
        ]

    @pytest.mark.parametrize("answer", [say.sound(), say.said("Hi."), say.calls(("1", "f"))])
    def test_turns_are_refused_after_the_first_answer_where_only_a_beginning_takes_them(
        self, begin: Begin, answer: ServerMessage
    ) -> None:
        """Q-content-once."""
        watched = begin("3.1")
        for words in ("a", "b"):
            watched.do("send_content", [ChatMessage("user", words)], 1.0, turn_complete=False)
            assert len(watched.last_frames) == 1
        watched.do("receive", say.EMPTY, 2.0)
        watched.do("send_content", [ChatMessage("user", "c")], 2.0, turn_complete=True)
        watched.do("receive", answer, 3.0)
        sent = len(watched.all_frames)
        with pytest.raises(Unsupported, match=r"3\.1 takes turns only before the first answer"):
            watched.do("send_content", [ChatMessage("user", "d")], 4.0, turn_complete=False)
        with pytest.raises(Unsupported, match=r"^send_turns: "):
            watched.do("send_turns", [Content(parts=[Part(text="d")])], 4.0, turn_complete=False)
        assert len(watched.all_frames) == sent
        assert [message.text for message in watched.session.chat_ctx.messages[:3]] == ["a", "b", "c"]
        assert "d" not in [message.text for message in watched.session.chat_ctx.messages]
        watched.do("send_text", "d", 5.0)
        assert frames(watched) == [{"realtimeInput": {"text": "d"}}]

    @pytest.mark.parametrize(("profile", "refused"), [("3.1", True), ("2.5-native", False), ("3.8", False)])
    def test_a_resumed_conversation_has_begun(self, begin: Begin, profile: str, refused: bool) -> None:
        """Q-content-once."""
        watched = begin(profile, handle="h")
        if refused:
            with pytest.raises(Unsupported, match="not in a resumed conversation"):
                watched.do("send_content", [ChatMessage("user", "a")], 1.0, turn_complete=True)
            assert watched.session.chat_ctx.messages == ()
        else:
            watched.do("send_content", [ChatMessage("user", "a")], 1.0, turn_complete=True)
            assert len(watched.last_frames) == 1

    def test_raw(self, begin: Begin) -> None:
        watched = begin()
        watched.do("send_raw", {"realtimeInput": {"text": "x"}}, 1.0)
        assert frames(watched) == [{"realtimeInput": {"text": "x"}}]
        with pytest.raises(ConfigError):
            watched.do("send_raw", {"x": object()}, 1.0)

    def test_text_that_is_no_text_is_refused(self, begin: Begin) -> None:
        with pytest.raises(ConfigError):
            begin().do("send_text", "\ud800", 1.0)

    def test_an_error_of_a_subscriber_is_passed_on(self, begin: Begin) -> None:
        watched = begin()
        error = ValueError("theirs")
        watched.do("report_error", error)
        assert watched.last_events == [SessionError(error)]


class TestReplies:
    def failed(self, watched: Watched) -> list[type]:
        return [type(event.error) for event in watched.last_events if isinstance(event, ReplyFailed)]

    def test_the_next_generation_answers(self, begin: Begin) -> None:
        watched = begin()
        watched.do("generate_reply", None, 5.0, 1.0)
        watched.do("receive", say.sound(), 1.5)
        assert watched.last_events[:2] == [
            GenerationCreated("s-gen-1", user_initiated=True),
            ReplyStarted(1, "s-gen-1"),
        ]
        assert watched.session.next_deadline() is None
        watched.do("receive", say.GENERATION_COMPLETE, 1.6)
        watched.do("receive", say.sound(), 1.7)
        assert watched.last_events[0] == GenerationCreated("s-gen-2", user_initiated=False)

    def test_a_newer_one_supersedes(self, begin: Begin) -> None:
        watched = begin()
        watched.do("generate_reply", None, 5.0, 1.0)
        watched.do("generate_reply", None, 5.0, 2.0)
        assert self.failed(watched) == [ReplySuperseded]
        assert watched.session.next_deadline() == 7.0

    def test_it_times_out(self, begin: Begin) -> None:
        watched = begin()
        watched.do("generate_reply", None, 0.5, 1.0)
        watched.do("handle_timeout", 1.4)
        assert self.failed(watched) == []
        watched.do("handle_timeout", 1.5)
        assert self.failed(watched) == [ReplyTimeout]

    def test_the_end_aborts_it(self, begin: Begin) -> None:
        watched = begin()
        watched.do("generate_reply", None, 5.0, 1.0)
        watched.do("link_lost", LinkLost("gone", code=1006), 1.1)
        assert self.failed(watched) == [ReplyAborted]


class TestService:
    @pytest.mark.parametrize(("left", "seconds"), [("300s", 300.0), ("9.5s", 9.5), ("", None)])
    def test_go_away_is_a_notice(self, begin: Begin, left: str, seconds: float | None) -> None:
        """Q-go-away, Q-early-go-away."""
        watched = begin()
        watched.do("receive", say.go_away(left), 1.0)
        assert watched.last_events == [GoAway(seconds)]
        assert watched.session.link is Link.DRAINING
        assert watched.session.is_live
        watched.do("receive", say.go_away(left), 1.1)
        watched.do("send_text", "still here", 1.2)
        assert len(watched.last_frames) == 1

    def test_handles(self, begin: Begin) -> None:
        """Q-early-handle, Q-not-resumable: only the newest that can be used is kept."""
        watched = begin()
        for message in (
            say.handle("one"),
            say.handle("two"),
            say.handle(None, resumable=False),
            say.handle("x", resumable=None),
        ):
            watched.do("receive", message, 1.0)
        assert watched.session.handle == "two"
        assert [e.resumable for e in watched.all_events if isinstance(e, ResumptionUpdate)] == [
            True,
            True,
            False,
            False,
        ]
        assert "two" not in repr(watched.all_events)

    def test_an_error_frame_does_not_end_the_session(self, begin: Begin) -> None:
        watched = begin()
        for frame, code, said in (
            ('{"error": {"message": "%s", "code": 3}}' % ("m" * 9999), 3, "mmm"),
            (
                '{"error": {"code": "13", "status": "INTERNAL", "details": [{"@type": "t"}, 1]}}',
                13,
                "INTERNAL",
            ),
            ('{"code": 8, "message": "full"}', 8, "full"),
            ('{"error": {"message": null}}', None, "no reason given"),
            ('{"error": {}}', None, "no reason given"),
        ):
            [message] = ServerDecoder().decode(frame)
            watched.do("receive", message, 1.0)
            [event] = watched.last_events
            assert isinstance(event, SessionError)
            assert isinstance(event.error, ProtocolError)
            assert event.error.code == code
            assert said in str(event.error)
            assert len(str(event.error)) < 600
        assert watched.session.is_live


class TestGate:
    def asked(self, begin: Begin, policy: str) -> Watched:
        watched = begin(tools=(BLOCKING,), mic_while_blocking=policy, chunk_ms=10)
        watched.do("receive", say.calls(("1", "block")), 1.0)
        return watched

    def test_buffered_sound_follows_the_result_in_order(self, begin: Begin) -> None:
        """Q-sound-while-blocked: nothing is sent meanwhile, marks keep their place."""
        watched = self.asked(begin, "buffer")
        watched.push(320, 16_000, 1.1)
        watched.commit(1.2)
        watched.push(160, 16_000, 1.3)
        assert [f for f in watched.all_frames if f.audio_ms] == []
        watched.do("tool_result", "1", {"output": 1}, 1.4)
        kinds = [next(iter(frame.get("realtimeInput", frame))) for frame in frames(watched)]
        assert kinds == ["toolResponse", "audio", "audio", "audioStreamEnd", "audio"]

    def test_at_most_ten_seconds_are_kept(self, begin: Begin) -> None:
        watched = self.asked(begin, "buffer")
        for second in range(12):
            watched.push(16_000, 16_000, 1.0 + second)
        watched.do("tool_result", "1", {}, 20.0)
        assert sum(frame.audio_ms for frame in watched.last_frames) == 10_000
        assert watched.session.counters["uplink_dropped_ms"] == 2000

    def test_a_cancellation_opens_it_too(self, begin: Begin) -> None:
        watched = self.asked(begin, "buffer")
        watched.push(160, 16_000, 1.1)
        watched.do("receive", say.cancel("1"), 1.2)
        assert len(watched.last_frames) == 1

    def test_dropped_sound_is_counted(self, begin: Begin) -> None:
        watched = self.asked(begin, "drop")
        watched.push(320, 16_000, 1.1)
        watched.do("tool_result", "1", {}, 1.4)
        assert [f for f in watched.last_frames if f.audio_ms] == []
        assert watched.session.counters["uplink_dropped_ms"] == 20

    def test_sent_at_once(self, begin: Begin) -> None:
        watched = self.asked(begin, "send")
        watched.push(320, 16_000, 1.1)
        assert len(watched.last_frames) == 2

    def test_what_is_left_at_the_end_is_counted(self, begin: Begin) -> None:
        watched = begin(until=Link.SETUP, chunk_ms=10)
        watched.push(240, 16_000, 0.1)
        watched.do("close", 0.2)
        assert watched.session.counters["uplink_dropped_ms"] == 15


class TestInterest:
    @pytest.mark.parametrize("kind", sorted(BULK, key=str))
    def test_what_nobody_wants_is_not_built_and_the_rest_is_the_same(self, begin: Begin, kind: type) -> None:
        def talk(interest: frozenset[type]) -> Watched:
            watched = begin()
            watched.do("set_interest", interest)
            for message in (
                say.heard(" hi"),
                say.thought("t"),
                say.said(" yes"),
                say.sound(30),
                say.text("x"),
                say.INTERRUPTED,
                say.TURN_COMPLETE,
            ):
                watched.do("receive", message, 1.0)
            return watched

        everything, less = talk(BULK), talk(BULK - {kind})
        assert less.all_events == [event for event in everything.all_events if type(event) is not kind]
        assert less.session.chat_ctx == everything.session.chat_ctx
        assert less.session.counters == everything.session.counters

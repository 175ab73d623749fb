"""A tape replays to what was recorded, whatever was; and a replay that differs is found out."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tape.sessions import Recorded, call, content, handle, journal, plan, sound, strict, talk

from duologue.config import ChatMessage
from duologue.core.outlet import BULK
from duologue.errors import ConfigError, DuologueError, LinkLost, TapeError, ToolError
from duologue.events import AudioOutput, SessionEnded
from duologue.tape import TapeRecorder
from duologue.tape.frames import join_frame, split_frame
from duologue.tape.reader import Tape
from duologue.tape.replay import replay
from duologue.tape.values import TapedError, error_of, error_value
from duologue.wire.content import Content, Part
from duologue.wire.profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import Callable


async def test_a_replay_tells_the_same_events_and_frames(tmp_path: Path) -> None:
    session = await talk(tmp_path / "t")
    result = strict(tmp_path / "t")
    assert result.difference is None
    assert result.whole
    assert (result.events, result.frames) == (len(session.events), len(session.frames))


async def test_a_fast_replay_gives_the_events_themselves(tmp_path: Path) -> None:
    session = await talk(tmp_path / "t")
    with Tape(tmp_path / "t") as tape:
        once = [event for step in replay(tape) for event in step.events]
        again = [event for step in replay(tape) for event in step.events]
    assert list(map(repr, once)) == list(map(repr, again))
    assert [type(event).__name__ for event in once] == session.kinds()
    assert [e.pcm for e in once if isinstance(e, AudioOutput)] == [
        e.pcm for e in session.events if isinstance(e, AudioOutput)
    ]


async def test_events_nobody_wanted_are_told_when_everything_is_asked_for(tmp_path: Path) -> None:
    session = Recorded(TapeRecorder(tmp_path / "t"))
    session.core.set_interest(frozenset())
    session.begin()
    session.say(sound(bytes(960)))
    session.do("close")
    await session.recorder.aclose()
    with Tape(tmp_path / "t") as tape:
        taped = {type(event) for step in replay(tape) for event in step.events}
        every = {type(event) for step in replay(tape, everything=True) for event in step.events}
    assert every - taped == {AudioOutput}


# -- any journal ------------------------------------------------------------------------------

_texts = st.text(st.characters(codec="utf-8"), max_size=12)
_pcm = st.binary(max_size=3000).map(lambda data: data[: len(data) // 2 * 2])
_frames: st.SearchStrategy[tuple[str, tuple[bytes], dict[str, Any]]] = st.one_of(
    st.binary(max_size=2000).map(sound),
    _texts.map(lambda text: content(outputTranscription={"text": text})),
    _texts.map(lambda text: content(inputTranscription={"text": text, "finished": True})),
    _texts.map(lambda text: content(modelTurn={"parts": [{"text": text, "thought": True}]})),
    _texts.map(lambda text: {"unheardOf": {text: [text]}, **content()}),
    st.sampled_from(["a", "b", "c"]).map(call),
    st.sampled_from(["a", "b"]).map(lambda name: {"toolCallCancellation": {"ids": [name]}}),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20).map(
        lambda text: handle(f"handle/{text}")
    ),
    st.sampled_from(
        [
            content(generationComplete=True),
            content(turnComplete=True),
            content(interrupted=True),
            {"goAway": {"timeLeft": "10s"}},
            {"voiceActivity": {"type": "ACTIVITY_START", "audioOffset": "0.5s"}},
            {"usageMetadata": {"totalTokenCount": 5, "promptTokenCount": "5"}},
            {"error": {"code": 13, "message": "Internal"}},
        ]
    ),
).map(lambda message: ("receive_frame", (json.dumps(message, ensure_ascii=False).encode(),), {}))
_inputs = st.one_of(
    _frames,
    _frames,
    st.tuples(st.just("receive_frame"), st.tuples(st.binary(max_size=60)), st.just({})),
    st.tuples(st.just("push_audio"), st.tuples(_pcm, st.sampled_from([16_000, 8_000])), st.just({})),
    st.tuples(st.just("send_text"), st.tuples(_texts), st.just({})),
    st.builds(
        lambda text, done: ("send_content", ([ChatMessage("user", text)],), {"turn_complete": done}),
        _texts,
        st.booleans(),
    ),
    st.builds(
        lambda text: (
            "send_turns",
            ([Content(role="model", parts=[Part(text=text)])],),
            {"turn_complete": False},
        ),
        _texts,
    ),
    st.tuples(st.just("generate_reply"), st.tuples(st.none() | _texts, st.just(0.2)), st.just({})),
    st.builds(
        lambda name, value, more: ("tool_result", (name, {"output": value}), {"will_continue": more}),
        st.sampled_from(["a", "b", "nobody"]),
        st.none() | st.floats(allow_nan=False) | _texts,
        st.booleans(),
    ),
    st.sampled_from(
        [
            (name, (), {})
            for name in ("commit_audio", "interrupt", "handle_timeout", "start_activity", "end_activity")
        ]
    ),
)
_untimed = st.one_of(
    st.sampled_from(sorted(BULK, key=lambda kind: kind.__name__)).map(
        lambda kind: ("set_interest", (BULK - {kind},))
    ),
    st.just(("clear_audio", ())),
    st.tuples(st.just("report_playhead"), st.tuples(st.just("s-gen-1"), st.integers(0, 10_000))),
    _texts.map(lambda text: ("report_error", (ToolError(text),))),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.sampled_from(sorted(PROFILES)),
    st.lists(st.one_of(_inputs, _inputs, _inputs, _untimed), max_size=25),
    st.sampled_from(["close", "fail", "link_lost", None]),
)
def test_any_journal_is_read_back_and_replays(
    profile: str, steps: list[tuple[Any, ...]], ending: str | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t"
        recorder = TapeRecorder(path)
        session = Recorded(recorder, plan(profile))
        session.begin()
        fed = ["connect", "link_opened", "receive_frame"]
        for name, arguments, *keywords in steps:
            try:
                if keywords:
                    session.do(name, *arguments, **keywords[0])
                else:
                    getattr(session.core, name)(*arguments)
            except DuologueError:  # refused then, refused in the replay
                session.drain()
            fed.append(name)
        if ending is not None:
            session.do(ending, *([LinkLost("broke", code=1011, reason="why")] if ending != "close" else []))
            fed.append(ending)
        session.drain()
        recorder.close()
        with Tape(path) as tape:
            lines = [line for _, line in tape.lines()]
        assert [line.do or "receive_frame" for line in lines if line.do or line.got is not None] == fed
        result = strict(path)
        assert result.difference is None
        assert (result.events, result.frames) == (len(session.events), len(session.frames))


@settings(derandomize=True, deadline=None)
@given(
    st.lists(
        st.binary(max_size=40)
        | st.binary(min_size=1, max_size=40).map(lambda pcm: json.dumps(sound(pcm)).encode())
        | _texts.map(str.encode)
        | st.sampled_from(
            [b'"data":"audio/pcm"', b'"mimeType":"audio/pcm","data":"-_-_"', b'"data": "AA=="audio/pcm']
        )
    )
)
def test_any_frame_is_put_together_again(parts: list[bytes]) -> None:
    frame, kept = b"".join(parts), bytearray()

    def keep(pcm: bytes) -> int:
        kept.extend(pcm)
        return len(kept) - len(pcm)

    pieces = split_frame(frame, keep_sound=keep, clean=lambda text: text)
    assert join_frame(pieces, lambda at, length: bytes(kept[at : at + length])) == frame


def test_sound_in_either_alphabet_is_taken_out() -> None:
    for data in ("+/+/AAAA", "-_-_AAAA"):
        frame = f'{{"mimeType":"audio/pcm;rate=16000","data":"{data}"}}'.encode()
        pieces = split_frame(frame, keep_sound=lambda pcm: 7, clean=lambda text: text)
        assert len(pieces) == 3
        assert join_frame(pieces, lambda at, length: b"\xfb\xff\xbf\x00\x00\x00") == frame


# -- differences ------------------------------------------------------------------------------


def edit(path: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> int:
    """Change the first line that ``change`` returns something for; return its number."""
    lines = journal(path)
    number = next(
        n for n, line in enumerate(lines[1:], 2) if change(json.loads(json.dumps(line))) is not None
    )
    changed = change(lines[number - 1])
    text = [json.dumps(line) for line in lines]
    text[number - 1 : number] = [json.dumps(changed)] if changed else []
    path.write_text("\n".join(text) + "\n")
    return number


async def test_an_event_that_differs_is_found_with_its_line(tmp_path: Path) -> None:
    await talk(tmp_path / "t")

    def reworded(line: dict[str, Any]) -> dict[str, Any] | None:
        return (
            {**line, "with": {**line["with"], "text": "Ho."}} if line.get("event") == "Transcript" else None
        )

    number = edit(tmp_path / "t", reworded)
    difference = strict(tmp_path / "t").difference
    assert difference is not None
    assert difference.line == number
    assert "Ho." in (difference.taped or "")
    assert "Hello" in (difference.replayed or "")


async def test_sound_that_differs_by_one_bit_is_found(tmp_path: Path) -> None:
    await talk(tmp_path / "t")
    path = tmp_path / "t.down.pcm"
    pcm = bytearray(path.read_bytes())
    pcm[1000] ^= 1
    path.write_bytes(pcm)
    difference = strict(tmp_path / "t").difference
    assert difference is not None
    assert "AudioOutput" in (difference.taped or "")


async def test_a_frame_that_differs_is_found(tmp_path: Path) -> None:
    await talk(tmp_path / "t")
    edit(
        tmp_path / "t",
        lambda line: (
            {**line, "sent": line["sent"].replace("goodbye", "hello")}
            if "goodbye" in str(line.get("sent"))
            else None
        ),
    )
    difference = strict(tmp_path / "t").difference
    assert difference is not None
    assert "hello" in (difference.taped or "")


async def test_an_event_that_is_missing_on_the_tape_is_found(tmp_path: Path) -> None:
    await talk(tmp_path / "t")
    edit(tmp_path / "t", lambda line: {} if line.get("event") == "SessionEnded" else None)
    difference = strict(tmp_path / "t").difference
    assert difference is not None
    assert difference.taped is None
    assert SessionEnded.__name__ in (difference.replayed or "")


async def test_an_input_that_is_missing_on_the_tape_is_found(tmp_path: Path) -> None:
    await talk(tmp_path / "t")
    edit(tmp_path / "t", lambda line: {} if line.get("do") == "interrupt" else None)
    assert strict(tmp_path / "t").difference is not None


# -- errors on a tape -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        LinkLost("broke", code=1011, reason="why", retryable=False),
        ToolError("no"),
        ConfigError("c"),
        ValueError("v"),
    ],
)
def test_an_error_comes_back_as_it_was(error: Exception) -> None:
    value = error_value(error)
    again = error_of(json.loads(json.dumps(value)))
    assert type(again) is (type(error) if isinstance(error, DuologueError) else TapedError)
    assert str(again) == str(error)
    assert error_value(again) == value


def test_an_error_whose_words_fail_has_none() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert error_value(MuteError()) == {"type": "MuteError", "message": ""}


def test_a_value_that_is_no_error_is_refused() -> None:
    with pytest.raises(TapeError, match="an error is written as an object"):
        error_of("broke")

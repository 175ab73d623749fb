"""Recordings of the real service made into tapes, and files that are none."""

from __future__ import annotations

import base64
import json
import stat
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.tape.sessions import journal
from tests.tapes.judge import differences, expectation
from tests.tapes.purposes import Result, purposes_of
from tests.tapes.tape import links_in, recordings

from duologue.errors import AuthError, LinkLost, TapeError
from duologue.events import (
    Event,
    SessionEnded,
    ToolCall,
    ToolResult,
    Transcript,
)
from duologue.tape.importers import import_recording
from duologue.tape.reader import Tape
from duologue.tape.replay import replay
from duologue.wire.profiles import Backend, profile_for

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SETUP = {"setup": {"model": "models/gemini-2.5-flash-native-audio-latest"}}
every_recording = pytest.mark.parametrize("source", recordings(), ids=lambda path: path.stem)


def events_of(path: Path) -> list[Any]:
    with Tape(path) as tape:
        return [event for step in replay(tape) for event in step.events]


def interactions(source: Path) -> list[tuple[str, dict[str, Any]]]:
    document = yaml.safe_load(source.read_text())
    return [
        (each["direction"], each["data"]) for each in document["interactions"] if each["kind"] == "message"
    ]


def write(path: Path, *messages: tuple[str, Any], **more: Any) -> Path:
    entries = [{"kind": "message", "direction": way, "data": data} for way, data in messages]
    path.write_text(yaml.safe_dump({"version": 1, "interactions": entries, **more}))
    return path


def scrubbed(handles: Iterable[str | None]) -> list[str | None]:
    """Name handles as a tape does: by number, in the order in which they appeared."""
    names: dict[str, str] = {}
    return [each and names.setdefault(each, f"scrubbed-handle-{len(names) + 1}") for each in handles]


@every_recording
def test_every_frame_of_a_recording_is_on_its_tape(source: Path, tmp_path: Path) -> None:
    frames: list[tuple[str, Any]] = []
    for done in import_recording(source, tmp_path / "t"):
        with Tape(done.tape) as tape:
            lines = [(n, line) for n, line in tape.lines() if line.sent is not None or line.got is not None]
            of_this = [
                ("received" if line.sent is None else "sent", json.loads(tape.frame(n, line)))
                for n, line in lines
            ]
            assert tape.header.times == "made up"
            assert tape.ending == "imported"
        ways = [way for way, _ in of_this]
        assert (done.sent, done.received) == (ways.count("sent"), ways.count("received"))
        frames += of_this
    recorded = interactions(source)
    handles = [
        update["newHandle"]
        for _, data in recorded
        if (update := data.get("sessionResumptionUpdate"))
        if update.get("newHandle")
    ]
    for handle, name in zip(handles, scrubbed(handles), strict=True):
        recorded = json.loads(json.dumps(recorded).replace(json.dumps(handle), json.dumps(name)))
    assert frames == [tuple(each) for each in recorded]


@every_recording
def test_a_replay_tells_what_was_recorded_and_twice_the_same(source: Path, tmp_path: Path) -> None:
    """By the judge of the recordings, which shares nothing with what imports and replays."""
    tapes = [done.tape for done in import_recording(source, tmp_path / "t")]
    for tape, link in zip(tapes, links_in(source), strict=True):
        expected, events = expectation(link), events_of(tape)
        names = scrubbed(handle for handle, _ in expected.handles)
        expected.handles = [(name, usable) for name, (_, usable) in zip(names, expected.handles, strict=True)]
        assert differences(expected, events) == []
        assert list(map(repr, events)) == list(map(repr, events_of(tape)))
        answered = {p.call for message in link.sent for p in purposes_of(message) if isinstance(p, Result)}
        outcomes = {e.call_id: e.outcome for e in events if isinstance(e, ToolResult)}
        assert {outcomes[call] for call in answered & set(outcomes)} <= {"answered", "cancelled"}


@every_recording
def test_the_profile_is_the_models(source: Path, tmp_path: Path) -> None:
    for done in import_recording(source, tmp_path / "t"):
        backend: Backend = "vertex" if "publishers/" in done.model else "developer"
        assert done.profile == profile_for(done.model, backend).name


@every_recording
def test_a_tape_of_a_recording_is_for_the_owner_only(source: Path, tmp_path: Path) -> None:
    import_recording(source, tmp_path / "t")
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_sound_that_was_sent_lies_beside_the_tape(tmp_path: Path) -> None:
    pcm = bytes(range(250)) * 2
    data = base64.urlsafe_b64encode(pcm).decode()
    audio = {"realtime_input": {"audio": {"data": data, "mimeType": "audio/pcm;rate=8000"}}}
    import_recording(write(tmp_path / "r.yaml", ("sent", SETUP), ("sent", audio)), tmp_path / "t")
    assert (tmp_path / "t.up.pcm").read_bytes() == pcm
    assert data not in (tmp_path / "t").read_text()
    push = next(line for line in journal(tmp_path / "t") if line.get("do") == "push_audio")
    assert push["with"] == {"rate_hz": 8000}


def test_what_the_client_asked_for_is_derived_from_what_it_sent(tmp_path: Path) -> None:
    manual = {"realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}}
    sent: list[dict[str, Any]] = [
        {"setup": {**SETUP["setup"], **manual}},
        {"realtimeInput": {"activityStart": {}}},
        {"realtimeInput": {"activityEnd": {}}},
        {"realtimeInput": {"text": "typed"}},
        {"realtimeInput": {"audioStreamEnd": True}},
        {"clientContent": {"turns": [{"role": "user", "parts": [{"text": "said"}]}], "turnComplete": True}},
        {"nobody": "knows"},
        {"toolResponse": 5},
    ]
    messages: list[tuple[str, dict[str, Any]]] = [
        ("sent", sent[0]),
        ("received", {"setupComplete": {}}),
        *(("sent", each) for each in sent[1:]),
    ]
    import_recording(write(tmp_path / "r.yaml", *messages), tmp_path / "t")
    lines = journal(tmp_path / "t")
    assert [line["do"] for line in lines if "do" in line] == [
        *("connect", "link_opened", "start_activity", "end_activity", "send_text", "commit_audio"),
        *("send_turns", "close"),
    ]
    assert sum("sent" in line for line in lines) == len(sent)
    assert any("cannot be read" in line.get("note", "") for line in lines)
    kinds: list[type[Event]] = [type(event) for event in events_of(tmp_path / "t")]
    assert Transcript not in kinds


def write_with_close(path: Path, *entries: Any) -> Path:
    """Write messages, (way, data), and closes, (code, reason)."""
    interactions = [
        {"kind": "close", "code": entry[0], "reason": entry[1], "ok": False}
        if isinstance(entry[0], int)
        else {"kind": "message", "direction": entry[0], "data": entry[1]}
        for entry in entries
    ]
    document = json.loads(json.dumps({"version": 1, "interactions": interactions}))  # without aliases
    path.write_text(yaml.safe_dump(document))
    return path


READY: tuple[str, dict[str, Any]] = ("received", {"setupComplete": {}})


@pytest.mark.parametrize(
    ("entries", "code", "error"),
    [
        ([READY, (1011, "Internal error")], 1011, LinkLost),
        ([(1007, "API key not valid. Please pass a valid API key.")], 1007, AuthError),
        ([READY, (1000, "")], 1000, type(None)),
    ],
)
def test_a_recorded_close_ends_the_session_as_it_did(
    tmp_path: Path, entries: list[Any], code: int, error: type
) -> None:
    source = write_with_close(tmp_path / "r.yaml", ("sent", SETUP), *entries)
    import_recording(source, tmp_path / "t")
    ended = events_of(tmp_path / "t")[-1]
    assert isinstance(ended, SessionEnded)
    assert (ended.code, type(ended.error)) == (code, error)


def test_every_link_of_a_recording_becomes_a_tape(tmp_path: Path) -> None:
    again = {"setup": {**SETUP["setup"], "sessionResumption": {"handle": "a-handle-of-theirs"}}}
    source = write_with_close(
        tmp_path / "r.yaml", ("sent", SETUP), READY, (1011, "Internal"), ("sent", again), READY
    )
    done = import_recording(source, tmp_path / "call.tape")
    assert [each.tape.name for each in done] == ["call.tape", "call-2.tape"]
    assert [(each.sent, each.received) for each in done] == [(1, 1), (1, 1)]
    assert [events_of(each.tape)[-1].code for each in done] == [1011, 1000]
    assert [each.tape for each in import_recording(source, tmp_path / "call.tape")] == [
        each.tape for each in done
    ]


def test_calls_without_an_id_are_answered_in_their_order(tmp_path: Path) -> None:
    calls = [{"name": "f", "args": {"n": 1}}, {"id": "x", "name": "f"}, {"name": "g"}, {"name": "f"}]
    answers = [
        {"name": "g", "response": {"of": "g"}},
        {"name": "f", "response": {"of": "f1"}, "willContinue": True},
        {"name": "f", "response": {"of": "f1"}},
        {"name": "f", "id": "x", "response": {"of": "x"}},
        {"name": "f", "response": {"of": "f2"}},
        {"name": "f", "response": {"of": "nothing"}},
    ]
    source = write(
        tmp_path / "r.yaml",
        ("sent", SETUP),
        READY,
        ("received", {"toolCall": {"functionCalls": calls}}),
        ("sent", {"toolResponse": {"functionResponses": answers}}),
    )
    import_recording(source, tmp_path / "t")
    events = events_of(tmp_path / "t")
    asked = {event.call_id: event for event in events if isinstance(event, ToolCall)}
    results = [event for event in events if isinstance(event, ToolResult)]
    assert {event.outcome for event in results} == {"answered"}
    assert [asked[event.call_id].name for event in results] == ["g", "f", "f", "f"]
    assert [(event.result or {})["of"] for event in results] == ["g", "f1", "x", "f2"]


def test_sound_in_the_old_field_is_sound(tmp_path: Path) -> None:
    chunks = [
        {"mimeType": "audio/pcm;rate=16000", "data": "AQIDBA=="},
        {"mimeType": "image/jpeg", "data": "/9j/"},
    ]
    old = ("sent", {"realtimeInput": {"mediaChunks": chunks}})
    import_recording(write(tmp_path / "r.yaml", ("sent", SETUP), READY, old), tmp_path / "t")
    assert (tmp_path / "t.up.pcm").read_bytes() == bytes([1, 2, 3, 4])


def test_handles_are_scrubbed(tmp_path: Path) -> None:
    given = {"setup": {**SETUP["setup"], "sessionResumption": {"handle": "given-canary"}}}
    update = {"sessionResumptionUpdate": {"newHandle": "received-canary", "resumable": True}}
    source = write(
        tmp_path / "r.yaml", ("sent", given), ("received", update), ("sent", {"x": "given-canary"})
    )
    import_recording(source, tmp_path / "t")
    assert "canary" not in (tmp_path / "t").read_text()


def test_an_earlier_import_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    source = write(tmp_path / "r.yaml", ("sent", SETUP))
    import_recording(source, tmp_path / "t")
    import_recording(source, tmp_path / "t")
    before = source.read_bytes()
    with pytest.raises(TapeError, match="is there already"):
        import_recording(source, source)
    assert source.read_bytes() == before
    header = journal(tmp_path / "t")[0]
    (tmp_path / "t").write_text(json.dumps({**header, "times": "measured"}) + "\n")
    with pytest.raises(TapeError, match="is there already"):
        import_recording(source, tmp_path / "t")


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no recording that can be imported"),
        ("just words", "no recording that can be imported"),
        ("version: 2\ninteractions: []", "no recording that can be imported"),
        ("version: 1\ninteractions: {}", "no recording that can be imported"),
        ("version: 1\ninteractions: []", "begins with a setup message"),
        ('{"tape": 1}', "is a tape already"),
        ("a: [", "is no YAML"),
        ("!!python/object/apply:os.getcwd []", "is no YAML"),
        (BOMB, "aliases"),
        ("[" * 5000, "nested too deeply"),
        ("version: 1\ninteractions: [5]", "interaction 1: it is neither a message"),
        ("version: 1\ninteractions: [{kind: message, direction: up, data: {}}]", "interaction 1"),
        ("version: 1\ninteractions: [{kind: close, reason: no code}]", "nor a close with a code"),
        (
            "version: 1\ninteractions: [{kind: message, direction: sent, data: {setup: {}}}]",
            "names no model",
        ),
        (
            "version: 1\ninteractions: [{kind: message, direction: sent, data: {setup: {model: ' '}}}]",
            "its setup cannot be used",
        ),
    ],
)
def test_what_cannot_be_imported_is_told_so(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "r").write_text(text)
    with pytest.raises(TapeError, match=words):
        import_recording(tmp_path / "r", tmp_path / "t")
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_what_cannot_be_read_says_what_could(tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "r", tmp_path / "nothing", tmp_path):
        with pytest.raises(TapeError, match="Accepted: YAML as pydantic-ai records"):
            import_recording(path, tmp_path / "t")

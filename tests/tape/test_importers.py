"""Recordings of the real service made into tapes, and files that are none."""

from __future__ import annotations

import base64
import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.tape.sessions import TAPES, journal

from duologue.errors import TapeError
from duologue.events import (
    AudioOutput,
    Event,
    GenerationCompleted,
    SessionEnded,
    SessionReady,
    ToolCall,
    ToolResult,
    Transcript,
    TurnCompleted,
)
from duologue.tape.importers import import_recording
from duologue.tape.reader import Tape
from duologue.tape.replay import replay
from duologue.wire.profiles import Backend, profile_for

if TYPE_CHECKING:
    from pathlib import Path

RECORDINGS = sorted(TAPES.glob("*.yaml"))
SETUP = {"setup": {"model": "models/gemini-2.5-flash-native-audio-latest"}}
every_recording = pytest.mark.parametrize("source", RECORDINGS, ids=lambda path: path.stem)


def test_the_recordings_are_there() -> None:
    if not RECORDINGS and os.environ.get("CI") != "true":
        pytest.skip("no recordings in ../shared/tapes")
    assert len(RECORDINGS) >= 6


def events_of(path: Path) -> list[Any]:
    with Tape(path) as tape:
        return [event for step in replay(tape) for event in step.events]


def interactions(source: Path) -> list[tuple[str, dict[str, Any]]]:
    document = yaml.safe_load(source.read_text())
    return [(entry["direction"], entry["data"]) for entry in document["interactions"]]


def write(path: Path, *messages: tuple[str, Any], **more: Any) -> Path:
    entries = [{"kind": "message", "direction": way, "data": data} for way, data in messages]
    path.write_text(yaml.safe_dump({"version": 1, "interactions": entries, **more}))
    return path


@every_recording
def test_every_frame_of_a_recording_is_on_its_tape(source: Path, tmp_path: Path) -> None:
    done = import_recording(source, tmp_path / "t")
    recorded = interactions(source)
    with Tape(tmp_path / "t") as tape:
        frames = [
            ("sent" if line.sent is not None else "received", json.loads(tape.frame(number, line)))
            for number, line in tape.lines()
            if line.sent is not None or line.got is not None
        ]
        assert tape.header.times == "made up"
        assert tape.ending == "imported"
    without_handles = [
        (way, {**data, "sessionResumptionUpdate": {**update, "newHandle": "scrubbed-handle-1"}})
        if (update := data.get("sessionResumptionUpdate"))
        else (way, data)
        for way, data in recorded
    ]
    assert frames == without_handles
    assert (done.sent, done.received) == tuple(
        sum(way == kind for way, _ in recorded) for kind in ("sent", "received")
    )


@every_recording
def test_a_replay_tells_what_happened_twice_the_same(source: Path, tmp_path: Path) -> None:
    import_recording(source, tmp_path / "t")
    events = events_of(tmp_path / "t")
    assert list(map(repr, events)) == list(map(repr, events_of(tmp_path / "t")))
    assert isinstance(events[0], SessionReady)
    assert isinstance(events[-1], SessionEnded)
    received = [data for way, data in interactions(source) if way == "received"]
    calls = sum(len(data["toolCall"]["functionCalls"]) for data in received if "toolCall" in data)
    turns = sum(bool(data.get("serverContent", {}).get("turnComplete")) for data in received)
    assert sum(isinstance(event, ToolCall) for event in events) == calls
    assert [event.outcome for event in events if isinstance(event, ToolResult)] == ["answered"] * calls
    assert sum(isinstance(event, TurnCompleted) for event in events) == turns
    assert any(isinstance(event, AudioOutput) for event in events)
    assert all(e.status != "lost" for e in events if isinstance(e, GenerationCompleted))


@every_recording
def test_the_profile_is_the_models(source: Path, tmp_path: Path) -> None:
    done = import_recording(source, tmp_path / "t")
    backend: Backend = "vertex" if source.name.startswith("vertex") else "developer"
    assert done.profile == profile_for(done.model, backend).name
    assert done.profile != "unknown"


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
    messages = [
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
        ("version: 1\ninteractions: [5]", "interaction 1: it is no message"),
        ("version: 1\ninteractions: [{kind: message, direction: up, data: {}}]", "interaction 1"),
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

"""Tapes from strangers: cut off, edited, or made to do harm."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from tests.tape.sessions import journal, strict, talk

from duologue.errors import TapeError
from duologue.tape import format as tape_format
from duologue.tape import reader
from duologue.tape.reader import Tape
from duologue.tape.replay import replay, replay_strictly

if TYPE_CHECKING:
    from pathlib import Path


async def a_tape(folder: Path, *lines: dict[str, Any] | str, **header: Any) -> Path:
    """A tape with a good header and any lines after it."""
    path = folder / "t"
    await talk(path)
    good = journal(path)[0]
    text = [json.dumps({**good, **header}), *(x if isinstance(x, str) else json.dumps(x) for x in lines)]
    path.write_text("\n".join(text) + "\n")
    return path


def play(path: Path) -> int:
    with Tape(path) as tape:
        return sum(1 for _ in replay(tape))


async def test_a_tape_cut_off_anywhere_is_read_up_to_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "t"
    await talk(path)
    whole = path.read_bytes()
    header_bytes = whole.index(b"\n") + 1
    for cut in (*range(header_bytes, len(whole) - 1, 97), len(whole) - 2):
        path.write_bytes(whole[:cut])
        with Tape(path) as tape:
            read = [number for number, _ in tape.lines()]
            assert tape.ending is None
        assert len(read) in (whole[:cut].count(b"\n") - 1, whole[:cut].count(b"\n"))
        result = strict(path)
        assert (result.difference, result.whole) == (None, False)


async def test_a_last_line_without_its_end_counts_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "t"
    await talk(path)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert strict(path).whole


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"{}",
        b"RIFF\x00\x00WAVE",
        b"\xff\xfe\x00",
        b"version: 1\ninteractions: []\n",
        b'{"tape": "one"}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"null",
    ],
)
def test_what_is_no_tape_is_called_so(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "t").write_bytes(text)
    with pytest.raises(TapeError, match=r"is no tape: a tape begins with .*duologue tape import"):
        Tape(tmp_path / "t")


async def test_a_header_that_lacks_something_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "u").write_text('{"tape": 1}\n')
    with pytest.raises(TapeError, match="has a header that cannot be read"):
        Tape(tmp_path / "u")


async def test_a_later_version_is_named(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="of version 2; this duologue reads version 1"):
        Tape(await a_tape(tmp_path, tape=2))
    (tmp_path / "t").write_text('{"tape": 3, "all": "else is new"}\n')
    with pytest.raises(TapeError, match="of version 3"):
        Tape(tmp_path / "t")


async def test_fields_of_later_versions_are_left_out(tmp_path: Path) -> None:
    header = journal(await a_tape(tmp_path))[0]
    plan = {**header["plan"], "later": 1, "options": {**header["plan"]["options"], "later": 2}}
    path = tmp_path / "t"
    path.unlink()
    for other in tmp_path.iterdir():
        other.unlink()
    assert play(await a_tape(tmp_path, {"do": "clear_audio", "later": [1]}, plan=plan, later={})) == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ("\x00\x01", "cannot be read"),
        ('{"do": "close", "at": 1e999}', ""),
        ('{"do": "close", "at": "soon"}', "cannot be read"),
        ({}, "not exactly one of"),
        ({"do": "close", "event": "SessionEnded"}, "not exactly one of"),
        ({"do": "__init__", "with": {}}, "'__init__' is no input"),
        ({"do": "__class__"}, "is no input"),
        ({"do": "_end"}, "is no input"),
        ({"do": "events"}, "is no input"),
        ({"do": "send_text", "at": 1.0}, "cannot be replayed: TypeError"),
        ({"do": "send_text", "with": {"text": 5}}, "cannot be replayed"),
        ({"do": "close", "with": {"self": 5}, "at": 1.0}, "cannot be replayed"),
        ({"do": "set_interest", "with": {"kinds": ["object"]}}, "no event that can be left out"),
        ({"do": "set_interest", "with": {"kinds": 5}}, "cannot be read"),
        ({"do": "send_turns", "with": {"turns": [5], "turn_complete": True}}, "cannot be read"),
        ({"do": "fail", "with": {"error": "x"}, "at": 1.0}, "an error is written as an object"),
        ({"do": "push_audio", "with": {"rate_hz": 16000}, "at": 1.0}, "refers to no sound"),
        ({"do": "push_audio", "with": {"rate_hz": 16000}, "sound": [-1, 4]}, "4 bytes of sound at -1"),
        ({"do": "push_audio", "with": {"rate_hz": 16000}, "sound": [0, 2**40]}, "bytes of sound at 0"),
        ({"do": "push_audio", "with": {"rate_hz": 16000}, "sound": [2**70, 4]}, "its sound is missing"),
        ({"do": "push_audio", "with": {"rate_hz": 0}, "sound": [0, 4], "at": 1.0}, "cannot be replayed"),
        ({"got": [[0, 2**30]], "at": 1.0}, "bytes of sound"),
        ({"got": [[0]], "at": 1.0}, r"is \[offset, length\]"),
        ({"got": [{"file": "/etc/passwd"}], "at": 1.0}, "of no known kind"),
        ({"got": [{"b64": "%"}], "at": 1.0}, "no base64"),
    ],
)
async def test_a_line_that_is_none_is_named(tmp_path: Path, line: Any, words: str) -> None:
    path = await a_tape(tmp_path, line, {"do": "close", "at": 2.0})
    with pytest.raises(TapeError, match=f"line 2: .*{words}"):
        play(path)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({}, "its plan cannot be used"),
        ({"session_id": "s", "setup": [], "profile": {}, "options": {}}, "its setup is a list"),
        ({"session_id": "s", "setup": {}, "profile": {}, "options": {}}, "names no model"),
        ({"session_id": 5, "setup": {"model": "m"}, "profile": {}, "options": {}}, "no session_id"),
        (
            {"session_id": "s", "setup": {"model": "m"}, "profile": {}, "options": {"chunk_ms": 0}},
            "chunk_ms is 0",
        ),
    ],
)
async def test_a_plan_that_is_none_is_named(tmp_path: Path, plan: dict[str, Any], words: str) -> None:
    path = await a_tape(tmp_path, plan=plan)
    with pytest.raises(TapeError, match=f"line 1: .*{words}"):
        play(path)


async def test_nothing_in_a_tape_names_a_file(tmp_path: Path) -> None:
    """The sound lies where the tape lies: a name that leads elsewhere has no place in the format."""
    (tmp_path / "secret").write_bytes(bytes(64))
    line = {"do": "push_audio", "with": {"rate_hz": 16000}, "sound": [0, 4], "at": 1.0, "file": "secret"}
    path = await a_tape(tmp_path, line, audio="../secret", sound="secret")
    (tmp_path / "t.up.pcm").unlink()
    with pytest.raises(TapeError, match=r"t\.up\.pcm has no 4 bytes at 0"):
        play(path)


async def test_a_line_without_an_end_is_not_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tape_format.MAX_LINE_BYTES <= 2**27
    monkeypatch.setattr(reader, "MAX_LINE_BYTES", 100_000)
    path = await a_tape(tmp_path, {"note": "x" * 200_000})
    with pytest.raises(TapeError, match="line 2: it has more than 100000 bytes"):
        play(path)


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        with pytest.raises(TapeError, match="is no file"):
            Tape(path)
    for missing in (tmp_path / "nothing", "a\0b"):
        with pytest.raises(TapeError, match="cannot be opened"):
            Tape(missing)


async def test_an_import_cannot_be_compared(tmp_path: Path) -> None:
    with (
        Tape(await a_tape(tmp_path, times="made up")) as tape,
        pytest.raises(TapeError, match="times are made up"),
    ):
        replay_strictly(tape)

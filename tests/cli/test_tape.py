"""``duologue tape``, as one types it."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.tape.sessions import journal, talk
from tests.tape.test_importers import SETUP, write
from tests.tapes.tape import recordings

from duologue.cli.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def tape(*arguments: object) -> Done:
    """Run the command in this process: loading it anew for each line would take most of the time."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as left:
        main(["tape", *map(str, arguments)])
    assert isinstance(left.value.code, int)
    return Done(left.value.code, out.getvalue(), err.getvalue())


def told(*arguments: object) -> str:
    done = tape(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("source", recordings(), ids=lambda path: path.stem)
def test_a_recording_is_imported_shown_drawn_and_replayed(source: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "t.tape"
    assert "times are made up" in told("import", source, "-o", path)
    shown = told("show", path)
    assert "setup" in shown
    assert "end: imported" in shown
    assert told("timeline", path).strip() == str(tmp_path / "t.png")
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")
    replayed = told("replay", path)
    assert "SessionEnded" in replayed
    assert replayed == told("replay", path)
    strict = tape("replay", path, "--strict")
    assert strict.returncode == 2
    assert "times are made up" in strict.stderr


async def test_a_tape_of_ours_replays_strictly(tmp_path: Path) -> None:
    session = await talk(tmp_path / "t")
    counts = f"{len(session.events)} events and {len(session.frames)} frames came out the same"
    assert told("replay", "--strict", tmp_path / "t").strip() == counts
    result = json.loads(told("replay", "--strict", "--json", tmp_path / "t"))
    assert result["equal"] is True
    assert result["whole"] is True


async def test_a_difference_is_told_with_its_line_and_an_exit_code_of_its_own(tmp_path: Path) -> None:
    await talk(tmp_path / "t")
    text = (tmp_path / "t").read_text()
    (tmp_path / "t").write_text(text.replace('"text":"Hello"', '"text":"Hullo"'))
    done = tape("replay", "--strict", tmp_path / "t")
    assert done.returncode == 1
    line = next(n for n, each in enumerate(journal(tmp_path / "t"), 1) if "Hullo" in json.dumps(each))
    assert f"line {line} came out differently" in done.stdout
    assert "Hullo" in done.stdout
    assert '"Hello' in done.stdout


async def test_show_can_be_narrowed(tmp_path: Path) -> None:
    session = await talk(tmp_path / "t")
    rows = [json.loads(row) for row in told("show", "--json", tmp_path / "t").splitlines()]
    assert rows[0]["header"]["tape"] == 1
    assert [row["line"] for row in rows[1:]] == list(range(2, len(rows) + 1))

    def only(*options: str) -> list[dict[str, Any]]:
        return [json.loads(row) for row in told("show", "--json", tmp_path / "t", *options).splitlines()][1:]

    assert [row["event"] for row in only("--only", "event")] == session.kinds()
    assert not [row for row in only("--no-sound") if row.get("do") == "push_audio"]
    assert [row["do"] for row in only("--grep", "goodbye", "--only", "do")] == ["generate_reply"]
    assert {row["at_s"] for row in only("--from-s", "0.05", "--to-s", "0.1")} <= {
        n / 100 for n in range(5, 11)
    }


async def test_what_people_said_cannot_steer_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # or the words are cut off, wherever this runs without a terminal
    evil = {"serverContent": {"outputTranscription": {"text": "\x1b[2Jgone\u202e"}}}
    source = write(tmp_path / "r.yaml", ("sent", SETUP), ("received", evil))
    told("import", source, "-o", tmp_path / "t")
    for command in ("show", "replay"):
        out = told(command, tmp_path / "t")
        assert "gone" in out
        assert not set(out) & {"\x1b", "\u202e"}


async def test_a_tape_that_is_cut_off_is_shown_up_to_the_cut(tmp_path: Path) -> None:
    await talk(tmp_path / "t")
    whole = (tmp_path / "t").read_bytes()
    (tmp_path / "t").write_bytes(whole[: len(whole) // 2])
    done = tape("show", tmp_path / "t")
    assert done.returncode == 0
    assert "the tape is cut off here" in done.stderr
    assert "up to where the tape is cut off" in told("replay", "--strict", tmp_path / "t")


@pytest.mark.parametrize("command", ["show", "replay", "timeline"])
def test_what_is_no_tape_is_called_so(tmp_path: Path, command: str) -> None:
    (tmp_path / "t").write_text("version: 1\n")
    done = tape(command, tmp_path / "t")
    assert done.returncode == 2
    assert "is no tape" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "nothing-there"), "cannot be opened"),
        (("show",), "FILE"),
        (("import", "nothing-there", "-o", "t"), "cannot be read"),
        (("import", "nothing-there"), "--output"),
        (("show", "t", "--only", "sound"), "'sound' is no kind of line"),
        (("eject", "t"), "eject"),
    ],
)
def test_mistakes_are_named(arguments: tuple[str, ...], words: str) -> None:
    done = tape(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    await talk(tmp_path / "t", pcm=bytes(700 * 3000))
    shown = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m duologue tape show {tmp_path / 't'} | head -n 1"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert shown.stdout.count("\n") == 1
    assert shown.stderr == ""


async def test_a_picture_is_a_png_and_is_called_so(tmp_path: Path) -> None:
    await talk(tmp_path / "t")
    done = tape("timeline", tmp_path / "t", "-o", tmp_path / "x.jpg")
    assert done.returncode == 2
    assert "ends in .png" in done.stderr
    assert not (tmp_path / "x.jpg").exists()

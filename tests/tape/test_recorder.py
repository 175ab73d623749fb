"""What a recording leaves on disk, whatever happens to it."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.tape.sessions import Recorded, content, journal, plan, sound, strict, talk

from duologue.config import Recorder
from duologue.core.journal import INPUTS, make_session
from duologue.core.session import Session
from duologue.errors import TapeError
from duologue.tape import TapeRecorder, recorder_for
from duologue.tape.reader import Tape

PCM = bytes(range(256)) * 40


async def test_every_input_of_the_core_is_in_the_journal(tmp_path: Path) -> None:
    """A command that a later version adds is journalled by itself, or its replay would differ."""
    public = {name for name in dir(Session) if not name.startswith("_") and callable(getattr(Session, name))}
    assert public - set(INPUTS) == {"events", "to_send", "next_deadline"}
    session = Recorded(TapeRecorder(tmp_path / "t"))
    for name in INPUTS:
        assert type(session.core).__dict__[name] is not Session.__dict__[name]
    await session.recorder.aclose()


def test_a_session_that_nobody_records_is_a_plain_one() -> None:
    assert type(make_session(plan())) is Session


async def test_a_recording_holds_what_went_in_and_what_came_out(tmp_path: Path) -> None:
    session = await talk(tmp_path / "t.tape")
    lines = journal(tmp_path / "t.tape")
    assert lines[0]["tape"] == 1
    assert (lines[0]["model"], lines[0]["profile"]) == ("models/gemini-3.8-live", "3.8")
    assert [line["event"] for line in lines if "event" in line] == session.kinds()
    assert sum("sent" in line for line in lines) == len(session.frames)
    assert lines[-1] == {"end": "closed"}


async def test_sound_lies_beside_the_journal_as_plain_pcm(tmp_path: Path) -> None:
    await talk(tmp_path / "t.tape")
    assert (tmp_path / "t.tape.up.pcm").read_bytes() == PCM + PCM
    assert (tmp_path / "t.tape.down.pcm").read_bytes() == PCM + PCM[:480]
    assert (tmp_path / "t.tape").stat().st_size < 20_000


async def test_frames_come_back_byte_by_byte(tmp_path: Path) -> None:
    session = await talk(tmp_path / "t.tape")
    with Tape(tmp_path / "t.tape") as tape:
        sent = [tape.frame(number, line) for number, line in tape.lines() if line.sent is not None]
    assert sent == session.frames


@pytest.mark.parametrize("suffix", ["", ".up.pcm", ".down.pcm"])
async def test_files_are_for_the_owner_only_from_the_start(tmp_path: Path, suffix: str) -> None:
    mask = os.umask(0)
    try:
        session = Recorded(TapeRecorder(tmp_path / "t"))
    finally:
        os.umask(mask)
    path = tmp_path / f"t{suffix}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    session.do("push_audio", PCM, 16_000)
    await session.recorder.aclose()


@pytest.mark.parametrize("suffix", ["", ".up.pcm", ".down.pcm"])
def test_nothing_is_written_over(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"t{suffix}").write_text("somebody's")
    with pytest.raises(TapeError, match="is there already"):
        Recorded(TapeRecorder(tmp_path / "t"))
    assert [path.name for path in tmp_path.iterdir()] == [f"t{suffix}"]
    assert (tmp_path / f"t{suffix}").read_text() == "somebody's"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "t").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TapeError, match="is there already"):
        Recorded(TapeRecorder(tmp_path / "t"))
    assert not (tmp_path / "elsewhere").exists()


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match=r"x\\x00y.* cannot be created"):
        Recorded(TapeRecorder(tmp_path / "x\0y"))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TapeError, match="cannot be made a folder"):
        Recorded(TapeRecorder(tmp_path / "file" / "t"))


async def test_a_recorder_is_for_one_session(tmp_path: Path) -> None:
    recorder = TapeRecorder(tmp_path / "t")
    session = Recorded(recorder)
    with pytest.raises(TapeError, match="a recorder of its own"):
        Recorded(recorder)
    await session.recorder.aclose()


def test_what_can_be_given_as_record(tmp_path: Path) -> None:
    recorder = recorder_for(str(tmp_path / "t"))
    assert isinstance(recorder, TapeRecorder)
    assert isinstance(recorder, Recorder)
    assert recorder_for(recorder) is recorder
    assert recorder_for(None) is None
    wrong: Any
    for wrong in ("", 5, b"t"):
        with pytest.raises(TapeError, match="give the path of a tape"):
            recorder_for(wrong)


async def test_closing_twice_and_going_on_afterwards_is_harmless(tmp_path: Path) -> None:
    session = await talk(tmp_path / "t")
    await session.recorder.aclose()
    before = (tmp_path / "t").read_bytes()
    session.core.report_playhead("s-gen-1", 1)
    assert (tmp_path / "t").read_bytes() == before
    assert not [thread for thread in threading.enumerate() if thread.name == "duologue-tape"]


async def test_files_without_sound_are_not_left_behind(tmp_path: Path) -> None:
    session = Recorded(TapeRecorder(tmp_path / "t"))
    session.begin()
    session.do("close")
    await session.recorder.aclose()
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


async def test_what_the_application_changes_afterwards_is_not_on_the_tape(tmp_path: Path) -> None:
    session = Recorded(TapeRecorder(tmp_path / "t"))
    session.begin()
    session.say({"toolCall": {"functionCalls": [{"id": "c", "name": "look_up", "args": {"city": "Bath"}}]}})
    session.events[-1 if session.kinds()[-1] == "ToolCall" else -2].arguments["city"] = "changed"
    response = {"output": "fog"}
    session.do("tool_result", "c", response)
    response["output"] = "changed"
    session.do("close")
    await session.recorder.aclose()
    assert "changed" not in (tmp_path / "t").read_text()
    assert strict(tmp_path / "t").difference is None


async def test_an_argument_that_is_no_json_is_noted_and_refused(tmp_path: Path) -> None:
    session = Recorded(TapeRecorder(tmp_path / "t"))
    session.begin()
    session.say({"toolCall": {"functionCalls": [{"id": "c", "name": "look_up", "args": {}}]}})
    with pytest.raises(ValueError, match="JSON"):
        session.do("tool_result", "c", {"output": object()})
    session.do("tool_result", "c", {"output": "fog"})
    session.do("close")
    await session.recorder.aclose()
    assert [line["note"] for line in journal(tmp_path / "t") if "note" in line] == [
        "tool_result: not JSON: TypeError"
    ]
    assert strict(tmp_path / "t").difference is None


async def test_sound_of_any_buffer_is_kept(tmp_path: Path) -> None:
    session = Recorded(TapeRecorder(tmp_path / "t"))
    session.begin()
    changing = bytearray(PCM)
    session.do("push_audio", memoryview(changing), 16_000)
    changing[:] = bytes(len(changing))
    session.do("close")
    await session.recorder.aclose()
    assert (tmp_path / "t.up.pcm").read_bytes() == PCM


async def test_a_slow_disk_ends_the_recording_and_not_the_session(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = TapeRecorder(tmp_path / "t")
    session = Recorded(recorder)
    session.begin()
    megabyte = bytes(1024 * 1024)
    for _ in range(70):  # within one interval of the writer: as good as a disk that takes nothing
        session.core.push_audio(megabyte, 16_000, session.now)
        session.core.to_send()
    assert recorder.failure == "the disk is slower than the session"
    assert session.core.is_live
    session.do("send_text", "still here")
    await recorder.aclose()
    assert "the session goes on" in caplog.text
    with Tape(tmp_path / "t") as tape:
        assert [line.do for _, line in tape.lines() if line.do][:2] == ["connect", "link_opened"]
        assert tape.ending is None


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )


def test_a_full_disk_ends_the_recording_and_not_the_session(tmp_path: Path) -> None:
    done = run(
        """
        import resource, signal, sys, time
        from pathlib import Path
        from tests.tape.sessions import Recorded
        from duologue.tape import TapeRecorder
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        recorder = TapeRecorder(Path(sys.argv[1]))
        session = Recorded(recorder)
        session.begin()
        time.sleep(0.6)
        for _ in range(20):
            session.do("push_audio", bytes(9600), 16_000)
        recorder.close()
        session.do("send_text", "still here")
        print(recorder.failure)
        """,
        str(tmp_path / "t"),
    )
    assert done.stdout.strip() == "File too large", done.stderr
    with Tape(tmp_path / "t") as tape:
        assert [line.do for _, line in tape.lines()][:1] == ["connect"]
        assert tape.ending is None


def test_a_killed_process_leaves_a_tape_that_can_be_read(tmp_path: Path) -> None:
    done = run(
        """
        import os, signal, sys, time
        from pathlib import Path
        from tests.tape.sessions import Recorded, sound
        from duologue.tape import TapeRecorder
        session = Recorded(TapeRecorder(Path(sys.argv[1])))
        session.begin()
        for _ in range(20):
            session.do("push_audio", bytes(640), 16_000)
            session.say(sound(bytes(960)))
        time.sleep(0.6)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        str(tmp_path / "t"),
    )
    assert done.returncode == -9
    result = strict(tmp_path / "t")
    assert (result.difference, result.whole) == (None, False)
    assert result.events >= 20


def test_a_process_that_forgets_to_close_leaves_a_whole_tape(tmp_path: Path) -> None:
    done = run(
        """
        import sys
        from pathlib import Path
        from tests.tape.sessions import Recorded
        from duologue.tape import TapeRecorder
        session = Recorded(TapeRecorder(Path(sys.argv[1])))
        session.begin()
        """,
        str(tmp_path / "t"),
    )
    assert done.returncode == 0, done.stderr
    assert journal(tmp_path / "t")[-1] == {"end": "closed"}


async def test_the_loop_goes_on_while_the_rest_is_written(tmp_path: Path) -> None:
    session = Recorded(TapeRecorder(tmp_path / "t"))
    session.begin()
    for _ in range(200):
        session.say(sound(PCM))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.001)

    counting = asyncio.create_task(count())
    await session.recorder.aclose()
    counting.cancel()
    assert turns >= 1
    session.say(content(turnComplete=True))

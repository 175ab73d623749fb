"""``duologue talk --record`` as a process, ended in good order and by Ctrl-C; then ``duologue tape``."""

from __future__ import annotations

import json
import signal
import stat
from typing import TYPE_CHECKING

import pytest
from tests.cli.test_tape import tape, told
from tests.contract.published import complaint
from tests.e2e.test_talk import LONG, Talk

from duologue.tape.reader import Tape

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

LOCAL = ("--local", "--emulator-voice", "tone")


def test_a_call_is_recorded_and_replays(tmp_path: Path) -> None:
    path = tmp_path / "call.tape"
    talk = Talk(tmp_path / "out", *LOCAL, "--text", "What is the weather in London?", "--record", path)
    summary = talk.lines_until("summary")
    assert talk.end() == (0, "")
    assert str(path) in summary["files"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    result = json.loads(told("replay", "--strict", "--json", path))
    assert (result["equal"], result["whole"]) == (True, True)
    assert "get_weather" in told("show", "--only", "event", path)
    told("timeline", path)


@pytest.mark.parametrize("profile", ["2.5-native", "3.8"])
def test_what_a_program_says_and_hears_is_read_by_the_published_contract(
    tmp_path: Path, profile: str
) -> None:
    """The contract's observer sees this process only; what other processes say is on their tapes."""
    path = tmp_path / "call.tape"
    words = ("--profile", profile, "--text", "What is the weather in London?")
    assert Talk(tmp_path / "out", *LOCAL, *words, "--record", path).end() == (0, "")
    judged = {"sent": 0, "got": 0}
    with Tape(path) as opened:
        for number, line in opened.lines():
            if line.sent is not None or line.got is not None:
                said = complaint(opened.frame(number, line), "client" if line.sent is not None else "server")
                assert said is None
                judged[line.kinds[0]] += 1
    assert min(judged.values()) > 2


def test_a_call_ended_by_ctrl_c_leaves_a_whole_tape(tmp_path: Path) -> None:
    path = tmp_path / "call.tape"
    talk = Talk(tmp_path / "out", *LOCAL, *LONG, "--record", path)
    talk.lines_until("GenerationCreated")
    talk.process.send_signal(signal.SIGINT)
    code, _ = talk.end()
    assert code == 130
    assert json.loads(told("replay", "--strict", "--json", path))["whole"] is True


def test_a_tape_that_is_there_is_refused_before_the_call(tmp_path: Path) -> None:
    path = tmp_path / "call.tape"
    path.write_text("mine")
    code, errors = Talk(tmp_path / "out", *LOCAL, *LONG, "--record", path).end()
    assert (code, path.read_text()) == (2, "mine")
    assert "never written over" in errors
    assert tape("show", path).returncode == 2

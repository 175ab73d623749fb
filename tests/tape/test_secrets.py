"""Canaries: whatever way a key, a token or a handle goes, it is on no tape."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tape.sessions import Recorded, call, content, handle, journal, plan, strict

from duologue.errors import LinkLost
from duologue.tape import TapeRecorder
from duologue.tape.secrets import Scrubber

if TYPE_CHECKING:
    from pathlib import Path

KEY = "AIzaSyD-canary-canary-canary-canary-12"
PLAIN_KEY = "a key of no known pattern"
TOKEN = "auth_tokens/canary0123456789abcdef"
ACCESS = "ya29.canary-access-token"
GIVEN = "given-handle-canary"
RECEIVED = "received/handle=canary"
OTHER = "0000-other-handle-canary"
CANARIES = (KEY, PLAIN_KEY, TOKEN, ACCESS, GIVEN, RECEIVED, OTHER, "canary")


async def record(path: Path, *, garbled: bool = True) -> Recorded:
    """Every way a secret may take: frames both ways, commands, errors, events."""
    session = Recorded(TapeRecorder(path), plan(handle=GIVEN), (KEY,))
    session.recorder.hide(f"Bearer {PLAIN_KEY}")
    session.begin()
    session.say(handle(RECEIVED), handle(OTHER), handle(RECEIVED))
    session.do("receive_frame", f'{{"session_resumption_update": {{"new_handle": "{OTHER}"}}}}'.encode())
    escaped = "".join(f"\\u{ord(c):04x}" for c in RECEIVED)
    session.do(
        "receive_frame",
        f'{{"sessionResumptionUpdate":{{"newHandle":"{escaped}","resumable":true}}}}'.encode(),
    )
    session.do("receive_frame", f'{{"error": {{"message": "token {TOKEN} and {RECEIVED}"}}}}'.encode())
    session.do("receive_frame", b'{"error": {"message": "' + TOKEN.replace("/", "\\/").encode() + b'"}}')
    if garbled:
        session.do("receive_frame", f"{{ no json at all {KEY} {GIVEN}".encode())
        session.do("receive_frame", b"\xff\xfe no text " + OTHER.encode())
    session.say(content(outputTranscription={"text": f"Your key is {KEY} and {PLAIN_KEY}."}))
    session.say(call("c1", handle=RECEIVED, token=ACCESS))
    session.do("tool_result", "c1", {"output": f"{GIVEN} {ACCESS}"})
    session.do("send_text", f"My handle is {RECEIVED}, my key {KEY}")
    session.do(
        "send_raw", {"clientContent": {"turns": [{"role": "user", "parts": [{"text": f"{TOKEN} {KEY}"}]}]}}
    )
    session.core.report_error(RuntimeError(f"could not reach it with {PLAIN_KEY} and {OTHER}"))
    session.do("link_lost", LinkLost(f"closed: {RECEIVED}", code=1008, reason=RECEIVED))
    await session.recorder.aclose()
    return session


def test_a_secret_is_known_in_a_url_too() -> None:
    scrubber = Scrubber([PLAIN_KEY])
    scrubber.learn(RECEIVED)
    said = f"GET /ws?key={quote(PLAIN_KEY)}&handle={quote(RECEIVED, safe='')} failed"
    assert scrubber.text(said) == "GET /ws?key=[secret]&handle=scrubbed-handle-1 failed"


async def test_no_secret_is_on_a_tape(tmp_path: Path) -> None:
    session = await record(tmp_path / "t")
    assert any(RECEIVED in str(frame) for frame in session.frames), "the canaries did go this way"
    written = b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir()))
    unescaped = json.dumps(journal(tmp_path / "t"), ensure_ascii=False)
    for canary in CANARIES:
        assert canary.encode() not in written
        assert canary not in unescaped


async def test_keys_of_others_tools_are_not_on_a_tape(tmp_path: Path) -> None:
    given = plan("vertex-native")
    keyed = replace(given, setup={**given.setup, "tools": [{"parallelAiSearch": {"apiKey": PLAIN_KEY}}]})
    session = Recorded(TapeRecorder(tmp_path / "t"), keyed)
    session.begin()
    await session.recorder.aclose()
    assert any(PLAIN_KEY.encode() in frame for frame in session.frames), "the service was given it"
    assert PLAIN_KEY not in (tmp_path / "t").read_text(encoding="utf-8")


async def test_a_handle_keeps_its_name(tmp_path: Path) -> None:
    """So a replay resumes, quotes and compares the same handle where the session did."""
    await record(tmp_path / "t")
    lines = journal(tmp_path / "t")
    assert lines[0]["plan"]["setup"]["sessionResumption"] == {"handle": "scrubbed-handle-1"}
    told = [line["with"]["handle"] for line in lines if line.get("event") == "ResumptionUpdate"]
    second, third = "scrubbed-handle-2", "scrubbed-handle-3"
    assert told == [second, third, second, third, second]


async def test_the_replay_of_a_scrubbed_tape_is_the_same(tmp_path: Path) -> None:
    """But for frames that are no JSON: the error tells their length, which the scrubbing changes."""
    session = await record(tmp_path / "t", garbled=False)
    result = strict(tmp_path / "t")
    assert result.difference is None
    assert (result.events, result.frames) == (len(session.events), len(session.frames))


@pytest.mark.parametrize("text", ["short", ""])
def test_a_word_too_short_for_a_handle_is_left_alone(text: str) -> None:
    scrubber = Scrubber()
    scrubber.learn(text)
    assert scrubber.text(f"a {text} b") == f"a {text} b"


@settings(derandomize=True, deadline=None)
@given(st.text(min_size=6, max_size=30), st.booleans())
def test_any_handle_is_found_however_json_writes_it(value: str, ascii_only: bool) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return
    frame = json.dumps({"sessionResumptionUpdate": {"newHandle": value}}, ensure_ascii=ascii_only)
    scrubber = Scrubber()
    scrubbed = json.loads(scrubber.frame(frame))
    assert scrubbed["sessionResumptionUpdate"]["newHandle"] == "scrubbed-handle-1"
    assert scrubber.text(json.dumps({"again": value}, ensure_ascii=False)) == '{"again": "scrubbed-handle-1"}'


async def test_half_a_surrogate_pair_beside_an_escaped_secret_does_not_end_the_recording(
    tmp_path: Path,
) -> None:
    session = Recorded(TapeRecorder(tmp_path / "t"), plan(), (PLAIN_KEY,))
    session.begin()
    escaped = PLAIN_KEY.replace(" ", "\\u0020")
    words = f'{{"serverContent":{{"outputTranscription":{{"text":"{escaped} \\ud800"}}}}}}'
    session.do("receive_frame", words.encode())
    session.say(content(turnComplete=True))
    session.do("close")
    await session.recorder.aclose()
    assert "[secret] \\\\ud800" in (tmp_path / "t").read_text()
    assert journal(tmp_path / "t")[-1] == {"end": "closed"}

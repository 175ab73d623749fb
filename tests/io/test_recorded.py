"""What a recorder learns when a link is opened, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.tape.sessions import Recorded, plan

from duologue.config import SessionOptions
from duologue.io.memory import MemoryTransport
from duologue.io.recorded import RecordedTransport
from duologue.tape import TapeRecorder
from duologue.wire.endpoint import Endpoint

if TYPE_CHECKING:
    from pathlib import Path


async def test_secrets_of_the_link_are_known_before_it_is_open(tmp_path: Path) -> None:
    headers = {
        "authorization": "Bearer canary-token",
        "X-Own": "canary-own",
        "x-goog-user-project": "my-project",
    }
    session = Recorded(TapeRecorder(tmp_path / "t"), plan())
    session.begin()
    transport = RecordedTransport(MemoryTransport(lambda *_: None), session.recorder)
    await transport.connect(Endpoint("wss://host/", headers), SessionOptions())
    session.do("send_text", "canary-token, canary-own and Bearer canary-token of my-project")
    session.do("close")
    await session.recorder.aclose()
    text = (tmp_path / "t").read_text()
    assert "canary" not in text
    assert "[secret], [secret] and [secret] of my-project" in text

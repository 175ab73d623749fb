"""Our session judged by recorded traffic of the real service, over real sockets, by a judge of its own.

Recordings hold no timing and cut every received sound: they prove shapes, order, text, ids and counts, not
cadence. They lie where ``DUOLOGUE_TAPES`` says (default ``../shared/tapes``), are read there, and any that is
put beside them is judged as well.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.tapes.caller import play
from tests.tapes.conftest import remark
from tests.tapes.judge import differences, expectation
from tests.tapes.tape import FOLDER, links_in, recordings

from duologue.events import SessionEnded

if TYPE_CHECKING:
    from tests.tapes.tape import Link


def test_there_are_recordings() -> None:
    if not recordings() and os.environ.get("CI") != "true":
        pytest.skip(f"no recordings in {FOLDER}; DUOLOGUE_TAPES says where they are")
    assert recordings(), f"no recordings in {FOLDER}"
    assert any(links_in(path) for path in recordings()), "none of them holds a setup of a Gemini Live session"


async def test_a_session_tells_what_was_recorded(
    link: Link, library: str, request: pytest.FixtureRequest
) -> None:
    heard = await play(link, library)
    for note in heard.notes:
        remark(link, note)
        request.applymarker(pytest.mark.off_contract("what went out as it was recorded is not ours"))
    if heard.unknown_fields:
        remark(link, f"{heard.unknown_fields} fields that this version does not know")
    assert heard.uplink == []
    assert differences(expectation(link), heard.events) == []
    ended = heard.events[-1]
    assert isinstance(ended, SessionEnded)
    recorded = 1000 if link.close is None else link.close.code
    assert ended.code == (
        1006 if recorded == 1005 else recorded
    )  # a close frame without a code cannot be sent

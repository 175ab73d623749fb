"""A session that is ready, watched by the judge of the promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.core.invariants import Watched
from tests.core.messages import READY

from duologue.config import SessionOptions
from duologue.core.link import Link
from duologue.core.session import SessionPlan
from duologue.wire.profiles import PROFILES

Begin = Callable[..., Watched]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Make sessions; at the end of the test each is closed and must have kept every promise."""
    made: list[Watched] = []

    def make(
        profile: str = "2.5-native",
        *,
        until: Link = Link.READY,
        manual: bool = False,
        handle: str | None = None,
        tools: tuple[dict[str, Any], ...] = (),
        **options: Any,
    ) -> Watched:
        setup: dict[str, Any] = {"model": "models/m", "tools": [{"functionDeclarations": list(tools)}]}
        if handle is not None:
            setup["sessionResumption"] = {"handle": handle}
        plan = SessionPlan(
            session_id="s",
            setup=setup,
            profile=PROFILES[profile],
            options=SessionOptions(**options),
            manual_activity=manual,
        )
        watched = Watched(plan)
        made.append(watched)
        for reached, name, arguments in (
            (Link.CONNECTING, "connect", ()),
            (Link.SETUP, "link_opened", ()),
            (Link.READY, "receive", (READY,)),
        ):
            if watched.session.link is not until:
                watched.do(name, *arguments, 0.0)
                assert watched.session.link is reached
        return watched

    yield make
    for watched in made:
        watched.do("close", 1000.0)
        watched.replays()

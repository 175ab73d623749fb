"""google-genai's setup frame and ours from the same LiveConnectConfig, on both backends.

Theirs is what google-genai 3.4.0 really writes, ours what the session's core writes; both are read as JSON
by rules that know neither side, and what the published contract has of them by protobuf too. Where the two
differ on purpose stands in ``deviations``, each with its reason and an example that shows it; a difference
that is not there fails, and so does an entry that no longer shows.
"""

from __future__ import annotations

import base64
import copy
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from google.genai import types
from hypothesis import HealthCheck, Phase, given, settings
from tests.contract.published import message_class
from tests.differential.configs import SPECIAL, Case, cases
from tests.differential.deviations import DEVIATIONS, Deviation, Setup
from tests.differential.google import BACKENDS, access, canonical, client_of, sent_by

from duologue import RealtimeModel
from duologue.errors import ConfigError
from duologue.wire.profiles import Backend, profile_for

if TYPE_CHECKING:
    from collections.abc import Sequence


# Fields that no model of a backend takes: they are refused there, by both sides or by us.
NEVER_TAKEN: dict[Backend, set[str]] = {
    "developer": {"explicit_vad_signal"},
    "vertex": {"history_config", "translation_config"},
}


json_format: Any = pytest.importorskip(
    "google.protobuf.json_format", reason="the published contract, see requirements/dev.in"
)
pytestmark = pytest.mark.usefixtures("empty_environment")


def their_setup(case: Case, backend: Backend) -> Setup | str:
    """Their setup, or why they refuse."""
    try:
        frames = sent_by(client_of(backend), case.model(backend), case.config())
    except ValueError as error:  # pydantic's are some, too
        return f"refused: {error}"
    setup: Setup = canonical(frames[0]["setup"])
    return setup


def our_setup(case: Case, backend: Backend) -> Setup | str:
    """Ours as the core writes it, or why we refuse."""
    try:
        model = RealtimeModel(model=case.model(backend), config=case.config(), **access(backend))
        core = model.session()._core
    except ConfigError as error:
        return f"refused: {error}"
    core.connect(0.0)
    core.link_opened(0.0)
    [frame] = core.to_send()
    setup: Setup = json.loads(frame.data)["setup"]
    return setup


def meaning(setup: Setup) -> Setup:
    """Tools in no order, and in as many objects as you like: functions by name, then the rest."""
    tools = setup.get("tools", [])
    functions = [function for tool in tools for function in tool.get("functionDeclarations", ())]
    others = [{name: tool[name]} for tool in tools for name in tool if name != "functionDeclarations"]
    return {
        **{name: value for name, value in setup.items() if name != "tools"},
        "functions": sorted(functions, key=lambda function: str(function["name"])),
        "other tools": sorted(others, key=str),
    }


def published(setup: Setup) -> Any:
    """What the published contract has of a setup, as the message protobuf makes of it."""
    plain = json.loads(json.dumps(setup, default=_base64))
    tools = plain.get("tools", [])
    functions = sorted(
        (function for tool in tools for function in tool.pop("functionDeclarations", ())),
        key=lambda function: str(function["name"]),
    )
    plain["tools"] = [*sorted(filter(None, tools), key=str), {"functionDeclarations": functions}]
    return json_format.ParseDict({"setup": plain}, message_class("client")(), ignore_unknown_fields=True)


def _base64(value: object) -> str:
    assert isinstance(value, bytes)
    return base64.b64encode(value).decode()


def compare(case: Case, backend: Backend, deviations: Sequence[Deviation] = DEVIATIONS) -> bool:
    """Return whether a setup was sent; fail where the two differ and no deviation says why."""
    theirs, ours = their_setup(case, backend), our_setup(case, backend)
    profile = profile_for(case.model(backend), backend)
    if isinstance(ours, str) and isinstance(theirs, str):
        return False
    if isinstance(ours, str):
        assert not isinstance(theirs, str)
        assert any(deviation.we_refuse(theirs, profile) for deviation in deviations), ours
        return False
    if isinstance(theirs, str):
        assert any(re.search(deviation.they_refuse, theirs) for deviation in deviations), theirs
        return False
    theirs = copy.deepcopy(theirs)
    for deviation in deviations:
        deviation.amend(theirs, case)
    assert meaning(canonical(ours)) == meaning(theirs)
    assert published(canonical(ours)) == published(theirs)
    return True


def test_both_mean_the_same_by_200_configurations() -> None:
    """Fifty usual ones, and as many of each option that only some models take."""
    met: dict[Backend, Counter[str]] = {backend: Counter() for backend in BACKENDS}
    seen: Counter[Backend | str] = Counter()

    def each(case: Case) -> None:
        seen["configurations"] += 1
        for backend in BACKENDS:
            if compare(case, backend):
                met[backend].update(case.options.keys())
                seen[backend] += 1

    for special in (None, *SPECIAL):
        run = settings(
            max_examples=50 if special is None else 14,
            derandomize=True,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        run(given(cases(special))(each))()

    assert seen["configurations"] >= 200
    for backend in BACKENDS:
        wanted = set(types.LiveConnectConfig.model_fields) - NEVER_TAKEN[backend]
        assert {name: met[backend][name] for name in wanted if met[backend][name] < 5} == {}
        assert not NEVER_TAKEN[backend] & set(met[backend])
        assert seen[backend] >= 100


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda deviation: deviation.name)
def test_every_deviation_shows(deviation: Deviation) -> None:
    compare(deviation.example, deviation.backend)
    others = [other for other in DEVIATIONS if other is not deviation]
    with pytest.raises(AssertionError):
        compare(deviation.example, deviation.backend, others)

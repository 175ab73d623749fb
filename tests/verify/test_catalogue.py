"""The catalogue holds together, and with the register and the profile table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from duologue.verify.catalogue import PROBES
from duologue.verify.probe import ALL, Probe
from duologue.wire.profiles import PROFILES

REGISTER = (Path(__file__).parents[2] / "docs" / "quirks.md").read_text(encoding="utf-8")
EVERY = pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)


@EVERY
def test_a_probe_is_whole(probe: Probe) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", probe.id)
    assert probe.fact.endswith(".")
    assert probe.claims
    assert set(probe.claims) <= set(PROFILES)
    assert {claim.expected for claim in probe.claims.values()} <= set(probe.outcomes)


@EVERY
def test_a_probe_says_where_its_fact_stands(probe: Probe) -> None:
    kind, _, cell = probe.about.partition(":")
    if kind != "profile":
        assert f"<br>{probe.about} |" in REGISTER
        return
    for name, claim in probe.claims.items():
        grade = PROFILES[name].evidence[cell]
        # Where in a message a field stands is another question than whether it comes.
        assert claim.grade in (grade, "guessed")


def test_the_profiles_are_those_of_the_table() -> None:
    assert set(ALL) == set(PROFILES)

"""The emulator as the probes find it: nothing refuted, and nothing missing that it says it has."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest
from tests.verify.conftest import LIMITS

from duologue.emulator.profiles import PROFILES as EMULATED
from duologue.verify.catalogue import PROBES, chosen
from duologue.verify.run import verify as run
from duologue.verify.sides import EmulatorSide

if TYPE_CHECKING:
    from duologue.emulator.profiles import EmulatedProfile

FIELDS = {"probe", "profile", "grade", "expected", "found", "verdict"}


def verify(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "duologue", "verify", *options],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.fixture(scope="module")
def whole() -> subprocess.CompletedProcess[str]:
    return verify("--json")


def test_the_emulator_refutes_nothing(whole: subprocess.CompletedProcess[str]) -> None:
    findings = [json.loads(line) for line in whole.stdout.splitlines()]
    assert [one for one in findings if one["verdict"] == "refuted"] == []
    assert whole.returncode == 0, whole.stderr
    assert all(set(one) >= FIELDS for one in findings)
    asked = {(one["probe"], one["profile"]) for one in findings}
    assert asked == {(probe.id, profile) for probe, profile in chosen()}


def test_only_what_the_emulator_lacks_is_not_available(whole: subprocess.CompletedProcess[str]) -> None:
    findings = [json.loads(line) for line in whole.stdout.splitlines()]
    missing = [one for one in findings if one["verdict"] == "not_available"]
    assert [one for one in missing if one["profile"] in EMULATED] == []
    assert {one["found"] for one in missing} <= {"no_profile"}


def test_some_are_chosen_and_shown_to_people() -> None:
    done = verify("--probe", "bad-key", "--probe", "usage-total", "--profile", "3.8")
    assert done.returncode == 0, done.stderr
    assert "key_not_valid (reported)" in done.stdout
    assert "2 confirmed, 0 refuted, 0 not available" in done.stdout
    assert "go-away" not in done.stdout


def test_probes_are_listed_without_being_run() -> None:
    listed = [json.loads(line) for line in verify("--list", "--json").stdout.splitlines()]
    assert {one["probe"] for one in listed} == set(PROBES)
    assert "clientContent" in verify("--list").stdout


@pytest.mark.parametrize("option", [("--probe", "nobody"), ("--profile", "gemini")])
def test_what_is_not_there_is_a_mistake_of_use(option: tuple[str, str]) -> None:
    done = verify(*option)
    assert done.returncode == 2
    assert option[1] in done.stderr
    assert done.stdout == ""


async def test_a_profile_the_emulator_learns_is_probed_without_another_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = replace(EMULATED["3.8"], name="3.1", model_marks=("gemini-3.1-flash-live",))
    plan = chosen(["binary-frames"], ["3.1"])
    async with EmulatorSide() as side:
        before = await run(side, plan, LIMITS, told=lambda _: None)
        monkeypatch.setitem(cast("dict[str, EmulatedProfile]", EMULATED), "3.1", row)
        after = await run(side, plan, LIMITS, told=lambda _: None)
    assert [(one.found, one.verdict) for one in before.findings] == [("no_profile", "not_available")]
    assert [(one.found, one.verdict) for one in after.findings] == [("binary", "confirmed")]

"""Running probes: what counts, what does not, and what is kept of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.verify.conftest import LIMITS, OVER, REPLY, USAGE, Manners, handle, scripted, sound

from duologue.errors import AuthError, ConfigError, TapeError
from duologue.tape.reader import Tape
from duologue.tape.replay import replay_strictly
from duologue.verify.catalogue import PROBES, chosen
from duologue.verify.probe import Claim, Observed, Probe, UnsettledError
from duologue.verify.run import Verification, probe_alone, verify
from duologue.verify.tape import Tapes
from duologue.wire.profiles import PROFILES as ROWS

if TYPE_CHECKING:
    from pathlib import Path

    from duologue.verify.probe import Finding
    from duologue.verify.rig import Rig

SECRET_HANDLE = "0123456789abcdef-9999"


async def test_a_refused_account_says_nothing_about_facts() -> None:
    async with scripted(Manners(opening=[(1007, "API key not valid. Please pass a valid API key.")])) as (
        side,
        _,
    ):
        with pytest.raises(AuthError, match="check the key"):
            await verify(side, chosen(["usage-total"], ["3.8"]), LIMITS, told=lambda _: None)


@pytest.mark.parametrize(
    "close",
    [
        (1008, "models/gemini-3.8-live is not found for API version v1beta, or is not supported"),
        (1011, "You exceeded your current quota, please check your plan and billing details"),
    ],
)
async def test_a_model_that_cannot_be_opened_is_not_available(close: tuple[int, str]) -> None:
    async with scripted(Manners(opening=[close])) as (side, service):
        run = await verify(side, chosen(["usage-total", "bad-key"], ["3.8"]), LIMITS, told=lambda _: None)
    assert {(one.found, one.verdict) for one in run.findings} == {("not_opened", "not_available")}
    assert len(service.received) == 1


async def test_a_quota_that_runs_out_is_no_refusal() -> None:
    quota = (1011, "Resource has been exhausted (e.g. check quota).")
    async with scripted(Manners(other=[quota])) as (side, _):
        finding = await probe_alone(side, PROBES["second-setup"], "3.8", LIMITS)
    assert (finding.found, finding.verdict) == ("closed_1011", "not_available")


async def test_a_close_nobody_asked_for_is_a_finding() -> None:
    async with scripted(Manners(answers=[(sound(), (1011, "Internal error encountered."))])) as (side, _):
        finding = await probe_alone(side, PROBES["usage-total"], "3.8", LIMITS)
    assert (finding.found, finding.verdict) == ("closed_1011", "refuted")
    assert finding.detail == "closed with 1011 Internal error encountered."


@pytest.mark.parametrize(
    ("probe", "manners", "word"),
    [
        ("usage-total", Manners(answers=[()]), "no_answer"),
        ("usage-total", Manners(answers=[(sound(), {"serverContent": {"turnComplete": True}})]), "no_usage"),
        ("undeclared-behavior", Manners(), "no_call"),
        ("content-interrupts", Manners(answers=[()]), "no_answer"),
        ("handle-restores", Manners(), "no_handle"),
        ("paced-turn-complete", Manners(), "too_slow"),
        ("voice-activity", Manners(), "not_heard"),
        ("bad-key", Manners(status=None, opening=[]), "silent"),
        ("go-away", Manners(), "no_end"),
        ("usage-place", Manners(status=503), "failed"),
    ],
)
async def test_what_allows_no_conclusion_is_not_available(probe: str, manners: Manners, word: str) -> None:
    async with scripted(manners) as (side, _):
        finding = await probe_alone(side, PROBES[probe], "3.8", LIMITS)
    assert finding.found == word
    assert finding.verdict == ("refuted" if word == "silent" else "not_available")


async def test_without_a_voice_nothing_is_spoken() -> None:
    async with scripted(Manners()) as (side, service):
        side.speaks = False
        finding = await probe_alone(side, PROBES["voice-activity"], "3.8", LIMITS)
    assert (finding.found, finding.verdict) == ("no_speech", "not_available")
    assert len(service.received) == 1


def made(run: object) -> Probe:
    return Probe(
        id="made", fact="A fact.", about="Q-close", outcomes=("yes", "no"), claims={"3.8": Claim("yes", "guessed")}, run=run,  # type: ignore[arg-type]
    )  # fmt: skip


async def test_a_probe_has_its_time_and_no_more() -> None:
    async def sleeps(rig: Rig) -> Observed:
        await asyncio.sleep(60)
        return Observed("yes")

    async with scripted(Manners()) as (side, _):
        finding = await probe_alone(side, made(sleeps), "3.8", replace(LIMITS, probe_s=0.05))
    assert (finding.found, finding.verdict) == ("out_of_time", "not_available")


async def test_a_word_that_is_not_declared_is_a_mistake_of_ours() -> None:
    async def strays(rig: Rig) -> Observed:
        return Observed("perhaps")

    async with scripted(Manners()) as (side, _):
        with pytest.raises(AssertionError, match="perhaps"):
            await probe_alone(side, made(strays), "3.8", LIMITS)


async def test_what_was_found_before_a_cancellation_is_kept() -> None:
    async def unsettled(rig: Rig) -> Observed:
        raise UnsettledError("no_call", "never")

    async def sleeps(rig: Rig) -> Observed:
        await asyncio.sleep(60)
        return Observed("yes")

    kept, told = Verification(), asyncio.Event()
    async with scripted(Manners()) as (side, _):
        plan = [(made(unsettled), "3.8"), (replace(made(sleeps), id="asleep"), "3.8")]
        running = asyncio.create_task(verify(side, plan, LIMITS, told=lambda _: told.set(), into=kept))
        await told.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert [one.probe for one in kept.findings] == ["made"]


async def test_findings_stand_in_the_order_of_the_plan_with_tokens_and_strange_fields() -> None:
    strange = {"serverContent": {"newField": 1}}
    async with scripted(Manners(answers=[(strange, *REPLY)])) as (side, _):
        plan = chosen(["empty-messages", "usage-total"], ["3.8"])
        told: list[Finding] = []
        run = await verify(side, plan, LIMITS, told=told.append)
    assert [one.probe for one in run.findings] == ["empty-messages", "usage-total"]
    assert [one.probe for one in told] == ["usage-total", "empty-messages"]
    assert [(profile, one.total_token_count) for profile, one in run.usage] == [
        ("3.8", USAGE["totalTokenCount"])
    ] * 2
    assert run.unknown_fields == {"serverContent.newField": 2}


async def test_a_link_leaves_a_tape_without_secrets(tmp_path: Path) -> None:
    answers = ((*REPLY, handle(SECRET_HANDLE)),)
    async with scripted(Manners(answers=answers)) as (side, _):
        plan = chosen(["dead-handle"], ["3.8"])
        await verify(side, plan, LIMITS, told=lambda _: None, tapes=Tapes(tmp_path))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert "dead-handle-3.8-1.tape" in names
    assert "dead-handle-3.8-2.tape" in names
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())
    with Tape(tmp_path / "dead-handle-3.8-1.tape") as tape:
        lines = list(tape.lines())
        got = [json.loads(tape.frame(number, line)) for number, line in lines if line.got is not None]
        assert tape.ending == "closed by us"
    assert OVER in got
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert SECRET_HANDLE.encode() not in written
    assert b"canary-key-7" not in written
    assert b"scrubbed-handle-1" in written


def test_the_tape_of_a_probe_can_be_read_at_any_time_and_is_no_session(tmp_path: Path) -> None:
    setup = {"model": "models/gemini-3.8-live"}
    link = Tapes(tmp_path).link("made-3.8", ROWS["3.8"], setup, ())
    link.add("up", json.dumps({"setup": setup}).encode())
    link.add("down", json.dumps(OVER).encode())
    with Tape(tmp_path / "made-3.8-1.tape") as tape:  # nobody has closed it
        assert [line.kinds for _, line in tape.lines()] == [["sent"], ["got"]]
        with pytest.raises(TapeError, match="without the inputs of a session"):
            replay_strictly(tape)
    link.close("closed by us")


def test_what_takes_patience_is_run_when_asked_for() -> None:
    probes = {probe.id for probe, _ in chosen(patient=False)}
    assert "go-away" not in probes
    assert {probe.id for probe, _ in chosen(["go-away"], patient=False)} == {"go-away"}


def test_tapes_are_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "an-older-one.tape").touch()
    with pytest.raises(ConfigError, match="another folder"):
        Tapes(tmp_path)

"""Runs probes against a side, several at a time, and judges what each found.

A probe that cannot conclude is *not available*, with the reason; it never counts for or against a fact.
What is a mistake of ours (an outcome the probe did not declare, an exception nobody named) is raised.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from duologue.errors import AuthError, DuologueError, TapeError
from duologue.verify.probe import EndedError, Finding, Observed, UnsettledError
from duologue.verify.rig import Rig
from duologue.wire.close import classify
from duologue.wire.profiles import PROFILES
from duologue.wire.scrub import scrub

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from duologue.verify.probe import Probe, Verdict
    from duologue.verify.sides import Side
    from duologue.verify.tape import Tapes
    from duologue.wire.profiles import ModelProfile
    from duologue.wire.server import UsageMetadata

__all__ = ["Limits", "Verification", "probe_alone", "verify"]

_OUR_AFFAIR: Final = frozenset({"auth", "quota", "model"})
"""Kinds of close that say something about the account, and nothing about the fact."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once, and for how long.

    Args:
        at_once: Probes that run side by side.
        probe_s: One probe on one profile, without those that need patience.
        patient_s: One of those.
        total_s: All together; what has not ended by then is not available.
    """

    at_once: int
    probe_s: float
    patient_s: float
    total_s: float


@dataclass(slots=True)
class Verification:
    """What a run came to."""

    findings: list[Finding] = field(default_factory=list[Finding])
    """In the order of the plan; of a run that is not over, in the order in which they came."""
    usage: list[tuple[str, UsageMetadata]] = field(default_factory=list["tuple[str, UsageMetadata]"])
    """Profile and tokens of every turn that reported them."""
    unknown_fields: dict[str, int] = field(default_factory=dict[str, int])
    """Fields the service sent and our structs lack."""


async def verify(
    side: Side,
    plan: Sequence[tuple[Probe, str]],
    limits: Limits,
    *,
    told: Callable[[Finding], None],
    tapes: Tapes | None = None,
    into: Verification | None = None,
) -> Verification:
    """Run the plan.

    Args:
        side: Entered; whom to talk to.
        plan: From :func:`~duologue.verify.catalogue.chosen`.
        limits: How much at once, and for how long.
        told: Called with each finding as it comes.
        tapes: Where every frame is written down.
        into: Filled as findings come, for what was found before a run that is cancelled.

    Raises:
        AuthError: The credentials are refused.
    """
    return await _Run(side, limits, told, tapes, into or Verification()).all(plan)


async def probe_alone(side: Side, probe: Probe, profile: str, limits: Limits) -> Finding:
    """Run one probe on one profile, without asking first whether the profile can be opened at all."""
    run = _Run(side, limits, lambda _: None, None, Verification())
    return await run.probed(probe, PROFILES[profile])


class _Run:
    """One run of a plan; see :func:`verify`."""

    def __init__(
        self,
        side: Side,
        limits: Limits,
        told: Callable[[Finding], None],
        tapes: Tapes | None,
        into: Verification,
    ) -> None:
        self._side = side
        self._limits = limits
        self._told = told
        self._tapes = tapes
        self._room = asyncio.Semaphore(limits.at_once)
        self._over_at = asyncio.get_running_loop().time() + limits.total_s
        self._came_to = into

    async def all(self, plan: Sequence[tuple[Probe, str]]) -> Verification:
        """Open every profile once, then run the probes side by side."""
        lacking = {name: await self._lacking(PROFILES[name]) for name in dict.fromkeys(p for _, p in plan)}
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._one(probe, PROFILES[profile], lacking[profile]))
                for probe, profile in plan
            ]
        self._came_to.findings = [task.result() for task in tasks]
        return self._came_to

    async def _lacking(self, row: ModelProfile) -> Observed | None:
        """Say why nothing can be found out about a profile: no such profile, model or account."""
        lacking = self._side.lacks(row)
        if lacking is not None:
            return Observed("no_profile", lacking)
        rig = self._rig(row, "opening")
        try:
            async with asyncio.timeout(self._limits.probe_s), rig.session():
                return None
        except EndedError as ended:
            if classify(ended.code, ended.reason).kind == "auth":
                msg = "the service refuses the credentials: check the key"
                raise AuthError(msg, code=ended.code, reason=ended.reason, phase="setup") from None
            why = str(ended)
        except (UnsettledError, TimeoutError) as error:
            why = str(error) or "it took too long"
        return Observed("not_opened", f"{row.default_model} cannot be opened: {why}")

    async def _one(self, probe: Probe, row: ModelProfile, lacking: Observed | None) -> Finding:
        """Run one probe on one profile and tell what it found."""
        if lacking is not None:
            finding = _finding(probe, row, lacking, judged=False)
        else:
            async with self._room:
                finding = await self.probed(probe, row)
        self._came_to.findings.append(finding)
        self._told(finding)
        return finding

    async def probed(self, probe: Probe, row: ModelProfile) -> Finding:
        """Run one probe on one profile."""
        rig = self._rig(row, f"{probe.id}-{row.name}")
        began_at = time.monotonic()
        allowed_s = self._limits.patient_s if probe.needs_patience else self._limits.probe_s
        deadline_at = min(asyncio.get_running_loop().time() + allowed_s, self._over_at)
        judged = False
        try:
            async with asyncio.timeout_at(deadline_at):
                observed = await probe.run(rig)
            assert probe.allows(observed.found), f"{probe.id} found {observed.found}, which it does not name"
            judged = True
        except EndedError as ended:
            observed = Observed(f"closed_{ended.code}", f"closed with {ended}")
            judged = classify(ended.code, ended.reason).kind not in _OUR_AFFAIR
        except UnsettledError as unsettled:
            observed = Observed(unsettled.word, unsettled.detail)
        except TimeoutError:
            observed = Observed("out_of_time", "its time, or that of all probes, had run out")
        except TapeError:
            raise
        except DuologueError as error:
            observed = Observed("failed", str(error))
        self._keep(row, rig)
        seconds = round(time.monotonic() - began_at, 2)
        return _finding(probe, row, observed, judged=judged, seconds=seconds)

    def _rig(self, row: ModelProfile, name: str) -> Rig:
        return Rig(self._side, row, name=name, tapes=self._tapes)

    def _keep(self, row: ModelProfile, rig: Rig) -> None:
        self._came_to.usage += [(row.name, usage) for usage in rig.usage]
        for path, times in rig.unknown_fields.items():
            self._came_to.unknown_fields[path] = self._came_to.unknown_fields.get(path, 0) + times


def _finding(
    probe: Probe, row: ModelProfile, observed: Observed, *, judged: bool, seconds: float = 0.0
) -> Finding:
    claim = probe.claims[row.name]
    agrees: Verdict = "confirmed" if observed.found == claim.expected else "refuted"
    return Finding(
        probe=probe.id,
        profile=row.name,
        grade=claim.grade,
        expected=claim.expected,
        found=observed.found,
        verdict=agrees if judged else "not_available",
        detail=scrub(observed.detail),
        fact=probe.fact,
        about=probe.about,
        seconds=seconds,
    )

"""What a probe is: one fact, what we hold about it for each profile, and the way to find out.

A probe returns one word of a closed set, so that confirming is comparing; what else it saw goes into the
detail. Two things can keep it from a word: the link ended where no end was asked for (:class:`EndedError`,
which counts as found), or nothing can be concluded (:class:`UnsettledError`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from duologue.wire.profiles import PROFILES

if TYPE_CHECKING:
    from duologue.verify.rig import Rig
    from duologue.wire.profiles import Evidence, ModelProfile

__all__ = [
    "ALL",
    "DEVELOPER",
    "Claim",
    "Claims",
    "EndedError",
    "Finding",
    "Observed",
    "Probe",
    "UnsettledError",
    "Verdict",
    "by_cell",
    "held",
]

Verdict = Literal["confirmed", "refuted", "not_available"]

DEVELOPER = ("2.5-native", "3.1", "3.8", "3.8-thinking")
"""The profiles of the Developer API."""
ALL = (*DEVELOPER, "vertex-half-cascade", "vertex-native")


@dataclass(frozen=True, slots=True)
class Claim:
    """What we hold for one profile, in the probe's words, and what that rests on."""

    expected: str
    grade: Evidence


Claims = Mapping[str, Claim]
"""By the profile's name; a profile that is not in it is not probed."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What one run of a probe came to.

    Args:
        found: One of the probe's outcomes, or ``silent`` or ``closed_CODE``, which any probe may meet.
        detail: For people: what was seen, as far as the word leaves it out. Never a secret.
    """

    found: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One fact and the way to find out.

    Args:
        id: Short, stable, lower case with dashes; what ``--probe`` takes.
        fact: The fact in one sentence, true where a claim's ``expected`` is the first outcome.
        about: Where it stands: ``Q-...`` of docs/quirks.md, or a column of the profile table.
        outcomes: Every word :attr:`run` may find, besides ``silent`` and ``closed_CODE``.
        claims: What we hold, by profile.
        run: Finds out.
        turns: Model turns it takes, about; for the estimate of the costs.
        needs_patience: Takes ten minutes and more where time cannot be hurried; only run when asked for.
    """

    id: str
    fact: str
    about: str
    outcomes: tuple[str, ...]
    claims: Claims
    run: Callable[[Rig], Awaitable[Observed]]
    turns: int = 1
    needs_patience: bool = False

    def allows(self, found: str) -> bool:
        """Tell whether ``found`` is a word this probe may end with."""
        return found in self.outcomes or found == "silent" or found.startswith("closed_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One probe on one profile, judged."""

    probe: str
    profile: str
    grade: Evidence
    expected: str
    found: str
    verdict: Verdict
    detail: str = ""
    fact: str = ""
    about: str = ""
    seconds: float = 0.0


class EndedError(Exception):
    """The link ended although nothing had been done to end it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}".rstrip())
        self.code = code
        self.reason = reason


class UnsettledError(Exception):
    """What was seen allows no conclusion: the model did not call, nothing here can speak, ..."""

    def __init__(self, word: str, detail: str) -> None:
        super().__init__(detail)
        self.word = word
        self.detail = detail


def held(expected: str, grade: Evidence, profiles: tuple[str, ...] = DEVELOPER) -> dict[str, Claim]:
    """Return the same claim for several profiles; join different ones with ``|``."""
    return dict.fromkeys(profiles, Claim(expected, grade))


def by_cell(
    cell: str, expect: Callable[[ModelProfile], str | None], profiles: tuple[str, ...] = ALL
) -> dict[str, Claim]:
    """Return claims as a column of the profile table makes them, with the grades it gives.

    Args:
        cell: The column.
        expect: From a row to the probe's word; None leaves the profile out.
        profiles: Those that are probed.
    """
    claims: dict[str, Claim] = {}
    for name in profiles:
        row = PROFILES.get(name)
        expected = expect(row) if row is not None else None
        if row is not None and expected is not None:
            claims[name] = Claim(expected, row.evidence[cell])
    return claims

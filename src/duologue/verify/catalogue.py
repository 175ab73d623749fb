"""Every probe, in the order in which a reader would ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duologue.errors import ConfigError
from duologue.verify.probes import hearing, opening, refusals, resuming, tools, turns
from duologue.wire.profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from duologue.verify.probe import Probe

__all__ = ["PROBES", "chosen"]

PROBES: Mapping[str, Probe] = {
    probe.id: probe
    for module in (opening, refusals, turns, hearing, tools, resuming)
    for probe in module.PROBES
}


def chosen(
    probes: Sequence[str] = (), profiles: Sequence[str] = (), *, patient: bool = True
) -> list[tuple[Probe, str]]:
    """Return which probe is to be run on which profile.

    Args:
        probes: Their ids; none means all.
        profiles: Their names; none means all.
        patient: Whether to run those that take ten minutes where time cannot be hurried.

    Raises:
        ConfigError: There is no such probe or profile.
    """
    for what, given, known in (("probe", probes, PROBES), ("profile", profiles, PROFILES)):
        for name in given:
            if name not in known:
                raise ConfigError(f"there is no {what} {name!r}; there are: {', '.join(known)}")
    return [
        (probe, profile)
        for probe in PROBES.values()
        for profile in probe.claims
        if (not probes or probe.id in probes)
        and (not profiles or profile in profiles)
        and (patient or not probe.needs_patience or probe.id in probes)
    ]

"""Is the service as we say it is? One probe for each fact that nobody has recorded yet.

A probe talks on the bare wire, past the session machine, so that it observes the service and not our
rules. ``catalogue`` lists the probes, ``run`` runs them against a side (``sides``: the emulator, or
Gemini itself), ``report`` writes down what they found.
"""

from __future__ import annotations

from duologue.verify.catalogue import PROBES
from duologue.verify.probe import Claim, Finding, Observed, Probe, Verdict

__all__ = ["PROBES", "Claim", "Finding", "Observed", "Probe", "Verdict"]

"""What can be made to go wrong on purpose, and how it is written: ``NAME[:key=value,...][@SECONDSs]``.

Read this to add a fault: a row in :data:`FAULTS` for its words, a branch in ``session`` for its deed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from duologue.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FAULTS", "Fault", "FaultKind", "parse_fault"]

_SPEC = re.compile(
    r"(?P<name>[a-z_]+)(?::(?P<arguments>.*?))?(?:@(?P<after>[0-9]+(?:\.[0-9]+)?)s)?", re.DOTALL
)
_NEXT_ARGUMENT = re.compile(r",(?=[a-z_]+=)")
# Codes that may stand in a close frame (RFC 6455 section 7.4): 1005, 1006 and 1015 are never sent.
_SENDABLE = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What one fault does, and its arguments with what they are when left out."""

    summary: str
    arguments: Mapping[str, str] = field(default_factory=dict[str, str])


FAULTS: Mapping[str, FaultKind] = {
    "close": FaultKind(
        "close the connection with this code and reason",
        {"code": "1011", "reason": "Internal error encountered."},
    ),
    "go_away": FaultKind(
        "announce the end of the connection, and bring it about after that time",
        {"time_left_s": "10"},
    ),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, checked: name, all its arguments, and when.

    Args:
        name: A key of :data:`FAULTS`.
        arguments: As text; those left out get the defaults of the table.
        after_s: Counted from the opening of each connection, or from the injection; None is at once.

    Raises:
        ConfigError: No such fault or argument, or a value out of range; says what there is.
    """

    name: str
    arguments: Mapping[str, str] = field(default_factory=dict[str, str])
    after_s: float | None = None

    def __post_init__(self) -> None:
        kind = FAULTS.get(self.name)
        if kind is None:
            raise ConfigError(f"there is no fault {self.name!r}; there are: {', '.join(FAULTS)}")
        unknown = [name for name in self.arguments if name not in kind.arguments]
        if unknown:
            known = ", ".join(kind.arguments) or "none"
            raise ConfigError(f"the fault {self.name!r} has no argument {unknown[0]!r}; it has: {known}")
        object.__setattr__(self, "arguments", {**kind.arguments, **self.arguments})
        if "code" in self.arguments and self.code not in _SENDABLE:
            raise ConfigError(
                f"{self.code} cannot stand in a close frame; 1000-1003, 1007-1014 and 3000-4999 can"
            )
        if "time_left_s" in self.arguments and not 0 <= self.time_left_s <= 3600:
            raise ConfigError(f"time_left_s={self.arguments['time_left_s']} is not within 0..3600")

    @property
    def code(self) -> int:
        """The close code argument."""
        try:
            return int(self.arguments["code"])
        except ValueError:
            raise ConfigError(f"code={self.arguments['code']} is not a close code") from None

    @property
    def reason(self) -> str:
        """The close reason argument; the door cuts it to 123 bytes."""
        return self.arguments["reason"]

    @property
    def time_left_s(self) -> float:
        """The announced seconds."""
        try:
            return float(self.arguments["time_left_s"])
        except ValueError:
            raise ConfigError(
                f"time_left_s={self.arguments['time_left_s']} is not a number of seconds"
            ) from None


def parse_fault(spec: Fault | str) -> Fault:
    """Return the fault a spec stands for; one made already is returned as it is.

    Raises:
        ConfigError: It cannot be read; says how it is written and what there is.
    """
    if isinstance(spec, Fault):
        return spec
    match = _SPEC.fullmatch(spec.strip())
    if match is None:
        raise ConfigError(f"cannot read the fault {spec!r}: it is written NAME[:key=value,...][@SECONDSs]")
    arguments: dict[str, str] = {}
    for pair in _NEXT_ARGUMENT.split(match["arguments"]) if match["arguments"] else ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"cannot read {pair!r} in the fault {spec!r}: arguments are written key=value")
        arguments[name] = value
    return Fault(match["name"], arguments, float(match["after"]) if match["after"] else None)

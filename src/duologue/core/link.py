"""The link: one WebSocket, from nothing to closed."""

from __future__ import annotations

from enum import Enum, auto

from duologue.core.machine import Machine, Table

__all__ = ["LINK_TABLE", "Link", "link_machine"]


class Link(Enum):
    """Where the link is."""

    IDLE = auto()
    """Nothing has been asked for yet."""
    CONNECTING = auto()
    """DNS, TCP, TLS, upgrade: the driver is at it."""
    SETUP = auto()
    """The setup message is out, setupComplete is not in."""
    READY = auto()
    """The conversation runs."""
    DRAINING = auto()
    """The service said goAway; the conversation still runs."""
    CLOSED = auto()
    """Over; nothing leaves this state."""


LINK_TABLE: Table[Link] = {
    Link.IDLE: frozenset({Link.CONNECTING, Link.CLOSED}),
    Link.CONNECTING: frozenset({Link.SETUP, Link.CLOSED}),
    Link.SETUP: frozenset({Link.READY, Link.CLOSED}),
    Link.READY: frozenset({Link.DRAINING, Link.CLOSED}),
    Link.DRAINING: frozenset({Link.CLOSED}),
    Link.CLOSED: frozenset(),
}


def link_machine() -> Machine[Link]:
    """Return a machine at IDLE."""
    return Machine(LINK_TABLE, Link.IDLE)

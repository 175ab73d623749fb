"""A state machine is an enum, a table and one way to move."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Generic, TypeVar

__all__ = ["IllegalTransitionError", "Machine", "Table"]

S = TypeVar("S", bound=Enum)

Table = Mapping[S, frozenset[S]]
"""For each state, the states it may go to. The table is the documentation."""


class IllegalTransitionError(AssertionError):
    """A move the table does not have: a mistake of ours, never of the peer's."""


class Machine(Generic[S]):
    """Holds one state and refuses moves its table does not have.

    ``watch``, when set, is told every move; tests use it to see which edges were walked.
    """

    __slots__ = ("_state", "_table")

    watch: Callable[[Enum, Enum], None] | None = None

    def __init__(self, table: Table[S], initial: S) -> None:
        self._table = table
        self._state = initial

    @property
    def state(self) -> S:
        """The state now."""
        return self._state

    def to(self, new: S) -> None:
        """Move to ``new``.

        Raises:
            IllegalTransitionError: The table has no such edge.
        """
        if new not in self._table[self._state]:
            raise IllegalTransitionError(f"{type(new).__name__}: {self._state.name} -> {new.name}")
        if Machine.watch is not None:
            Machine.watch(self._state, new)
        self._state = new

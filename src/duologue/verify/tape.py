"""What went over the wire, kept: one tape for each link, in the format of ``duologue.tape``.

A tape of a probe holds frames alone: no session stood behind them, so there is nothing to replay but what
was sent and what came. Keys, tokens and handles are taken out on the way in.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Literal, cast

from duologue.core.session import SessionPlan
from duologue.errors import ConfigError
from duologue.tape.format import Line
from duologue.tape.writer import TapeWriter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from duologue.wire.profiles import ModelProfile

__all__ = ["Direction", "LinkTape", "Tapes"]

Direction = Literal["up", "down"]


class Tapes:
    """Where the tapes of a run go.

    Args:
        folder: Made when the first is written.

    Raises:
        ConfigError: There are tapes in it.
    """

    def __init__(self, folder: Path) -> None:
        if any(folder.glob("*.tape")):
            raise ConfigError(
                f"{folder} holds tapes already, which are never written over: give another folder"
            )
        self.folder = folder
        self._links: dict[str, int] = {}

    def link(
        self, name: str, row: ModelProfile, setup: Mapping[str, Any], secrets: tuple[str, ...]
    ) -> LinkTape:
        """Return the tape of a new link; ``setup`` stands in its header unless another is sent."""
        self._links[name] = self._links.get(name, 0) + 1
        path = self.folder / f"{name}-{self._links[name]}.tape"
        return LinkTape(path, row, setup, secrets)


class LinkTape:
    """The tape of one link; its files are made with the first frame.

    Args:
        path: Of the tape.
        row: The profile.
        setup: What a setup message holds that is not sent as one.
        secrets: Never written.
    """

    def __init__(
        self, path: Path, row: ModelProfile, setup: Mapping[str, Any], secrets: tuple[str, ...]
    ) -> None:
        self._path = path
        self._row = row
        self._setup = setup
        self._secrets = secrets
        self._writer: TapeWriter | None = None

    def add(self, direction: Direction, frame: bytes) -> None:
        """Write a frame down."""
        at = time.monotonic()
        if self._writer is None:
            plan = SessionPlan(
                session_id=self._path.stem, setup=_setup_in(frame) or self._setup, profile=self._row
            )
            self._writer = TapeWriter(self._path, plan, self._secrets)
        if direction == "up":
            self._writer.sent(frame, at=at)
        else:
            self._writer.got(frame, at)
        self._writer.flush()  # a run may take an hour, and be killed

    def close(self, end: str) -> None:
        """Write the last line, why it ended, and close the files; idempotent."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.line(Line(end=end))
            writer.flush()
            writer.close()


def _setup_in(frame: bytes) -> Mapping[str, Any] | None:
    """Return the setup that a frame holds, if it names a model."""
    try:
        message: Any = json.loads(frame)
    except ValueError:
        return None
    setup: Any = cast("dict[str, Any]", message).get("setup") if isinstance(message, dict) else None
    if not isinstance(setup, dict):
        return None
    fields = cast("dict[str, Any]", setup)
    return fields if isinstance(fields.get("model"), str) else None

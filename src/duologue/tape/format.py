"""What a tape looks like on disk: a header line, then one line of JSON for each thing that happened.

Beside ``NAME`` stand ``NAME.up.pcm`` (the caller's sound as it was pushed) and ``NAME.down.pcm`` (the model's
as it was received), plain s16le that any audio program plays; lines refer to them by offset and length in
bytes. Their names follow from the tape's own: nothing inside a tape names a file. The whole format:
``docs/reference/tape-format.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "MAX_LINE_BYTES",
    "MAX_SOUND_BYTES",
    "TAPE_VERSION",
    "Direction",
    "Header",
    "Line",
    "LineKind",
    "Pieces",
    "Times",
    "sound_path",
]

TAPE_VERSION: Final = 1
MAX_LINE_BYTES: Final = 128 * 1024 * 1024
"""The largest frame a link may take (16 MiB by default) if each of its characters were an escape."""
MAX_SOUND_BYTES: Final = 64 * 1024 * 1024
"""Of one reference: half an hour at 16 kHz."""

Direction = Literal["up", "down"]
Times = Literal["measured", "made up"]
LineKind = Literal["do", "got", "sent", "event", "note", "end"]

Piece = str | list[int] | dict[str, str | list[int]]
Pieces = str | list[Piece]
"""A frame: text; ``[offset, length]`` for the base64 of that sound, ``{"urlsafe": [offset, length]}`` for that
in the other alphabet; ``{"b64": ...}`` for what is no UTF-8."""


class Header(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The first line."""

    tape: int
    duologue: str
    made_at: str
    """ISO 8601, UTC."""
    model: str
    profile: str
    backend: str
    times: Times = "measured"
    plan: dict[str, Any]
    """What the session is made of; see ``tape.plan``."""
    source: str = ""
    """Of an import: what it was made from."""


class Line(msgspec.Struct, kw_only=True, omit_defaults=True, rename={"args": "with"}):
    """Any other line: exactly one of ``do``, ``got``, ``sent``, ``event``, ``note`` and ``end`` is there."""

    at: float | None = None
    """Seconds of the session's clock, as the core was given them."""
    do: str | None = None
    """An input of the core; its arguments are in ``with``."""
    got: Pieces | None = None
    """A frame from the service."""
    sent: Pieces | None = None
    """A frame for the service."""
    event: str | None = None
    """What the session told; its fields are in ``with``."""
    note: str | None = None
    """For the reader: changes nothing."""
    end: str | None = None
    """The last line of a tape that is whole; why it ends."""
    args: dict[str, Any] | None = None
    sound: tuple[int, int] | None = None
    """Offset and length in bytes of what was pushed."""
    audio_ms: float = 0.0
    """Of a sent frame: the length of the sound inside."""

    @property
    def kinds(self) -> list[LineKind]:
        """What the line is; exactly one in a line that is valid."""
        given: dict[LineKind, object] = {
            "do": self.do,
            "got": self.got,
            "sent": self.sent,
            "event": self.event,
            "note": self.note,
            "end": self.end,
        }
        return [kind for kind, value in given.items() if value is not None]


def sound_path(tape: Path, direction: Direction) -> Path:
    """Return where the sound of one direction lies."""
    return tape.parent / f"{tape.name}.{direction}.pcm"

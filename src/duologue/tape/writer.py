"""Writes the files of a tape. Not for a hot path: everything in here encodes, scrubs and writes.

The files are created with mode 0600, never changed to it afterwards, and never over something that is
there. Sound is written before the lines that refer to it, so what a crash leaves can be read.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from duologue import __version__
from duologue.errors import TapeError
from duologue.tape.format import TAPE_VERSION, Header, Line, Times, sound_path
from duologue.tape.frames import split_frame
from duologue.tape.plan import model_of, plan_value
from duologue.tape.secrets import Scrubber

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from duologue.core.session import SessionPlan
    from duologue.tape.format import Direction

__all__ = ["TapeWriter", "check_free", "encode_line"]

_FLAGS: Final = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_BINARY", 0)
)
_OWNER_ONLY: Final = 0o600
_MAX_UNSENT_BYTES: Final = 8 * 1024 * 1024
_encoder = msgspec.json.Encoder()


def encode_line(line: Line) -> bytes:
    """Return a line of the journal; its secrets are still in it.

    Raises:
        TypeError: An argument that JSON has no form for.
        ValueError: The same.
    """
    return _encoder.encode(line)


class TapeWriter:
    """An open tape.

    Args:
        path: Of the journal; must not exist. Its folder is made.
        plan: What the session is made of.
        secrets: Keys and tokens.
        times: Whether the instants were measured.
        source: What an import was made from.

    Raises:
        TapeError: The files cannot be created.
    """

    def __init__(
        self,
        path: Path,
        plan: SessionPlan,
        secrets: Iterable[str] = (),
        *,
        times: Times = "measured",
        source: str = "",
    ) -> None:
        self.path = path
        self.scrubber = Scrubber(secrets)
        self._unsent = _Unsent()
        self._written_bytes: dict[Direction, int] = {"up": 0, "down": 0}
        self._sound: dict[Direction, bytearray] = {"up": bytearray(), "down": bytearray()}
        self._text = bytearray()
        value = plan_value(plan)
        header = Header(
            tape=TAPE_VERSION,
            duologue=__version__,
            made_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            model=model_of(plan.setup),
            profile=plan.profile.name,
            backend=plan.profile.backend,
            times=times,
            plan=value,
            source=source,
        )
        self.scrubber.frame(_encoder.encode({"setup": value["setup"]}).decode())
        value["setup"] = self.scrubber.clean(value["setup"])
        self._files = _create(path)
        self._add(_encoder.encode(header))
        self.flush()

    # -- lines --------------------------------------------------------------------------------

    def line(self, line: Line) -> None:
        """Add a line without a frame."""
        self.encoded(encode_line(line))

    def encoded(self, line: bytes) -> None:
        """Add a line without a frame that ``encode_line`` has made already."""
        text = line.decode()
        if self.scrubber.text(text) != text:  # in its values only: a handle may look like a number or a name
            fields = msgspec.json.decode(line)
            for part in ("with", "note"):
                if part in fields:
                    fields[part] = self._cleaned(fields[part])
            line = _encoder.encode(fields)
        self._add(line)

    def pushed(self, pcm: bytes, rate_hz: int, at: float) -> None:
        """Add the caller's sound as the core was given it."""
        offset = self._keep("up", pcm)
        self._unsent.put(pcm, offset)
        self.line(Line(at=at, do="push_audio", args={"rate_hz": rate_hz}, sound=(offset, len(pcm))))

    def got(self, frame: bytes, at: float) -> None:
        """Add a frame of the service."""
        pieces = split_frame(frame, keep_sound=lambda pcm: self._keep("down", pcm), clean=self.scrubber.frame)
        self._add(encode_line(Line(at=at, got=pieces)))

    def sent(self, frame: bytes, *, audio_ms: float = 0.0, at: float | None = None) -> None:
        """Add a frame for the service; its sound is found again in what was pushed."""
        pieces = split_frame(frame, keep_sound=self._unsent.take, clean=self.scrubber.frame)
        self._add(encode_line(Line(at=at, sent=pieces, audio_ms=audio_ms)))

    def _add(self, line: bytes) -> None:
        self._text += line
        self._text += b"\n"

    def _cleaned(self, value: Any) -> Any:
        """Scrub values; the names of arguments and fields stay."""
        if isinstance(value, dict):
            fields = cast("dict[str, object]", value)
            return {name: self.scrubber.clean(child) for name, child in fields.items()}
        return self.scrubber.clean(value)

    def _keep(self, direction: Direction, pcm: bytes) -> int:
        waiting = self._sound[direction]
        offset = self._written_bytes[direction] + len(waiting)
        waiting += pcm
        return offset

    # -- files --------------------------------------------------------------------------------

    def flush(self) -> None:
        """Hand everything so far to the operating system, sound first.

        Raises:
            OSError: The disk is full, or gone.
        """
        for direction, waiting in self._sound.items():
            self._written_bytes[direction] += len(waiting)
            _write_all(self._files[direction], waiting)
        _write_all(self._files["lines"], self._text)

    def close(self) -> None:
        """Close the files; those without any sound are taken away. Idempotent."""
        files, self._files = self._files, {}
        for file in files.values():
            os.close(file)
        for direction, length_bytes in self._written_bytes.items():
            if not length_bytes and files:
                sound_path(self.path, direction).unlink(missing_ok=True)


class _Unsent:
    """The pushed sound that was not seen in a frame yet, so that frames can refer to it."""

    def __init__(self) -> None:
        self._pcm = bytearray()
        self._offset = 0

    def put(self, pcm: bytes, offset: int) -> None:
        if not self._pcm:
            self._offset = offset
        self._pcm += pcm
        self._forget(len(self._pcm) - _MAX_UNSENT_BYTES)

    def take(self, pcm: bytes) -> int | None:
        """Return where ``pcm`` lies; None for sound that nobody pushed."""
        at = 0 if self._pcm.startswith(pcm) else self._pcm.find(pcm)
        if at < 0 or not pcm:
            return None
        offset = self._offset + at
        self._forget(at + len(pcm))
        return offset

    def _forget(self, length_bytes: int) -> None:
        if length_bytes > 0:
            del self._pcm[:length_bytes]
            self._offset += length_bytes


def check_free(path: Path) -> None:
    """Refuse a place for a tape where something is already; creating it refuses that too, but later.

    Raises:
        TapeError: Names the file.
    """
    for each in _paths(path).values():
        if each.exists() or each.is_symlink():
            raise _in_the_way(each)


def _in_the_way(path: Path) -> TapeError:
    return TapeError(f"{path} is there already, and a recording is never written over: give another name")


def _paths(path: Path) -> dict[str, Path]:
    return {"lines": path, "up": sound_path(path, "up"), "down": sound_path(path, "down")}


def _create(path: Path) -> dict[str, int]:
    """Return the new, open files of a tape; all or none.

    Raises:
        TapeError: Says which file and why.
    """
    made: dict[str, int] = {}
    paths = _paths(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TapeError(f"{path.parent} cannot be made a folder: {error.strerror or error}") from error
    for name, each in paths.items():
        try:
            made[name] = os.open(each, _FLAGS, _OWNER_ONLY)
        except (OSError, ValueError) as error:  # a ValueError for a name that no file can have
            for other in made:
                os.close(made[other])
                paths[other].unlink(missing_ok=True)
            if isinstance(error, FileExistsError):
                raise _in_the_way(each) from None
            words = getattr(error, "strerror", None) or error
            raise TapeError(f"{str(each)!r} cannot be created: {words}") from error
    return made


def _write_all(file: int, data: bytearray) -> None:
    """Write everything and forget it; what was written before an error is forgotten too."""
    while data:
        written = os.write(file, data)
        del data[:written]

"""Reads tapes, ours and strangers': line by line, with a limit on everything a file could make large.

A tape whose last line is cut off, as a crash leaves it, is read up to the cut.
"""

from __future__ import annotations

import math
import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from duologue.errors import TapeError
from duologue.tape.format import (
    MAX_LINE_BYTES,
    MAX_SOUND_BYTES,
    TAPE_VERSION,
    Direction,
    Header,
    Line,
    sound_path,
)
from duologue.tape.frames import join_frame
from duologue.tape.plan import plan_from

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from types import TracebackType
    from typing import Self

    from duologue.core.session import SessionPlan

__all__ = ["Tape"]

_header_decoder: Final = msgspec.json.Decoder(Header)
_line_decoder: Final = msgspec.json.Decoder(Line)


class Tape:
    """An open tape; close it, or use it as a context manager.

    Args:
        path: Of the journal.

    Raises:
        TapeError: There is no such file, it is no tape, or one of a later version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.ending: str | None = None
        """Why the tape ends: None until its last line was read, and of one that was cut off."""
        self._sound: dict[Direction, BinaryIO | None] = {}
        self._file = _open(self.path)
        try:
            self.header = self._read_header()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files; idempotent."""
        self._file.close()
        for file in self._sound.values():
            if file is not None:
                file.close()

    def plan(self) -> SessionPlan:
        """Return what the session was made of.

        Raises:
            TapeError: The header's plan is none.
        """
        with self._where(1):
            return plan_from(self.header.plan)

    def lines(self) -> Iterator[tuple[int, Line]]:
        """Yield (number, line) of everything after the header; may be called again.

        Raises:
            TapeError: Says which line is none, and why. A last line that is cut off is left out instead.
        """
        self.ending = None
        self._file.seek(0)
        self._file.readline(MAX_LINE_BYTES + 1)
        number = 1
        while text := self._file.readline(MAX_LINE_BYTES + 1):
            number += 1
            with self._where(number):
                line = _line(text)
            if line is None:
                return
            if line.end is not None:
                self.ending = line.end
            yield number, line

    def frame(self, number: int, line: Line) -> bytes:
        """Return the frame of a ``got`` or ``sent`` line as it was on the wire, handles apart.

        Raises:
            TapeError: The line has none, or refers to sound that is not there.
        """
        pieces, direction = (line.got, "down") if line.got is not None else (line.sent, "up")
        with self._where(number):
            if pieces is None:
                raise TapeError("it holds no frame")
            side: Direction = "down" if direction == "down" else "up"
            return join_frame(pieces, lambda offset, length: self._sound_at(side, offset, length))

    def pushed(self, number: int, line: Line) -> bytes:
        """Return the PCM of a ``push_audio`` line.

        Raises:
            TapeError: It refers to sound that is not there.
        """
        with self._where(number):
            if line.sound is None:
                raise TapeError("it refers to no sound")
            return self._sound_at("up", *line.sound)

    def _read_header(self) -> Header:
        text = self._file.readline(MAX_LINE_BYTES + 1)
        try:
            header = _header_decoder.decode(text)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            version = _version(text)
            if version is None or version == TAPE_VERSION:
                what = "is no tape" if version is None else "has a header that cannot be read"
                raise TapeError(
                    f"{self.path} {what}: a tape begins with a line of JSON that says "
                    f'{{"tape": {TAPE_VERSION}, ...}}. Other recordings are made one by `duologue tape import`'
                ) from None
            raise self._too_new(version) from None
        if header.tape != TAPE_VERSION:
            raise self._too_new(header.tape)
        return header

    def _too_new(self, version: int) -> TapeError:
        return TapeError(
            f"{self.path} is a tape of version {version}; this duologue reads version {TAPE_VERSION}"
        )

    def _sound_at(self, direction: Direction, offset: int, length: int) -> bytes:
        if offset < 0 or not 0 <= length <= MAX_SOUND_BYTES:
            raise TapeError(f"it refers to {length} bytes of sound at {offset}")
        if not length:
            return b""
        if direction not in self._sound:
            path = sound_path(self.path, direction)
            self._sound[direction] = _open(path) if path.exists() else None
        file = self._sound[direction]
        if file is None or offset + length > os.fstat(file.fileno()).st_size:
            name = sound_path(self.path, direction).name
            raise TapeError(f"its sound is missing: {name} has no {length} bytes at {offset}")
        file.seek(offset)
        return file.read(length)

    @contextmanager
    def _where(self, number: int) -> Generator[None]:
        """Say in which line an error is."""
        try:
            yield
        except TapeError as error:
            raise TapeError(f"{self.path}, line {number}: {error}") from error.__cause__
        except OSError as error:
            raise TapeError(f"{self.path}, line {number}: {error.strerror or error}") from error


def _line(text: bytes) -> Line | None:
    """Return a line; None for a last one that is cut off."""
    if len(text) > MAX_LINE_BYTES:
        raise TapeError(f"it has more than {MAX_LINE_BYTES} bytes")
    try:
        line = _line_decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        if not text.endswith(b"\n"):
            return None
        raise TapeError(f"it cannot be read: {error}") from None
    if len(line.kinds) != 1:
        raise TapeError("it is not exactly one of do, got, sent, event, note and end")
    if line.at is not None and not math.isfinite(line.at):
        raise TapeError("its time is no number of seconds")
    return line


def _version(text: bytes) -> int | None:
    """Return the version a header claims, if it is one at all."""
    try:
        claimed = msgspec.json.decode(text, type=dict[str, msgspec.Raw]).get("tape")
        return msgspec.json.decode(claimed, type=int) if claimed is not None else None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _open(path: Path) -> BinaryIO:
    """Open a regular file for reading; anything else (a pipe, a device) could block or never end."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        number = os.open(path, flags)
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) else error
        raise TapeError(f"{path} cannot be opened: {words}") from error
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise TapeError(f"{path} is no file")
    return os.fdopen(number, "rb")

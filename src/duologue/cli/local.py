"""The embedded emulator: its own process, started for one call and gone with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

from duologue.errors import ConnectError, LinkLost

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncGenerator

__all__ = ["LocalEmulator", "LocalOptions", "local_emulator"]

_READY_WITHIN_S: Final = 60.0
_GRACE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class LocalOptions:
    """What the emulator is told on its command line; None leaves it to the emulator."""

    profile: str | None = None
    brain: str | None = None
    voice: str | None = None

    @property
    def arguments(self) -> tuple[str, ...]:
        """The command line's options."""
        named = {"--profile": self.profile, "--brain": self.brain, "--voice": self.voice}
        return tuple(part for name, value in named.items() if value is not None for part in (name, value))


@dataclass(frozen=True, slots=True)
class LocalEmulator:
    """A running one."""

    url: str
    pid: int


@asynccontextmanager
async def local_emulator(options: LocalOptions) -> AsyncGenerator[LocalEmulator]:
    """Start an emulator on a free port of loopback; end it on leaving.

    It is out of reach of the terminal's Ctrl-C, so that the call can say goodbye first, and ends by
    itself should this process be killed.

    Raises:
        ConnectError: It did not get ready; carries what it said last.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "duologue.cli.leash", "emulator", *options.arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=complaints,
            start_new_session=True,
        )
        try:
            yield await _ready(process, complaints)
        except LinkLost as error:
            if not (said := _last_words(complaints)):
                raise
            raise LinkLost(
                f"{error}; the emulator said: {said}", code=error.code, reason=error.reason
            ) from error
        finally:
            await _end(process)


async def _ready(process: Process, complaints: IO[str]) -> LocalEmulator:
    assert process.stdout is not None
    line = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_READY_WITHIN_S):
            line = await process.stdout.readline()
    try:
        ready = json.loads(line)
        return LocalEmulator(str(ready["url"]), int(ready["pid"]))
    except (ValueError, KeyError, TypeError):
        what = _last_words(complaints) or f"it was not ready within {_READY_WITHIN_S:g} s"
        raise ConnectError(f"the local emulator did not start: {what}") from None


def _last_words(complaints: IO[str]) -> str:
    complaints.seek(0)
    last = " ".join(complaints.read().split("\n")[-2:]).strip()
    return re.sub(r"^duologue: | \[phase [^\]]*\]$", "", last)


async def _end(process: Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    try:
        async with asyncio.timeout(_GRACE_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()

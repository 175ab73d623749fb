"""The relay benchmark: what a session costs, beside a bare loop on the same library in the same run.

Everything here runs in the parent; the load server and every single measurement are processes of their
own, ours and bare in turn, so that neither inherits the other's heap or warm caches. CPU time is user
and system of the measuring process alone.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from duologue.bench.loops import loop_name
from duologue.bench.relayclient import ClientPlan
from duologue.errors import ConfigError, DuologueError
from duologue.io.ws import available_libraries

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

__all__ = ["REAL_TIME", "BenchError", "RelayFigures", "RelayPlan", "measure_relay"]

REAL_TIME = 0.95
"""Sound a second, each way, below which a session did not keep up and the figure does not count."""
_ALLOWANCE_S = 60.0
_ATTEMPTS = 3


class BenchError(DuologueError):
    """A measurement could not be made: a process of it failed or did not get through."""


Kind = Literal["session", "bare"]
Library = Literal["websockets", "picows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayPlan:
    """What to measure.

    Args:
        sessions: At once, 1..1000.
        seconds: Of each measurement, 1 or more, after a second of warm-up.
        rounds: Measurements of each kind; the median counts.
        library: One library only; None measures every one that is installed.
        loop: ``auto`` is uvloop where it is installed, for ours and bare alike.

    Raises:
        ConfigError: A number out of range, or a library or loop that is not installed.
    """

    sessions: int = 100
    seconds: float = 4.0
    rounds: int = 5
    library: str | None = None
    loop: str = "auto"

    def __post_init__(self) -> None:
        loop_name(self.loop)
        if not 1 <= self.sessions <= 1000:
            raise ConfigError(f"{self.sessions} sessions cannot be measured; give 1 to 1000")
        if not self.seconds >= 1 or not self.rounds >= 1:
            raise ConfigError("a measurement takes at least 1 second and 1 round")
        installed = available_libraries()
        if self.library is not None and self.library not in installed:
            raise ConfigError(
                f"the WebSocket library {self.library!r} is not installed; there are: {', '.join(installed)}"
            )

    @property
    def libraries(self) -> list[Library]:
        """What is measured, ``websockets`` first."""
        names = [self.library] if self.library else sorted(available_libraries(), reverse=True)
        return cast("list[Library]", names)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayFigures:
    """What came out, for one library; medians over the rounds."""

    library: str
    sessions: int
    seconds: float
    cpu_ms_per_session_s: float
    """CPU milliseconds of the client's process for one second of one session."""
    bare_cpu_ms_per_session_s: float
    ratio: float
    rounds: int
    cpu_ms_rounds: tuple[float, ...]
    bare_cpu_ms_rounds: tuple[float, ...]
    kept_real_time: bool
    """Whether every session of every round got and gave its sound at the rate of time."""
    downlink_rate_min: float
    uplink_rate_min: float
    server_cpu_share: float
    """Of one core, the most that the load server used in any round; near 1 it was the bottleneck."""
    server_late_ms_max: float
    """The latest a message left the load server."""
    loop: str
    tls: bool = True
    load: str = "a session: 20 messages a second up, 30 down"


def measure_relay(plan: RelayPlan, progress: Callable[[str], None]) -> Iterator[RelayFigures]:
    """Measure each library in turn; yields its figures as soon as they are there.

    Args:
        plan: What to measure.
        progress: Told one line after every measurement.

    Raises:
        BenchError: A process failed; carries the last line it wrote.
    """
    for library in plan.libraries:
        with _load_server() as server:
            rounds: dict[Kind, list[dict[str, Any]]] = {"bare": [], "session": []}
            for number in range(plan.rounds):
                for kind, results in rounds.items():
                    name = f"{library} round {number + 1}/{plan.rounds} {kind}"
                    results.append(_measure(plan, library, kind, server, partial(_prefixed, progress, name)))
        yield _figures(plan, library, rounds["session"], rounds["bare"])


def _figures(
    plan: RelayPlan, library: Library, ours: list[dict[str, Any]], bare: list[dict[str, Any]]
) -> RelayFigures:
    every = ours + bare
    own_ms = [one["cpu_ms_per_session_s"] for one in ours]
    bare_ms = [one["cpu_ms_per_session_s"] for one in bare]
    down, up = (min(one[key] for one in every) for key in ("downlink_rate_min", "uplink_rate_min"))
    return RelayFigures(
        library=library,
        sessions=plan.sessions,
        seconds=plan.seconds,
        cpu_ms_per_session_s=round(statistics.median(own_ms), 3),
        bare_cpu_ms_per_session_s=round(statistics.median(bare_ms), 3),
        ratio=round(statistics.median(own_ms) / statistics.median(bare_ms), 3),
        rounds=plan.rounds,
        cpu_ms_rounds=tuple(round(ms, 3) for ms in own_ms),
        bare_cpu_ms_rounds=tuple(round(ms, 3) for ms in bare_ms),
        kept_real_time=min(down, up) >= REAL_TIME,
        downlink_rate_min=round(down, 3),
        uplink_rate_min=round(up, 3),
        server_cpu_share=round(max(one["cpu_share"] for one in every), 3),
        server_late_ms_max=round(max(one["late_ms_max"] for one in every), 1),
        loop=loop_name(plan.loop),
    )


class _Server:
    """The load server's process, asked over its standard streams."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        ready = self._read()
        self.url: str = ready["url"]
        self.ca_file: str = ready["ca_file"]

    def report(self) -> dict[str, Any]:
        """Return what the server saw since the last call."""
        assert self._process.stdin is not None
        self._process.stdin.write("report\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchError("the load server ended by itself")
        return cast("dict[str, Any]", json.loads(line))


@contextmanager
def _load_server() -> Generator[_Server]:
    process = subprocess.Popen(
        [sys.executable, "-m", "duologue.bench.loadserver"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:  # leaving closes its stdin, which ends it
        yield _Server(process)


def _prefixed(progress: Callable[[str], None], name: str, line: str) -> None:
    progress(f"{name}: {line}")


def _measure(
    plan: RelayPlan, library: Library, kind: Kind, server: _Server, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Measure once; again when some session fell behind, since then something else had the processor."""
    figures: dict[str, Any] = {}
    for _ in range(_ATTEMPTS):
        figures = _measure_once(plan, library, kind, server)
        down, up = figures["downlink_rate_min"], figures["uplink_rate_min"]
        progress(f"{figures['cpu_ms_per_session_s']:.2f} ms a session-second")
        if min(down, up) >= REAL_TIME:
            break
        progress(f"behind real time ({down:.2f} down, {up:.2f} up)")
    return figures


def _measure_once(plan: RelayPlan, library: Library, kind: Kind, server: _Server) -> dict[str, Any]:
    client = ClientPlan(
        kind=kind,
        library=library,
        loop=loop_name(plan.loop),
        sessions=plan.sessions,
        seconds=plan.seconds,
        url=server.url,
        ca_file=server.ca_file,
    )
    server.report()  # forget what was before
    try:
        done = subprocess.run(  # noqa: S603 -- our own module under our own interpreter
            [sys.executable, "-m", "duologue.bench.relayclient", msgspec.json.encode(client).decode()],
            capture_output=True,
            text=True,
            timeout=plan.seconds + _ALLOWANCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"{plan.sessions} {kind} clients on {library} did not get through") from None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no word why"])[-1]
        raise BenchError(f"{plan.sessions} {kind} clients on {library} failed: {last}")
    return {**server.report(), **json.loads(done.stdout)}

"""Run slow or fragile work (speech) in a child process, from asyncio, without ever stalling the loop.

Read this to see what crosses the border and what happens when a child dies. A :class:`Worker` is one
child that does one job at a time. It is started by ``sys.executable -c``, not by ``multiprocessing``:
the caller's main module is never imported again (a script without ``if __name__ == "__main__"`` is
safe), nothing is forked from a process that has threads, and nothing is pickled. A frame is two
lengths, a JSON object and raw bytes (the sound).

The child ignores Ctrl-C, keeps standard output for frames only (whatever a library prints goes to
standard error) and ends as soon as its standard input closes, so it cannot outlive its parent,
however that one ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from duologue import errors
from duologue.emulator.worker_child import LENGTHS, READY_ID, Answer, Handler, frame
from duologue.errors import DuologueError, QueueFull, SessionClosed

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Coroutine, Mapping

__all__ = ["Answer", "Handler", "Worker", "WorkerError"]

_GRACE_S = 2.0
_BOOT = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from duologue.emulator.worker_child import child_main; child_main(sys.argv[2], sys.argv[3])"
)


class WorkerError(DuologueError):
    """The child process died, did not answer in time, or could not do the job (the message says which)."""

    _default_retryable = True


@dataclass(frozen=True, slots=True)
class _Spec:
    name: str
    factory: str
    options: str
    start_timeout_s: float
    call_timeout_s: float


class Worker:
    """One child process that loads something big once and then does jobs, one at a time.

    It starts at the first job, or earlier in the background by :meth:`warm`. When the child dies
    during a job, a new one is started and the job is given to it once more; dying again raises
    :class:`WorkerError` to that one caller, and the next job starts a fresh child. A cancelled
    caller's job is finished by the child and its answer dropped; jobs still waiting never reach it.

    It belongs to the event loop in which it was first used. It doesn't run jobs in parallel: use
    several workers for that.

    Args:
        factory: ``"package.module:function"``; the function is called in the child with ``options``
            as keywords and returns a :data:`Handler`.
        options: JSON-able keywords for the factory.
        name: What error messages call it.
        max_waiting: How many jobs may wait or run; one more raises ``QueueFull``.
        start_timeout_s: How long starting and loading may take.
        call_timeout_s: How long one job may take; then the child is killed.
        renew_after_jobs: Replace the child after so many jobs, for a library that leaks; the new one
            is started beside the old one, so nobody waits for it. None: never.
    """

    def __init__(
        self,
        factory: str,
        options: Mapping[str, Any] | None = None,
        *,
        name: str = "worker",
        max_waiting: int = 256,
        start_timeout_s: float = 120.0,
        call_timeout_s: float = 120.0,
        renew_after_jobs: int | None = None,
    ) -> None:
        self._spec = _Spec(name, factory, json.dumps(dict(options or {})), start_timeout_s, call_timeout_s)
        self._max_waiting = max_waiting
        self._renew_after_jobs = renew_after_jobs
        self._waiting = 0
        self._jobs = 0
        self._turn = asyncio.Lock()
        self._start = asyncio.Lock()
        self._link: _Link | None = None
        self._background: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The child's process id while one runs, else None."""
        link = self._link
        return link.process.pid if link is not None and link.alive else None

    def warm(self) -> None:
        """Start the child in the background; return at once. What goes wrong is told to the first job.

        Raises:
            RuntimeError: No event loop is running.
        """
        if self._link is None:
            self._in_background(self._warm())

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        if self._closed or (self._background is not None and not self._background.done()):
            work.close()
            return
        self._background = asyncio.get_running_loop().create_task(work, name=f"start {self._spec.name}")

    async def _warm(self) -> None:
        with contextlib.suppress(DuologueError):
            await self.started()

    async def _renew(self) -> None:
        with contextlib.suppress(DuologueError):
            fresh = await _open_link(self._spec)
            try:
                async with self._turn:
                    old, self._link = self._link, fresh
            except BaseException:
                await fresh.aclose()
                raise
            if old is not None:
                await old.aclose()

    async def started(self) -> dict[str, Any]:
        """Start the child if none runs and wait until it has loaded; return its figures.

        Raises:
            WorkerError: It died or took longer than ``start_timeout_s``.
            SessionClosed: :meth:`aclose` was called before.
            DuologueError: Whatever the factory raised of that tree (``ConfigError`` for a missing model).
        """
        return (await self._ready_link()).info

    async def call(self, params: Mapping[str, Any], blob: bytes = b"") -> Answer:
        """Do one job in the child and return its answer; callers are served in order.

        Raises:
            QueueFull: ``max_waiting`` jobs are waiting already.
            WorkerError: The child died twice over this job, took too long, or the job itself failed.
            SessionClosed: The worker is closed.
        """
        if self._waiting >= self._max_waiting:
            raise QueueFull(
                f"{self._spec.name} has {self._waiting} jobs waiting already; speak to it more slowly"
            )
        self._waiting += 1
        try:
            async with self._turn:
                return await self._call_twice(dict(params), blob)
        finally:
            self._waiting -= 1
            self._jobs += 1
            if self._renew_after_jobs is not None and self._jobs % self._renew_after_jobs == 0:
                self._in_background(self._renew())

    async def _call_twice(self, params: dict[str, Any], blob: bytes) -> Answer:
        try:
            return await (await self._ready_link()).call(params, blob)
        except _ChildEndedError:
            pass
        try:
            return await (await self._ready_link()).call(params, blob)
        except _ChildEndedError as gone:
            raise WorkerError(f"{self._spec.name} died twice over the same job ({gone})") from None

    async def _ready_link(self) -> _Link:
        async with self._start:
            if self._closed:
                raise SessionClosed(f"{self._spec.name} is closed")
            if self._link is not None and not self._link.alive:
                await self._link.aclose()
                self._link = None
            if self._link is None:
                self._link = await _open_link(self._spec)
            return self._link

    async def aclose(self) -> None:
        """End the child and wait for it; idempotent, never raises. Jobs under way raise ``WorkerError``."""
        self._closed = True
        if self._background is not None:
            self._background.cancel()
            await asyncio.wait([self._background])
        async with self._start:
            link, self._link = self._link, None
        if link is not None:
            await link.aclose()


class _ChildEndedError(Exception):
    """The child ended while an answer was due."""


async def _open_link(spec: _Spec) -> _Link:
    if not sys.executable:
        raise WorkerError(f"{spec.name} needs sys.executable to start its process; it is empty here")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _BOOT,
        json.dumps(sys.path),
        spec.factory,
        spec.options,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # a terminal's Ctrl-C reaches the parent only, which then closes us
    )
    link = _Link(process, spec)
    try:
        await link.wait_ready()
    except BaseException:
        await link.aclose()
        raise
    return link


class _Link:
    """One running child: its pipes, and the answers due from it."""

    def __init__(self, process: Process, spec: _Spec) -> None:
        self.process = process
        self.info: dict[str, Any] = {}
        self._spec = spec
        self._next_id = READY_ID + 1
        self._due: dict[int, asyncio.Future[Answer]] = {}
        self._due[READY_ID] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.get_running_loop().create_task(self._read(), name=f"read {spec.name}")

    @property
    def alive(self) -> bool:
        return not self._reader.done()

    async def wait_ready(self) -> None:
        try:
            self.info = (await asyncio.wait_for(self._due[READY_ID], self._spec.start_timeout_s)).params
        except _ChildEndedError as gone:
            raise WorkerError(f"{self._spec.name} died while starting ({gone})") from None
        except TimeoutError:
            raise WorkerError(
                f"{self._spec.name} did not start within {self._spec.start_timeout_s:g} s"
            ) from None

    async def call(self, params: dict[str, Any], blob: bytes) -> Answer:
        """Send a job once the child is idle (a cancelled caller may have left it busy); await the answer."""
        if self._due:
            await asyncio.wait(self._due.values(), timeout=self._spec.call_timeout_s)
        answer = asyncio.get_running_loop().create_future()
        if not self.alive or self.process.stdin is None:
            raise _ChildEndedError(self._exit())
        job_id, self._next_id = self._next_id, self._next_id + 1
        job = frame({"id": job_id, "params": params}, blob)  # may refuse: before an answer is due
        self._due[job_id] = answer
        self.process.stdin.write(job)
        try:
            # A shield keeps the future in place for a caller that is cancelled: the child stays busy with it.
            return await asyncio.wait_for(asyncio.shield(answer), self._spec.call_timeout_s)
        except TimeoutError:
            self._kill()
            raise WorkerError(
                f"{self._spec.name} did not answer within {self._spec.call_timeout_s:g} s"
            ) from None

    async def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            while True:
                head = await self.process.stdout.readexactly(LENGTHS.size)
                header_bytes, blob_bytes = LENGTHS.unpack(head)
                header = json.loads(await self.process.stdout.readexactly(header_bytes))
                blob = await self.process.stdout.readexactly(blob_bytes)
                self._settle(header, blob)
        except (asyncio.IncompleteReadError, ConnectionError):
            await self.process.wait()
        finally:
            gone = _ChildEndedError(self._exit())
            for answer in self._due.values():
                if not answer.done():
                    answer.set_exception(gone)
                    answer.exception()  # a cancelled caller will never look: that isn't worth a warning
            self._due.clear()

    def _settle(self, header: dict[str, Any], blob: bytes) -> None:
        answer = self._due.pop(header["id"], None)
        if answer is None or answer.done():
            return
        if "error" in header:
            answer.set_exception(_error(self._spec.name, header))
            answer.exception()
        else:
            answer.set_result(Answer(header["params"], blob))

    def _exit(self) -> str:
        code = self.process.returncode
        if code is None:
            return "it was closed"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    async def aclose(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        await asyncio.wait([self._reader], timeout=_GRACE_S)
        self._kill()
        await asyncio.wait([self._reader])
        await self.process.wait()


def _error(name: str, header: dict[str, Any]) -> DuologueError:
    """Turn what the child raised into the same class here, when it is one of ours with one argument."""
    kind = getattr(errors, str(header.get("kind")), None)
    if isinstance(kind, type) and issubclass(kind, DuologueError):
        return kind(str(header["error"]))
    return WorkerError(f"{name}: {header['error']}", retryable=False)

"""The child process: answers, order, crashes, cancellation, closing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from duologue.emulator.workers import Answer, Handler, Worker, WorkerError
from duologue.errors import ConfigError, QueueFull, SessionClosed

FACTORY = "worker_jobs:make"


@pytest.fixture(autouse=True)
def jobs_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a module of jobs on the path that the child is given."""
    (tmp_path / "worker_jobs.py").write_text(JOBS)
    monkeypatch.syspath_prepend(str(tmp_path))


JOBS = """
import os, sys, time
from pathlib import Path
from duologue.emulator.workers import Answer
from duologue.errors import ConfigError


def make(greeting="hello", fail=False, slow=None):
    if fail:
        raise ConfigError("no such model")
    print("noise on standard output")

    def handle(params, blob):
        do = params["do"]
        if do == "crash once" and not Path(params["marker"]).exists():
            Path(params["marker"]).touch()
            os._exit(3)
        if do == "crash":
            os.abort()
        if do == "raise":
            raise ValueError("bad sound")
        if do == "refuse":
            raise ConfigError("refused")
        if do == "sleep":
            time.sleep(params["seconds"])
        if do == "log":
            with Path(params["path"]).open("a") as log:
                log.write(params["line"])
        return Answer({"greeting": greeting, "pid": os.getpid()}, blob[::-1])

    return handle
"""


async def test_answers_with_objects_and_bytes() -> None:
    worker = Worker(FACTORY, {"greeting": "hi"}, name="test")
    answer = await worker.call({"do": "echo"}, b"abc" * 100_000)
    assert answer.params["greeting"] == "hi"
    assert answer.blob == b"cba" * 100_000
    assert answer.params["pid"] == worker.pid != os.getpid()
    await worker.aclose()
    assert worker.pid is None


async def test_concurrent_jobs_share_one_child_and_keep_order(tmp_path: Path) -> None:
    worker = Worker(FACTORY)
    log = tmp_path / "log"
    calls = [worker.call({"do": "log", "path": str(log), "line": f"{n} "}) for n in range(8)]
    pids = {answer.params["pid"] for answer in await asyncio.gather(*calls)}
    assert len(pids) == 1
    assert log.read_text().split() == [str(n) for n in range(8)]
    await worker.aclose()


async def test_a_crash_is_survived_once(tmp_path: Path) -> None:
    worker = Worker(FACTORY)
    before = (await worker.started())["pid"]
    answer = await worker.call({"do": "crash once", "marker": str(tmp_path / "m")}, b"ab")
    assert answer.blob == b"ba"
    assert answer.params["pid"] != before
    await worker.aclose()


async def test_a_second_crash_is_told_and_the_next_job_works() -> None:
    worker = Worker(FACTORY, name="ears")
    with pytest.raises(WorkerError, match=r"ears died twice.*SIGABRT"):
        await worker.call({"do": "crash"})
    assert (await worker.call({"do": "echo"}, b"xy")).blob == b"yx"
    await worker.aclose()


async def test_a_child_killed_between_jobs_is_replaced() -> None:
    worker = Worker(FACTORY)
    await worker.started()
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    assert (await worker.call({"do": "echo"}, b"xy")).blob == b"yx"
    await worker.aclose()


async def test_a_leaky_child_is_renewed_without_a_wait() -> None:
    worker = Worker(FACTORY, renew_after_jobs=3)
    pids = []
    for _ in range(3):
        pids.append((await worker.call({"do": "echo"})).params["pid"])
    assert len(set(pids)) == 1
    old = worker.pid
    while worker.pid == old:
        await asyncio.sleep(0.01)
    assert (await worker.call({"do": "echo"})).params["pid"] == worker.pid
    await worker.aclose()
    assert old is not None
    assert not _exists(old)


async def test_closing_while_it_renews_leaves_no_child() -> None:
    worker = Worker(FACTORY, renew_after_jobs=1)
    await worker.call({"do": "echo"})
    await asyncio.sleep(0.01)
    await worker.aclose()
    assert worker.pid is None


async def test_errors_of_the_job_keep_their_class() -> None:
    worker = Worker(FACTORY, name="ears")
    with pytest.raises(ConfigError, match="refused"):
        await worker.call({"do": "refuse"})
    with pytest.raises(WorkerError, match="ears: ValueError: bad sound") as caught:
        await worker.call({"do": "raise"})
    assert not caught.value.retryable
    await worker.aclose()


async def test_a_factory_that_fails_says_why_at_every_try() -> None:
    worker = Worker(FACTORY, {"fail": True})
    worker.warm()
    for _ in range(2):
        with pytest.raises(ConfigError, match="no such model"):
            await worker.call({"do": "echo"})
    await worker.aclose()


async def test_an_unknown_factory_is_a_typed_error() -> None:
    worker = Worker("no_such_module:make", name="ears")
    with pytest.raises(WorkerError, match="ears: ModuleNotFoundError"):
        await worker.started()
    await worker.aclose()


async def test_a_cancelled_caller_leaves_the_worker_in_order() -> None:
    worker = Worker(FACTORY)
    await worker.started()
    doomed = asyncio.create_task(worker.call({"do": "sleep", "seconds": 0.2}, b"old"))
    await asyncio.sleep(0.02)
    doomed.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doomed
    assert (await worker.call({"do": "echo"}, b"new")).blob == b"wen"
    await worker.aclose()


async def test_a_job_cancelled_while_waiting_never_runs(tmp_path: Path) -> None:
    worker = Worker(FACTORY)
    log = tmp_path / "log"
    first = asyncio.create_task(worker.call({"do": "sleep", "seconds": 0.1}))
    await worker.started()
    second = asyncio.create_task(worker.call({"do": "log", "path": str(log), "line": "ran"}))
    await asyncio.sleep(0)
    second.cancel()
    await first
    await worker.call({"do": "echo"})
    assert not log.exists()
    await worker.aclose()


async def test_too_slow_a_job_is_killed_and_told() -> None:
    worker = Worker(FACTORY, name="ears", call_timeout_s=0.2)
    with pytest.raises(WorkerError, match=r"ears did not answer within 0\.2 s"):
        await worker.call({"do": "sleep", "seconds": 30})
    assert (await worker.call({"do": "echo"}, b"xy")).blob == b"yx"
    await worker.aclose()


async def test_the_queue_is_bounded() -> None:
    worker = Worker(FACTORY, max_waiting=2)
    busy = [asyncio.create_task(worker.call({"do": "echo"})) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(QueueFull, match="2 jobs"):
        await worker.call({"do": "echo"})
    await asyncio.gather(*busy)
    await worker.aclose()


async def test_closing_fails_the_job_under_way_and_refuses_later_ones() -> None:
    worker = Worker(FACTORY)
    await worker.started()
    pid = worker.pid
    running = asyncio.create_task(worker.call({"do": "sleep", "seconds": 30}))
    await asyncio.sleep(0.02)
    began_at = time.monotonic()
    await worker.aclose()
    await worker.aclose()
    assert time.monotonic() - began_at < 1.5  # not the 30 s of the job
    with pytest.raises(SessionClosed):
        await running
    with pytest.raises(SessionClosed):
        await worker.call({"do": "echo"})
    assert pid is not None
    assert not _exists(pid)


async def test_closing_while_it_starts_leaves_no_child() -> None:
    worker = Worker(FACTORY)
    worker.warm()
    await asyncio.sleep(0.01)
    await worker.aclose()
    assert worker.pid is None


async def test_the_loop_keeps_its_pace_while_the_child_works() -> None:
    worker = Worker(FACTORY)
    await worker.started()
    job = asyncio.create_task(worker.call({"do": "sleep", "seconds": 0.2}))
    beats = 0
    while not job.done():
        await asyncio.sleep(0.01)
        beats += 1
    assert beats >= 8
    await worker.aclose()


PARENT = """
import asyncio, os, sys
from duologue.emulator.workers import Worker

async def main():
    worker = Worker("worker_jobs:make")
    print((await worker.started())["pid"], flush=True)
    await worker.call({"do": "sleep", "seconds": 60})

asyncio.run(main())  # on purpose without a __name__ guard
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_the_child_dies_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    os.kill(pid, signal.SIGINT)  # ignored: only the parent decides
    assert _exists(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline_at = time.monotonic() + 5
    while _exists(pid) and time.monotonic() < deadline_at:
        time.sleep(0.01)
    assert not _exists(pid)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie nobody reaps (its parent was killed, in a container without init) has ended all the same.
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def test_the_public_types_fit_each_other() -> None:
    def handle(params: dict[str, Any], blob: bytes) -> Answer:
        return Answer(params, blob)

    handler: Handler = handle
    assert handler({"a": 1}, b"x") == ({"a": 1}, b"x")

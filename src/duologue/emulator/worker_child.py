"""The child's side of a :class:`~duologue.emulator.workers.Worker`: load once, then do job after job.

Read this for what a factory is given and how frames look: two lengths, a JSON object, raw bytes.
Imports nothing heavy: the parts of the emulator that a factory needs come with it.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import struct
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, BinaryIO, NamedTuple, TypeAlias

from duologue.errors import DuologueError, QueueFull

__all__ = ["LENGTHS", "READY_ID", "Answer", "Handler", "child_main", "frame"]

LENGTHS = struct.Struct("<II")
"""What a frame begins with: the bytes of its JSON object and of its blob."""
READY_ID = 0
"""The id of the answer that says the child has loaded."""
_MAX_FRAME_BYTES = 512 * 1024 * 1024


class Answer(NamedTuple):
    """What a job gave back: a JSON object and raw bytes, either may be empty."""

    params: dict[str, Any]
    blob: bytes


Handler: TypeAlias = Callable[[dict[str, Any], bytes], Answer]
"""What a factory returns: called in the child, one job after another, never concurrently."""


def frame(header: dict[str, Any], blob: bytes) -> bytes:
    """Return a frame's bytes.

    Raises:
        QueueFull: It would be larger than 512 MB, which no pipe should carry.
    """
    head = json.dumps(header).encode()
    if len(head) + len(blob) > _MAX_FRAME_BYTES:
        raise QueueFull(f"a job of {len(blob)} bytes is larger than {_MAX_FRAME_BYTES}", retryable=False)
    return LENGTHS.pack(len(head), len(blob)) + head + blob


def child_main(factory: str, options: str) -> None:
    """Run the child's side: load, say ready, answer jobs until standard input closes.

    Args:
        factory: As :class:`Worker` was given it.
        options: The factory's keywords as JSON.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, sink = _take_over_pipes()
    jobs: SimpleQueue[tuple[dict[str, Any], bytes]] = SimpleQueue()
    threading.Thread(target=_listen, args=(source, jobs), daemon=True).start()
    try:
        handler = _load(factory)(**json.loads(options))
    except Exception as error:
        _reply(sink, READY_ID, error)
        return
    _reply(sink, READY_ID, Answer({"pid": os.getpid()}, b""))
    while True:
        header, blob = jobs.get()
        try:
            result: Answer | Exception = handler(header["params"], blob)
        except Exception as error:
            result = error
        _reply(sink, header["id"], result)


def _take_over_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep both pipes to ourselves: a library that reads or prints must not meet the frames."""
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return source, sink


def _listen(source: BinaryIO, jobs: SimpleQueue[tuple[dict[str, Any], bytes]]) -> None:
    """Read jobs; the parent closing the pipe (or dying) ends the process, even in the midst of a job."""
    while True:
        head = source.read(LENGTHS.size)
        if len(head) < LENGTHS.size:
            os._exit(0)
        header_bytes, blob_bytes = LENGTHS.unpack(head)
        header = json.loads(source.read(header_bytes))
        jobs.put((header, source.read(blob_bytes)))


def _load(factory: str) -> Callable[..., Handler]:
    module, _, function = factory.partition(":")
    loaded: Callable[..., Handler] = getattr(importlib.import_module(module), function)
    return loaded


def _reply(sink: BinaryIO, job_id: int, result: Answer | Exception) -> None:
    if isinstance(result, Answer):
        data = frame({"id": job_id, "params": result.params}, result.blob)
    else:
        text = str(result) if isinstance(result, DuologueError) else f"{type(result).__name__}: {result}"
        data = frame({"id": job_id, "error": text, "kind": type(result).__name__}, b"")
    try:
        sink.write(data)
        sink.flush()
    except BrokenPipeError:
        os._exit(0)

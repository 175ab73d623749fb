"""The recorder: takes a session's journal on the hot path and writes it in a thread of its own.

On the hot path an input costs a tuple in a queue; what an application could still change is written as JSON
at once, sound is not touched. A disk that is full or too slow ends the recording, never the call.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from duologue.config import Recorder
from duologue.errors import TapeError
from duologue.events import AudioOutput
from duologue.tape.format import Line
from duologue.tape.values import arguments_value, event_value
from duologue.tape.writer import TapeWriter, encode_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from duologue.core.outlet import Frame, Notice
    from duologue.core.session import SessionPlan
    from duologue.events import Event

__all__ = ["TapeRecorder", "recorder_for"]

_log = logging.getLogger("duologue.tape")

_INTERVAL_S: Final = 0.25
"""How often what waits is written: at most this much is missing from the tape of a process that was killed."""
_MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
_OVERHEAD_BYTES: Final = 200
"""What an entry weighs beside its bytes."""
_CLOSE_S: Final = 10.0

_Entry = tuple[str, Any, Any, Any]


class TapeRecorder:
    """Records one session to a tape.

    The files are created when the session is made, with mode 0600, and hold what was said and heard:
    they are biometric data. Keys, tokens and handles are not in them. Memory is bounded: when 64 MiB wait for
    the disk, the recording ends there with a warning in the log (``duologue.tape``), the session goes on.

    Args:
        path: Of the tape; ``PATH.up.pcm`` and ``PATH.down.pcm`` come beside it. None of them may exist.

    Example:
        >>> async with model.session(record=TapeRecorder("call.tape")) as session:
        ...     await session.generate_reply("Greet the caller.")
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.failure: str | None = None
        """Why the tape ends before the session, once it does."""
        self._writer: TapeWriter | None = None
        self._entries: deque[_Entry] = deque()
        self._taken_bytes = 0
        self._written_bytes = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="duologue-tape", daemon=True)

    # -- on the hot path ----------------------------------------------------------------------

    def begin(self, plan: SessionPlan, secrets: Iterable[str]) -> None:
        """Create the files and write the header.

        Raises:
            TapeError: A file is there already or cannot be created, or this recorder was used before.
        """
        if self._writer is not None:
            raise TapeError(f"{self.path} holds a session already: give every session a recorder of its own")
        try:
            self._writer = TapeWriter(self.path, plan, secrets)
        except OSError as error:
            raise TapeError(f"{self.path} cannot be written: {error.strerror or error}") from error
        self._thread.start()
        atexit.register(self.close)

    def hide(self, secret: str) -> None:
        """Take a secret that became known later, before anything that may quote it."""
        self._put("hide", secret, None, None, len(secret))

    def fed(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Take an input of the core."""
        if name == "push_audio":
            pcm = bytes(arguments["pcm"])
            self._put(name, pcm, arguments["rate_hz"], arguments["now"], len(pcm))
        elif name == "receive_frame":
            frame = arguments["frame"]
            self._put(name, frame, None, arguments["now"], len(frame))
        else:
            self._put_line(Line(at=arguments.get("now"), do=name, args=arguments_value(arguments) or None))

    def sent(self, frames: Sequence[Frame]) -> None:
        """Take frames for the service."""
        for frame in frames:
            self._put("sent", frame.data, frame.audio_ms, None, len(frame.data))

    def told(self, events: Sequence[Event | Notice]) -> None:
        """Take events."""
        for event in events:
            if type(event) is AudioOutput:
                self._put("event", event, None, None, len(event.pcm))
            else:
                self._put_line(Line(event=type(event).__name__, args=event_value(event)))

    async def aclose(self) -> None:
        """Write everything down and end; the loop goes on meanwhile. Idempotent, never raises."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Write everything down and end, from any thread. Idempotent, never raises."""
        atexit.unregister(self.close)
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)

    def _put_line(self, line: Line) -> None:
        try:
            text = encode_line(line)
        except Exception as error:  # an argument that JSON cannot hold, or somebody's object that raises
            # The core refuses such an argument before anything has changed.
            text = encode_line(
                Line(at=line.at, note=f"{line.do or line.event}: not JSON: {type(error).__name__}")
            )
        self._put("line", text, None, None, len(text))

    def _put(self, what: str, content: Any, detail: Any, at: Any, size_bytes: int) -> None:
        if self._ending.is_set() or self._writer is None:
            return
        self._taken_bytes += size_bytes + _OVERHEAD_BYTES
        if self._taken_bytes - self._written_bytes > _MAX_WAITING_BYTES:
            self._give_up("the disk is slower than the session")
            return
        self._entries.append((what, content, detail, at))

    # -- in the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        writer = self._writer
        assert writer is not None
        try:
            ended = False
            while not ended:
                ended = self._ending.wait(_INTERVAL_S)
                self._write_waiting(writer)
            if self.failure is None:
                writer.line(Line(end="closed"))
                writer.flush()
        except OSError as error:
            self._give_up(error.strerror or str(error))
        except Exception as error:  # a mistake of ours must not end the call, nor pass in silence
            self._give_up(f"{type(error).__name__}: {error}")
        finally:
            self._entries.clear()
            writer.close()

    def _write_waiting(self, writer: TapeWriter) -> None:
        size_bytes = 0
        while self._entries:
            what, content, detail, at = self._entries.popleft()
            size_bytes += len(content.pcm if what == "event" else content) + _OVERHEAD_BYTES
            match what:
                case "push_audio":
                    writer.pushed(content, detail, at)
                case "receive_frame":
                    writer.got(content, at)
                case "sent":
                    writer.sent(content, audio_ms=detail)
                case "event":
                    writer.line(Line(event=type(content).__name__, args=event_value(content)))
                case "hide":
                    writer.scrubber.hide(content)
                case _:
                    writer.encoded(content)
        writer.flush()
        self._written_bytes += size_bytes

    def _give_up(self, why: str) -> None:
        if self.failure is None:
            self.failure = why
            _log.warning("the recording to %s ends here: %s; the session goes on", self.path, why)
        self._ending.set()


def recorder_for(record: object) -> Recorder | None:
    """Return a recorder for what was given as ``record``: a path, or a recorder already.

    Raises:
        TapeError: It is neither.
    """
    if record is None:
        return None
    if isinstance(record, str | Path):
        if not str(record).strip():
            raise TapeError("record is empty; give the path of a tape")
        return TapeRecorder(record)
    if isinstance(record, Recorder):
        return record
    raise TapeError(f"record is a {type(record).__name__}; give the path of a tape, or a Recorder")

"""One call from the first sound to the last file: connects, plays the caller, records, writes."""

from __future__ import annotations

import asyncio
import contextlib
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, get_args

from duologue import events
from duologue.audio import EchoGuard, Microphone, Speaker, rms_dbfs
from duologue.cli.call_log import CallLog, CallRecord
from duologue.cli.caller import VOICED_DBFS, Caller, prepare_lines
from duologue.cli.director import Director, Stage
from duologue.cli.local import LocalOptions, local_emulator
from duologue.cli.narrator import Narrator
from duologue.cli.record import HeardSink, RecordedSource, Recorder
from duologue.cli.scene import CallerOptions, Say, Step
from duologue.cli.timeline import draw_timeline, prepare_drawing
from duologue.cli.transcript import transcript_markdown
from duologue.errors import AudioError, ConfigError
from duologue.io.auth import API_VERSION_VARIABLE
from duologue.realtime import RealtimeModel
from duologue.tape import TapeRecorder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from duologue.cli.caller import Line
    from duologue.cli.screen import Screen
    from duologue.config import AudioSink, AudioSource
    from duologue.events import Event
    from duologue.realtime import RealtimeSession

__all__ = ["CallPlan", "hold_call"]

_TAIL_S: Final = 0.2
"""Quiet at the end of the recordings, so that they do not end with a click."""


@dataclass(frozen=True, slots=True)
class CallPlan:
    """Everything that was decided before the call."""

    folder: Path
    model_options: Mapping[str, Any]
    """Keywords of ``RealtimeModel``, without key and address when ``local`` is given."""
    local: LocalOptions | None = None
    steps: tuple[Step, ...] | None = None
    """None: a microphone and a loudspeaker."""
    numbered: bool = True
    """Whether the user wrote the steps, and so knows their numbers."""
    caller: CallerOptions = field(default_factory=CallerOptions)
    echo_guard: bool = True
    """With a microphone: keep it closed while the loudspeaker plays."""
    record: Path | None = None
    """The tape to be."""


async def hold_call(plan: CallPlan, screen: Screen) -> None:
    """Hold a call and write its files, whichever way it ends.

    Cancelling it ends the call in good order; the files are written then too.

    Raises:
        DuologueError: The call could not be made, was lost, or its scene did not come about.
        AudioError: A file could not be written.
    """
    prepare_drawing()
    async with AsyncExitStack() as stack:
        lines: Mapping[Say, Line] = {}
        if plan.steps is not None:
            screen.status("preparing the caller's lines")
            lines = await prepare_lines((s for s in plan.steps if isinstance(s, Say)), plan.caller)
        options, where = dict(plan.model_options), "Gemini"
        if plan.local is not None:
            screen.status("starting the local emulator: it loads its ears and voice")
            emulator = await stack.enter_async_context(local_emulator(plan.local))
            # Its own backend, whatever the environment says of Google's.
            options |= {"vertexai": False} | options | {"api_key": "local", "base_url": emulator.url}
            os.environ.pop(API_VERSION_VARIABLE, None)  # it speaks of Google's service, not of ours
            where = "local emulator"
        model = RealtimeModel(**options)
        tape = None if plan.record is None else TapeRecorder(plan.record)
        call = _Call(plan, model.session(record=tape), screen, tape, label=(model.model, where))
        await call.run(lines)


class _Call:
    """A call that is being held: the session with everything that listens to it."""

    def __init__(
        self,
        plan: CallPlan,
        session: RealtimeSession,
        screen: Screen,
        tape: TapeRecorder | None,
        *,
        label: tuple[str, str],
    ) -> None:
        self._plan = plan
        self._session = session
        self._screen = screen
        self._tape = tape
        self._label = label
        self._loop = asyncio.get_running_loop()
        self._log = CallLog()
        self._narrator = Narrator(self._log)
        self._recorder = Recorder(plan.folder)
        self._sink = HeardSink(
            self._recorder,
            on_heard=self._log.heard,
            on_level=lambda dbfs: screen.level("model", dbfs),
            silent_partner=plan.steps is None,
        )
        for kind in get_args(events.Event):
            session.on(kind, self._observe)

    def _now(self) -> float:
        """Seconds since the loudspeaker started; 0 before that."""
        started_at = self._sink.started_at
        return max(0.0, self._loop.time() - started_at) if started_at else 0.0

    def _observe(self, event: Event) -> None:
        at_s = self._now()
        self._log.observe(event, at_s)
        self._screen.event(event, at_s)
        for line in self._narrator.lines(event, at_s):
            self._screen.line(line)

    async def run(self, lines: Mapping[Say, Line]) -> None:
        try:
            self._screen.status("connecting")
            caller = Caller(self._plan.caller)
            self._session.attach(self._sink, *self._ends(caller))
            async with self._session:
                await self._converse(caller, lines)
        finally:
            self._recorder.close()
            if self._recorder.files:
                self._finish()

    def _finish(self) -> None:
        """Write what is made of the whole call, and say what there is, even when that fails."""
        self._screen.status("writing the transcript and the timeline")
        record = self._record()
        files, notes = list(self._recorder.files), list[str]()
        if self._tape is not None:
            files.append(self._tape.path)
            if self._tape.failure is not None:
                notes.append(f"the tape ends before the call: {self._tape.failure}")
        try:
            self._write(record, files)
        except ConfigError as error:  # a package for pictures is missing: that is no reason to fail
            notes.append(str(error))
        except KeyboardInterrupt:
            notes.append("stopped while writing: what is listed here is whole")
            raise
        finally:
            self._screen.summary(_summary(record, files, notes))

    def _ends(self, caller: Caller) -> list[AudioSource | AudioSink]:
        """Return what is attached beside the recording sink: a scene's caller, or this machine's devices."""
        if self._plan.steps is not None:
            return [self._recorded(caller, None)]  # where a line's words are is known
        speaker = Speaker()
        microphone: AudioSource = Microphone()
        if self._plan.echo_guard:
            microphone = EchoGuard(microphone, speaker)
        return [speaker, self._recorded(microphone, self._spoken)]

    def _recorded(
        self, source: AudioSource, on_frame: Callable[[bytes, float, float], None] | None
    ) -> RecordedSource:
        return RecordedSource(
            source,
            self._recorder.caller,
            now=self._now,
            on_frame=on_frame,
            on_level=lambda dbfs: self._screen.level("caller", dbfs),
        )

    def _spoken(self, frame: bytes, began_at_s: float, ended_at_s: float) -> None:
        if rms_dbfs(frame) >= VOICED_DBFS:
            self._log.voice.voiced(began_at_s, ended_at_s)

    async def _converse(self, caller: Caller, lines: Mapping[Say, Line]) -> None:
        if self._plan.steps is None:
            self._screen.status("in conversation: speak; Ctrl-C ends it")
            async for _ in self._session:
                pass  # until SessionEnded: everything is heard through `on`
            ended = self._log.ended
            if ended is not None and ended.error is not None:
                raise ended.error
            return
        self._screen.status("in conversation")
        stage = Stage(self._session, self._log, self._sink, caller, lines, self._now, self._screen.typed)
        await Director(stage, numbered=self._plan.numbered).play(self._plan.steps)
        await asyncio.sleep(_TAIL_S)

    def _record(self) -> CallRecord:
        model, where = self._label
        return self._log.record(
            model=model,
            where=where,
            duration_s=self._recorder.duration_s,
            caller_levels_dbfs=tuple(self._recorder.caller.levels_dbfs),
            model_levels_dbfs=tuple(self._recorder.model.levels_dbfs),
        )

    def _write(self, record: CallRecord, files: list[Path]) -> None:
        """Write transcript and timeline; append what is written."""
        transcript, timeline = self._plan.folder / "transcript.md", self._plan.folder / "timeline.png"
        _replace(transcript, transcript_markdown(record).encode())
        files.append(transcript)
        with contextlib.suppress(OSError):  # an older call's picture must not pass for this one's
            timeline.unlink(missing_ok=True)
        if record.duration_s > 0:
            _replace(timeline, draw_timeline(record))
            files.append(timeline)


def _replace(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise AudioError(f"cannot write {path}: {error.strerror or error}") from error


def _summary(record: CallRecord, files: list[Path], notes: list[str]) -> dict[str, Any]:
    return {
        "files": [str(file) for file in files],
        "duration_s": round(record.duration_s, 3),
        "turns": record.turns,
        "latencies_ms": list(record.latencies_ms),
        "interruptions": len(record.interruptions),
        "tool_calls": [
            {"name": use.name, "arguments": dict(use.arguments), "outcome": use.outcome}
            for use in record.tools
        ],
        "problems": list(record.problems),
        "notes": notes,
    }

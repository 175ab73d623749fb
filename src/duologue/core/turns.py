"""Turns and generations: what the service really does, one named rule each.

The rules (register and evidence: ``docs/quirks.md``):

* Q-lazy-generation: a generation begins with its first content; empty messages begin nothing.
* Q-tool-splits: a blocking call ends its generation; what follows the result is the next one.
* Q-late-content: content after generationComplete is a further generation of the same turn.
* Q-interrupted-first: in a message that says ``interrupted``, everything else belongs to what was
  interrupted and is discarded.
* Q-interrupted-late: ``interrupted`` may come when all was generated, or after turnComplete, while
  the sound is still being played; or before anything was generated at all.
* Q-local-silence: after ``interrupt()`` what still comes of that turn is discarded until the service
  says ``interrupted`` or ends the turn, or the user speaks; its calls are refused, not run.
* Q-endless-turn: a turn that never completes holds nothing up.
* Q-interaction-status: a turn may be complete while the model goes on thinking and will say more.
* Q-odd-audio: a sample may be split across messages, and the last one be cut in half.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from duologue.core.generation import OUTPUT_RATE_HZ, Generation, GenerationState, heard
from duologue.errors import ProtocolError
from duologue.events import (
    AudioOutput,
    GenerationCompleted,
    GenerationCreated,
    GenerationStatus,
    Grounding,
    Interrupted,
    SessionError,
    TextOutput,
    Thought,
    TokenUsage,
    TurnCompleted,
    TurnTimings,
)
from duologue.wire.blob import audio_rate_hz, decode_base64, decoded_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Literal

    from duologue.core.outlet import Outlet
    from duologue.core.transcript import TranscriptBook
    from duologue.wire.content import Content, Part

__all__ = ["TurnBook"]


@dataclass(slots=True)
class _Turn:
    """The generations of one turn, in order, and when things happened."""

    generations: list[Generation] = field(default_factory=list[Generation])
    created_at: float | None = None
    generated_at: float | None = None
    user_stopped_at: float | None = None
    silenced: bool = False
    """The application interrupted it: what still comes of it is nobody's."""

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(g.id for g in self.generations if g.announced)


class TurnBook:
    """Follows the open turn and remembers the last one, whose sound may still be playing.

    Args:
        outlet: Receives the events.
        transcript: Ends its model items here.
        id_prefix: Begins every generation's id.
        on_begin: Called before a generation is created; returns whether the application asked for it.
        on_created: Called with its id right after.
    """

    def __init__(
        self,
        outlet: Outlet,
        transcript: TranscriptBook,
        *,
        id_prefix: str,
        on_begin: Callable[[float], bool],
        on_created: Callable[[str], None],
    ) -> None:
        self._outlet = outlet
        self._transcript = transcript
        self._prefix = id_prefix
        self._on_begin = on_begin
        self._on_created = on_created
        self._open = _Turn()
        self._last = _Turn()
        self._made = 0
        self.ordinal = 1
        self.user_stopped_at: float | None = None

    # -- what is going on ---------------------------------------------------------------------

    @property
    def current(self) -> Generation | None:
        """The generation that content belongs to, if one is running."""
        generations = self._open.generations
        if generations and generations[-1].state is not GenerationState.ENDED:
            return generations[-1]
        return None

    @property
    def is_silenced(self) -> bool:
        """Whether the application interrupted the open turn and the service has not ended it yet."""
        return self._open.silenced

    def user_speaks(self) -> None:
        """A new exchange has begun, whatever the service said of the last one (Q-endless-turn)."""
        self._open.silenced = False

    @property
    def is_open(self) -> bool:
        """Whether the open turn has any generation yet."""
        return bool(self._open.generations)

    @property
    def has_answered(self) -> bool:
        """Whether the model has begun any generation yet."""
        return self._made > 0

    def report_playhead(self, generation_id: str, played_ms: int) -> None:
        """Take a sink's measurement; unknown ids are counted, never an error."""
        for turn in (self._open, self._last):
            for generation in turn.generations:
                if generation.id == generation_id:
                    generation.played_ms = max(generation.played_ms or 0, played_ms)
                    return
        self._outlet.count("playhead_of_unknown_generation")

    # -- content ------------------------------------------------------------------------------

    def content(self, content: Content, now: float) -> None:
        """Take a ``modelTurn``: any number of parts of any kind, in order."""
        for part in content.parts or ():
            if part.inline_data is not None:
                self._sound(part, now)
            elif part.text:
                self._text(part.text, now, thought=bool(part.thought))
            else:
                self._outlet.count("parts_of_other_kinds")

    def _sound(self, part: Part, now: float) -> None:
        blob = part.inline_data
        assert blob is not None
        if not blob.data:
            return
        if not _is_our_sound(blob.mime_type):
            self._outlet.count("parts_of_other_kinds")
            return
        generation = self.begin(now)
        if generation.state is GenerationState.DISCARDING:
            self._outlet.count("discarded_audio_bytes", decoded_bytes(blob.data))
            return
        generation.produced.add("audio")
        try:
            self._whole_samples(generation, blob.data)
        except ProtocolError as error:  # spoils this part only: an end may stand in the same message
            self._outlet.count("undecodable_audio_parts")
            self._outlet.emit(SessionError(error))
            return
        if generation.first_audio_at is None:
            generation.first_audio_at = now

    def _whole_samples(self, generation: Generation, data: str) -> None:
        """Deliver the sound of a part at once, except half a sample, which waits for its other half."""
        wanted = self._outlet.wants(AudioOutput)
        size = len(generation.half) + decoded_bytes(data)
        if not wanted and not size % 2:
            generation.half = b""
            generation.audio_bytes += size
            return
        pcm = generation.half + decode_base64(data)
        whole = len(pcm) // 2 * 2
        generation.half = pcm[whole:]
        if wanted and whole:
            self._outlet.emit(AudioOutput(generation.id, pcm[:whole], generation.audio_ms))
        generation.audio_bytes += whole

    def _end_half(self, generation: Generation) -> None:
        """Deliver the byte that is left of a sample, so that nothing of the sound is missing, and say so."""
        last, generation.half = generation.half, b""
        if self._outlet.wants(AudioOutput):
            self._outlet.emit(AudioOutput(generation.id, last, generation.audio_ms))
        generation.audio_bytes += len(last)
        msg = (
            f"the sound of {generation.id} ends in half a sample ({generation.audio_bytes} bytes): "
            "its last AudioOutput holds the odd byte; leave it out when you play"
        )
        self._outlet.emit(SessionError(ProtocolError(msg, code="odd_audio")))

    def _text(self, text: str, now: float, *, thought: bool) -> None:
        generation = self.begin(now)
        if generation.state is GenerationState.DISCARDING:
            self._outlet.count("discarded_text_characters", len(text))
            return
        kind = Thought if thought else TextOutput
        generation.produced.add("thought" if thought else "text")
        if not thought:
            self._transcript.write(text)
        if self._outlet.wants(kind):
            self._outlet.emit(kind(generation.id, text))

    def transcribed(self, text: str, now: float) -> None:
        """Take words of the model's speech; they may run ahead of the sound."""
        generation = self.begin(now)
        generation.produced.add("transcript")
        self._transcript.add("model", text)  # also of a silenced one: every fragment is delivered

    def grounded(self, metadata: Mapping[str, Any]) -> None:
        """Pass search results on; an empty object (recorded) says nothing."""
        if metadata:
            generation = self.current
            self._outlet.emit(Grounding(metadata, generation.id if generation else None))

    def begin_call(self, now: float) -> Generation:
        """Return the generation that asks for a function; never one whose content is being discarded.

        Silence ends when the user speaks, before the service has ended what was silenced (Q-local-silence):
        a call that comes then is of the new exchange, and is run.
        """
        generation = self.current
        if generation is not None and generation.state is GenerationState.DISCARDING:
            self._end(generation, "interrupted")
        return self.begin(now)

    def called(self, now: float, *, blocking: bool) -> None:
        """A tool call has been entered for ``begin_call(now)``; a blocking one ends the generation."""
        generation = self.begin(now)
        generation.produced.add("call")
        if blocking:
            self._end(generation, "tool_calls")

    def begin(self, now: float) -> Generation:
        """Return the running generation, creating one when there is none (Q-lazy-generation)."""
        generation = self.current
        if generation is None:
            if self._open.silenced:
                return self._begin_unheard()
            asked_for = self._on_begin(now)
            self._made += 1
            generation = Generation(f"{self._prefix}gen-{self._made}")
            if not self._open.generations:
                self._open.created_at = now
                self._open.user_stopped_at, self.user_stopped_at = self.user_stopped_at, None
            self._open.generations.append(generation)
            self._outlet.emit(GenerationCreated(generation.id, user_initiated=asked_for))
            self._on_created(generation.id)
        if generation.state is GenerationState.CREATED:
            generation.machine.to(GenerationState.STREAMING)
        return generation

    def _begin_unheard(self) -> Generation:
        generation = Generation("", announced=False)
        generation.silenced_at_ms = 0
        generation.machine.to(GenerationState.DISCARDING)
        self._open.generations.append(generation)
        return generation

    # -- ends ---------------------------------------------------------------------------------

    def generation_complete(self, now: float) -> None:
        """The service has produced all of it; playback may go on for long."""
        self._open.generated_at = now
        generation = self.current
        if generation is not None:
            self._end(generation, "completed")

    def turn_complete(
        self, now: float, usage: TokenUsage | None, reason: str | None, status: str | None = None
    ) -> None:
        """The service has ended the turn: at most one TurnCompleted, whatever was in it.

        Its status may say that more follows (Q-interaction-status): what does is a turn of its own.
        """
        generation = self.current
        if generation is not None:
            self._end(generation, "completed")
        turn = self._open
        heard_ms, estimated = heard(turn.generations, now)
        self._transcript.end("model")
        self._outlet.emit(
            TurnCompleted(turn.ids, usage, heard_ms, estimated, self._timings(turn, now), reason, status)
        )
        if turn.generations:  # an empty turn does not hide the sound of the one before it
            self._last = turn
        self._open = _Turn()
        self.ordinal += 1

    def interrupt(self, now: float, *, by: Literal["service", "application"]) -> bool:
        """Silence what is being said; return whether there was anything.

        Called by the service's mark or by the application. Every generation is interrupted once.
        """
        self._open.silenced = by == "application" and self.is_open
        fresh = [g for g in (*self._sounding(self._last, now), *self._open.generations) if not g.interrupted]
        if not fresh:
            if by == "service" and not self._open.generations:
                self._outlet.emit(Interrupted((), by, 0, heard_ms_estimated=True))
            self._close_discarded(by)
            return False
        heard_ms, estimated = heard(fresh, now)
        for generation in fresh:
            generation.silenced_at_ms = generation.heard(now)[0]
            if generation.half:
                generation.half = b""
                self._outlet.count("discarded_audio_bytes")
        self._outlet.emit(Interrupted(tuple(g.id for g in fresh), by, heard_ms, estimated))
        if all(generation.state is GenerationState.ENDED for generation in fresh):
            self._transcript.mark_interrupted()
        for generation in fresh:
            self._cut(generation, by)
        return True

    def lose(self) -> None:
        """The link is gone and with it what was being generated."""
        generation = self.current
        if generation is not None:
            self._end(generation, "lost")
        self._transcript.end("model")

    @staticmethod
    def _sounding(turn: _Turn, now: float) -> list[Generation]:
        """What of a turn that the service has ended is still being played."""
        return [g for g in turn.generations if not g.interrupted and g.heard(now)[0] < g.audio_ms]

    def _cut(self, generation: Generation, by: Literal["service", "application"]) -> None:
        if generation.state is GenerationState.ENDED:
            return
        if by == "application":
            generation.machine.to(GenerationState.DISCARDING)
            self._outlet.emit(GenerationCompleted(generation.id, "interrupted", generation.audio_ms))
        else:
            self._end(generation, "interrupted")

    def _close_discarded(self, by: Literal["service", "application"]) -> None:
        """The service confirms an interruption of ours."""
        generation = self.current
        if by == "service" and generation is not None and generation.state is GenerationState.DISCARDING:
            self._end(generation, "interrupted")

    def _end(self, generation: Generation, status: GenerationStatus) -> None:
        told = generation.state is GenerationState.DISCARDING
        if generation.half:
            self._end_half(generation)
        generation.machine.to(GenerationState.ENDED)
        self._transcript.end("model", interrupted=generation.interrupted)
        if told:
            return
        if (
            status == "completed"
            and generation.produced <= {"call", "thought"}
            and "call" in generation.produced
        ):
            status = "tool_calls"
        self._outlet.emit(GenerationCompleted(generation.id, status, generation.audio_ms))

    @staticmethod
    def _timings(turn: _Turn, now: float) -> TurnTimings:
        first = [g.first_audio_at for g in turn.generations if g.first_audio_at is not None]
        return TurnTimings(
            user_stopped_at=turn.user_stopped_at,
            created_at=turn.created_at,
            first_audio_at=min(first) if first else None,
            generated_at=turn.generated_at,
            completed_at=now,
        )


def _is_our_sound(mime_type: str) -> bool:
    """Tell whether a part is PCM at the one rate there is; Vertex leaves the rate out (recorded)."""
    kind = mime_type.partition(";")[0].strip().lower()
    return kind in ("audio/pcm", "audio/l16") and audio_rate_hz(mime_type, OUTPUT_RATE_HZ) == OUTPUT_RATE_HZ

"""What the caller says, from sound to words: activities, transcriptions asked early, words in order.

Read this for when a transcription is asked. It is asked on speculation as soon as the caller pauses and
thrown away if speech goes on, so that after the required silence the words are already there.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from duologue.emulator.rules.hearing import Heard, Hearing, SpeechEnded, SpeechPaused, SpeechResumed
from duologue.emulator.rules.resample import TARGET_RATE_HZ
from duologue.emulator.rules.words import clean

if TYPE_CHECKING:
    from duologue.emulator.rules.askbook import AskBook

__all__ = ["Listening", "Utterance"]

_MISSING_AUDIO_S = 1.0
"""How much longer than the required silence no sound may arrive before an open activity is ended."""


@dataclass(slots=True)
class Utterance:
    """One stretch of the caller's speech on its way to words."""

    ask_id: int | None = None
    words: str | None = None
    """None until told; "" when there were none or the ears failed."""
    seconds: float = 0.0
    failed: bool = False


class Listening:
    """Follows what was heard; keeps utterances in the order in which they were said.

    Args:
        hearing: The activity machine.
        asks: Where the ears are asked.
    """

    def __init__(self, hearing: Hearing, asks: AskBook) -> None:
        self.hearing = hearing
        self._asks = asks
        self._present: Utterance | None = None
        self._ended: deque[Utterance] = deque()
        self._last_audio_at = 0.0

    @property
    def is_user_quiet(self) -> bool:
        """Whether nobody speaks and nothing that was said waits for its words."""
        return not self.hearing.is_open and not self._ended

    def note_audio(self, now: float) -> None:
        """Remember that sound arrived."""
        self._last_audio_at = now

    def follow(self, heard: Heard, now: float) -> None:
        """Ask for words, or throw an ask away, as an event of the activity demands."""
        match heard:
            case SpeechPaused():
                self._speculate(heard.pcm, now)
            case SpeechResumed():
                if self._present is not None:
                    self._asks.cancel(self._present.ask_id)
                self._present = None
            case SpeechEnded():
                if self._present is None:
                    self._speculate(heard.pcm, now)
                if self._present is not None:
                    self._present.seconds = len(heard.pcm) / 2 / TARGET_RATE_HZ
                    self._ended.append(self._present)
                self._present = None
            case _:
                self._present = None

    def told(self, ask_id: int, words: str, *, failed: bool = False) -> None:
        """Take the words of an utterance; nothing if the ask was another's."""
        for utterance in (self._present, *self._ended):
            if utterance is not None and utterance.ask_id == ask_id:
                utterance.words = clean(" ".join(words.split()))
                utterance.failed = failed

    def finished(self) -> list[Utterance]:
        """Return, once, the utterances that are over and have their words, oldest first."""
        ready: list[Utterance] = []
        while self._ended and self._ended[0].words is not None:
            ready.append(self._ended.popleft())
        return ready

    def next_deadline(self) -> float | None:
        """Return when an open activity is taken to be over because no sound arrives any more."""
        if self.hearing.is_manual or not self.hearing.is_open:
            return None
        return self._last_audio_at + self.hearing.silence_s + _MISSING_AUDIO_S

    def _speculate(self, pcm: bytes, now: float) -> None:
        if pcm:
            self._present = Utterance(ask_id=self._asks.transcribe(pcm, now))
        else:
            self._present = Utterance(words="")

"""One reply being spoken: clauses asked from the voice, sound cut into messages, words ahead of it.

Read this for pacing. Sound leaves faster than it plays; a playhead assumes that the client plays it at
real time from the first message on, and knows at any instant how much has been heard.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from duologue.emulator.rules.outlet import OUTPUT_RATE_HZ, Outlet
from duologue.emulator.rules.words import clauses, clean, leading_words, output_fragments

if TYPE_CHECKING:
    from duologue.emulator.profiles import EmulatedProfile
    from duologue.emulator.rules.askbook import AskBook
    from duologue.emulator.rules.service import Service

__all__ = ["Playhead", "Speech"]

_BYTES_PER_S = OUTPUT_RATE_HZ * 2
_WORDS_AHEAD_S = 0.7
_SENTENCE_GAP_S = 0.2
_CLAUSE_GAP_S = 0.08


class Playhead:
    """How much of a turn's sound has been sent, and how much of that has been heard by now."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.sent_s = 0.0
        self.ends_at = -math.inf
        """When what was sent will have been played."""

    def queue(self, seconds: float, at: float) -> None:
        """Note that sound was sent at ``at``."""
        self.sent_s += seconds
        if self._service.playback == "paced":
            self.ends_at = max(self.ends_at, at) + seconds / self._service.time_scale

    def is_sounding(self, now: float) -> bool:
        """Tell whether the client is assumed to be playing."""
        return self.ends_at > now

    def heard_s(self, now: float) -> float:
        """Return how many seconds have been played; all that was sent when playback is not assumed."""
        return self.sent_s - max(self.ends_at - now, 0.0) * self._service.time_scale


@dataclass(slots=True)
class _Clause:
    text: str
    ask_id: int | None = None
    pcm: bytes | None = None
    voiced_bytes: int = 0
    """Of ``pcm``, without the gap behind it."""
    sent_bytes: int = 0
    fragments: deque[tuple[float, str]] = field(default_factory=deque[tuple[float, str]])
    """Words not yet sent, each with the byte of the sound at which it is heard."""

    def take_sound(self, pcm: bytes, voiced_bytes: int, *, leading_blank: bool, with_words: bool) -> None:
        self.pcm = pcm
        self.voiced_bytes = min(voiced_bytes, len(pcm))
        if not with_words:
            return
        at = 0
        for piece in output_fragments(self.text):
            spaced = f" {piece}" if leading_blank and at == 0 else piece
            self.fragments.append((at / len(self.text) * self.voiced_bytes, spaced))
            at += len(piece)

    def due_words(self, ahead_bytes: int) -> list[str]:
        words: list[str] = []
        while self.fragments and self.fragments[0][0] <= self.sent_bytes + ahead_bytes:
            words.append(self.fragments.popleft()[1])
        return words


class Speech:
    """The spoken part of one reply.

    Args:
        text: What to say; white space is folded.
        profile: Sizes and shapes of the messages.
        service: Speed.
        outlet: Where messages go.
        asks: Where the voice is asked.
        playhead: Of the whole turn.
        with_words: Whether the setup asked for output transcription.
        limit_s: Sound beyond this many seconds of the turn is not made (maxOutputTokens).
    """

    def __init__(
        self,
        text: str,
        *,
        profile: EmulatedProfile,
        service: Service,
        outlet: Outlet,
        asks: AskBook,
        playhead: Playhead,
        with_words: bool,
        limit_s: float = math.inf,
    ) -> None:
        self._profile = profile
        self._service = service
        self._outlet = outlet
        self._asks = asks
        self._playhead = playhead
        self._with_words = with_words
        self._limit_s = limit_s
        self._clauses = [_Clause(clause) for clause in clauses(clean(text))]
        self._begins_at_s = playhead.sent_s
        self._at = 0  # the clause being sent
        self._planned_at = -math.inf  # when the next message may leave
        self._messages = 0

    @property
    def text(self) -> str:
        """All of it."""
        return " ".join(clause.text for clause in self._clauses)

    @property
    def is_sent(self) -> bool:
        """Whether nothing is left to be sent."""
        return self._at == len(self._clauses)

    def start(self, now: float) -> None:
        """Ask for the first clause."""
        self._ask_for(0, now)

    def owns(self, ask_id: int) -> bool:
        """Tell whether this ask was made here."""
        return any(clause.ask_id == ask_id for clause in self._clauses)

    def spoken(self, ask_id: int, pcm: bytes, now: float) -> None:
        """Take the sound of a clause (s16le mono 24 kHz)."""
        index = next(i for i, clause in enumerate(self._clauses) if clause.ask_id == ask_id)
        clause = self._clauses[index]
        voiced_bytes = len(pcm) & ~1
        sound = pcm[:voiced_bytes]
        if index + 1 < len(self._clauses):
            gap_s = _SENTENCE_GAP_S if clause.text.endswith((".", "!", "?")) else _CLAUSE_GAP_S
            sound += bytes(_whole_samples(gap_s))
        room = _whole_samples(self._limit_s - self._made_s())
        if len(sound) >= room:
            sound = sound[:room]
            del self._clauses[index + 1 :]
        clause.take_sound(sound, voiced_bytes, leading_blank=index > 0, with_words=self._with_words)
        if index == self._at:
            self._planned_at = max(self._planned_at, now)
            self._ask_for(index + 1, now)

    def pump(self, now: float) -> None:
        """Send every message that is due."""
        while not self.is_sent:
            clause = self._clauses[self._at]
            if clause.pcm is None or self._planned_at > now:
                return
            self._send_next(clause, clause.pcm)
            if clause.sent_bytes >= len(clause.pcm):
                self._next_clause(now)

    def next_deadline(self) -> float | None:
        """Return when the next message is due; None while the voice is awaited."""
        return None if self.is_sent or self._clauses[self._at].pcm is None else self._planned_at

    def heard_text(self, now: float) -> str:
        """Return the words that have been played by now."""
        left = self._playhead.heard_s(now) - self._begins_at_s
        heard: list[str] = []
        for clause in self._clauses[: self._at + 1]:
            if clause.pcm is None or left <= 0:
                break
            voiced_s = clause.voiced_bytes / _BYTES_PER_S
            heard.append(leading_words(clause.text, left / voiced_s if voiced_s else 1.0))
            left -= len(clause.pcm) / _BYTES_PER_S
        return " ".join(words for words in heard if words).strip()

    def cancel(self) -> None:
        """Take back what the voice was asked for."""
        for clause in self._clauses:
            self._asks.cancel(clause.ask_id)

    def _send_next(self, clause: _Clause, pcm: bytes) -> None:
        words = clause.due_words(_whole_samples(_WORDS_AHEAD_S))
        chunk_ms = self._profile.chunk_ms[self._messages % len(self._profile.chunk_ms)]
        size = _whole_samples(chunk_ms / 1000)
        end = clause.sent_bytes + size
        if len(pcm) - end < size // 2:
            end = len(pcm)  # no crumbs
        piece = pcm[clause.sent_bytes : end]
        if end == len(pcm):
            words += clause.due_words(len(pcm))
        if not piece:
            for word in words:
                self._outlet.output_transcription(word)
            return
        self._messages += 1
        self._outlet.audio(piece, words)
        seconds = len(piece) / _BYTES_PER_S
        self._playhead.queue(seconds, self._planned_at)
        self._planned_at += seconds / (self._service.audio_speed * self._service.time_scale)
        clause.sent_bytes = end

    def _next_clause(self, now: float) -> None:
        self._at += 1
        if self.is_sent:
            return
        if self._clauses[self._at].pcm is not None:
            self._ask_for(self._at + 1, now)

    def _ask_for(self, index: int, now: float) -> None:
        if index < len(self._clauses) and self._clauses[index].ask_id is None:
            self._clauses[index].ask_id = self._asks.speak(self._clauses[index].text, now)

    def _made_s(self) -> float:
        made = sum(len(clause.pcm) for clause in self._clauses if clause.pcm is not None)
        return self._begins_at_s + made / _BYTES_PER_S


def _whole_samples(seconds: float) -> int:
    """Return the bytes of so much sound; a very large number for infinity."""
    return 2**62 if math.isinf(seconds) else max(round(seconds * OUTPUT_RATE_HZ), 0) * 2

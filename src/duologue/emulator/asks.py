"""The seam between the emulator's pure rules and everything that takes time.

Rules *ask* and are later *told*, in any order; an ask whose answer is no longer wanted is cancelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duologue.emulator.protocols import Prompt, Reply

__all__ = [
    "Ask",
    "Cancel",
    "Close",
    "Failed",
    "Speak",
    "Spoken",
    "Think",
    "Thought",
    "Told",
    "Transcribe",
    "Transcribed",
]


@dataclass(frozen=True, slots=True)
class Transcribe:
    """Ask the ears for the words in an utterance."""

    ask_id: int
    pcm: bytes
    """s16le mono 16 kHz."""


@dataclass(frozen=True, slots=True)
class Think:
    """Ask the brain for the next reply."""

    ask_id: int
    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Speak:
    """Ask the voice for the sound of one clause."""

    ask_id: int
    text: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """The answer to this ask is no longer wanted; one that comes all the same is ignored."""

    ask_id: int


@dataclass(frozen=True, slots=True)
class Transcribed:
    """The ears' answer."""

    ask_id: int
    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """The brain's answer."""

    ask_id: int
    reply: Reply


@dataclass(frozen=True, slots=True)
class Spoken:
    """The voice's answer."""

    ask_id: int
    pcm: bytes
    """s16le mono 24 kHz."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A part could not answer (a worker died, an endpoint refused)."""

    ask_id: int
    why: str


@dataclass(frozen=True, slots=True)
class Close:
    """How the rules want the socket closed; the reason is cut to 123 bytes of UTF-8 by the door."""

    code: int
    reason: str = ""


Ask = Transcribe | Think | Speak | Cancel
Told = Transcribed | Thought | Spoken | Failed

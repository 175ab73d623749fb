"""What the emulator asks of its parts: ears, voice and brain.

Read this to plug in your own. The rules *ask* (transcribe this, think about that, speak this) and
are *told* the answer later, so every method here may take its time and may live in another process.
A :class:`Detector` alone is called in line, once per window of sound, and must be quick.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Brain", "Call", "Detector", "Ears", "Entry", "Prompt", "Reply", "ToolSpec", "Voice"]


@runtime_checkable
class Detector(Protocol):
    """Tells speech from everything else; one object per session, stateful, synchronous."""

    window_samples: int
    """How many 16 kHz samples one call takes (512 = 32 ms for Silero)."""

    def __call__(self, window: bytes) -> float:
        """Return the probability (0..1) that this window, s16le mono 16 kHz, holds speech."""
        ...


@runtime_checkable
class Ears(Protocol):
    """Hears: one detector a session, and transcription of whole utterances."""

    def detector(self) -> Detector:
        """Make a fresh detector for one session."""
        ...

    async def transcribe(self, pcm: bytes) -> str:
        """Return the words in ``pcm`` (s16le mono 16 kHz, one utterance), "" when there are none."""
        ...

    async def aclose(self) -> None:
        """Stop worker processes; idempotent."""
        ...


@runtime_checkable
class Voice(Protocol):
    """Speaks: one clause of text in, its sound out."""

    async def speak(self, text: str) -> bytes:
        """Return ``text`` spoken, s16le mono 24 kHz, without long silence at either end."""
        ...

    async def aclose(self) -> None:
        """Stop worker processes; idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """One declared function, as the client's setup gave it."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The JSON-schema-like ``parameters`` object: upper-case or lower-case types."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function call the brain asks for."""

    name: str
    args: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened in the conversation, oldest first.

    ``role`` "user": ``text`` is what the caller said or wrote. "model": ``text`` is what was said
    (cut to what had been sent when it was interrupted). "instruction": a wish of the application
    about the next reply ("Greet the caller."), not speech. "call": ``call`` is what the model asked.
    "result": ``call`` is what was asked and ``result`` what came back.
    """

    role: Literal["user", "model", "instruction", "call", "result"]
    text: str = ""
    call: Call | None = None
    result: Mapping[str, Any] | None = None
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """All a brain gets to see: it keeps no state of its own, so a restored history is enough."""

    instructions: str
    """The system instruction."""
    history: tuple[Entry, ...]
    """Oldest first; the last entry is what is to be answered."""
    tools: tuple[ToolSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What the brain decided: words, calls, or both; neither means silence."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    thought: str = ""
    """A thought summary, sent as a thought part where the profile has them."""


@runtime_checkable
class Brain(Protocol):
    """Decides what to say and which of the declared tools to call."""

    async def think(self, prompt: Prompt) -> Reply:
        """Return the reply to the last entry of ``prompt.history``."""
        ...

    async def aclose(self) -> None:
        """Release what it holds; idempotent."""
        ...

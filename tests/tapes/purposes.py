"""What a client's message is for, whatever its form: so two clients that say the same are seen to."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.tapes.tape import decoded

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "STREAM_END",
    "History",
    "Ledger",
    "Mark",
    "Needed",
    "Other",
    "Purpose",
    "Result",
    "Sound",
    "Text",
    "purposes_of",
]

STREAM_END = "audioStreamEnd"


@dataclass(frozen=True)
class Text:
    """A typed user turn that the model answers."""

    text: str


@dataclass(frozen=True)
class History:
    """Turns of text, each (role, text)."""

    turns: tuple[tuple[str, str], ...]
    complete: bool


@dataclass(frozen=True)
class Result:
    """The answer to a call; ``call`` is its id, or its name where the service gave none."""

    call: str
    response: str
    """As JSON with sorted keys."""
    final: bool = True


@dataclass(frozen=True)
class Mark:
    """``audioStreamEnd``, ``activityStart`` or ``activityEnd``."""

    kind: str


@dataclass(frozen=True)
class Sound:
    """The caller's speech."""

    pcm: bytes
    rate_hz: int

    @property
    def ms(self) -> float:
        return len(self.pcm) * 500 / self.rate_hz


@dataclass(frozen=True)
class Other:
    """Everything else, such as a picture: the message itself, as JSON with sorted keys."""

    message: str


Purpose = Text | History | Result | Mark | Sound | Other


def purposes_of(message: dict[str, Any]) -> list[Purpose]:
    """Return what a message in camelCase is for; the setup is not among it."""
    if "clientContent" in message:
        return [_content(message)]
    if "toolResponse" in message:
        given: list[dict[str, Any]] = message["toolResponse"].get("functionResponses") or []
        return [_result(one) for one in given]
    if "realtimeInput" in message:
        return _realtime(message["realtimeInput"])
    return [] if "setup" in message or not message else [_other(message)]


def _content(message: dict[str, Any]) -> Purpose:
    content = message["clientContent"]
    given: list[dict[str, Any]] = content.get("turns") or []
    complete = bool(content.get("turnComplete"))
    if any(set(part) != {"text"} for turn in given for part in turn.get("parts") or ()):
        return _other(message)
    turns = tuple(
        ("model" if t.get("role") == "model" else "user", "".join(p["text"] for p in t.get("parts") or ()))
        for t in given
    )
    if complete and len(turns) == 1 and turns[0][0] == "user":
        return Text(turns[0][1])
    return History(turns, complete)


def _result(given: dict[str, Any]) -> Result:
    # `scheduling` may stand beside the response or inside it, and is not part of the result.
    response = {name: v for name, v in (given.get("response") or {}).items() if name != "scheduling"}
    call = given.get("id") or given.get("name") or ""
    return Result(call, json.dumps(response, sort_keys=True), final=not given.get("willContinue"))


def _realtime(given: dict[str, Any]) -> list[Purpose]:
    found: list[Purpose] = []
    blobs = [given[kind] for kind in ("audio", "video") if kind in given]
    for blob in [*blobs, *(given.get("mediaChunks") or [])]:
        mime_type = str(blob.get("mimeType", ""))
        if mime_type.startswith("audio/"):
            found.append(Sound(decoded(blob.get("data", "")), _rate_hz(mime_type)))
        else:
            found.append(_other({"realtimeInput": {"video": blob}}))
    if "text" in given:
        found.append(Text(given["text"]))
    found += [Mark(kind) for kind in ("activityStart", "activityEnd") if kind in given]
    if given.get(STREAM_END):
        found.append(Mark(STREAM_END))
    return found


def _rate_hz(mime_type: str) -> int:
    _, _, rate = mime_type.partition("rate=")
    digits = rate.split(";")[0].strip()
    return int(digits) if digits.isdigit() else 16_000


def _other(message: dict[str, Any]) -> Other:
    return Other(json.dumps(message, sort_keys=True))


class Ledger:
    """Everything a client has said so far: sound as an amount, all else one by one."""

    def __init__(self, purposes: Iterable[Purpose] = ()) -> None:
        self.pcm = bytearray()
        self.sound_ms = 0.0
        self.rates_hz: set[int] = set()
        self.said: Counter[Purpose] = Counter()
        for purpose in purposes:
            self.add(purpose)

    def add(self, purpose: Purpose) -> None:
        if isinstance(purpose, Sound):
            self.pcm += purpose.pcm
            self.sound_ms += purpose.ms
            self.rates_hz.add(purpose.rate_hz)
        else:
            self.said[purpose] += 1

    def missing(self, heard: Ledger) -> list[str]:
        """Say what of this has not come in ``heard``; half a sample and a resampler's rounding are nothing."""
        lacks = [str(purpose) for purpose in self.said - heard.said]
        if heard.sound_ms < self.sound_ms - 2:
            lacks.append(f"sound: {heard.sound_ms:.1f} of {self.sound_ms:.1f} ms")
        return lacks


class Needed:
    """Leaves out what no client of ours sends again: results of calls that have ended, marks that repeat."""

    def __init__(self, *, manual: bool) -> None:
        self._manual = manual
        self._ended: set[str] = set()
        self._mark = "activityEnd"

    def cancelled(self, messages: Iterable[dict[str, Any]]) -> None:
        """Note what the service took back."""
        for message in messages:
            self._ended.update(message.get("toolCallCancellation", {}).get("ids") or ())

    def __call__(self, purpose: Purpose) -> bool:
        if isinstance(purpose, Result):
            ended = purpose.call in self._ended
            if purpose.final:
                self._ended.add(purpose.call)
            return not ended
        if isinstance(purpose, Mark) and purpose.kind != STREAM_END and self._manual:
            repeated = purpose.kind == self._mark
            self._mark = purpose.kind
            return not repeated
        return True

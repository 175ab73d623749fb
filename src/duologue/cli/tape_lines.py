"""A tape in lines: the table of ``show``, the events of ``replay``, what a strict replay found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from duologue.cli.wording import clean
from duologue.tape.replay import replay
from duologue.tape.values import event_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duologue.core.outlet import Notice
    from duologue.events import Event
    from duologue.tape.format import Line, LineKind, Pieces
    from duologue.tape.reader import Tape
    from duologue.tape.replay import StrictResult

__all__ = ["Filter", "difference_lines", "header_lines", "replayed_lines", "shown_lines"]

_ARROWS: Final[Mapping[LineKind, str]] = {
    "do": "▸",
    "got": "←",
    "sent": "→",
    "event": "•",
    "note": "#",
    "end": "#",
}
_WIDTH: Final = 140
"""Where nobody says how wide the screen is."""
_LONGEST_FRAME: Final = 4000
_AROUND: Final = 60
"""How much of a difference is shown before the first character that differs."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which lines to show."""

    kinds: frozenset[str]
    grep: str | None
    from_s: float
    to_s: float | None
    sound: bool

    def wants(self, line: Line, at_s: float, what: str) -> bool:
        """Tell whether a line is to be shown."""
        if line.kinds[0] not in self.kinds or at_s < self.from_s:
            return False
        if self.to_s is not None and at_s > self.to_s:
            return False
        if not self.sound and _is_sound(line):
            return False
        return self.grep is None or self.grep in what


def header_lines(tape: Tape, *, as_json: bool) -> Iterator[str]:
    """Yield what a tape says of itself."""
    header = tape.header
    if as_json:
        yield _json({"header": msgspec.to_builtins(header)})
        return
    origin = f"imported from {clean(header.source)}, times made up" if header.source else "recorded"
    yield clean(f"{tape.path}: {header.model}, profile {header.profile} ({header.backend})")
    yield clean(f"{origin} {header.made_at} by duologue {header.duologue}")
    yield "" if header.times == "made up" else "times are seconds since the first input"


def shown_lines(tape: Tape, wanted: Filter, *, full: bool, as_json: bool) -> Iterator[str]:
    """Yield a row for each line that is wanted."""
    width = shutil.get_terminal_size((_WIDTH, 24)).columns
    began_at: float | None = None
    at = 0.0
    for number, line in tape.lines():
        at = line.at if line.at is not None else at
        if began_at is None and line.at is not None:
            began_at = line.at
        at_s = at - (at if began_at is None else began_at)
        what = _what(line)
        if not wanted.wants(line, at_s, what):
            continue
        if as_json:
            fields = cast("dict[str, Any]", msgspec.to_builtins(line))
            yield _json({"line": number, "at_s": round(at_s, 6), **fields})
        else:
            row = f"{number:>6}  {at_s:>9.3f}  {_ARROWS[line.kinds[0]]}  {what}"
            yield row if full or len(row) <= width else f"{row[: width - 1]}…"


def replayed_lines(tape: Tape, *, as_json: bool) -> Iterator[str]:
    """Yield a line for each event of a replay."""
    began_at: float | None = None
    for step in replay(tape):
        if began_at is None and step.cause.at is not None:
            began_at = step.cause.at
        at_s = step.at - (step.at if began_at is None else began_at)
        for event in step.events:
            name = type(event).__name__
            if as_json:
                yield _json({"at_s": round(at_s, 6), "event": name, "with": _plain(event)})
            else:
                yield f"{at_s:>9.3f}  {_event_text(name, _plain(event))}"


def difference_lines(result: StrictResult) -> Iterator[str]:
    """Yield what a strict replay found."""
    found = f"{result.events} events and {result.frames} frames came out the same"
    difference = result.difference
    if difference is None:
        yield found if result.whole else f"{found}, up to where the tape is cut off"
        return
    yield f"line {difference.line} came out differently, after {found}"
    taped, replayed = difference.taped, difference.replayed
    from_char = max(0, _first_difference(taped or "", replayed or "") - _AROUND)
    yield f"  on the tape: {_excerpt(taped, from_char)}"
    yield f"  replayed:    {_excerpt(replayed, from_char)}"


def _first_difference(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _excerpt(text: str | None, from_char: int) -> str:
    if text is None:
        return "nothing"
    cut = text[from_char : from_char + 4 * _AROUND]
    return f"{'…' if from_char else ''}{clean(cut)}{'…' if from_char + len(cut) < len(text) else ''}"


# -- one line ---------------------------------------------------------------------------------


def _is_sound(line: Line) -> bool:
    pieces = line.got if line.got is not None else line.sent
    return (
        line.do == "push_audio"
        or line.event == "AudioOutput"
        or (isinstance(pieces, list) and any(not isinstance(piece, str) for piece in pieces))
    )


def _what(line: Line) -> str:
    if line.do is not None:
        sound = f"{line.sound[1]} bytes of sound" if line.sound is not None else ""
        return " ".join(part for part in (clean(line.do), sound, _fields(line.args or {})) if part)
    if line.event is not None:
        return _event_text(line.event, line.args or {})
    pieces = line.got if line.got is not None else line.sent
    if pieces is not None:
        return _frame_text(pieces)
    return clean(f"{'end' if line.end is not None else 'note'}: {line.end or line.note or ''}")


def _frame_text(pieces: Pieces) -> str:
    if isinstance(pieces, str):
        return clean(pieces[:_LONGEST_FRAME])
    texts: list[str] = []
    for piece in pieces:
        match piece:
            case str(text):
                texts.append(text[:_LONGEST_FRAME])
            case [_, int(length)] | {"urlsafe": [_, int(length)]}:
                texts.append(f"<{length} bytes of sound>")
            case _:
                texts.append("<bytes that are no text>")
    return clean("".join(texts))


def _event_text(name: str, values: Mapping[str, Any]) -> str:
    return " ".join(part for part in (clean(name), _fields(values)) if part)


def _fields(values: Mapping[str, Any]) -> str:
    """Return fields as ``name=value``; those that are not set are left out."""
    return " ".join(f"{clean(name)}={_short(value)}" for name, value in values.items() if value is not None)


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        if set(fields) == {"bytes", "digest"}:
            return f"<{fields['bytes']} bytes of sound>"
        if "type" in fields and "message" in fields:
            return clean(f"{fields['type']}({_json(fields['message'])})")
    return clean(_json(value))


def _plain(event: Event | Notice) -> dict[str, Any]:
    return cast("dict[str, Any]", msgspec.json.decode(msgspec.json.encode(event_value(event))))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)

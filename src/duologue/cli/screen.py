"""What the person in front of the terminal sees while a call goes on.

On a terminal a live picture: both sides' words, levels, what is going on. Elsewhere plain lines, or
with ``--json`` one object a line.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from statistics import median
from typing import IO, TYPE_CHECKING, Any, Final, Literal, Protocol

from duologue.audio.level import SILENCE_DBFS
from duologue.cli.terminal import Lines, hide_control_echo
from duologue.cli.wording import clean, clock_text
from duologue.events import AudioOutput, Event, RawMessage, Transcript

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.console import Console

    from duologue.cli.narrator import Shown

__all__ = ["JsonScreen", "LiveScreen", "PlainScreen", "Screen", "Side", "make_screen"]

Side = Literal["caller", "model"]


class Screen(Protocol):
    """What a call tells the person who watches it. Nothing here blocks."""

    def open(self) -> None:
        """Begin to show."""
        ...

    def status(self, text: str) -> None:
        """Say what is going on: loading, connecting, in conversation."""
        ...

    def event(self, event: Event, at_s: float) -> None:
        """Take what the session told, ``at_s`` seconds into the call."""
        ...

    def line(self, shown: Shown) -> None:
        """Show a line for people."""
        ...

    def typed(self, text: str, at_s: float) -> None:
        """Show what was typed."""
        ...

    def level(self, side: Side, dbfs: float) -> None:
        """Show how loud a side is now."""
        ...

    def summary(self, facts: Mapping[str, Any]) -> None:
        """Show what came of it; the last call but ``close``."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was; idempotent."""
        ...


def make_screen(*, as_json: bool) -> Screen:
    """Return what suits this standard output."""
    if as_json:
        return JsonScreen(sys.stdout)
    if sys.stdout.isatty():
        return LiveScreen()
    return PlainScreen(sys.stdout)


class JsonScreen:
    """One JSON object a line: every event except sound, last a ``summary``.

    Args:
        out: Where the lines go.
    """

    def __init__(self, out: IO[str]) -> None:
        self._lines = Lines(out)

    def open(self) -> None:
        """Do nothing."""

    def status(self, text: str) -> None:
        """Write ``{"type": "status"}``."""
        self._line({"type": "status", "text": text})

    def event(self, event: Event, at_s: float) -> None:
        """Write the event's fields; its type is the class's name."""
        if isinstance(event, AudioOutput | RawMessage):
            return
        fields = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
        fields.pop("handle", None)  # a secret
        self._line({"type": type(event).__name__, "at_s": round(at_s, 3), **fields})

    def line(self, shown: Shown) -> None:
        """Do nothing: programs have the events."""

    def typed(self, text: str, at_s: float) -> None:
        """Write ``{"type": "typed"}``."""
        self._line({"type": "typed", "at_s": round(at_s, 3), "text": text})

    def level(self, side: Side, dbfs: float) -> None:
        """Do nothing: levels are for eyes."""

    def summary(self, facts: Mapping[str, Any]) -> None:
        """Write ``{"type": "summary"}``."""
        self._line({"type": "summary", **facts})

    def close(self) -> None:
        """Do nothing."""

    def _line(self, fields: Mapping[str, Any]) -> None:
        self._lines.write(json.dumps(fields, ensure_ascii=False, default=_plain))


def _plain(value: object) -> Any:
    """Turn what JSON does not know into what it does."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return clean(str(value))


def summary_lines(facts: Mapping[str, Any]) -> list[str]:
    """Return the end of a call in a few lines for people."""
    counted = [
        _count(facts["turns"], "turn", " by the caller"),
        _count(len(facts["tool_calls"]), "tool call"),
        _count(facts["interruptions"], "interruption"),
    ]
    if facts["latencies_ms"]:
        counted.append(f"median response {median(facts['latencies_ms']):.0f} ms")
    return [", ".join(counted), *(f"  {file}" for file in facts["files"]), *facts["notes"]]


def _count(number: int, what: str, of_whom: str = "") -> str:
    return f"{number} {what}{'' if number == 1 else 's'}{of_whom}"


class PlainScreen:
    """Lines of text, one for each thing that was said or done.

    Args:
        out: Where the lines go.
    """

    def __init__(self, out: IO[str]) -> None:
        self._lines = Lines(out)

    def open(self) -> None:
        """Do nothing."""

    def status(self, text: str) -> None:
        """Write what is going on."""
        self._line(f"… {text}")

    def event(self, event: Event, at_s: float) -> None:
        """Do nothing: lines say what is worth it."""

    def line(self, shown: Shown) -> None:
        """Write a line."""
        self._line(f"{clock_text(shown.at_s):>8}  {shown.who:<7} {shown.text}")

    def typed(self, text: str, at_s: float) -> None:
        """Write what was typed."""
        self._line(f"{clock_text(at_s):>8}  caller  {clean(text)}")

    def level(self, side: Side, dbfs: float) -> None:
        """Do nothing."""

    def summary(self, facts: Mapping[str, Any]) -> None:
        """Write what came of it."""
        for line in summary_lines(facts):
            self._line(line)

    def close(self) -> None:
        """Do nothing."""

    def _line(self, text: str) -> None:
        self._lines.write(text)


_COLOURS: Final = {"caller": "cyan", "model": "magenta", "tool": "yellow", "problem": "red"}


class LiveScreen:
    """The live picture of a terminal; the finished lines stay above it in the scrollback.

    Args:
        console: Where it is drawn; None is standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.spinner import Spinner

        self._console = console or Console(highlight=False)
        self._live = Live(self, console=self._console, refresh_per_second=12, transient=True)
        self._spinner = Spinner("dots", style="dim")
        self._levels: dict[Side, float] = {"caller": SILENCE_DBFS, "model": SILENCE_DBFS}
        self._growing: dict[Side, str] = {}
        self._show_echo: Callable[[], None] | None = None

    def open(self) -> None:
        """Take over the bottom of the terminal."""
        self._show_echo = hide_control_echo(self._console.file)
        self._live.start()

    def status(self, text: str) -> None:
        """Show what is going on beside the spinner."""
        self._spinner.update(text=text)

    def event(self, event: Event, at_s: float) -> None:  # noqa: ARG002 -- the protocol's signature
        """Let words grow."""
        if isinstance(event, Transcript):
            side: Side = "caller" if event.role == "user" else "model"
            self._growing[side] = clean(event.text)

    def line(self, shown: Shown) -> None:
        """Print what is finished above the picture."""
        if shown.who in ("caller", "model"):
            self._growing.pop("caller" if shown.who == "caller" else "model", None)
        self._print(shown.who, shown.text, shown.at_s)

    def typed(self, text: str, at_s: float) -> None:
        """Print what was typed."""
        self._print("caller", clean(text), at_s)

    def level(self, side: Side, dbfs: float) -> None:
        """Move a meter."""
        self._levels[side] = dbfs

    def summary(self, facts: Mapping[str, Any]) -> None:
        """Print what came of it."""
        self.close()
        for line in summary_lines(facts):
            self._console.print(line, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Give the terminal back."""
        self._live.stop()
        if self._show_echo is not None:
            self._show_echo()
            self._show_echo = None

    def _print(self, who: str, text: str, at_s: float) -> None:
        from rich.table import Table
        from rich.text import Text

        row = Table.grid(padding=(0, 1))
        row.add_column(width=8, justify="right", style="dim")
        row.add_column(width=7)
        row.add_column(ratio=1)
        colour = _COLOURS.get(who, "white")
        row.add_row(clock_text(at_s), Text(who, style=f"bold {colour}"), Text(text))
        self._live.console.print(row)

    def __rich__(self) -> Any:
        """Draw the picture; rich asks twelve times a second."""
        from rich.panel import Panel
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(width=7)
        grid.add_column(width=24)
        grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        for side, dbfs in self._levels.items():
            words = self._growing.get(side, "")
            grid.add_row(
                Text(side, style=f"bold {_COLOURS[side]}"),
                _meter(dbfs),
                Text(words[-self._console.width + 44 :] if len(words) > self._console.width - 44 else words),
            )
        body = Table.grid(expand=True)
        body.add_row(grid)
        body.add_row(self._spinner)
        return Panel(body, title="duologue", title_align="left", border_style="dim")


def _meter(dbfs: float, width: int = 22) -> Any:
    """Return a bar of −60 to 0 dBFS: green, yellow near full, red at it."""
    from rich.text import Text

    filled = round(width * min(1.0, max(0.0, (dbfs + 60.0) / 60.0)))
    style = "red" if dbfs > -3 else "yellow" if dbfs > -12 else "green"
    return Text.assemble(("━" * filled, style), ("━" * (width - filled), "grey23"))

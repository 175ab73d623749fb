"""``timeline.png``: a call as a picture. Who spoke when and what, tools, interruptions, response times.

Time runs from left to right in rows of half a minute at most, like lines of music: in each row a lane
for the caller, one for the model, one for tools. The shapes are the levels that were recorded.
"""

from __future__ import annotations

import contextlib
import io
import math
import textwrap
import threading
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from duologue.cli.blocks import Block, blocks_of
from duologue.cli.wording import clean
from duologue.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duologue.cli.call_log import CallRecord, Reply

__all__ = ["draw_timeline", "prepare_drawing", "rows_of"]

_ROW_S: Final = 26.0
_SHORTEST_ROW_S: Final = 12.0
_MAX_ROWS: Final = 24
_DPI: Final = 150
_WIDTH_IN: Final = 15.0
_ROW_IN: Final = 3.15
_HEAD_IN: Final = 0.95
_LEFT_IN, _RIGHT_IN = 0.95, 0.25
_CHAR_IN: Final = {"caller": 0.0655, "model": 0.0655, "tools": 0.0715}
"""Mean width of a character of a lane's words, at 8.5 points; the tools' are monospaced."""
_LEVEL_S: Final = 0.02
_LANES: Final = {"caller": 2.0, "model": 1.0, "tools": 0.0}
_INK, _FAINT, _GRID = "#1f2937", "#6b7280", "#e5e7eb"
_COLOURS: Final = {"caller": "#0f766e", "model": "#4f46e5", "tools": "#b45309"}
_ALARM: Final = "#dc2626"
_LOUDNESS: Final = 0.7
"""Exponent between amplitude (1) and what an ear makes of it (nearer 0.5)."""
_WAVE_Y, _WAVE_HEIGHT, _WORDS_Y = 0.27, 0.21, 0.53


def rows_of(duration_s: float) -> list[tuple[float, float]]:
    """Return (begin, end) of each row in seconds: equally long, as few as can be read."""
    count = max(1, min(_MAX_ROWS, math.ceil(duration_s / _ROW_S)))
    length_s = max(_SHORTEST_ROW_S, math.ceil(duration_s / count))
    return [(length_s * row, length_s * (row + 1)) for row in range(count)]


def prepare_drawing() -> None:
    """Load matplotlib in a thread: it takes a second, and several the first time on a machine.

    Nothing happens when it is not installed; ``draw_timeline`` says so.
    """
    threading.Thread(target=_load, name="load matplotlib", daemon=True).start()


def _load() -> None:
    with contextlib.suppress(ImportError):
        for name in ("figure", "backends.backend_agg", "patches", "font_manager"):
            import_module(f"matplotlib.{name}")


def draw_timeline(record: CallRecord) -> bytes:
    """Return a PNG of a call. Takes a moment, or seconds without ``prepare_drawing``; reads no clock.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        figures: Any = import_module("matplotlib.figure")
    except ImportError as error:
        raise ConfigError("no timeline.png: pip install matplotlib (the extra [plot])") from error
    rows = rows_of(record.duration_s)
    height_in = _HEAD_IN + _ROW_IN * len(rows)
    figure: Any = figures.Figure(figsize=(_WIDTH_IN, height_in), dpi=_DPI, facecolor="white")
    _head(figure, record, height_in)
    blocks = blocks_of(record)
    for number, (from_s, to_s) in enumerate(rows):
        bottom_in = height_in - _HEAD_IN - _ROW_IN * (number + 1) + 0.42
        box = (
            _LEFT_IN / _WIDTH_IN,
            bottom_in / height_in,
            1 - (_LEFT_IN + _RIGHT_IN) / _WIDTH_IN,
            (_ROW_IN - 0.5) / height_in,
        )
        _Row(figure.add_axes(box), from_s, to_s).draw(record, blocks)
    picture = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a glyph the font lacks is drawn as a box
        figure.savefig(picture, format="png")
    return picture.getvalue()


def _head(figure: Any, record: CallRecord, height_in: float) -> None:
    left = 0.25 / _WIDTH_IN
    figure.text(
        left,
        1 - 0.36 / height_in,
        "Conversation",
        fontsize=17,
        fontweight="bold",
        color=_INK,
        va="center",
    )
    facts = [clean(record.model), clean(record.where), f"{record.duration_s:.0f} s"]
    if record.latencies_ms:
        slowest_ms = max(record.latencies_ms)
        facts.append(f"median response {record.median_latency_ms} ms, slowest {slowest_ms} ms")
    facts.append(_count(len(record.tools), "tool call"))
    facts.append(_count(len(record.interruptions), "interruption"))
    figure.text(
        left,
        1 - 0.68 / height_in,
        "   ·   ".join(facts),
        fontsize=10,
        color=_FAINT,
        va="center",
        parse_math=False,
    )
    figure.text(
        1 - _RIGHT_IN / _WIDTH_IN,
        1 - 0.36 / height_in,  # beside the title: the facts may be long
        "response: from the caller's last voiced sound to the model's first sound",
        fontsize=8,
        color=_FAINT,
        va="center",
        ha="right",
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


# -- one row ----------------------------------------------------------------------------------


class _Row:
    """Draws one stretch of time into one set of axes."""

    def __init__(self, axes: Any, from_s: float, to_s: float) -> None:
        self._axes = axes
        self._from_s = from_s
        self._to_s = to_s
        self._s_per_in = (to_s - from_s) / (_WIDTH_IN - _LEFT_IN - _RIGHT_IN)

    def draw(self, record: CallRecord, blocks: Sequence[Block]) -> None:
        """Draw everything that lies in this row."""
        self._frame()
        self._wave("caller", record.caller_levels_dbfs)
        self._wave("model", record.model_levels_dbfs)
        for block in blocks:
            if block.began_at_s < self._to_s and max(block.ended_at_s, block.began_at_s) >= self._from_s:
                self._block(block)
        for reply in record.replies:
            if reply.latency_ms is not None and reply.began_at_s is not None:
                self._latency(reply.began_at_s, reply.latency_ms)
            if reply.interrupted_at_s is not None:
                self._interruption(reply)

    def _frame(self) -> None:
        axes = self._axes
        axes.set_xlim(self._from_s, self._to_s)
        axes.set_ylim(-0.06, 3.02)
        for side in ("top", "right", "left", "bottom"):
            axes.spines[side].set_visible(False)
        step_s = next(
            step for step in (1, 2, 5, 10, 30, 60, 300, 3600) if (self._to_s - self._from_s) / step <= 30
        )
        ticks = [
            step_s * n for n in range(math.ceil(self._from_s / step_s), math.floor(self._to_s / step_s) + 1)
        ]
        axes.set_xticks(ticks, [f"{int(t) // 60}:{int(t) % 60:02d}" for t in ticks], fontsize=8, color=_FAINT)
        axes.tick_params(axis="both", length=0)
        axes.set_yticks([])
        for tick in ticks:
            axes.axvline(tick, color=_GRID, linewidth=0.6, zorder=0)
        for lane, base in _LANES.items():
            axes.axhline(base + _WAVE_Y, color=_GRID, linewidth=1.0, zorder=0)
            axes.annotate(
                lane.capitalize(),
                (0, base + _WAVE_Y),
                xycoords=("axes fraction", "data"),
                xytext=(-10, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=10,
                fontweight="bold",
                color=_COLOURS[lane],
            )

    def _wave(self, lane: str, levels_dbfs: Sequence[float]) -> None:
        first = max(0, int(self._from_s / _LEVEL_S))
        levels = levels_dbfs[first : int(self._to_s / _LEVEL_S)]
        if not levels:
            return
        at_s = [(first + number + 0.5) * _LEVEL_S for number in range(len(levels))]
        loudest = max(levels_dbfs)
        heights = [_WAVE_HEIGHT * 10 ** ((level - loudest) / 20 * _LOUDNESS) for level in levels]
        centre = _LANES[lane] + _WAVE_Y
        self._axes.fill_between(
            at_s,
            [centre - height for height in heights],
            [centre + height for height in heights],
            color=_COLOURS[lane],
            linewidth=0.0,
            zorder=3,
        )

    def _block(self, block: Block) -> None:
        patches: Any = import_module("matplotlib.patches")
        began_s = max(block.began_at_s, self._from_s)
        width_s = max(min(block.ended_at_s, self._to_s) - began_s, 0.09)
        base = _LANES[block.lane] + _WAVE_Y
        colour = _COLOURS[block.lane]
        self._axes.add_patch(
            patches.FancyBboxPatch(
                (began_s, base - 0.22),
                width_s,
                0.44,
                boxstyle=patches.BoxStyle("Round", pad=0.0, rounding_size=0.05),
                mutation_aspect=1.0,
                facecolor=colour,
                alpha=0.85 if block.lane == "tools" else 0.13,
                edgecolor="none",
                zorder=2,
            )
        )
        if block.cut_off and block.ended_at_s <= self._to_s:
            self._axes.plot(
                [block.ended_at_s] * 2, [base - 0.25, base + 0.25], color=_ALARM, linewidth=2.4, zorder=5
            )
        self._words(block)

    def _words(self, block: Block) -> None:
        """Write what was said in this row above its block, as wide as there is room, three lines at most."""
        said = "".join(text for at_s, text in block.words if self._from_s <= at_s < self._to_s).strip()
        if not said:
            return
        began_at_s = max(block.began_at_s, self._from_s)
        chars_per_s = 1 / self._s_per_in / _CHAR_IN[block.lane]
        room_s = min(block.room_until_s, self._to_s) - began_at_s - 0.1
        own = (min(block.ended_at_s, self._to_s) - began_at_s) * chars_per_s
        width = max(12, min(int(room_s * chars_per_s), max(30, int(own))))
        if block.began_at_s < self._from_s:
            said = f"… {said}"
        lines: list[str] = []
        for part in said.split("\n"):
            lines += textwrap.wrap(clean(part), width)
        if len(lines) > 3:
            lines = [*lines[:2], f"{lines[2][: width - 2]} …"]
        is_tool = block.lane == "tools"
        tight = room_s * chars_per_s < 12 and self._to_s <= block.room_until_s  # at the right edge: leftwards
        self._axes.text(
            self._to_s if tight else began_at_s,
            _LANES[block.lane] + _WORDS_Y,
            "\n".join(lines),
            ha="right" if tight else "left",
            va="bottom",
            fontsize=8.5,
            family="monospace" if is_tool else None,
            color=_INK,
            linespacing=1.18,
            parse_math=False,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.4},
            zorder=6,
        )

    def _latency(self, began_at_s: float, latency_ms: int) -> None:
        """Mark the wait between the caller's last sound and the model's first."""
        ended_at_s = began_at_s - latency_ms / 1000
        if not (self._from_s <= ended_at_s and began_at_s <= self._to_s):
            return
        y = _LANES["model"] + _WAVE_Y
        self._axes.plot(
            [ended_at_s, ended_at_s],
            [y, _LANES["caller"] + 0.05],
            color=_FAINT,
            linewidth=0.8,
            linestyle=(0, (2, 2)),
            zorder=1,
        )
        self._axes.annotate(
            "",
            (began_at_s, y),
            (ended_at_s, y),
            arrowprops={"arrowstyle": "-|>", "color": _FAINT, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0},
            zorder=4,
        )
        self._axes.annotate(
            f"{latency_ms} ms",
            (began_at_s, y),
            xytext=(-3, -5),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=7.5,
            color=_FAINT,
            zorder=6,
        )

    def _interruption(self, reply: Reply) -> None:
        """Mark where the caller broke in, and how long the model went on sounding."""
        silent_at_s = reply.ended_at_s or reply.interrupted_at_s or 0.0
        if not self._from_s <= silent_at_s <= self._to_s:
            return
        broke_in_at_s, label = silent_at_s, "interrupted"
        if reply.broke_in_at_s is not None:
            broke_in_at_s = reply.broke_in_at_s
            label = f"interrupted, silent after {round(1000 * (silent_at_s - broke_in_at_s))} ms"
        is_right = self._to_s - broke_in_at_s < 0.17 * (self._to_s - self._from_s)  # no room to the right
        self._axes.plot(
            [broke_in_at_s] * 2,
            [_LANES["model"] + 0.02, _LANES["caller"] + _WAVE_Y + 0.22],
            color=_ALARM,
            linewidth=1.2,
            zorder=4,
        )
        self._axes.annotate(
            label,
            (broke_in_at_s, _LANES["caller"] - 0.01),
            xytext=(-4 if is_right else 4, 0),
            textcoords="offset points",
            ha="right" if is_right else "left",
            va="center",
            fontsize=8,
            color=_ALARM,
            fontweight="bold",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
            zorder=6,
        )

"""What a timeline shows of a call: blocks in lanes, each with a beginning, an end and words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from duologue.cli.wording import call_text, clean, result_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duologue.cli.call_log import CallRecord, Reply, ToolUse
    from duologue.cli.utterances import CallerTurn

__all__ = ["Block", "blocks_of"]


@dataclass(frozen=True, slots=True)
class Block:
    """Something that has a beginning, an end and words, in one lane."""

    lane: str
    began_at_s: float
    ended_at_s: float
    words: tuple[tuple[float, str], ...]
    """Pieces, and when each was said: a block that goes on in the next row takes its words along."""
    room_until_s: float = math.inf
    """Where the next block of the lane begins."""
    cut_off: bool = False


def blocks_of(record: CallRecord) -> list[Block]:
    """Return every block of a call, lane by lane, each with the room it has for words."""
    caller = [_caller_block(turn) for turn in record.caller]
    model = [_model_block(reply) for reply in record.replies if reply.began_at_s is not None]
    tools = [_tool_block(use, record.duration_s) for use in record.tools]
    return [block for lane in (caller, model, tools) for block in _with_room(lane)]


def _caller_block(turn: CallerTurn) -> Block:
    words = {
        "typed": f"⌨ {turn.heard}",
        "instruction": f"(asked for: {turn.said})",
        "spoken": turn.heard or (f"({turn.said})" if turn.said else "(not understood)"),
    }
    said = words[turn.kind] + (" —" if turn.cut_off else "")
    words_at = ((turn.began_at_s, said),)
    return Block("caller", turn.began_at_s, turn.ended_at_s, words_at, cut_off=turn.cut_off)


def _model_block(reply: Reply) -> Block:
    began_at_s, ended_at_s = reply.began_at_s or 0.0, reply.ended_at_s or reply.began_at_s or 0.0
    cut_off = reply.interrupted_at_s is not None or reply.cut_off
    pieces = [
        (min(began_at_s + piece.offset_ms / 1000, ended_at_s), piece.text)
        for piece in reply.fragments
        if not cut_off or piece.offset_ms < reply.heard_ms
    ]
    if cut_off:
        pieces.append((ended_at_s, "—"))
    return Block("model", began_at_s, ended_at_s, tuple(pieces), cut_off=cut_off)


def _tool_block(use: ToolUse, duration_s: float) -> Block:
    ended_at_s = duration_s if use.ended_at_s is None else use.ended_at_s
    said = result_text(use.result, limit=90) if use.result is not None else use.outcome or "no result"
    words = f"{call_text(use.name, use.arguments)}\n→ {clean(said)}"
    return Block("tools", use.asked_at_s, ended_at_s, ((use.asked_at_s, words),))


def _with_room(lane: Sequence[Block]) -> list[Block]:
    ordered = sorted(lane, key=lambda block: block.began_at_s)
    nexts = [*(block.began_at_s for block in ordered), math.inf][1:]
    return [
        Block(b.lane, b.began_at_s, b.ended_at_s, b.words, room_until_s, b.cut_off)
        for b, room_until_s in zip(ordered, nexts, strict=True)
    ]

"""``transcript.md``: who said what when, what was called, what was cut off, how long it took."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from duologue.cli.wording import call_text, clean, clock_text, length_text, result_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duologue.cli.call_log import CallerTurn, CallRecord, Reply, ToolUse

__all__ = ["transcript_markdown"]

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>|#~])")


def transcript_markdown(record: CallRecord) -> str:
    """Return a call as a Markdown page, in the order of time.

    Of the caller's speech it shows what the model's side understood; the line it was meant to be
    stands beside it where the words differ. What people and tools said is escaped.
    """
    entries = [
        *((turn.began_at_s, _caller(turn)) for turn in record.caller),
        *((use.asked_at_s, _tool(use)) for use in record.tools),
        *((reply.spoken_at_s, _reply(reply)) for reply in record.replies),
    ]
    body = "\n\n".join(text for _, text in sorted(entries, key=lambda entry: entry[0]))
    return f"{_head(record)}\n\n{body or 'Nothing was said.'}\n{''.join(_problems(record))}"


def _head(record: CallRecord) -> str:
    facts = [f"{record.model}, {record.where}", f"{length_text(record.duration_s)} long"]
    if record.median_latency_ms is not None:
        median = f"(median of {len(record.latencies_ms)})"
        facts.append(f"answers began {record.median_latency_ms} ms after the caller's last sound {median}")
    for count, name in ((len(record.tools), "tool call"), (len(record.interruptions), "interruption")):
        facts.append(f"{count} {name}{'' if count == 1 else 's'}")
    return f"# Conversation\n\n{' · '.join(facts)}"


def _caller(turn: CallerTurn) -> str:
    match turn.kind:
        case "typed":
            return f"`{clock_text(turn.began_at_s)}` **Caller** (typed): {_escaped(turn.heard)}"
        case "instruction":
            return f"`{clock_text(turn.began_at_s)}` *The application asked for: {_escaped(turn.said or '')}*"
        case "spoken":
            heard = _escaped(turn.heard) or ("" if turn.cut_off else "*(not understood)*")
            heard = f"{heard} *(cut off)*".strip() if turn.cut_off else heard
            meant = turn.said is not None and _folded(turn.said) != _folded(turn.heard)
            said = f"  \n*said: {_escaped(turn.said or '')}*" if meant else ""
            return f"`{clock_text(turn.began_at_s)}` **Caller**: {heard}{said}"


def _reply(reply: Reply) -> str:
    latency = f" *({reply.latency_ms} ms)*" if reply.latency_ms is not None else ""
    words = _escaped(reply.heard_text)
    if reply.interrupted_at_s is not None or reply.cut_off:
        unheard = reply.text[len(reply.heard_text) :].strip()
        rest = f"  \n*not heard: {_escaped(unheard)}*" if unheard else ""
        how = "**interrupted**" if reply.interrupted_at_s is not None else "*(cut off)*"
        words += f" — {how} after {reply.heard_ms / 1000:.1f} s{rest}"
    return f"`{clock_text(reply.spoken_at_s)}` **Model**{latency}: {words or '*(sound without words)*'}"


def _tool(use: ToolUse) -> str:
    took = f" in {1000 * (use.ended_at_s - use.asked_at_s):.0f} ms" if use.ended_at_s is not None else ""
    outcome = {"answered": "failed" if use.is_error else "returned"}.get(use.outcome, use.outcome or "open")
    result = f": {_escaped(result_text(use.result))}" if use.result is not None else ""
    call = call_text(use.name, use.arguments).replace("`", "'")
    return f"`{clock_text(use.asked_at_s)}` **Tool** `{call}` {outcome}{took}{result}"


def _problems(record: CallRecord) -> Iterator[str]:
    if record.problems:
        yield "\n## Problems\n\n"
    for problem in record.problems:
        yield f"- {_escaped(problem)}\n"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", clean(text))


def _folded(text: str) -> str:
    """Fold what a transcriber is free to choose: case, punctuation, British spelling of "-our"."""
    return re.sub(r"[^a-z0-9]+", " ", text.lower().replace("our", "or")).strip()

"""What a run found, written down: a page for people, the same as JSON, both readable by their owner alone."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from duologue import __version__
from duologue.verify.costs import cost_usd

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from duologue.verify.probe import Finding, Verdict
    from duologue.verify.run import Verification

__all__ = ["Occasion", "as_line", "page", "write_report"]

_OWNER_ONLY: Final = 0o600
_HEADINGS: Final[dict[Verdict, str]] = {
    "refuted": "Refuted",
    "confirmed": "Confirmed",
    "not_available": "Not available",
}
"""In the order of the page: what is to be acted upon stands first."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """When and against whom the probes were run."""

    side: str
    """``live`` or ``emulator``."""
    host: str
    began_at: str
    """ISO 8601, UTC."""


def as_line(finding: Finding) -> str:
    """Return a finding as one line of JSON."""
    return json.dumps(asdict(finding), ensure_ascii=False)


def write_report(folder: Path, occasion: Occasion, verification: Verification) -> list[Path]:
    """Write ``verify-report.md`` and ``verify-report.json``; what was there is written over.

    Returns:
        The two paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "verify-report.md": page(occasion, verification),
        "verify-report.json": json.dumps(_as_value(occasion, verification), ensure_ascii=False, indent=2)
        + "\n",
    }
    paths: list[Path] = []
    for name, text in texts.items():
        path = folder / name
        path.unlink(missing_ok=True)  # its mode may have been another
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "w", encoding="utf-8"
        ) as file:
            file.write(text)
        paths.append(path)
    return paths


def page(occasion: Occasion, verification: Verification) -> str:
    """Return the report as Markdown."""
    counts = Counter(finding.verdict for finding in verification.findings)
    total = ", ".join(f"{counts[verdict]} {verdict.replace('_', ' ')}" for verdict in _HEADINGS)
    lines = [
        f"# What the probes found: {occasion.began_at[:10]}",
        "",
        f"Side: {occasion.side} ({occasion.host}). Began {occasion.began_at}. duologue {__version__}.",
        f"{len(verification.findings)} findings: {total}.",
        _usage_line(verification),
    ]
    for verdict, heading in _HEADINGS.items():
        found = [finding for finding in verification.findings if finding.verdict == verdict]
        if found:
            lines += ["", f"## {heading}", "", *_table(found)]
    if verification.unknown_fields:
        lines += ["", "## Fields that duologue does not know", ""]
        lines += [f"- `{path}`, {times} times" for path, times in sorted(verification.unknown_fields.items())]
    return "\n".join(lines) + "\n"


def _usage_line(verification: Verification) -> str:
    tokens = sum(one.total_token_count or 0 for _, one in verification.usage)
    if not tokens:
        return "No tokens were reported."
    return (
        f"{len(verification.usage)} turns reported {tokens} tokens, about {cost_usd(verification.usage):.2f} US dollars "
        "at the prices in the profile table."
    )


def _table(findings: Iterable[Finding]) -> list[str]:
    rows = ["| fact | probe | profile | grade | expected | found | detail |", "|---|---|---|---|---|---|---|"]
    for one in findings:
        cells = [
            one.fact,
            f"`{one.probe}`",
            one.profile,
            one.grade,
            f"`{one.expected}`",
            f"`{one.found}`",
            one.detail,
        ]
        rows.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return rows


def _cell(text: str) -> str:
    """Return text that stays in its cell: part of it may be the service's words."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    return plain.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _as_value(occasion: Occasion, verification: Verification) -> dict[str, Any]:
    return {
        **asdict(occasion),
        "duologue": __version__,
        "findings": [asdict(finding) for finding in verification.findings],
        "unknown_fields": verification.unknown_fields,
        "total_tokens": sum(one.total_token_count or 0 for _, one in verification.usage),
        "cost_usd": round(cost_usd(verification.usage), 4),
    }

"""Token counts: one turn's, and the sums. Survives everything recorded traffic gets wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duologue.events import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duologue.wire.server import ModalityTokenCount, UsageMetadata

__all__ = ["UsageLedger", "token_usage"]


def token_usage(wire: UsageMetadata) -> TokenUsage:
    """Return the wire's counts under one set of names.

    Vertex says candidates* where the Developer API says response*; counts and whole fields may be
    missing (all recorded). Nothing is computed that the service did not say.
    """
    output = wire.response_token_count
    output = wire.candidates_token_count if output is None else output
    details = wire.response_tokens_details
    details = wire.candidates_tokens_details if details is None else details
    return TokenUsage(
        input_tokens=wire.prompt_token_count or 0,
        output_tokens=output or 0,
        total_tokens=wire.total_token_count or 0,
        thought_tokens=wire.thoughts_token_count or 0,
        cached_tokens=wire.cached_content_token_count or 0,
        tool_use_tokens=wire.tool_use_prompt_token_count or 0,
        input_by_modality=_by_modality(wire.prompt_tokens_details),
        output_by_modality=_by_modality(details),
    )


def _by_modality(details: list[ModalityTokenCount] | None) -> dict[str, int]:
    counts: dict[str, int] = {}
    for entry in details or ():
        name = (entry.modality or "MODALITY_UNSPECIFIED").lower()
        counts[name] = counts.get(name, 0) + (entry.token_count or 0)
    return counts


class UsageLedger:
    """Sums usage over the session: the last count of each turn, each once."""

    def __init__(self) -> None:
        self._closed = TokenUsage()
        self._open: TokenUsage | None = None

    def report(self, usage: TokenUsage) -> None:
        """Take a count for the open turn; a newer one replaces it."""
        self._open = usage

    def close_turn(self) -> TokenUsage | None:
        """Add the open turn's count to the sums and return it."""
        usage, self._open = self._open, None
        if usage is not None:
            self._closed = _add(self._closed, usage)
        return usage

    @property
    def total(self) -> TokenUsage:
        """The sums, the open turn included."""
        return self._closed if self._open is None else _add(self._closed, self._open)


def _add(a: TokenUsage, b: TokenUsage) -> TokenUsage:
    return TokenUsage(
        input_tokens=a.input_tokens + b.input_tokens,
        output_tokens=a.output_tokens + b.output_tokens,
        total_tokens=a.total_tokens + b.total_tokens,
        thought_tokens=a.thought_tokens + b.thought_tokens,
        cached_tokens=a.cached_tokens + b.cached_tokens,
        tool_use_tokens=a.tool_use_tokens + b.tool_use_tokens,
        input_by_modality=_merge(a.input_by_modality, b.input_by_modality),
        output_by_modality=_merge(a.output_by_modality, b.output_by_modality),
    )


def _merge(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    return {name: a.get(name, 0) + b.get(name, 0) for name in {**a, **b}}

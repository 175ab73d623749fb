"""Token counts of either backend and either case, under one set of names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

from duologue.transport.values import RealtimeLLMUsageEvent
from duologue.wire.normalise import snake_case

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["usage_event"]

_DETAILS = (
    ("input", ("prompt_tokens_details",), ("text", "audio", "image")),
    ("cached", ("cache_tokens_details",), ("text", "audio")),
    ("output", ("response_tokens_details", "candidates_tokens_details"), ("text", "audio")),
)


def usage_event(raw: Mapping[str, Any], phase: Literal["update", "final"]) -> RealtimeLLMUsageEvent | None:
    """Return the usage in ``raw``; None when it holds none of the three counts.

    Nothing is computed that the service did not say, money included.

    Args:
        raw: ``usageMetadata`` as on the wire, in camelCase or snake_case.
        phase: Passed on.
    """
    fields = _snake(raw)
    counts = (
        _first(fields, "prompt_token_count"),
        _first(fields, "response_token_count", "candidates_token_count"),
        _first(fields, "total_token_count"),
    )
    if counts == (None, None, None):
        return None
    breakdown = {"cached": _first(fields, "cached_content_token_count") or 0}
    for side, names, modalities in _DETAILS:
        found = _by_modality(next((fields[name] for name in names if fields.get(name)), ()))
        breakdown |= {f"{side}_{kind}": found.get(kind, 0) for kind in modalities}
    return RealtimeLLMUsageEvent(
        phase=phase,
        input_tokens=counts[0],
        output_tokens=counts[1],
        total_tokens=counts[2],
        modality_breakdown={name: count for name, count in breakdown.items() if count},
        provider_raw=raw,
    )


def _snake(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {snake_case(key): value for key, value in raw.items()}


def _first(fields: Mapping[str, Any], *names: str) -> int | None:
    """Return the first of these that is a finite number."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return int(value)
    return None


def _by_modality(details: Iterable[object]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for entry in details:
        if isinstance(entry, Mapping):
            fields = _snake(cast("Mapping[str, Any]", entry))
            name = str(fields.get("modality", "")).lower()
            counts[name] = counts.get(name, 0) + (_first(fields, "token_count") or 0)
    return counts

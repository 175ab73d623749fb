"""What a run will cost, about, and what it came to: by the price lists in the profile table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from duologue.wire.profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from duologue.verify.probe import Probe
    from duologue.wire.server import ModalityTokenCount, UsageMetadata

__all__ = ["cost_usd", "estimate_usd"]

_TOKENS_IN: Final = 2_000
"""Of one turn: the service's own preamble, which has been seen to come to 1,131, and what was said."""
_SOUND_TOKENS_OUT: Final = 300
"""Twelve seconds of sound: greetings are shorter, and of a story more is made than is waited for."""
_MILLION: Final = 1_000_000


def estimate_usd(plan: Iterable[tuple[Probe, str]]) -> float:
    """Return about how many dollars a plan costs; rather too many, and nothing for unknown prices."""
    total = 0.0
    for probe, profile in plan:
        prices = PROFILES[profile].prices
        if prices is not None:
            turn = _TOKENS_IN * prices.text_in + _SOUND_TOKENS_OUT * prices.audio_out
            total += probe.turns * turn / _MILLION
    return total


def cost_usd(usage: Sequence[tuple[str, UsageMetadata]]) -> float:
    """Return what the reported tokens cost; a model turn that was cut off before its usage is not in it.

    Args:
        usage: By profile. Tokens without a modality count as text.
    """
    total = 0.0
    for profile, one in usage:
        prices = PROFILES[profile].prices
        if prices is None:
            continue
        response = one.response_token_count or one.candidates_token_count or 0
        sound_in = _sound(one.prompt_tokens_details)
        sound_out = _sound(one.response_tokens_details or one.candidates_tokens_details)
        text_in = max((one.prompt_token_count or 0) - sound_in, 0)
        text_out = max(response - sound_out, 0) + (one.thoughts_token_count or 0)
        total += sound_in * prices.audio_in + text_in * prices.text_in
        total += sound_out * prices.audio_out + text_out * prices.text_out
    return total / _MILLION


def _sound(details: Sequence[ModalityTokenCount] | None) -> int:
    return sum(one.token_count or 0 for one in details or () if one.modality == "AUDIO")

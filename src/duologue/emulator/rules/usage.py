"""Token counts as the service reports them, oddities included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duologue.wire.server import ModalityTokenCount, UsageMetadata

if TYPE_CHECKING:
    from duologue.emulator.profiles import EmulatedProfile
    from duologue.emulator.rules.conversation import Conversation

__all__ = ["AUDIO_TOKENS_PER_S", "preamble_tokens", "turn_usage"]

AUDIO_TOKENS_PER_S = 25


def preamble_tokens(profile: EmulatedProfile, model: str) -> int:
    """Return what every prompt of this model is charged for the service's own hidden part."""
    marks = sorted(profile.preamble_tokens.items(), key=lambda item: -len(item[0]))
    return next(tokens for mark, tokens in marks if mark in model)


def turn_usage(
    profile: EmulatedProfile,
    model: str,
    conversation: Conversation,
    *,
    prompt_text_tokens: int | None = None,
    audio_out_s: float = 0.0,
    call_tokens: int = 0,
    thought_tokens: int = 0,
) -> UsageMetadata:
    """Return the usage of one turn.

    The prompt is the whole history; the total is prompt and response, without thoughts; a response
    without tokens has no count at all.

    Args:
        profile: Decides how spoken input shows.
        model: As in the setup.
        conversation: Whose sound is counted.
        prompt_text_tokens: Of the history as the turn saw it, without the preamble; None: as it is now.
        audio_out_s: Seconds of sound sent in this turn.
        call_tokens: Of the function calls made in this turn.
        thought_tokens: Of the thoughts of this turn.
    """
    if prompt_text_tokens is None:
        prompt_text_tokens = conversation.prompt_text_tokens()
    text = preamble_tokens(profile, model) + prompt_text_tokens
    if profile.audio_prompt_detail == "one_token":
        # Recorded: the speech is in the count, at the usual rate, but all except one token goes as text.
        text += round(conversation.audio_in_s * AUDIO_TOKENS_PER_S)
        audio = 1 if conversation.audio_in_s else 0
    else:
        audio = round((conversation.audio_in_s + conversation.audio_out_s) * AUDIO_TOKENS_PER_S)
    spoken = round(audio_out_s * AUDIO_TOKENS_PER_S)
    response = spoken + call_tokens
    return UsageMetadata(
        prompt_token_count=text + audio,
        response_token_count=response or None,
        total_token_count=text + audio + response,
        prompt_tokens_details=_details(TEXT=text, AUDIO=audio),
        response_tokens_details=_details(TEXT=call_tokens, AUDIO=spoken) or None,
        thoughts_token_count=thought_tokens or None,
    )


def _details(**tokens: int) -> list[ModalityTokenCount]:
    return [ModalityTokenCount(modality=name, token_count=count) for name, count in tokens.items() if count]

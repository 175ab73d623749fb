"""What differs from model to model, as columns of one table.

Read this to add a model or to look up how sure we are of a behaviour. The rules ask the row they were
given and never a model's name, so another row needs no other code. ``GRADES`` says, per row and
column, what a choice rests on: "recorded" (real traffic), "documented", "reported" (by users),
or "guessed".
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["GRADES", "PROFILES", "EmulatedProfile", "Grade", "profile_for_model"]

Grade = Literal["recorded", "documented", "reported", "guessed"]


@dataclass(frozen=True, slots=True)
class EmulatedProfile:
    """How the service behaves for one kind of model; every field is one observable choice."""

    name: str
    model_marks: tuple[str, ...]
    """A model whose bare name contains one of these is of this kind."""

    # What goes out, and how.
    thoughts: Literal["always", "never"]
    """Whether an answer is preceded by one whole thought part, asked for or not."""
    input_words: Literal["fragments", "sentence"]
    """Whether ``inputTranscription`` comes word by word or as one sentence."""
    message_kinds: Literal["one", "several"]
    """Whether sound and transcript may share a message."""
    chunk_ms: tuple[int, ...]
    """Lengths of successive audio messages, taken in turn."""
    model_role: str | None
    """``modelTurn.role`` as sent."""
    opening: Literal["none", "empty_content"]
    """What starts a generation: nothing, or ``{"serverContent": {}}``."""
    empty_messages: Literal["never", "now_and_then"]
    """Whether bare ``{}`` messages are strewn in."""
    voice_activity: Literal["never", "sent"]
    """Whether ``voiceActivity`` tells of the caller's activity without being asked for."""
    unrequested_handles: Literal["never", "sent"]
    """Whether ``sessionResumptionUpdate`` comes although the setup did not ask for resumption."""
    call_id_prefix: str
    """Stands before the 19 digits of a function call's id."""
    handle_form: Literal["uuid", "opaque"]
    """What a resumption handle looks like; one of another form is malformed."""
    preamble_tokens: Mapping[str, int]
    """Tokens a prompt is charged before anything was said, by part of the model's name; "" is the rest."""
    audio_prompt_detail: Literal["one_token", "whole_history"]
    """How spoken input shows in ``promptTokensDetails``."""

    # What is taken in.
    text_modality: tuple[int, str]
    """Close code and reason for ``responseModalities: ["TEXT"]``."""
    null_handle: Literal["tolerated", "refused"]
    """``sessionResumption: {"handle": null}``."""
    thinking_fields: frozenset[str]
    """The fields of ``thinkingConfig`` that are accepted."""
    v1alpha_extras: Literal["v1alpha_only", "removed"]
    """``enableAffectiveDialog``: known to v1alpha only, or gone altogether."""
    proactive_audio: Literal["v1alpha_only", "always_on"]
    """``proactivity``: known to v1alpha only, or always on so that ``false`` is refused."""
    context_update: Literal["refused", "accepted"]
    """``contextUpdate`` while the session runs."""

    # Tools.
    default_behavior: Literal["BLOCKING", "NON_BLOCKING"]
    """The behaviour of a function that declares none."""
    input_while_blocked: Literal["waits", "cancels_calls"]
    """What the caller's activity does while a blocking call is unanswered and nothing sounds."""
    interrupt_result: Literal["at_once", "after_user"]
    """When a result scheduled INTERRUPT is spoken while the caller is speaking."""


_NATIVE_2_5 = EmulatedProfile(
    name="2.5-native",
    model_marks=("gemini-2.5-flash-native-audio", "gemini-2.5-flash-preview-native-audio"),
    thoughts="always",
    input_words="fragments",
    message_kinds="one",
    chunk_ms=(40, 80, 60, 60, 80, 40),
    model_role=None,
    opening="none",
    empty_messages="never",
    voice_activity="never",
    unrequested_handles="never",
    call_id_prefix="function-call-",
    handle_form="opaque",
    preamble_tokens={"latest": 382, "": 1117},
    audio_prompt_detail="one_token",
    text_modality=(1007, "Cannot extract voices from a non-audio request."),
    null_handle="tolerated",
    thinking_fields=frozenset({"include_thoughts", "thinking_budget"}),
    v1alpha_extras="v1alpha_only",
    proactive_audio="v1alpha_only",
    context_update="refused",
    default_behavior="BLOCKING",
    input_while_blocked="waits",
    interrupt_result="at_once",
)

_LIVE_3_8 = EmulatedProfile(
    name="3.8",
    model_marks=("gemini-3.8-live",),
    thoughts="never",
    input_words="sentence",
    message_kinds="several",
    chunk_ms=(200,),
    model_role="model",
    opening="empty_content",
    empty_messages="now_and_then",
    voice_activity="sent",
    unrequested_handles="sent",
    call_id_prefix="fc_",
    handle_form="uuid",
    preamble_tokens={"": 187},
    audio_prompt_detail="whole_history",
    text_modality=(1011, "Internal error encountered."),
    null_handle="refused",
    thinking_fields=frozenset(),
    v1alpha_extras="removed",
    proactive_audio="always_on",
    context_update="accepted",
    default_behavior="NON_BLOCKING",
    input_while_blocked="cancels_calls",
    interrupt_result="after_user",
)

PROFILES: Mapping[str, EmulatedProfile] = {row.name: row for row in (_NATIVE_2_5, _LIVE_3_8)}
"""Every row, by name."""

GRADES: Mapping[str, Mapping[str, Grade]] = {
    "2.5-native": {
        "model_marks": "documented",
        "thoughts": "recorded",  # a tool round has none, neither before the call nor after the result
        "input_words": "recorded",
        "message_kinds": "recorded",
        "chunk_ms": "recorded",  # 60 ms on average, derived from tokens over frames
        "model_role": "recorded",
        "opening": "recorded",
        "empty_messages": "recorded",
        "voice_activity": "recorded",
        "unrequested_handles": "recorded",
        "call_id_prefix": "recorded",
        "handle_form": "guessed",
        "preamble_tokens": "recorded",  # set so that the recorded short prompts come to 1131 and 417
        "audio_prompt_detail": "recorded",
        "text_modality": "reported",
        "null_handle": "reported",
        "thinking_fields": "documented",
        "v1alpha_extras": "documented",
        "proactive_audio": "documented",
        "context_update": "guessed",
        "default_behavior": "documented",
        "input_while_blocked": "guessed",
        "interrupt_result": "documented",
    },
    "3.8": {
        "model_marks": "documented",
        "thoughts": "reported",
        "input_words": "reported",
        "message_kinds": "documented",  # recorded on 3.1
        "chunk_ms": "guessed",  # about 190 ms recorded on 3.1
        "model_role": "reported",
        "opening": "guessed",  # recorded on 3.1
        "empty_messages": "reported",
        "voice_activity": "reported",
        "unrequested_handles": "reported",
        "call_id_prefix": "reported",
        "handle_form": "reported",
        "preamble_tokens": "guessed",  # recorded on 3.1
        "audio_prompt_detail": "reported",
        "text_modality": "guessed",  # reported on 3.1
        "null_handle": "guessed",  # reported on 3.1
        "thinking_fields": "documented",
        "v1alpha_extras": "documented",
        "proactive_audio": "documented",
        "context_update": "documented",
        "default_behavior": "documented",
        "input_while_blocked": "documented",
        "interrupt_result": "documented",
    },
}
"""How sure each choice is; ``name`` is ours and has no grade."""

assert all(
    set(GRADES[name]) == {column.name for column in fields(row)} - {"name"} for name, row in PROFILES.items()
)


def profile_for_model(model: str) -> EmulatedProfile | None:
    """Return the row a model name belongs to; does not check the name any further.

    Args:
        model: As in ``setup.model``: bare, or behind ``models/``.

    Returns:
        The row, or None for a model that no row describes.
    """
    bare = model.rpartition("/")[2]
    if "extended-thinking" in bare:
        return None  # its lifecycle differs; a row of its own comes later
    for row in PROFILES.values():
        if any(mark in bare for mark in row.model_marks):
            return row
    return None

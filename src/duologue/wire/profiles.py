"""What each model family allows: a table, one row a profile. Code asks the row, never the name.

Every cell that differs between models is a field; ``evidence`` says how we know, field by field:
*recorded* (real traffic), *documented* (Google's pages), *reported* (users and other clients' source),
*guessed* (our inference).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from duologue.checks import check_value, shown
from duologue.errors import ConfigError, Unsupported
from duologue.wire.endpoint import DEFAULT_API_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duologue.config import LiveConfig

__all__ = ["DEFAULT_MODEL", "PROFILES", "Evidence", "ModelProfile", "profile_for"]

Evidence = Literal["recorded", "documented", "reported", "guessed"]
Backend = Literal["developer"]

DEFAULT_MODEL = "gemini-3.8-live"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelProfile:
    """One model family on one backend."""

    name: str
    backend: Backend
    default_model: str
    model_prefixes: tuple[str, ...]
    """A model whose name starts with one of these belongs to this row."""
    output_modalities: tuple[str, ...]
    thinking: Literal["budget", "level", "none"]
    """Which field of thinkingConfig the model takes."""
    tool_behavior: Literal["BLOCKING", "NON_BLOCKING"]
    """What an undeclared ``behavior`` means."""
    non_blocking: bool
    """Whether NON_BLOCKING and ``scheduling`` are honoured."""
    start_reply: Literal["client_content", "realtime_text"]
    """How the application makes the model speak."""
    text_turn: Literal["client_content", "realtime_text"]
    """How a typed user turn is sent."""
    interrupt: Literal["client_content", "none"]
    """How the service is told that the application interrupts."""
    sends_voice_activity: bool
    affective_dialog: bool
    proactive_audio: Literal["opt-in", "always", "no"]
    context_update: bool
    context_window_tokens: int
    known: bool = True
    """False for the row that an unknown model gets."""
    evidence: Mapping[str, Evidence] = field(default_factory=dict[str, Evidence])

    def api_version_for(self, live: LiveConfig) -> str:
        """Return the API version that has what is asked for: some options exist in v1alpha alone."""
        asks = bool(live.enable_affective_dialog) or live.proactivity is not None
        return "v1alpha" if asks and self.proactive_audio == "opt-in" else DEFAULT_API_VERSION

    def check_modalities(self, wanted: list[str]) -> None:
        """Refuse output modalities the model does not have, before connecting.

        Raises:
            Unsupported: Says what the profile has.
        """
        if len(wanted) != 1 or wanted[0] not in self.output_modalities:
            allowed = " or ".join(self.output_modalities)
            msg = f"response_modalities {wanted} is not possible with profile {self.name}: give exactly one of {allowed}"
            raise Unsupported(msg)


_NATIVE_2_5 = ModelProfile(
    name="2.5-native",
    backend="developer",
    default_model="gemini-2.5-flash-native-audio-preview-12-2025",
    model_prefixes=(
        "gemini-2.5-flash-native-audio",
        "gemini-2.5-flash-preview-native-audio",
    ),
    output_modalities=("AUDIO",),
    thinking="budget",
    tool_behavior="BLOCKING",
    non_blocking=True,
    start_reply="client_content",
    text_turn="client_content",
    interrupt="client_content",
    sends_voice_activity=False,
    affective_dialog=True,
    proactive_audio="opt-in",
    context_update=False,
    context_window_tokens=131_072,
    evidence={
        "output_modalities": "reported",
        "thinking": "documented",
        "tool_behavior": "recorded",
        "non_blocking": "documented",
        "start_reply": "reported",
        "text_turn": "recorded",
        "interrupt": "documented",
        "sends_voice_activity": "recorded",
        "affective_dialog": "documented",
        "proactive_audio": "documented",
        "context_update": "guessed",
        "context_window_tokens": "documented",
    },
)

_LIVE_3_8 = ModelProfile(
    name="3.8",
    backend="developer",
    default_model=DEFAULT_MODEL,
    model_prefixes=("gemini-3.8-live",),
    output_modalities=("AUDIO",),
    thinking="none",
    tool_behavior="NON_BLOCKING",
    non_blocking=True,
    start_reply="realtime_text",
    text_turn="realtime_text",
    interrupt="client_content",
    sends_voice_activity=True,
    affective_dialog=False,
    proactive_audio="always",
    context_update=True,
    context_window_tokens=131_072,
    evidence={
        "output_modalities": "documented",
        "thinking": "documented",
        "tool_behavior": "documented",
        "non_blocking": "documented",
        "start_reply": "reported",
        "text_turn": "reported",
        "interrupt": "documented",
        "sends_voice_activity": "reported",
        "affective_dialog": "documented",
        "proactive_audio": "documented",
        "context_update": "documented",
        "context_window_tokens": "documented",
    },
)

_UNKNOWN = ModelProfile(
    name="unknown",
    backend="developer",
    default_model=DEFAULT_MODEL,
    model_prefixes=(),
    output_modalities=("AUDIO", "TEXT"),
    thinking="none",
    tool_behavior="BLOCKING",
    non_blocking=False,
    start_reply="realtime_text",
    text_turn="realtime_text",
    interrupt="none",
    sends_voice_activity=False,
    affective_dialog=False,
    proactive_audio="no",
    context_update=False,
    context_window_tokens=32_768,
    known=False,
)

_OTHER_FAMILIES = ("extended-thinking",)
"""Names that begin like a row's but belong to models with a life cycle of their own."""

PROFILES: Mapping[str, ModelProfile] = {row.name: row for row in (_NATIVE_2_5, _LIVE_3_8)}


def profile_for(model: str) -> ModelProfile:
    """Return the row of a model name, with or without ``models/``; the safest row when unknown.

    The caller warns once when the row is not ``known``.

    Raises:
        ConfigError: No text, an empty one, or one with blanks or control characters.
    """
    check_value("model", model, str)
    if not model or any(c.isspace() or not c.isprintable() for c in model):
        raise ConfigError(f"model is {shown(model)}; give a name without blanks, such as {DEFAULT_MODEL!r}")
    bare = model.rsplit("/", 1)[-1]
    for row in PROFILES.values():
        if bare.startswith(row.model_prefixes) and not any(part in bare for part in _OTHER_FAMILIES):
            return row
    return _UNKNOWN

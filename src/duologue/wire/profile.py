"""What each model family allows on each backend. Code asks the row, never the model's name.

Every cell that differs between models is a field of :class:`ModelProfile`; the rows stand in
``profile_table``, where each cell carries its grade: *recorded* (real traffic), *documented* (Google's
pages, its published contract or its SDKs' source), *reported* (users and other clients' source) or *guessed*
(our inference).
``docs/reference/evidence.md`` is drawn from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from duologue.errors import Unsupported
from duologue.wire.endpoint import DEFAULT_API_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duologue.config import LiveConfig

__all__ = ["Backend", "Evidence", "ModelProfile", "TokenPrices"]

Backend = Literal["developer", "vertex"]
Evidence = Literal["recorded", "documented", "reported", "guessed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrices:
    """US dollars for a million tokens, by modality, on the paid tier; lists change, see ``read_on``.

    The whole context is charged anew every turn. Thoughts and transcripts count as text output.
    """

    text_in: float
    audio_in: float
    video_in: float
    text_out: float
    audio_out: float
    read_on: str
    """When the figures were read, as YYYY-MM-DD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelProfile:
    """One model family on one backend."""

    name: str
    backend: Backend
    default_model: str
    model_prefixes: tuple[str, ...]
    """A model whose bare name starts with one of these belongs to this row; the longest prefix wins."""
    known: bool = True
    """False for the row that an unknown model gets."""
    evidence: Mapping[str, Evidence] = field(default_factory=dict[str, Evidence], repr=False)
    """How we know, cell by cell. A row for unknown models has none."""

    # -- what goes into the setup ---------------------------------------------------------------
    output_modalities: tuple[str, ...]
    thinking: Literal["budget", "level", "none"]
    """Which field of thinkingConfig the model takes."""
    tool_behavior: Literal["BLOCKING", "NON_BLOCKING"]
    """What an undeclared ``behavior`` means."""
    tool_behaviors: tuple[Literal["BLOCKING", "NON_BLOCKING"], ...]
    """The behaviours that are honoured."""
    scheduling: bool
    """Whether ``scheduling`` and ``willContinue`` of a function's result are honoured."""
    google_tools: tuple[str, ...]
    """Google's own tools it takes, as ``setup.tools`` names them."""
    affective_dialog: bool
    proactive_audio: Literal["opt-in", "always", "no"]
    turn_coverage: str
    """What a turn contains unless the setup says so."""
    history_config: bool
    """Whether ``historyConfig`` is understood."""
    explicit_vad_signal: bool
    transparent_resumption: bool
    """Whether resumption can tell which of our messages were consumed."""
    translation: bool
    """Whether ``translationConfig`` is understood."""

    # -- how things are said ----------------------------------------------------------------------
    start_reply: Literal["client_content", "realtime_text"]
    """How the application makes the model speak."""
    text_turn: Literal["client_content", "realtime_text"]
    """How a typed user turn is sent."""
    interrupt: Literal["client_content", "none"]
    """How the service is told that the application interrupts."""
    client_content: Literal["any time", "before the first answer"]
    """When turns may be added to the conversation."""
    seeding: Literal["client_content", "history_config"]
    """How a conversation that was held elsewhere is handed over."""
    seed_ends_with: Literal["user", "any"]
    """Whose turn a seeded history must end with."""
    context_update: bool
    """Whether instructions and tools can be replaced by ``contextUpdate``."""
    instructions_update: Literal["context_update", "client_content", "none"]
    """How new instructions are told while the session runs."""

    # -- what comes back ----------------------------------------------------------------------------
    event_shape: Literal["one kind a message", "several kinds a message", "words before sound"]
    call_ids: Literal["always", "sometimes"]
    """Whether every function call carries an id."""
    sends_voice_activity: bool
    """Whether the service tells of the user's speech without being asked."""
    turn_may_continue: bool
    """Whether a turn may be complete while more is still to come."""
    tool_call_ends_turn: bool
    """Whether ``turnComplete`` comes right after a blocking function call, before its result."""

    # -- limits -------------------------------------------------------------------------------------
    context_window_tokens: int
    output_tokens: int
    session_audio_s: int
    """How long a session lasts without context compression."""
    session_video_s: int
    """The same, once pictures are sent."""
    connection_s: int
    """How long one link lasts, about."""
    go_away_lead_s: int
    """How long before that the service says so, about."""
    handle_valid_s: int
    """How long a resumption handle is good for after its session ended."""
    prices: TokenPrices | None

    @property
    def non_blocking(self) -> bool:
        """Whether a function can run while the model goes on."""
        return "NON_BLOCKING" in self.tool_behaviors

    def api_version_for(self, live: LiveConfig) -> str | None:
        """Return the API version that has what is asked for, None for the backend's usual one.

        Some options of the Developer API exist in v1alpha alone.
        """
        if self.backend == "vertex":
            return None
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

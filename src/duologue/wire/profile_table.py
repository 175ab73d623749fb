"""The rows of the profile table; each cell says how we know it.

To add a model family, add a row: a cell that is left out is an error. To learn where a grade comes
from, see ``docs/quirks.md``; to see the table as a table, ``docs/reference/evidence.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from duologue.wire.profile import ModelProfile, TokenPrices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duologue.wire.profile import Backend, Evidence

__all__ = ["DEFAULT_MODEL", "DEFAULT_VERTEX_MODEL", "PROFILES", "UNKNOWN"]

DEFAULT_MODEL = "gemini-3.8-live"
DEFAULT_VERTEX_MODEL = "gemini-live-2.5-flash-native-audio"

_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class _Cell:
    value: Any
    grade: Evidence


def _recorded(value: Any) -> _Cell:
    return _Cell(value, "recorded")


def _documented(value: Any) -> _Cell:
    return _Cell(value, "documented")


def _reported(value: Any) -> _Cell:
    return _Cell(value, "reported")


def _guessed(value: Any) -> _Cell:
    return _Cell(value, "guessed")


def _row(
    name: str, backend: Backend, default_model: str, model_prefixes: tuple[str, ...], **cells: _Cell
) -> ModelProfile:
    return ModelProfile(
        name=name,
        backend=backend,
        default_model=default_model,
        model_prefixes=model_prefixes,
        evidence={column: cell.grade for column, cell in cells.items()},
        **{column: cell.value for column, cell in cells.items()},
    )


def _like(
    row: ModelProfile, name: str, default_model: str, model_prefixes: tuple[str, ...], **cells: _Cell
) -> ModelProfile:
    """Return a row that differs from ``row`` in ``cells`` only."""
    return replace(
        row,
        name=name,
        default_model=default_model,
        model_prefixes=model_prefixes,
        evidence={**row.evidence, **{column: cell.grade for column, cell in cells.items()}},
        **{column: cell.value for column, cell in cells.items()},
    )


_ONLY_ACTIVITY = "TURN_INCLUDES_ONLY_ACTIVITY"
_ACTIVITY_AND_VIDEO = "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO"

# Copied by several independent projects from Google's price list, most of them naming the day.
_PRICES_2_5 = TokenPrices(
    text_in=0.5, audio_in=3.0, video_in=3.0, text_out=2.0, audio_out=12.0, read_on="2026-09-28"
)
_PRICES_3 = TokenPrices(
    text_in=0.75, audio_in=3.0, video_in=1.0, text_out=4.5, audio_out=12.0, read_on="2026-09-28"
)

_NATIVE_2_5 = _row(
    "2.5-native",
    "developer",
    "gemini-2.5-flash-native-audio-preview-12-2025",
    ("gemini-2.5-flash-native-audio", "gemini-2.5-flash-preview-native-audio"),
    output_modalities=_documented(("AUDIO",)),
    thinking=_documented("budget"),
    tool_behavior=_recorded("BLOCKING"),
    tool_behaviors=_documented(("BLOCKING", "NON_BLOCKING")),
    scheduling=_documented(True),
    google_tools=_documented(("googleSearch",)),
    affective_dialog=_documented(True),
    proactive_audio=_documented("opt-in"),
    turn_coverage=_documented(_ONLY_ACTIVITY),
    history_config=_guessed(True),
    explicit_vad_signal=_documented(False),
    transparent_resumption=_documented(False),
    translation=_guessed(False),
    start_reply=_reported("client_content"),
    text_turn=_recorded("client_content"),
    interrupt=_documented("client_content"),
    client_content=_recorded("any time"),
    seeding=_recorded("client_content"),
    seed_ends_with=_reported("user"),
    context_update=_guessed(False),
    instructions_update=_reported("client_content"),
    event_shape=_recorded("one kind a message"),
    call_ids=_recorded("always"),
    sends_voice_activity=_recorded(False),
    turn_may_continue=_recorded(False),
    tool_call_ends_turn=_recorded(False),
    context_window_tokens=_documented(131_072),
    output_tokens=_documented(8_192),
    session_audio_s=_documented(15 * 60),
    session_video_s=_documented(2 * 60),
    connection_s=_documented(10 * 60),
    go_away_lead_s=_reported(50),
    handle_valid_s=_documented(2 * _HOUR_S),
    prices=_reported(_PRICES_2_5),
)

_LIVE_3_1 = _row(
    "3.1",
    "developer",
    "gemini-3.1-flash-live-preview",
    ("gemini-3.1-flash-live",),
    output_modalities=_documented(("AUDIO",)),
    thinking=_documented("level"),
    tool_behavior=_reported("BLOCKING"),
    tool_behaviors=_documented(("BLOCKING",)),
    scheduling=_documented(False),
    google_tools=_documented(("googleSearch",)),
    affective_dialog=_documented(False),
    proactive_audio=_documented("no"),
    turn_coverage=_documented(_ACTIVITY_AND_VIDEO),
    history_config=_documented(True),
    explicit_vad_signal=_documented(False),
    transparent_resumption=_documented(False),
    translation=_guessed(False),
    start_reply=_reported("realtime_text"),
    text_turn=_reported("realtime_text"),
    # Anything but realtime input was refused mid-session; so the service is not told at all.
    interrupt=_guessed("none"),
    client_content=_reported("before the first answer"),
    seeding=_reported("history_config"),
    seed_ends_with=_documented("any"),
    context_update=_guessed(False),
    instructions_update=_reported("none"),
    event_shape=_recorded("several kinds a message"),
    call_ids=_recorded("always"),
    sends_voice_activity=_recorded(False),
    turn_may_continue=_recorded(False),
    tool_call_ends_turn=_recorded(False),
    context_window_tokens=_documented(131_072),
    output_tokens=_documented(65_536),
    session_audio_s=_documented(15 * 60),
    session_video_s=_documented(2 * 60),
    connection_s=_documented(10 * 60),
    go_away_lead_s=_reported(50),
    handle_valid_s=_documented(2 * _HOUR_S),
    prices=_reported(_PRICES_3),
)

_LIVE_3_8 = _row(
    "3.8",
    "developer",
    DEFAULT_MODEL,
    ("gemini-3.8-live",),
    output_modalities=_documented(("AUDIO",)),
    thinking=_documented("none"),
    tool_behavior=_documented("NON_BLOCKING"),
    tool_behaviors=_documented(("BLOCKING", "NON_BLOCKING")),
    scheduling=_documented(True),
    google_tools=_documented(("googleSearch",)),
    affective_dialog=_documented(False),
    proactive_audio=_documented("always"),
    turn_coverage=_documented(_ACTIVITY_AND_VIDEO),
    history_config=_documented(True),
    explicit_vad_signal=_documented(False),
    transparent_resumption=_documented(False),
    translation=_guessed(False),
    start_reply=_reported("realtime_text"),
    text_turn=_reported("realtime_text"),
    interrupt=_documented("client_content"),
    client_content=_documented("any time"),
    seeding=_documented("history_config"),
    seed_ends_with=_documented("any"),
    context_update=_documented(True),
    instructions_update=_documented("context_update"),
    event_shape=_documented("several kinds a message"),
    call_ids=_reported("always"),
    sends_voice_activity=_reported(True),
    turn_may_continue=_reported(False),
    tool_call_ends_turn=_reported(False),
    context_window_tokens=_documented(131_072),
    output_tokens=_documented(65_536),
    session_audio_s=_documented(15 * 60),
    session_video_s=_documented(2 * 60),
    connection_s=_documented(10 * 60),
    go_away_lead_s=_reported(50),
    handle_valid_s=_documented(2 * _HOUR_S),
    prices=_reported(_PRICES_3),
)

_THINKING_3_8 = _like(
    _LIVE_3_8,
    "3.8-thinking",
    "gemini-3.8-live-extended-thinking",
    ("gemini-3.8-live-extended-thinking",),
    thinking=_reported("level"),
    tool_behaviors=_documented(("NON_BLOCKING",)),
    context_update=_guessed(True),
    instructions_update=_guessed("context_update"),
    turn_may_continue=_documented(True),
    start_reply=_guessed("realtime_text"),
    text_turn=_guessed("realtime_text"),
    call_ids=_guessed("always"),
    sends_voice_activity=_guessed(True),
    tool_call_ends_turn=_guessed(False),
)

_VERTEX_HALF_CASCADE = _row(
    "vertex-half-cascade",
    "vertex",
    "gemini-live-2.5-flash",
    ("gemini-live-2.5-flash",),
    output_modalities=_documented(("AUDIO", "TEXT")),
    thinking=_documented("budget"),
    tool_behavior=_recorded("BLOCKING"),
    tool_behaviors=_reported(("BLOCKING",)),
    scheduling=_reported(False),
    google_tools=_reported(
        ("googleSearch", "retrieval", "enterpriseWebSearch", "parallelAiSearch", "exaAiSearch")
    ),
    affective_dialog=_documented(False),
    proactive_audio=_documented("no"),
    turn_coverage=_documented(_ONLY_ACTIVITY),
    history_config=_reported(False),
    explicit_vad_signal=_documented(True),
    transparent_resumption=_documented(True),
    translation=_reported(False),
    start_reply=_guessed("client_content"),
    text_turn=_recorded("client_content"),
    interrupt=_documented("client_content"),
    client_content=_documented("any time"),
    seeding=_documented("client_content"),
    seed_ends_with=_reported("user"),
    context_update=_guessed(False),
    instructions_update=_reported("client_content"),
    event_shape=_recorded("words before sound"),
    call_ids=_reported("sometimes"),
    sends_voice_activity=_recorded(False),
    turn_may_continue=_recorded(False),
    tool_call_ends_turn=_recorded(True),
    context_window_tokens=_documented(32_768),
    output_tokens=_guessed(8_192),
    session_audio_s=_documented(15 * 60),
    session_video_s=_documented(2 * 60),
    connection_s=_documented(10 * 60),
    go_away_lead_s=_documented(60),
    handle_valid_s=_guessed(24 * _HOUR_S),  # its page also says about 10 minutes
    prices=_reported(_PRICES_2_5),
)

_VERTEX_NATIVE = _like(
    _VERTEX_HALF_CASCADE,
    "vertex-native",
    DEFAULT_VERTEX_MODEL,
    ("gemini-live-2.5-flash-native-audio", "gemini-live-2.5-flash-preview-native-audio"),
    output_modalities=_documented(("AUDIO",)),
    affective_dialog=_documented(True),
    proactive_audio=_documented("opt-in"),
    tool_behavior=_guessed("BLOCKING"),
    text_turn=_guessed("client_content"),
    event_shape=_guessed("words before sound"),
    sends_voice_activity=_guessed(False),
    turn_may_continue=_guessed(False),
    tool_call_ends_turn=_guessed(True),
    context_window_tokens=_documented(131_072),
    output_tokens=_documented(65_536),
)

PROFILES: Mapping[str, ModelProfile] = {
    row.name: row
    for row in (_NATIVE_2_5, _LIVE_3_1, _LIVE_3_8, _THINKING_3_8, _VERTEX_HALF_CASCADE, _VERTEX_NATIVE)
}


def _safest(row: ModelProfile, name: str, *, translation: bool) -> ModelProfile:
    """Return the row for a model nobody here knows: it is sent nothing of itself that a known one refuses.

    What only happens when the application asks for it is let through: turns in mid-session, the tools of
    ``row``, and translation, which models without a row have.
    """
    return replace(
        row,
        name=name,
        model_prefixes=(),
        known=False,
        evidence={},
        output_modalities=("AUDIO", "TEXT"),
        thinking="none",
        tool_behavior="BLOCKING",
        tool_behaviors=("BLOCKING",),
        scheduling=False,
        affective_dialog=False,
        proactive_audio="no",
        history_config=False,
        transparent_resumption=False,
        translation=translation,
        start_reply="realtime_text",
        text_turn="realtime_text",
        interrupt="none",
        seeding="client_content",
        seed_ends_with="user",
        context_update=False,
        instructions_update="none",
        call_ids="sometimes",
        sends_voice_activity=False,
        context_window_tokens=32_768,
        output_tokens=8_192,
        prices=None,
    )


UNKNOWN: Mapping[Backend, ModelProfile] = {
    "developer": _safest(_LIVE_3_8, "unknown", translation=True),
    "vertex": _safest(_VERTEX_NATIVE, "vertex-unknown", translation=False),
}

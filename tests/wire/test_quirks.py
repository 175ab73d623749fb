"""Oddities of the service that no other test of the wire is named after: ``docs/quirks.md``, row by row."""

from __future__ import annotations

import msgspec
import pytest

from duologue.config import LiveConfig
from duologue.wire.close import CloseKind, classify
from duologue.wire.profiles import profile_for
from duologue.wire.setup import build_setup


def test_an_instruction_is_a_content() -> None:
    """Q-instruction-is-content: never the plain string of the documentation's example."""
    setup = build_setup(model="m", profile=profile_for("?"), config=LiveConfig(), instructions="Be brief.")
    assert msgspec.to_builtins(setup)["systemInstruction"] == {
        "parts": [{"text": "Be brief."}],
        "role": "user",
    }


@pytest.mark.parametrize("model", ["gemini-3.1-flash-live-preview", "gemini-3.8-live", "gemini-9-live"])
def test_where_content_may_be_refused_text_is_realtime_input(model: str) -> None:
    """Q-content-in-mid-session: 3.1 has no row of its own, and gets the safest one."""
    row = profile_for(model)
    assert (row.text_turn, row.start_reply) == ("realtime_text", "realtime_text")


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (
            1011,
            "You exceeded your current quota, please check your plan and billing details. " + "x" * 80,
            "quota",
        ),
        (1008, f"models/{'m' * 70} is not found for API version v1beta, or is not supported for it", "model"),
        (
            1008,
            "Method doesn't allow unregistered callers (callers without established identity). " * 2,
            "auth",
        ),
    ],
)
@pytest.mark.parametrize("length_bytes", [123, 110])
def test_a_reason_cut_in_a_word_keeps_its_meaning(
    code: int, reason: str, kind: CloseKind, length_bytes: int
) -> None:
    """Q-cut-reasons: what tells them apart stands early, though not always first."""
    cut = reason.encode()[:length_bytes].decode()
    assert cut != reason
    assert classify(code, cut) == classify(code, reason)
    assert classify(code, cut).kind == kind

"""The table of models: whole rows, evidence for each cell, the safest row for the unknown."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from duologue.errors import ConfigError, Unsupported
from duologue.wire.profiles import DEFAULT_MODEL, PROFILES, ModelProfile, profile_for

NOT_A_FACT = {"name", "backend", "default_model", "model_prefixes", "known", "evidence"}


@pytest.mark.parametrize("row", PROFILES.values(), ids=PROFILES)
def test_every_cell_says_how_we_know(row: ModelProfile) -> None:
    facts = {field.name for field in dataclasses.fields(row)} - NOT_A_FACT
    assert set(row.evidence) == facts


@pytest.mark.parametrize("row", PROFILES.values(), ids=PROFILES)
def test_a_rows_default_model_is_its_own(row: ModelProfile) -> None:
    assert profile_for(row.default_model) is row
    assert profile_for(f"models/{row.default_model}") is row


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (DEFAULT_MODEL, "3.8"),
        ("gemini-2.5-flash-native-audio-preview-09-2025", "2.5-native"),
        ("models/gemini-2.5-flash-native-audio-latest", "2.5-native"),
        ("gemini-9-live", "unknown"),
    ],
)
def test_models_find_their_row(model: str, name: str) -> None:
    row = profile_for(model)
    assert row.name == name
    assert row.known == (name != "unknown")


@pytest.mark.parametrize("model", ["", " ", "gemini live", "a\n", "\ud800", None, 5, ["m"]])
def test_what_is_no_name_of_a_model_is_refused(model: Any) -> None:
    with pytest.raises(ConfigError, match=r"^model is"):
        profile_for(model)


def test_no_model_belongs_to_two_rows() -> None:
    prefixes = [(prefix, row.name) for row in PROFILES.values() for prefix in row.model_prefixes]
    for prefix, name in prefixes:
        assert not [other for other, its in prefixes if its != name and other.startswith(prefix)]


@pytest.mark.parametrize("row", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("wanted", [[], ["TEXT"], ["AUDIO", "TEXT"], ["audio"], ["SMELL"]])
def test_modalities_it_lacks_are_refused(row: ModelProfile, wanted: list[str]) -> None:
    with pytest.raises(Unsupported, match=row.name):
        row.check_modalities(wanted)


def test_the_unknown_row_takes_either_modality() -> None:
    for wanted in (["AUDIO"], ["TEXT"]):
        profile_for("?").check_modalities(wanted)

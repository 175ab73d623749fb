"""The table of models: whole rows, evidence for each cell, the safest row for the unknown."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from duologue.errors import ConfigError, Unsupported
from duologue.wire.profiles import DEFAULT_MODEL, PROFILES, Backend, ModelProfile, profile_for

NOT_A_FACT = {"name", "backend", "default_model", "model_prefixes", "known", "evidence"}


@pytest.mark.parametrize("row", PROFILES.values(), ids=PROFILES)
def test_every_cell_says_how_we_know(row: ModelProfile) -> None:
    facts = {field.name for field in dataclasses.fields(row)} - NOT_A_FACT
    assert set(row.evidence) == facts


@pytest.mark.parametrize("row", PROFILES.values(), ids=PROFILES)
def test_a_rows_default_model_is_its_own(row: ModelProfile) -> None:
    assert profile_for(row.default_model, row.backend) is row
    assert profile_for(f"models/{row.default_model}", row.backend) is row


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (DEFAULT_MODEL, "3.8"),
        ("gemini-2.5-flash-native-audio-preview-09-2025", "2.5-native"),
        ("models/gemini-2.5-flash-native-audio-latest", "2.5-native"),
        ("gemini-3.8-live-extended-thinking", "3.8-thinking"),
        ("gemini-3.1-flash-live-preview", "3.1"),
        ("gemini-3.8-livelier", "unknown"),
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


def test_no_prefix_stands_in_two_rows() -> None:
    prefixes = [prefix for row in PROFILES.values() for prefix in row.model_prefixes]
    assert len(prefixes) == len(set(prefixes))


@pytest.mark.parametrize(
    ("model", "backend", "other"),
    [
        (DEFAULT_MODEL, "vertex", "the Gemini Developer API"),
        ("publishers/google/models/gemini-live-2.5-flash", "developer", "Vertex AI"),
        ("gemini-live-2.5-flash-native-audio", "developer", "Vertex AI"),
    ],
)
def test_a_model_of_the_other_backend_is_an_error_that_says_so(
    model: str, backend: Backend, other: str
) -> None:
    with pytest.raises(ConfigError, match=f"belongs to {other}.*pass vertexai="):
        profile_for(model, backend)


def test_a_shut_down_model_whose_name_begins_like_a_row_is_unknown() -> None:
    assert not profile_for("gemini-live-2.5-flash-preview").known


@pytest.mark.parametrize("row", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("wanted", [[], ["TEXT"], ["AUDIO", "TEXT"], ["audio"], ["SMELL"]])
def test_modalities_it_lacks_are_refused(row: ModelProfile, wanted: list[str]) -> None:
    if wanted == ["TEXT"] and "TEXT" in row.output_modalities:
        row.check_modalities(wanted)
        return
    with pytest.raises(Unsupported, match=row.name):
        row.check_modalities(wanted)


def test_the_unknown_row_takes_either_modality() -> None:
    for wanted in (["AUDIO"], ["TEXT"]):
        profile_for("?").check_modalities(wanted)

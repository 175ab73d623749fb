"""Recorded frames of the real service and its clients, both ways, against the contract and our structs.

The recordings stand beside the repository and are not part of it (MIT, Pydantic Services Inc.).
"""

from __future__ import annotations

import json
import os
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract import published as contract
from tests.tapes.tape import recordings

from duologue.wire.codec import ClientDecoder, ServerDecoder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.published import Side

pytest.importorskip("google.ai", reason="the published contract, see requirements/dev.in")

TAPES = recordings()
VERTEX = [tape for tape in TAPES if tape.name.startswith("vertex")]
every_tape = pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.stem)


@cache
def frames(tape: Path) -> list[tuple[Side, dict[str, Any]]]:
    import yaml

    document = yaml.load(tape.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    sides: dict[str, Side] = {"sent": "client", "received": "server"}
    return [
        (sides[entry["direction"]], entry["data"])
        for entry in document["interactions"]
        if entry["kind"] == "message"
    ]


def test_the_recordings_are_there() -> None:
    if not TAPES and os.environ.get("CI") != "true":
        pytest.skip("no recordings")
    assert len(TAPES) >= 6
    assert VERTEX


@every_tape
def test_the_developer_apis_frames_parse_strictly_as_they_are(tape: Path) -> None:
    """Both ways, with nothing left out: what is newer than the contract was not recorded yet."""
    refused = [frame for side, frame in frames(tape) if contract.refusal(json.dumps(frame), side)]
    assert bool(refused) is (tape in VERTEX)


@every_tape
def test_vertex_differs_by_listed_fields_alone(tape: Path) -> None:
    for side, frame in frames(tape):
        assert contract.complaint(json.dumps(frame), side) is None


@every_tape
def test_our_decoders_know_every_field(tape: Path) -> None:
    decoders: dict[Side, Any] = {"client": ClientDecoder(), "server": ServerDecoder()}
    for side, frame in frames(tape):
        decoders[side].decode(json.dumps(frame))
    assert {side: decoder.unknown for side, decoder in decoders.items()} == {"client": {}, "server": {}}

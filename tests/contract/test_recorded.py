"""Recorded frames of the real service and its clients, both ways, against the contract and our structs.

The recordings stand beside the repository and are not part of it (MIT, Pydantic Services Inc.).
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract import published as contract
from tests.tapes.tape import FOLDER, Sent, links_in, recordings

from duologue.wire.codec import ClientDecoder, ServerDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.published import Side
    from tests.tapes.tape import Link

pytest.importorskip("google.ai", reason="the published contract, see requirements/dev.in")

RECORDED = frozenset(
    {
        "flash-live-3.1-tool-round",
        "native-audio-2.5-history",
        "native-audio-2.5-spoken-turn",
        "native-audio-2.5-text-turn",
        "native-audio-2.5-tool-round",
        "vertex-half-cascade-tool-round",
    }
)
"""The recordings that our lists were checked by. Of any other, what the lists do not know yet is told, and no
failure: the service goes on."""
FRAMES = [pytest.param(path, link, id=link.name) for path in recordings() for link in links_in(path)]
every_link = pytest.mark.parametrize(("path", "link"), FRAMES)


def frames(link: Link) -> Iterator[tuple[Side, dict[str, Any]]]:
    """Every message as it was recorded, frames of several taken apart."""
    for entry in link.entries:
        if isinstance(entry, Sent):
            yield "client", entry.message
        else:
            for message in entry.messages:
                yield "server", message


def hold(path: Path, complaints: dict[str, None]) -> None:
    """Fail for a recording that we know; tell what is new in another."""
    if complaints and path.stem not in RECORDED:
        pytest.skip(f"{path.stem} holds what the lists do not know: {'; '.join(complaints)[:500]}")
    assert not complaints


def test_the_recordings_are_there() -> None:
    here = {path.stem for path in recordings()}
    if not here & RECORDED and (here or os.environ.get("CI") != "true"):
        pytest.skip(f"none of the known recordings in {FOLDER}")
    assert here >= RECORDED


@every_link
def test_a_known_recording_of_the_developer_api_is_in_the_contract_as_it_is(path: Path, link: Link) -> None:
    """Both ways, with nothing left out: what is newer than the contract was not recorded yet."""
    if path.stem not in RECORDED:
        pytest.skip("of another recording nobody knows how new it is")
    refused = [message for side, message in frames(link) if contract.refusal(json.dumps(message), side)]
    assert bool(refused) is ("publishers/" in link.setup["model"])


@every_link
def test_what_differs_from_the_contract_is_listed(path: Path, link: Link) -> None:
    said = (contract.complaint(json.dumps(message), side) for side, message in frames(link))
    hold(path, dict.fromkeys(each for each in said if each is not None))


@every_link
def test_our_decoders_know_every_field(path: Path, link: Link) -> None:
    decoders: dict[Side, Any] = {"client": ClientDecoder(), "server": ServerDecoder()}
    for side, message in frames(link):
        decoders[side].decode(json.dumps(message))
    hold(path, {name: None for decoder in decoders.values() for name in decoder.unknown})

"""The transport contract judged by the same recordings: sound, words, calls and turn ends."""

from __future__ import annotations

import copy

import pytest
from tests.tapes.judge import expectation
from tests.tapes.scenes import SCENES, TALK
from tests.tapes.second_face import lacks, play_to_transport, told_otherwise
from tests.tapes.tape import Link, links_of
from tests.tapes.test_judge import a_turn_does_not_complete, two_transcripts_are_swapped

LINKS = [link for name, scene in SCENES.items() for link in links_of(name, scene)]


async def judged(link: Link) -> None:
    missing = lacks(link)
    if missing is not None:
        pytest.skip(f"the transport contract has no command for {missing}")
    told = await play_to_transport(link)
    assert told.uplink == []
    assert told_otherwise(expectation(link), told) == []
    assert [call[0] for call in told.calls][-1] == "close"


async def test_the_transport_tells_what_was_recorded(link: Link) -> None:
    await judged(link)


@pytest.mark.parametrize("scene", [link for link in LINKS if lacks(link) is None], ids=lambda link: link.name)
async def test_what_is_right_is_taken(scene: Link) -> None:
    await judged(scene)


@pytest.mark.parametrize("damage", [a_turn_does_not_complete, two_transcripts_are_swapped])
async def test_what_is_wrong_is_seen(damage: object) -> None:
    damaged = copy.deepcopy(TALK)
    assert callable(damage)
    damage(damaged)
    [right], [wrong] = links_of("right", TALK), links_of("wrong", damaged)
    told = await play_to_transport(wrong)
    assert told_otherwise(expectation(wrong), told) == []
    assert told_otherwise(expectation(right), told)

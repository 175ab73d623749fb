"""The judge judged: it takes what is right in every form a recording may have, and sees what is wrong."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.tapes.caller import play
from tests.tapes.judge import differences, expectation
from tests.tapes.scenes import SCENES, TALK, Interactions
from tests.tapes.tape import Link, decoded, links_of

from duologue.events import SessionEnded

LINKS = [link for name, scene in SCENES.items() for link in links_of(name, scene)]
Damage = Callable[[Interactions], object]


@pytest.mark.parametrize("scene", LINKS, ids=[link.name for link in LINKS])
async def test_what_is_right_is_taken(scene: Link, library: str, request: pytest.FixtureRequest) -> None:
    heard = await play(scene, library)
    if heard.notes:
        request.applymarker(pytest.mark.off_contract("what went out as it was recorded is not ours"))
    assert heard.uplink == []
    assert differences(expectation(scene), heard.events) == []
    assert isinstance(heard.events[-1], SessionEnded)


def of(scene: Interactions, key: str, number: int = 0) -> dict[str, Any]:
    """Return the n-th received ``serverContent`` (or message) that has ``key``."""
    received = [entry["data"] for entry in scene if entry["direction"] == "received"]
    contents = [data.get("serverContent", data) for data in received]
    found: list[dict[str, Any]] = [data for data in [*received, *contents] if key in data]
    return found[number]


def blob(scene: Interactions, number: int) -> dict[str, Any]:
    parts = [
        part
        for entry in scene
        for part in entry["data"].get("serverContent", {}).get("modelTurn", {}).get("parts", ())
    ]
    found: dict[str, Any] = [part["inlineData"] for part in parts if "inlineData" in part][number]
    return found


def swap(one: dict[str, Any], other: dict[str, Any], key: str) -> None:
    one[key], other[key] = other[key], one[key]


def a_byte_of_sound_is_missing(scene: Interactions) -> None:
    blob(scene, 0)["data"] = base64.b64encode(decoded(blob(scene, 0)["data"])[:-1]).decode()


def the_last_byte_of_sound_is_missing(scene: Interactions) -> None:
    blob(scene, 3)["data"] = base64.b64encode(decoded(blob(scene, 3)["data"])[:-1]).decode()


def two_pieces_of_sound_are_swapped(scene: Interactions) -> None:
    swap(blob(scene, 0), blob(scene, 1), "data")


def two_transcripts_are_swapped(scene: Interactions) -> None:
    swap(of(scene, "outputTranscription", 0), of(scene, "outputTranscription", 1), "outputTranscription")


def a_turn_does_not_complete(scene: Interactions) -> None:
    del of(scene, "turnComplete")["turnComplete"]


def an_argument_differs(scene: Interactions) -> None:
    of(scene, "toolCall")["toolCall"]["functionCalls"][0]["args"]["city_name"] = "Roma"


def two_ids_are_swapped(scene: Interactions) -> None:
    calls = of(scene, "toolCall")["toolCall"]["functionCalls"]
    swap(calls[0], calls[1], "id")


def a_call_is_missing(scene: Interactions) -> None:
    of(scene, "toolCall")["toolCall"]["functionCalls"].pop(0)


def a_thought_is_said(scene: Interactions) -> None:
    del of(scene, "modelTurn")["modelTurn"]["parts"][0]["thought"]


def a_count_differs(scene: Interactions) -> None:
    of(scene, "usageMetadata", -1)["usageMetadata"]["promptTokenCount"] = 12


def an_interruption_comes(scene: Interactions) -> None:
    of(scene, "generationComplete")["interrupted"] = True


def a_handle_differs(scene: Interactions) -> None:
    of(scene, "sessionResumptionUpdate")["sessionResumptionUpdate"]["newHandle"] = "h-2"


DAMAGES: list[Damage] = [
    a_byte_of_sound_is_missing,
    the_last_byte_of_sound_is_missing,
    two_pieces_of_sound_are_swapped,
    two_transcripts_are_swapped,
    a_turn_does_not_complete,
    an_argument_differs,
    two_ids_are_swapped,
    a_call_is_missing,
    a_thought_is_said,
    a_count_differs,
    an_interruption_comes,
    a_handle_differs,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
async def test_what_is_wrong_is_seen(damage: Damage) -> None:
    """A session that hears one thing wrong differs from the recording: here the server plays it wrong."""
    damaged = copy.deepcopy(TALK)
    damage(damaged)
    [right], [wrong] = links_of("right", TALK), links_of("wrong", damaged)
    heard = await play(right, server_link=wrong)
    assert differences(expectation(right), heard.events)


def another_text(scene: Interactions) -> None:
    [turn] = scene[2]["data"]["client_content"]["turns"]
    turn["parts"][0]["text"] = "Hullo"


def another_result(scene: Interactions) -> None:
    [answer] = next(e["data"] for e in scene if "toolResponse" in e["data"])["toolResponse"][
        "functionResponses"
    ]
    answer["response"] = {"output": 2}


def no_result(scene: Interactions) -> None:
    scene.remove(next(entry for entry in scene if "toolResponse" in entry["data"]))


def another_instruction(scene: Interactions) -> None:
    scene[0]["data"]["setup"]["systemInstruction"]["parts"][0]["text"] = "Be long."


@pytest.mark.parametrize(
    "damage",
    [another_text, another_result, no_result, another_instruction],
    ids=lambda damage: damage.__name__,
)
async def test_what_is_said_otherwise_is_seen(damage: Damage) -> None:
    """The server does not go on for a client that says something else."""
    damaged = copy.deepcopy(TALK)
    damage(damaged)
    [right], [wrong] = links_of("right", TALK), links_of("wrong", damaged)
    heard = await play(wrong, server_link=right, patience_s=0.3)
    assert heard.uplink

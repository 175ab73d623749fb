"""A standing check of the fuzzing: each of these mistakes, planted on a rare shape, must be found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import pybase64
import pytest
from tests.fuzz.hunt import hunt
from tests.fuzz.target import FindingError

from duologue.core import conversation, session, turns
from duologue.core.tools import ToolLedger
from duologue.emulator.rules.dialogue import Dialogue
from duologue.errors import ConfigError, DuologueError
from duologue.wire import codec
from duologue.wire.normalise import normalise

if TYPE_CHECKING:
    from duologue.wire.client import ClientContent, RealtimeInput
    from duologue.wire.server import ServerContent

INPUTS = 25_000
SEED = 7

Patch = Callable[[pytest.MonkeyPatch], None]
PLANTS: dict[str, tuple[Patch, str]] = {}


def plant(words: str) -> Callable[[Patch], Patch]:
    """Enter a mistake; ``words`` must stand in what is found."""

    def enter(patch: Patch) -> Patch:
        PLANTS[patch.__name__] = (patch, words)
        return patch

    return enter


@plant("KeyError")
def a_name_without_letters_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    original = normalise

    def mistaken(value: Any, cls: Any, unknown: list[str], path: str = "") -> Any:
        result = original(value, cls, unknown, path)
        if any(name.endswith(".") for name in unknown):
            raise KeyError("")
        return result

    monkeypatch.setattr(codec, "normalise", mistaken)


@plant("Error")  # binascii's
def a_cut_blob_is_decoded_by_the_library_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "decode_base64", lambda data: pybase64.b64decode(data, validate=True))


@plant("cannot be written as JSON")
def half_a_surrogate_pair_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Careless:
        def encode(self, value: Any) -> bytes:
            return b""

    def json_values(raw: bytes) -> Any:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(codec, "_encoder", Careless())
            return original(raw)

    original = codec._json_values
    monkeypatch.setattr(codec, "_json_values", json_values)


@plant("another one after it was written")
def a_number_beyond_any_double_becomes_infinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "_lenient", json.JSONDecoder(parse_constant=codec._no_constant))


@plant("another one after it was written")
def nan_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "_lenient", json.JSONDecoder())


@plant("RecursionError")
def depth_has_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "_check_depth", lambda value: None)


@plant("Hang")
def blanks_behind_a_message_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    original = codec._past_blanks

    def past_blanks(text: str, at: int) -> int:
        while text.endswith("\r\n\t") and at:
            pass
        return original(text, at)

    monkeypatch.setattr(codec, "_past_blanks", past_blanks)


@plant("have no bound")
def every_unknown_name_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "_MAX_UNKNOWN_NAMES", 10**9)


@plant("characters is kept")
def unknown_names_are_kept_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "_MAX_UNKNOWN_CHARACTERS", 10_000)


@plant("IndexError")
def a_list_of_parts_has_a_first_one(monkeypatch: pytest.MonkeyPatch) -> None:
    original = conversation.Conversation._content

    def content(self: conversation.Conversation, given: ServerContent, now: float) -> None:
        if given.model_turn is not None and given.model_turn.parts is not None:
            given.model_turn.parts[0]
        original(self, given, now)

    monkeypatch.setattr(conversation.Conversation, "_content", content)


@plant("ValueError")
def a_duration_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "duration_s", lambda value: float((value or "0s")[:-1]))


@plant("KeyError")
def a_cancelled_call_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    original = ToolLedger.cancel

    def cancel(self: ToolLedger, call_id: str) -> None:
        self._calls[call_id]
        original(self, call_id)

    monkeypatch.setattr(ToolLedger, "cancel", cancel)


@plant("AttributeError")
def a_turn_of_a_client_has_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Dialogue.client_content

    def client_content(self: Dialogue, given: ClientContent, now: float) -> Any:
        for turn in given.turns or ():
            turn.parts.clear()  # type: ignore[union-attr] # the mistake
        return original(self, given, now)

    monkeypatch.setattr(Dialogue, "client_content", client_content)


@plant("deadline that has passed")
def a_typed_word_is_due_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Dialogue.next_deadline
    typed: set[int] = set()
    realtime = Dialogue.realtime

    def hear(self: Dialogue, given: RealtimeInput, now: float) -> Any:
        if given.text:
            typed.add(id(self))
        return realtime(self, given, now)

    monkeypatch.setattr(Dialogue, "realtime", hear)
    monkeypatch.setattr(Dialogue, "next_deadline", lambda self: 0.0 if id(self) in typed else original(self))


@plant("ConfigError")
def a_refusal_of_ours_is_taken_for_the_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typed error, but the wrong one: what a stranger sends is never a mistake of the caller."""
    original = codec._json_values

    def json_values(raw: bytes) -> Iterable[Any]:
        if raw.count(b"audio/l16"):
            raise ConfigError("planted")
        return original(raw)

    monkeypatch.setattr(codec, "_json_values", json_values)


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_mistake_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    patch, words = PLANTS[name]
    patch(monkeypatch)
    with pytest.raises(FindingError, match=words) as found:
        hunt(SEED, INPUTS)
    assert f"seed {SEED}, target " in str(found.value), "it says how to repeat it"
    assert not isinstance(found.value, DuologueError)

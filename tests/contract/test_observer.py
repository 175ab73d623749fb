"""The watch over every frame catches what the contract refuses; and few tests are exempt from it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from tests.contract.observer import OBSERVER, Observer, without_sound
from tests.contract.published import complaint

from duologue.core.session import Session, SessionPlan
from duologue.wire.codec import encode_audio
from duologue.wire.profiles import PROFILES

pytest.importorskip("google.ai", reason="the published contract, see requirements/dev.in")

TESTS = Path(__file__).parents[1]
SENDS_WHAT_IT_LIKES = ("send_raw", "setup_overrides", "fuzz", "fault", "recorded")
"""What a test must be about to be exempt. What was recorded is judged in ``test_recorded``, as it was."""


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (b'{"realtimeInput":{"audioo":{}}}', "audioo"),
        (b'{"clientContent":{"turnComplete":"yes"}}', "turnComplete"),
        (b'{"setup":{"generationConfig":{"responseModalities":["audio"]}}}', "responseModalities"),
        (b'{"setup":{"model":"m"},"realtimeInput":{"text":"t"}}', "message_type"),
        (b'{"setup":{"tools":[{"functionDeclarations":[{"parameters":{"oneOf":[]}}]}]}}', "oneOf"),
        (b'{"setup":{"realtimeInputConfig":{"turnCoverage":"TURN_INCLUDES_NOTHING"}}}', "turnCoverage"),
        (b"{", "truncated"),
    ],
)
def test_a_frame_that_breaks_the_contract_is_named(frame: bytes, words: str) -> None:
    watching = Observer()
    watching.see(frame, "client")
    [said] = watching.judge()
    assert words in said
    assert watching.judge() == []  # it is judged once; its verdict is kept
    watching.see(frame, "client")
    assert watching.judge() == [said]


def test_newer_fields_are_taken_out_at_every_level_and_nothing_else() -> None:
    fine = (
        b'{"setup":{"model":"m","proactivity":{"proactiveAudio":true},"realtimeInputConfig":{"turnCoverage":'
        b'"TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO"},"tools":[{"googleSearch":{"excludeDomains":["a"]}}]}}'
    )
    assert complaint(fine, "client") is None
    assert "bogus" in (complaint(fine.replace(b'"excludeDomains"', b'"bogus"'), "client") or "")
    elsewhere = b'{"clientContent":{"proactivity":{}}}'  # new in setup, and nowhere else
    assert "proactivity" in (complaint(elsewhere, "client") or "")


def test_sound_is_not_kept() -> None:
    short, long = encode_audio(b"\0" * 2, 16_000), encode_audio(b"\1" * 32_000, 16_000)
    assert without_sound(short) == without_sound(long)
    assert len(without_sound(long)) < 100
    assert complaint(without_sound(long), "client") is None


@pytest.mark.parametrize(("profile", "watched"), [("3.8", 1), ("vertex-native", 0)])
def test_what_a_session_sends_is_seen(profile: str, watched: int) -> None:
    before = OBSERVER.seen["client"]
    session = Session(SessionPlan(session_id="s", setup={"model": "m"}, profile=PROFILES[profile]))
    session.connect(0.0)
    session.link_opened(0.0)
    assert len(session.to_send()) == 1
    assert OBSERVER.seen["client"] - before == watched


def exempt() -> list[tuple[str, str]]:
    """Every function that uses the marker, with its source; a module that is exempt as a whole likewise."""
    places: list[tuple[str, str]] = []
    for path in sorted(TESTS.rglob("*.py")):
        source = path.read_text()
        if "mark.off_contract" not in source or path == Path(__file__):
            continue
        where = path.relative_to(TESTS).as_posix()
        tree = ast.parse(source)
        functions = [
            node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        places += [(f"{where}: {node.name}", ast.unparse(node)) for node in functions if _marked(node)]
        if any(_marked(node) for node in tree.body if isinstance(node, ast.Assign | ast.ClassDef)):
            places.append((where, source))
    return places


def _marked(node: ast.AST) -> bool:
    return "mark.off_contract" in ast.unparse(node)


def test_only_tests_that_send_what_they_like_are_exempt() -> None:
    for place, source in exempt():
        assert any(word in place + source for word in SENDS_WHAT_IT_LIKES), place
        assert "off_contract(" in source, f"{place}: say why"


def test_the_list_of_the_exempt_is_not_empty_by_mistake() -> None:
    assert any(place.startswith("tapes/") for place, _ in exempt())

"""Reports and costs: what is written, for whose eyes, and at which price."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from duologue.verify.catalogue import PROBES, chosen
from duologue.verify.costs import cost_usd, estimate_usd
from duologue.verify.probe import Finding
from duologue.verify.report import Occasion, as_line, page, write_report
from duologue.verify.run import Verification
from duologue.wire.profiles import PROFILES
from duologue.wire.server import ModalityTokenCount, UsageMetadata

if TYPE_CHECKING:
    from pathlib import Path

OCCASION = Occasion("live", "example.org", "2026-11-22T10:00:00+00:00")
CONFIRMED = Finding(
    probe="bad-key", profile="3.8", grade="reported", expected="key_not_valid", found="key_not_valid",
    verdict="confirmed", fact="A wrong key is refused.", about="Q-bad-key",
)  # fmt: skip
REFUTED = replace(CONFIRMED, found="accepted", verdict="refuted", detail="a | b <script>\nc \x1b[31m")
USAGE = UsageMetadata(
    prompt_token_count=1_000_000,
    response_token_count=1_000_000,
    total_token_count=2_000_000,
    thoughts_token_count=1_000_000,
    prompt_tokens_details=[ModalityTokenCount(modality="AUDIO", token_count=400_000)],
    response_tokens_details=[ModalityTokenCount(modality="AUDIO", token_count=1_000_000)],
)


def test_a_line_is_an_object_with_the_six_fields() -> None:
    value = json.loads(as_line(CONFIRMED))
    assert {name: value[name] for name in ("probe", "profile", "grade", "expected", "found", "verdict")} == {
        "probe": "bad-key",
        "profile": "3.8",
        "grade": "reported",
        "expected": "key_not_valid",
        "found": "key_not_valid",
        "verdict": "confirmed",
    }


def test_a_page_names_each_fact_and_begins_with_what_is_refuted() -> None:
    text = page(OCCASION, Verification([CONFIRMED, REFUTED], unknown_fields={"serverContent.newField": 2}))
    assert text.index("## Refuted") < text.index("## Confirmed")
    assert "## Not available" not in text
    assert "1 refuted, 1 confirmed, 0 not available" in text
    assert "2026-11-22" in text.splitlines()[0]
    assert "- `serverContent.newField`, 2 times" in text


def test_a_strangers_words_stay_in_their_cell() -> None:
    (row,) = [line for line in page(OCCASION, Verification([REFUTED])).splitlines() if "bad-key" in line]
    assert row.count(" | ") == 6
    assert "\\|" in row
    assert "<script" not in row
    assert "\x1b" not in row


def test_a_report_is_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "verify-report.md").touch(mode=0o644)
    paths = write_report(folder, OCCASION, Verification([CONFIRMED], [("3.8", USAGE)]))
    assert [path.name for path in paths] == ["verify-report.md", "verify-report.json"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in paths)
    value = json.loads(paths[1].read_text())
    assert value["findings"] == [json.loads(as_line(CONFIRMED))]
    assert value["total_tokens"] == 2_000_000
    assert value["began_at"] == OCCASION.began_at


def test_tokens_are_charged_by_modality() -> None:
    prices = PROFILES["3.8"].prices
    assert prices is not None
    expected = 0.6 * prices.text_in + 0.4 * prices.audio_in + prices.audio_out + prices.text_out
    assert cost_usd([("3.8", USAGE)]) == pytest.approx(expected)


def test_the_estimate_is_cents_and_free_where_no_turn_is_taken() -> None:
    assert estimate_usd([(PROBES["bad-key"], "3.8")]) == 0
    assert 0.05 < estimate_usd(chosen(profiles=["3.8"])) < 1

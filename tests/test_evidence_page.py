"""The page of evidence says what the profile table says."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from duologue.wire.profiles import PROFILES, Evidence, ModelProfile

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "evidence_page.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("evidence_page", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_table_says() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stale_page_is_noticed(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "PAGE", tmp_path / "evidence.md")
    assert script.main(["--check"]) == 1
    assert "run scripts/evidence_page.py" in capsys.readouterr().err
    assert script.main([]) == 0
    assert script.main(["--check"]) == 0


def test_every_fact_of_every_profile_is_drawn_with_its_grade(script: ModuleType) -> None:
    facts = {field.name for field in fields(ModelProfile)} - script.NO_FACTS
    lines = {line.split("`")[1]: line for line in script.facts().splitlines()[2:]}
    assert set(lines) == facts
    for column, line in lines.items():
        cells = [cell.strip() for cell in line.strip("|").split("|")][1:]
        assert [cell[-1] for cell in cells] == [
            script.LETTERS[row.evidence[column]] for row in PROFILES.values()
        ]


def test_the_readme_counts_the_facts_of_each_profile_by_grade() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, row in PROFILES.items():
        grades = list(row.evidence.values())
        counts = " | ".join(str(grades.count(grade)) for grade in get_args(Evidence))
        assert f"| `{name}` | {counts} |" in readme

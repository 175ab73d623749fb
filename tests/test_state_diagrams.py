"""The page of state machines says what the tables say."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "state_diagrams.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("state_diagrams", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_tables_say() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stale_page_is_noticed(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "PAGE", tmp_path / "states.md")
    assert script.main(["--check"]) == 1
    assert "run scripts/state_diagrams.py" in capsys.readouterr().err
    assert script.main([]) == 0
    assert script.main(["--check"]) == 0
    (tmp_path / "states.md").write_text("older", encoding="utf-8")
    assert script.main(["--check"]) == 1
    capsys.readouterr()
    assert script.main(["--print"]) == 0
    assert capsys.readouterr().out == script.page()


def test_every_state_can_be_reached_and_is_drawn(script: ModuleType) -> None:
    for diagram in (*script.CLIENT, *script.EMULATOR):
        assert set(diagram.table) == set(diagram.states), diagram.name
        reached, fresh = {diagram.first}, {diagram.first}
        while fresh:
            fresh = set().union(*(diagram.table[state] for state in fresh)) - reached
            reached |= fresh
        assert reached == set(diagram.states), diagram.name
        drawn = script.draw(diagram)
        assert all(f" {state.name}" in drawn for state in diagram.states)


def test_no_table_of_the_pure_rooms_is_left_out(script: ModuleType) -> None:
    """A new machine in the core or in the emulator's rules belongs on the page."""
    drawn = {diagram.name for diagram in (*script.CLIENT, *script.EMULATOR)}
    tables = set()
    for folder in ("core", "emulator/rules"):
        for path in (ROOT / "src" / "duologue" / folder).glob("*.py"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                    name = node.target.id
                    if name.endswith(("_TABLE", "_TRANSITIONS")):
                        tables.add(name)
    assert tables == drawn

"""Every link of every recording is a case of its own; what we did not know of it is told at the end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.io.conftest import nothing_is_left
from tests.tapes.tape import FOLDER, links_in, recordings

from duologue.io.ws import available_libraries

if TYPE_CHECKING:
    from tests.tapes.tape import Link

__all__ = ["nothing_is_left"]

_remarks: dict[str, None] = {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that asks for a ``link`` every one there is."""
    if "link" in metafunc.fixturenames:
        links = [link for path in recordings() for link in links_in(path)]
        metafunc.parametrize("link", links, ids=[link.name for link in links])


@pytest.fixture(params=available_libraries())
def library(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def clean(nothing_is_left: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No task is left; nothing of this machine's account is used."""
    for name in list(os.environ):
        if name.startswith(("GOOGLE_", "GEMINI_")):
            monkeypatch.delenv(name)


def remark(link: Link, text: str) -> None:
    """Note what is worth knowing and no failure."""
    _remarks[f"{link.name}: {text}"] = None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell the remarks."""
    if _remarks:
        terminalreporter.section(f"recordings in {FOLDER.name}")
        for text in _remarks:
            terminalreporter.line(text)

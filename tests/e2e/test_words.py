"""The words that spoken tests use are heard right: the caller's voice into our own ears."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

import pytest

from duologue.emulator.caller import speak_line
from duologue.emulator.ears import make_ears, weights
from duologue.emulator.voice import make_voice, pico

pytestmark = pytest.mark.slow

SENTENCES = {
    "COLOURS": ("Hello! My favourite colour is {}.", "I would like it in {}, please."),
    "CITIES": ("What is the weather like in {}?", "I live in {}."),
    "PETS": ("I have a pet {}.", "My {} is called Max."),
}


def _lists() -> dict[str, tuple[str, ...]]:
    spec = importlib.util.spec_from_file_location("words", Path(__file__).with_name("words.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: getattr(module, name) for name in SENTENCES}


def test_each_list_has_twenty_words() -> None:
    assert {len(set(words)) for words in _lists().values()} == {20}


@pytest.mark.parametrize("kind", SENTENCES)
async def test_every_word_is_heard(kind: str) -> None:
    if not (pico.is_installed() and weights.packages_installed()):
        reason = "ttspico or Whisper's data packages aren't installed"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    voice, ears = make_voice("pico:en-GB"), make_ears("whisper")
    misheard = []
    for word in _lists()[kind]:
        for sentence in SENTENCES[kind]:
            heard = await ears.transcribe((await speak_line(sentence.format(word), voice=voice)).pcm)
            if word.lower() not in re.findall(r"[a-z]+", heard.lower()):
                misheard.append((word, heard))
    await voice.aclose()
    await ears.aclose()
    assert misheard == []

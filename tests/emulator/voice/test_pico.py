"""Pico in its process: sound, sameness, odd and long texts; choosing a voice."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from duologue.emulator.ears.energy import level_dbfs
from duologue.emulator.protocols import Voice
from duologue.emulator.voice import make_voice, pico
from duologue.emulator.voice.pico import LANGUAGES, PicoVoice
from duologue.emulator.voice.shaping import trim_silence
from duologue.emulator.voice.tone import ToneVoice
from duologue.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

needs_pico = pytest.mark.skipif(not pico.is_installed(), reason="ttspico isn't installed")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def voice() -> AsyncIterator[PicoVoice]:
    made = PicoVoice()
    yield made
    await made.aclose()


@needs_pico
@pytest.mark.asyncio(loop_scope="module")
class TestSpeaking:
    async def test_a_sentence_is_sound_without_silence_around_it(self, voice: PicoVoice) -> None:
        sound = await voice.speak("Hello! My favourite colour is teal.")
        assert 2 < len(sound) / 48_000 < 4
        assert -25 < level_dbfs(sound) < -10
        assert len(trim_silence(sound, 24_000, keep_ms=30)) > len(sound) - 2 * 24 * 40  # ms

    async def test_the_same_text_gives_the_same_bytes(self, voice: PicoVoice) -> None:
        first = await voice.speak("The same.")
        await voice.speak("Something else in between.")
        assert await voice.speak("The same.") == first

    @pytest.mark.parametrize(
        "text",
        [
            "a\x00b",
            "<speed level='50'>",
            "1" * 300,
            "-" * 50 + " dash",
            "x" * 900,
            "日本 tea",
            "AT&T <b>",
            "12 °C",
        ],
        ids=["nul", "markup", "digits", "dashes", "long word", "kanji", "brackets", "degrees"],
    )
    async def test_odd_text_is_spoken(self, voice: PicoVoice, text: str) -> None:
        assert len(await voice.speak(text)) > 0.1 * 48_000

    @pytest.mark.parametrize("text", ["", "  ", "…", "😀", "日本"])
    async def test_what_it_cannot_say_is_no_sound(self, voice: PicoVoice, text: str) -> None:
        assert await voice.speak(text) == b""

    async def test_a_very_long_clause_is_spoken_to_its_end(self, voice: PicoVoice) -> None:
        short = await voice.speak("and the sea was calm")
        long = await voice.speak("and the sea was calm " * 100)
        assert len(long) > 60 * len(short)

    async def test_clauses_at_once_keep_their_order(self, voice: PicoVoice) -> None:
        texts = ["One.", "Two and three.", "Four, five and six."]
        assert await asyncio.gather(*map(voice.speak, texts)) == [await voice.speak(text) for text in texts]

    async def test_it_survives_its_process(self, voice: PicoVoice) -> None:
        before = await voice.speak("Still here.")
        pid = voice._worker.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert await voice.speak("Still here.") == before

    async def test_it_is_what_the_emulator_asks_for(self, voice: PicoVoice) -> None:
        assert isinstance(voice, Voice)


@needs_pico
async def test_a_slower_voice_takes_longer() -> None:
    slow, normal = PicoVoice(rate_percent=70), PicoVoice()
    text = "The sea was calm."
    assert len(await slow.speak(text)) > 1.2 * len(await normal.speak(text))
    await slow.aclose()
    await normal.aclose()


@needs_pico
async def test_every_language_speaks() -> None:
    for language in LANGUAGES:
        voice = make_voice(f"pico:{language}")
        assert len(await voice.speak("Berlin, Paris, Roma.")) > 48_000
        await voice.aclose()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"language": "tlh"}, r"doesn't speak 'tlh'; it speaks en-US, en-GB"),
        ({"language": "../en-GB"}, "doesn't speak"),
        ({"rate_percent": 10}, "20..500"),
        ({"pitch_percent": 300}, "50..200"),
    ],
)
def test_what_is_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PicoVoice(**options)  # type: ignore[arg-type] # wrong on purpose


def test_the_best_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(make_voice("tone"), ToneVoice)
    monkeypatch.setattr(pico, "is_installed", lambda: True)
    assert isinstance(make_voice(), PicoVoice)
    monkeypatch.setattr(pico, "is_installed", lambda: False)
    assert isinstance(make_voice(), ToneVoice)
    with pytest.raises(ConfigError, match=r"pip install ttspico==0\.3\.2"):
        make_voice("pico")


def test_unknown_voices_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="no voice named 'joe'; choose pico"):
        make_voice("joe")
    file = tmp_path / "joe.onnx"
    with pytest.raises(ConfigError, match=r"joe\.onnx doesn't exist"):
        make_voice(str(file))
    file.touch()
    with pytest.raises(ConfigError, match=r"joe\.onnx\.json doesn't exist"):
        make_voice(str(file))
    (tmp_path / "joe.onnx.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "piper", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"piper-tts.*'pico' or 'tone'"):
        make_voice(str(file))


PIPER = '''
import math
from array import array


class PiperVoice:
    """As much of Piper's API as is used: load(path), then chunks of 22.05 kHz sound."""

    @classmethod
    def load(cls, path):
        if not open(path).read():
            raise ValueError("empty model")
        return cls()

    def synthesize(self, text):
        for word in text.split():
            wave = (round(9000 * math.sin(at / 10)) for at in range(2205 * len(word)))
            chunk = type("Chunk", (), {})()
            chunk.audio_int16_bytes = array("h", wave).tobytes()
            chunk.sample_rate = 22_050
            yield chunk
'''


async def test_a_voice_file_speaks_through_piper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("soxr")
    (tmp_path / "piper.py").write_text(PIPER)
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "joe.onnx"
    file.write_text("weights")
    (tmp_path / "joe.onnx.json").write_text("{}")
    voice = make_voice(str(file))
    assert isinstance(voice, Voice)
    sound = await voice.speak("hello you")
    assert len(sound) / 48_000 == pytest.approx(0.8, abs=0.01)
    assert await voice.speak("…") == b""
    await voice.aclose()


async def test_a_broken_voice_file_is_a_typed_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "piper.py").write_text(PIPER)
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "joe.onnx"
    file.touch()
    (tmp_path / "joe.onnx.json").write_text("{}")
    voice = make_voice(str(file))
    with pytest.raises(ConfigError, match=r"cannot be loaded as a Piper voice: empty model"):
        await voice.speak("hello")
    await voice.aclose()

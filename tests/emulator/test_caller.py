"""A caller's lines: the same bytes always, known edges, noise at its level, files, scenes, the script."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from array import array
from pathlib import Path

import pytest

pytest.importorskip("soxr")

from duologue.emulator.caller import (
    SAMPLE_RATE,
    CallerLine,
    line_name,
    scene_lines,
    speak_line,
    write_line,
)
from duologue.emulator.ears.energy import level_dbfs
from duologue.emulator.voice import pico
from duologue.emulator.voice.tone import ToneVoice
from duologue.errors import AudioError, ConfigError

SCRIPT = Path(__file__).parents[2] / "scripts/make_speech.py"
TEXT = "What is my favourite colour?"


class Beep:
    """A voice of known edges: 100 ms of silence, 300 ms of sound, 100 ms of silence."""

    async def speak(self, text: str) -> bytes:
        del text
        period = [9000] * 12 + [-9000] * 12  # 1 kHz
        return bytes(4800) + array("h", period * 300).tobytes() + bytes(4800)

    async def aclose(self) -> None:
        raise AssertionError("a voice that is lent stays open")


async def line(
    text: str = TEXT,
    *,
    seed: int = 0,
    noise_dbfs: float = -60,
    lead_s: float = 0.3,
    tail_s: float = 0.7,
) -> CallerLine:
    return await speak_line(
        text, voice=ToneVoice(), seed=seed, noise_dbfs=noise_dbfs, lead_s=lead_s, tail_s=tail_s
    )


async def test_the_same_arguments_give_the_same_bytes() -> None:
    assert await line(seed=3) == await line(seed=3)
    assert (await line(seed=3)).pcm != (await line(seed=4)).pcm


async def test_where_the_words_begin_and_end_is_known() -> None:
    spoken = await speak_line("x", voice=Beep(), noise_dbfs=None, lead_s=0.5, tail_s=0.25)
    assert spoken.duration_s == 0.5 + 0.5 + 0.25
    # Resampling smears an edge by less than the 10 ms frame it is measured in.
    assert spoken.first_voiced_sample / SAMPLE_RATE == pytest.approx(0.6, abs=0.01)
    assert spoken.last_voiced_sample / SAMPLE_RATE == pytest.approx(0.9, abs=0.01)
    assert spoken.voice == "Beep"


async def test_edges_match_the_sound() -> None:
    spoken = await line(noise_dbfs=-90, lead_s=0.4, tail_s=0.6)
    first, last = spoken.first_voiced_sample, spoken.last_voiced_sample
    assert 0.4 <= first / SAMPLE_RATE < 0.45
    assert spoken.duration_s - 0.7 < last / SAMPLE_RATE <= spoken.duration_s - 0.6
    assert level_dbfs(spoken.pcm[2 * first : 2 * first + 320]) > -46
    assert level_dbfs(spoken.pcm[2 * (last + 1 + 160) :]) < -80


@pytest.mark.parametrize("noise_dbfs", [-60, -40, -25])
async def test_noise_has_the_level_that_was_asked_for(noise_dbfs: float) -> None:
    spoken = await line(noise_dbfs=noise_dbfs, lead_s=2)
    assert level_dbfs(spoken.pcm[: 2 * 30_000]) == pytest.approx(noise_dbfs, abs=0.3)


async def test_without_noise_the_room_is_digital_silence() -> None:
    spoken = await speak_line(TEXT, voice=ToneVoice(), noise_dbfs=None, lead_s=0.5)
    assert not any(spoken.pcm[: SAMPLE_RATE - 2])


async def test_noise_does_not_move_the_edges() -> None:
    quiet, loud = await line(noise_dbfs=-70), await line(noise_dbfs=-30, seed=9)
    assert (quiet.first_voiced_sample, quiet.last_voiced_sample) == (
        loud.first_voiced_sample,
        loud.last_voiced_sample,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [((3, 0, 0), "noise_dbfs"), ((-60, -1, 0), "lead_s"), ((-60, 0, 61), "tail_s")],
)
async def test_numbers_out_of_range_are_refused(options: tuple[float, float, float], message: str) -> None:
    noise_dbfs, lead_s, tail_s = options
    with pytest.raises(ConfigError, match=message):
        await line(noise_dbfs=noise_dbfs, lead_s=lead_s, tail_s=tail_s)


async def test_nothing_to_say_is_refused() -> None:
    with pytest.raises(AudioError, match="nothing can be heard"):
        await line("…")


async def test_files_hold_the_line_and_its_facts(tmp_path: Path) -> None:
    spoken = await line("Grüße!", seed=5)
    beside = write_line(spoken, tmp_path / "new" / "a.wav")
    with wave.open(str(tmp_path / "new" / "a.wav")) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16_000, 1, 2)
        assert sound.readframes(sound.getnframes()) == spoken.pcm
    assert beside == tmp_path / "new" / "a.json"
    assert json.loads(beside.read_text(encoding="utf-8")) == {
        "text": "Grüße!",
        "sample_rate": 16_000,
        "first_voiced_sample": spoken.first_voiced_sample,
        "last_voiced_sample": spoken.last_voiced_sample,
        "voice": "tone",
        "seed": 5,
    }
    with pytest.raises(AudioError, match=r"a\.mp3"):
        write_line(spoken, tmp_path / "a.mp3")


def test_names_of_files() -> None:
    assert line_name(1, "Hello! My favourite colour is teal.") == "01-hello-my-favourite-colour-is.wav"
    assert line_name(12, "…") == "12.wav"


def test_a_scene_gives_its_spoken_texts(tmp_path: Path) -> None:
    scene = tmp_path / "scene.toml"
    scene.write_text(
        '[session]\nvoice = "Puck"\n[[step]]\ngreet = true\n[[step]]\nsay = "Hello!"\n'
        '[[step]]\nsay = "recorded.wav"\n[[step]]\nwait_s = 1\n[[step]]\nsay = "Bye."\n'
    )
    assert scene_lines(scene) == ["Hello!", "Bye."]


@pytest.mark.parametrize(
    ("content", "message"), [("step = 3", "step"), ("[[step]\n", "TOML"), ("step = [1]", "step")]
)
def test_a_broken_scene_is_a_typed_error(tmp_path: Path, content: str, message: str) -> None:
    scene = tmp_path / "scene.toml"
    scene.write_text(content)
    with pytest.raises(ConfigError, match=message):
        scene_lines(scene)


def test_a_missing_scene_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        scene_lines(tmp_path / "none.toml")


def run_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    environment = {"PYTHONPATH": ":".join(sys.path), "PATH": ""}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_the_script_makes_the_same_files_twice(tmp_path: Path) -> None:
    voice = "pico:en-GB" if pico.is_installed() else "tone"
    for folder in ("a", "b"):
        done = run_script("Hello!", TEXT, "-o", str(tmp_path / folder), "--seed", "4", "--voice", voice)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.split()) == 2
    names = ["01-hello.json", "01-hello.wav", "02-what-is-my-favourite-colour.json"]
    made = sorted(file.name for file in (tmp_path / "a").iterdir())
    assert made[:3] == names
    for name in made:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert json.loads((tmp_path / "a" / made[2]).read_text())["seed"] == 5


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "nothing to say"),
        (["…", "--voice", "tone"], 1, "nothing can be heard"),
        (["x", "--voice", "y"], 1, "'y'"),
    ],
)
def test_the_script_says_what_is_wrong(
    tmp_path: Path, arguments: list[str], status: int, message: str
) -> None:
    done = run_script(*arguments, "-o", str(tmp_path))
    assert (done.returncode, message in done.stderr) == (status, True), done.stderr
    assert "Traceback" not in done.stderr

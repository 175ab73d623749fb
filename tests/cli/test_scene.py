from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from duologue.cli.scene import Activity, Await, Instruct, Pause, Say, TypeText, read_scene
from duologue.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from duologue.cli.scene import Scene


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], Scene]:
    def write_and_read(text: str) -> Scene:
        path = tmp_path / "a.toml"
        path.write_text(text, encoding="utf-8")
        return read_scene(path)

    return write_and_read


def test_every_kind_of_step(read: Callable[[str], Scene], tmp_path: Path) -> None:
    (tmp_path / "hello.wav").write_bytes(b"RIFF")
    scene = read(
        """
        [session]
        turn_detection = "manual"
        [[step]]
        say = "Hi."
        [[step]]
        say = "hello.WAV"
        interrupt_after_s = 1.5
        [[step]]
        text = "typed"
        [[step]]
        wait_s = 2
        [[step]]
        wait_for = "tool_call"
        timeout_s = 5
        [[step]]
        wait_for = "silence"
        [[step]]
        greet = true
        [[step]]
        greet = "Greet Ada."
        [[step]]
        instructions = "Say goodbye."
        [[step]]
        activity = "start"
        """.replace("hello.WAV", "hello.wav")
    )
    assert scene.steps == (
        Say("Hi."),
        Say("hello.wav", tmp_path / "hello.wav", 1.5),
        TypeText("typed"),
        Pause(2.0),
        Await("tool_call", 5.0),
        Await("silence", 30.0),
        Instruct("Greet the caller."),
        Instruct("Greet Ada."),
        Instruct("Say goodbye."),
        Activity("start"),
    )


def test_session_and_caller(read: Callable[[str], Scene], tmp_path: Path) -> None:
    (tmp_path / "t.py").touch()
    scene = read(
        """
        [session]
        instructions = "Be brief."
        profile = "3.8"
        voice = "Kore"
        temperature = 1
        tools = "t.py"
        silence_duration_ms = 300
        config = { seed = 4 }
        [caller]
        voice = "tone"
        noise_dbfs = false
        seed = 9
        [[step]]
        say = "Hi."
        """
    )
    assert scene.session.tools == tmp_path / "t.py"
    assert (scene.session.profile, scene.session.voice, scene.session.temperature) == ("3.8", "Kore", 1.0)
    assert (scene.session.silence_duration_ms, scene.session.config) == (300, {"seed": 4})
    assert (scene.caller.voice, scene.caller.noise_dbfs, scene.caller.seed) == ("tone", None, 9)


STEP = '[[step]]\nsay = "Hi."\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["no steps"]),
        ("step = 3", ["'step'", "a number", "[[step]]"]),
        ("step = [1]", ["'step'", "[[step]]"]),
        ("[step]\nsay = 'x'", ["'step'", "a table", "[[step]]"]),
        ("x = ", ["not TOML"]),
        (f"sesion = 1\n{STEP}", ["'sesion'", "session, caller, step"]),
        (f"session = 1\n{STEP}", ["'session'", "[session]"]),
        (f"[session]\nvoise = 'x'\n{STEP}", ["[session]", "'voise'"]),
        (f"[session]\ntemperature = 3\n{STEP}", ["[session]", "temperature = 3", "0 to 2"]),
        (f"[session]\ntools = 'no.py'\n{STEP}", ["tools = 'no.py'", "not there"]),
        (f"[session]\nmodel = 'a'\nprofile = 'b'\n{STEP}", ["both model and profile"]),
        (f"[session]\nturn_detection = 'local'\n{STEP}", ["turn_detection = 'local'", "'manual'"]),
        (f"[caller]\nnoise_dbfs = -100\n{STEP}", ["[caller]", "noise_dbfs = -100", "-90 to -20"]),
        (f"[caller]\nnoise_dbfs = true\n{STEP}", ["noise_dbfs = True"]),
        (f"{STEP}[[step]]", ["step 2", "nothing", "exactly one of"]),
        (f"{STEP}[[step]]\nsay = 'a'\nwait_s = 1", ["step 2", "'say' and 'wait_s'"]),
        (f"{STEP}[[step]]\nsai = 'a'", ["step 2", "'sai'"]),
        (f"{STEP}[[step]]\nsay = ''", ["step 2", "say = ''", "not empty"]),
        (f"{STEP}[[step]]\nsay = 3", ["step 2", "say = 3"]),
        (f"{STEP}[[step]]\nsay = 'gone.wav'", ["step 2", "gone.wav", "not there"]),
        (f"{STEP}[[step]]\nsay = 'a'\ntimeout_s = 2", ["step 2", "'timeout_s'", "say, interrupt_after_s"]),
        (f"{STEP}[[step]]\nsay = 'a'\ninterrupt_after_s = -1", ["step 2", "interrupt_after_s = -1"]),
        (f"{STEP}[[step]]\nwait_s = 1\ninterrupt_after_s = 1", ["step 2", "'interrupt_after_s'"]),
        (f"{STEP}[[step]]\nwait_s = true", ["step 2", "wait_s = True"]),
        (f"{STEP}[[step]]\nwait_s = nan", ["step 2", "wait_s = nan"]),
        (f"{STEP}[[step]]\nwait_for = 'godot'", ["step 2", "'godot'", "'reply'"]),
        (f"{STEP}[[step]]\ngreet = false", ["step 2", "greet = False"]),
        (f"{STEP}[[step]]\nactivity = 'start'", ["step 2", "manual"]),
    ],
)
def test_what_is_wrong_is_named(read: Callable[[str], Scene], text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert not [word for word in ["a.toml", *words] if word not in str(caught.value)], str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"[caller]\nseed = {'9' * 5000}\n{STEP}", ["not TOML that can be read", "4300 digits"]),
        (f"[caller]\nseed = 0x{'f' * 5000}\n{STEP}", ["[caller]", "seed = an int of more than 64 bits"]),
        (f"x = {'[' * 3000}{']' * 3000}\n{STEP}", ["nests too deeply"]),
        (f"session{'.a' * 3000} = 1\n{STEP}", ["[session]", "'a'"]),
        (f"[session]\nvoice{'.a' * 3000} = 1\n{STEP}", ["[session]", "voice = a dict"]),
        (f"[session.config]\nsetup_overrides{'.a' * 3000} = 1\n{STEP}", ["[config]", "nested more than 64"]),
        (
            f"[session.config]\nresponse_modalities = 2020-01-01\n{STEP}",
            ["[session], [config]", "LiveConfig.response_modalities is a date; give a sequence"],
        ),
        (f"[session.config]\nsetup_overrides = 3\n{STEP}", ["setup_overrides is 3; give a mapping"]),
        (f"[session.config]\nsetup_overrides.at = 2020-01-01\n{STEP}", ["setup_overrides.at is a date"]),
        (f"[session.config]\ncolour = 'teal'\n{STEP}", ["no option 'colour'"]),
        (f"{STEP}[[step]]\nsay = '{'a' * 5000}.wav'", ["step 2", "out of reach", "name too long"]),
        (f"{STEP}[[step]]\nwait_for = [1]", ["step 2", "wait_for = a list", "'reply'"]),
        (f"{STEP}[[step]]\ngreet = 2020-01-01", ["step 2", "greet = a date"]),
    ],
    ids=range(13),
)
def test_a_broken_scene_is_refused_in_one_sentence(
    read: Callable[[str], Scene], text: str, words: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert not [word for word in ["a.toml", *words] if word not in str(caught.value)], str(caught.value)


@pytest.mark.parametrize(("name", "word"), [("gone.toml", "No such file"), (".", "directory")])
def test_a_scene_that_cannot_be_read(tmp_path: Path, name: str, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        read_scene(tmp_path / name)


def test_a_scene_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes('[[step]]\nsay = "Grüße"'.encode("latin-1"))
    with pytest.raises(ConfigError, match="not TOML"):
        read_scene(tmp_path / "a.toml")

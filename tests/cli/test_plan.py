"""What the options of `duologue talk` come to, and what is refused before anything starts."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import pytest

from duologue.cli.local import LocalOptions
from duologue.cli.plan import TalkOptions, make_plan
from duologue.cli.scene import Await, Say, TypeText
from duologue.cli.tools_file import load_tools
from duologue.errors import AudioError, ConfigError, Unsupported
from duologue.realtime import RealtimeModel

TOOLS = '''
from duologue import function_tool
@function_tool
def count(things: int) -> int:
    """Count things."""
    return things
again = count
'''


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def _options(folder: Path, **given: Any) -> TalkOptions:
    options: dict[str, Any] = {"output_dir": folder / "out", "local": True, "texts": ("Hi.",)}
    return TalkOptions(**(options | given))


def _file(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_key_all_three_ways_out_are_named(tmp_path: Path) -> None:
    for given in ({"texts": ()}, {}):
        with pytest.raises(ConfigError) as caught:
            make_plan(_options(tmp_path, local=False, **given))
        for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "--local"):
            assert name in str(caught.value)


def test_with_a_key_nothing_is_embedded_and_the_key_is_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "canary-of-a-key")
    plan = make_plan(_options(tmp_path, local=False))
    assert plan.local is None
    assert "canary" not in repr(plan)


def test_recordings_come_before_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(800))
    plan = make_plan(_options(tmp_path, inputs=(path,), texts=("One.", "Two.")))
    assert plan.steps == (
        Say("a.wav", path),
        Await("reply"),
        TypeText("One."),
        Await("reply"),
        TypeText("Two."),
        Await("reply"),
    )


def test_the_callers_turn_ends_after_half_a_second(tmp_path: Path) -> None:
    plan = make_plan(_options(tmp_path))
    detection = {"automatic_activity_detection": {"silence_duration_ms": 500}}
    assert plan.model_options["config"] == {"realtime_input_config": detection}
    RealtimeModel(**plan.model_options)


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        ("silence_duration_ms = 300", {"silence_duration_ms": 300}),
        (
            "[session.config.realtimeInputConfig.automaticActivityDetection]\nsilenceDurationMs = 900",
            {"silenceDurationMs": 900},
        ),
        (
            "[session.config.realtime_input_config.automatic_activity_detection]\nprefix_padding_ms = 20",
            {"prefix_padding_ms": 20, "silence_duration_ms": 500},
        ),
        ('turn_detection = "manual"', None),
    ],
)
def test_a_scene_may_say_otherwise(tmp_path: Path, session: str, expected: dict[str, int] | None) -> None:
    scene = _file(tmp_path / "a.toml", f"[session]\n{session}\n[[step]]\nsay = 'Hi.'")
    config = make_plan(_options(tmp_path, texts=(), scene=scene)).model_options["config"]
    found = [inner for outer in config.values() for inner in outer.values()]
    assert found == ([] if expected is None else [expected])


def test_the_command_line_beats_the_scene(tmp_path: Path) -> None:
    scene = _file(tmp_path / "a.toml", '[session]\nprofile = "3.8"\nvoice = "Kore"\n[[step]]\nsay = "Hi."\n')
    plan = make_plan(_options(tmp_path, texts=(), scene=scene, profile="2.5-native", voice="Puck"))
    assert plan.local == LocalOptions(profile="2.5-native")
    assert plan.model_options["voice"] == "Puck"
    assert "2.5" in plan.model_options["model"]
    plan = make_plan(_options(tmp_path, texts=(), scene=scene))
    assert plan.local == LocalOptions(profile="3.8")
    assert plan.model_options["voice"] == "Kore"
    assert plan.model_options["model"] == "gemini-3.8-live"


def test_the_emulators_command_line() -> None:
    assert LocalOptions().arguments == ()
    assert LocalOptions("3.8", "demo", "tone").arguments == (
        *("--profile", "3.8", "--brain", "demo"),
        *("--voice", "tone"),
    )


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"texts": (" ",)}, ConfigError, ["--text"]),
        ({"texts": ("Hi.", "\udcff")}, ConfigError, ["--text", "no UTF-8"]),
        ({"model": ""}, ConfigError, ["--model is empty"]),
        ({"model": " "}, ConfigError, ["--model is empty"]),
        ({"inputs": ("gone.wav",)}, AudioError, ["gone.wav"]),
        ({"scene": "a.toml"}, ConfigError, ["--scene", "--text"]),
        ({"profile": "4.2"}, ConfigError, ["4.2", "3.8"]),
        ({"local": False, "profile": "3.8"}, ConfigError, ["--profile", "--local"]),
        ({"local": False, "brain": "demo"}, ConfigError, ["--brain", "--local"]),
        ({"local": False, "emulator_voice": "tone"}, ConfigError, ["--emulator-voice", "--local"]),
        ({"tools": "gone.py"}, ConfigError, ["gone.py", "not there"]),
    ],
)
def test_what_cannot_be_done_is_refused(
    tmp_path: Path, given: dict[str, Any], error: type[Exception], words: list[str]
) -> None:
    for name in ("scene", "tools"):
        if name in given:
            given = given | {name: tmp_path / given[name]}
    if "inputs" in given:
        given = given | {"inputs": tuple(tmp_path / name for name in given["inputs"])}
    with pytest.raises(error) as caught:
        make_plan(_options(tmp_path, **given))
    assert not [word for word in words if word not in str(caught.value)], str(caught.value)


def test_without_devices_the_other_ways_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import duologue.audio

    monkeypatch.setattr(duologue.audio, "devices_available", lambda: (False, True))
    with pytest.raises(ConfigError, match=r"no microphone here: give --input WAV, --text T or --scene"):
        make_plan(_options(tmp_path, texts=()))
    monkeypatch.setattr(duologue.audio, "devices_available", lambda: (True, True))
    plan = make_plan(_options(tmp_path, texts=(), headphones=True))
    assert plan.steps is None
    assert not plan.echo_guard


def test_a_profile_may_refuse_what_a_scene_wants(tmp_path: Path) -> None:
    scene = _file(
        tmp_path / "a.toml",
        '[session.config]\nresponse_modalities = ["TEXT"]\n[[step]]\nsay = "Hi."',
    )
    plan = make_plan(_options(tmp_path, texts=(), scene=scene))
    with pytest.raises(Unsupported, match="AUDIO"):
        RealtimeModel(**plan.model_options)


# --- tools out of a file ---------------------------------------------------------------------------------------------


def test_tools_of_a_file(tmp_path: Path) -> None:
    (tool,) = load_tools(_file(tmp_path / "t.py", TOOLS))
    assert tool.name == "count"


def test_what_a_file_only_imports_counts_too(tmp_path: Path) -> None:
    found = load_tools(_file(tmp_path / "t.py", f"from duologue import end_call\n{TOOLS}"))
    assert [tool.name for tool in found] == ["end_call", "count"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("t.py", "def f(:\n", ["not Python", "line 1"]),
        ("t.py", "\n1/0\n", ["ZeroDivisionError", "line 2"]),
        ("t.py", "import sys\n\nsys.exit()\n", ["ended the program", "line 3"]),
        ("t.py", "raise SystemExit(0)", ["SystemExit(0)", "line 1"]),
        ("t.py", "def f():\n    raise GeneratorExit\n\n\nf()", ["GeneratorExit", "line 2"]),
        ("t.py", "class Odd(BaseException): ...\n\nraise Odd('words')", ["Odd: words", "line 3"]),
        ("t.py", "import asyncio\nraise asyncio.CancelledError", ["CancelledError", "line 2"]),
        ("t.py", "import nothing_of_that_name", ["ModuleNotFoundError"]),
        ("t.py", "x = 1", ["no tool", "@function_tool"]),
        ("t.txt", TOOLS, [".py"]),
    ],
)
def test_files_without_tools_are_named(tmp_path: Path, name: str, text: str, words: list[str]) -> None:
    path = _file(tmp_path / name, text)
    with pytest.raises(ConfigError) as caught:
        load_tools(path)
    assert not [word for word in [str(path), *words] if word not in str(caught.value)], str(caught.value)


def test_the_line_is_named_of_a_file_beside_one_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _file(tmp_path / "t.py", "\nraise SystemExit")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"the tools file t\.py ended the program .* in line 2"):
        load_tools(Path("t.py"))


def test_an_interruption_of_the_user_is_no_mistake_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        load_tools(_file(tmp_path / "t.py", "raise KeyboardInterrupt"))


async def test_the_demos_tools_invent_the_same_answer_every_time() -> None:
    from duologue.cli.demo_tools import DEMO_TOOLS, get_weather, set_timer

    assert [tool.name for tool in DEMO_TOOLS] == ["get_weather", "get_time", "set_timer"]
    assert await get_weather("London") == await get_weather("London") != await get_weather("Paris")
    assert await set_timer(1) == "The timer is set for 1 minute."

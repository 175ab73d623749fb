"""``duologue talk`` as a process: exit codes, signals, files. Needs no speech extra: tones and a script."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

LONG = ("--text", "Please tell me a long story about the sea.")
FILES = ("reply.wav", "conversation.wav", "transcript.md", "timeline.png")


class Talk:
    """A running command; its standard output is JSON lines."""

    def __init__(self, folder: Path, *arguments: str | Path, **environment: str) -> None:
        self.folder = folder
        hidden = ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL")
        kept = {name: value for name, value in os.environ.items() if name not in hidden}
        command = [sys.executable, "-m", "duologue.cli", "talk", "--json", "--output-dir", folder]
        self.process = subprocess.Popen(
            [*map(str, command), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=kept | environment,
        )

    def lines_until(self, kind: str) -> dict[str, Any]:
        """Read lines until one of a type comes."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            fields: dict[str, Any] = json.loads(line)
            if fields["type"] == kind:
                return fields
        raise AssertionError(f"no {kind}: {self.process.stderr.read() if self.process.stderr else ''}")

    def end(self) -> tuple[int, str]:
        """Return the exit code and standard error."""
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors

    def check_files(self) -> None:
        assert sorted(path.name for path in self.folder.iterdir()) == sorted(FILES)
        for name, channels in (("reply.wav", 1), ("conversation.wav", 2)):
            with wave.open(str(self.folder / name)) as sound:
                assert (sound.getnchannels(), sound.getframerate()) == (channels, 24_000)
                assert len(sound.readframes(sound.getnframes())) == 2 * channels * sound.getnframes() > 0
        assert (self.folder / "timeline.png").read_bytes().endswith(b"IEND\xaeB\x60\x82")
        assert (self.folder / "transcript.md").read_text(encoding="utf-8").startswith("# Conversation\n")


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Any]:
    started: list[Talk] = []

    def start(*arguments: str | Path) -> Talk:
        folder = tmp_path / f"out{len(started)}"
        started.append(Talk(folder, "--local", "--emulator-voice", "tone", *arguments))
        return started[-1]

    yield start
    for talk in started:
        if talk.process.poll() is None:
            talk.process.kill()
        talk.process.communicate()


def _children(pid: int) -> set[int]:
    """Return the pids of all descendants; Linux only."""
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text()
            except OSError:
                continue
            if int(status.rpartition(")")[2].split()[1]) == pid:
                found |= {int(entry.name), *_children(int(entry.name))}
    return found


def _alive(pids: set[int]) -> set[int]:
    def is_running(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    return {pid for pid in pids if is_running(pid)}


def _wait_until_gone(pids: set[int]) -> None:
    give_up_at = time.monotonic() + 15
    while _alive(pids) and time.monotonic() < give_up_at:
        time.sleep(0.05)
    assert not _alive(pids)


def test_typed_turns(local: Any) -> None:
    talk = local("--text", "My name is Ada.", "--text", "What is the weather like in Paris?")
    summary = talk.lines_until("summary")
    assert talk.end() == (0, "")
    assert summary["files"] == [str(talk.folder / name) for name in FILES]
    assert summary["turns"] == 2
    assert summary["tool_calls"] == [
        {"name": "get_weather", "arguments": {"city": "Paris"}, "outcome": "answered"}
    ]
    talk.check_files()
    page = (talk.folder / "transcript.md").read_text(encoding="utf-8")
    assert "**Caller** (typed): My name is Ada." in page
    assert '`get_weather(city="Paris")` returned' in page


def _without(folder: Path, package: str) -> str:
    """Return a folder for PYTHONPATH that makes a package one that is not installed."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import importlib.machinery, sys\n"
        "class Gone(importlib.machinery.PathFinder):\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, path=None, target=None):\n"
        f"        if name == {package!r}: return None\n"
        "        return super().find_spec(name, path, target)\n"
        "sys.meta_path[:] = [Gone if f is importlib.machinery.PathFinder else f for f in sys.meta_path]\n",
        encoding="utf-8",
    )
    return str(folder)


def test_a_missing_matplotlib_is_a_note(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": _without(tmp_path / "path", "matplotlib")}
    options = ("--local", "--emulator-voice", "tone", "--text", "My name is Ada.")
    talk = Talk(tmp_path / "out", *options, **environment)
    summary = talk.lines_until("summary")
    assert talk.end() == (0, "")
    assert summary["notes"] == ["no timeline.png: pip install matplotlib (the extra [plot])"]
    assert [Path(file).name for file in summary["files"]] == list(FILES[:3])
    assert sorted(path.name for path in talk.folder.iterdir()) == sorted(FILES[:3])


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_a_missing_extra_is_one_line(tmp_path: Path, package: str) -> None:
    environment = {"PYTHONPATH": _without(tmp_path / "path", package)}
    code, errors = Talk(tmp_path / "out", "--local", **environment).end()
    assert code == 2
    assert len(errors.splitlines()) == 1
    assert package in errors
    assert "[cli]" in errors


def _hums(path: Path, stretches_s: list[tuple[float, float]], length_s: float) -> Path:
    """Write a recording that hums in some stretches, rising and falling as speech does."""
    samples = bytearray()
    for number in range(round(length_s * 16_000)):
        at_s = number / 16_000
        is_loud = any(from_s <= at_s < to_s for from_s, to_s in stretches_s)
        loud = 12_000 * abs(math.sin(12 * at_s)) if is_loud else 0
        samples += round(loud * math.sin(1200 * at_s)).to_bytes(2, "little", signed=True)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(samples)
    return path


def test_a_recording_of_two_utterances_has_two_turns(tmp_path: Path) -> None:
    """An emulator beside us that hears by loudness and is told the words stands in for the service."""
    recording = _hums(tmp_path / "two.wav", [(0.5, 2.0), (5.0, 6.5)], 7.0)
    words = ["My name is Ada.", "What is my name?"]
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, *words], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    away = {"GEMINI_API_KEY": "any", "GOOGLE_GEMINI_BASE_URL": url}
    try:
        talk = Talk(tmp_path / "out", "--input", recording, **away)
        summary = talk.lines_until("summary")
        assert talk.end() == (0, "")
    finally:
        server.communicate(timeout=20)
    assert summary["turns"] == 2
    assert len(summary["latencies_ms"]) == 2
    assert all(300 < latency_ms < 3000 for latency_ms in summary["latencies_ms"])
    page = (talk.folder / "transcript.md").read_text(encoding="utf-8")
    order = [page.index(words[0]), page.index("**Model**"), page.index(words[1]), page.rindex("**Model**")]
    assert order == sorted(order)


SERVER = """
import asyncio, sys
from duologue.emulator import Emulator
from duologue.emulator.ears.energy import EnergyEars

async def main():
    async with Emulator(ears=EnergyEars(sys.argv[1:]), voice="tone") as emulator:
        print(emulator.url, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""


def test_ones_own_tools(local: Any, tmp_path: Path) -> None:
    tools = tmp_path / "t.py"
    tools.write_text(
        "from duologue import function_tool\n"
        "@function_tool\n"
        "def get_weather(city: str) -> str:\n"
        '    """Current weather for a city."""\n'
        "    raise RuntimeError('a secret detail')\n",
        encoding="utf-8",
    )
    talk = local("--tools", tools, "--text", "What is the weather like in Paris?")
    summary = talk.lines_until("summary")
    code, errors = talk.end()
    assert code == 0, errors  # a tool that raises does not end the call
    page = (talk.folder / "transcript.md").read_text(encoding="utf-8")
    assert '`get_weather(city="Paris")` failed' in page
    assert len(summary["problems"]) == 1


@pytest.mark.parametrize(("name", "expected"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_in_good_order(local: Any, name: str, expected: int) -> None:
    talk = local(*LONG)
    talk.lines_until("GenerationCreated")
    time.sleep(2)
    children = _children(talk.process.pid)
    assert children
    talk.process.send_signal(getattr(signal, name))
    assert talk.end()[0] == expected
    talk.check_files()
    assert "Let me tell you about" in (talk.folder / "transcript.md").read_text(encoding="utf-8")
    _wait_until_gone(children)


STAND_IN = """
import sys, threading, time, types
from duologue.cli.__main__ import main

class Stream:
    latency = 0.03
    def __init__(self, **options):
        self.options, self.closed = options, threading.Event()
    def start(self):
        threading.Thread(target=self.run, daemon=True).start()
    def close(self, ignore_errors=True):
        self.closed.set()
    def run(self):
        samples, began_at, frames = self.options["blocksize"], time.monotonic(), 0
        while not self.closed.wait(max(0, began_at + frames * samples / self.options["samplerate"] - time.monotonic())):
            frames += 1
            self.give(frames * samples / self.options["samplerate"], 2 * samples * self.options["channels"])

class Microphone(Stream):
    def give(self, at_s, size):
        loud = 1.0 < at_s < 2.0
        self.options["callback"]((b"\\x00\\x20\\x00\\xe0" * size)[:size] if loud else bytes(size), size // 2, None, None)

class Loudspeaker(Stream):
    def give(self, at_s, size):
        self.options["callback"](bytearray(size), size // 2, None, None)

info = {"name": "x", "hostapi": 0, "default_samplerate": 48000.0, "max_input_channels": 1, "max_output_channels": 2}
sys.modules["sounddevice"] = types.SimpleNamespace(
    PortAudioError=OSError, query_hostapis=lambda: [{"name": "x"}], default=types.SimpleNamespace(device=(0, 0)),
    query_devices=lambda device=None, kind=None: [info] if kind is None else info,
    check_input_settings=lambda **_: None, check_output_settings=lambda **_: None,
    RawInputStream=Microphone, RawOutputStream=Loudspeaker,
)
main(["talk", *sys.argv[1:]])
"""


def test_a_microphone_and_a_loudspeaker(tmp_path: Path) -> None:
    """The devices are stood in for, in a process of their own; the caller hums for a second."""
    folder = tmp_path / "out"
    options = ["--local", "--emulator-voice", "tone", "--json", "--output-dir", str(folder)]
    process = subprocess.Popen(
        [sys.executable, "-c", STAND_IN, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "in conversation: speak" in line:
            break
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert json.loads(output.splitlines()[-1])["type"] == "summary"
    numpy = pytest.importorskip("numpy")
    with wave.open(str(folder / "conversation.wav")) as sound:
        both = numpy.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2").reshape(-1, 2)
    loud = numpy.flatnonzero(abs(both[:, 0].astype(int)) > 1000) / 24_000
    assert len(both) / 24_000 > 2.5
    assert 0.7 < loud[0] < 1.5
    assert 0.9 < loud[-1] - loud[0] < 1.1


def test_ctrl_c_before_the_call_leaves_nothing(local: Any) -> None:
    talk = local(*LONG)
    talk.lines_until("status")
    talk.process.send_signal(signal.SIGINT)
    assert talk.end()[0] == 130
    assert not talk.folder.exists() or list(talk.folder.iterdir()) == []


def test_the_emulator_cannot_outlive_a_killed_parent(local: Any) -> None:
    talk = local(*LONG)
    talk.lines_until("SessionReady")
    children = _children(talk.process.pid)
    assert children
    talk.process.kill()
    talk.end()
    _wait_until_gone(children)


def test_an_emulator_that_dies_is_a_named_error_and_the_files_are_whole(local: Any) -> None:
    talk = local(*LONG)
    talk.lines_until("GenerationCreated")
    time.sleep(1)
    for child in _children(talk.process.pid):
        os.kill(child, signal.SIGKILL)
    code, errors = talk.end()
    assert code == 2
    assert errors.startswith("duologue: ")
    assert "1006" in errors
    assert "Traceback" not in errors
    talk.check_files()
    assert "## Problems" in (talk.folder / "transcript.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--text", "Hi."), ["GOOGLE_API_KEY", "GEMINI_API_KEY", "--local"]),
        (("--local", "--text", "Hi.", "--brain", "none"), ["brain 'none'", "demo"]),
        (("--local", "--scene", "gone.toml"), ["gone.toml"]),
        (("--local", "--input", "gone.wav"), ["gone.wav"]),
        (("--local", "--nonsense"), ["--nonsense"]),
    ],
)
def test_errors_are_one_line_and_exit_code_2(
    tmp_path: Path, arguments: tuple[str, ...], words: list[str]
) -> None:
    talk = Talk(tmp_path / "out", *arguments)
    code, errors = talk.end()
    assert code == 2
    assert len(errors.splitlines()) == 1
    assert not [word for word in words if word not in errors], errors
    assert not (tmp_path / "out" / "reply.wav").exists()


def test_a_refused_connection_is_named_and_debug_shows_where(tmp_path: Path) -> None:
    away = {"GEMINI_API_KEY": "canary-of-a-key", "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:9"}
    code, errors = Talk(tmp_path / "out", "--text", "Hi.", **away).end()
    assert code == 2
    assert len(errors.splitlines()) == 1
    assert "127.0.0.1:9" in errors
    code, errors = Talk(tmp_path / "out", "--text", "Hi.", "--debug", **away).end()
    assert code == 2
    assert "Traceback" in errors
    assert "canary" not in errors

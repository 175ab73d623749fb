"""What other people's programs rely on: names, signatures, and the README's fifteen lines as they stand."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import subprocess
import sys
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import duologue
from duologue import events
from duologue.audio import NullSink
from duologue.config import ModelOptions
from duologue.emulator import Emulator
from duologue.emulator.ears.energy import EnergyEars
from duologue.emulator.voice.tone import ToneVoice, tone
from duologue.realtime import Generation, RealtimeModel, RealtimeSession

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).resolve().parent.parent

TOP_LEVEL = [
    "AudioOutput",
    "ChatContext",
    "ChatMessage",
    "Emulator",
    "Event",
    "FunctionTool",
    "GeminiLiveTransport",
    "Generation",
    "GenerationCompleted",
    "GenerationCreated",
    "GoAway",
    "Grounding",
    "InputSpeechStarted",
    "InputSpeechStopped",
    "Interrupted",
    "LLMTransport",
    "LiveConfig",
    "Microphone",
    "RawMessage",
    "RealtimeModel",
    "RealtimeSession",
    "Reconnecting",
    "ResumptionUpdate",
    "SessionEnded",
    "SessionError",
    "SessionOptions",
    "SessionReady",
    "Speaker",
    "TextOutput",
    "Thought",
    "ToolCall",
    "ToolCallCancelled",
    "ToolContext",
    "ToolResult",
    "Transcript",
    "TurnCompleted",
    "UsageReported",
    "WaitingForInput",
    "WavFile",
    "connect",
    "end_call",
    "function_tool",
]

ERRORS = [
    "AuthError",
    "ConfigError",
    "ConnectError",
    "DuologueError",
    "LinkLost",
    "QueueFull",
    "ReplyAborted",
    "ReplySuperseded",
    "ReplyTimeout",
    "SessionClosed",
    "SlowConsumer",
    "ToolError",
    "Unsupported",
]

SESSION = {
    "__aiter__": "(self) -> AsyncIterator[Event]",
    "on": "(self, kind: type[E], fn: Callable[[E], None]) -> Callable[[], None]",
    "generations": "(self) -> AsyncIterator[Generation]",
    "attach": "(self, *ends: AudioSource | AudioSink) -> None",
    "push_audio": "(self, pcm: bytes | memoryview | NDArray[int16], *, sample_rate: int = 16000, "
    "channels: int = 1) -> None",
    "send_text": "(self, text: str) -> None",
    "send_content": "(self, turns: Sequence[ChatMessage], *, turn_complete: bool = True) -> None",
    "send_tool_result": "(self, call_id: str, result: Any, *, is_error: bool = False, "
    "scheduling: Scheduling | None = None, will_continue: bool = False) -> None",
    "generate_reply": "(self, instructions: str | None = None, *, timeout_s: float = 5.0) -> Generation",
    "interrupt": "(self) -> None",
    "start_user_activity": "(self) -> None",
    "end_user_activity": "(self) -> None",
    "commit_audio": "(self) -> None",
    "clear_audio": "(self) -> None",
    "report_playhead": "(self, generation_id: str, played_ms: int) -> None",
    "send_raw": "(self, message: Mapping[str, Any]) -> None",
    "aclose": "(self) -> None",
}
COROUTINES = {"send_text", "send_content", "send_tool_result", "generate_reply", "aclose"}
LATER = {
    *("push_video", "update_instructions", "update_chat_ctx", "update_tools", "update_options"),
    *("truncate", "snapshot", "drain"),
}
"""Published, and not in this version: one that appears belongs into the table above."""

MODEL = (
    "(self, *, model: str | None = None, instructions: str | None = None, "
    "tools: Sequence[FunctionTool[..., Any] | Callable[..., Any]] = (), voice: str = 'Puck', "
    "language: str | None = None, temperature: float | None = None, api_key: str | None = None, "
    "vertexai: bool | None = None, project: str | None = None, location: str | None = None, "
    "credentials: object | None = None, base_url: str | None = None, allow_insecure: bool = False, "
    "config: LiveConfig | Mapping[str, Any] | object | None = None, options: SessionOptions = OPTIONS) -> None"
)


def shown(function: Any) -> str:
    """The signature as one would write it."""
    signature = inspect.signature(function)
    default = repr(duologue.SessionOptions())
    text = str(signature).replace(default, "OPTIONS")
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_published_names_are_importable(name: str) -> None:
    assert getattr(duologue, name) is not None


@pytest.mark.parametrize("name", ERRORS)
def test_published_errors_carry_code_reason_phase_and_retryable(name: str) -> None:
    kind = getattr(duologue.errors, name)
    error = kind("what was wrong")
    assert isinstance(error, duologue.errors.DuologueError)
    assert (error.code, error.reason) == (None, "")
    assert error.phase in typing.get_args(duologue.errors.Phase)
    assert isinstance(error.retryable, bool)


def test_every_name_resolves_to_where_its_table_says() -> None:
    assert sorted(duologue.__all__) == sorted([*duologue._HOME_OF, "__version__"])
    for name, home in duologue._HOME_OF.items():
        assert getattr(duologue, name) is getattr(sys.modules[home], name)
    assert set(duologue.__all__) <= set(dir(duologue))


def test_type_checkers_see_the_same_names_from_the_same_rooms() -> None:
    tree = ast.parse((ROOT / "src" / "duologue" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.asname: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == duologue._HOME_OF


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = duologue.no_such_name


def test_every_event_is_a_top_level_name() -> None:
    members = typing.get_args(events.Event)
    assert len(members) > 20
    for member in members:
        assert getattr(duologue, member.__name__) is member
        assert member.__dataclass_params__.frozen


def test_a_fresh_import_loads_a_name_from_its_room() -> None:
    code = (
        "import duologue, sys; assert 'duologue.realtime' not in sys.modules; duologue.connect; print('ok')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("ok\n", "")


# --- signatures ------------------------------------------------------------------------------------------------------


def test_model_options_are_the_models_keywords() -> None:
    parameters = list(inspect.signature(RealtimeModel.__init__).parameters.values())[1:]
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters)
    assert [p.name for p in parameters] == list(ModelOptions.__annotations__)
    assert ModelOptions.__total__ is False
    for parameter in parameters:
        typed = ModelOptions.__annotations__[parameter.name].__forward_arg__
        if parameter.name != "tools":  # config may not name the tools' types
            assert typed == parameter.annotation


def test_the_models_signature() -> None:
    assert shown(RealtimeModel.__init__) == MODEL
    assert shown(duologue.connect) == "(**model_options: Unpack[ModelOptions]) -> RealtimeSession"
    published = {"resume", "session_id", "turn_detection_disabled", "clock", "transport", "record"}
    assert set(inspect.signature(RealtimeModel.session).parameters) == {"self", *published}


@pytest.mark.parametrize("name", SESSION)
def test_the_sessions_signatures(name: str) -> None:
    method = getattr(RealtimeSession, name)
    assert shown(method) == SESSION[name]
    assert inspect.iscoroutinefunction(method) is (name in COROUTINES)
    assert inspect.getdoc(method)


def test_what_comes_later_is_not_half_there() -> None:
    assert not [name for name in LATER if hasattr(RealtimeSession, name)]


def test_what_a_session_and_a_generation_show() -> None:
    session = RealtimeModel(api_key="k").session()
    for name in (
        "id",
        "chat_ctx",
        "tools",
        "usage",
        "capabilities",
        "profile",
        "is_live",
        "resumption_handle",
    ):
        assert hasattr(session, name)
    for name in ("status", "cancel"):
        assert callable(getattr(Generation, name))


# --- the fifteen lines -----------------------------------------------------------------------------------------------


class AfterTheGreeting:
    """A caller who waits for the end of the greeting, then asks, then listens."""

    sample_rate = 24_000
    channels = 1

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not turns(self._emulator) and not self._closed:
            await asyncio.sleep(0.005)
        yield tone("What is the weather in London today") + bytes(48 * 1500)
        while not self._closed:
            await asyncio.sleep(0.005)

    async def aclose(self) -> None:
        self._closed = True


def turns(emulator: Emulator) -> int:
    """How many turns the emulated model has completed."""
    frames = [f.message for f in emulator.log if f.direction == "downlink" and "turnComplete" in str(f.frame)]
    return sum("turnComplete" in message.get("serverContent", {}) for message in frames)


def fifteen_lines() -> str:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"(?s)## Fifteen lines\n+```python\n(.*?)```", page)
    assert found
    return found[1]


def test_they_are_about_fifteen() -> None:
    assert sum(bool(line.strip()) for line in fifteen_lines().splitlines()) <= 18


async def test_the_fifteen_lines_of_the_readme_hold_a_conversation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As they stand but for the sound card, with key and address from the environment."""
    ears = EnergyEars(["What is the weather in London?"])
    async with Emulator(ears=ears, voice=ToneVoice(), time_scale=50.0) as emulator:
        monkeypatch.setenv("GOOGLE_API_KEY", "any-key")
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", emulator.url)
        code = fifteen_lines()
        assert "Microphone(), Speaker()" in code
        code = code.replace("Microphone(), Speaker()", "AfterTheGreeting(emulator), NullSink()")
        names = {"AfterTheGreeting": AfterTheGreeting, "NullSink": NullSink, "emulator": emulator}
        running = asyncio.create_task(asyncio.to_thread(exec, code, names))
        async with asyncio.timeout(10):
            while not any("12 degrees" in str(f.frame) for f in emulator.log if f.direction == "downlink"):
                assert not running.done(), running.exception()
                await asyncio.sleep(0.005)
            done = turns(emulator)
            while turns(emulator) == done:
                await asyncio.sleep(0.005)
            await emulator.inject("close:code=1000,reason=")
            await running
    lines = capsys.readouterr().out.splitlines()
    assert "user: What is the weather in London?" in lines
    assert any(re.match(r"model: .*foggy and 12 degrees in London", line) for line in lines)
    assert lines[0].startswith("model: ")

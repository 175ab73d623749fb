"""A brain behind any OpenAI-compatible chat-completions endpoint: Ollama, llama-server, vLLM or a hosted one.

No SDK: one POST a thought to ``{url}/chat/completions``, over the standard library, in a thread. The reply is not
streamed. Redirects are refused, because one would carry the key to another host.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
import ssl
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

from duologue.emulator.protocols import Call, Entry, Prompt, Reply, ToolSpec
from duologue.errors import AuthError, ConfigError, ConnectError, DuologueError, ProtocolError

__all__ = ["OpenAIBrain"]

_log = logging.getLogger(__name__)
_MAX_ANSWER_BYTES = 4 * 1024 * 1024
_SORRY = "I am sorry, I cannot think right now."
_NONE: Mapping[str, Any] = {}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class OpenAIBrain:
    """A brain (see ``protocols.Brain``) that asks a chat-completions endpoint.

    It never raises from :meth:`think`: when the endpoint cannot be used, it says so aloud, logs why and keeps the
    error in :attr:`last_error`. Use :meth:`ask` to have the error raised. Cancelling a thought leaves its thread to
    end by itself, within ``timeout_s``.

    Args:
        url: The endpoint's base, with its version: ``http://127.0.0.1:11434/v1``. Plain ``http`` may leave this
            machine only when there is no key to carry.
        model: The model's name; default ``OPENAI_MODEL`` from the environment, else ``"default"``.
        api_key: Sent as bearer token; default ``OPENAI_API_KEY`` from the environment. It is never printed.
        timeout_s: From asking to the whole answer, in seconds.

    Raises:
        ConfigError: The URL is not one of http or https, or would send the key in the clear.
    """

    def __init__(
        self, url: str, *, model: str | None = None, api_key: str | None = None, timeout_s: float = 30.0
    ) -> None:
        self._key = api_key if api_key is not None else os.environ.get("OPENAI_API_KEY", "")
        self._url = _checked(url, has_key=bool(self._key))
        self._model = model or os.environ.get("OPENAI_MODEL") or "default"
        self._timeout_s = timeout_s
        self.last_error: DuologueError | None = None
        """Why the last thought failed, None when it did not."""

    async def think(self, prompt: Prompt) -> Reply:
        """Return the endpoint's reply, or an apology when there is none to be had."""
        try:
            reply = await self.ask(prompt)
        except DuologueError as error:
            self.last_error = error
            _log.warning("The brain's endpoint failed: %s", error)
            return Reply(_SORRY, thought="**Failing to reach the model**")
        self.last_error = None
        return reply

    async def ask(self, prompt: Prompt) -> Reply:
        """Return the endpoint's reply.

        Raises:
            ConnectError: It cannot be reached in time, or answered with another status than 200.
            AuthError: It refused the key (401, 403).
            ProtocolError: Its answer is not a chat completion.
        """
        body = json.dumps(_request(prompt, self._model), default=str).encode()
        try:
            async with asyncio.timeout(
                self._timeout_s
            ):  # the socket's own time-out starts anew with every byte
                return _reply(await asyncio.to_thread(self._post, body))
        except TimeoutError as error:
            message = f"{self._url.netloc} did not answer within {self._timeout_s:g} s; is the model loaded?"
            raise ConnectError(message, retryable=True) from error

    async def aclose(self) -> None:
        """Do nothing: every thought has its own connection, closed with it."""

    def _post(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        connection = self._connection()
        try:
            connection.request("POST", f"{self._url.path.rstrip('/')}/chat/completions", body, headers)
            response = connection.getresponse()
            answer = response.read(_MAX_ANSWER_BYTES + 1)
        except TimeoutError:  # told apart from an unreachable host; ask() words it
            raise
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise ConnectError(f"{self._url.netloc} cannot be reached: {reason}.", retryable=True) from error
        finally:
            connection.close()
        _check_status(response.status, response.reason, self._url.netloc)
        if len(answer) > _MAX_ANSWER_BYTES:
            raise ProtocolError(f"The answer of {self._url.netloc} is longer than {_MAX_ANSWER_BYTES} bytes.")
        return answer

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=context)
        return http.client.HTTPConnection(host, port, timeout=self._timeout_s)


def _checked(url: str, *, has_key: bool) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises when it is none
    except ValueError as error:
        raise ConfigError(f"The brain's URL is not one: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("The brain's URL must look like http://127.0.0.1:11434/v1 or https://host/v1.")
    if parts.username or parts.password or parts.query:
        raise ConfigError("The brain's URL must hold no user, password or query; set OPENAI_API_KEY instead.")
    if has_key and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ConfigError(
            f"OPENAI_API_KEY would go to {parts.hostname} unencrypted: use https, or unset the key."
        )
    return parts


def _check_status(status: int, reason: str, host: str) -> None:
    if status == 200:
        return
    if status in (401, 403):
        raise AuthError(
            f"{host} refused the key (HTTP {status}); check OPENAI_API_KEY.", code=status, reason=reason
        )
    if 300 <= status < 400:
        raise ConnectError(
            f"{host} redirects (HTTP {status}), which is refused; give the final URL.", code=status
        )
    retryable = status >= 500 or status == 429
    raise ConnectError(
        f"{host} answered HTTP {status} {reason}.", code=status, reason=reason, retryable=retryable
    )


def _request(prompt: Prompt, model: str) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    if prompt.instructions:
        messages.append({"role": "system", "content": prompt.instructions})
    open_ids: list[tuple[str, str]] = []  # (tool name, call id) of calls that have no result yet
    for index, entry in enumerate(prompt.history):
        messages.append(_message(entry, f"call_{index}", open_ids))
    request: dict[str, Any] = {"model": model, "messages": messages, "stream": False}
    if prompt.tools:
        request["tools"] = [{"type": "function", "function": _declaration(tool)} for tool in prompt.tools]
    return request


def _message(entry: Entry, call_id: str, open_ids: list[tuple[str, str]]) -> dict[str, Any]:
    name = entry.call.name if entry.call else ""
    if entry.role == "call":
        open_ids.append((name, call_id))
        arguments = json.dumps(dict(entry.call.args) if entry.call else {}, default=str)
        function = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
        return {"role": "assistant", "content": None, "tool_calls": [function]}
    if entry.role == "result":
        # Endpoints refuse a result whose call they have not seen; the oldest open call of that name is the one.
        pair = next((pair for pair in open_ids if pair[0] == name), None)
        content = json.dumps(dict(entry.result or {}), default=str, ensure_ascii=False)
        if pair is None:
            return {"role": "system", "content": f"The tool {name} reports: {content}"}
        open_ids.remove(pair)
        return {"role": "tool", "tool_call_id": pair[1], "content": content}
    if entry.role == "instruction":
        return {"role": "system", "content": entry.text}
    return {"role": "assistant" if entry.role == "model" else "user", "content": entry.text}


def _declaration(tool: ToolSpec) -> dict[str, Any]:
    parameters: Any = (
        _lower_types(tool.parameters) if tool.parameters else {"type": "object", "properties": _NONE}
    )
    return {"name": tool.name, "description": tool.description, "parameters": parameters}


def _lower_types(schema: object) -> Any:
    """Return the schema with JSON Schema's lower-case types, where Gemini's declarations have upper-case ones."""
    if isinstance(schema, Mapping):
        items = cast("Mapping[str, Any]", schema).items()
        return {k: v.lower() if k == "type" and isinstance(v, str) else _lower_types(v) for k, v in items}
    if isinstance(schema, list | tuple):
        return [_lower_types(item) for item in cast("list[Any]", schema)]
    return schema


def _reply(answer: bytes) -> Reply:
    try:
        message: dict[str, Any] = json.loads(answer)["choices"][0]["message"]
        content = message.get("content") or ""
        calls = tuple(_call(item["function"]) for item in message.get("tool_calls") or ())
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise ProtocolError(
            f"The endpoint's answer is not a chat completion ({type(error).__name__})."
        ) from error
    if not isinstance(content, str):
        raise ProtocolError("The endpoint's answer holds something else than text.")
    return Reply(content.strip(), calls)


def _call(function: Mapping[str, Any]) -> Call:
    arguments: Any = function.get("arguments") or {}
    arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
    if not isinstance(arguments, Mapping) or not isinstance(function["name"], str):
        raise TypeError("arguments")
    return Call(function["name"], cast("Mapping[str, Any]", arguments))

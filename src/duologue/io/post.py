"""One JSON request over HTTP: what the service offers beside the WebSocket.

The standard library's parser over our own route, so that proxies, time-outs and errors are a link's; no
HTTP package is needed for one POST. Redirects are refused, because one would carry the key to another host.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import ssl
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from duologue import __version__
from duologue.errors import AuthError, ConnectError, ProtocolError
from duologue.io.proxy import open_route
from duologue.wire.close import classify
from duologue.wire.scrub import scrub

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duologue.wire.endpoint import Endpoint

__all__ = ["post_json"]

_MAX_ANSWER_BYTES = 1024 * 1024
_MAX_SHOWN = 300


async def post_json(
    endpoint: Endpoint,
    body: Mapping[str, Any],
    *,
    timeout_s: float,
    ssl_context: ssl.SSLContext | None = None,
) -> Mapping[str, Any]:
    """Return the answer to a POST. Cancelling it closes the connection.

    Args:
        endpoint: An ``http`` or ``https`` one.
        body: Sent as JSON.
        timeout_s: From the first packet to the whole answer.
        ssl_context: Trusts other certificates than the system's.

    Raises:
        ConnectError: It cannot be reached in time, or answers with another status than 200; ``code`` is
            that status and ``reason`` what the service said.
        AuthError: It refuses the key.
        ProtocolError: Its answer is no JSON object.
    """
    url = urlsplit(endpoint.url)
    port = url.port or (443 if endpoint.secure else 80)
    try:
        async with asyncio.timeout(timeout_s):
            sock = await open_route(url.hostname or "", port, secure=endpoint.secure, timeout_s=timeout_s)
            with sock.dup() as handle:  # TLS takes the socket itself away
                try:
                    status, answer = await asyncio.to_thread(
                        _exchange, sock, ssl_context, endpoint, body, timeout_s
                    )
                finally:
                    with contextlib.suppress(OSError):  # the thread has closed it already, or now ends
                        handle.shutdown(socket.SHUT_RDWR)
    except TimeoutError:
        msg = f"{endpoint.host} did not answer within {timeout_s:g} s"
        raise ConnectError(msg, phase="connect", retryable=True) from None
    _check_status(status, answer, endpoint)
    return _object(answer, endpoint)


def _exchange(
    sock: socket.socket,
    ssl_context: ssl.SSLContext | None,
    endpoint: Endpoint,
    body: Mapping[str, Any],
    timeout_s: float,
) -> tuple[int, bytes]:
    """Speak HTTP over a socket; in a thread of its own."""
    url = urlsplit(endpoint.url)
    headers = {
        **endpoint.headers,
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": f"duologue/{__version__}",
        "Connection": "close",
    }
    sock.settimeout(timeout_s)
    connection = http.client.HTTPConnection(url.hostname or "", url.port)
    try:
        connection.sock = sock
        if endpoint.secure:
            context = ssl_context or ssl.create_default_context()
            connection.sock = context.wrap_socket(sock, server_hostname=url.hostname)
        connection.request("POST", url.path, json.dumps(body).encode(), headers)
        response = connection.getresponse()
        return response.status, response.read(_MAX_ANSWER_BYTES + 1)
    except ssl.SSLError as error:
        words = str(getattr(error, "verify_message", "") or error.reason or error)
        raise ConnectError(f"TLS with {endpoint.host} failed: {words}", phase="tls", reason=words) from error
    except TimeoutError:
        raise
    except (OSError, http.client.HTTPException) as error:
        words = _printable(str(error), endpoint) or type(error).__name__
        msg = f"{endpoint.host} broke the request off: {words}"
        raise ConnectError(msg, phase="connect", retryable=True) from None
    finally:
        connection.close()
        sock.close()


def _check_status(status: int, answer: bytes, endpoint: Endpoint) -> None:
    if status == 200:
        return
    said = _service_words(answer, endpoint)
    if 300 <= status < 400:
        msg = f"{endpoint.host} answers with a redirect (HTTP {status}); redirects are refused, since they would carry the key along"
        raise ConnectError(msg, code=status, phase="connect")
    verdict = classify(status, said, phase="upgrade")  # a wrong key is a 400 in words, too
    if verdict.kind == "auth":
        msg = f"{endpoint.host} refuses the key (HTTP {status}): {said}"
        raise AuthError(msg, code=status, reason=said, phase="connect")
    msg = f"{endpoint.host} answers HTTP {status}: {said}"
    raise ConnectError(msg, code=status, reason=said, phase="connect", retryable=verdict.retry)


def _service_words(answer: bytes, endpoint: Endpoint) -> str:
    """Return the message of Google's error object, else the beginning of what was sent."""
    try:
        said = str(cast("dict[str, Any]", json.loads(answer))["error"]["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        said = answer[:_MAX_SHOWN].decode(errors="replace")
    return _printable(said, endpoint) or "no reason given"


def _printable(said: str, endpoint: Endpoint) -> str:
    """Return somebody else's words on one short line, without secrets."""
    printable = "".join(c if c.isprintable() else " " for c in said)
    return scrub(" ".join(printable.split()), endpoint.secrets)[:_MAX_SHOWN]


def _object(answer: bytes, endpoint: Endpoint) -> Mapping[str, Any]:
    if len(answer) > _MAX_ANSWER_BYTES:
        raise ProtocolError(f"the answer of {endpoint.host} is longer than {_MAX_ANSWER_BYTES} bytes")
    try:
        found: object = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the answer of {endpoint.host} is no JSON ({type(error).__name__})") from None
    if not isinstance(found, dict):
        raise ProtocolError(f"the answer of {endpoint.host} is no JSON object")
    return cast("Mapping[str, Any]", found)

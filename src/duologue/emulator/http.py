"""The head of an HTTP/1.1 request, read with care, and small JSON answers.

Pure: bytes in, a :class:`Request` or a :class:`BadRequestError` out. Bodies are not read here; nothing the
emulator serves has one yet.

Source: RFC 9112 sections 2-6 (message syntax), RFC 6455 section 4.2.1, RFC 6454 (Origin).
"""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "BadRequestError",
    "HeadReader",
    "Request",
    "error_answer",
    "host_name",
    "is_loopback",
    "is_trusted_origin",
    "live_api_version",
]

MAX_HEAD_BYTES = 32 * 1024
MAX_LINE_BYTES = 8 * 1024
MAX_HEADERS = 100

_END = b"\r\n\r\n"
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# The method is at most this long; so is what a TLS hello or noise shows us before it is unmasked.
_MAX_METHOD_BYTES = 24
# Visible characters, blanks, tabs and obs-text; no other control characters.
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_TARGET = re.compile(rb"/[\x21-\x7e]*")
_LIVE_PATH = re.compile(
    r"/{1,2}ws/google\.ai\.generativelanguage\.(v1|v1beta|v1alpha)\.GenerativeService\.BidiGenerateContent"
)
_LOOPBACK_ORIGIN = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/?#@\[\]]+))(?::[0-9]{0,5})?")
# google.rpc.Code names, as Google writes them into the JSON of an HTTP error.
_STATUS_NAMES: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    405: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    426: "FAILED_PRECONDITION",
    431: "INVALID_ARGUMENT",
    505: "UNIMPLEMENTED",
}


class BadRequestError(Exception):
    """What came in is no request this server answers; carries the HTTP status to say so with."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """The head of one request. Its ``repr`` shows neither query nor headers: both carry keys."""

    method: str
    target: str
    """Path and query as they were sent, percent-encoding included."""
    headers: tuple[tuple[str, str], ...]
    """Names in lower case, in the order sent; a name may occur more than once."""
    raw: bytes
    """The bytes of the head, up to and including the empty line."""

    def __repr__(self) -> str:
        return f"Request({self.method} {self.path})"

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def all(self, name: str) -> list[str]:
        """Return every value of a header; ``name`` in lower case."""
        return [value for key, value in self.headers if key == name]

    def query(self, name: str) -> str | None:
        """Return the first value of a query parameter, decoded; None when it is absent."""
        # A path starting with "//" would be taken for a host by urlsplit; only the query matters here.
        values = parse_qs(urlsplit("?" + self.target.partition("?")[2]).query, keep_blank_values=True)
        return values[name][0] if name in values else None

    @property
    def api_key(self) -> str | None:
        """The API key, from the query (documented) or from ``x-goog-api-key`` (google-genai for Python)."""
        from_query = self.query("key")
        if from_query is not None:
            return from_query
        headers = self.all("x-goog-api-key")
        return headers[0] if headers else None


class HeadReader:
    """Collects bytes until a request's head is complete, and refuses early what cannot become one."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def rest(self) -> bytes:
        """What came after the head."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> Request | None:
        """Take more bytes; return the request when its head is complete.

        Raises:
            BadRequestError: Malformed, too large, or another protocol (a TLS hello, say).
        """
        searched = max(0, len(self._buffer) - len(_END) + 1)
        self._buffer += data
        # RFC 9112 2.2: empty lines ahead of the request line are skipped.
        while self._buffer.startswith(b"\r\n"):
            del self._buffer[:2]
            searched = 0
        end = self._buffer.find(_END, searched)
        if end < 0:
            self._refuse_early()
            return None
        if end + len(_END) > MAX_HEAD_BYTES:
            raise BadRequestError(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request head is too large."
            )
        raw = bytes(self._buffer[: end + len(_END)])
        del self._buffer[: len(raw)]
        return _parse(raw)

    def _refuse_early(self) -> None:
        start = self._buffer[:_MAX_METHOD_BYTES].partition(b" ")[0]
        if start and start != bytearray(b"\r") and not _TOKEN.fullmatch(start):
            raise BadRequestError(HTTPStatus.BAD_REQUEST, "This is not an HTTP request.")
        if len(self._buffer) > MAX_HEAD_BYTES:
            raise BadRequestError(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request head is too large."
            )


def _parse(raw: bytes) -> Request:
    request_line, *lines = raw[: -len(_END)].split(b"\r\n")
    if len(lines) > MAX_HEADERS or any(len(line) > MAX_LINE_BYTES for line in (request_line, *lines)):
        msg = "The request has too many or too long header lines."
        raise BadRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, msg)
    method, target = _parse_request_line(request_line)
    return Request(method=method, target=target, headers=tuple(map(_parse_header, lines)), raw=raw)


def _parse_request_line(line: bytes) -> tuple[str, str]:
    parts = line.split(b" ")
    if len(parts) != 3 or not _TOKEN.fullmatch(parts[0]):
        raise BadRequestError(HTTPStatus.BAD_REQUEST, "The request line is malformed.")
    method, target, version = parts
    if not re.fullmatch(rb"HTTP/[0-9]\.[0-9]", version):
        raise BadRequestError(HTTPStatus.BAD_REQUEST, "The request line is malformed.")
    if version != b"HTTP/1.1":
        raise BadRequestError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "Only HTTP/1.1 is spoken here.")
    if not _TARGET.fullmatch(target):
        raise BadRequestError(HTTPStatus.BAD_REQUEST, "The request target must be a path.")
    return method.decode("ascii"), target.decode("ascii")


def _parse_header(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    # Folded lines and blanks before the colon fail here too: both have served to smuggle headers.
    if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
        raise BadRequestError(HTTPStatus.BAD_REQUEST, "A header line is malformed.")
    return name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")


def live_api_version(path: str) -> str | None:
    """Return the API version of a BidiGenerateContent path, or None when the path is another.

    A doubled leading slash is fine: the official clients send it when ``base_url`` ends in one.
    """
    match = _LIVE_PATH.fullmatch(path)
    return match[1] if match else None


def is_trusted_origin(origins: Sequence[str]) -> bool:
    """Tell whether the ``Origin`` headers of a request let it in.

    None at all: not a browser. One naming loopback: a page the developer serves. Everything else,
    ``null`` included, is a foreign page in somebody's browser reaching for a local socket.
    """
    return not origins or (len(origins) == 1 and _LOOPBACK_ORIGIN.fullmatch(origins[0]) is not None)


def host_name(hosts: Sequence[str]) -> str | None:
    """Return the name in the one ``Host`` header, in lower case, without port and brackets.

    Returns:
        None where there is no such header, there are several, or it is malformed.
    """
    match = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    return (match[1] or match[2]).rstrip(".").lower() if match is not None else None


def is_loopback(name: str) -> bool:
    """Tell whether a name or address means this machine and cannot be made to mean another."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")  # RFC 6761 keeps these out of the DNS


def error_answer(status: HTTPStatus, message: str) -> bytes:
    """Return a whole HTTP response with an error body in the shape Google gives it."""
    error = {"code": status.value, "message": message, "status": _STATUS_NAMES.get(status, "UNKNOWN")}
    body = json.dumps({"error": error}, indent=2).encode() + b"\n"
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Content-Type: application/json; charset=UTF-8",
        f"Content-Length: {len(body)}",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    if status == HTTPStatus.UPGRADE_REQUIRED:
        lines.append("Upgrade: websocket")
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        lines.append("Allow: GET")
    return "\r\n".join(lines).encode("ascii") + _END + body

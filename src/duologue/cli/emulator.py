"""``duologue emulator``: the local Gemini Live server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path  # noqa: TC003 -- typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer

from duologue.emulator.profiles import PROFILES

if TYPE_CHECKING:
    from duologue.emulator import Emulator
    from duologue.emulator.protocols import Brain, Ears

__all__ = ["emulator"]

_HINTS = """\
The emulator runs at {url} (Ctrl-C ends it). Any key is right{unless}.
  duologue     duologue talk with GOOGLE_GEMINI_BASE_URL={url}
  google-genai http_options={{"base_url": "{url}"}}{trust}
  JavaScript   httpOptions: {{ baseUrl: "{url}" }}
"""


def emulator(
    host: Annotated[
        str, typer.Option(help="Where to listen; anything but loopback lets the network in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 0,
    tls: Annotated[
        bool, typer.Option("--tls", help="Serve https/wss with a certificate made for this run.")
    ] = False,
    profile: Annotated[
        str | None,
        typer.Option(
            help=f"{' | '.join(PROFILES)}: behave like this one whatever model is asked for.", metavar="P"
        ),
    ] = None,
    scenario: Annotated[Path | None, typer.Option(help="TOML of what to say to what, for tests.")] = None,
    brain: Annotated[str | None, typer.Option(help="demo | scripted:FILE")] = None,
    brain_url: Annotated[
        str | None, typer.Option(help="An OpenAI-compatible endpoint that decides what to say.")
    ] = None,
    ears: Annotated[str | None, typer.Option(help="whisper | energy; default: the best installed.")] = None,
    voice: Annotated[
        str | None, typer.Option(help="pico | tone | FILE; default: the best installed.")
    ] = None,
    whisper: Annotated[Path | None, typer.Option(help="A CTranslate2 Whisper folder of your own.")] = None,
    api_key: Annotated[
        list[str] | None, typer.Option(help="A key that is right; repeatable. None: any.")
    ] = None,
    fault: Annotated[
        list[str] | None, typer.Option(help="NAME[:key=value,...][@SECONDSs]; repeatable; see --list-faults.")
    ] = None,
    list_faults: Annotated[
        bool, typer.Option("--list-faults", help="Name the faults there are, and end.")
    ] = False,
    time_scale: Annotated[
        float, typer.Option(help="How many times faster lifetimes and playback pass.")
    ] = 1.0,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,  # noqa: ARG001 -- read by main
) -> int:
    """Run a local server that behaves like Gemini Live.

    When it is ready, one line of JSON goes to stdout: {"url": ..., "ca_file": ..., "pid": ...}.
    """
    from duologue.emulator import Emulator

    if list_faults:
        sys.stdout.write(_faults())
        return 0
    server = Emulator(
        profile=profile,
        scenario=scenario,
        brain=_brain(brain, brain_url),
        ears=_ears(ears, whisper),
        voice=voice,
        faults=fault or (),
        tls=tls,
        host=host,
        port=port,
        api_keys=api_key or None,
        time_scale=time_scale,
    )
    return _loop(_serve(server, any_key=not api_key))


def _loop(work: Any) -> int:
    """Run in uvloop where it is installed: it costs less."""
    with contextlib.suppress(ImportError):
        import uvloop

        return int(uvloop.run(work))
    return int(asyncio.run(work))


async def _serve(server: Emulator, *, any_key: bool) -> int:
    stop: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def end(code: int) -> None:
        if not stop.done():
            stop.set_result(code)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, end, 0)
    loop.add_signal_handler(signal.SIGINT, end, 130)
    async with server:
        ready = {
            "url": server.url,
            "ca_file": str(server.ca_file) if server.ca_file else None,
            "pid": os.getpid(),
        }
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        if sys.stderr.isatty():
            trust = f" and SSL_CERT_FILE={server.ca_file}" if server.ca_file else ""
            unless = "" if any_key else " that was given with --api-key"
            sys.stderr.write(_HINTS.format(url=server.url, trust=trust, unless=unless))
        return await stop


def _faults() -> str:
    from duologue.emulator.faults import FAULTS

    lines: list[str] = []
    for name, kind in FAULTS.items():
        defaults = ",".join(f"{key}={value}" for key, value in kind.arguments.items())
        lines.append(f"{name}:{defaults}" if defaults else name)
        lines.append(f"    {kind.summary}")
    return "\n".join(lines) + "\n"


def _brain(name: str | None, url: str | None) -> Brain | str | None:
    if url is None:
        return name
    from duologue.emulator.brain import make_brain

    return make_brain(name, url=url)


def _ears(name: str | None, whisper: Path | None) -> Ears | str | None:
    if whisper is None:
        return name
    from duologue.emulator.ears import make_ears

    return make_ears(name, whisper_dir=whisper)

"""The emulator as one object: a local Gemini Live service on a real socket.

Read this to use it. ``async with Emulator() as emulator:`` and point any client's ``base_url`` at
``emulator.url``. It understands what is said to it (with the speech extra), answers aloud, calls
tools and can be interrupted; it reaches nothing but loopback unless told otherwise.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from duologue.emulator.asks import Close
from duologue.emulator.door import Door
from duologue.emulator.faults import Fault, parse_fault
from duologue.emulator.http import is_loopback
from duologue.emulator.log import FrameLog, LoggedFrame
from duologue.emulator.protocols import Brain, Ears, Voice
from duologue.emulator.rules import ServerRules, Service, refuse_key
from duologue.emulator.session import EmulatedSession, Parts
from duologue.emulator.tls import LoopbackTLS
from duologue.errors import ConfigError, SessionClosed

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path
    from types import TracebackType

    from duologue.emulator.brain import BrainFunction
    from duologue.emulator.http import Request
    from duologue.emulator.link import Guest

__all__ = ["Emulator"]

_log = logging.getLogger("duologue.emulator")
_MAX_REMEMBERED_SESSIONS = 1_000


class _Closable(Protocol):
    async def aclose(self) -> None: ...


_Part = TypeVar("_Part", bound=_Closable)


class Emulator:
    """A local server that speaks the Gemini Live protocol; an async context manager.

    It does not check what a model of Google's would say, only how it says it: order, pacing, limits
    and closes follow the profile.

    Args:
        profile: Behave like this one whatever model the setup names; None follows the setup.
        scenario: A TOML file of what to say to what, for tests; takes the place of ``brain``.
        brain: An object with the methods of ``protocols.Brain``, a function from ``Prompt`` to
            ``Reply`` or ``str``, or a name (``"demo"``, ``"scripted:FILE"``). None: ``"demo"``.
        ears: An object, or a name (``"whisper"``, ``"energy"``). None: the best installed.
        voice: An object, or a name (``"pico"``, ``"tone"``, a file). None: the best installed.
            Objects stay the caller's to close; what is made here from a name is closed here.
        faults: What is to go wrong on every connection, e.g. ``"close:code=1011@30s"``.
        tls: Serve https/wss with a certificate of its own; trust ``ca_file``.
        host: Where to listen. Anything but loopback lets the whole network in; keys are no lock.
        port: 0 takes a free one.
        api_keys: The keys that are right; None: any non-empty one.
        time_scale: How many times faster lifetimes and playback pass; 10 makes ten minutes one. Faults
            keep real seconds.

    Raises:
        ConfigError: An option names what does not exist. From ``async with``: something is not
            installed, a file is unreadable, or the port is taken; the message says what to do.
    """

    url: str
    """``http(s)://127.0.0.1:PORT``, no path; what the SDKs call ``base_url``. Set on entering."""
    ca_file: Path | None
    """With TLS, the certificate to trust, while the emulator runs; else None."""

    def __init__(
        self,
        *,
        profile: str | None = None,
        scenario: Path | str | None = None,
        brain: Brain | BrainFunction | str | None = None,
        ears: Ears | str | None = None,
        voice: Voice | str | None = None,
        faults: Sequence[Fault | str] = (),
        tls: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
        api_keys: Collection[str] | None = None,
        time_scale: float = 1.0,
    ) -> None:
        _check_profile(profile)
        if scenario is not None and brain is not None:
            raise ConfigError("a scenario is a brain of its own: give scenario= or brain=, not both")
        if isinstance(api_keys, str):
            raise ConfigError("api_keys is a collection of keys, not one string")
        if not time_scale > 0:
            raise ConfigError(f"time_scale={time_scale} is not greater than 0")
        if not 0 <= port <= 65_535:
            raise ConfigError(f"port={port} is not within 0..65535")
        self._profile = profile
        self._scenario = scenario
        self._wanted = (ears, brain, voice)
        self._faults = tuple(_timed(parse_fault(fault)) for fault in faults)
        self._tls = LoopbackTLS(_certified_names(host)) if tls else None
        self._host = "127.0.0.1" if host == "localhost" else host
        self._port = port
        self._api_keys = frozenset(api_keys) if api_keys is not None else None
        self._service = Service(time_scale=time_scale, id_prefix=f"{secrets.token_hex(3)}-")
        self._parts: Parts | None = None
        self._frame_log = FrameLog()
        self._sessions: deque[EmulatedSession] = deque()
        self._stack = AsyncExitStack()
        self.ca_file = None

    @property
    def log(self) -> Sequence[LoggedFrame]:
        """Every frame of every session, in order; bounded, the oldest are forgotten first."""
        return self._frame_log

    @property
    def sessions(self) -> Sequence[EmulatedSession]:
        """The sessions so far, open and ended, oldest first (the newest 1,000)."""
        return tuple(self._sessions)

    async def inject(self, fault: Fault | str) -> None:
        """Let a fault happen to every open connection: now, or after its ``@SECONDSs``.

        Raises:
            ConfigError: There is no such fault.
            SessionClosed: The emulator is not running.
        """
        fault = parse_fault(fault)
        if self._parts is None:
            raise SessionClosed("the emulator is not running: faults are injected inside its async with")
        for session in tuple(self._sessions):
            session.inject(fault)

    async def __aenter__(self) -> Emulator:
        if self._parts is not None:
            raise ConfigError("this emulator is running already; make another one")
        async with AsyncExitStack() as stack:
            parts = await self._make_parts(stack)
            if self._tls is not None:
                self.ca_file = stack.enter_context(self._tls).ca_file
            stack.push_async_callback(self._settle)
            door = Door(self._admit)
            self._parts = parts
            await door.open(
                self._host, self._port, self._tls.server_context if self._tls is not None else None
            )
            stack.push_async_callback(door.aclose)
            self._stack = stack.pop_all()
        self.url = f"{'https' if self._tls is not None else 'http'}://{_reachable(self._host)}:{door.port}"
        if not is_loopback(self._host):
            _log.warning(
                "the emulator listens on %s: everybody who reaches this machine can use it", self._host
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        self.ca_file = None

    async def _settle(self) -> None:
        self._parts = None
        for session in self._sessions:
            await session.settled()

    def _admit(self, request: Request, api_version: str) -> Guest | Close:
        refusal = refuse_key(request.api_key, self._api_keys)
        if refusal is not None or self._parts is None:
            _log.info("refused a client: %s key", "wrong" if request.api_key else "no")
            return refusal or Close(1001)
        rules = ServerRules(self._service, make_detector=self._parts.ears.detector, profile=self._profile)
        session = EmulatedSession(
            rules, self._parts, self._frame_log, api_version=api_version, faults=self._faults
        )
        self._remember(session)
        return session

    def _remember(self, session: EmulatedSession) -> None:
        """Add to the sessions, forgetting the oldest that has ended; open ones stay, for faults reach them."""
        if len(self._sessions) >= _MAX_REMEMBERED_SESSIONS:
            ended = next((one for one in self._sessions if one.ended is not None), None)
            if ended is not None:
                self._sessions.remove(ended)
        self._sessions.append(session)

    async def _make_parts(self, stack: AsyncExitStack) -> Parts:
        """Make what was named, take what was given, and wait until those that take a while have started."""
        from duologue.emulator.brain import make_brain
        from duologue.emulator.ears import make_ears
        from duologue.emulator.voice import make_voice

        def own(part: _Part) -> _Part:
            stack.push_async_callback(part.aclose)
            return part

        ears, brain, voice = self._wanted
        if self._scenario is not None:
            brain = f"scripted:{self._scenario}"
        if ears is None or isinstance(ears, str):
            ears = own(make_ears(ears))
        if not isinstance(brain, Brain):
            brain = own(make_brain(brain))
        if voice is None or isinstance(voice, str):
            voice = own(make_voice(voice))
        await _start(ears, voice)
        return Parts(ears, brain, voice)


@runtime_checkable
class _Startable(Protocol):
    async def started(self) -> None: ...


async def _start(*parts: object) -> None:
    """Start the parts that have a ``started()`` to wait for, all at once; raise what the first raises."""
    try:
        async with asyncio.TaskGroup() as group:
            for part in parts:
                if isinstance(part, _Startable):
                    group.create_task(part.started())
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


def _check_profile(profile: str | None) -> None:
    from duologue.emulator.profiles import PROFILES

    if profile is not None and profile not in PROFILES:
        raise ConfigError(f"there is no profile {profile!r}; there are: {', '.join(PROFILES)}")


def _timed(fault: Fault) -> Fault:
    """Hold faults of the constructor to a time: at the opening itself no client has sent its setup."""
    if fault.after_s is None:
        raise ConfigError(
            f"say when the fault {fault.name!r} is to happen on each connection: {fault.name}@30s"
        )
    return fault


def _reachable(host: str) -> str:
    """Return the host part of a URL that reaches ``host`` from this machine."""
    if host in ("", "0.0.0.0"):  # noqa: S104 - compared, not listened on
        return "127.0.0.1"
    if host == "::":
        return "[::1]"
    return f"[{host}]" if ":" in host else host


def _certified_names(host: str) -> tuple[str, ...]:
    return () if host in ("", "0.0.0.0", "::") else (host,)  # noqa: S104 - compared, not listened on

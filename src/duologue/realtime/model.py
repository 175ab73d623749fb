"""A model with its options: makes sessions, owns nothing that a session can change."""

from __future__ import annotations

import logging
import uuid
import weakref
from typing import TYPE_CHECKING, Any

from duologue.checks import check_value
from duologue.config import ModelOptions, RealtimeCapabilities, SessionOptions
from duologue.core.journal import make_session
from duologue.core.session import SessionPlan
from duologue.errors import Unsupported
from duologue.io.address import find_address
from duologue.io.auth import check_account, find_backend
from duologue.io.recorded import RecordedTransport
from duologue.io.ws import WebSocketTransport
from duologue.realtime.options import read_config
from duologue.realtime.session import RealtimeSession
from duologue.tape import recorder_for
from duologue.tools import Registry, Runner
from duologue.wire.overrides import merge_overrides
from duologue.wire.profiles import DEFAULT_MODELS, profile_for
from duologue.wire.setup import build_setup

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Unpack

    from duologue.config import Clock, LiveConfig, Recorder
    from duologue.io.adc import GoogleAccount
    from duologue.io.address import Address
    from duologue.io.transport import Transport
    from duologue.tools import FunctionTool

__all__ = ["RealtimeModel", "connect"]

_log = logging.getLogger("duologue")


class RealtimeModel:
    """Google's Gemini Live model with the options every session of it begins with.

    It does not connect: ``session()`` makes a session, entering that connects. Every session works on
    its own copy of the options.

    Args:
        model: Name of the model; None is the backend's recommended one.
        instructions: The system instruction.
        tools: Functions the model may call: ``@function_tool`` objects or plain functions.
        voice: Name of one of the service's voices.
        language: BCP-47 code; native-audio models choose the language themselves.
        temperature: 0..2; None lets the service choose.
        api_key: A key, or an ephemeral token (``auth_tokens/...``). None looks into ``GOOGLE_API_KEY``, then
            ``GEMINI_API_KEY``.
        vertexai: Whether the model runs on Vertex AI. None looks into ``GOOGLE_GENAI_USE_ENTERPRISE``, then
            ``GOOGLE_GENAI_USE_VERTEXAI``; without either it is the Developer API.
        project: Of Vertex AI. None looks into ``GOOGLE_CLOUD_PROJECT``, then into the credentials.
        location: Of Vertex AI, such as ``us-central1``, ``eu`` or ``global``. None looks into
            ``GOOGLE_CLOUD_LOCATION``; without it, it is ``global``.
        credentials: ``google.auth.credentials.Credentials`` for Vertex AI; None takes the machine's
            (Application Default Credentials). Or an async function that returns a token for each link: an
            ephemeral token of the Developer API, an access token of Vertex AI.
        base_url: Another host, ``http(s)://`` or ``ws(s)://``; None looks into ``GOOGLE_GEMINI_BASE_URL``,
            on Vertex AI into ``GOOGLE_VERTEX_BASE_URL``.
        allow_insecure: Permits an unencrypted link to another host than loopback.
        config: Every other option of the service: a ``LiveConfig``, a mapping of its fields, or google-genai's
            ``LiveConnectConfig``. What the last leaves unset stays unset, transcription included; plain
            functions among its ``tools`` are run.
        options: How this library behaves.

    Raises:
        ConfigError: An option that is none, or that the model's profile does not allow; nothing is sent.

    Example:
        >>> model = RealtimeModel(instructions="Be brief.", api_key="...")
        >>> async with model.session() as session:
        ...     await session.generate_reply("Greet the caller.")
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        instructions: str | None = None,
        tools: Sequence[FunctionTool[..., Any] | Callable[..., Any]] = (),
        voice: str = "Puck",
        language: str | None = None,
        temperature: float | None = None,
        api_key: str | None = None,
        vertexai: bool | None = None,
        project: str | None = None,
        location: str | None = None,
        credentials: object | None = None,
        base_url: str | None = None,
        allow_insecure: bool = False,
        config: LiveConfig | Mapping[str, Any] | object | None = None,
        options: SessionOptions = SessionOptions(),  # noqa: B008 -- frozen
    ) -> None:
        for option, text in (("api_key", api_key), ("base_url", base_url), ("project", project)):
            check_value(option, text, str | None)
        check_value("location", location, str | None)
        check_value("vertexai", vertexai, bool | None)
        check_value("allow_insecure", allow_insecure, bool)
        check_value("options", options, SessionOptions)
        backend, _ = find_backend(vertexai)
        check_account(backend, api_key=api_key, project=project, location=location, credentials=credentials)
        self.model = DEFAULT_MODELS[backend] if model is None else model
        self.profile = profile_for(self.model, backend)
        if not self.profile.known:
            _log.warning("the model %r is not known; it is treated with the safest assumptions", self.model)
        self.label = f"duologue.RealtimeModel({self.model})"
        self.capabilities = RealtimeCapabilities(
            text_response_modality="TEXT" in self.profile.output_modalities
        )
        self._instructions = instructions
        self._config, functions = read_config(config)
        self._registry = Registry([*Registry(tools), *functions])
        self._voice = voice
        self._language = language
        self._temperature = temperature
        self._api_key = api_key
        self._project = project
        self._location = location
        self._credentials = credentials
        self._google: GoogleAccount | None = None
        self._base_url = base_url
        self._allow_insecure = allow_insecure
        if self._config.setup_overrides:
            _log.warning("setup_overrides: %s go out unchecked", ", ".join(self._config.setup_overrides))
        self._options = options
        self._sessions: weakref.WeakSet[RealtimeSession] = weakref.WeakSet()
        self._setup(handle=None, manual=False)  # refuses now what would be refused later

    def __repr__(self) -> str:
        return f"RealtimeModel(model={self.model!r}, profile={self.profile.name!r})"

    def session(
        self,
        *,
        resume: str | None = None,
        session_id: str | None = None,
        turn_detection_disabled: bool = False,
        clock: Clock | None = None,
        transport: Transport | None = None,
        record: str | Path | Recorder | None = None,
    ) -> RealtimeSession:
        """Return a session that is not connected yet.

        Args:
            resume: A resumption handle; the service restores that conversation.
            session_id: Begins every id of the session; None makes one.
            turn_detection_disabled: The application marks the user's speech with
                ``start_user_activity`` and ``end_user_activity``.
            clock: Another time than the event loop's.
            transport: Another way to connect, such as ``duologue.testing.MemoryTransport``.
            record: The path of a tape to be, which is created now; or another recorder. A tape holds what
                is said and heard, and no key or handle.

        Raises:
            ConfigError: No API key (names the variables), a base URL that cannot be used, google-auth is
                needed and missing, or a handle or id that is no text.
            TapeError: The tape is there already or cannot be created.
        """
        check_value("session_id", session_id, str | None)
        manual = turn_detection_disabled or self._options.turn_detection == "manual"
        address = self._address()
        plan = SessionPlan(
            session_id=session_id or uuid.uuid4().hex[:12],
            setup=self._setup(handle=resume, manual=manual, place=address.place),
            profile=self.profile,
            options=self._options,
            tool_response_scheduling=self._config.tool_response_scheduling,
            manual_activity=manual,
        )
        recorder, link = recorder_for(record), transport or WebSocketTransport()
        key = address.account.key
        session = RealtimeSession(
            make_session(plan, recorder, () if key is None else (key.value,)),
            session_id=plan.session_id,
            address=address,
            transport=link if recorder is None else RecordedTransport(link, recorder),
            options=self._options,
            profile=self.profile,
            capabilities=self.capabilities,
            tools=list(self._registry),
            runner=Runner(self._registry, default_timeout_s=self._options.tool_timeout_s),
            clock=clock,
            recorder=recorder,
        )
        self._sessions.add(session)
        return session

    def setup(self) -> Mapping[str, Any]:
        """Return the content of the setup message a session of this model begins with.

        On Vertex AI the model's name has its project only where that needs no credentials.
        ``duologue.tokens.create`` takes it to lock a token to this model's options.
        """
        return self._setup(handle=None, manual=self._options.turn_detection == "manual")

    async def aclose(self) -> None:
        """Close every live session of this model; never raises."""
        for session in list(self._sessions):
            await session.aclose()

    def _address(self) -> Address:
        """Return where one session goes; all sessions of a model share a Google account's tokens."""
        address = find_address(
            self._config,
            backend=self.profile.backend,
            api_key=self._api_key,
            project=self._project,
            location=self._location,
            credentials=self._credentials,
            google=self._google,
            base_url=self._base_url,
            allow_insecure=self._allow_insecure,
            default_version=self.profile.api_version_for(self._config),
        )
        self._google = address.google
        return address

    def _setup(
        self, *, handle: str | None, manual: bool, place: tuple[str, str] | None = None
    ) -> dict[str, Any]:
        if self._options.turn_detection == "local":
            raise Unsupported("turn_detection='local' is not in this version; use 'server' or 'manual'")
        setup = build_setup(
            model=self.model,
            profile=self.profile,
            config=self._config,
            instructions=self._instructions,
            tools=self._registry.declarations(),
            voice=self._voice,
            language=self._language,
            temperature=self._temperature,
            handle=handle,
            manual_activity=manual,
            project=place[0] if place else None,
            location=place[1] if place else None,
        )
        return merge_overrides(setup, self._config.setup_overrides)


def connect(**model_options: Unpack[ModelOptions]) -> RealtimeSession:
    """Return a session of a model with these options: ``RealtimeModel(**options).session()``.

    Example:
        >>> async with connect(instructions="Answer briefly.") as call:
        ...     await call.generate_reply("Greet the caller.")
    """
    return RealtimeModel(**model_options).session()

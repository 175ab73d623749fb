"""A model with its options: makes sessions, owns nothing that a session can change."""

from __future__ import annotations

import logging
import uuid
import weakref
from typing import TYPE_CHECKING, Any

from duologue.checks import check_value
from duologue.config import ModelOptions, RealtimeCapabilities, SessionOptions
from duologue.core.session import Session, SessionPlan
from duologue.errors import Unsupported
from duologue.io.address import find_endpoint
from duologue.io.ws import WebSocketTransport
from duologue.realtime.options import live_config
from duologue.realtime.session import RealtimeSession
from duologue.tools import Registry, Runner
from duologue.wire.overrides import merge_overrides
from duologue.wire.profiles import DEFAULT_MODEL, profile_for
from duologue.wire.setup import build_setup

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Unpack

    from duologue.config import Clock, LiveConfig
    from duologue.io.transport import Transport
    from duologue.tools import FunctionTool

__all__ = ["RealtimeModel", "connect"]

_log = logging.getLogger("duologue")


class RealtimeModel:
    """Google's Gemini Live model with the options every session of it begins with.

    It does not connect: ``session()`` makes a session, entering that connects. Every session works on
    its own copy of the options.

    Args:
        model: Name of the model; None is the profile's recommended one.
        instructions: The system instruction.
        tools: Functions the model may call: ``@function_tool`` objects or plain functions.
        voice: Name of one of the service's voices.
        language: BCP-47 code; native-audio models choose the language themselves.
        temperature: 0..2; None lets the service choose.
        api_key: None looks into ``GOOGLE_API_KEY``, then ``GEMINI_API_KEY``.
        vertexai: Vertex AI; not in this version. None looks into ``GOOGLE_GENAI_USE_ENTERPRISE``, then
            ``GOOGLE_GENAI_USE_VERTEXAI``.
        project: Vertex AI's; not in this version.
        location: Vertex AI's; not in this version.
        credentials: Vertex AI's; not in this version.
        base_url: Another host, ``http(s)://`` or ``ws(s)://``; None looks into ``GOOGLE_GEMINI_BASE_URL``.
        allow_insecure: Permits an unencrypted link to another host than loopback.
        config: Every other option of the service.
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
        _refuse_vertex(vertexai, project, location, credentials)
        self.model = DEFAULT_MODEL if model is None else model
        self.profile = profile_for(self.model)
        if not self.profile.known:
            _log.warning("the model %r is not known; it is treated with the safest assumptions", self.model)
        self.label = f"duologue.RealtimeModel({self.model})"
        self.capabilities = RealtimeCapabilities(
            text_response_modality="TEXT" in self.profile.output_modalities
        )
        self._instructions = instructions
        self._registry = Registry(tools)
        self._voice = voice
        self._language = language
        self._temperature = temperature
        self._api_key = api_key
        self._vertexai = vertexai
        self._base_url = base_url
        self._allow_insecure = allow_insecure
        self._config = live_config(config)
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
    ) -> RealtimeSession:
        """Return a session that is not connected yet.

        Args:
            resume: A resumption handle; the service restores that conversation.
            session_id: Begins every id of the session; None makes one.
            turn_detection_disabled: The application marks the user's speech with
                ``start_user_activity`` and ``end_user_activity``.
            clock: Another time than the event loop's.
            transport: Another way to connect, such as ``duologue.testing.MemoryTransport``.

        Raises:
            ConfigError: No API key (names the variables), a base URL that cannot be used, or a handle or
                id that is no text.
        """
        check_value("session_id", session_id, str | None)
        manual = turn_detection_disabled or self._options.turn_detection == "manual"
        endpoint = find_endpoint(
            self._config,
            api_key=self._api_key,
            base_url=self._base_url,
            allow_insecure=self._allow_insecure,
            vertexai=self._vertexai,
            default_version=self.profile.api_version_for(self._config),
        )
        plan = SessionPlan(
            session_id=session_id or uuid.uuid4().hex[:12],
            setup=self._setup(handle=resume, manual=manual),
            profile=self.profile,
            options=self._options,
            tool_response_scheduling=self._config.tool_response_scheduling,
            manual_activity=manual,
        )
        session = RealtimeSession(
            Session(plan),
            session_id=plan.session_id,
            endpoint=endpoint,
            transport=transport or WebSocketTransport(),
            options=self._options,
            profile=self.profile,
            capabilities=self.capabilities,
            tools=list(self._registry),
            runner=Runner(self._registry, default_timeout_s=self._options.tool_timeout_s),
            clock=clock,
        )
        self._sessions.add(session)
        return session

    async def aclose(self) -> None:
        """Close every live session of this model; never raises."""
        for session in list(self._sessions):
            await session.aclose()

    def _setup(self, *, handle: str | None, manual: bool) -> dict[str, Any]:
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
        )
        return merge_overrides(setup, self._config.setup_overrides)


def _refuse_vertex(
    vertexai: bool | None, project: str | None, location: str | None, credentials: object | None
) -> None:
    if vertexai or project or location or credentials is not None:
        raise Unsupported(
            "Vertex AI (vertexai, project, location, credentials) is not in this version: "
            "leave them unset and give an API key of the Gemini Developer API"
        )


def connect(**model_options: Unpack[ModelOptions]) -> RealtimeSession:
    """Return a session of a model with these options: ``RealtimeModel(**options).session()``.

    Example:
        >>> async with connect(instructions="Answer briefly.") as call:
        ...     await call.generate_reply("Greet the caller.")
    """
    return RealtimeModel(**model_options).session()

"""Gemini Live behind the transport contract, over the same core and driver as ``RealtimeSession``."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from duologue.config import ChatMessage
from duologue.errors import ConfigError, ConnectError
from duologue.io.ws import WebSocketTransport
from duologue.transport.base import CALLBACKS, LLMTransport
from duologue.transport.dispatch import Dispatch, check_callback
from duologue.transport.links import Links
from duologue.transport.replay import (
    as_bytes,
    as_response,
    as_turns,
    file_turn,
    result_turn,
)
from duologue.transport.setup import (
    GeminiTransportConfig,
    capabilities_of,
    merged,
    model_of,
    plan_of,
    profile_of,
    updated,
)
from duologue.transport.values import (
    AudioFormat,
    LLMTransportConfig,
    ReconnectState,
    SessionUpdate,
    ToolCallResult,
    TransportCapabilities,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from duologue.config import Recorder
    from duologue.io.transport import Transport
    from duologue.transport.values import ContentTurn, ResultScheduling, ToolDeclaration

__all__ = ["GeminiLiveTransport"]


class GeminiLiveTransport(LLMTransport):
    """A conversation with Gemini Live for an orchestrator that runs the tools itself.

    One object may connect, disconnect and reconnect many times; each connection is a link of its own.
    It does not reconnect by itself: ``on_go_away`` and ``on_close`` say when to. Beside the contract:

    * Within one message callbacks come in the core's order: cancellations, speech started, interrupted,
      input transcription, output transcription, audio, tool calls, then usage, text done, usage (final)
      and turn complete, and last resumption and goAway. Words precede the sound they belong to.
      A fragment of what was said, sent together with the interruption, precedes ``on_interrupted``;
      sound sent together with it belongs to the silenced answer and is dropped (and counted).
    * ``on_speech_started`` is told of real speech only. A client that interrupts by ``send_content``
      is told ``on_interrupted`` alone, on a model that marks speech itself.
    * ``on_model_turn_start`` may come with a thought; thoughts themselves are not told.
    * In audio mode a text part, which these models do not send, is told as output transcription.
    * ``on_close`` is told once for each connection that was ready, and not for a ``connect`` that raised.
      ``reconnect`` ends the old connection first, so it is told then, too.
    * Text mode with a model that only speaks tells the transcript of what it says, and no sound.
    * Schedules: ``"immediate"`` and ``"interrupt"`` are the wire's INTERRUPT, since the wire has nothing
      else that makes the model turn to a result at once; they count for NON_BLOCKING functions only.

    Args:
        config: How to connect.
        callbacks: An object or a mapping with callbacks under their older names (``on_setup_complete``,
            ``on_tool_call_cancellation``, ...), told before the attributes of this object; its
            ``on_error`` gets the bare exception.
        transport: Another way to open links, such as ``duologue.io.memory.MemoryTransport``.
        record: Called for each connection; returns what records it, such as a ``TapeRecorder`` for a path
            of its own.

    Raises:
        ConfigError: An option that is none, or that the model's profile does not allow.

    Example:
        >>> link = GeminiLiveTransport(GeminiTransportConfig(system_instruction="Be brief."))
        >>> link.on_audio_output = speaker.write
        >>> await link.connect()
        >>> link.trigger_generation("Greet the caller.")
    """

    def __init__(
        self,
        config: GeminiTransportConfig,
        callbacks: object | Mapping[str, object] | None = None,
        *,
        transport: Transport | None = None,
        record: Callable[[], Recorder] | None = None,
    ) -> None:
        self._config = config
        self._capabilities = capabilities_of(profile_of(config))
        self._dispatch = Dispatch(self, callbacks)
        self._links = Links(
            transport or WebSocketTransport(), self._dispatch.fire, config.resumption_handle, record
        )
        self._sound_unsent_bytes = 0
        self._adopt(config)

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute; a callback must be a plain function."""
        if name in CALLBACKS:
            check_callback(name, value)
        super().__setattr__(name, value)

    # -- what it is ---------------------------------------------------------------------------

    @property
    def capabilities(self) -> TransportCapabilities:
        """What it can do: fixed by the constructor's model."""
        return self._capabilities

    @property
    def audio_format(self) -> AudioFormat:
        """16 kHz up, 24 kHz down."""
        return AudioFormat()

    @property
    def is_connected(self) -> bool:
        """Whether commands and sound reach the model: from setupComplete to the end, whoever ends it."""
        return self._links.is_live

    @property
    def counters(self) -> Mapping[str, int]:
        """What was dropped, discarded or ignored, by name; of the newest connection."""
        current = self._links.current
        counters = dict(current.driver.counters) if current is not None else {}
        if self._sound_unsent_bytes:
            counters["sound_without_connection_bytes"] = self._sound_unsent_bytes
        return counters

    # -- connections --------------------------------------------------------------------------

    async def connect(self, config: LLMTransportConfig | None = None) -> None:
        """Begin a new conversation; return once setupComplete has arrived.

        The constructor's ``resumption_handle`` is used until it has worked or was refused. Cancelling gives
        the attempt up and closes the socket.

        Args:
            config: What to change before; stays in force.

        Raises:
            ConfigError: It is connected already, or ``config`` asks for what cannot be; nothing changed.
            ConnectError: Why there is no connection, at once when the service closes during setup.
        """
        self._links.require_free()
        if config is not None:
            self._adopt(merged(self._config, config))
        await self._links.begin(self._config)

    async def disconnect(self) -> None:
        """End the connection: what was accepted is written, then the link is closed. Idempotent."""
        await self._links.end()

    async def reconnect(self, state: ReconnectState | str | None = None) -> None:
        """Go on with the conversation over a new link; the old one is closed first.

        With a usable handle the service restores the conversation and ``conversation_history`` is not
        sent again: what was said after that handle was issued is lost to it. Without one, or when the
        service refuses it, the history is told again, calls and results as text. Results of
        ``pending_tool_calls`` that are completed are told as text in either case; a result that comes later
        for a call of an earlier link is told as text by ``send_tool_result``. Not honoured: the service
        keeps no call open across links, so the model may ask again under a new id.

        Args:
            state: What the orchestrator knows, or a handle to restore.

        Raises:
            ConnectError: Why there is no connection, also when ``reconnect_timeout_ms`` is over.
        """
        if isinstance(state, str):
            self._links.resume_from(state)
            state = None
        limit_ms = self._config.reconnect_timeout_ms
        try:
            async with asyncio.timeout(limit_ms / 1000):
                await self._links.go_on(self._config, state or ReconnectState())
        except TimeoutError:
            msg = f"reconnecting took longer than reconnect_timeout_ms ({limit_ms} ms)"
            raise ConnectError(msg, phase="connect", retryable=True) from None

    async def transfer_session(self, update: SessionUpdate, state: ReconnectState | None = None) -> None:
        """Go on as another agent: store ``update``, end the link, connect anew.

        With a conversation history in ``state`` the new agent gets exactly that; without, the newest handle
        restores the conversation. ``connect_timeout_ms`` limits it.

        Raises:
            ConfigError: ``update`` asks for what cannot be; nothing changed.
            ConnectError: Why there is no connection.
        """
        self.update_session(update)
        if state is not None and state.conversation_history:
            self._links.resume_from(None)
        await self._links.go_on(self._config, state or ReconnectState())

    # -- sound --------------------------------------------------------------------------------

    def send_audio(self, data: bytes | bytearray | memoryview | str) -> None:
        """Hand over the user's sound; never blocks. Without a connection it is dropped and counted.

        While connecting, and while the service waits for a tool's result, sound is kept, by the bounds
        of ``SessionOptions``.

        Args:
            data: s16le mono 16 kHz samples of any length, or those as base64 text.

        Raises:
            ConfigError: Half a sample, or text that is not base64.
        """
        pcm = as_bytes(data)
        size_bytes = pcm.nbytes if isinstance(pcm, memoryview) else len(pcm)
        if size_bytes % 2:
            raise ConfigError(f"send_audio: {size_bytes} bytes end in half a sample; samples have two bytes")
        connection = self._links.current
        if connection is None or connection.over:
            self._sound_unsent_bytes += size_bytes
            return
        rate_hz = self.audio_format.input_sample_rate
        connection.driver.command(lambda now: connection.core.push_audio(bytes(pcm), rate_hz, now))

    def commit_audio(self) -> None:
        """Say that the sound pauses here (``audioStreamEnd``); nothing without a connection."""
        if self.is_connected:
            connection = self._links.live("commit_audio")
            connection.command(connection.core.commit_audio)

    def clear_audio(self) -> None:
        """Drop the user's sound that is not on the wire yet."""
        if self._links.current is not None:
            self._links.current.driver.clear_audio()

    # -- content ------------------------------------------------------------------------------

    def send_content(self, turns: Sequence[ContentTurn], *, turn_complete: bool = True) -> None:
        """Append turns; with ``turn_complete`` the model answers. It interrupts a running answer.

        Raises:
            SessionClosed: There is no connection.
            QueueFull: Too much waits to be written.
        """
        messages = [ChatMessage("model" if t.role == "assistant" else "user", t.text) for t in turns]
        self._links.live("send_content").send_messages(messages, turn_complete=turn_complete)

    def send_client_content(self, turns: Sequence[Mapping[str, Any]], *, turn_complete: bool = True) -> None:
        """Append turns as on the wire (``{"role": ..., "parts": [...]}``).

        Raises:
            SessionClosed: There is no connection.
            ConfigError: A field that the wire does not have.
        """
        self._links.live("send_client_content").send_turns(as_turns(turns), turn_complete=turn_complete)

    def send_file(self, data: bytes | str, mime_type: str) -> None:
        """Show the model a file as a user turn, without asking for an answer.

        Args:
            data: Its bytes, or base64 text.
            mime_type: For example ``"image/png"``.

        Raises:
            SessionClosed: There is no connection.
            ConfigError: No type, or text that is not base64.
        """
        turn = file_turn(data, mime_type)
        self._links.live("send_file").send_turns([turn], turn_complete=False)

    def trigger_generation(self, instructions: str | None = None) -> None:
        """Ensure a reply: ask for one, unless one is running or due.

        Due is: asked for or spoken for within the last 10 s, the user is speaking, or a call waits for
        its result. Speech and answers of which nothing more was heard for 60 s count as over. A reply that
        does not begin is told to ``on_error``.

        Raises:
            SessionClosed: There is no connection.
        """
        self._links.live("trigger_generation").ask_for_reply(instructions)

    # -- tools --------------------------------------------------------------------------------

    def send_tool_result(self, result: ToolCallResult) -> None:
        """Answer a tool call; once the call has ended it is counted and not sent.

        A call of an earlier link cannot be answered as such: its result is told as text, and unless it
        is ``"silent"`` the model answers.

        Raises:
            SessionClosed: There is no connection.
            ConfigError: No such call, or a result that JSON cannot hold; the call stays open.
        """
        connection = self._links.live("send_tool_result")
        name = self._links.earlier_calls.name_of(result.id)
        if name is not None:
            turn = result_turn(name, result.result)
            connection.tell([turn], turn_complete=result.scheduling != "silent")
            self._links.earlier_calls.forget(result.id)
            return
        connection.answer(result.id, as_response(result.result), result.scheduling)

    def send_tool_response(
        self, responses: Sequence[Mapping[str, Any]], scheduling: ResultScheduling | None = None
    ) -> None:
        """Answer calls as on the wire: ``{"id": ..., "name": ..., "response": {...}}`` each."""
        connection = self._links.live("send_tool_response")
        for given in responses:
            connection.answer(str(given.get("id", "")), as_response(given.get("response")), scheduling)

    # -- options ------------------------------------------------------------------------------

    def update_session(self, update: SessionUpdate) -> None:
        """Store what the next link begins with.

        Raises:
            ConfigError: It asks for what cannot be; nothing changed.
        """
        self._adopt(updated(self._config, update))

    def update_tools(self, tools: Sequence[ToolDeclaration]) -> None:
        """Store the next link's functions."""
        self._adopt(replace(self._config, tools=tuple(tools)))

    def update_system_instruction(self, instruction: str) -> None:
        """Store the next link's instructions."""
        self._adopt(replace(self._config, system_instruction=instruction))

    def update_google_search(self, enabled: bool) -> None:
        """Store whether the model may search from the next link on."""
        self._adopt(replace(self._config, google_search=enabled))

    # -- inside -------------------------------------------------------------------------------

    def _adopt(self, config: GeminiTransportConfig) -> None:
        """Take options, or refuse them before anything has changed."""
        wanted = capabilities_of(profile_of(config))
        if wanted != self._capabilities:
            raise ConfigError(
                f"the model {model_of(config)!r} would change what this transport can do, which was fixed by "
                f"{model_of(self._config)!r}: make another transport for it"
            )
        plan_of(config, session_id="", handle=None)
        self._config = config

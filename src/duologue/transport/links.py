"""The links of one transport, one after another, and what outlives each: the handle, calls left open."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from duologue.errors import ConfigError, ConnectError, SessionClosed
from duologue.transport.connection import Connection, KeptHandle
from duologue.transport.replay import EarlierCalls, replay_turns, result_turn
from duologue.wire.close import classify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from duologue.config import Recorder
    from duologue.io.adc import GoogleAccount
    from duologue.io.transport import Transport
    from duologue.transport.setup import GeminiTransportConfig
    from duologue.transport.values import PendingToolCall, ReconnectState, ReplayItem

__all__ = ["Links"]

_log = logging.getLogger("duologue.transport")


class Links:
    """Makes one connection at a time, and carries the conversation from one to the next.

    Args:
        transport: Opens links.
        fire: Calls a callback by its name.
        first_handle: What the first conversation is restored from.
        record: Makes a recorder for each connection; None records nothing.
    """

    def __init__(
        self,
        transport: Transport,
        fire: Callable[..., None],
        first_handle: str | None,
        record: Callable[[], Recorder] | None = None,
    ) -> None:
        self._transport = transport
        self._fire = fire
        self._record = record
        self._first_handle = KeptHandle(first_handle) if first_handle else None
        self._handle = self._first_handle
        self._paid: tuple[object, GoogleAccount] | None = None
        """Credentials and the account made of them, as long as they are the same."""
        self.earlier_calls = EarlierCalls()
        self.current: Connection | None = None

    @property
    def is_live(self) -> bool:
        """Whether the current connection runs."""
        return self.current is not None and self.current.core.is_live

    def live(self, command: str) -> Connection:
        """Return the running connection.

        Raises:
            SessionClosed: There is none.
        """
        if self.current is None or not self.current.core.is_live:
            raise SessionClosed(f"{command}: there is no connection; call connect() first")
        return self.current

    def require_free(self) -> None:
        """Refuse to go on while a connection lives or is being made.

        Raises:
            ConfigError: It does.
        """
        if self.current is not None and not self.current.over:
            raise ConfigError("it is connected already; use reconnect(), or disconnect() first")

    def resume_from(self, handle: str | None) -> None:
        """Set what the next link restores; None forgets the handle."""
        self._handle = KeptHandle(handle) if handle else None

    async def begin(self, config: GeminiTransportConfig) -> None:
        """Begin a new conversation, or the one of the first handle until that has worked or was refused."""
        await self.end()  # the link of a connection that the service ended may still be closing
        self._handle = self._first_handle
        self.earlier_calls.clear()
        try:
            await self._open(config, self._first_handle)
        except ConnectError as error:
            if _refuses_handle(error):
                self._first_handle = None
            raise
        self._first_handle = None

    async def end(self) -> None:
        """End the current connection and wait until its socket is closed."""
        connection = self.current
        if connection is None:
            return
        try:
            await connection.driver.stop()
        finally:
            if self.current is connection:
                self.current = None

    async def go_on(self, config: GeminiTransportConfig, state: ReconnectState) -> None:
        """Carry the conversation over to a new link: by the handle, else by telling the history again."""
        await self.end()
        handle = self._handle
        if handle is not None and state.conversation_history and not handle.holds_conversation:
            handle = None
        try:
            await self._open(config, handle)
        except ConnectError as error:
            if handle is None or not _refuses_handle(error):
                raise
            _log.warning("the service refused the resumption handle; the history is told again")
            handle = self._handle = None
            await self._open(config, None)
        self._tell_again(() if handle else state.conversation_history, state.pending_tool_calls)

    async def _open(self, config: GeminiTransportConfig, handle: KeptHandle | None) -> None:
        self.require_free()  # somebody else may have connected while the old link was closing
        paid = self._paid
        connection = self.current = Connection(
            config,
            handle,
            self._transport,
            fire=self._fire,
            keep_handle=self._keep_handle,
            keep_call=self.earlier_calls.keep,
            recorder=self._record() if self._record is not None else None,
            google=paid[1] if paid is not None and paid[0] is config.credentials else None,
        )
        self._paid = None if connection.google is None else (config.credentials, connection.google)
        try:
            await connection.open()
        except BaseException:
            if self.current is connection:
                self.current = None
            raise

    def _tell_again(self, history: Sequence[ReplayItem], pending: Sequence[PendingToolCall]) -> None:
        turns = replay_turns(history)
        for call in pending:
            if call.status == "completed":
                turns.append(result_turn(call.name, call.result))
                self.earlier_calls.forget(call.id)
            else:
                self.earlier_calls.keep(call.id, call.name)
        if turns:
            self.live("reconnect").tell(turns, turn_complete=False)

    def _keep_handle(self, handle: KeptHandle) -> None:
        self._handle = handle


def _refuses_handle(error: ConnectError) -> bool:
    verdict = classify(error.number, error.reason, phase=error.phase, handle_used=True)
    return verdict.retry and not verdict.keep_handle

"""One connection's server side, as a value: the link and its first message.

Read this to see what a frame, an answer or the passing of time leads to. It is fed with frames, answers
and ``now`` and drained of frames, asks and a close; it never sleeps, reads a clock or does I/O, so the
same machine serves sockets and virtual time. What happens after the setup is in ``dialogue``.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING

from duologue.emulator.asks import Ask, Close, Told
from duologue.emulator.profiles import PROFILES, EmulatedProfile, profile_for_model
from duologue.emulator.rules import validation
from duologue.emulator.rules.askbook import AskBook
from duologue.emulator.rules.dialogue import Dialogue
from duologue.emulator.rules.outlet import Outlet
from duologue.emulator.rules.service import Service, Snapshot
from duologue.errors import ConfigError, ProtocolError
from duologue.wire.codec import ClientDecoder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from duologue.emulator.protocols import Detector
    from duologue.wire.client import ClientMessage, Setup

__all__ = ["LINK_TRANSITIONS", "LinkPhase", "ServerRules"]


class LinkPhase(Enum):
    """Where the link is."""

    NEW = "new"
    SETUP = "setup"
    """Open; the first message is awaited."""
    READY = "ready"
    DRAINING = "draining"
    """goAway has been sent."""
    CLOSED = "closed"


LINK_TRANSITIONS: Mapping[LinkPhase, frozenset[LinkPhase]] = {
    LinkPhase.NEW: frozenset({LinkPhase.SETUP, LinkPhase.CLOSED}),
    LinkPhase.SETUP: frozenset({LinkPhase.READY, LinkPhase.CLOSED}),
    LinkPhase.READY: frozenset({LinkPhase.DRAINING, LinkPhase.CLOSED}),
    LinkPhase.DRAINING: frozenset({LinkPhase.CLOSED}),
    LinkPhase.CLOSED: frozenset(),
}
"""Where a link may go from where."""


class ServerRules:
    """Hold one connection's server side: feed it frames, answers and the time; drain frames, asks, a close.

    Does no I/O and knows no clock. Feed it in the order of time; drain ``to_send``, ``asks`` and ``close``
    after each call, and call ``handle_timeout`` at ``next_deadline``. Not thread-safe.

    Args:
        service: Shared by all connections of one emulator.
        make_detector: Makes a fresh detector for this connection alone; called when its first sound comes.
            A detector that has ``release()`` is released at the connection's end.
        profile: A row's name to force; None follows ``setup.model``.

    Raises:
        ConfigError: There is no such profile.
    """

    def __init__(
        self, service: Service, *, make_detector: Callable[[], Detector], profile: str | None = None
    ) -> None:
        if profile is not None and profile not in PROFILES:
            known = ", ".join(PROFILES)
            raise ConfigError(f"there is no emulator profile {profile!r}; there are {known}")
        self.session_id = service.next_session_id()
        self.phase = LinkPhase.NEW
        self._service = service
        self._make_detector = make_detector
        self._forced = PROFILES[profile] if profile is not None else None
        self._decoder = ClientDecoder()
        self._asks = AskBook(service.ask_limit_s)
        self._outlet: Outlet | None = None
        self._dialogue: Dialogue | None = None
        self._close: Close | None = None
        self._api_version = "v1beta"
        self._conversation: str | None = None
        self._ends_at = math.inf

    def link_opened(self, now: float, *, api_version: str = "v1beta") -> None:
        """Start the connection's life.

        Args:
            now: Seconds on any clock that is not set back; the same for all connections of a service.
            api_version: From the request's path; some fields exist in v1alpha only.
        """
        self._api_version = api_version
        self._ends_at = now + self._service.connection_lifetime_s / self._service.time_scale
        self._to(LinkPhase.SETUP)

    def receive(self, frame: bytes | str, now: float) -> None:
        """Take a frame from the client. Never raises on its content: what is wrong becomes a close."""
        self.handle_timeout(now)
        if self.phase is LinkPhase.CLOSED:
            return
        self._decoder.unknown.clear()
        try:
            messages = self._decoder.decode(frame)
        except (ProtocolError, RecursionError, ValueError) as error:
            self._end(validation.bad_json(str(error)), now)
            return
        refused = next(
            filter(None, (validation.check_shape(one, self._decoder.unknown) for one in messages)), None
        )
        for message in messages:
            refused = refused or self._take(message, frame, now) or self._exhausted()
            if refused:
                self._end(refused, now)
                return

    def told(self, answer: Told, now: float) -> None:
        """Take the answer to an ask; late and cancelled ones are passed over."""
        self.handle_timeout(now)
        if self._dialogue is not None and self.phase is not LinkPhase.CLOSED:
            self._end_if(self._dialogue.told(answer, now), now)

    def handle_timeout(self, now: float) -> None:
        """Do whatever has fallen due by ``now``; harmless when nothing has."""
        if self.phase in (LinkPhase.NEW, LinkPhase.CLOSED):
            return
        if now >= self._ends_at:
            self._end(validation.ABORTED, now)
            return
        if self.phase is LinkPhase.READY and now >= self._go_away_at():
            self._to(LinkPhase.DRAINING)
            if self._outlet is not None:
                self._outlet.go_away(round(self._ends_at - now, 3))
        if self._dialogue is not None:
            self._end_if(self._dialogue.advance(now), now)

    def link_lost(self, now: float) -> None:
        """The socket is gone, whoever closed it: stop everything, keep the handles."""
        if self.phase is not LinkPhase.CLOSED:
            self._stop(now)

    def to_send(self) -> list[bytes]:
        """Return, once, the JSON frames to be sent as binary messages, in order."""
        return self._outlet.drain() if self._outlet is not None else []

    def asks(self) -> list[Ask]:
        """Return, once, what the parts are asked."""
        return self._asks.drain()

    def close(self) -> Close | None:
        """Return how the socket is to be closed, after ``to_send`` has been sent; None while it is not."""
        return self._close

    def next_deadline(self) -> float | None:
        """Return when ``handle_timeout`` has something to do; None when only input leads on."""
        if self.phase in (LinkPhase.NEW, LinkPhase.CLOSED):
            return None
        deadlines = [self._ends_at]
        if self.phase is LinkPhase.READY:
            deadlines.append(self._go_away_at())
        own = self._dialogue.next_deadline() if self._dialogue is not None else None
        return min([*deadlines, own] if own is not None else deadlines)

    def _take(self, message: ClientMessage, frame: bytes | str, now: float) -> Close | None:
        dialogue = self._dialogue
        if dialogue is None or message.setup is not None:
            if dialogue is not None or message.setup is None:
                return validation.SETUP_FIRST
            return self._set_up(message.setup, frame, now)
        if message.realtime_input is not None:
            return dialogue.realtime(message.realtime_input, now)
        if message.client_content is not None:
            return dialogue.client_content(message.client_content, now)
        if message.tool_response is not None:
            return dialogue.tool_response(message.tool_response, now)
        if message.context_update is not None:
            return dialogue.context_update(message.context_update)
        return validation.INVALID_ARGUMENT

    def _set_up(self, setup: Setup, frame: bytes | str, now: float) -> Close | None:
        profile = self._forced or profile_for_model(setup.model)
        if profile is None:
            return validation.unknown_model(setup.model, self._api_version)
        state = self._check(setup, profile, frame, now)
        if isinstance(state, Close):
            return state
        self._conversation = state.conversation
        self._service.conversation_opened(state.conversation, self.session_id)
        if setup.context_window_compression is None:
            limit_s = self._service.session_limit_s / self._service.time_scale
            self._ends_at = min(self._ends_at, state.began_at + limit_s)
        self._outlet = Outlet(profile)
        self._dialogue = Dialogue(
            setup,
            profile=profile,
            service=self._service,
            make_detector=self._make_detector,
            outlet=self._outlet,
            asks=self._asks,
            state=state,
        )
        if self._dialogue.is_exhausted:
            return validation.INVALID_ARGUMENT
        self._to(LinkPhase.READY)
        self._outlet.setup_complete()
        self._dialogue.opened()
        return None

    def _check(
        self, setup: Setup, profile: EmulatedProfile, frame: bytes | str, now: float
    ) -> Snapshot | Close:
        """Return the state this link starts from, or its refusal."""
        refused = validation.check_setup(setup, profile, frame, self._api_version)
        if refused:
            return refused
        model = setup.model.rpartition("/")[2]
        handle = setup.session_resumption.handle if setup.session_resumption is not None else None
        if handle:
            return self._service.redeem(handle, profile.handle_form, model, now)
        return Snapshot(self.session_id, model, (), audio_in_s=0.0, audio_out_s=0.0, began_at=now)

    def _go_away_at(self) -> float:
        return self._ends_at - self._service.go_away_lead_s / self._service.time_scale

    def _exhausted(self) -> Close | None:
        """Return the close of a conversation that has outgrown its context, as the service words it."""
        exhausted = self._dialogue is not None and self._dialogue.is_exhausted
        return validation.INVALID_ARGUMENT if exhausted else None

    def _end_if(self, refused: Close | None, now: float) -> None:
        refused = refused or self._exhausted()
        if refused is not None:
            self._end(refused, now)

    def _end(self, close: Close, now: float) -> None:
        self._close = close
        self._stop(now)

    def _stop(self, now: float) -> None:
        self._to(LinkPhase.CLOSED)
        self._asks.cancel_all()
        if self._dialogue is not None:
            self._dialogue.ended()
        if self._conversation is not None:
            self._service.conversation_closed(self._conversation, self.session_id, now)

    def _to(self, phase: LinkPhase) -> None:
        assert phase in LINK_TRANSITIONS[self.phase], (self.phase, phase)
        self.phase = phase

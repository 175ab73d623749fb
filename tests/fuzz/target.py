"""One input through everything that reads a stranger's bytes, and what must hold whatever they are.

:class:`Target` is what the seeded test and the coverage-guided one have in common. An input may be
refused by a :class:`ProtocolError` from a decoder or from ``Session.receive``, or by the emulator's
closing its link. Everything else that is raised is a finding; so is an input that takes long, a count of
unknown fields without bound, and a message that came in and cannot be written again.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import msgspec
from tests.core.invariants import Watched
from tests.fuzz.parts import answers, loud

from duologue.core.session import SessionPlan
from duologue.emulator.profiles import PROFILES as EMULATED
from duologue.emulator.rules import LinkPhase, ServerRules, Service
from duologue.errors import ProtocolError
from duologue.wire.client import ClientMessage
from duologue.wire.codec import ClientDecoder, ServerDecoder, encode
from duologue.wire.profiles import PROFILES
from duologue.wire.server import ServerMessage

if TYPE_CHECKING:
    from duologue.wire.content import Struct

__all__ = ["FindingError", "Target"]

_UNKNOWN_NAMES = 256
_UNKNOWN_CHARACTERS = 200
_BETWEEN_INPUTS_S = 0.4
_TRANSCRIBED: dict[str, dict[str, str]] = {"inputAudioTranscription": {}, "outputAudioTranscription": {}}
_SILENCE, _NOTHING = ServerMessage(), ClientMessage()
_READY = ServerDecoder().decode(b'{"setupComplete":{}}')[0]
_STRICT: dict[type[Struct], msgspec.json.Decoder[Any]] = {
    cls: msgspec.json.Decoder(cls) for cls in (ServerMessage, ClientMessage)
}


class FindingError(AssertionError):
    """Something that must hold did not."""


def require(holds: bool, what: str) -> None:
    """Raise a finding unless ``holds``."""
    if not holds:
        raise FindingError(what)


class Target:
    """A session and an emulated link that live through some inputs.

    Args:
        number: Chooses profiles and the state to begin in; the same number behaves the same.
    """

    def __init__(self, number: int = 0) -> None:
        self._now = 0.0
        self._fed = number
        self._server, self._client = ServerDecoder(), ClientDecoder()
        self._reader = ServerDecoder()
        self._watched = self._begin(number)
        self._profile = sorted(EMULATED)[number % len(EMULATED)]
        self._service = Service(id_prefix="fuzz")
        model = "publishers/google/models/m" if self._profile.startswith("vertex") else "models/m"
        self._setup = encode({"setup": {"model": model, "sessionResumption": {}, **_TRANSCRIBED}})
        self._rules = self._dial(self._setup)

    def feed(self, frame: bytes | str) -> None:
        """Take one input, as a service's frame and as a client's."""
        self._now += _BETWEEN_INPUTS_S
        self._fed += 1
        now_and_then = self._fed % 16 == 0  # is enough for what certainly says nothing to either side
        for message in self._decoded(self._server, frame):
            if message != _SILENCE or now_and_then:
                self._do("receive", message)
        self._act()
        messages = self._decoded(self._client, frame)
        if any(message != _NOTHING for message in messages) or now_and_then:
            self._serve(frame, opens=bool(messages) and messages[0].setup is not None)

    def end(self) -> None:
        """End both sides; nothing may be left waiting."""
        for decoder in (self._server, self._client):
            longest = max(map(len, decoder.unknown), default=0)
            require(longest <= _UNKNOWN_CHARACTERS, f"a name of {longest} characters is kept")
        self._do("close")
        session = self._watched.session
        require(not session.open_calls, "an open call after the end")
        require(session.next_deadline() is None, "a deadline after the end")
        self._rules.link_lost(self._now)
        require(self._rules.next_deadline() is None, "a deadline after the link")

    # -- decoding -----------------------------------------------------------------------------

    @staticmethod
    def _decoded(decoder: ServerDecoder | ClientDecoder, frame: bytes | str) -> list[Any]:
        try:
            messages = decoder.decode(frame)
        except ProtocolError:
            return []
        require(len(decoder.unknown) <= _UNKNOWN_NAMES, "the names of unknown fields have no bound")
        for message in messages:
            again = _STRICT[type(message)].decode(encode(message))
            require(again == message, "a message is another one after it was written and read")
        return list(messages)

    # -- the session --------------------------------------------------------------------------

    def _begin(self, number: int) -> Watched:
        names = sorted(PROFILES)
        plan = SessionPlan(
            session_id="fuzz",
            setup={"model": "models/m"},
            profile=PROFILES[names[number % len(names)]],
            manual_activity=number % 5 == 0,
        )
        watched = Watched(plan)
        watched.do("connect", self._now)
        watched.do("link_opened", self._now)
        if number % 7:  # else it still waits for setupComplete
            watched.do("receive", _READY, self._now)
        return watched

    def _do(self, name: str, *arguments: Any) -> None:
        with contextlib.suppress(ProtocolError):
            self._watched.do(name, *arguments, self._now)

    def _act(self) -> None:
        """Do now and then what an application does."""
        session = self._watched.session
        if self._fed % 4 == 0:
            self._do("handle_timeout")
            self._watched.deadline_is_right(self._now)
        if session.is_live and self._fed % 5 == 0:
            for call in session.open_calls[:2]:
                self._do("tool_result", call.call_id, {"output": self._fed})
        if self._fed % 23 == 0:
            self._do("interrupt")
        if session.is_live and self._fed % 29 == 0:
            self._do("generate_reply", None, 5.0)

    # -- the emulated link --------------------------------------------------------------------

    def _dial(self, setup: bytes | str) -> ServerRules:
        rules = ServerRules(self._service, make_detector=loud, profile=self._profile)
        rules.link_opened(self._now)
        rules.receive(setup, self._now)
        return rules

    def _serve(self, frame: bytes | str, *, opens: bool) -> None:
        """Give the emulator a frame: as the first of a new link, or of the one that there is."""
        if opens and self._fed % 4:
            self._rules.link_lost(self._now)
            self._rules = self._dial(frame)
        else:
            if self._rules.phase is LinkPhase.CLOSED:
                self._rules = self._dial(self._setup)
                require(self._rules.close() is None, "the emulator refuses a plain setup")
            self._rules.receive(frame, self._now)
        self._follow(self._rules)

    def _follow(self, rules: ServerRules) -> None:
        """Answer what the emulator asks, and read what it says."""
        for told in answers(rules.asks(), self._fed):
            rules.told(told, self._now)
        for frame in rules.to_send():
            self._reader.decode(frame)
        require(not self._reader.unknown, f"the emulator sent unknown fields: {self._reader.unknown}")
        deadline = rules.next_deadline()
        require(deadline is None or deadline > self._now, "the emulator left a deadline that has passed")
        close = rules.close()
        if close is not None:
            require(1000 <= close.code < 5000, f"a close code {close.code}")
            close.reason.encode()
            require(rules.phase is LinkPhase.CLOSED, "a close of a link that goes on")

"""Every exception of duologue, in one tree.

Read this first when something was raised at you::

    DuologueError                      code, reason, phase, retryable
    ├── ConfigError                    what was asked for cannot be sent (also a ValueError)
    │   ├── Unsupported                the model's profile has no such thing
    │   └── TapeError                  a tape that cannot be read, written or replayed
    ├── ConnectError                   the link could not be made; raised from ``async with``
    │   ├── AuthError                  key, token or credentials were refused
    │   └── SetupTimeout               the service accepted the link and never said setupComplete
    ├── LinkLost                       the link ended; code and reason as the peer gave them
    ├── SessionClosed                  a command after the end of the session
    ├── ReplyError                     generate_reply() did not lead to a generation
    │   ├── ReplySuperseded            a newer generate_reply() took its place
    │   ├── ReplyAborted               the link or the session ended first
    │   └── ReplyTimeout               the model did not start in time
    ├── QueueFull                      a bounded queue that must not drop is full
    ├── SlowConsumer                   a subscriber let its control queue fill up
    ├── ProtocolError                  the peer sent what cannot be understood
    ├── AudioError                     a file or device that cannot be used as sound
    └── ToolError                      raised by a tool: its text is what the model is told

Two channels: connecting raises, later ends arrive as the event ``SessionEnded``.
"""

from __future__ import annotations

from typing import Literal

__all__ = [
    "AudioError",
    "AuthError",
    "ConfigError",
    "ConnectError",
    "DuologueError",
    "LinkLost",
    "Phase",
    "ProtocolError",
    "QueueFull",
    "ReplyAborted",
    "ReplyError",
    "ReplySuperseded",
    "ReplyTimeout",
    "SessionClosed",
    "SetupTimeout",
    "SlowConsumer",
    "TapeError",
    "ToolError",
    "Unsupported",
]

Phase = Literal["config", "connect", "tls", "upgrade", "setup", "ready", "closing", "closed", "tool", "audio"]


class DuologueError(Exception):
    """The root of every error this package raises.

    Args:
        message: One sentence: what was wrong, where, and what to do about it. Never holds a secret.
        code: WebSocket close code or HTTP status when there was one; a word where one tells more, such as
            ``"odd_audio"`` (Q-odd-audio); else None.
        reason: The peer's own words (at most 123 bytes on the wire), else "".
        phase: Where in the life of a session it happened.
        retryable: Whether the same call may succeed later without a change.
    """

    phase: Phase
    _default_phase: Phase = "ready"
    _default_retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        code: int | str | None = None,
        reason: str = "",
        phase: Phase | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.phase = phase if phase is not None else self._default_phase
        self.retryable = retryable if retryable is not None else self._default_retryable

    @property
    def number(self) -> int | None:
        """``code`` where it is a number: a close code or an HTTP status."""
        return self.code if isinstance(self.code, int) else None


class ConfigError(DuologueError, ValueError):
    """An option, argument or file says something that cannot be carried out."""

    _default_phase: Phase = "config"


class Unsupported(ConfigError):
    """The model's profile does not have what was asked for; the message says what it has."""


class TapeError(ConfigError):
    """A file is no tape, or one that cannot be read, written or replayed; names the file and the line."""


class ConnectError(DuologueError, ConnectionError):
    """The link could not be made: address, TLS, upgrade, or a close before setupComplete."""

    _default_phase: Phase = "connect"


class AuthError(ConnectError):
    """The service refused the API key, token or credentials (which are never printed)."""

    _default_phase: Phase = "setup"


class SetupTimeout(ConnectError):
    """The link is up but setupComplete did not come within ``setup_timeout_s``."""

    _default_phase: Phase = "setup"
    _default_retryable = True


class LinkLost(DuologueError, ConnectionError):
    """The link ended: by a close frame, a reset, or silence.

    ``code`` is the close code the peer sent, 1005 when its close frame had none, 1006 when no close
    frame came at all, whatever the WebSocket library beneath calls it.
    """

    _default_retryable = True


class SessionClosed(DuologueError):
    """A command was given after the session had ended."""

    _default_phase: Phase = "closed"


class ReplyError(DuologueError):
    """``generate_reply`` was accepted but led to no generation."""


class ReplySuperseded(ReplyError):
    """A newer ``generate_reply`` took the place of this one."""


class ReplyAborted(ReplyError):
    """The session or its link ended before the model began."""


class ReplyTimeout(ReplyError, TimeoutError):
    """The model did not begin within ``timeout_s``."""

    _default_retryable = True


class QueueFull(DuologueError):
    """A bounded queue whose content must not be dropped (text, tool results) is full."""

    _default_retryable = True


class SlowConsumer(DuologueError):
    """This subscriber read too slowly: its control queue (4,096 events) overflowed."""


class ProtocolError(DuologueError):
    """The peer sent a frame that is not what the protocol allows."""


class AudioError(DuologueError, ValueError):
    """A sound file or device cannot be used; the message names it and says what it holds."""

    _default_phase: Phase = "audio"


class ToolError(DuologueError):
    """Raise this inside a tool: its text, and only its text, reaches the model."""

    _default_phase: Phase = "tool"

    def __init__(self, message: str) -> None:
        super().__init__(message)

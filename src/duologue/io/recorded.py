"""A transport under a recorder: it learns the secrets of every endpoint before the link is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from duologue.config import Recorder, SessionOptions
    from duologue.io.transport import Transport, TransportLink
    from duologue.wire.endpoint import Endpoint

__all__ = ["RecordedTransport"]

_NO_SECRETS: Final = frozenset({"x-goog-user-project"})
"""Headers whose values also stand in messages, where a replay needs them: a model's name holds its project."""


class RecordedTransport:
    """Opens links by another transport; access tokens are known only when one is opened.

    Args:
        transport: Opens them.
        recorder: Told what must not be written down.
    """

    def __init__(self, transport: Transport, recorder: Recorder) -> None:
        self._transport = transport
        self._recorder = recorder

    async def connect(self, endpoint: Endpoint, options: SessionOptions) -> TransportLink:
        """Open a link; see :class:`~duologue.io.transport.Transport`."""
        for name, value in endpoint.headers.items():
            if name.lower() not in _NO_SECRETS:
                self._recorder.hide(value)
        return await self._transport.connect(endpoint, options)

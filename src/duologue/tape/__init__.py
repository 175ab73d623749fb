"""Tapes: sessions recorded as the journal of their core, to be looked into and replayed.

``RealtimeModel.session(record="call.tape")`` records; ``duologue tape`` shows, replays, draws and imports.
Importing this room is cheap: what reads, replays and imports is loaded by name.
"""

from __future__ import annotations

from duologue.tape.recorder import TapeRecorder, recorder_for
from duologue.tape.writer import check_free

__all__ = ["TapeRecorder", "check_free", "recorder_for"]

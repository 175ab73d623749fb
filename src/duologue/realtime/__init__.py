"""The face for applications: ``connect``, ``RealtimeModel``, ``RealtimeSession``, ``Generation``."""

from duologue.realtime.generation import Generation
from duologue.realtime.model import RealtimeModel, connect
from duologue.realtime.session import RealtimeSession

__all__ = ["Generation", "RealtimeModel", "RealtimeSession", "connect"]

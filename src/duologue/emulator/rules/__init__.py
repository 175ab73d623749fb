"""The server side of a Live conversation as a pure machine: frames and time in, frames and asks out.

Imports nothing that sleeps, reads a clock, draws random numbers or opens sockets.
"""

from duologue.emulator.rules.server import LinkPhase, ServerRules
from duologue.emulator.rules.service import Service, Snapshot
from duologue.emulator.rules.validation import refuse_key

__all__ = ["LinkPhase", "ServerRules", "Service", "Snapshot", "refuse_key"]

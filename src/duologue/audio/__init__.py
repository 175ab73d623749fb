"""Sound: formats, files, levels, playout, and the devices of this machine.

Importing this imports neither numpy nor soxr nor sounddevice: each is imported when something that
needs it is used, and a missing one is named then with the extra that brings it.
"""

from duologue.audio.devices import DeviceInfo, devices_available, list_devices
from duologue.audio.echo import EchoGuard
from duologue.audio.files import WavFile, WavSink, WavSource
from duologue.audio.format import FRAME_MS, INPUT_RATE, OUTPUT_RATE
from duologue.audio.frames import Framer, interleave, mono, silence
from duologue.audio.level import LevelMeter, peak_dbfs, rms_dbfs
from duologue.audio.microphone import Microphone
from duologue.audio.playout import Playhead, Playout, PlayoutState
from duologue.audio.resample import Resampler, resample_all, soxr_available
from duologue.audio.sink import NullSink, PacedSink, RecordingSink, Span
from duologue.audio.speaker import Speaker
from duologue.audio.wav import WavHeader, WavWriter, read_wav, wav_header

__all__ = [
    "FRAME_MS",
    "INPUT_RATE",
    "OUTPUT_RATE",
    "DeviceInfo",
    "EchoGuard",
    "Framer",
    "LevelMeter",
    "Microphone",
    "NullSink",
    "PacedSink",
    "Playhead",
    "Playout",
    "PlayoutState",
    "RecordingSink",
    "Resampler",
    "Span",
    "Speaker",
    "WavFile",
    "WavHeader",
    "WavSink",
    "WavSource",
    "WavWriter",
    "devices_available",
    "interleave",
    "list_devices",
    "mono",
    "peak_dbfs",
    "read_wav",
    "resample_all",
    "rms_dbfs",
    "silence",
    "soxr_available",
    "wav_header",
]

"""Sound devices through PortAudio: which there are, and at what rate one can be opened.

sounddevice is imported when a device is first asked for. What is missing then is named in the
error: the pip extra, or the Debian package of the PortAudio library.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from duologue.audio.resample import soxr_available
from duologue.errors import AudioError, ConfigError

__all__ = ["DeviceInfo", "StreamPlan", "devices_available", "list_devices", "plan_stream", "portaudio"]

Direction = Literal["input", "output"]


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """One device as PortAudio sees it."""

    index: int
    """What ``Microphone`` and ``Speaker`` take as ``device``, besides a part of the name."""
    name: str
    host_api: str
    input_channels: int
    output_channels: int
    default_sample_rate: int
    is_default_input: bool
    is_default_output: bool


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """How a device will be opened."""

    device: int | str | None
    name: str
    sample_rate: int
    """The device's side, in Hz; a resampler stands between when it is not the wanted one."""
    channels: int


def portaudio() -> Any:
    """Return the module sounddevice.

    Raises:
        ConfigError: It is not installed.
        AudioError: It is, and the PortAudio library is missing or does not start.
    """
    try:
        return import_module("sounddevice")
    except ImportError as error:
        msg = 'microphones and loudspeakers need sounddevice: pip install "duologue[mic]"'
        raise ConfigError(msg) from error
    except Exception as error:  # OSError without the library, PortAudioError when it does not start
        msg = (
            f"sounddevice is installed and cannot start: {error}. It needs the PortAudio library: apt install "
            "libportaudio2 (Debian, Ubuntu) or brew install portaudio (macOS)"
        )
        raise AudioError(msg) from error


def list_devices() -> tuple[DeviceInfo, ...]:
    """Return every sound device; empty when there is none.

    Raises:
        ConfigError: sounddevice is not installed.
        AudioError: The PortAudio library is missing.
    """
    library = portaudio()
    host_apis = library.query_hostapis()
    default_input, default_output = library.default.device
    return tuple(
        DeviceInfo(
            index=index,
            name=str(device["name"]),
            host_api=str(host_apis[device["hostapi"]]["name"]),
            input_channels=int(device["max_input_channels"]),
            output_channels=int(device["max_output_channels"]),
            default_sample_rate=int(device["default_samplerate"]),
            is_default_input=index == default_input,
            is_default_output=index == default_output,
        )
        for index, device in enumerate(library.query_devices())
    )


def devices_available() -> tuple[bool, bool]:
    """Tell whether there is a microphone, and whether there is a loudspeaker; never raises.

    False also when sounddevice or PortAudio is missing: ``list_devices`` says which.
    """
    try:
        devices = list_devices()
    except (AudioError, ConfigError):
        return (False, False)
    return (any(d.input_channels for d in devices), any(d.output_channels for d in devices))


def plan_stream(direction: Direction, device: int | str | None, wanted_hz: int) -> StreamPlan:
    """Find out how a device can be opened, without opening it.

    The wanted rate comes first, else the device's own with a resampler between; mono comes first,
    else stereo.

    Args:
        direction: ``"input"`` for a microphone, ``"output"`` for a loudspeaker.
        device: Index, part of a name, or None for the default one.
        wanted_hz: The rate on our side.

    Raises:
        AudioError: There is no such device, or it cannot be opened with 16-bit samples.
        ConfigError: sounddevice is not installed.
    """
    library = portaudio()
    what = "microphone" if direction == "input" else "loudspeaker"
    try:
        info = library.query_devices(device, direction)
    except (library.PortAudioError, ValueError) as error:
        which = f"no {what} {device!r}" if device is not None else f"no {what}"
        msg = f"there is {which} here ({error}); `duologue doctor` lists the devices, WavFile does without"
        raise AudioError(msg) from error
    check = library.check_input_settings if direction == "input" else library.check_output_settings
    refusal: Exception | None = None
    own_hz = int(info["default_samplerate"])
    for channels in (1, 2):
        for rate in dict.fromkeys((wanted_hz, own_hz)):
            try:
                check(device=device, channels=channels, dtype="int16", samplerate=rate)
            except (library.PortAudioError, ValueError) as error:
                refusal = error
            else:
                return StreamPlan(device, str(info["name"]), rate, channels)
    msg = f"the {what} {info['name']!r} takes neither {wanted_hz} nor {own_hz} Hz with 16-bit samples: {refusal}"
    raise AudioError(msg) from refusal


def input_rate(plan: StreamPlan, wanted_hz: int) -> int:
    """Return the rate a microphone can promise: the wanted one, or the device's own without soxr."""
    return wanted_hz if plan.sample_rate == wanted_hz or soxr_available() else plan.sample_rate

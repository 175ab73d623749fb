from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from duologue.audio.devices import devices_available, list_devices, plan_stream, portaudio
from duologue.errors import AudioError, ConfigError

if TYPE_CHECKING:
    from tests.audio.conftest import StandInSoundDevice


def test_importing_the_room_imports_nothing_heavy() -> None:
    heavy = "{'numpy', 'soxr', 'sounddevice'} & set(sys.modules)"
    code = f"import duologue.audio, sys; print({heavy} or 'none')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.strip() == "none"


def test_devices_are_listed(sound_device: StandInSoundDevice) -> None:
    mic, box = list_devices()
    assert (mic.name, mic.host_api, mic.input_channels, mic.default_sample_rate) == (
        "desk mic",
        "ALSA",
        1,
        48_000,
    )
    assert mic.is_default_input
    assert box.is_default_output
    assert not box.is_default_input
    assert devices_available() == (True, True)


def test_none_is_told_and_not_raised(
    sound_device: StandInSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound_device.present = False
    assert list_devices() == ()
    assert devices_available() == (False, False)
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert devices_available() == (False, False)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(ConfigError, match=r'pip install "duologue\[mic\]"'):
        portaudio()


def test_a_missing_library_names_the_debian_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("site")
    (folder / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(folder)
    with pytest.raises(AudioError, match=r"PortAudio library not found.*libportaudio2"):
        portaudio()
    assert devices_available() == (False, False)


@pytest.mark.parametrize(
    ("rates", "channels", "planned"),
    [
        ((16_000, 48_000), (1, 2), (16_000, 1)),
        ((48_000,), (1, 2), (48_000, 1)),
        ((16_000, 48_000), (2,), (16_000, 2)),
        ((48_000,), (2,), (48_000, 2)),
    ],
)
def test_the_nearest_way_to_open_a_device_is_found(
    sound_device: StandInSoundDevice,
    rates: tuple[int, ...],
    channels: tuple[int, ...],
    planned: tuple[int, int],
) -> None:
    sound_device.rates, sound_device.channels = rates, channels
    plan = plan_stream("input", None, 16_000)
    assert (plan.sample_rate, plan.channels) == planned
    assert plan.name == "desk mic"


def test_what_cannot_be_opened_is_named(sound_device: StandInSoundDevice) -> None:
    with pytest.raises(AudioError, match=r"there is no loudspeaker 'attic'.*duologue doctor"):
        plan_stream("output", "attic", 24_000)
    sound_device.rates = ()
    with pytest.raises(AudioError, match=r"'desk box' takes neither 24000 nor 48000 Hz.*Invalid sample rate"):
        plan_stream("output", None, 24_000)
    sound_device.present = False
    with pytest.raises(AudioError, match=r"there is no microphone here \(Error querying"):
        plan_stream("input", None, 16_000)

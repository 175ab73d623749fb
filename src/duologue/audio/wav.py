"""Read any reasonable WAV file as mono s16le, and write WAV files that are whole at every moment."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from duologue.audio.format import INPUT_RATE, SAMPLE_BYTES, bytes_to_samples, samples_to_ms
from duologue.audio.frames import mono
from duologue.audio.resample import resample_all
from duologue.audio.riff import HIGHEST_RATE, LOWEST_RATE, WavHeader, open_file, read_header
from duologue.errors import AudioError, ConfigError

if TYPE_CHECKING:
    import os
    from types import TracebackType

__all__ = ["WavHeader", "WavWriter", "read_wav", "wav_header"]

_HEADER_BYTES: Final = 44
_LARGEST: Final = 0xFFFFFFFF


def wav_header(path: str | os.PathLike[str]) -> WavHeader:
    """Return what a WAV file holds without reading its samples.

    Raises:
        AudioError: As for ``read_wav``.
    """
    file_path = Path(path)
    try:
        with open_file(file_path) as file:
            return read_header(file, file_path)
    except OSError as error:
        raise _cannot("read", file_path, error) from error


def read_wav(path: str | os.PathLike[str], *, sample_rate: int | None = INPUT_RATE) -> bytes:
    """Return the sound of a WAV file as mono s16le.

    Takes PCM of 8, 16, 24 and 32 bits, float of 32 and 64, any number of channels (their mean is
    returned), WAVE_FORMAT_EXTENSIBLE, RF64, and the sizes of 0 or nearly 4 GiB that writers into a
    pipe leave behind. Does not take compressed sound. Reads the whole file, so it blocks and takes
    that much memory; 16-bit files at the wanted rate need no further package.

    Args:
        path: The file.
        sample_rate: Wanted rate in Hz; None keeps the file's own.

    Raises:
        AudioError: The file is missing, empty, cut off, no WAV file, compressed, a pipe or a device, or
            its rate is not 1,000 to 384,000 Hz; the message names it and says what it holds.
        ConfigError: It needs numpy or soxr, which are not installed.
    """
    file_path = Path(path)
    try:
        with open_file(file_path) as file:
            header = read_header(file, file_path)
            file.seek(header.data_at)
            data = file.read(header.data_bytes)
    except OSError as error:
        raise _cannot("read", file_path, error) from error
    pcm = data if header.bits == 16 else _to_s16(data, header, file_path)
    pcm = mono(pcm, channels=header.channels)
    return resample_all(pcm, header.sample_rate, header.sample_rate if sample_rate is None else sample_rate)


def _to_s16(data: bytes, header: WavHeader, path: Path) -> bytes:
    """Return samples of any supported kind as s16le, channels as they are."""
    try:
        import numpy as np
    except ImportError as error:
        msg = f'{path} holds {header.bits}-bit samples, which need numpy: pip install "duologue[audio]"'
        raise ConfigError(msg) from error
    if header.is_float:
        floats: Any = np.frombuffer(data, dtype=f"<f{header.bits // 8}").astype(np.float64)
        scaled: Any = np.rint(np.clip(np.nan_to_num(floats), -1.0, 1.0) * 32768.0)
    elif header.bits == 8:
        scaled = (np.frombuffer(data, dtype=np.uint8).astype(np.int32) - 128) << 8
    elif header.bits == 24:
        three: Any = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3).astype(np.int32)
        whole = three[:, 0] | three[:, 1] << 8 | three[:, 2] << 16
        scaled = ((whole ^ 0x800000) - 0x800000 + 0x80) >> 8
    else:
        scaled = (np.frombuffer(data, dtype="<i4").astype(np.int64) + 0x8000) >> 16
    pcm: bytes = np.clip(scaled, -32768, 32767).astype("<i2").tobytes()
    return pcm


class WavWriter:
    """Write s16le PCM into a WAV file that appears under its name when it is complete.

    Until ``close`` the sound is in ``NAME.part`` beside it, whose header is brought up to date once
    a second of sound, so that even after a power cut it plays. ``close`` moves it over ``path`` in
    one step; leave by any road (an error, Ctrl-C) through ``with`` or ``finally`` and the file is
    whole. A file that was there before stays untouched until then. Writing blocks, for microseconds.

    Args:
        path: The file; its folder is made.
        sample_rate: Of one channel, in Hz.
        channels: Number of interleaved channels.

    Raises:
        AudioError: The file cannot be made.
        ConfigError: A rate or channel number that no WAV file can have.
    """

    def __init__(self, path: str | os.PathLike[str], sample_rate: int, channels: int = 1) -> None:
        if not LOWEST_RATE <= sample_rate <= HIGHEST_RATE or not 1 <= channels <= 64:
            msg = (
                f"WavWriter got sample_rate={sample_rate}, channels={channels}; "
                f"give {LOWEST_RATE}..{HIGHEST_RATE} Hz and 1..64"
            )
            raise ConfigError(msg)
        self.path = Path(path)
        self.sample_rate = sample_rate
        self.channels = channels
        self.part_path = self.path.with_name(self.path.name + ".part")
        self._data_bytes = 0
        self._stamped_bytes = 0
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.is_dir():
                raise IsADirectoryError(21, "Is a directory")
            self._file = self.part_path.open("w+b")
        except OSError as error:
            raise _cannot("write", self.path, error) from error
        self._file.write(self._header())

    @property
    def closed(self) -> bool:
        """Whether ``close`` has been called."""
        return self._file.closed

    @property
    def duration_ms(self) -> int:
        """Length of what was written, in whole milliseconds."""
        return samples_to_ms(self._data_bytes // (SAMPLE_BYTES * self.channels), self.sample_rate)

    def write(self, pcm: bytes | bytearray | memoryview) -> None:
        """Append sound.

        Args:
            pcm: s16le, interleaved when there are several channels.

        Raises:
            AudioError: Not whole samples of every channel, the disk refused, or it is closed.
        """
        if self._file.closed:
            msg = f"{self.path} is written and closed; make another WavWriter"
            raise AudioError(msg)
        size_bytes = bytes_to_samples(pcm, channels=self.channels) * SAMPLE_BYTES * self.channels
        try:
            self._file.write(pcm)
            self._data_bytes += size_bytes
            if self._data_bytes - self._stamped_bytes >= self._byte_rate:
                self._stamp()
        except OSError as error:
            raise _cannot("write", self.path, error) from error

    def close(self) -> None:
        """Complete the file and give it its name; idempotent.

        Raises:
            AudioError: The disk refused; what was written stays in ``part_path``.
        """
        if self._file.closed:
            return
        try:
            try:
                self._stamp()
            finally:
                self._file.close()
            self.part_path.replace(self.path)
        except OSError as error:
            raise _cannot("write", self.path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _byte_rate(self) -> int:
        return self.sample_rate * SAMPLE_BYTES * self.channels

    def _stamp(self) -> None:
        self._file.seek(0)
        self._file.write(self._header())
        self._file.seek(0, 2)
        self._file.flush()
        self._stamped_bytes = self._data_bytes

    def _header(self) -> bytes:
        # Beyond 4 GiB the sizes say "unknown", which readers take as "up to the end of the file".
        frame_bytes = SAMPLE_BYTES * self.channels
        return struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            b"RIFF",
            min(self._data_bytes + _HEADER_BYTES - 8, _LARGEST),
            b"WAVE",
            b"fmt ",
            16,
            1,
            self.channels,
            self.sample_rate,
            self._byte_rate,
            frame_bytes,
            8 * SAMPLE_BYTES,
            b"data",
            min(self._data_bytes, _LARGEST),
        )


def _cannot(do: str, path: Path, error: OSError) -> AudioError:
    return AudioError(f"cannot {do} {path}: {error.strerror or error}")

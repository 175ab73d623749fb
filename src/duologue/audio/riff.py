"""Take a WAV file apart: its format and where its samples are. Reads headers only.

The standard library's ``wave`` refuses float samples and the sizes that streaming writers leave
behind; this parser takes both, and names what it cannot take.
"""

from __future__ import annotations

import stat
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from duologue.audio.format import samples_to_ms
from duologue.errors import AudioError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HIGHEST_RATE", "LOWEST_RATE", "WavHeader", "open_file", "read_header"]

LOWEST_RATE: Final = 1_000
"""In Hz; a file that claims less would become a thousandfold of itself when it is resampled."""
HIGHEST_RATE: Final = 384_000
"""In Hz; no sound card records more."""
_PCM: Final = 1
_FLOAT: Final = 3
_EXTENSIBLE: Final = 0xFFFE
_ENCODINGS: Final = {2: "MS ADPCM", 6: "A-law", 7: "mu-law", 0x11: "IMA ADPCM", 0x31: "GSM 6.10", 0x55: "MP3"}
_SUPPORTED: Final = {(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32), (_FLOAT, 64)}
_MEDIA_SUBTYPE_TAIL: Final = bytes.fromhex("000000001000800000aa00389b71")
"""What follows the two bytes of the format tag in every WAVE_FORMAT_EXTENSIBLE subtype of Microsoft's."""
_UNKNOWN_SIZE_FROM: Final = 0x7FFF0000
"""Data sizes from here on are placeholders: ffmpeg writes 0xFFFFFFFF into a pipe, sox 0x7FFFF000."""
_MAGIC: Final = (
    (b"ID3", "MP3"),
    (b"\xff\xfb", "MP3"),
    (b"\xff\xf3", "MP3"),
    (b"OggS", "Ogg (Vorbis or Opus)"),
    (b"fLaC", "FLAC"),
    (b"\x1aE\xdf\xa3", "WebM or Matroska"),
    (b"FORM", "AIFF"),
    (b".snd", "AU"),
    (b"RIFX", "big-endian RIFX"),
    (b"<", "a text or web page"),
    (b"{", "JSON"),
)


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What a WAV file holds, checked against its size."""

    is_float: bool
    bits: int
    channels: int
    sample_rate: int
    data_at: int
    """Offset of the first sample in the file, in bytes."""
    data_bytes: int
    """Size of the samples: whole ones of every channel."""

    @property
    def frame_bytes(self) -> int:
        """Size of one sample of every channel."""
        return self.bits // 8 * self.channels

    @property
    def samples(self) -> int:
        """Number of samples of one channel."""
        return self.data_bytes // self.frame_bytes

    @property
    def duration_ms(self) -> int:
        """Length of the sound in whole milliseconds."""
        return samples_to_ms(self.samples, self.sample_rate)


@dataclass(frozen=True, slots=True)
class _Format:
    encoding: int
    channels: int
    sample_rate: int
    bits: int


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading, unless it is a pipe or a device: these block or never end.

    Raises:
        AudioError: It is one.
        OSError: It cannot be opened.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # of a folder, opening says so
        raise AudioError(f"{path} is a pipe, socket or device; give a WAV file")
    return path.open("rb")


def read_header(file: BinaryIO, path: Path) -> WavHeader:
    """Read the chunks of an open WAV file up to its samples.

    Args:
        file: Opened for reading in binary, seekable, at its beginning.
        path: Its name, for messages.

    Raises:
        AudioError: Not a WAV file, an encoding that is not linear PCM or float, a rate outside 1,000
            to 384,000 Hz, no samples, or fewer samples than it says. The message says what the file holds.
    """
    size_bytes = file.seek(0, 2)
    file.seek(0)
    head = file.read(12)
    if len(head) < 12 or head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        msg = f"{path} is no WAV file: it holds {_guess(head, size_bytes)}; {_CONVERT}"
        raise AudioError(msg)
    format_: _Format | None = None
    long_data_bytes = 0
    while len(header := file.read(8)) == 8:
        name, chunk_bytes = struct.unpack("<4sI", header)
        at = file.tell()
        if name == b"data":
            if format_ is None:
                msg = f"{path} is a damaged WAV file: its samples come before their format"
                raise AudioError(msg)
            if chunk_bytes == 0xFFFFFFFF and long_data_bytes:
                chunk_bytes = long_data_bytes
            return _checked(path, format_, at, chunk_bytes, size_bytes - at)
        if name == b"fmt ":
            format_ = _parse_format(path, file.read(min(chunk_bytes, 40)))
        elif name == b"ds64":
            long_data_bytes = int.from_bytes(file.read(24)[8:16], "little")
        file.seek(at + chunk_bytes + chunk_bytes % 2)
    what = "a format but no samples" if format_ else "neither a format nor samples"
    msg = f"{path} is a WAV file of {size_bytes} bytes that was cut off: it holds {what}"
    raise AudioError(msg)


_CONVERT: Final = "convert it with: ffmpeg -i FILE -c:a pcm_s16le FILE.wav"


def _guess(head: bytes, size_bytes: int) -> str:
    if not size_bytes:
        return "nothing (0 bytes)"
    if head[4:8] == b"ftyp":
        return "MP4 or M4A"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    return f"{size_bytes} bytes that begin with {head[:4]!r}"


def _parse_format(path: Path, chunk: bytes) -> _Format:
    if len(chunk) < 16:
        msg = f"{path} is a damaged WAV file: its format chunk has {len(chunk)} bytes instead of 16 or more"
        raise AudioError(msg)
    encoding, channels, sample_rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if encoding == _EXTENSIBLE and len(chunk) >= 40 and chunk[26:40] == _MEDIA_SUBTYPE_TAIL:
        encoding = int.from_bytes(chunk[24:26], "little")
    if (encoding, bits) not in _SUPPORTED:
        name = _ENCODINGS.get(encoding) or {_PCM: "PCM", _FLOAT: "float"}.get(
            encoding, f"encoding {encoding:#x}"
        )
        msg = f"{path} is a WAV file of {bits}-bit {name}, which is not read here; {_CONVERT}"
        raise AudioError(msg)
    if not 1 <= channels <= 64 or not LOWEST_RATE <= sample_rate <= HIGHEST_RATE:
        msg = (
            f"{path} is a damaged WAV file: it says {channels} channels at {sample_rate} Hz; "
            f"1 to 64 at {LOWEST_RATE} to {HIGHEST_RATE} Hz are read here"
        )
        raise AudioError(msg)
    return _Format(encoding, channels, sample_rate, bits)


def _checked(path: Path, format_: _Format, data_at: int, said_bytes: int, there_bytes: int) -> WavHeader:
    frame_bytes = format_.bits // 8 * format_.channels
    streamed = said_bytes == 0 or said_bytes >= _UNKNOWN_SIZE_FROM
    if said_bytes > there_bytes and not streamed:
        byte_rate = frame_bytes * format_.sample_rate
        msg = (
            f"{path} is a WAV file that was cut off: it says {said_bytes / byte_rate:.2f} s of sound and holds "
            f"{there_bytes / byte_rate:.2f} s"
        )
        raise AudioError(msg)
    data_bytes = min(there_bytes, said_bytes) if said_bytes else there_bytes
    data_bytes -= data_bytes % frame_bytes
    if not data_bytes:
        msg = f"{path} is a WAV file without any sound in it"
        raise AudioError(msg)
    return WavHeader(
        is_float=format_.encoding == _FLOAT,
        bits=format_.bits,
        channels=format_.channels,
        sample_rate=format_.sample_rate,
        data_at=data_at,
        data_bytes=data_bytes,
    )

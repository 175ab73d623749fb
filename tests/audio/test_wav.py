from __future__ import annotations

import os
import struct
import sys
import wave
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from duologue.audio.wav import WavWriter, read_wav, wav_header
from duologue.errors import AudioError, ConfigError

RAMP = [-32768, -16384, -256, 0, 256, 16384, 32512]
PCM = array("h", RAMP).tobytes()
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


def fmt_chunk(
    encoding: int, bits: int, channels: int = 1, rate: int = 16_000, extensible: bool = False
) -> bytes:
    frame = bits // 8 * channels
    tag = 0xFFFE if extensible else encoding
    body = struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits)
    if extensible:
        body += struct.pack("<HHIH", 22, bits, 0, encoding) + GUID_TAIL
    return b"fmt " + struct.pack("<I", len(body)) + body


def riff(*chunks: bytes, magic: bytes = b"RIFF", size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return magic + struct.pack("<I", len(body) if size is None else size) + body


def data_chunk(data: bytes, size: int | None = None) -> bytes:
    return b"data" + struct.pack("<I", len(data) if size is None else size) + data


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def encoded(kind: str) -> tuple[bytes, int, int]:
    """Return RAMP in another encoding, with its tag and bits."""
    ramp = np.array(RAMP, dtype=np.int64)
    table: dict[str, tuple[Any, int, int]] = {
        "u8": (((ramp >> 8) + 128).astype(np.uint8).tobytes(), 1, 8),
        "s16": (ramp.astype("<i2").tobytes(), 1, 16),
        "s24": (b"".join(int(n << 8).to_bytes(3, "little", signed=True) for n in RAMP), 1, 24),
        "s32": ((ramp << 16).astype("<i4").tobytes(), 1, 32),
        "f32": ((ramp / 32768).astype("<f4").tobytes(), 3, 32),
        "f64": ((ramp / 32768).astype("<f8").tobytes(), 3, 64),
    }
    return table[kind]


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize("kind", ["u8", "s16", "s24", "s32", "f32", "f64"])
def test_every_encoding_gives_the_same_sound(tmp_path: Path, kind: str, extensible: bool) -> None:
    data, encoding, bits = encoded(kind)
    path = write(tmp_path / "a.wav", riff(fmt_chunk(encoding, bits, extensible=extensible), data_chunk(data)))
    assert list(array("h", read_wav(path))) == RAMP


def test_floats_beyond_the_scale_are_clipped_and_nan_is_silence(tmp_path: Path) -> None:
    data = struct.pack("<5f", 1.0, -1.5, 7.0, float("nan"), float("-inf"))
    path = write(tmp_path / "a.wav", riff(fmt_chunk(3, 32), data_chunk(data)))
    assert list(array("h", read_wav(path))) == [32767, -32768, 32767, 0, -32768]


def test_deep_samples_round_to_the_nearest(tmp_path: Path) -> None:
    data = b"".join(n.to_bytes(3, "little", signed=True) for n in (0x7F, 0x80, -0x80, -0x81, 0x7FFFFF))
    path = write(tmp_path / "a.wav", riff(fmt_chunk(1, 24), data_chunk(data)))
    assert list(array("h", read_wav(path))) == [0, 1, 0, -1, 32767]


def test_stereo_becomes_its_mean_and_eight_kilohertz_twice_as_many(tmp_path: Path) -> None:
    stereo = array("h", [100, 300] * 8000).tobytes()
    path = write(tmp_path / "a.wav", riff(fmt_chunk(1, 16, channels=2, rate=8_000), data_chunk(stereo)))
    assert read_wav(path, sample_rate=None) == array("h", [200] * 8000).tobytes()
    pcm = array("h", read_wav(path))
    assert len(pcm) == 16_000
    assert set(pcm[200:-200]) <= {199, 200, 201}
    header = wav_header(path)
    assert (header.channels, header.sample_rate, header.duration_ms, header.samples) == (2, 8_000, 1000, 8000)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000])
def test_what_a_streaming_writer_left_is_read_to_its_end(tmp_path: Path, size: int) -> None:
    path = write(tmp_path / "a.wav", riff(fmt_chunk(1, 16), data_chunk(PCM + b"\1", size), size=size))
    assert read_wav(path) == PCM


def test_other_chunks_with_odd_sizes_are_stepped_over(tmp_path: Path) -> None:
    extra = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    path = write(tmp_path / "a.wav", riff(extra, fmt_chunk(1, 16), extra, data_chunk(PCM), extra))
    assert read_wav(path) == PCM


def test_rf64_takes_its_size_from_its_own_chunk(tmp_path: Path) -> None:
    ds64 = b"ds64" + struct.pack("<IQQQI", 28, 0, len(PCM), 0, 0)
    tail = b"LIST" + struct.pack("<I", 4) + b"abcd"
    content = riff(ds64, fmt_chunk(1, 16), data_chunk(PCM, 0xFFFFFFFF), tail, magic=b"RF64", size=0xFFFFFFFF)
    assert read_wav(write(tmp_path / "a.wav", content)) == PCM


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "nothing"),
        (b"ID3\3" + bytes(40), "MP3"),
        (b"\0\0\0\x20ftypM4A ", "MP4 or M4A"),
        (b"OggS" + bytes(40), "Ogg"),
        (b"hello, this is not sound", "24 bytes that begin with b'hell'"),
        (b"<!DOCTYPE html>", "web page"),
        (riff(), "cut off: it holds neither a format nor samples"),
        (riff(fmt_chunk(1, 16)), "cut off: it holds a format but no samples"),
        (riff(fmt_chunk(1, 16), data_chunk(b"")), "without any sound"),
        (riff(fmt_chunk(1, 16), data_chunk(b"\1")), "without any sound"),
        (riff(fmt_chunk(1, 16), data_chunk(bytes(32_000), 64_000)), "says 2.00 s of sound and holds 1.00 s"),
        (riff(data_chunk(PCM), fmt_chunk(1, 16)), "samples come before their format"),
        (riff(fmt_chunk(7, 8), data_chunk(PCM)), "8-bit mu-law, which is not read here"),
        (riff(fmt_chunk(1, 12), data_chunk(PCM)), "12-bit PCM"),
        (riff(fmt_chunk(0x4242, 16), data_chunk(PCM)), "encoding 0x4242"),
        *(
            (riff(fmt_chunk(1, 16, rate=rate), data_chunk(PCM)), f"1 channels at {rate} Hz; 1 to 64 at 1000")
            for rate in (0, 1, 999, 384_001, 2**31 - 1)
        ),
        (riff(b"fmt " + struct.pack("<I", 4) + b"abcd"), "has 4 bytes instead of 16"),
    ],
)
def test_what_cannot_be_used_is_named_with_what_it_holds(tmp_path: Path, content: bytes, says: str) -> None:
    path = write(tmp_path / "bad.wav", content)
    with pytest.raises(AudioError) as caught:
        read_wav(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_every_cut_of_a_good_file_is_refused_or_read(tmp_path: Path) -> None:
    good = riff(fmt_chunk(3, 32, extensible=True), data_chunk(encoded("f32")[0]))
    for size in range(len(good)):
        with pytest.raises(AudioError):
            read_wav(write(tmp_path / "a.wav", good[:size]))


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"cannot read .*gone.wav: No such file"):
        read_wav(tmp_path / "gone.wav")
    with pytest.raises(AudioError, match="Is a directory"):
        wav_header(tmp_path)


def test_sixteen_bits_need_no_numpy_and_others_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    plain = write(tmp_path / "plain.wav", riff(fmt_chunk(1, 16), data_chunk(PCM)))
    assert read_wav(plain) == PCM
    deep = write(tmp_path / "deep.wav", riff(fmt_chunk(1, 24), data_chunk(encoded("s24")[0])))
    with pytest.raises(ConfigError, match=r'24-bit .* pip install "duologue\[audio\]"'):
        read_wav(deep)


def test_what_is_written_is_read_by_others(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.wav"
    with WavWriter(path, 24_000, channels=2) as writer:
        writer.write(PCM[:8])
        writer.write(memoryview(PCM[8:12]))
    with wave.open(str(path)) as other:
        assert (other.getnchannels(), other.getframerate(), other.getsampwidth()) == (2, 24_000, 2)
        assert other.readframes(99) == PCM[:12]
    assert [entry.name for entry in path.parent.iterdir()] == ["a.wav"]
    assert writer.closed


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", b"old")
    writer = WavWriter(path, 16_000)
    writer.write(PCM)
    assert path.read_bytes() == b"old"
    writer.close()
    writer.close()
    assert read_wav(path) == PCM


def test_leaving_by_an_interrupt_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    def call() -> None:
        with WavWriter(path, 16_000) as writer:
            writer.write(PCM)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call()
    assert read_wav(path) == PCM


def test_a_killed_writer_leaves_a_part_that_plays(tmp_path: Path) -> None:
    writer = WavWriter(tmp_path / "a.wav", 16_000)
    for _ in range(130):
        writer.write(bytes([1, 0] * 160))
    left = read_wav(write(tmp_path / "copy.wav", writer.part_path.read_bytes()))
    writer.close()
    assert 32_000 <= len(left) <= writer.duration_ms * 32
    assert set(left) == {0, 1}


@pytest.mark.parametrize("rate", [1_000, 384_000])
def test_the_lowest_and_highest_rate_are_read(tmp_path: Path, rate: int) -> None:
    path = write(tmp_path / "a.wav", riff(fmt_chunk(1, 16, rate=rate), data_chunk(bytes(2 * rate))))
    assert wav_header(path).duration_ms == 1000
    assert abs(len(read_wav(path)) - 32_000) <= 64


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)  # opening it would wait for a writer
    for path in (pipe, Path("/dev/zero")):
        for use in (read_wav, wav_header):
            with pytest.raises(AudioError, match="is a pipe, socket or device; give a WAV file") as caught:
                use(path)
            assert str(path) in str(caught.value)


def test_a_writer_refuses_what_it_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sample_rate=0"):
        WavWriter(tmp_path / "a.wav", 0)
    with pytest.raises(AudioError, match="Is a directory"):
        WavWriter(tmp_path, 16_000)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(AudioError, match="cannot write"):
        WavWriter(tmp_path / "file" / "a.wav", 16_000)
    writer = WavWriter(tmp_path / "a.wav", 16_000, channels=2)
    with pytest.raises(AudioError, match="2 channel"):
        writer.write(b"ab")
    writer.close()
    with pytest.raises(AudioError, match="written and closed"):
        writer.write(b"abcd")

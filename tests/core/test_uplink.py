"""The uplink to the sample, and its marks to the place."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from duologue.core.outlet import Outlet
from duologue.core.uplink import Gate, Uplink
from duologue.wire.blob import decode_base64

pieces = st.lists(st.binary(max_size=700).filter(lambda pcm: len(pcm) % 2 == 0), max_size=12)


def make(gate: Gate = Gate.OPEN, *, chunk_ms: int = 10, held_limit_ms: int = 100) -> tuple[Outlet, Uplink]:
    outlet = Outlet()
    uplink = Uplink(outlet, chunk_ms=chunk_ms, held_limit_ms=held_limit_ms)
    uplink.set_gate(gate)
    return outlet, uplink


def sent(outlet: Outlet) -> list[bytes]:
    return [
        decode_base64(json.loads(frame.data)["realtimeInput"]["audio"]["data"])
        for frame in outlet.drain_frames()
    ]


@given(
    pieces, st.sampled_from([8000, 11_025, 16_000, 48_000]), st.sampled_from([10, 33, 1000]), st.booleans()
)
def test_what_goes_in_comes_out(given_: list[bytes], rate_hz: int, chunk_ms: int, view: bool) -> None:
    outlet, uplink = make(chunk_ms=chunk_ms)
    for pcm in given_:
        uplink.push(memoryview(pcm) if view else pcm, rate_hz)
    chunks = sent(outlet)
    assert {len(chunk) for chunk in chunks} <= {rate_hz * chunk_ms // 1000 * 2}
    uplink.flush()
    assert b"".join(chunks + sent(outlet)) == b"".join(given_)


@given(pieces, st.lists(st.sampled_from([8000, 16_000, 44_100]), min_size=12, max_size=12))
def test_each_sample_keeps_its_rate(given_: list[bytes], rates: list[int]) -> None:
    outlet, uplink = make()
    expected: dict[int, bytes] = {}
    got: dict[int, bytes] = {}
    for pcm, rate_hz in zip(given_, rates, strict=False):
        uplink.push(pcm, rate_hz)
        expected[rate_hz] = expected.get(rate_hz, b"") + pcm
    uplink.flush()
    for frame in outlet.drain_frames():
        audio = json.loads(frame.data)["realtimeInput"]["audio"]
        rate_hz = int(audio["mimeType"].partition("rate=")[2])
        got[rate_hz] = got.get(rate_hz, b"") + decode_base64(audio["data"])
    assert {rate: pcm for rate, pcm in expected.items() if pcm} == got


def test_beyond_the_limit_the_oldest_is_dropped() -> None:
    outlet, uplink = make(Gate.HELD, held_limit_ms=20)
    for number in range(5):
        uplink.push(bytes([number]) * 320, 16_000)
    assert outlet.counters == {"uplink_dropped_ms": 30}
    uplink.set_gate(Gate.OPEN)
    assert [chunk[0] for chunk in sent(outlet)] == [3, 4]


def test_one_chunk_is_kept_even_beyond_the_limit() -> None:
    outlet, uplink = make(Gate.HELD, chunk_ms=50, held_limit_ms=10)
    uplink.push(b"\x01" * 1600, 16_000)
    uplink.set_gate(Gate.OPEN)
    assert len(sent(outlet)) == 1


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_short_pieces_do_not_vanish_from_the_count(samples: list[int]) -> None:
    outlet, uplink = make(Gate.SHUT)
    for count in samples:
        uplink.push(b"\0\0" * count, 44_100)
        uplink.flush()
    assert abs(outlet.counters["uplink_dropped_ms"] - sum(samples) / 44.1) <= 0.51


def test_marks_wait_behind_held_sound_and_survive_its_loss() -> None:
    outlet, uplink = make(Gate.HELD, held_limit_ms=10)
    uplink.mark(b"before")
    uplink.push(b"\x01" * 320, 16_000)
    uplink.mark(b"between")
    uplink.push(b"\x02" * 320, 16_000)
    uplink.mark(b"behind")
    uplink.set_gate(Gate.OPEN)
    assert [frame.data if not frame.audio_ms else "sound" for frame in outlet.drain_frames()] == [
        b"before",
        b"between",
        "sound",
        b"behind",
    ]
    assert outlet.counters["uplink_dropped_ms"] == 10


def test_clearing_drops_sound_and_keeps_marks() -> None:
    outlet, uplink = make(Gate.HELD)
    uplink.push(b"\x01" * 400, 16_000)
    uplink.mark(b"mark")
    uplink.clear()
    uplink.push(b"\x02" * 320, 16_000)
    uplink.set_gate(Gate.OPEN)
    mark, sound = outlet.drain_frames()
    assert mark.data == b"mark"
    assert sound.audio_ms == 10
    assert outlet.counters["uplink_cleared_ms"] == 12


def test_a_shut_gate_drops_sound_and_sends_marks() -> None:
    outlet, uplink = make(Gate.HELD)
    uplink.push(b"\x01" * 320, 16_000)
    uplink.mark(b"mark")
    uplink.set_gate(Gate.SHUT)
    uplink.push(b"\x01" * 320, 16_000)
    uplink.mark(b"later")
    assert [frame.data for frame in outlet.drain_frames()] == [b"mark", b"later"]
    assert outlet.counters["uplink_dropped_ms"] == 20

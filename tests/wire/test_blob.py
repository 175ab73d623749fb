"""Base64 in every legal form and no other; rates in mime types; durations."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.errors import ProtocolError
from duologue.wire.blob import audio_rate_hz, decode_base64, decoded_bytes, encode_base64
from duologue.wire.content import duration_ms, duration_s


@given(st.binary(max_size=200), st.booleans(), st.booleans(), st.booleans())
def test_both_alphabets_padded_or_not_as_text_or_bytes(
    raw: bytes, safe: bool, padded: bool, text: bool
) -> None:
    data = (base64.urlsafe_b64encode if safe else base64.b64encode)(raw)
    data = data if padded else data.rstrip(b"=")
    assert decode_base64(data.decode() if text else data) == raw
    assert decoded_bytes(data.decode()) == len(raw)


@given(st.binary(max_size=50))
def test_encoding_is_standard_and_padded(raw: bytes) -> None:
    assert encode_base64(raw) == base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    "data",
    [
        "A",
        "AAAAA",
        "AA AA",
        "AAAA\n",
        "\tAAAA",
        "AA=A",
        "=AAA",
        "AA!A",
        "é",
        "AAAé",
        "-_+/",
        "AB+_",
        "AA*A",
        "AAAA\x00",
        "AA=",
        "AAAA=",
        "AAAA====",
        "_-8==",
        "=",
        "====",
    ],
)
def test_stray_characters_are_refused(data: str) -> None:
    with pytest.raises(ProtocolError, match="base64"):
        decode_base64(data)


@given(st.text(max_size=20))
def test_nothing_else_is_raised(data: str) -> None:
    try:
        decode_base64(data)
    except ProtocolError:
        assert data


@pytest.mark.parametrize(
    ("mime_type", "rate_hz"),
    [
        ("audio/pcm;rate=24000", 24_000),
        ("audio/pcm; Rate = 16000 ;x=y", 16_000),
        ("audio/pcm;channels=1;rate=8000", 8000),
        ("audio/pcm", 1),
        ("audio/pcm;rate=", 1),
        ("audio/pcm;rate=0", 1),
        ("audio/pcm;rate=-5", 1),
        ("audio/pcm;rate=²", 1),
        ("audio/pcm;rate=" + "9" * 5000, 1),
        ("", 1),
    ],
)
def test_the_rate_of_a_mime_type(mime_type: str, rate_hz: int) -> None:
    assert audio_rate_hz(mime_type, 1) == rate_hz


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("50s", 50.0),
        ("9.5s", 9.5),
        ("0.200s", 0.2),
        ("-1s", -1.0),
        (None, None),
        ("", None),
        ("s", None),
        ("50", None),
        ("soons", None),
        ("nans", None),
        ("infs", None),
        ("1e999s", None),
    ],
)
def test_durations(value: str | None, seconds: float | None) -> None:
    assert duration_s(value) == seconds
    assert duration_ms(value) == (None if seconds is None else round(seconds * 1000))

"""The codec benchmark: it compares the same work, says what it found, and the codec passes its own bar."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import pytest

from duologue.bench import codec
from duologue.bench.codec import CodecPlan, measure_codec
from duologue.bench.relay import BenchError
from duologue.errors import ConfigError

ROOT = Path(__file__).parents[2]
DECODE_LIMIT_US, DECODE_RATIO = 4, 15
ENCODE_LIMIT_US, ENCODE_RATIO = 1, 30

with_google_genai = pytest.mark.skipif(
    find_spec("google") is None or find_spec("google.genai") is None,
    reason="google-genai is a test oracle, see requirements",
)


@pytest.mark.parametrize("rounds", [0, -1, 1001])
def test_a_plan_that_cannot_be_measured_is_refused(rounds: int) -> None:
    with pytest.raises(ConfigError, match="1 to 1000"):
        CodecPlan(rounds=rounds)


@with_google_genai
def test_the_codec_is_as_much_faster_as_it_must_be() -> None:
    figures = measure_codec(CodecPlan(rounds=7))
    assert figures.google_genai_decode_us is not None
    assert figures.google_genai_encode_us is not None
    assert figures.decode_ratio == pytest.approx(figures.google_genai_decode_us / figures.decode_us, rel=0.01)
    assert figures.encode_ratio == pytest.approx(figures.google_genai_encode_us / figures.encode_us, rel=0.01)
    assert figures.decode_ratio is not None
    assert figures.decode_ratio >= DECODE_RATIO
    assert figures.encode_ratio is not None
    assert figures.encode_ratio >= ENCODE_RATIO
    assert len(figures.decode_us_rounds) == len(figures.encode_us_rounds) == figures.rounds == 7
    assert (figures.decode_pcm_bytes, figures.encode_pcm_bytes) == (1920, 1600)


@pytest.mark.slow
def test_the_codec_is_as_fast_as_it_must_be() -> None:
    """By the best of many rounds: processors that share their core with others differ by a factor of two."""
    figures = measure_codec(CodecPlan(rounds=50))
    assert min(figures.decode_us_rounds) <= DECODE_LIMIT_US
    assert min(figures.encode_us_rounds) <= ENCODE_LIMIT_US


def test_without_google_genai_our_figures_stand_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from duologue.cli.__main__ import main

    monkeypatch.setitem(sys.modules, "google.genai", None)
    figures = asdict(measure_codec(CodecPlan(rounds=1)))
    absent = {"decode_ratio", "encode_ratio", "google_genai"}
    absent |= {"google_genai_decode_us", "google_genai_encode_us"}
    assert {name for name, value in figures.items() if value is None} == absent
    with pytest.raises(SystemExit) as ended:
        main(["bench", "codec", "--rounds", "1"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert "google-genai not installed" in printed
    assert printed.count("µs") == 2


@pytest.mark.parametrize(
    ("step", "wrong"), [("encode_audio", b'{"a":{"audio":{"data":""}}}'), ("decode_base64", b"")]
)
def test_what_does_not_do_the_work_is_not_measured(
    monkeypatch: pytest.MonkeyPatch, step: str, wrong: bytes
) -> None:
    monkeypatch.setattr(codec, step, lambda *_: wrong)
    with pytest.raises(BenchError, match="duologue does not give the sound"):
        measure_codec(CodecPlan(rounds=1))


def test_the_command_prints_one_object() -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/codec.py", "--rounds", "1", "--json"],
        capture_output=True,
        text=True,
        timeout=110,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result.keys() >= {"decode_us", "decode_ratio", "encode_us", "encode_ratio"}
    assert (result["decode_ratio"] is None) == (result["google_genai"] is None)

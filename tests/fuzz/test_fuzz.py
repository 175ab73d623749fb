"""Two hundred thousand inputs, and the proof that the same loop finds what is planted for it.

Longer runs, led by coverage: ``tests/fuzz/atheris_codec.py``.
"""

from __future__ import annotations

import os
import sys

import pytest
from tests.fuzz.atheris_codec import main, one_input
from tests.fuzz.corpus import tape_folder
from tests.fuzz.hunt import hunt

from duologue.wire.codec import ServerDecoder

INPUTS = 200_000
SHARDS = 8


def test_the_recordings_are_there() -> None:
    if any(tape_folder().glob("*.yaml")):
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"no recordings in {tape_folder()}: the fuzzing would start from our own frames alone")
    pytest.skip(f"no recordings in {tape_folder()}: the fuzzing starts from our own frames alone")


@pytest.mark.parametrize("shard", range(SHARDS))
def test_strangers_bytes_lead_to_typed_errors_and_nothing_else(shard: int) -> None:
    hunt(seed=shard * INPUTS, count=INPUTS // SHARDS)


def test_the_coverage_guided_target_takes_one_frame_or_several() -> None:
    one_input(b'{"setupComplete":{}}\xf8{"serverContent":{"interrupted":true}}\xf8\xff\xf8')
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ServerDecoder, "decode", lambda self, frame: {}[frame])
        with pytest.raises(KeyError):
            one_input(b"{}")


def test_the_coverage_guided_target_says_what_it_needs() -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "atheris", None)
        with pytest.raises(SystemExit, match="pip install atheris"):
            main(["atheris_codec"])

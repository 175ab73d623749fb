from __future__ import annotations

from array import array

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from duologue.audio import playout as playout_module
from duologue.audio.playout import Playhead, Playout, PlayoutState
from duologue.errors import ConfigError

RATE = 1000  # one sample a millisecond makes the numbers below readable


def sound(first: int, samples: int) -> bytes:
    return array("h", range(first, first + samples)).tobytes()


def numbers(pcm: bytes) -> list[int]:
    return list(array("h", pcm))


def make(prebuffer_ms: int = 0, fade_ms: int = 0, max_buffer_s: float = 600.0) -> Playout:
    return Playout(sample_rate=RATE, prebuffer_ms=prebuffer_ms, fade_ms=fade_ms, max_buffer_s=max_buffer_s)


def test_silence_before_and_after_and_the_sound_between() -> None:
    playout = make()
    assert playout.read(5) == bytes(10)
    assert playout.take_progress() == ()
    playout.write("a", sound(1, 7))
    playout.end("a")
    assert numbers(playout.read(5)) == [1, 2, 3, 4, 5]
    assert playout.is_playing
    assert playout.playhead == Playhead("a", 5)
    assert numbers(playout.read(5)) == [6, 7, 0, 0, 0]
    assert playout.state is PlayoutState.IDLE
    assert playout.playhead == Playhead("a", 7)
    assert playout.underruns == 0


def test_half_a_sample_at_the_end_is_left_out() -> None:
    playout = make()
    for piece in (sound(1, 3) + b"\x07", bytearray(b"\x08"), memoryview(sound(4, 1) + b"\x09")):
        playout.write("a", piece)
    assert playout.written_samples == 4
    playout.end("a")
    assert numbers(playout.read(6)) == [1, 2, 3, 4, 0, 0]
    assert playout.state is PlayoutState.IDLE


def test_there_is_no_playhead_before_any_sound() -> None:
    assert make().playhead is None


def test_a_generation_waits_for_its_prebuffer() -> None:
    playout = make(prebuffer_ms=60)
    playout.write("a", sound(1, 40))
    assert playout.read(20) == bytes(40)
    assert playout.state is PlayoutState.BUFFERING
    assert not playout.is_playing
    playout.write("a", sound(41, 20))
    assert numbers(playout.read(2)) == [1, 2]


def test_a_short_generation_that_ended_need_not_wait() -> None:
    playout = make(prebuffer_ms=60)
    playout.write("a", sound(1, 3))
    playout.end("a")
    assert numbers(playout.read(4)) == [1, 2, 3, 0]


def test_no_generation_waits_for_ever() -> None:
    playout = make(prebuffer_ms=60)
    playout.write("a", sound(1, 3))
    waited = 0
    while not any(numbers(playout.read(20))):
        waited += 20
    assert waited == 120  # twice the prebuffer


def test_each_generation_has_its_own_patience() -> None:
    playout = make(prebuffer_ms=60)
    playout.write("a", sound(1, 3))
    playout.read(120)
    playout.flush()
    playout.write("b", sound(1, 3))
    assert playout.read(120) == bytes(240)
    assert numbers(playout.read(3)) == [1, 2, 3]


def test_an_underrun_is_counted_when_more_comes_and_collects_twice_as_much() -> None:
    playout = make(prebuffer_ms=30)
    playout.write("a", sound(1, 30))
    playout.read(40)
    assert playout.state is PlayoutState.STARVED
    assert (playout.underruns, playout.is_playing) == (0, False)
    playout.write("a", sound(31, 30))
    assert (playout.underruns, playout.prebuffer_ms) == (1, 60)
    assert playout.read(20) == bytes(40)
    playout.write("a", sound(61, 30))
    playout.end("a")
    assert numbers(playout.read(61))[:60] == list(range(31, 91))
    assert playout.prebuffer_ms == 60
    playout.write("b", sound(1, 30))
    playout.end("b")
    playout.read(40)
    assert playout.prebuffer_ms == 30  # a generation without an underrun brings it back down


def test_the_prebuffer_grows_to_its_limit_only() -> None:
    playout = make(prebuffer_ms=0)
    for _ in range(12):
        playout.write("a", sound(1, 1000))
        playout.read(1001)
    assert playout.underruns == 11
    assert playout.prebuffer_ms == 400


def test_the_end_of_a_dry_generation_is_no_underrun() -> None:
    playout = make()
    playout.write("a", sound(1, 5))
    playout.read(10)
    playout.end("a")
    assert (playout.state, playout.underruns) == (PlayoutState.IDLE, 0)


def test_the_next_generation_follows_without_a_gap() -> None:
    playout = make(prebuffer_ms=2)
    playout.write("a", sound(1, 5))
    playout.write("b", sound(101, 5))
    playout.write("a", sound(6, 2))  # more of the first one still comes before the second
    assert playout.queued_generations() == ("a", "b")
    assert numbers(playout.read(12)) == [*range(1, 8), *range(101, 106)]
    assert playout.take_progress() == (Playhead("a", 7), Playhead("b", 5))
    assert playout.take_progress() == ()


def test_a_generation_whose_end_was_lost_does_not_hold_up_the_next() -> None:
    playout = make()
    playout.write("a", sound(1, 5))
    playout.read(10)
    playout.write("b", sound(101, 3))
    assert numbers(playout.read(3)) == [101, 102, 103]
    assert playout.underruns == 0


def test_a_flush_is_silence_at_the_next_read() -> None:
    playout = make()
    playout.write("a", sound(1, 50))
    playout.read(10)
    assert playout.flush() == 40
    assert playout.read(20) == bytes(40)
    assert (playout.state, playout.flushed_samples, playout.queued_samples) == (PlayoutState.IDLE, 40, 0)
    assert playout.playhead == Playhead("a", 10)


@pytest.mark.parametrize("how", ["flush", "end", "starve"])
def test_sound_leads_into_silence_by_a_short_ramp(how: str) -> None:
    playout = make(fade_ms=4)
    playout.write("a", array("h", [10_000] * (20 if how == "flush" else 8)).tobytes())
    if how == "end":
        playout.end("a")
    frame = numbers(playout.read(8))
    if how == "flush":
        playout.flush()
    frame += numbers(playout.read(8)) + numbers(playout.read(4))
    assert frame == [10_000] * 8 + [8000, 6000, 4000, 2000] + [0] * 8


def test_a_ramp_goes_on_over_frames_and_gives_way_to_sound() -> None:
    playout = make(fade_ms=9)
    playout.write("a", array("h", [1000]).tobytes())
    playout.end("a")
    assert numbers(playout.read(4)) == [1000, 900, 800, 700]
    assert numbers(playout.read(2)) == [600, 500]
    playout.write("b", array("h", [-50, -50]).tobytes())
    playout.end("b")
    assert numbers(playout.read(4)) == [-50, -50, -45, -40]


def test_beyond_the_bound_the_oldest_goes_and_is_counted() -> None:
    playout = make(max_buffer_s=0.1)
    playout.write("a", sound(1, 60))
    playout.write("b", sound(1001, 60))
    assert (playout.queued_samples, playout.overflowed_samples) == (100, 20)
    assert numbers(playout.read(100)) == [*range(21, 61), *range(1001, 1061)]
    playout.write("c", sound(1, 250))
    assert playout.overflowed_samples == 20 + 150
    assert numbers(playout.read(100)) == list(range(151, 251))


def test_a_generation_thrown_away_whole_does_not_stop_the_rest() -> None:
    playout = make(max_buffer_s=0.05)
    playout.write("a", sound(1, 10))
    playout.write("b", sound(101, 50))
    assert playout.queued_generations() == ("b",)
    assert numbers(playout.read(50)) == list(range(101, 151))


def test_only_so_many_generations_are_remembered() -> None:
    playout = make()
    for number in range(200):
        playout.write(str(number), sound(1, 1))
        playout.end(str(number))
        playout.read(1)
    assert len(playout.take_progress()) == 64
    assert playout.playhead == Playhead("199", 1)


def test_a_callers_buffer_may_be_reused_and_a_frame_may_be_a_view() -> None:
    playout = make()
    buffer = bytearray(sound(1, 3))
    playout.write("a", memoryview(buffer))
    buffer[:] = bytes(6)
    frame = bytearray(b"\x55" * 10)
    assert playout.read_into(memoryview(frame)) == 3
    assert numbers(bytes(frame)) == [1, 2, 3, 0, 0]


def test_bad_input_is_refused() -> None:
    with pytest.raises(ConfigError, match="prebuffer_ms=500"):
        Playout(prebuffer_ms=500)
    with pytest.raises(ConfigError, match="fade_ms=-1"):
        Playout(fade_ms=-1)


@settings(max_examples=150, deadline=None)
@given(
    chunks=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 90)), max_size=25),
    reads=st.lists(st.integers(1, 50), min_size=1, max_size=25),
    prebuffer_ms=st.integers(0, 80),
)
def test_every_sample_is_played_once_in_the_order_of_its_generation(
    chunks: list[tuple[str, int]], reads: list[int], prebuffer_ms: int
) -> None:
    playout = make(prebuffer_ms=prebuffer_ms)
    bases = {"a": 1, "b": 10_001, "c": 20_001}
    written = dict.fromkeys(bases, 0)
    heard: list[int] = []
    for number in range(max(len(chunks), len(reads))):
        if number < len(chunks):
            name, samples = chunks[number]
            playout.write(name, sound(bases[name] + written[name], samples))
            written[name] += samples
        heard += numbers(playout.read(reads[number % len(reads)]))
    for name in bases:
        playout.end(name)
    heard += numbers(playout.read(25 * 90 + 1))
    heard = [sample for sample in heard if sample]
    for name, base in bases.items():
        mine = [sample - base for sample in heard if base <= sample < base + 10_000]
        assert mine == list(range(written[name]))
    assert playout.state is PlayoutState.IDLE


class PlayoutMachine(RuleBasedStateMachine):
    """Any order of commands against what must always hold; samples are numbered from 1."""

    def __init__(self) -> None:
        super().__init__()
        self.playout = make(prebuffer_ms=30, max_buffer_s=20)
        self.written: dict[str, int] = {}
        self.last_flushed = 0
        self.samples = 0
        self.before = self.playout.state

    @rule(name=st.sampled_from("abcd"), samples=st.integers(0, 60))
    def write(self, name: str, samples: int) -> None:
        self.playout.write(name, sound(self.samples % 30_000 + 1, samples))
        self.samples += samples
        self.written[name] = self.written.get(name, 0) + samples

    @rule(name=st.sampled_from("abcde"))
    def end(self, name: str) -> None:
        self.playout.end(name)

    @rule(samples=st.integers(1, 100))
    def read(self, samples: int) -> None:
        heard = [number for number in numbers(self.playout.read(samples)) if number]
        if self.samples < 30_000:
            assert all(number > self.last_flushed for number in heard)

    @rule()
    def flush(self) -> None:
        self.playout.flush()
        self.last_flushed = self.samples
        assert self.playout.queued_generations() == ()

    @invariant()
    def books_balance(self) -> None:
        playout = self.playout
        gone = playout.played_samples + playout.flushed_samples + playout.overflowed_samples
        assert playout.written_samples == self.samples == gone + playout.queued_samples
        for playhead in playout.take_progress():
            assert 0 < playhead.played_ms <= self.written[playhead.generation_id]

    @invariant()
    def state_fits_what_is_queued(self) -> None:
        playout = self.playout
        if playout.state in (PlayoutState.IDLE, PlayoutState.STARVED):
            assert playout.queued_samples == 0
        else:
            assert playout.queued_samples > 0

    @invariant()
    def note_the_way(self) -> None:
        if self.playout.state is not self.before:
            event(f"{self.before.name} -> {self.playout.state.name}")
        self.before = self.playout.state


TestPlayoutMachine = PlayoutMachine.TestCase
TestPlayoutMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_every_edge_of_the_table_is_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    walked: set[tuple[PlayoutState, PlayoutState]] = set()
    to = Playout._to

    def noting(self: Playout, state: PlayoutState) -> None:
        walked.add((self.state, state))
        to(self, state)

    monkeypatch.setattr(Playout, "_to", noting)
    for stop in ("flush", "end"):
        for reads in ((), (5,), (20,)):
            playout = make(prebuffer_ms=10)
            playout.write("a", sound(1, 10))
            for samples in reads:
                playout.read(samples)
            if stop == "flush":
                playout.flush()
            else:
                playout.end("a")
            playout.read(10)
    playout = make()
    playout.write("a", sound(1, 10))
    playout.read(20)
    playout.write("a", sound(1, 10))
    table = {(old, new) for old, news in playout_module._TRANSITIONS.items() for new in news}
    assert walked == table

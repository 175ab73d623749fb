from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from duologue.audio.echo import EchoGuard
from duologue.config import AudioSource
from duologue.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

VOICE = b"\1\2" * 320  # 20 ms


class Room:
    """A sink that plays during some frames, and a source in the same room."""

    sample_rate = 16_000
    channels = 1

    def __init__(self, playing: str) -> None:
        self._playing = playing
        self.is_playing = False
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for letter in self._playing:
            self.is_playing = letter == "#"
            yield VOICE

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("playing", "hangover_ms", "muted"),
    [
        ("......", 200, "......"),
        ("..##....", 0, "..##...."),
        ("..##....", 40, "..####.."),
        ("..##....", 50, "..#####."),  # a hangover that ends within a frame takes the whole of it
        ("#.#...#.", 20, "####..##"),
        ("##########", 20, "##########"),
    ],
)
async def test_frames_are_silent_while_it_plays_and_a_little_longer(
    playing: str, hangover_ms: int, muted: str
) -> None:
    room = Room(playing)
    guard = EchoGuard(room, room, hangover_ms=hangover_ms)
    frames = [frame async for frame in guard]
    assert "".join("." if frame == VOICE else "#" for frame in frames) == muted
    assert all(frame in (VOICE, bytes(640)) for frame in frames)
    assert guard.muted_ms == 20 * muted.count("#")


async def test_it_is_the_source_in_all_else() -> None:
    room = Room("")
    guard = EchoGuard(room, room)
    assert isinstance(guard, AudioSource)
    assert (guard.sample_rate, guard.channels) == (16_000, 1)
    await guard.aclose()
    assert room.closed


def test_a_negative_hangover_is_refused() -> None:
    with pytest.raises(ConfigError, match="hangover_ms=-1"):
        EchoGuard(Room(""), Room(""), hangover_ms=-1)

"""The tools that ``duologue talk`` brings when none are given: they invent, and reach no network."""

from __future__ import annotations

import zlib
from datetime import datetime

from duologue.tools import function_tool

__all__ = ["DEMO_TOOLS", "get_time", "get_weather", "set_timer"]

_SKIES = ("sunny", "cloudy", "foggy", "rainy", "windy")


@function_tool
async def get_weather(city: str) -> str:
    """Current weather for a city.

    Args:
        city: Name of the city.
    """
    drawn = zlib.crc32(city.strip().lower().encode())
    return f"It is {_SKIES[drawn % len(_SKIES)]} and {5 + drawn // 7 % 20} degrees in {city}."


@function_tool
async def get_time() -> str:
    """Current local time of day."""
    return f"It is {datetime.now().astimezone():%H:%M}."


@function_tool
async def set_timer(minutes: int) -> str:
    """Set a timer.

    Args:
        minutes: How many minutes from now.
    """
    return f"The timer is set for {minutes} minute{'' if minutes == 1 else 's'}."


DEMO_TOOLS = (get_weather, get_time, set_timer)

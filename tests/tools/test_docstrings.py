"""Three styles of docstring say the same to the model."""

from dataclasses import dataclass
from typing import Any, TypedDict

import pytest

from duologue.tools import function_tool


def google_style(city: str, days: int, unit: str = "c") -> None:
    """Look into the future.

    Slowly: it may take
    a minute.

    Args:
        city (str): Where,
            in English.
        days: How far.
        unit (str, optional): Of the temperature. Defaults to "c".

    Returns:
        Nothing the model should know.

    Raises:
        ValueError: Never.

    Example:
        >>> google_style("Bonn", 1)
    """


def numpy_style(city: str, days: int, unit: str = "c") -> None:
    """Look into the future.

    Slowly: it may take
    a minute.

    Parameters
    ----------
    city : str
        Where,
        in English.
    days : int
        How far.
    unit : {"c", "f"}, optional
        Of the temperature. Defaults to "c".

    Returns
    -------
    None
        Nothing the model should know.

    Raises
    ------
    ValueError
        Never.
    """


def rest_style(city: str, days: int, unit: str = "c") -> None:
    """Look into the future.

    Slowly: it may take
    a minute.

    :param str city: Where,
        in English.
    :param days: How far.
    :type days: int
    :param unit: Of the temperature. Defaults to "c".
    :returns: Nothing the model should know.
    :raises ValueError: Never.
    """


@pytest.mark.parametrize("function", [google_style, numpy_style, rest_style])
def test_the_three_styles_say_the_same(function: Any) -> None:
    declared = function_tool(function).declaration()
    assert declared["description"] == "Look into the future.\n\nSlowly: it may take\na minute."
    assert declared["parameters"] == {
        "type": "OBJECT",
        "properties": {
            "city": {"type": "STRING", "description": "Where, in English."},
            "days": {"type": "INTEGER", "description": "How far."},
            "unit": {"type": "STRING", "description": 'Of the temperature. Defaults to "c".'},
        },
        "required": ["city", "days"],
    }


def test_numpy_describes_several_at_once() -> None:
    @function_tool
    def move(x: int, y: int) -> None:
        """Move.

        Parameters
        ----------
        x, y : int
            In metres.
        """

    properties = move.declaration()["parameters"]["properties"]
    assert [part["description"] for part in properties.values()] == ["In metres.", "In metres."]


@dataclass
class GooglePlace:
    """A place.

    Attributes:
        street: With the number.
    """

    street: str


@dataclass
class NumpyPlace:
    """A place.

    Attributes
    ----------
    street : str
        With the number.
    """

    street: str


class RestPlace(TypedDict):
    """A place.

    :param street: With the number.
    """

    street: str


@pytest.mark.parametrize("place", [GooglePlace, NumpyPlace, RestPlace])
def test_records_are_described_by_their_own_docstrings(place: Any) -> None:
    def go(to: Any) -> None: ...

    go.__annotations__["to"] = place
    assert function_tool(go).declaration()["parameters"]["properties"]["to"] == {
        "type": "OBJECT",
        "description": "A place.",
        "properties": {"street": {"type": "STRING", "description": "With the number."}},
        "required": ["street"],
    }


def test_the_parameters_own_words_come_before_its_types() -> None:
    @function_tool
    def go(to: GooglePlace) -> None:
        """Go.

        Args:
            to: The aim.
        """

    described = go.declaration()["parameters"]["properties"]["to"]["description"]
    assert described == "The aim. A place."


def test_a_docstring_without_sections_or_none_at_all() -> None:
    def silent(x: int) -> None: ...

    def plain(x: int) -> None:
        """Say: no more than this."""

    assert function_tool(silent).declaration()["description"] == ""
    assert function_tool(plain).declaration()["description"] == "Say: no more than this."

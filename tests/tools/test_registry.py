import pytest

from duologue.errors import ConfigError
from duologue.tools import FunctionTool, Registry, function_tool


def now() -> str:
    """Tell the time."""
    return "noon"


def later(hours: int) -> str:
    """Tell a later time."""
    return f"noon + {hours}"


def test_tools_and_plain_functions_in_order() -> None:
    declared = function_tool(later)
    registry = Registry([now, declared])
    assert [declaration["name"] for declaration in registry.declarations()] == ["now", "later"]
    assert registry.get("later") is declared
    assert isinstance(registry.get("now"), FunctionTool)
    assert registry.get("never") is None
    assert len(registry) == 2


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="two tools are called 'now'"):
        Registry([now, function_tool(name="now")(later)])


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"tools\[0\] is 42; give functions"):
        Registry([42])  # type: ignore[list-item]  # the point of the test


def test_more_than_the_service_takes_are_refused() -> None:
    tools = [function_tool(name=f"tool_{number}")(now) for number in range(513)]
    assert len(Registry(tools[:512])) == 512
    with pytest.raises(ConfigError, match="513 tools are too many"):
        Registry(tools)

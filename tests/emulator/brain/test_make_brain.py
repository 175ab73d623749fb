from typing import Any

import pytest

from duologue.emulator.brain import FunctionBrain, make_brain
from duologue.emulator.brain.demo import DemoBrain
from duologue.emulator.protocols import Brain, Call, Entry, Prompt, Reply
from duologue.errors import ConfigError

PROMPT = Prompt("", (Entry("user", "hello"),))


@pytest.mark.parametrize("spec", [None, "demo"])
def test_the_demo_brain_is_the_default(spec: str | None) -> None:
    brain = make_brain(spec)
    assert isinstance(brain, DemoBrain)
    assert isinstance(brain, Brain)


async def test_functions_of_both_kinds_become_brains() -> None:
    async def slowly(prompt: Prompt) -> Reply:
        return Reply(prompt.history[-1].text, (Call("f", {}),))

    assert await make_brain(lambda prompt: prompt.history[-1].text.upper()).think(PROMPT) == Reply("HELLO")
    assert await make_brain(slowly).think(PROMPT) == Reply("hello", (Call("f", {}),))
    await make_brain(slowly).aclose()


async def test_a_function_that_returns_something_else_is_named() -> None:
    def forgetful(prompt: Prompt) -> Any:
        return None

    with pytest.raises(ConfigError, match="'forgetful' returned NoneType"):
        await make_brain(forgetful).think(PROMPT)


def test_a_brain_is_returned_as_it_is() -> None:
    brain = FunctionBrain(lambda prompt: "x")
    assert make_brain(brain) is brain


@pytest.mark.parametrize("spec", ["", "demon", "scripted", "scripted:", "openai"])
def test_an_unknown_name_lists_what_there_is(spec: str) -> None:
    with pytest.raises(ConfigError, match=r"'demo' or 'scripted:FILE'"):
        make_brain(spec)


def test_two_brains_are_one_too_many() -> None:
    with pytest.raises(ConfigError, match="one of them"):
        make_brain("demo", url="http://127.0.0.1:1/v1")


def test_no_function_at_all() -> None:
    with pytest.raises(ConfigError, match="not int"):
        make_brain(3)  # type: ignore[arg-type]  # what a careless caller does

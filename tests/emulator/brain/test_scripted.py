import pytest

from duologue.emulator.brain import make_brain
from duologue.emulator.brain.scripted import ScriptedBrain
from duologue.emulator.protocols import Brain, Call, Entry, Prompt, Reply
from duologue.errors import ConfigError

SCRIPT = r"""
fallback = "No line."

[[reply]]
say = "first"
thought = "**One**"

[[reply]]
match = "Weather"
say = "One moment."
[[reply.call]]
name = "get_weather"
args = {city = "London", days = 2}

[[reply]]
match = '/^(bye|good night)\b/'
say = "Goodbye!"

[[reply]]
say = "second"

[[reply]]
after_result = "get_weather"
match = "fog"
say = "Careful, {result}"

[[reply]]
after_result = "*"
say = "Got {result}"
"""


async def think(*history: Entry) -> Reply:
    return await ScriptedBrain(SCRIPT).think(Prompt("", history))


def user(text: str) -> Entry:
    return Entry("user", text)


async def test_ordered_rules_follow_the_history_and_then_fall_back() -> None:
    assert await think(user("a")) == Reply("first", thought="**One**")
    assert (await think(user("a"), Entry("model", "first"), user("b"))).text == "second"
    assert (await think(user("a"), user("b"), user("c"))).text == "No line."


async def test_a_matching_rule_uses_up_no_ordered_one() -> None:
    reply = await think(user("a"), user("what's the WEATHER?"))
    assert reply == Reply("One moment.", (Call("get_weather", {"city": "London", "days": 2}),))
    assert (await think(user("a"), user("the weather"), user("b"))).text == "second"


@pytest.mark.parametrize(
    ("said", "text"),
    [("Bye now", "Goodbye!"), ("good night", "Goodbye!"), ("byes", "first"), ("lullaby bye", "first")],
)
async def test_slashes_make_a_regular_expression(said: str, text: str) -> None:
    assert (await think(user(said))).text == text


@pytest.mark.parametrize(
    ("tool", "result", "text"),
    [
        ("get_weather", {"output": "fog in town"}, "Careful, fog in town"),
        ("get_weather", {"output": "sun"}, "Got sun"),
        ("other", {"result": [1, 2]}, "Got [1, 2]"),
        ("other", {"error": "fog"}, "Got fog"),
        ("other", {"a": 1}, 'Got {"a": 1}'),
    ],
)
async def test_results_are_matched_by_tool_and_text(tool: str, result: dict[str, object], text: str) -> None:
    reply = await think(user("a"), Entry("result", call=Call(tool, {}), result=result))
    assert reply.text == text


async def test_an_instruction_is_answered_like_a_user_and_the_model_is_not() -> None:
    assert (await think(Entry("instruction", "Greet"))).text == "first"
    assert await think(Entry("model", "hi")) == Reply()
    assert (await think()).text == "No line."


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("fallbak = 'x'", ["'fallbak'", "fallback, reply"]),
        ("[[reply]]\nsays = 'x'", ["'reply[0].says'", "after_result, call, match, say, thought"]),
        ("[[reply]]\n[[reply.call]]\nname = 'x'\narg = {}", ["'reply[0].call.arg'", "args, name"]),
        ("[[reply]]\n[[reply.call]]\nargs = {}", ["reply[0].call", "name"]),
        ("[[reply]]\n[[reply.call]]\nname = 'x'\nargs = 3", ["reply[0].call", "table"]),
        ("[[reply]]\nsay = 3", ["'reply[0].say'", "int"]),
        ("reply = 3", ["'reply'", "tables"]),
        ("reply = [3]", ["'reply'", "tables"]),
        ("[[reply]]\nmatch = '/(/'", ["'reply[0].match'", "regular expression"]),
        ("[[reply]", ["not TOML"]),
    ],
)
def test_a_bad_script_is_named_with_file_and_key(script: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        ScriptedBrain(script, source="lines.toml")
    for word in ["lines.toml", *words]:
        assert word in str(error.value)


async def test_make_brain_reads_a_script_from_a_file(tmp_path) -> None:  # type: ignore[no-untyped-def]  # pytest's path
    file = tmp_path / "a:b.toml"
    file.write_text("[[reply]]\nsay = 'hi'\n", "utf-8")
    brain = make_brain(f"scripted:{file}")
    assert isinstance(brain, Brain)
    assert (await brain.think(Prompt("", (user("x"),)))).text == "hi"
    await brain.aclose()
    with pytest.raises(ConfigError, match=r"missing\.toml cannot be read"):
        make_brain(f"scripted:{tmp_path / 'missing.toml'}")
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="cannot be read"):
        make_brain(f"scripted:{file}")

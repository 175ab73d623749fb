"""The demo brain, table by table: what is heard, as a recogniser writes it, and what must come of it."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duologue.emulator.brain import demo, words
from duologue.emulator.brain.demo import DemoBrain
from duologue.emulator.protocols import Call, Entry, Prompt, Reply, ToolSpec

STRING, NUMBER, INTEGER, FLAG = (
    {"type": "STRING"},
    {"type": "number"},
    {"type": "INTEGER"},
    {"type": "boolean"},
)


def tool(
    name: str, description: str, required: list[str] | None = None, /, **properties: Mapping[str, Any]
) -> ToolSpec:
    names = list(properties) if required is None else required
    return ToolSpec(name, description, {"type": "OBJECT", "properties": properties, "required": names})


WEATHER = tool("get_weather", "Current weather for a city.", city=STRING)
TOOLS = (
    WEATHER,
    tool("book_table", "Book a table in the restaurant.", guests=INTEGER, time=STRING),
    tool(
        "set_light",
        "Switch the light of a room on or off.",
        room={"type": "STRING", "enum": ["kitchen", "bedroom", "living_room"]},
        on=FLAG,
    ),
    tool("get_stock_price", "Latest price of a stock.", ticker=STRING),
    tool("add_numbers", "Add two numbers.", a=NUMBER, b=NUMBER),
    tool("convert_currency", "Convert money to another currency.", amount=NUMBER, **{"from": STRING, "to": STRING}),
    tool("search_contacts", "Search the address book.", **{"name": STRING}),
    tool("send_message", "Send a message to someone.", to=STRING, text=STRING),
    tool("find_flights", "Find flights between cities.", ["origin", "destination"], origin=STRING, destination=STRING, date=STRING),
    tool("add_to_shopping_list", "Put items on the list.", items={"type": "ARRAY", "items": STRING}),
    tool("setVolume", "Set the volume of the speaker.", level={"type": "INTEGER", "description": "0 to 100"}),
)  # fmt: skip
COLOURS = "teal red blue green yellow orange purple pink brown black white gray silver gold navy maroon olive cyan magenta beige"
CITIES = """London;Paris;Rome;Oslo;Madrid;Berlin;Tokyo;Cairo;Lisbon;Vienna;Dublin;Prague;Athens;Warsaw;New York;
San Francisco;Rio de Janeiro;Buenos Aires;Cape Town;Mexico City"""
PETS = "parrot cat dog hamster rabbit turtle goldfish snake lizard pony goat duck ferret mouse gecko canary frog pig horse hedgehog"
NUMBERS = """3 seven 11 twelve 13 17 nineteen 21 23 27 33 42 forty-four 56 64 seventy 77 88 99 105"""


def think(*history: Entry | str, tools: tuple[ToolSpec, ...] = TOOLS, instructions: str = "") -> Reply:
    entries = tuple(Entry("user", item) if isinstance(item, str) else item for item in history)
    return asyncio.run(DemoBrain().think(Prompt(instructions, entries, tools)))


def say(text: str, *, interrupted: bool = False) -> Entry:
    return Entry("model", text, interrupted=interrupted)


def calls(reply: Reply) -> list[tuple[str, dict[str, Any]]]:
    return [(call.name, dict(call.args)) for call in reply.calls]


def test_the_whole_demo_brain_is_at_most_300_lines() -> None:
    files = [Path(demo.__file__), Path(words.__file__)]
    assert len(files[0].read_text("utf-8").splitlines()) <= 300
    assert sum(bool(line.strip()) for file in files for line in file.read_text("utf-8").splitlines()) <= 300


# -- facts ------------------------------------------------------------------------------------------------------------

TOLD = [
    ("My favourite colour is teal.", "What is my favourite colour?", "teal"),
    ("My favourite colour is teal.", "what's my favorite color", "teal"),
    ("My favorite color is Teal", "What was my favourite colour again?", "Teal"),
    ("My favorite color's teal.", "Do you know my favorite color?", "teal"),
    ("Teal is my favourite colour.", "Which colour do I like best?", "teal"),
    ("Well, um, my favourite colour, by the way, is teal.", "Tell me my favourite colour, please.", "teal"),
    ("Please remember that my favourite colour is teal.", "Do you remember my favourite colour?", "teal"),
    ("Hello! My favourite colour is teal, okay?", "And what is my favourite colour?", "teal"),
    ("My favorite food is pasta with pesto.", "What's my favorite food?", "pasta with pesto"),
    ("My lucky number is 42.", "What is my lucky number?", "42"),
    ("My lucky number is forty two.", "Do you remember what my lucky number was?", "42"),
    ("my lucky number is forty-two and I live in Lisbon", "what is my lucky number", "42"),
    ("my lucky number is forty-two and I live in Lisbon", "where do i live", "Lisbon"),
    ("I have a pet parrot.", "What pet do I have?", "parrot"),
    ("I've got a pet parrot.", "What kind of pet do I have?", "parrot"),
    ("My pet is a parrot.", "What kind of animal is my pet?", "parrot"),
    ("My pet is a parrot called Kiwi.", "What is my parrot called?", "Kiwi"),
    ("I have a parrot.", "What pet do I have?", "parrot"),
    ("I have a dog named Rex.", "What's my dog's name?", "Rex"),
    ("My dog's name is Rex.", "What is my dog called?", "Rex"),
    ("The name of my dog is Rex.", "What is the name of my dog?", "Rex"),
    ("My dog is called Rex.", "What's my dog's name?", "Rex"),
    ("Hello, my name is Marcelo.", "Do you remember my name?", "Marcelo"),
    ("Hi there, I'm Marcelo.", "What's my name?", "Marcelo"),
    ("You can call me Marcelo.", "Who am I?", "Marcelo"),
    ("My name's Marcelo.", "what is my name", "Marcelo"),
    ("I live in Lisbon.", "Which city do I live in?", "Lisbon"),
    ("I'm from Lisbon.", "Where am I from?", "Lisbon"),
    ("I am 42 years old.", "How old am I?", "42"),
    ("My birthday is on March 3rd.", "When is my birthday?", "March 3rd"),
    ("My favourite colour is red. My favourite colour is teal.", "What is my favourite colour?", "teal"),
    ("My favourite colour is teal.", "Is my favorite color teal?", "Yes"),
    ("My favourite colour is teal.", "Is my favorite color red?", "No"),
    ("hello my name is marcelo", "do you remember my name", "Marcelo"),
    ("My favorite number is 1,234.", "What is my favorite number?", "1234"),
    ("I own a parrot.", "What pet do I own?", "parrot"),
    ("What is your name? My sister’s name is Anna.", "What is my sister's name?", "Anna"),
]  # fmt: skip


@pytest.mark.parametrize(("told", "asked", "answer"), TOLD)
@pytest.mark.parametrize("tools", [(), TOOLS], ids=["bare", "tools"])
def test_a_fact_is_acknowledged_and_remembered(
    told: str, asked: str, answer: str, tools: tuple[ToolSpec, ...]
) -> None:
    first = think(told, tools=tools)
    assert first.text
    assert not first.calls
    reply = think(told, say(first.text), "How are you?", say("Well."), asked, tools=tools)
    assert answer.lower() in reply.text.lower()
    assert not reply.calls
    assert reply.thought.startswith("**")


@pytest.mark.parametrize(
    ("told", "asked", "words"),
    [
        ("", "What is my favourite colour?", "not told me your favourite colour"),
        ("", "Do you remember my name?", "not told me your name"),
        ("", "Who am I?", "not told me your name"),
        ("", "What pet do I have?", "not told me"),
        ("My name is Marcelo.", "What is my dog's name?", "not told me your dog's name"),
        ("My dog's name is Rex.", "What is my name?", "not told me your name"),
        ("My favourite colour is teal.", "What is my favourite food?", "not told me your favourite food"),
    ],
)
def test_what_was_never_told_is_not_made_up(told: str, asked: str, words: str) -> None:
    assert words in think(*((told, say("Fine.")) if told else ()), asked).text


def test_the_latest_telling_wins() -> None:
    history = (
        "My favorite color is teal.",
        say("Fine."),
        "No, actually my favourite colour is red.",
        say("Fine."),
    )
    assert "red" in think(*history, "What is my favourite colour?").text
    assert "teal" not in think(*history, "What is my favourite colour?").text


@pytest.mark.parametrize("turn", range(20))
def test_the_scene_with_any_colour_city_and_third_fact(turn: int) -> None:
    """Every colour meets every city and every third fact: 400 conversations."""
    pets, numbers, cities = PETS.split(), NUMBERS.split(), CITIES.replace("\n", "").split(";")
    for index, colour in enumerate(COLOURS.split()):
        city, pet, number = cities[index - turn], pets[index - turn], numbers[index - turn]
        spelling = "favourite colour" if turn % 2 else "favorite color"
        opening = f"Hello! My {spelling} is {colour}."
        third = f"I have a pet {pet}." if turn % 3 else f"My lucky number is {number}."
        history: list[Entry | str] = [
            opening,
            say("Hello!"),
            third,
            say("Fine."),
            f"What is the weather like in {city}?",
        ]
        assert calls(think(*history)) == [("get_weather", {"city": city})]
        call = Call("get_weather", {"city": city})
        result = Entry("result", call=call, result={"output": f"It is foggy and 12 degrees in {city}."})
        history += [Entry("call", call=call), result]
        assert think(*history).text == f"It is foggy and 12 degrees in {city}."
        history += [
            say("It is foggy."),
            "Tell me a long story about the sea.",
            say("Let me tell you ab", interrupted=True),
        ]
        assert colour in think(*history, "What is my favourite colour?").text
        asked = "What kind of pet do I have?" if turn % 3 else "What is my lucky number?"
        wanted = pet if turn % 3 else {"seven": "7", "twelve": "12", "nineteen": "19", "forty-four": "44", "seventy": "70"}.get(number, number)  # fmt: skip
        assert wanted in think(*history, asked).text


# -- tools ------------------------------------------------------------------------------------------------------------

CALLED: list[tuple[str, list[tuple[str, dict[str, Any]]]]] = [
    ("What is the weather in London?", [("get_weather", {"city": "London"})]),
    ("what's the weather like in london", [("get_weather", {"city": "London"})]),
    ("How's the weather in New York today?", [("get_weather", {"city": "New York"})]),
    ("Hello! Could you tell me the weather for San Francisco, please?", [("get_weather", {"city": "San Francisco"})]),
    ("Will it rain in Rio de Janeiro tomorrow?", [("get_weather", {"city": "Rio de Janeiro"})]),
    ("London weather, please.", [("get_weather", {"city": "London"})]),
    ("What's the weather in London and Paris?", [("get_weather", {"city": "London"}), ("get_weather", {"city": "Paris"})]),
    ("Book a table for four people at 7 pm.", [("book_table", {"guests": 4, "time": "7 pm"})]),
    ("I'd like to reserve a table for 2 at 19:30.", [("book_table", {"guests": 2, "time": "19:30"})]),
    ("Can you book a table at seven p.m. for twelve guests?", [("book_table", {"guests": 12, "time": "7 pm"})]),
    ("Turn on the kitchen light.", [("set_light", {"room": "kitchen", "on": True})]),
    ("Please switch off the light in the living room.", [("set_light", {"room": "living_room", "on": False})]),
    ("Bedroom lamp off, please.", [("set_light", {"room": "bedroom", "on": False})]),
    ("What's the stock price of Apple?", [("get_stock_price", {"ticker": "Apple"})]),
    ("How much is AAPL stock?", [("get_stock_price", {"ticker": "AAPL"})]),
    ("What is 3 plus 4?", [("add_numbers", {"a": 3, "b": 4})]),
    ("Add twelve and two point five.", [("add_numbers", {"a": 12, "b": 2.5})]),
    ("Convert 100 dollars to euros.", [("convert_currency", {"amount": 100, "from": "dollars", "to": "euros"})]),
    ("Convert twenty US dollars into Japanese yen.", [("convert_currency", {"amount": 20, "from": "US dollars", "to": "Japanese yen"})]),
    ("How much is two hundred and fifty pounds in euros?", [("convert_currency", {"amount": 250, "from": "pounds", "to": "euros"})]),
    ("Find Alice in my contacts.", [("search_contacts", {"name": "Alice"})]),
    ("Do I have a contact named John Smith?", [("search_contacts", {"name": "John Smith"})]),
    ("Send a message to Bob saying I will be late.", [("send_message", {"to": "Bob", "text": "I will be late"})]),
    ("Find flights from Paris to Rome tomorrow.", [("find_flights", {"origin": "Paris", "destination": "Rome", "date": "tomorrow"})]),
    ("Find a flight to Oslo from Berlin.", [("find_flights", {"origin": "Berlin", "destination": "Oslo"})]),
    ("Add milk, eggs and bread to the shopping list.", [("add_to_shopping_list", {"items": ["milk", "eggs", "bread"]})]),
    ("Set the volume to thirty.", [("setVolume", {"level": 30})]),
    ("Turn on the bedroom light and tell me the weather in Oslo.", [("set_light", {"room": "bedroom", "on": True}), ("get_weather", {"city": "Oslo"})]),
]  # fmt: skip


@pytest.mark.parametrize(("heard", "wanted"), CALLED)
def test_a_request_becomes_calls(heard: str, wanted: list[tuple[str, dict[str, Any]]]) -> None:
    assert calls(think(heard)) == wanted


@pytest.mark.parametrize(("heard", "wanted"), [case for case in CALLED if len(case[1]) == 1])
def test_a_tool_is_found_when_it_is_the_only_one(
    heard: str, wanted: list[tuple[str, dict[str, Any]]]
) -> None:
    only = tuple(tool for tool in TOOLS if tool.name == wanted[0][0])
    assert calls(think(heard, tools=only)) == wanted


@pytest.mark.parametrize(
    "heard",
    [
        "Hello.",
        "How are you today?",
        "Thank you very much.",
        "Goodbye!",
        "Nice weather today.",
        "The weather is lovely.",
        "I like the light in here.",
        "What can you do?",
        "Who are you?",
        "Yes.",
        "No, thanks.",
        "Tell me a long story about the weather.",
        "That was a good message.",
        "Can you hear me?",
        "Say that again.",
    ],
)
def test_small_talk_calls_nothing_and_is_answered(heard: str) -> None:
    reply = think(heard)
    assert reply.text
    assert not reply.calls


@pytest.mark.parametrize(
    ("said", "question", "answer", "wanted"),
    [
        ("What's the weather like?", "Which city, please?", "London.", ("get_weather", {"city": "London"})),
        ("What's the weather?", "Which city, please?", "in london please", ("get_weather", {"city": "London"})),
        ("Is it cold outside?", "Which city, please?", "Um, San Francisco.", ("get_weather", {"city": "San Francisco"})),
        ("Turn on the light.", "Which room, please: kitchen, bedroom or living room?", "The kitchen.", ("set_light", {"room": "kitchen", "on": True})),
        ("The kitchen light, please.", "Which on, please: yes or no?", "Off.", ("set_light", {"room": "kitchen", "on": False})),
        ("Book a table at noon.", "How many guests, please?", "Four.", ("book_table", {"guests": 4, "time": "noon"})),
        ("I want to book a table.", "How many guests, please?", "For four people at 8 pm.", ("book_table", {"guests": 4, "time": "8 pm"})),
        ("What's the stock price?", "Which ticker, please?", "Apple.", ("get_stock_price", {"ticker": "Apple"})),
    ],
)  # fmt: skip
def test_a_missing_argument_is_asked_for(
    said: str, question: str, answer: str, wanted: tuple[str, Any]
) -> None:
    first = think(said)
    assert (first.text, first.calls) == (question, ())
    assert calls(think(said, say(first.text), answer)) == [wanted]


def test_two_missing_arguments_are_asked_for_in_turn() -> None:
    history = ("I want to book a table.", say("How many guests, please?"), "Four.")
    assert think(*history).text == "Which time, please?"
    assert calls(think(*history, say("Which time, please?"), "At seven.")) == [
        ("book_table", {"guests": 4, "time": "7"})
    ]


def test_a_question_cut_by_barge_in_is_still_answered() -> None:
    history = ("What's the weather?", say("Which ci", interrupted=True))
    assert calls(think(*history, "London.")) == [("get_weather", {"city": "London"})]


@pytest.mark.parametrize(
    ("heard", "words"),
    [("Never mind.", "All right"), ("What is my name?", "not told me your name"), ("My name is Bob.", "Bob")],
)
def test_something_else_than_an_answer_is_taken_as_such(heard: str, words: str) -> None:
    reply = think("What's the weather?", say("Which city, please?"), heard)
    assert words in reply.text
    assert not reply.calls


@pytest.mark.parametrize(
    "heard", ["What about Paris?", "And Paris?", "And in Paris?", "How about Paris, please?"]
)
def test_a_follow_up_uses_the_tool_again(heard: str) -> None:
    call = Call("get_weather", {"city": "London"})
    done = (Entry("call", call=call), Entry("result", call=call, result={"output": "Fog."}), say("Fog."))
    assert calls(think("What's the weather in London?", *done, heard)) == [("get_weather", {"city": "Paris"})]


@pytest.mark.parametrize("heard", ["Goodbye!", "Please hang up.", "Okay, bye bye."])
def test_a_declared_way_to_hang_up_is_taken(heard: str) -> None:
    assert calls(think(heard, tools=(tool("end_call", "Hang up."), WEATHER))) == [("end_call", {})]


def test_a_fact_and_a_request_in_one_breath() -> None:
    reply = think("Hello, my name is Bob. What is the weather in Rome?")
    assert "Bob" in reply.text
    assert calls(reply) == [("get_weather", {"city": "Rome"})]


# -- results ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"output": "It is foggy in London."}, "It is foggy in London."),
        ({"result": "all fine"}, "All fine."),
        ({"output": 7}, "The answer is 7."),
        ({"output": 7.5}, "The answer is 7.5."),
        ({"output": {"city": "Oslo", "temperature_c": -3}}, "City is Oslo and temperature c is -3."),
        ({"city": "Oslo", "sunny": True}, "City is Oslo and sunny is yes."),
        ({"output": ["milk", "eggs", "bread"]}, "milk, eggs and bread"),
        ({"output": list(range(20))}, "12 more"),
        ({"output": None}, "Done."),
        ({"output": True}, "Done."),
        ({"output": []}, "I found nothing."),
        ({"error": "City not found"}, "I am sorry, get weather did not work: City not found."),
        ({"error": {"code": 5}}, "code is 5"),
        ({}, "Done."),
        ({"output": 1}, "The answer is 1."),
    ],
)
def test_a_result_is_read_out(result: dict[str, Any], words: str) -> None:
    call = Call("get_weather", {"city": "Oslo"})
    reply = think(
        "What's the weather in Oslo?", Entry("call", call=call), Entry("result", call=call, result=result)
    )
    assert words in reply.text
    assert not reply.calls


def test_several_results_are_read_in_order() -> None:
    call = Call("get_weather", {})
    results = [
        Entry("result", call=call, result={"output": text}) for text in ("Rain in Oslo.", "Sun in Rome.")
    ]
    assert (
        think("Weather?", Entry("call", call=call), Entry("call", call=call), *results).text
        == "Rain in Oslo. Sun in Rome."
    )
    late = [Entry("model", "Rain in Oslo."), results[1]]
    assert think("Weather?", results[0], *late).text == "Sun in Rome."


# -- talk -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instructions", "wish", "words"),
    [
        ("", "Greet the caller.", "Hello"),
        ("", "Say hello and offer help", "help"),
        ("You are Ada, a helpful assistant.", "Greet the caller.", "I am Ada."),
        ("Answer in one short sentence.", "Say goodbye.", "Goodbye"),
        ("", 'Say "The line is open."', "The line is open."),
        ("", "Ask the caller for their name.", "your name"),
        ("", "", "What can I do for you?"),
    ],
)
def test_an_instruction_is_followed(instructions: str, wish: str, words: str) -> None:
    assert words in think(Entry("instruction", wish), instructions=instructions).text


def test_the_caller_is_greeted_by_name() -> None:
    assert "Marcelo" in think("Hello, my name is Marcelo.").text
    assert (
        "Marcelo"
        in think("Hello, my name is Marcelo.", say("Hi"), Entry("instruction", "Greet the caller.")).text
    )
    assert "Marcelo" in think("Hello, my name is Marcelo.", say("Hi"), "Goodbye.").text


@pytest.mark.parametrize(
    ("heard", "topic"),
    [
        ("Tell me a long story.", "the sea"),
        ("Please tell me a long story about the old lighthouse.", "the old lighthouse"),
        ("Tell me something long.", "the sea"),
        ("Explain photosynthesis in detail.", "photosynthesis"),
        ("Can you tell me everything about tea?", "tea"),
        ("Give me a long answer about the moon, please.", "the moon"),
    ],
)
def test_a_long_answer_lasts(heard: str, topic: str) -> None:
    reply = think(heard)
    assert len(reply.text.split()) >= 90
    assert topic in reply.text
    assert not reply.calls


def test_small_things() -> None:
    assert "get weather" in think("What can you do?", tools=(WEATHER,)).text
    assert "It is foggy." in think("Hi", say("It is foggy."), "Pardon?").text
    assert "Ada" in think("Who are you?", instructions="You are Ada.").text
    assert think("") == think("  ...") == think() == think(say("Hi")) == Reply()
    assert "Purple monkeys" in think("purple monkeys").text


# -- anything ---------------------------------------------------------------------------------------------------------

WORDS = st.lists(
    st.sampled_from(
        'my i is are have live in what who weather london and two hundred called name pet the favourite colour , . ? { } {x} remember turn on kitchen tell me long book table at for'.split()  # noqa: SIM905
    ),
    max_size=14,
).map(" ".join)  # fmt: skip
TEXT = st.text(max_size=60) | WORDS
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | TEXT, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8)  # fmt: skip
CALL = st.builds(Call, TEXT, st.dictionaries(TEXT, JSON, max_size=2))
ENTRY = st.builds(
    Entry,
    st.sampled_from(["user", "model", "instruction", "call", "result"]),
    TEXT | st.just("Which city, please?"),
    st.none() | CALL,
    st.none() | st.dictionaries(st.sampled_from(["output", "error"]) | TEXT, JSON, max_size=2),
    st.booleans(),
)
SCHEMA = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["STRING", "integer", "NUMBER", "array", "boolean", "object"]) | JSON, "enum": JSON, "items": JSON, "description": JSON}
)  # fmt: skip
PARAMETERS = JSON.filter(lambda value: isinstance(value, dict)) | st.fixed_dictionaries(
    {
        "properties": st.dictionaries(TEXT, SCHEMA, max_size=3) | JSON,
        "required": st.lists(TEXT, max_size=2) | JSON,
    }
)
ANY_TOOL = st.builds(ToolSpec, TEXT, TEXT, PARAMETERS) | st.sampled_from(TOOLS)


@settings(max_examples=300, deadline=None)
@given(TEXT, st.lists(ENTRY, max_size=6), st.lists(ANY_TOOL, max_size=3))
def test_it_never_raises_and_always_says_the_same(
    instructions: str, history: list[Entry], tools: list[ToolSpec]
) -> None:
    prompt = Prompt(instructions, tuple(history), tuple(tools))
    first = asyncio.run(DemoBrain().think(prompt))
    assert first == asyncio.run(DemoBrain().think(prompt))
    last = history[-1] if history else None
    if last and last.role == "user" and any(char.isalnum() for char in last.text):
        assert first.text or first.calls

"""Words that Whisper base hears right when Pico's British voice says them in a short sentence.

Each was tried in four sentences over faint noise ("My favourite colour is ...", "I would like it in
..., please.", "What is the weather like in ...?", "I have a pet ...", "My ... is called Max." and so
on) and heard right in all; ``test_words.py`` tries them again. Whisper writes American English:
it hears "grey" as "gray" and "favourite colour" as "favorite color". Misheard and left out: beige
(beach), plum (plumb), cyan (Sion), orange (or range), maroon, golden, olive; Stockholm, Mumbai,
now and then Vienna (Indiana); now and then rabbit (robot), parrot, canary, ferret, duck (dog), kitten, iguana, budgie, guinea pig, chinchilla.
"""

from __future__ import annotations

COLOURS = (
    "teal",
    "crimson",
    "amber",
    "indigo",
    "scarlet",
    "turquoise",
    "violet",
    "purple",
    "yellow",
    "silver",
    "lavender",
    "emerald",
    "magenta",
    "ivory",
    "coral",
    "navy",
    "ruby",
    "sapphire",
    "bronze",
    "copper",
)

CITIES = (
    "London",
    "Paris",
    "Berlin",
    "Madrid",
    "Munich",
    "Dublin",
    "Lisbon",
    "Athens",
    "Helsinki",
    "Copenhagen",
    "Amsterdam",
    "Brussels",
    "Budapest",
    "Tokyo",
    "Sydney",
    "Toronto",
    "Chicago",
    "Boston",
    "Singapore",
    "Barcelona",
)

PETS = (
    "cat",
    "dog",
    "hamster",
    "goldfish",
    "tortoise",
    "turtle",
    "lizard",
    "snake",
    "pony",
    "donkey",
    "gecko",
    "pigeon",
    "chicken",
    "sheep",
    "monkey",
    "spider",
    "frog",
    "mouse",
    "puppy",
    "hedgehog",
)

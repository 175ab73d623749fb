"""Take heard words apart for the demo brain: stems, numbers, clauses, American and British spelling alike."""

from __future__ import annotations

import re
import tomllib
from functools import partial
from importlib import resources
from typing import Any

LEXICON: dict[str, Any] = tomllib.loads(
    resources.files("duologue.emulator.brain").joinpath("lexicon.toml").read_text("utf-8")
)
IS = {name: re.compile(text, re.IGNORECASE) for name, text in LEXICON["patterns"].items()}
STOP = frozenset(LEXICON["stop"].split())
_NUMBERS = LEXICON["numbers"].split()
_NUMERAL = re.compile(rf"\b(?:{'|'.join(reversed(_NUMBERS)).replace('-', '[ -]')})\b", re.IGNORECASE)


def stem(word: str) -> str:
    """Return what the spellings (British, American) and endings of a word have in common, at most six letters."""
    word = re.sub(r"(?<=[a-z]{3})our", "or", word.lower()).replace("grey", "gray")
    word = re.sub(r"(?<=\w{3})(?:ing|ed|ies|es|s|ly)$", "", re.sub(r"(?<=\w\w)tre$", "ter", word))
    return re.sub(r"(?<=\w\w)[ey]$", "", word)[:6]


def stems(text: str) -> list[str]:
    """Return the stem of every word that carries meaning, in order."""
    words = re.findall(r"[^\W_]+", text.lower().replace("'s", ""))
    return [stem(word) for word in words if word not in STOP]


def plain(name: object) -> str:
    """Return ``get_stockPrice`` as "get stock price"."""
    return re.sub(r"[\W_]+|(?<=[a-z])(?=[A-Z])", " ", str(name)).strip().lower()


def digits(text: str) -> str:
    """Return ``text`` with its numbers in digits: "forty-two" and "1,000" become 42 and 1000."""
    text = _NUMERAL.sub(lambda m: str(_NUMBERS.index(m[0].lower().replace(" ", "-"))), text)
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", re.sub(r"(?<=\d) point (?=\d)", ".", text))
    for scale, word in LEXICON["scales"]:
        scaled = rf"(?i)\b(?:(\d{{1,6}})|an?) {word}(?:(?: and)? (\d{{1,3}})\b)?"
        text = re.sub(scaled, partial(_scale, by=scale), text)
    return re.sub(r"(?<!\d )\b(?:minus|negative) (?=\d)", "-", text)


def _scale(match: re.Match[str], by: int) -> str:
    return str(int(match[1] or 1) * by + int(match[2] or 0))


def split(text: str) -> list[str]:
    """Split what was said (its first 4,000 letters) into parts that each want one thing."""
    text = IS["abbreviation"].sub(
        lambda m: m[0].replace(".", ""), " ".join(text[:4000].replace("’", "'").split())
    )
    return [part for part in IS["border"].split(text) if re.search(r"\w", part)]


def join(parts: list[str], last: str = "and") -> str:
    """Return the parts as one would say them: "a, b and c"."""
    return f" {last} ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def sentence(text: str) -> str:
    """Return ``text`` with a capital first letter and a full stop."""
    return text[:1].upper() + text[1:] + ("" if text[-1:] in ".!?" else ".")

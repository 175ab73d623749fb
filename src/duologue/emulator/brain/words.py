"""Take heard words apart for the demo brain: stems, numbers, clauses, American and British spelling alike."""

from __future__ import annotations

import re
import tomllib
from importlib import resources

LEXICON = tomllib.loads(resources.files(__package__).joinpath("lexicon.toml").read_text("utf-8"))
IS = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in LEXICON["patterns"].items()}
STOP = frozenset(LEXICON["stop"].split())
_UNITS = LEXICON["units"].split()
_NUMBERS = [
    *_UNITS,
    *(f"{ten} {unit}".strip() for ten in LEXICON["tens"].split() for unit in ["", *_UNITS[1:10]]),
]
_NUMERAL = re.compile(rf"\b(?:{'|'.join(reversed(_NUMBERS)).replace(' ', '[ -]')})\b", re.IGNORECASE)
_SCALED = [
    (re.compile(rf"\b(?:(\d{{1,6}})|an?) {w}(?:(?: and)? (\d{{1,3}})\b)?", re.I), n)
    for n, w in LEXICON["scales"]
]


def stem(word: str) -> str:
    """Return what the spellings and endings of a word have in common: at most six letters, lower case."""
    word = re.sub(r"(?<=[a-z]{3})our", "or", word.lower()).replace("grey", "gray")
    word = re.sub(r"(?<=\w{3})(?:ing|ed|ies|es|s|ly)$", "", re.sub(r"(?<=\w\w)tre$", "ter", word))
    return re.sub(r"(?<=\w\w)[ey]$", "", word)[:6]


def stems(text: str) -> list[str]:
    """Return the stem of every word that carries meaning, in order."""
    return [stem(word) for word in re.findall(r"[^\W_]+", text.lower().replace("'s", "")) if word not in STOP]


def split_name(name: str) -> str:
    """Return ``get_stockPrice`` as "get stock price"."""
    return re.sub(r"[\W_]+|(?<=[a-z])(?=[A-Z])", " ", name).strip().lower()


def digits(text: str) -> str:
    """Return ``text`` with its numbers in digits: "forty-two" and "1,000" become 42 and 1000."""
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    text = _NUMERAL.sub(lambda m: str(_NUMBERS.index(m[0].lower().replace("-", " "))), text)
    for pattern, scale in _SCALED:
        text = pattern.sub(lambda m, by=scale: str(int(m[1] or 1) * by + int(m[2] or 0)), text)
    return re.sub(r"(?<!\d )\b(?:minus|negative) (?=\d)", "-", re.sub(r"(?<=\d) point (?=\d)", ".", text))


def clauses(text: str) -> list[str]:
    """Split what was said into parts that each want one thing."""
    text = re.sub(
        r"\b(St|Dr|Mrs?|Ms|[apAP]\.[mM])\.", lambda m: m[1].replace(".", ""), text.replace("’", "'")
    )
    return [part for part in IS["border"].split(" ".join(text.split())) if re.search(r"\w", part)]


def join(parts: list[str], last: str = "and") -> str:
    """Return the parts as one would say them: "a, b and c"."""
    return f" {last} ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def sentence(text: str) -> str:
    """Return ``text`` with a capital first letter and a full stop."""
    text = " ".join(text.split())
    return text[:1].upper() + text[1:] + ("" if not text or text[-1] in ".!?" else ".")

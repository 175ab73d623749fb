"""Choose among the declared tools and fill their arguments for the demo brain, from the declarations alone."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import islice, product
from typing import Any, cast

from duologue.emulator.brain.words import IS, LEXICON, STOP, digits, join, split_name, stem, stems
from duologue.emulator.protocols import Call, ToolSpec

_GENERIC = frozenset(stems(LEXICON["generic"]))
_ALIASES = {
    stem(word): stem(meaning) for meaning, words in LEXICON["aliases"].items() for word in words.split()
}
_PHRASE = r"\b{0} (?:(?:the|an?|my) )?([^\W\d][^,?.!;:]*?)((?:(?:,? and|,) (?-i:[A-Z][\w'-]*(?: [A-Z][\w'-]*)*))*)(?=\s+(?:{1})\b|\s*[,?.!;:]|\s*$)"
_NUMBER = r"(?<![\w.:])-?\d{1,15}(?:\.\d{1,9})?(?![\w:])"


def mapping(value: object) -> Mapping[str, Any]:
    """Return ``value`` if it is a mapping, else an empty one: schemas and results come from strangers."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _listed(value: object) -> list[str]:
    return [str(item) for item in cast("list[object]", value)] if isinstance(value, list | tuple) else []


class _Tool:
    """A declaration, taken apart: what its words are worth (2 in the name, least in parameters' descriptions)."""

    def __init__(self, spec: ToolSpec) -> None:
        table = mapping(spec.parameters)
        self.name, self.verb = spec.name, re.escape(split_name(spec.name).split(" ")[0])
        self.schemas = {
            str(name): mapping(schema) for name, schema in mapping(table.get("properties")).items()
        }
        self.required = [name for name in _listed(table.get("required")) if name in self.schemas]
        fields = [(2.0, split_name(spec.name)), (1.0, spec.description)]
        for name, schema in self.schemas.items():
            fields += [(0.3, str(schema.get("description"))), (0.7, split_name(name))]
            fields += [(1.0, " ".join(_listed(schema.get("enum"))))]
        weights = [
            (key, worth * (0.25 if key in _GENERIC else 1.0)) for worth, text in fields for key in stems(text)
        ]
        self.words = dict(sorted(weights))  # sorted: the greatest weight of a word is the one that stays


def _choose(tools: list[_Tool], text: str) -> _Tool | None:
    """Return the tool that ``text`` asks for: of those over a threshold, the one whose words are rarest (idf)."""
    heard = set(stems(text)) if not IS["remark"].search(text) else set[str]()
    heard |= {_ALIASES[w] for w in heard if w in _ALIASES and not any(w in tool.words for tool in tools)}
    ranked = list[tuple[float, float, int]]()
    for index, words in enumerate(tool.words for tool in tools):
        hits = sorted(heard & words.keys())
        if (
            sum(words[w] for w in hits) >= 1.2
        ):  # one word of the name is enough, one of the description is not
            idf = [math.log((1 + len(tools)) / sum(w in tool.words for tool in tools)) for w in hits]
            ranked.append(
                (-sum(words[w] * i for w, i in zip(hits, idf, strict=True)), sum(words.values()), index)
            )
    return tools[min(ranked)[2]] if ranked else None


def decide(specs: tuple[ToolSpec, ...], request: str, answers: list[str]) -> tuple[list[Call], str]:
    """Return the calls that ``request`` asks for, or the question for what is still missing after ``answers``."""
    tools, calls, answers = [_Tool(spec) for spec in specs], list[Call](), list(answers)
    verbs = "|".join([*LEXICON["generic"].split(), *(tool.verb for tool in tools)])
    for text in re.split(
        rf",? (?:and|then|and then|and also) (?=(?:{verbs}) \w)", request, flags=re.IGNORECASE
    ):
        if tool := _choose(tools, text):
            found = _fill(tool, text, {}, "")
            while missing := [name for name in tool.required if name not in found]:
                if not answers:
                    return [], _question(missing[0], tool.schemas[missing[0]])
                found = _fill(tool, answers.pop(0), found, missing[0])
            names = [name for name in tool.schemas if name in found]
            for values in islice(product(*(found[name] for name in names)), 8):
                calls.append(Call(tool.name, dict(zip(names, values, strict=True))))
    return calls, ""


def _question(name: str, schema: Mapping[str, Any]) -> str:
    words, kind = split_name(name) or "value", str(schema.get("type")).lower()
    options = (
        ["yes", "no"] if kind == "boolean" else [split_name(option) for option in _listed(schema.get("enum"))]
    )
    many = "How many" if words.endswith("s") and kind in ("integer", "number") else "Which"
    return f"{many} {words}, please{': ' if options else ''}{join(options, 'or')}?"


class _Heard:
    """A sentence from which arguments are taken one by one, so that no word is used twice."""

    def __init__(self, text: str, known: set[str]) -> None:
        self.rest, self.known = digits(text), known | _GENERIC

    def take(self, pattern: str, sense: bool = False) -> list[str]:
        """Cut a match out; return those of its groups that took part, or all of it. ``sense``: with a new word."""
        for match in re.finditer(pattern, self.rest, re.IGNORECASE):
            if not sense or any(word not in self.known for word in stems(match[1])):
                self.rest = f"{self.rest[: match.start()]} ; {self.rest[match.end() :]}"
                return [group.strip() for group in match.groups() if group] or [match[0].strip()]
        return []

    def leftover(self, *, names_only: bool) -> list[str]:
        """Return the runs of words that neither English nor the tool's declaration explains, names first."""
        words = [word.removesuffix("'s") for word in re.findall(r"[^\W\d][\w'-]*|\S", self.rest)]
        common = [
            (w.lower() in STOP or stem(w) in self.known) and not (w.isupper() and len(w) > 1) for w in words
        ]
        marks = [";" if dull or not w[0].isalpha() else w for w, dull in zip(words, common, strict=True)]
        runs = [run.strip() for run in " ".join(marks).split(";") if run.strip()]
        names = [run for run in runs if run[0].isupper()]
        return names or ([] if names_only and re.search("[A-Z]", self.rest) else runs)


def _fill(tool: _Tool, text: str, found: dict[str, list[Any]], answering: str) -> dict[str, list[Any]]:
    """Return ``found`` with what ``text`` adds: sure hits first, then, for what is required, what is left over."""
    heard, found = _Heard(text, set(tool.words)), dict(found)
    for loose, (name, schema) in product((False, True), tool.schemas.items()):
        if name not in found and (name in tool.required or not loose):
            got = _values(heard, name, schema, name in tool.required, loose)
            found |= {name: got} if got else {}
    plain, schema = IS["lead_in"].sub("", digits(text)), tool.schemas.get(answering, {})
    if (
        answering not in found
        and plain
        and str(schema.get("type")).lower() == "string"
        and "enum" not in schema
    ):
        found[answering] = [plain]
    return found


def _values(heard: _Heard, name: str, schema: Mapping[str, Any], needed: bool, loose: bool) -> list[Any]:
    """Return what the sentence says for one parameter: several values mean several calls."""
    kind, words, options = str(schema.get("type")).lower(), split_name(name), _listed(schema.get("enum"))
    if options:
        return [
            option for option in options if heard.take(rf"\b{re.escape(split_name(option) or option)}s?\b")
        ]
    if kind == "boolean":
        said = (
            (IS["no"].pattern, IS["yes"].pattern)
            if needed
            else (rf"\b(?:without|no|not) {words}\b", rf"\b{words}\b")
        )
        return [value for value, pattern in zip((False, True), said, strict=True) if heard.take(pattern)][:1]
    if kind in ("integer", "number"):
        near = "|".join(stem(word) for word in split_name(f"{words} {schema.get('description', '')}").split())
        sure = rf"({_NUMBER})(?= (?:{near})\w*)|\b(?:{near})\w* (?:to |of |is )?({_NUMBER})"
        return [
            int(float(n)) if kind == "integer" or "." not in n else float(n)
            for n in heard.take(_NUMBER if loose else sure)
        ]
    if kind == "array":
        return [heard.leftover(names_only=False)] if loose and heard.leftover(names_only=False) else []
    for pattern, shape in LEXICON["shapes"].items():
        if re.search(pattern, words):
            return heard.take(shape)
    role, prepositions = next((p, w) for p, w in LEXICON["prepositions"].items() if re.search(p, words))
    if "saying" in prepositions and (text := heard.take(rf"\b(?:{prepositions}) (.+?)\W*$")):
        return text
    got = list[str]()
    for word in prepositions.split("|") if needed or role else []:
        got = got or heard.take(_PHRASE.format(word, LEXICON["after_value"].replace(" ", "|")), sense=True)
    got = [n for v in got for n in re.split(r",? and |, |^and ", v) if n] or (
        heard.leftover(names_only="city" in role)[:1] if loose else []
    )
    return [
        v.title() if v.islower() and ("city" in role or "name" in role) else v.removesuffix("'s") for v in got
    ]

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
_END = rf"(?=\s+(?:{LEXICON['after_value'].replace(' ', '|')})\b|\s*[,?.!;:]|\s*$)"
_NUMBER = r"(?<![\w.:])-?\d{1,15}(?:\.\d{1,9})?(?![\w:])"


def mapping(value: object) -> Mapping[str, Any]:
    """Return ``value`` if it is a mapping, else an empty one: schemas and results come from strangers."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _listed(schema: Mapping[str, Any], key: str) -> list[str]:
    return (
        [str(item) for item in cast("list[Any]", schema[key])]
        if isinstance(schema.get(key), list | tuple)
        else []
    )


def _properties(tool: ToolSpec) -> dict[str, Mapping[str, Any]]:
    return {
        str(name): mapping(schema)
        for name, schema in mapping(mapping(tool.parameters).get("properties")).items()
    }


def _vocabulary(tool: ToolSpec) -> dict[str, float]:
    fields = [(2.0, split_name(tool.name)), (1.0, tool.description)]
    for name, schema in _properties(tool).items():
        fields += [(0.7, split_name(name)), (0.3, str(schema.get("description")))]
        fields += [(1.0, " ".join(_listed(schema, "enum")))]
    pairs = [
        (key, weight * (0.25 if key in _GENERIC else 1.0)) for weight, text in fields for key in stems(text)
    ]
    return dict(sorted(pairs))  # the last, greatest weight of a stem wins


def choose(tools: tuple[ToolSpec, ...], text: str) -> ToolSpec | None:
    """Return the tool that ``text`` asks for, None for small talk and remarks.

    The threshold is on plain weights: a word of the name is enough, one of the description is not. Tools over it
    are ranked with each word weighed by how few tools share it (idf).
    """
    known = [_vocabulary(tool) for tool in tools]
    heard = set(stems(text)) if not IS["remark"].search(text) else set[str]()
    heard |= {_ALIASES[w] for w in heard if w in _ALIASES and not any(w in words for words in known)}
    ranked = list[tuple[float, float, int]]()
    for index, words in enumerate(known):
        hits = sorted(heard & words.keys())
        rarity = sum(words[w] * math.log((1 + len(tools)) / sum(w in other for other in known)) for w in hits)
        if sum(words[w] for w in hits) >= 1.2:
            ranked.append((-rarity, sum(words.values()), index))
    return tools[min(ranked)[2]] if ranked else None


def decide(tools: tuple[ToolSpec, ...], request: str, answers: list[str]) -> tuple[list[Call], str]:
    """Return the calls that ``request`` asks for, or the question for what is still missing after ``answers``."""
    verbs = "|".join(
        {*LEXICON["generic"].split(), *(re.escape(split_name(tool.name).split(" ")[0]) for tool in tools)}
    )
    calls = list[Call]()
    for text in re.split(
        rf",? (?:and|then|and then|and also) (?=(?:{verbs}) \w)", request, flags=re.IGNORECASE
    ):
        if (tool := choose(tools, text)) is None:
            continue
        found, schemas = _fill(tool, text, {}, ""), _properties(tool)
        while missing := [
            n for n in _listed(mapping(tool.parameters), "required") if n in schemas and n not in found
        ]:
            if not answers:
                return [], _question(missing[0], schemas[missing[0]])
            found = _fill(tool, answers.pop(0), found, missing[0])
        ordered = {name: found[name] for name in schemas if name in found}
        calls += [
            Call(tool.name, dict(zip(ordered, v, strict=True))) for v in islice(product(*ordered.values()), 8)
        ]
    return calls, ""


def _question(name: str, schema: Mapping[str, Any]) -> str:
    words, kind = split_name(name) or "value", str(schema.get("type")).lower()
    options = (
        ["yes", "no"] if kind == "boolean" else [split_name(option) for option in _listed(schema, "enum")]
    )
    many = words.endswith("s") and kind in ("integer", "number")
    return f"{'How many' if many else 'Which'} {words}, please{': ' if options else ''}{join(options, 'or')}?"


class _Heard:
    """A sentence from which arguments are taken one by one, so that no word is used twice."""

    def __init__(self, text: str, tool: ToolSpec) -> None:
        self.rest, self.known = digits(text), _GENERIC | _vocabulary(tool).keys()

    def take(self, pattern: str) -> str | None:
        """Cut the first match out; return the first of its groups that took part, or all of it."""
        if match := re.search(pattern, self.rest, re.IGNORECASE):
            self.rest = f"{self.rest[: match.start()]} ; {self.rest[match.end() :]}"
            return next((group for group in match.groups() if group), match[0]).strip()
        return None

    def phrases(self, prepositions: str) -> list[str]:
        """Cut out the phrase after the best preposition, and the names that follow it ("London and Paris")."""
        for word in prepositions.split("|"):
            for match in re.finditer(
                rf"\b{word} (?:(?:the|an?|my) )?([^\W\d][^,?.!;:]*?){_END}", self.rest, re.I
            ):
                if any(w not in self.known for w in stems(match[1])):
                    more = re.match(
                        r"(?:(?:,? (?:and|or)|,) (?!I\b)[A-Z][\w'-]*(?: [A-Z][\w'-]*)*)*",
                        self.rest[match.end() :],
                    )
                    names = re.split(r",? (?:and|or) |, ", more[0])[1:] if more else []
                    self.rest = f"{self.rest[: match.start()]} ; {self.rest[match.end() :].removeprefix(more[0] if more else '')}"
                    return [match[1].removesuffix("'s"), *names]
        return []

    def leftover(self, *, names_only: bool) -> list[str]:
        """Return the runs of words that neither English nor the tool's declaration explains, names first."""
        runs = [list[str]()]
        for word in re.findall(r"[^\W\d][\w'-]*|\S", self.rest):
            plain = word.removesuffix("'s")
            common = plain.lower() in STOP and not (plain.isupper() and len(plain) > 1)
            free = word[0].isalpha() and not common and stem(plain) not in self.known
            runs = [*runs[:-1], [*runs[-1], plain]] if free else [*runs, []]
        said = [" ".join(run) for run in runs if run]
        return [run for run in said if run[0].isupper()] or (
            [] if names_only and re.search("[A-Z]", self.rest) else said
        )


def _fill(tool: ToolSpec, text: str, found: dict[str, list[Any]], answering: str) -> dict[str, list[Any]]:
    """Return ``found`` with what ``text`` adds: sure hits first, then, for what is required, what is left over."""
    heard, schemas, found = _Heard(text, tool), _properties(tool), dict(found)
    required = _listed(mapping(tool.parameters), "required")
    for loose in (False, True):
        for name in schemas:
            if name not in found and (name in required or not loose):
                got = _values(heard, name, schemas[name], name in required, loose)
                found |= {name: got} if got else {}
    plain, schema = IS["lead_in"].sub("", digits(text)), schemas.get(answering, {})
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
    kind, words, items = str(schema.get("type")).lower(), split_name(name), mapping(schema.get("items"))
    if options := _listed(schema, "enum") or _listed(items, "enum"):
        hits = [
            option for option in options if heard.take(rf"\b{re.escape(split_name(option) or option)}s?\b")
        ]
        return [hits] if hits and kind == "array" else hits
    if kind == "boolean":
        no, yes = (
            (IS["no"].pattern, IS["yes"].pattern)
            if needed
            else (rf"\b(?:without|no|not) {words}\b", rf"\b{words}\b")
        )
        return [False] if heard.take(no) else [True] if heard.take(yes) else []
    if kind in ("integer", "number"):
        near = "|".join(stem(word) for word in split_name(f"{words} {schema.get('description', '')}").split())
        said = heard.take(
            _NUMBER
            if loose
            else rf"({_NUMBER})(?= (?:{near})\w*)|\b(?:{near})\w* (?:to |of |is )?({_NUMBER})"
        )
        return [] if not said else [int(float(said)) if kind == "integer" or "." not in said else float(said)]
    if kind == "array":
        numbers = [
            float(n) for n in re.findall(_NUMBER, heard.rest) if "r" in str(items.get("type")).lower()[-1:]
        ]
        listed: list[Any] = numbers or heard.leftover(names_only=False)
        return [listed] if loose and listed else []
    for pattern, shape in LEXICON["shapes"].items():
        if re.search(pattern, words):
            return [said] if (said := heard.take(shape)) else []
    role, prepositions = next((p, w) for p, w in LEXICON["prepositions"].items() if re.search(p, words))
    if "saying" in prepositions and (said := heard.take(rf"\b(?:{prepositions}) (.+?)\W*$")):
        return [said]
    got = heard.phrases(prepositions) if needed or role else []
    got = got or (heard.leftover(names_only="city" in role)[:1] if loose else [])
    return [v.title() if v.islower() and ("city" in role or "name" in role) else v for v in got]

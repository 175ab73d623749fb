"""The demo brain: small talk, memory and tools out of rules and a lexicon, the same answer every time.

It is no language model and keeps no state: all it knows of the caller is read from the prompt's history, and all
it knows of a tool from its declaration. ``lexicon.toml`` holds its English.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import islice, product, takewhile
from typing import Any, cast

from duologue.emulator.brain.words import IS, LEXICON, STOP, digits, join, plain, sentence, split, stem, stems
from duologue.emulator.protocols import Call, Entry, Prompt, Reply, ToolSpec

_NAME = frozenset({stem("name")})
_GENERIC = frozenset(stems(LEXICON["generic"]))
_ALIASES = {stem(word): stem(to) for to, words in LEXICON["aliases"].items() for word in words.split()}


def _mapping(value: object) -> Mapping[str, Any]:  # schemas and results come from strangers
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _listed(value: object) -> list[Any]:
    return [*cast("list[Any]", value)] if isinstance(value, list | tuple) else []


class _Tool:
    """A declaration, taken apart; ``words``: what each stem is worth, 2 in the name, least in parameters."""

    def __init__(self, spec: ToolSpec) -> None:
        table = _mapping(spec.parameters)
        self.name, properties = spec.name, _mapping(table.get("properties"))
        self.schemas = {str(name): _mapping(schema) for name, schema in properties.items()}
        self.required = [str(name) for name in _listed(table.get("required")) if str(name) in self.schemas]
        texts = [(2.0, plain(spec.name)), (1.0, spec.description), (0.7, plain(" ".join(self.schemas)))]
        for schema in self.schemas.values():
            options = " ".join(map(str, _listed(schema.get("enum"))))
            texts += [(0.3, str(schema.get("description"))), (1.0, options)]
        worths = [(w, worth / (4 if w in _GENERIC else 1)) for worth, text in texts for w in stems(text)]
        self.words = dict(sorted(worths))  # sorted: the greatest worth of a word is the one that stays

    def question(self, name: str) -> str:
        words, kind = plain(name) or "value", str(self.schemas[name].get("type")).lower()
        options = [plain(option) for option in _listed(self.schemas[name].get("enum"))]
        options = ["yes", "no"] if kind == "boolean" else options
        many = "How many" if words.endswith("s") and kind in ("integer", "number") else "Which"
        return f"{many} {words}, please{': ' if options else ''}{join(options, 'or')}?"

    def fill(self, text: str, found: dict[str, list[Any]], answering: str = "") -> dict[str, list[Any]]:
        """Return ``found`` with what ``text`` adds: sure hits first, then what is left over for what is required."""
        heard, found = _Heard(text, {*self.words}), dict(found)
        for loose, (name, schema) in product((False, True), self.schemas.items()):
            if name not in found and (name in self.required or not loose):
                values = heard.values(plain(name), schema, name in self.required, loose)
                found |= {name: values} if values else {}
        schema, bare = self.schemas.get(answering, {}), IS["lead_in"].sub("", digits(text))
        free = bare and str(schema.get("type")).lower() == "string" and "enum" not in schema
        return {answering: [bare], **found} if free else found


def _choose(tools: list[_Tool], text: str) -> _Tool | None:
    """Return the tool ``text`` asks for: of those over a threshold, the one whose words are rarest (idf)."""
    heard = set(stems(text)) if not IS["remark"].search(text) else set[str]()
    heard |= {
        _ALIASES[w] for w in heard if w in _ALIASES and not any(tool.words.get(w, 0) > 1 for tool in tools)
    }
    idf = {w: math.log((1 + len(tools)) / (sum(w in tool.words for tool in tools) or 1)) for w in heard}
    ranked = list[tuple[float, float, int]]()
    for index, words in enumerate(tool.words for tool in tools):
        hits = sorted(heard & words.keys())
        if sum(words[w] for w in hits) >= 1.2:  # a word of the name is enough, one of the description is not
            ranked.append((-sum(words[w] * idf[w] for w in hits), sum(words.values()), index))
    return tools[min(ranked)[2]] if ranked else None


def _decide(specs: tuple[ToolSpec, ...], request: str, answers: list[str]) -> tuple[list[Call], str]:
    """Return the calls that ``request`` asks for, or the question for what is still missing after ``answers``."""
    tools, calls, answers = [_Tool(spec) for spec in specs], list[Call](), [*answers]
    verbs = [*LEXICON["generic"].split(), *(re.escape(plain(tool.name).split(" ")[0]) for tool in tools)]
    for text in re.split(LEXICON["also"].replace("{verbs}", "|".join(verbs)), request, flags=re.IGNORECASE):
        if tool := _choose(tools, text):
            found = tool.fill(text, {})
            while missing := [name for name in tool.required if name not in found]:
                if not answers:
                    return [], tool.question(missing[0])
                found = tool.fill(answers.pop(0), found, missing[0])
            names = [name for name in tool.schemas if name in found]
            combined = islice(product(*(found[name] for name in names)), 8)
            calls += [Call(tool.name, dict(zip(names, values, strict=True))) for values in combined]
    return calls, ""


class _Heard:
    """A sentence from which arguments are taken one by one, so that no word is used twice."""

    def __init__(self, text: str, known: set[str]) -> None:
        self.rest, self.known = digits(text), known | _GENERIC

    def take(self, pattern: str, *, news: bool = False) -> list[str]:
        for match in re.finditer(pattern, self.rest, re.IGNORECASE):
            if not news or {*stems(match[1])} - self.known:
                self.rest = f"{self.rest[: match.start()]} ; {self.rest[match.end() :]}"
                return [group.strip() for group in match.groups() if group] or [match[0].strip()]
        return []

    def leftover(self, *, names_only: bool = False) -> list[str]:
        """Return the runs of words that neither English nor the tool's declaration explains, names first."""
        runs = [""]
        for word in re.findall(r"[^\W\d][\w'-]*|\S", self.rest.replace("'s", "")):
            known = word.lower() in STOP or stem(word) in self.known or not word[0].isalpha()
            free = not known or word[1:].isupper()
            runs = [*runs[:-1], f"{runs[-1]} {word}".strip()] if free else [*runs, ""]
        names = [run for run in runs if run[:1].isupper()]
        return names or ([] if names_only and re.search("[A-Z]", self.rest) else [*filter(None, runs)])

    def values(self, name: str, schema: Mapping[str, Any], needed: bool, loose: bool) -> list[Any]:
        """Return what the sentence says for one parameter: several values mean several calls."""
        kind, number = str(schema.get("type")).lower(), IS["number"].pattern
        if options := _listed(schema.get("enum")):
            return [word for word in options if self.take(rf"\b{plain(word) or re.escape(str(word))}s?\b")]
        if kind == "boolean":
            no, yes = rf"\b(?:without|no|not) {name}\b", rf"\b{name}\b"
            no, yes = (IS["no"].pattern, IS["yes"].pattern) if needed else (no, yes)
            return [False] if self.take(no) else [True] if self.take(yes) else []
        if kind in ("integer", "number"):
            near = "|".join(map(stem, plain(f"{name} {schema.get('description', '')}").split()))
            sure = rf"({number})(?= (?:{near})\w*)|\b(?:{near})\w* (?:to |of |is )?({number})"
            found = [float(value) for value in self.take(number if loose else sure)]
            return [int(value) if kind == "integer" or value.is_integer() else value for value in found]
        if kind == "array":
            return [self.leftover()] if loose and self.leftover() else []
        for pattern, shape in LEXICON["shapes"].items():
            if re.search(pattern, name):
                return self.take(shape)
        role, words = next((r, w) for r, w in LEXICON["prepositions"].items() if re.search(r, name))
        if "saying" in words and (said := self.take(rf"\b(?:{words}) (.+?)\W*$")):
            return said
        phrase, got = LEXICON["phrase"].replace("{after}", LEXICON["after_value"]), list[str]()
        for word in str(words).split("|") if needed or role else ():
            got = got or self.take(phrase.replace("{before}", word), news=True)
        values = [part for text in got for part in re.split(r",? and |, |^and |'s$", text) if part]
        values = values or (self.leftover(names_only="city" in role)[:1] if loose else [])
        return [v.title() if v.islower() and ("city" in role or "name" in role) else v for v in values]


class DemoBrain:
    """A brain (see ``protocols.Brain``) that needs no model and no network."""

    async def think(self, prompt: Prompt) -> Reply:
        """Return the reply to the last entry, a function of the prompt alone; never raises, whatever was heard."""
        last = prompt.history[-1] if prompt.history else Entry("model")
        if last.role == "result":
            recent = takewhile(lambda entry: entry.role in ("call", "result"), reversed(prompt.history))
            said = [_read_out(entry) for entry in recent if entry.role == "result"]
            return Reply(" ".join(reversed(said)), thought="**Reading out the result**")
        wanted = last.role == "instruction" or (last.role == "user" and re.search(r"[^\W_]", last.text))
        return _Turn(prompt, last).reply() if wanted else Reply()

    async def aclose(self) -> None:
        """Do nothing: there is nothing to release."""


class _Turn:
    """One reply in the making: what is known, and what was decided so far."""

    def __init__(self, prompt: Prompt, last: Entry) -> None:
        self.prompt, self.last, self.calls, self.thought = prompt, last, list[Call](), "thinking about it"
        said = [entry.text for entry in prompt.history if entry.role == "model" and entry.text]
        heard = [entry.text for entry in prompt.history if entry.role == "user" and entry.text]
        told = dict(fact for text in heard for part in split(text) for fact in _told(part))
        self.facts = dict(reversed(told.items()))
        name = told.get(_NAME, "").partition(" is ")[2]
        me = IS["me"].search(prompt.instructions)
        tools = f", and use these tools: {join([plain(tool.name) for tool in prompt.tools])}"
        self.slots = {"name": f", {name}" if name else "", "me": me[1] if me else "the demo brain"}
        self.slots |= {"intro": f" I am {me[1]}." if me and not said else "", "last": ["nothing.", *said][-1]}
        self.slots |= {"tools": tools if prompt.tools else "", "heard": ["", "", *heard][-2]}

    def reply(self) -> Reply:
        """Answer clause by clause, having tried the whole as the answer to a question of ours."""
        text, hello = self.last.text, IS["hello"].match(self.last.text)
        if self.last.role == "instruction":
            quoted = IS["quoted"].search(text)
            said = quoted[1] if quoted else self._table("instruction", text) or self._clause(text)
            parts = [said or ("" if self.calls else self._table("instruction", "{else}"))]
        elif not (parts := self._resume()):
            parts = [f"Hello{self.slots['name']}!{self.slots['intro']}"] if hello else []
            answers = dict.fromkeys(map(self._clause, split(IS["hello"].sub("", text))))
            parts += filter(None, answers)
            parts += ["How can I help you?"] if hello and len(parts) == 1 and not self.calls else []
        if not any(parts) and not self.calls:
            parts = [f"I heard: {sentence(text)} I am only a small demo brain; ask me what I can do."]
        return Reply(" ".join(parts).strip(), tuple(self.calls), f"**{sentence(self.thought)[:-1]}**")

    def _clause(self, text: str) -> str:
        """Return what to say to one clause and add the calls it asks for; "" where nothing fits."""
        if IS["long"].search(text):
            self.thought, topic = "telling a long story", IS["topic"].search(text)
            return " ".join(LEXICON["long"]["story"].format(topic=topic[1] if topic else "the sea").split())
        if told := _told(text):
            self.thought = f"remembering {told[0][1].split(' is ')[0]}"
            met = f"Nice to meet you{'' if IS['hello'].match(self.last.text) else self.slots['name']}."
            return met if told[0][0] == _NAME else f"I will remember that {told[0][1]}."
        about_me = IS["about_me"].search(text) if IS["asking"].search(text) or text.endswith("?") else None
        if about_me and (known := _recall(text, self.facts)):
            self.thought = f"answering about {known.split(' is ')[0]}"
            return sentence(known)
        calls, question = _decide(self.prompt.tools, text, [])
        asked = [entry.call.name for entry in self.prompt.history if entry.role == "call" and entry.call]
        if asked and not calls and (more := IS["follow_up"].match(text)):
            calls, question = _decide(self.prompt.tools, f"{plain(asked[-1])} {text[more.end() :]}", [])
        if calls or question:
            self.calls += calls
            self.thought = f"using {join([plain(call.name) for call in calls])}" if calls else "asking back"
            return question
        unknown = IS["unknown"].search(text) if about_me else None
        if unknown or (about_me and "who am i" in text.lower()):
            return f"You have not told me your {unknown[1] if unknown else 'name'} yet."
        return self._table("smalltalk", text) or ("You have not told me that yet." if about_me else "")

    def _table(self, table: str, text: str) -> str:
        says = (say for pattern, say in LEXICON[table].items() if re.search(pattern, text, re.IGNORECASE))
        return str(next(says, "")).format(**self.slots)

    def _resume(self) -> list[str]:
        """Take the last entry as the answer to our own question, if it is one: go on with that request."""
        history, answers, text = [*self.prompt.history], list[str](), self.last.text
        while len(history) > 2 and history[-3].role == "user" and history[-2].role == "model":
            if not IS["cut" if history[-2].interrupted else "asked"].search(history[-2].text):
                break
            answers, history = [history[-1].text, *answers], history[:-2]
        other = len(text.split()) > 8 or IS["no_answer"].search(text) or _told(text)
        for request in split(history[-1].text) if answers and not other else []:
            if _decide(self.prompt.tools, request, [])[1]:
                self.calls, question = _decide(self.prompt.tools, request, answers)
                self.thought = "completing the request"
                return [question]
        return []


def _told(text: str) -> list[tuple[frozenset[str], str]]:
    """Return the facts in a clause: the stems of what they are about, and how to say them back."""
    asking = IS["asking"].search(text) and not IS["reminding"].search(text)
    text = IS["aside"].sub("", text)
    rules: list[dict[str, str]] = [] if asking else LEXICON["telling"]
    for rule in rules:
        if match := re.search(rule["match"], text, re.IGNORECASE):
            said = match.groupdict()
            value = said["v"] if said.get("b") == "are" else re.split(r",(?!\d)", said["v"])[0]
            said["v"] = digits(value) if re.fullmatch(r"-?[\d.]+", digits(value)) else value
            said["v"] = said["v"].title() if rule["key"].endswith("name") and value.islower() else said["v"]
            key, named = rule["key"].format(**said), IS["named"].findall(text)[:1]
            facts = [(frozenset(stems(key) or [stem(key)]), rule["phrase"].format(**said))]
            return facts + [(frozenset({stem(k), "nam"}), f"your {k}'s name is {v}") for k, v in named]
    return []


def _recall(text: str, facts: Mapping[frozenset[str], str]) -> str:
    """Return the fact that a question is about, "" when it was never told."""
    words = [LEXICON["synonyms"].get(w, w) for w in re.findall(r"\w+", text.lower().replace("'s", ""))]
    verbs = frozenset(stem(word) for word in words if word in LEXICON["verbs"])
    about = frozenset(stem(word) for word in words if word not in STOP) - verbs - {"rememb", "recall"}
    about = about or (_NAME if "who" in words and not verbs else about)
    for key, phrase in sorted(facts.items(), key=lambda fact: fact[0] != about):
        inside, part = about <= {*stems(phrase), "pet"}, about and about != _NAME and about < key
        if key == about or part or (key <= verbs and (inside or "hav" not in key)):
            return phrase
        if key < about and IS["yes_or_no"].search(text):
            return f"{'yes' if inside else 'no'}, {phrase}"
    return ""


def _read_out(entry: Entry) -> str:
    """Put a tool's result into words."""
    result, tool = _mapping(entry.result), plain(entry.call.name) if entry.call else "the tool"
    if "error" in result:
        return sentence(f"I am sorry, {tool} did not work: {_spoken(result['error'])}")
    value: object = next(iter(result.values())) if len(result) == 1 else result
    said, whole = _spoken(value), isinstance(value, str | Mapping)
    if value is None or value is True or not said:
        return "I found nothing." if isinstance(value, list) else "Done."
    return sentence(said if whole else f"The answer is {said}")


def _spoken(value: object, depth: int = 0) -> str:
    """Return a JSON value as one would read it aloud: eight items of a list or table, three levels deep."""
    text, items = str(value), [_spoken(item, depth + 1) for item in _listed(value) if depth < 3]
    items += [f"{plain(key)} is {_spoken(v, depth + 1)}" for key, v in _mapping(value).items() if depth < 3]
    if isinstance(value, Mapping | list | tuple) and depth < 3:
        return join(items[:8] + ([f"{len(items) - 8} more"] if len(items) > 8 else []))
    return {"True": "yes", "False": "no", "None": "nothing"}.get(text, text)

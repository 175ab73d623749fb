"""The demo brain: small talk, memory and tools out of rules and a lexicon, the same answer every time.

It is no language model and keeps no state: what it knows of the caller is read from the prompt's history. With
``words`` and ``tooling`` it stays within 300 lines; ``lexicon.toml`` holds its English.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from duologue.emulator.brain.tooling import decide, mapping
from duologue.emulator.brain.words import (
    LEXICON,
    STOP,
    clauses,
    digits,
    join,
    sentence,
    split_name,
    stem,
    stems,
)
from duologue.emulator.protocols import Call, Entry, Prompt, Reply

__all__ = ["DemoBrain"]
_IS = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in LEXICON["patterns"].items()}
_VERBS = frozenset("have live like love hate work study speak play drive from born".split())
Facts = dict[frozenset[str], str]


class DemoBrain:
    """A brain (see ``protocols.Brain``) that needs no model and no network."""

    async def think(self, prompt: Prompt) -> Reply:
        """Return the reply to the last entry: a function of the prompt alone; never raises, whatever was heard."""
        last = prompt.history[-1] if prompt.history else Entry("model")
        if last.role == "result":
            results = list[Entry]()
            for entry in reversed(prompt.history):
                if entry.role not in ("call", "result"):
                    break
                results += [entry] if entry.role == "result" else []
            return Reply(" ".join(map(_read_out, reversed(results))), thought="**Reading out the result**")
        if last.role not in ("user", "instruction") or (
            last.role == "user" and not re.search(r"\w", last.text)
        ):
            return Reply()
        return _Turn(prompt, last).reply()

    async def aclose(self) -> None:
        """Do nothing: there is nothing to release."""


class _Turn:
    """One reply in the making."""

    def __init__(self, prompt: Prompt, last: Entry) -> None:
        self.prompt, self.last, self.calls, self.topics = prompt, last, list[Call](), list[str]()
        said = [entry.text for entry in prompt.history[:-1] if entry.role == "model" and entry.text]
        heard = [entry.text for entry in prompt.history if entry.role == "user" and entry.text]
        self.facts: Facts = {
            key: phrase for text in heard for part in clauses(text) for key, phrase in _told(part)
        }
        name = self.facts.get(frozenset({"nam"}), "").removeprefix("your name is ")
        me = re.search(r"(?:[Yy]ou are|[Yy]our name is|[Cc]all yourself) ([A-Z]\w+)", prompt.instructions)
        tools = join([split_name(tool.name) for tool in prompt.tools])
        self.slots = {
            "name": f", {name}" if name else "", "me": me[1] if me else "the demo brain", "intro": f" I am {me[1]}." if me and not said else "",
            "tools": f", and use these tools: {tools}" if tools else "", "last": said[-1] if said else "nothing yet.",
            "heard": heard[-2] if len(heard) > 1 else "nothing before that.",
        }  # fmt: skip

    def reply(self) -> Reply:
        """Answer clause by clause; a request that lacked an argument is taken up again first."""
        text, parts = self.last.text, list[str]()
        if self.last.role == "instruction":
            quoted = _IS["quoted"].search(text)
            parts = [quoted[1] if quoted else self._table("instruction", text) or self._clause(text) or ""]
            return Reply(
                parts[0] or f"I am here{self.slots['name']}. What can I do for you?",
                tuple(self.calls),
                "**Following the instruction**",
            )
        if resumed := self._resume():
            return resumed
        if hello := _IS["hello"].match(text):
            parts, text = [f"Hello{self.slots['name']}!{self.slots['intro']}"], text[hello.end() :]
            self.topics.append("greeting the caller")
        answers = [self._clause(part) for part in clauses(text)]
        parts += dict.fromkeys(answer for answer in answers if answer)
        if len(parts) == 1 and hello and not self.calls:
            parts.append("How can I help you?")
        if not parts and not self.calls:
            parts = [f"I heard: {sentence(text)} I am only a small demo brain; ask me what I can do."]
        return Reply(
            " ".join(parts), tuple(self.calls), f"**{join(self.topics).capitalize() or 'Finding an answer'}**"
        )

    def _clause(self, text: str) -> str | None:
        """Return what to say to one clause, or ask for calls, or None where nothing fits."""
        if _IS["long"].search(text):
            topic = _IS["topic"].search(text)
            self.topics.append("telling a long story")
            return LEXICON["long"]["story"].replace("\n", " ").format(topic=topic[1] if topic else "the sea")
        if told := list(_told(text)):
            self.topics.append("remembering " + told[0][1])
            hello = told[0][1].startswith("your name is ")
            return (
                f"Nice to meet you{self.slots['name']}."
                if hello
                else f"I will remember that {join([p for _, p in told])}."
            )
        about_me = _IS["asking"].search(text) and _IS["about_me"].search(text.lower())
        if about_me and (known := _recall(text, self.facts)):
            self.topics.append(f"answering about {known.split(' is ')[0]}")
            return sentence(known)
        calls, question = decide(self.prompt.tools, text, [])
        if calls or question:
            self.calls += calls
            self.topics.append(
                "asking for what is missing"
                if question
                else f"using {join([split_name(c.name) for c in calls])}"
            )
            return question
        unknown = _IS["unknown"].search(text) if about_me else None
        if about_me and (unknown or "who am i" in text.lower()):
            return f"You have not told me your {unknown[1] if unknown else 'name'} yet."
        return self._table("smalltalk", text) or ("You have not told me that yet." if about_me else None)

    def _table(self, table: str, text: str) -> str | None:
        for pattern, say in LEXICON[table].items():
            if re.search(pattern, text, re.IGNORECASE):
                self.topics.append("making small talk")
                return str(say.format(**self.slots))
        return None

    def _resume(self) -> Reply | None:
        """Take the last entry as the answer to our own question, when it is one."""
        history, answers, index = self.prompt.history, list[str](), len(self.prompt.history) - 1
        while index >= 2 and history[index - 2].role == "user" and _asked(history[index - 1]):
            answers.insert(0, history[index].text)
            index -= 2
        short = (
            len(self.last.text.split()) <= 8
            and not _IS["asking"].search(self.last.text)
            and not list(_told(self.last.text))
        )
        for request in clauses(history[index].text) if answers and short else []:
            if decide(self.prompt.tools, request, [])[1] and not _IS["cancel"].search(self.last.text):
                calls, question = decide(self.prompt.tools, request, answers)
                return Reply(question, tuple(calls), "**Completing the request**")
        return None


def _asked(entry: Entry) -> bool:
    return entry.role == "model" and bool(
        _IS["cut_question" if entry.interrupted else "asked"].search(entry.text)
    )


def _told(text: str) -> list[tuple[frozenset[str], str]]:
    """Return the facts in a clause: what they are about, and how to say them back."""
    if _IS["asking"].search(text) and not _IS["reminding"].search(text):
        return []
    text, facts = _IS["aside"].sub("", text), list[tuple[frozenset[str], str]]()
    for rule in LEXICON["telling"]:
        if not facts and (match := re.search(rule["match"], text, re.IGNORECASE)):
            said = match.groupdict()
            said["v"] = said["v"] if said.get("b") == "are" else said["v"].split(",")[0]
            said["v"] = digits(said["v"]) if re.fullmatch(r"-?[\d.]+", digits(said["v"])) else said["v"]
            facts = [
                (frozenset(stems(rule["key"].format(**said)) or [said["k"]]), rule["phrase"].format(**said))
            ]
    for match in re.finditer(r"\b(\w+) (?:called|named) ([A-Z]\w+)", text) if facts else ():
        facts.append((frozenset({stem(match[1]), "nam"}), f"your {match[1]}'s name is {match[2]}"))
    return facts


def _recall(text: str, facts: Facts) -> str | None:
    """Return the fact a question is about, the latest first; None when it was never told."""
    words = [
        LEXICON["synonyms"].get(word, word) for word in re.findall(r"[\w]+", text.lower().replace("'s", ""))
    ]
    verbs = {stem(word) for word in words if word in _VERBS}
    about = {stem(word) for word in words if word not in STOP} - verbs - {stem("remember"), stem("recall")}
    about = about or ({"nam"} if "who" in words and not verbs else about)
    for key, phrase in sorted(reversed(facts.items()), key=lambda fact: fact[0] != about):
        inside = about <= set(stems(phrase)) | {"pet"}
        if (
            key == about
            or (about and about < key and about != {"nam"})
            or (key <= verbs and (inside or "hav" not in key))
        ):
            return phrase
        if key < about and re.match(r"(?i)(?:so )?(?:is|are|isn't|am|do|was) ", text):
            return f"{'yes' if inside else 'no'}, {phrase}"
    return None


def _read_out(entry: Entry) -> str:
    """Put a tool's result into words."""
    result, tool = mapping(entry.result), split_name(entry.call.name) if entry.call else "the tool"
    if "error" in result:
        return sentence(
            f"I am sorry, {tool} did not work: {_spoken(result['error']) or 'something went wrong'}"
        )
    value = next(iter(result.values())) if len(result) == 1 else result
    if value is None or value is True or value in ("", {}, []):
        return (
            "Done."
            if value is None or value is True or value == ""
            else f"{tool.capitalize()} found nothing."
        )
    plain = isinstance(value, str | Mapping)
    return sentence(_spoken(value) if plain else f"The answer is {_spoken(value)}")


def _spoken(value: Any, depth: int = 0) -> str:
    """Return a JSON value as one would read it aloud; at most eight items of a list, three levels deep."""
    if isinstance(value, Mapping) and depth < 3:
        items = list(mapping(cast("object", value)).items())
        return join([f"{split_name(str(key))} is {_spoken(item, depth + 1)}" for key, item in items[:8]])
    if isinstance(value, list | tuple) and depth < 3:
        listed = list(cast("list[Any]", value))
        return join(
            [_spoken(item, depth + 1) for item in listed[:8]]
            + ([f"{len(listed) - 8} more"] if len(listed) > 8 else [])
        )
    return (
        {True: "yes", False: "no", None: "nothing"}[value]
        if isinstance(value, bool) or value is None
        else str(value)
    )

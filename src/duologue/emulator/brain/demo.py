"""The demo brain: small talk, memory and tools out of rules and a lexicon, the same answer every time.

It is no language model and keeps no state: all it knows of the caller is read from the prompt's history.
``lexicon.toml`` holds its English, ``words`` takes sentences apart, ``tooling`` chooses and fills tools.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import takewhile
from typing import cast

from duologue.emulator.brain.tooling import decide, mapping
from duologue.emulator.brain.words import (
    IS,
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

Facts = dict[frozenset[str], str]  # the stems of what it is about -> how to say it


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
        self.prompt, self.last, self.calls, self.topics = prompt, last, list[Call](), list[str]()
        said = [entry.text for entry in prompt.history if entry.role == "model" and entry.text]
        heard = [entry.text for entry in prompt.history if entry.role == "user" and entry.text]
        told = [fact for text in heard for part in clauses(text) for fact in _told(part)]
        self.facts: Facts = dict(told)
        name = self.facts.get(frozenset({"nam"}), "").removeprefix("your name is ")
        me = re.search(r"(?:[Yy]ou are|[Yy]our name is|[Cc]all yourself) ([A-Z]\w+)", prompt.instructions)
        tools = join([split_name(tool.name) for tool in prompt.tools])
        self.slots = {"name": f", {name}" if name else "", "me": me[1] if me else "the demo brain"}
        self.slots["intro"] = f" I am {me[1]}." if me and not said else ""
        self.slots["tools"] = f", and use these tools: {tools}" if tools else ""
        self.slots |= {
            "last": (said or ["nothing yet."])[-1],
            "heard": ["nothing before that.", *heard][-2:][0],
        }

    def reply(self) -> Reply:
        """Answer clause by clause, having tried the whole as the answer to a question of ours."""
        text, parts, hello = self.last.text, list[str](), IS["hello"].match(self.last.text)
        if self.last.role == "instruction":
            quoted, self.topics = IS["quoted"].search(text), ["following the instruction"]
            said = quoted[1] if quoted else self._table("instruction", text) or self._clause(text)
            parts = (
                [said] if said or self.calls else [f"I am here{self.slots['name']}. What can I do for you?"]
            )
        elif not self._resume(parts):
            if hello:
                parts, text = [f"Hello{self.slots['name']}!{self.slots['intro']}"], text[hello.end() :]
                self.topics.append("greeting the caller")
            parts += dict.fromkeys(filter(None, map(self._clause, clauses(text))))
            parts += ["How can I help you?"] if hello and len(parts) == 1 and not self.calls else []
        if not any(parts) and not self.calls:
            parts = [f"I heard: {sentence(text)} I am only a small demo brain; ask me what I can do."]
        return Reply(
            " ".join(parts), tuple(self.calls), f"**{sentence(join(self.topics) or 'thinking')[:-1]}**"
        )

    def _clause(self, text: str) -> str:
        """Return what to say to one clause and add the calls it asks for; "" where nothing fits."""
        if IS["long"].search(text):
            topic = IS["topic"].search(text)
            self.topics.append("telling a long story")
            return " ".join(LEXICON["long"]["story"].format(topic=topic[1] if topic else "the sea").split())
        if told := _told(text):
            self.topics.append(f"remembering {join([phrase.split(' is ')[0] for _, phrase in told])}")
            met = "Nice to meet you!" if self.slots["name"] and IS["hello"].match(self.last.text) else ""
            met = met or f"Nice to meet you{self.slots['name']}."
            return met if told[0][0] == {"nam"} else f"I will remember that {told[0][1]}."
        about_me = IS["about_me"].search(text) if IS["asking"].search(text) or text.endswith("?") else None
        if about_me and (known := _recall(text, self.facts)):
            self.topics.append(f"answering about {known.split(' is ')[0]}")
            return sentence(known)
        calls, question = decide(self.prompt.tools, text, [])
        if calls or question:
            self.calls += calls
            self.topics.append(
                f"using {join([split_name(call.name) for call in calls])}" if calls else "asking back"
            )
            return question
        unknown = IS["unknown"].search(text) if about_me else None
        if unknown or (about_me and "who am i" in text.lower()):
            return f"You have not told me your {unknown[1] if unknown else 'name'} yet."
        return self._table("smalltalk", text) or ("You have not told me that yet." if about_me else "")

    def _table(self, table: str, text: str) -> str:
        says = (say for pattern, say in LEXICON[table].items() if re.search(pattern, text, re.IGNORECASE))
        return str(next(says, "")).format(**self.slots)

    def _resume(self, parts: list[str]) -> bool:
        """Take the last entry as the answer to our own question, if it is one, and go on with that request."""
        history, answers, index = self.prompt.history, list[str](), len(self.prompt.history) - 1
        while index >= 2 and history[index - 2].role == "user" and history[index - 1].role == "model":
            if not IS["cut" if history[index - 1].interrupted else "asked"].search(history[index - 1].text):
                break
            answers, index = [history[index].text, *answers], index - 2
        text = self.last.text
        other = len(text.split()) > 8 or IS["asking"].search(text) or IS["cancel"].search(text) or _told(text)
        for request in clauses(history[index].text) if answers and not other else []:
            if decide(self.prompt.tools, request, [])[1]:
                calls, question = decide(self.prompt.tools, request, answers)
                self.calls, self.topics = calls, ["completing the request"]
                parts += [question]
                return True
        return False


def _told(text: str) -> list[tuple[frozenset[str], str]]:
    """Return the facts in a clause: what they are about, and how to say them back."""
    if IS["asking"].search(text) and not IS["reminding"].search(text):
        return []
    text = IS["aside"].sub("", text)
    for rule in LEXICON["telling"]:
        if match := re.search(rule["match"], text, re.IGNORECASE):
            said = match.groupdict()
            value = said["v"] if said.get("b") == "are" else said["v"].split(",")[0]
            said["v"] = digits(value) if re.fullmatch(r"-?[\d.]+", digits(value)) else value
            key, named = rule["key"].format(**said), re.search(r"\b(\w+) (?:called|named) ([A-Z]\w+)", text)
            fact = (frozenset(stems(key) or [stem(key)]), rule["phrase"].format(**said))
            more = (
                (frozenset({stem(named[1]), "nam"}), f"your {named[1]}'s name is {named[2]}")
                if named
                else fact
            )
            return [fact, more] if more != fact else [fact]
    return []


def _recall(text: str, facts: Facts) -> str:
    """Return the fact that a question is about, "" when it was never told."""
    heard = re.findall(r"\w+", text.lower().replace("'s", ""))
    words = [LEXICON["synonyms"].get(word, word) for word in heard]
    verbs = {stem(word) for word in words if word in LEXICON["verbs"]}
    about = {stem(word) for word in words if word not in STOP} - verbs - {"rememb", "recal", "recall"}
    about = about or ({"nam"} if "who" in words and not verbs else about)
    for key, phrase in sorted(facts.items(), key=lambda fact: fact[0] != about):
        inside = about <= {*stems(phrase), "pet"}
        if (
            key == about
            or ({"nam"} != about and about and about < key)
            or (key <= verbs and (inside or "hav" not in key))
        ):
            return phrase
        if key < about and re.match(r"(?:is|are|isn't|am|was) ", text, re.IGNORECASE):
            return f"{'yes' if inside else 'no'}, {phrase}"
    return ""


def _read_out(entry: Entry) -> str:
    """Put a tool's result into words."""
    result, tool = mapping(entry.result), split_name(entry.call.name) if entry.call else "the tool"
    if "error" in result:
        return sentence(f"I am sorry, {tool} did not work: {_spoken(result['error'])}")
    value = next(iter(result.values())) if len(result) == 1 else result
    if value is None or value is True or not _spoken(value):
        return "I found nothing." if isinstance(value, list) else "Done."
    return sentence(_spoken(value) if isinstance(value, str | Mapping) else f"The answer is {_spoken(value)}")


def _spoken(value: object, depth: int = 0) -> str:
    """Return a JSON value as one would read it aloud: eight items of a list or table, three levels deep."""
    items = (
        [f"{split_name(str(key))} is {_spoken(item, depth + 1)}" for key, item in mapping(value).items()]
        if depth < 3
        else []
    )
    if isinstance(value, list | tuple) and depth < 3:
        items = [_spoken(item, depth + 1) for item in cast("list[object]", value)]
    if items or value in ([], {}, ()):
        return join(items[:8] + ([f"{len(items) - 8} more"] if len(items) > 8 else []))
    return {"True": "yes", "False": "no", "None": "nothing"}.get(str(value), str(value))

"""Inputs from a seed: noise, mutated frames, mutated messages, and what JSON has of ugliness.

The same seed gives the same inputs. Half of what comes out is JSON and most of that an object, since what
fails in the first byte tests little.
"""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING, Any

from tests.fuzz.corpus import NAMES, SIBLINGS

from duologue.wire.normalise import snake_case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fuzz.corpus import Corpus

__all__ = ["inputs"]

_RAW = "@raw@"
"""Stands in a message for a token that no JSON writer would write; replaced in the text."""

_TOKENS = (
    *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e308", "0.1e-400", "-0", "-", "1.", ".5", "+1", "00"),
    *("9" * 19, "18446744073709551616", "-" + "9" * 40, "9" * 400, "9" * 5000, "1E+2", "0x10", "12.0", '"12.0"'),
    *("nul", "True", "'a'", "undefined", "//", "{}{}", "]", "}", ",", ":", "[,]", '{"a"}', '{"a":1,}', "{a:1}"),
    *('"\\ud83d"', '"\\ude00\\ud83d"', '"\\ud83d\\ude00"', '"\\u0000"', '"\\x"', '"\\u12"', '"\n"', '"a', '"\\'),
    *("[" * 90 + "]" * 90, '{"a":' * 90 + "1" + "}" * 90, '{"a":' * 120 + "1" + "}" * 120),
    *("[" * 940 + "]" * 940, '{"a":' * 940 + "1" + "}" * 940, "[" * 3000),
    *('{"a":1,"a":null,"a":{}}', '{"data":"AAAA","data":1}', "[" + "null," * 300 + "null]"),
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**53 + 1, 2**63, 2**64, 10**30, 0.5, -0.0, 1e308, 12.0),
    *("", "x", "12", "-7", "1e3", "true", "null", "9" * 30, "\ud800", "\udfff\ud800", "\x00\x1b[31m", "é𝄞", " "),
    *("50s", "-1s", "0.2s", "s", "soons", "nans", "infs", "1e999s", "٣s", "1_0s", "2026-10-09T00:00:00Z"),
    *("AAAA", "A", "AA", "AAA", "AA=", "AA==", "====", "_-8", "_-8=", "-_+/", "AA AA", "AAAA\n", "é", "A" * 40_001),
    *("audio/pcm", "audio/pcm;rate=24000", "audio/pcm;rate=16000", "AUDIO/PCM; RATE=24000", "audio/l16;rate=1"),
    *("audio/pcm;rate=0", "audio/pcm;rate=" + "9" * 5000, "audio/pcm;rate=²", "image/png", ";;;", "audio/pcm;rate=8000"),
    *("ACTIVITY_START", "ACTIVITY_END", "VAD_SIGNAL_TYPE_SOS", "_EOS", "NON_BLOCKING", "WHEN_IDLE", "IDLE"),
    *([], {}, [[]], [None], [{}], [1, "a"], {"a_b": None}, {"": 0}, [[[[{}]]]], {"text": "a"}, {"parts": [{}]}),
    *(_RAW, _RAW, _RAW, _RAW, _RAW, _RAW),
)  # fmt: skip
_UNKNOWN = (
    "new",
    "brandNew",
    "brand_new",
    "",
    "a.b",
    "\ud800",
    "n" * 500,
    "__class__",
    "mime_Type",
    "DATA",
    "é",
)
_SPLICES = (
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b",",
    b":",
    b"\\",
    b"null",
    b"\x00",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
)
_BETWEEN = ("", "\n", " ", "\r\n\t", "\u00a0", ",", "\x00")
_WORD = re.compile(r"_([a-z])")


def inputs(seed: int, corpus: Corpus) -> Iterator[bytes | str]:
    """Yield inputs without end; the same for the same seed and corpus."""
    generator = _Generator(random.Random(seed), corpus)
    while True:
        yield generator.next()


class _Generator:
    def __init__(self, rng: random.Random, corpus: Corpus) -> None:
        self._rng = rng
        self._random = rng.random
        self._corpus = corpus
        kinds: dict[Callable[[], bytes | str], int] = {
            self._noise: 3,
            self._tokens: 5,
            self._cut: 27,
            self._message: 50,
            self._respelt: 10,
            self._several: 5,
        }
        self._kinds = [kind for kind, share in kinds.items() for _ in range(share)]

    def next(self) -> bytes | str:
        made: bytes | str = self._pick(self._kinds)()
        if isinstance(made, bytes):
            return made
        if self._random() < 0.2:
            return made  # a text frame: what the link decoded, half surrogate pairs included
        return made.encode(errors="surrogatepass")

    def _pick(self, options: Any) -> Any:
        return options[int(self._random() * len(options))]

    def _frame(self) -> bytes:
        frame: bytes = self._pick(self._pick(self._corpus.shapes))
        return frame

    # -- bytes --------------------------------------------------------------------------------

    def _noise(self) -> bytes:
        return self._rng.randbytes(int(self._random() ** 3 * 300))

    def _tokens(self) -> str:
        """Pieces of JSON in no order."""
        pieces = ("{", "}", "[", "]", ",", ":", '"', " ", *(f'"{self._pick(NAMES)}":' for _ in range(4)))
        return "".join(
            self._pick(_TOKENS) if self._random() < 0.1 else self._pick(pieces)
            for _ in range(int(self._random() * 30))
        )

    def _cut(self) -> bytes:
        """A frame that lost, got or doubled some bytes."""
        raw = bytearray(self._frame())
        for _ in range(1 + int(self._random() * 3)):
            at = int(self._random() * (len(raw) + 1))
            until = at + int(self._random() ** 2 * 40)
            step = self._random()
            if step < 0.2:
                del raw[at:]
            elif step < 0.4:
                del raw[at:until]
            elif step < 0.6:
                raw[at:at] = self._pick(_SPLICES)
            elif step < 0.75:
                raw[at:at] = raw[at:until]
            elif step < 0.9:
                raw[at : at + 1] = bytes((int(self._random() * 256),))
            else:
                other = self._frame()
                raw[at:] = other[int(self._random() * len(other)) :]
        return bytes(raw)

    # -- messages -----------------------------------------------------------------------------

    def _several(self) -> str:
        between = self._pick(_BETWEEN)
        text: str = between.join(self._message() for _ in range(2 + int(self._random() * 4)))
        return text + self._pick(_BETWEEN) if self._random() < 0.3 else text

    def _respelt(self) -> str:
        """A frame as it is, but for the spelling of its names."""
        share = self._pick((0.1, 0.5, 1.0))
        return self._text(self._respell(json.loads(self._frame()), share))

    def _message(self) -> str:
        message = json.loads(self._frame())
        for _ in range(1 + int(self._random() ** 2 * 4)):
            self._mutate(self._container(message))
        if self._random() < 0.15:
            message = self._respell(message, 0.5)
        return self._text(message)

    def _text(self, message: Any) -> str:
        form = self._random()
        if form < 0.4:
            text = json.dumps(message)
        elif form < 0.8:
            text = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
        else:
            text = json.dumps(message, indent=2)
        if _RAW in text:
            text = text.replace(f'"{_RAW}"', self._pick(_TOKENS))
        if self._random() < 0.05:  # the same name twice
            doubled = "{" + f'"{self._pick(NAMES)}":{json.dumps(self._value())},'
            text = text.replace("{", doubled, 1 + int(self._random() * 2))
        return text

    def _container(self, node: Any) -> Any:
        """Some object or list of the message, the message itself included."""
        while self._random() < 0.75:
            below = [child for child in (node.values() if isinstance(node, dict) else node) if _holds(child)]
            if not below:
                break
            node = self._pick(below)
        return node

    def _mutate(self, node: Any) -> None:
        if isinstance(node, dict):
            self._mutate_object(node)
        else:
            self._mutate_list(node)

    def _mutate_object(self, node: dict[str, Any]) -> None:
        name = self._pick(list(node)) if node else ""
        step = self._random()
        if step < 0.4 and name:
            node[name] = self._value_for(node[name])
        elif step < 0.5 and name:
            del node[name]
        elif step < 0.6 and name:
            node[_other_spelling(name)] = node[name] if self._random() < 0.5 else node.pop(name)
        elif step < 0.7:
            node[self._pick(_UNKNOWN)] = self._value()
        elif step < 0.705:
            node.update({f"new{int(self._random() * 1e6)}": 0 for _ in range(300)})
        else:
            added = self._pick(SIBLINGS.get(name) or NAMES)
            node[added] = self._known(added) if self._random() < 0.7 else self._value()

    def _mutate_list(self, node: list[Any]) -> None:
        step = self._random()
        if step < 0.4 or not node:
            node.append(self._value())
        elif step < 0.6:
            at = int(self._random() * len(node))
            node[at] = self._value_for(node[at])
        elif step < 0.8:
            node += node[:3]
        else:
            node.pop()

    def _known(self, name: str) -> Any:
        """What some frame has under this name."""
        known = self._corpus.values.get(name)
        return json.loads(self._pick(known)) if known else self._value()

    def _value_for(self, old: Any) -> Any:
        """An odd value, mostly of the same type: what the schema refuses gets no further."""
        if self._random() < 0.3:
            return self._value()
        return next((v for v in (self._value() for _ in range(8)) if type(v) is type(old)), old)

    def _value(self) -> Any:
        value = self._pick(_VALUES)
        return json.loads(json.dumps(value)) if isinstance(value, list | dict) else value

    def _respell(self, value: Any, share: float) -> Any:
        if isinstance(value, list):
            return [self._respell(child, share) for child in value]
        if not isinstance(value, dict):
            return value
        return {
            _other_spelling(name) if self._random() < share else name: self._respell(child, share)
            for name, child in value.items()
        }


def _holds(value: object) -> bool:
    return isinstance(value, dict | list)


def _other_spelling(name: str) -> str:
    """snake_case for camelCase and the other way round."""
    return _WORD.sub(lambda found: found[1].upper(), name) if "_" in name else snake_case(name)

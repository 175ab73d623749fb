"""Text cut into clauses to speak and fragments to show, the way the service's fragments look.

The blank belongs in front of a fragment: joined without anything between, fragments are the text.
"""

from __future__ import annotations

import re

__all__ = ["clauses", "clean", "estimate_tokens", "input_fragments", "leading_words", "output_fragments"]

_CLAUSE_END = re.compile(r"(?<=[.!?;:,\u2026])\s+")
_SENTENCE_ENDS = (".", "!", "?", "\u2026")
_MIN_CLAUSE_CHARS = 12
_MAX_CLAUSE_CHARS = 140
_SOUNDS = re.compile(r"\s*[^\s,.;:!?]+|\s*[,.;:!?]+")
_WORDS = re.compile(r"\s*\S+")
_FRAGMENT_WORDS = (2, 1, 1, 2, 1)


def clean(text: str) -> str:
    """Return ``text`` such that it can be sent as UTF-8: lone surrogates become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def clauses(text: str) -> list[str]:
    """Split a reply into clauses short enough that the first sounds early.

    Joined with blanks they are the text with its white space folded.
    """
    pieces = [piece for piece in _CLAUSE_END.split(" ".join(text.split())) if piece]
    result: list[str] = []
    for piece in pieces:
        if result and len(result[-1]) < _MIN_CLAUSE_CHARS and not result[-1].endswith(_SENTENCE_ENDS):
            result[-1] = f"{result[-1]} {piece}"
        else:
            result.append(piece)
    return [part for piece in result for part in _wrapped(piece)]


def _wrapped(piece: str) -> list[str]:
    """Cut an overlong clause at blanks; a single word is never cut."""
    lines: list[str] = []
    for word in piece.split(" "):
        if lines and len(lines[-1]) + 1 + len(word) <= _MAX_CLAUSE_CHARS:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word)
    return lines


def output_fragments(text: str) -> list[str]:
    """Split a clause into the one or two words at a time of ``outputTranscription``."""
    words = _WORDS.findall(text)
    fragments: list[str] = []
    at = 0
    while at < len(words):
        count = _FRAGMENT_WORDS[len(fragments) % len(_FRAGMENT_WORDS)]
        fragments.append("".join(words[at : at + count]))
        at += count
    return fragments


def input_fragments(text: str) -> list[str]:
    """Split an utterance as recorded: a leading blank, punctuation by itself, the last words together."""
    pieces: list[str] = _SOUNDS.findall(f" {text.strip()}")
    kept_together = 3
    if len(pieces) <= kept_together:
        return ["".join(pieces)] if pieces else []
    return [*pieces[:-kept_together], "".join(pieces[-kept_together:])]


def leading_words(text: str, fraction: float) -> str:
    """Return the words of ``text`` that lie within its first ``fraction`` (0..1), counted in characters."""
    if fraction >= 1:
        return text
    limit = len(text) * max(fraction, 0.0)
    kept = ""
    for word in _WORDS.findall(text):
        if len(kept) + len(word) > limit:
            break
        kept += word
    return kept


def estimate_tokens(text: str) -> int:
    """Return about how many tokens ``text`` is charged as: one for four characters, rounded up."""
    return -(-len(text) // 4)

"""Secrets out of a tape: keys and tokens are hidden, handles become names that stay the same.

A handle is needed to tell a resumption from another, so the first one is ``scrubbed-handle-1`` wherever it
stands, the second ``scrubbed-handle-2``. Handles are learned from the frames themselves, before anything of
the frame is written.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote

from duologue.wire.scrub import HIDDEN, scrub

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Scrubber", "is_scrubbed"]

_SHORTEST: Final = 6
"""A shorter "handle" is a word that would be cut out of everything."""
_MAX_DEPTH: Final = 200
_HANDLE: Final = re.compile(r'"(?:newHandle|new_handle)"\s*:\s*("(?:[^"\\]|\\.)*")')
_HANDLE_NAMES: Final = frozenset({"newHandle", "new_handle", "handle"})
_RESUMPTION: Final = re.compile(r"session_?resumption", re.IGNORECASE)
_PLACEHOLDER: Final = re.compile(r"scrubbed-handle-\d+")


class Scrubber:
    """Knows the secrets of one session so far.

    Args:
        secrets: Keys and tokens that were given.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: list[str] = []
        self._handles: dict[str, str] = {}
        for secret in secrets:
            self.hide(secret)

    def hide(self, secret: str) -> None:
        """Take a key or token; of ``Bearer TOKEN`` the token too."""
        for part in (secret, secret.rpartition(" ")[2]):
            for form in _forms(part):
                if form not in self._secrets:
                    self._secrets.append(form)
        self._secrets.sort(key=len, reverse=True)  # one may be part of another

    def learn(self, handle: str) -> None:
        """Take a resumption handle; everything that is written from now on names it by its number."""
        if len(handle) < _SHORTEST or handle in self._handles or _PLACEHOLDER.fullmatch(handle):
            return
        name = f"scrubbed-handle-{len(set(self._handles.values())) + 1}"
        for form in _forms(handle):
            self._handles[form] = name
        self._handles = dict(sorted(self._handles.items(), key=lambda item: len(item[0]), reverse=True))

    def text(self, text: str) -> str:
        """Return text, JSON or not, without what is known to be secret."""
        for handle, name in self._handles.items():
            text = text.replace(handle, name)
        return scrub(text, self._secrets)

    def frame(self, text: str) -> str:
        """Learn the handles in a frame and return it without secrets, however its JSON writes them."""
        for literal in _HANDLE.findall(text):
            self._learn_literal(literal)
        if "\\" not in text and self.text(text) == text and not _RESUMPTION.search(text):
            return text
        values = _json_values(text)
        if values is None:
            return self.text(text)
        for handle in _handles_in(values):
            self.learn(handle)
        cleaned, replaced = self.clean(values), self.text(text)
        if _json_values(replaced) == cleaned:
            return replaced  # written as it was
        # Rare: a secret written with escapes, or one that looks like a number or a name of the protocol.
        return "\n".join(
            json.dumps(value) for value in cleaned
        )  # escaped: a text may be half a surrogate pair

    def clean(self, value: Any) -> Any:
        """Return a JSON value without secrets in its texts."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.clean(item) for item in cast("list[object]", value)]
        if isinstance(value, dict):
            fields = cast("dict[str, object]", value)
            return {self.text(key): self.clean(child) for key, child in fields.items()}
        return value

    def _learn_literal(self, literal: str) -> None:
        try:
            self.learn(json.loads(literal))
        except ValueError:  # half an escape: what follows cannot be read as JSON by anybody
            self.learn(literal[1:-1])


def is_scrubbed(text: str) -> bool:
    """Tell whether something was hidden in a text."""
    return HIDDEN in text or _PLACEHOLDER.search(text) is not None


def _forms(secret: str) -> tuple[str, ...]:
    """Return how a secret may be written: as it is, as JSON writes it, and as a URL does."""
    as_json = (json.dumps(secret, ensure_ascii=False)[1:-1], json.dumps(secret)[1:-1])
    return tuple(dict.fromkeys((secret, *as_json, quote(secret, safe="", errors="replace"))))


def _json_values(text: str) -> list[Any] | None:
    """Return the JSON values in a frame; None when it holds anything else."""
    decoder, at = json.JSONDecoder(), 0
    values: list[Any] = []
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return None
        values.append(value)
    return values


def _walk(value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield (key, value) of everything inside; the key of a list's item is that of the list."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, dict):
        for key, child in cast("dict[str, object]", value).items():
            yield key, child
            yield from _walk(child, depth + 1)
    elif isinstance(value, list):
        for child in cast("list[object]", value):
            yield "", child
            yield from _walk(child, depth + 1)


def _handles_in(value: Any) -> Iterator[str]:
    """Yield every handle inside an object that is about resumption."""
    for key, child in _walk(value):
        if _RESUMPTION.match(key) and isinstance(child, dict):
            for name, handle in cast("dict[str, object]", child).items():
                if name in _HANDLE_NAMES and isinstance(handle, str):
                    yield handle

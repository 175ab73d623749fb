"""Recorded traffic as values, read with ``yaml``, ``json`` and ``base64`` alone: a judge must not share our codec.

A recording is a YAML file: ``interactions``, each a ``message`` (``direction`` and ``data``) or a ``close``
(``code`` and ``reason``). Every ``setup`` begins another link. ``DUOLOGUE_TAPES`` says where recordings lie.
"""

from __future__ import annotations

import base64
import json
import os
import re
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "FOLDER",
    "Close",
    "Link",
    "Received",
    "Sent",
    "camel",
    "decoded",
    "links_in",
    "links_of",
    "recordings",
]

FOLDER = Path(os.environ.get("DUOLOGUE_TAPES") or Path(__file__).parents[2].parent / "shared" / "tapes")

_USERS_OWN = frozenset(
    {"args", "response", "parameters", "parametersJsonSchema", "responseJsonSchema", "labels"}
)
"""Below these keys names belong to the user and are left as they are."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Sent:
    """What the recorded client sent: one message, in camelCase."""

    message: dict[str, Any]


@dataclass(frozen=True)
class Received:
    """What the service sent: one frame as recorded, and the messages in it, in camelCase."""

    frame: bytes
    messages: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Close:
    """How the service ended the link."""

    code: int
    reason: str


@dataclass(frozen=True)
class Link:
    """One link of a recording, from its setup to its end."""

    name: str
    entries: Sequence[Sent | Received] = ()
    close: Close | None = None
    setup: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def sent(self) -> list[dict[str, Any]]:
        """Every message of the client after its setup."""
        return [entry.message for entry in self.entries[1:] if isinstance(entry, Sent)]

    @property
    def is_set_up(self) -> bool:
        """Whether the service took the setup."""
        return any("setupComplete" in message for message in self.received)

    @property
    def received(self) -> list[dict[str, Any]]:
        """Every message of the service."""
        return [m for entry in self.entries if isinstance(entry, Received) for m in entry.messages]


def recordings() -> list[Path]:
    """Return the files there are, by name."""
    return sorted([*FOLDER.glob("*.yaml"), *FOLDER.glob("*.yml")])


@cache
def links_in(path: Path) -> tuple[Link, ...]:
    """Return the links of a recording; none when it is of another service, or of another kind."""
    document: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    interactions = document.get("interactions") if isinstance(document, dict) else None
    return links_of(path.stem, interactions) if isinstance(interactions, list) else ()


def links_of(name: str, interactions: list[dict[str, Any]]) -> tuple[Link, ...]:
    """Cut interactions at every setup."""
    links: list[Link] = []
    entries: list[Sent | Received] = []
    for given in interactions:
        if given.get("kind") == "close":
            if links and links[-1].close is None:
                close = Close(int(given.get("code") or 1006), str(given.get("reason") or ""))
                links[-1] = replace(links[-1], close=close)
            continue
        entry = _entry(given)
        if isinstance(entry, Sent) and "setup" in entry.message:
            number = f"#{len(links) + 1}" if links else ""
            entries = []
            links.append(Link(f"{name}{number}", entries, setup=entry.message["setup"]))
        if not links or links[-1].close is None:
            entries.append(entry)  # what comes before a setup is of no link
    return tuple(links)


def _entry(given: dict[str, Any]) -> Sent | Received:
    data = given["data"]
    if isinstance(data, bytes):
        data = data.decode()
    # A frame is an object, several objects, or the very text. Dates that YAML sees are texts on the wire.
    objects = data if isinstance(data, list) else [data]
    text = data if isinstance(data, str) else "\n".join(json.dumps(each, default=str) for each in objects)
    messages = tuple(camel(value) for value in _values(text))
    return Received(text.encode(), messages) if given["direction"] == "received" else Sent(messages[0])


def _values(text: str) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = []
    at, decoder = 0, json.JSONDecoder()
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        value, at = decoder.raw_decode(text, at)
        values.append(value)
    return values


def camel(value: Any) -> Any:
    """Return JSON with names in camelCase and without nulls, which mean absent."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = {re.sub(r"_([a-z0-9])", lambda m: m[1].upper(), name): child for name, child in value.items()}
    return {
        name: child if name in _USERS_OWN else camel(child)
        for name, child in named.items()
        if child is not None
    }


def decoded(data: str) -> bytes:
    """Return the bytes behind base64 of either alphabet, padded or not."""
    plain = data.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)

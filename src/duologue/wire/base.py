"""What every wire struct is made of: the base class and the JSON forms of protobuf's own types.

Every struct forbids unknown fields, because msgspec would otherwise drop them without a word; the
codec falls back to normalising by these same schemas (see ``normalise``), which counts and names what
nobody knows. ``None`` means absent. Enums are plain strings: the service adds values without notice.
Bytes are base64 text, decoded when somebody wants them (see ``blob``).

What has a struct and what stays a plain ``dict``: whatever Google names the fields of is a struct. A
dict is an object whose keys belong to the user (``args``, ``response``, ``labels``, ``properties`` of a
schema, and so the schemas themselves), a ``google.protobuf.Struct`` (``partMetadata``), or a part of a
Vertex tool whose fields belong to another product (``retrieval``).

Source: https://protobuf.dev/programming-guides/json/.
"""

from __future__ import annotations

import math

import msgspec

__all__ = ["Duration", "Empty", "Int64", "Struct", "Timestamp", "duration_ms", "duration_s", "int64"]

Int64 = int | str
"""A protobuf int64: JSON carries it as a number or as a string."""

Duration = str
"""A protobuf Duration in JSON: seconds with an ``s`` behind, e.g. ``"9.5s"``."""

Timestamp = str
"""A protobuf Timestamp in JSON: RFC 3339, e.g. ``"2026-10-12T10:30:00Z"``."""


class Struct(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    """Base of every wire struct: frozen, camelCase on the wire, absent when at its default."""


class Empty(Struct, frozen=True, kw_only=True):
    """A message whose presence is all it says, ``{}``."""


def int64(value: Int64 | None) -> int | None:
    """Return the number behind a JSON int64, None for absent or for what is no number."""
    if value is None or isinstance(value, int):
        return value
    try:
        return int(value)
    except ValueError:
        return None


def duration_s(value: Duration | None) -> float | None:
    """Return the seconds of ``"9.5s"``, None for absent or for what is no duration."""
    if not value or not value.endswith("s"):
        return None
    try:
        seconds = float(value[:-1])
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) else None


def duration_ms(value: Duration | None) -> int | None:
    """Return ``duration_s`` in whole milliseconds."""
    seconds = duration_s(value)
    return None if seconds is None else round(seconds * 1000)

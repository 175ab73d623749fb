"""Check values against the type hints of the option they are given for.

Read this to see what ``ConfigError`` says about a value of the wrong type. Ranges are the options' own
business.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, Literal, Union, cast, get_args, get_origin, get_type_hints

from duologue.errors import ConfigError

__all__ = ["check_fields", "check_value", "shown"]

_MAX_DEPTH: Final = 64
_MAX_SHOWN: Final = 40
_UNIONS: Final = (Union, types.UnionType)


def check_fields(options: object) -> None:
    """Check every field of a dataclass against its hint.

    Args:
        options: An instance of a dataclass whose hints are ``str``, ``int``, ``float``, ``bool``,
            ``None``, ``Literal``, ``Sequence``, ``Mapping``, a class, and unions of these.

    Raises:
        ConfigError: Names class, field, what was given and what is allowed.
    """
    cls: Any = type(options)
    for name, hint in _hints(cls).items():
        check_value(f"{cls.__name__}.{name}", getattr(options, name), hint)


def check_value(option: str, value: object, hint: Any) -> None:
    """Check one value.

    Numbers are finite and fit 64 bits, no bool is a number, texts can be written as UTF-8, a mapping
    holds what JSON can hold and nothing else. Values that may be secrets are not shown.

    Args:
        option: How the message calls it.
        value: What was given.
        hint: What it is meant to be; see ``check_fields``.

    Raises:
        ConfigError: It is something else.
    """
    if _fits(value, hint):
        return
    if where := _within(value, hint):
        raise ConfigError(f"{option}{where}")
    hidden = isinstance(value, str) and Literal not in _origins(hint)
    given = _kind(value) if hidden else shown(value)
    raise ConfigError(f"{option} is {given}; give {_wanted(hint)}")


def shown(value: object) -> str:
    """Return a value fit for a message: short numbers and texts as they are, of anything else the kind."""
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and _fits_64_bits(value)):
        return repr(value)
    return repr(value) if isinstance(value, str) and len(value) <= _MAX_SHOWN else _kind(value)


@cache
def _hints(cls: type[Any]) -> Mapping[str, Any]:
    # Both names are imported for type checkers only where hints are written.
    return get_type_hints(cls, localns={"Mapping": Mapping, "Sequence": Sequence})


def _origins(hint: Any) -> set[Any]:
    parts = get_args(hint) if get_origin(hint) in _UNIONS else (hint,)
    return {get_origin(part) for part in parts}


def _fits(value: object, hint: Any) -> bool:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in _UNIONS:
        return any(_fits(value, part) for part in parts)
    if origin is Literal:
        return isinstance(value, str) and value in parts
    if origin is Mapping:
        return isinstance(value, Mapping) and _not_json(cast("Mapping[object, object]", value)) is None
    if origin is Sequence:
        return (
            isinstance(value, Sequence)
            and not isinstance(value, str | bytes | bytearray | memoryview)
            and all(_fits(item, parts[0]) for item in cast("Sequence[object]", value))
        )
    return _is(value, hint)


def _is(value: object, hint: Any) -> bool:
    if hint is str:
        return isinstance(value, str) and _is_utf8(value)
    if hint in (int, float):
        allowed = int if hint is int else int | float
        return isinstance(value, allowed) and not isinstance(value, bool) and _is_number(value)
    return hint in (Any, object) or isinstance(value, types.NoneType if hint is None else hint)


def _is_number(value: float) -> bool:
    return _fits_64_bits(value) if isinstance(value, int) else math.isfinite(value)


def _fits_64_bits(value: int) -> bool:
    return -(2**63) <= value < 2**63


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _within(value: object, hint: Any) -> str | None:
    """Say where in a mapping, or in a sequence of mappings, a value is no JSON; None where neither is meant."""
    hints = get_args(hint) if get_origin(hint) in _UNIONS else (hint,)
    wanted = {get_origin(part): get_args(part) for part in hints}
    if isinstance(value, Mapping):
        return _not_json(cast("object", value)) if Mapping in wanted else None
    items = cast("Sequence[object]", value) if isinstance(value, list | tuple) else ()
    if not items or get_origin(next(iter(wanted.get(Sequence, ())), None)) is not Mapping:
        return None
    return _not_json(items) if all(isinstance(item, Mapping) for item in items) else None


def _not_json(value: object, path: str = "", depth: int = 0) -> str | None:
    """Say where a value stops being JSON, as the end of a sentence that begins with the option; None if nowhere."""
    if depth > _MAX_DEPTH:
        return f" is nested more than {_MAX_DEPTH} deep"
    if isinstance(value, Mapping):
        for key, child in cast("Mapping[object, object]", value).items():
            if not isinstance(key, str) or not _is_utf8(key):
                return f"{path} has the key {shown(key)}; give keys that are text"
            if found := _not_json(child, f"{path}.{key[:_MAX_SHOWN]}", depth + 1):
                return found
        return None
    if isinstance(value, list | tuple):
        items = enumerate(cast("Sequence[object]", value))
        return next(
            (found for n, item in items if (found := _not_json(item, f"{path}[{n}]", depth + 1))), None
        )
    if _fits(value, str | int | float | bool | None):
        return None
    return f"{path} is {_kind(value) if isinstance(value, str) else shown(value)}; give what JSON can hold"


def _kind(value: object) -> str:
    if isinstance(value, str):
        return "a str" if _is_utf8(value) else "a str with a lone surrogate, which no message can hold"
    if isinstance(value, int):
        return "an int of more than 64 bits"
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _wanted(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in _UNIONS:
        return " or ".join(_wanted(part) for part in parts)
    if origin is Literal:
        return " or ".join(map(repr, parts))
    if origin is Sequence:
        return "a sequence" if parts[0] is Any else f"a sequence of which each is {_wanted(parts[0])}"
    names = {str: "a str", int: "an int", float: "a finite number", bool: "True or False", type(None): "None"}
    return names.get(hint) or (
        "a mapping" if origin is Mapping else f"a {getattr(hint, '__name__', 'value')}"
    )

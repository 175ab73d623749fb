"""JSON Schema made plain: one type a place, nothing to look up, nothing said twice.

Both readers need the same thing: the wire, which knows no references and no ``allOf``, and the check of what
a model sends. So whatever declares arguments as JSON Schema is first brought into this form: JSON Schema's
own keys with UPPER-case types and ``nullable``, references inlined, ``allOf`` merged, siblings of a choice
moved into each of its branches, keys that do not concern the type left out. What would change the meaning
and has no place in it is an error that names the parameter.

Source: JSON Schema 2020-12, core and validation; older drafts where their spelling is still common.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, cast
from urllib.parse import unquote

from duologue.errors import ConfigError
from duologue.tools.merge import ConflictError, merge

__all__ = ["Json", "plain_schema"]

Json = dict[str, Any]

_TEXTS: Mapping[str, tuple[str, ...]] = {
    "STRING": ("format", "pattern", "contentEncoding", "contentMediaType"),
    "NUMBER": ("format",),
    "INTEGER": ("format",),
    "BOOLEAN": (),
    "ARRAY": (),
    "OBJECT": (),
}
_COUNTS: Mapping[str, tuple[str, ...]] = {
    "STRING": ("minLength", "maxLength"),
    "ARRAY": ("minItems", "maxItems"),
    "OBJECT": ("minProperties", "maxProperties"),
}
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_UNSAYABLE = (
    "not",
    "if",
    "then",
    "else",
    "contains",
    "minContains",
    "maxContains",
    "patternProperties",
    "propertyNames",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedItems",
    "unevaluatedProperties",
    "$dynamicRef",
    "$recursiveRef",
)
_EMPTY = {"unevaluatedItems": False, "unevaluatedProperties": False}  # as closed as everything is here
_ANNOTATIONS = ("description", "title", "default", "nullable", "$defs", "definitions", "$schema", "$id")
_MAX_DEPTH = 32
_MAX_PLACES = 4096


def plain_schema(schema: Mapping[str, Any], at: str, *, free_form: bool = False) -> Json:
    """Bring a JSON Schema into the plain form.

    Does not check that it is valid JSON Schema. Keys that JSON Schema does not know are annotations by its
    own rule, and left out like the annotations it does know, all but ``description``.

    Args:
        schema: A JSON Schema object, not changed.
        at: Where it stands, for error messages.
        free_form: Let objects pass whose keys are not named.

    Returns:
        A new dict, sharing nothing mutable with ``schema`` but the choices of ``enum``.

    Raises:
        ConfigError: It cannot be expressed; names the place and the key.
    """
    try:
        return _Reading(schema, free_form).place(schema, at, (), 0)
    except ConfigError:
        raise
    except (
        TypeError,
        AttributeError,
        ValueError,
        OverflowError,
    ) as exc:  # a list for an object, and the like
        msg = f"{at}: this is no JSON Schema: {exc}"
        raise ConfigError(msg) from exc


class _Reading:
    """One reading: the document that references point into, and what is allowed."""

    def __init__(self, root: Mapping[str, Any], free_form: bool) -> None:
        self._root = root
        self._free_form = free_form
        self._places = 0

    def place(self, node: object, at: str, trail: tuple[str, ...], depth: int) -> Json:
        """Make one place plain; ``trail`` names the references it was reached through."""
        self._places += 1
        if depth > _MAX_DEPTH or self._places > _MAX_PLACES:
            _fail(at, f"the schema is too large: at most {_MAX_DEPTH} levels and {_MAX_PLACES} places")
        source, trail = self._inline(node, at, trail)
        unsayable = [key for key in _UNSAYABLE if key in source and source[key] is not _EMPTY.get(key)]
        if unsayable:
            _fail(at, f"{unsayable[0]!r} cannot be declared to the model; check it in the function")
        chosen = [key for key in ("anyOf", "oneOf") if source.get(key)]
        if len(chosen) > 1:
            _fail(at, "anyOf and oneOf side by side cannot be declared; write one of them")
        if chosen:
            return self._choice(source, chosen[0], at, trail, depth)
        kinds, nullable = _kinds(source)
        if not kinds:
            _fail(at, _nothing_named(source))
        if len(kinds) > 1:
            options: list[Json] = [{**source, "type": kind, "description": None} for kind in kinds]
            result: Json = {"anyOf": [self.place(option, at, trail, depth + 1) for option in options]}
        else:
            result = self._typed(source, kinds[0], at, trail, depth)
        return _annotated(result, source, nullable=nullable)

    def _inline(self, node: object, at: str, trail: tuple[str, ...]) -> tuple[Json, tuple[str, ...]]:
        """Replace ``$ref`` and ``allOf`` by what they stand for."""
        if not isinstance(node, Mapping):
            _fail(at, "no value fits it" if node is False else _ANY)
        own = dict(cast("Mapping[str, Any]", node))
        if "const" in own:
            own = _joined({"enum": [own.pop("const")]}, own, at, "const")
        reference, parts = own.pop("$ref", None), own.pop("allOf", ())
        merged: Json = {}
        if reference is not None:
            if reference in trail or len(trail) >= _MAX_DEPTH:
                _fail(at, f"{reference} contains itself, which cannot be declared")
            trail = (*trail, reference)
            merged, trail = self._inline(self._resolve(reference, at), at, trail)
        for part in parts:
            piece, trail = self._inline(part, at, trail)
            merged = _joined(merged, piece, at, "allOf")
        return _joined(merged, own, at, "allOf"), trail

    def _resolve(self, reference: object, at: str) -> object:
        target: Any = self._root
        path = str(reference)
        for key in path.split("/")[1:]:
            name = unquote(key).replace("~1", "/").replace("~0", "~")
            target = cast("Mapping[str, Any]", target).get(name) if isinstance(target, Mapping) else None
        if not path.startswith("#") or ("/" not in path and path != "#") or target is None:
            _fail(at, f"the reference {path!r} leads nowhere in this schema")
        return cast("object", target)

    def _choice(self, source: Json, key: str, at: str, trail: tuple[str, ...], depth: int) -> Json:
        """``oneOf`` becomes ``anyOf``; what stands beside the branches holds in each of them."""
        beside = {name: value for name, value in source.items() if name != key and name not in _ANNOTATIONS}
        options: list[Json] = []
        nullable = False
        for branch in source[key]:
            if branch is False:
                continue
            inner, inner_trail = self._inline(branch, at, trail)
            if _is_null(inner):
                nullable = True
                continue
            option = self.place(_joined(beside, inner, at, key), at, inner_trail, depth + 1)
            if option not in options:
                options.append(option)
        if not options:
            _fail(at, "null alone cannot be declared; give it a type")
        result = options[0] if len(options) == 1 else {"anyOf": options}
        return _annotated(result, source, nullable=nullable or bool(source.get("nullable")))

    def _typed(self, source: Json, kind: str, at: str, trail: tuple[str, ...], depth: int) -> Json:
        if kind not in _TEXTS:
            _fail(at, f"there is no type {kind.lower()!r}")
        result: Json = {"type": kind}
        if kind == "ARRAY" and source.get("uniqueItems"):
            result["uniqueItems"] = True
        for key in _TEXTS[kind]:
            if source.get(key):
                result[key] = _text(source[key], f"{at}: {key}")
        for key in _COUNTS.get(kind, ()):
            if source.get(key) is not None:
                result[key] = _count(source[key], f"{at}: {key}")
        if kind in ("NUMBER", "INTEGER"):
            result.update(_bounds(source, at))
        if kind == "ARRAY":
            self._array(source, result, at, trail, depth)
        elif kind == "OBJECT":
            self._object(source, result, at, trail, depth)
        choices = _choices(source, kind, at)
        return {**result, "enum": choices} if choices else result

    def _array(self, source: Json, result: Json, at: str, trail: tuple[str, ...], depth: int) -> None:
        items: Any = source.get("items")
        prefix: Any = source.get("prefixItems")
        if isinstance(items, list | tuple):  # how drafts before 2020 wrote prefixItems
            items, prefix = source.get("additionalItems"), cast("Sequence[Any]", items)
        if prefix:
            result["prefixItems"] = [
                self.place(item, f"{at}[{index}]", trail, depth + 1) for index, item in enumerate(prefix)
            ]
            result.setdefault("minItems", len(prefix))
            if not items:
                result["maxItems"] = min(len(prefix), result.get("maxItems", len(prefix)))
                return
        elif not items:
            _fail(at, "a list of anything cannot be declared; say what its items are")
        result["items"] = self.place(items, f"{at}[]", trail, depth + 1)

    def _object(self, source: Json, result: Json, at: str, trail: tuple[str, ...], depth: int) -> None:
        properties: Mapping[str, Any] = source.get("properties") or {}
        others: Any = source.get("additionalProperties")
        named = isinstance(others, Mapping) and bool(properties)
        if not self._free_form and (named or not properties):
            what = "takes keys besides its named ones" if named else "has no named properties"
            _fail(at, f"an object that {what} cannot be declared; name them all, or mark it FreeForm")
        if properties:
            result["properties"] = {
                name: self.place(value, f"{at}.{name}", trail, depth + 1)
                for name, value in properties.items()
            }
        if isinstance(others, Mapping) and others:
            result["additionalProperties"] = self.place(cast("object", others), f"{at}.*", trail, depth + 1)
        elif self._free_form and (others or (others is None and not properties)):
            result["additionalProperties"] = {}
        required = list(dict.fromkeys(source.get("required") or ()))
        ghosts = [name for name in required if name not in properties]
        if ghosts:
            _fail(at, f"{ghosts[0]!r} is required and not among its properties")
        if required:
            result["required"] = required


_ANY = "a value of any type cannot be declared; give it a type"


def _fail(at: str, why: str) -> NoReturn:
    msg = f"{at}: {why}"
    raise ConfigError(msg)


def _joined(first: Mapping[str, Any], second: Mapping[str, Any], at: str, key: str) -> Json:
    try:
        return merge(first, second)
    except ConflictError as exc:
        msg = f"{at}: {key}: {exc}"
        raise ConfigError(msg) from exc


def _nothing_named(source: Json) -> str:
    return "null alone cannot be declared; give it a type" if _kinds(source)[1] else _ANY


def _is_null(node: Json) -> bool:
    return str(node.get("type")).lower() == "null" or node.get("enum") == [None]


def _annotated(result: Json, source: Json, *, nullable: bool) -> Json:
    added: Json = {"nullable": True} if nullable else {}
    if isinstance(source.get("description"), str) and source["description"]:
        added["description"] = source["description"]
    return {**result, **added}


def _kinds(source: Json) -> tuple[list[str], bool]:
    """Return the non-null types (seen from what is there when unnamed) and whether null is one."""
    named: Any = source.get("type")
    listed: list[str] = [named] if isinstance(named, str) else [str(kind) for kind in named or ()]
    kinds = [kind.upper() for kind in listed]
    choices = _listed(source)
    null_is_typed = "NULL" in kinds or not listed
    null_is_chosen = None in choices if choices else "NULL" in kinds
    nullable = bool(source.get("nullable")) or (null_is_typed and null_is_chosen)
    kinds = list(dict.fromkeys(kind for kind in kinds if kind != "NULL"))
    if not listed and choices:
        kinds = list(dict.fromkeys(_type_of(choice) for choice in choices if choice is not None))
    if not listed and not kinds:
        kinds = ["OBJECT"] if "properties" in source else []
        kinds += ["ARRAY"] if "items" in source or "prefixItems" in source else []
    kinds = [kind for kind in kinds if kind != "INTEGER" or "NUMBER" not in kinds]
    if len(kinds) > 1 and choices:  # a type that no choice has is no choice
        kinds = [kind for kind in kinds if any(_fits(choice, kind) for choice in choices)] or kinds
    return kinds, nullable


def _type_of(value: object) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        return "INTEGER"
    if isinstance(value, float):
        return "NUMBER"
    if isinstance(value, str):
        return "STRING"
    return "OBJECT" if isinstance(value, Mapping) else "ARRAY"


def _fits(choice: object, kind: str) -> bool:
    return choice is not None and _type_of(choice) in ((kind, "INTEGER") if kind == "NUMBER" else (kind,))


def _listed(source: Json) -> list[Any]:
    return list(source.get("enum") or ())


def _choices(source: Json, kind: str, at: str) -> list[Any]:
    listed = _listed(source)
    fitting = [choice for choice in listed if _fits(choice, kind)]
    if listed and not fitting and listed != [None]:
        _fail(at, f"none of its choices is of the type {kind.lower()}")
    if "" in fitting:
        _fail(at, "the empty string cannot be one of the choices")
    return fitting


def _text(value: object, at: str) -> str:
    if not isinstance(value, str):
        _fail(at, f"{value!r} is not a string")
    return value


def _count(value: object, at: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 or not 0 <= value < 2**63:
        _fail(at, f"{value!r} is not a whole number from 0")
    return int(value)


def _bounds(source: Json, at: str) -> Json:
    """Collect the bounds of a number; of two on one side, the stricter is kept."""
    found: Json = {}
    for key in _NUMBERS:
        value = source.get(key)
        if value is None or isinstance(value, bool):
            continue
        if (
            not isinstance(value, int | float)
            or not math.isfinite(value)
            or (key == "multipleOf" and value <= 0)
        ):
            _fail(at, f"{key}: {value!r} is no number that can stand there")
        found[key] = value
    for side in ("Minimum", "Maximum"):
        inclusive, exclusive = side.lower(), f"exclusive{side}"
        if source.get(exclusive) is True and inclusive in found:  # how draft 4 and OpenAPI 3.0 wrote it
            found[exclusive] = found.pop(inclusive)
        if inclusive in found and exclusive in found:
            further = (
                found[inclusive] - found[exclusive]
                if side == "Minimum"
                else found[exclusive] - found[inclusive]
            )
            del found[exclusive if further > 0 else inclusive]
    return found

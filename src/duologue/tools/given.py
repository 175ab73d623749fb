"""Arguments that are declared apart from the signature: by a JSON Schema, or as one object.

``function_tool(parameters=...)`` takes either. A JSON Schema's properties become keywords of the function;
a type (a pydantic model, a msgspec struct, a dataclass, a TypedDict) is the whole argument object, and the
function gets one instance of it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from duologue.errors import ConfigError
from duologue.tools.conform import check
from duologue.tools.hints import shape_of
from duologue.tools.plain import Json, plain_schema
from duologue.tools.schema import wire_schema

if TYPE_CHECKING:
    from duologue.tools.shapes import Shape

__all__ = ["OneObject", "SchemaArguments", "given_arguments"]


@dataclass(frozen=True, slots=True)
class SchemaArguments:
    """Arguments that a JSON Schema declares: checked against all of it, handed over as keywords."""

    plain: Json

    def schema(self) -> Json:
        """Build its Schema."""
        return wire_schema(self.plain)

    def read(self, value: Any, at: str) -> dict[str, Any]:
        """Check the arguments; nothing is built."""
        arguments: dict[str, Any] = check(value, self.plain, at)
        return arguments


@dataclass(frozen=True, slots=True)
class OneObject:
    """Arguments that are one object, handed over in one parameter."""

    parameter: str
    shape: Shape

    def schema(self) -> Json:
        """Build its Schema."""
        return self.shape.schema()

    def read(self, value: Any, at: str) -> dict[str, Any]:
        """Build the object."""
        return {self.parameter: self.shape.read(value, at)}


def given_arguments(
    given: object, signature: Sequence[inspect.Parameter], context_parameter: str | None, at: str
) -> SchemaArguments | OneObject:
    """Read what ``function_tool(parameters=...)`` was given.

    Args:
        given: A JSON Schema of an object, or a type whose JSON form is an object.
        signature: The function's parameters, without the one that takes the ``ToolContext``.
        context_parameter: The name of that one.
        at: The tool, for error messages.

    Raises:
        ConfigError: It cannot be declared, is no object, or the function does not take what it declares.
    """
    if isinstance(given, Mapping):
        arguments = _by_schema(cast("Mapping[str, Any]", given), signature, at)
        if context_parameter in arguments.plain["properties"]:
            msg = (
                f"{at}, parameter {context_parameter!r}: takes the ToolContext; the schema cannot declare it"
            )
            raise ConfigError(msg)
        return arguments
    place = f"{at}, parameters"
    shape = shape_of(given, place)
    if shape.schema().get("type") != "OBJECT" or shape.schema().get("nullable"):
        msg = f"{place}: {given!r} is not written as a JSON object; give a model, a struct, a dataclass or a JSON Schema"
        raise ConfigError(msg)
    if len(signature) != 1 or signature[0].kind in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.VAR_POSITIONAL,
        inspect.Parameter.VAR_KEYWORD,
    ):
        names = ", ".join(repr(parameter.name) for parameter in signature) or "none"
        msg = f"{place}: the function must have one parameter for the object, besides the ToolContext; it has {names}"
        raise ConfigError(msg)
    return OneObject(signature[0].name, shape)


def _by_schema(given: Mapping[str, Any], signature: Sequence[inspect.Parameter], at: str) -> SchemaArguments:
    empty = not given.get("properties") and not any(
        key in given for key in ("$ref", "allOf", "anyOf", "oneOf")
    )
    if (
        empty
        and str(given.get("type", "object")).lower() == "object"
        and not given.get("additionalProperties")
    ):
        plain: Json = {"type": "OBJECT", "properties": {}}
    else:
        plain = plain_schema(given, at)
    if plain.get("type") != "OBJECT" or plain.get("nullable"):
        msg = f"{at}: arguments are a JSON object; the schema must have type 'object', and not be nullable"
        raise ConfigError(msg)
    _check_patterns(plain, at)
    _check_signature(plain, signature, at)
    return SchemaArguments(plain)


def _check_signature(plain: Json, signature: Sequence[inspect.Parameter], at: str) -> None:
    """Find what would fail at the first call: a property nobody takes, a parameter nobody gives."""
    by_name = {
        parameter.name: parameter
        for parameter in signature
        if parameter.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    }
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in signature)
    untaken = [name for name in plain["properties"] if name not in by_name and not takes_any]
    if untaken:
        msg = f"{at}, parameter {untaken[0]!r}: is in the schema, but the function takes no such keyword"
        raise ConfigError(msg)
    required = plain.get("required", ())
    for parameter in signature:
        needed = parameter.default is parameter.empty and parameter.kind not in (
            inspect.Parameter.VAR_KEYWORD,
            inspect.Parameter.VAR_POSITIONAL,
        )
        if needed and (parameter.name not in required or parameter.name not in by_name):
            msg = f"{at}, parameter {parameter.name!r}: has no default, and the schema does not require it"
            raise ConfigError(msg)


def _check_patterns(plain: Json, at: str) -> None:
    if "pattern" in plain:
        try:
            re.compile(plain["pattern"])
        except re.error as exc:
            msg = f"{at}: the pattern {plain['pattern']!r} cannot be read: {exc}"
            raise ConfigError(msg) from exc
    for name, inner in plain.get("properties", {}).items():
        _check_patterns(inner, f"{at}.{name}")
    beneath = [plain[key] for key in ("items", "additionalProperties") if key in plain]
    for inner in (*beneath, *plain.get("anyOf", ()), *plain.get("prefixItems", ())):
        _check_patterns(inner, at)

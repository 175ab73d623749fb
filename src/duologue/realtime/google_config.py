"""google-genai's words for what a session is set up with, said as options of ``LiveConfig``.

google-genai is never imported. Its objects are told by the names of their classes and fields, so every
version from 2 on can be read, and a field that is newer than this package is refused by name.

Source: google-genai's ``types.LiveConnectConfig``; Live API reference, Schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from enum import Enum
from typing import Any, Final, TypeAlias, cast

from duologue.checks import shown
from duologue.config import LiveConfig
from duologue.errors import ConfigError, Unsupported
from duologue.tools.schema import google_schema
from duologue.wire.blob import encode_base64
from duologue.wire.normalise import snake_case

__all__ = ["is_connect_config", "said_by_google", "set_fields"]

Json: TypeAlias = dict[str, Any]
Function: TypeAlias = Callable[..., Any]

_OPTIONS: Final = frozenset(field.name for field in fields(LiveConfig))
_MAX_DEPTH: Final = 64
_WORD: Final = re.compile(r"_([a-z0-9])")
_BYTES: Final = frozenset({"data", "imageData", "voiceSampleAudio", "consentAudio", "thoughtSignature"})
"""Fields that are bytes in Python and base64 on the wire; bytes elsewhere are a mistake."""
_DIALECT: Final = frozenset(
    {
        *("type", "format", "title", "description", "nullable", "enum", "default", "example"),
        *("items", "minItems", "maxItems", "properties", "required", "minProperties", "maxProperties"),
        *("propertyOrdering", "minimum", "maximum", "minLength", "maxLength", "pattern", "anyOf"),
    }
)
"""What a Schema of the service may hold; anything else is JSON Schema, and is translated."""


def is_connect_config(given: object) -> bool:
    """Tell whether this is google-genai's LiveConnectConfig, of whatever version, or derived from it."""
    return _is_model(given) and any(cls.__name__ == "LiveConnectConfig" for cls in type(given).__mro__)


def set_fields(model: object) -> Json:
    """Return what is set of one of google-genai's objects, extras included, by the names in Python."""
    cls: Any = type(model)
    names: list[str] = [*cls.model_fields, *(getattr(model, "model_extra", None) or {})]
    return {name: value for name in names if (value := getattr(model, name, None)) is not None}


def said_by_google(options: Mapping[str, Any]) -> tuple[Json, list[Function]]:
    """Say google-genai's options in the words of ``LiveConfig``; its objects may stand anywhere within.

    ``generation_config`` is flattened, and what stands beside it counts more. Bytes become base64, enums
    their values. Functions are declared in the service's own dialect, since sessions have been reported
    to ignore ``parameters_json_schema`` without a word; what that dialect has no words for is left out,
    as for tools of our own. Does not check what the values are: ``LiveConfig`` and the setup do.

    Args:
        options: By snake_case names: options of ``LiveConfig``, ``generation_config`` and ``tools``.

    Returns:
        The options, and the plain functions among ``tools``: those are run by the session.

    Raises:
        Unsupported: Options of ``generation_config`` that live sessions do not have, or MCP.
        ConfigError: Anything else there is no place for.
    """
    said = {
        name: value if name == "http_options" else _plain(value)
        for name, value in options.items()
        if name not in ("generation_config", "tools")
    }
    if options.get("generation_config") is not None:
        said = _flattened(options["generation_config"], said)
    if said.get("system_instruction") is not None:
        said["system_instruction"] = _instruction(said["system_instruction"])
    if isinstance(said.get("speech_config"), str):
        said["speech_config"] = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": said["speech_config"]}}}
    if _is_model(said.get("http_options")):
        said["http_options"] = set_fields(said["http_options"])
    if options.get("tools") is None:
        return said, []
    if said.get("gemini_tools") is not None:
        raise ConfigError("config has tools and gemini_tools; give one of the two")
    declared, functions = _tools(options["tools"])
    if declared:
        said["gemini_tools"] = declared
    return said, functions


def _is_model(value: object) -> bool:
    return isinstance(getattr(type(value), "model_fields", None), Mapping)


def _plain(value: Any, name: str = "", depth: int = 0) -> Any:
    """Return google-genai's objects as JSON with the wire's names; leave alone what is none of theirs."""
    if depth > _MAX_DEPTH:
        raise ConfigError(f"config is nested more than {_MAX_DEPTH} deep")
    if _is_model(value):
        return {
            (wire := _camel_case(field)): _plain(child, wire, depth + 1)
            for field, child in set_fields(value).items()
        }
    if isinstance(value, Mapping):
        given = cast("Mapping[object, object]", value)
        return {
            key: _plain(child, _camel_case(key) if isinstance(key, str) else "", depth + 1)
            for key, child in given.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(item, name, depth + 1) for item in cast("Sequence[Any]", value)]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes) and name in _BYTES:
        return encode_base64(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.isoformat()
    return value


def _camel_case(name: str) -> str:
    return _WORD.sub(lambda match: match[1].upper(), name)


def _renamed(given: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return what is set, by the wire's names; a key that is no text is left to whoever refuses it."""
    return {
        _camel_case(key) if isinstance(key, str) else key: value
        for key, value in given.items()
        if value is not None
    }


def _flattened(given: Any, beside: Json) -> Json:
    if _is_model(given):
        named = set_fields(given)
    elif isinstance(given, Mapping):
        named = _by_snake_case(cast("Mapping[object, object]", given))
    else:
        raise ConfigError(f"generation_config is {shown(given)}; give a GenerationConfig or a mapping")
    lacking = sorted(set(named) - _OPTIONS)
    if lacking:
        raise Unsupported(
            f"generation_config: live sessions are not known to have {', '.join(map(shown, lacking))}; leave it "
            "unset, or, if the service has learnt it since, say it with setup_overrides"
        )
    said = {name: _plain(value) for name, value in named.items()}
    return said | {name: value for name, value in beside.items() if value is not None or name not in said}


def _by_snake_case(given: Mapping[object, object]) -> Json:
    named: Json = {}
    for key, value in given.items():
        name = snake_case(key) if isinstance(key, str) else ""
        if not name or name in named:
            raise ConfigError(
                f"generation_config has the key {shown(key)}, which is no name, or a name twice"
            )
        if value is not None:
            named[name] = value
    return named


def _instruction(given: object) -> object:
    """Return a text or a Content; a part alone, and a list of texts and parts, are what a user says."""
    parts: list[object]
    as_it_is = given
    if isinstance(given, list):
        items = cast("list[object]", given)
        parts = [{"text": item} if isinstance(item, str) else item for item in items]
    elif isinstance(given, Mapping) and given and not {"parts", "role"} & set(cast("Json", given)):
        parts = [cast("object", given)]
    else:
        return as_it_is
    return {"parts": parts, "role": "user"}


def _tools(given: Any) -> tuple[list[Json], list[Function]]:
    if not isinstance(given, list | tuple):
        raise ConfigError(f"config.tools is {shown(given)}; give a list of tools and functions")
    declared: list[Json] = []
    functions: list[Function] = []
    for number, tool in enumerate(cast("Sequence[Any]", given)):
        if any(cls.__module__.split(".")[0] == "mcp" for cls in type(tool).__mro__):
            raise Unsupported(
                f"config.tools[{number}]: MCP is not in this version; give a function that calls the server's tool"
            )
        if _is_model(tool) or isinstance(tool, Mapping):
            declared.append(_tool(_plain(tool)))
        elif callable(tool):
            functions.append(tool)
        else:
            raise ConfigError(
                f"config.tools[{number}] is {shown(tool)}; give a Tool, a mapping or a function"
            )
    return declared, functions


def _tool(given: Json) -> Json:
    name = next((name for name in ("functionDeclarations", "function_declarations") if name in given), "")
    declarations = given.get(name)
    if not isinstance(declarations, list):
        return given
    return {**given, name: [_declaration(item) for item in cast("list[object]", declarations)]}


def _declaration(given: Any) -> Any:
    if not isinstance(given, dict):
        return given  # the setup says what it is to be
    declaration: Json = _renamed(cast("Json", given))
    at = f"function {shown(declaration.get('name'))}"
    for place in ("parameters", "response"):
        json_schema = declaration.pop(f"{place}JsonSchema", None)
        if json_schema is not None and place in declaration:
            raise ConfigError(f"{at} has {place} and {place}_json_schema; give one of the two")
        if json_schema is not None:
            translated = google_schema(_mapping(json_schema, at), at, free_form=True)
            # A function without arguments has no schema: some models refuse an object without properties.
            if translated != {"type": "OBJECT"}:
                declaration[place] = translated
        elif place in declaration:
            declaration[place] = _schema(_mapping(declaration[place], at), at)
    return declaration


def _mapping(schema: Any, at: str) -> Json:
    if isinstance(schema, Mapping):
        return cast("Json", schema)
    raise ConfigError(f"{at}: its schema is {shown(schema)}; give a Schema or a mapping")


def _schema(given: Json, at: str) -> Json:
    """Return a Schema with the wire's names as it is; one that says more than its dialect is translated."""
    said = _dialect(given)
    return google_schema(said, at, free_form=True) if _says_more(said) else said


def _dialect(given: Json) -> Json:
    said: Json = {}
    for key, value in _renamed(given).items():
        name = "$ref" if key == "ref" else key
        if isinstance(value, dict) and name in ("properties", "defs", "$defs"):
            children = cast("Json", value)
            said[name] = {child: _dialect(_mapping(below, child)) for child, below in children.items()}
        elif isinstance(value, dict) and name == "items":
            said[name] = _dialect(cast("Json", value))
        elif isinstance(value, list) and name == "anyOf":
            said[name] = [_dialect(_mapping(below, name)) for below in cast("list[object]", value)]
        else:
            said[name] = value.upper() if name == "type" and isinstance(value, str) else value
    return said


def _says_more(schema: Json) -> bool:
    below: list[Json] = [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    if "items" in schema:
        below.append(schema["items"])
    return not (schema.keys() <= _DIALECT and isinstance(schema.get("type", ""), str)) or any(
        map(_says_more, below)
    )

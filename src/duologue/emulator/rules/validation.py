"""What the service refuses, and with which close code and words.

Every check returns a :class:`Close` or None. Codes follow one rule that fits all observations: invalid
argument and failed precondition 1007; not found, unauthenticated, aborted 1008; internal 1011.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec

from duologue.emulator.asks import Close
from duologue.emulator.rules.words import clean
from duologue.wire.client import ClientContent, ClientMessage, GenerationConfig, Setup, ToolResponse

if TYPE_CHECKING:
    from duologue.emulator.profiles import EmulatedProfile
    from duologue.wire.content import FunctionDeclaration, Tool

__all__ = [
    "ABORTED",
    "INTERNAL",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "PRECONDITION",
    "SETUP_FIRST",
    "bad_base64",
    "bad_json",
    "check_client_content",
    "check_setup",
    "check_shape",
    "check_tool_response",
    "check_tools",
    "refuse_key",
    "unknown_model",
]

SETUP_FIRST = Close(1007, "setup must be the first message and only the first")
INVALID_ARGUMENT = Close(1007, "Request contains an invalid argument.")
PRECONDITION = Close(1007, "Precondition check failed.")
NOT_FOUND = Close(1008, "Requested entity was not found.")
ABORTED = Close(1008, "The operation was aborted.")
INTERNAL = Close(1011, "Internal error encountered.")

_BAD_KEY = Close(1007, "API key not valid. Please pass a valid API key.")
_NO_KEY = Close(
    1008,
    "Method doesn't allow unregistered callers (callers without established identity). "
    "Please use API Key or other form of API consumer identity to call this API.",
)

_FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
_MAX_FUNCTIONS = 512
_BEHAVIORS = frozenset({"BLOCKING", "NON_BLOCKING", "UNSPECIFIED"})
_MODALITIES = frozenset({"MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO", "VIDEO"})
_MEDIA_RESOLUTIONS = frozenset(
    f"MEDIA_RESOLUTION_{size}" for size in ("UNSPECIFIED", "LOW", "MEDIUM", "HIGH", "ULTRA_HIGH")
)
_START = frozenset(f"START_SENSITIVITY_{level}" for level in ("UNSPECIFIED", "LOW", "HIGH"))
_END = frozenset(f"END_SENSITIVITY_{level}" for level in ("UNSPECIFIED", "LOW", "HIGH"))
_HANDLING = frozenset({"ACTIVITY_HANDLING_UNSPECIFIED", "START_OF_ACTIVITY_INTERRUPTS", "NO_INTERRUPTION"})
_COVERAGE = frozenset(
    {
        "TURN_COVERAGE_UNSPECIFIED",
        "TURN_INCLUDES_ONLY_ACTIVITY",
        "TURN_INCLUDES_ALL_INPUT",
        "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO",
    }
)
_SCHEDULING = frozenset({"SCHEDULING_UNSPECIFIED", "SILENT", "WHEN_IDLE", "INTERRUPT"})
_SERVED_TOOLS = ("function_declarations", "google_search", "google_search_retrieval")
# Read once: msgspec evaluates the annotations anew at every call.
_MESSAGE_KEYS = tuple((field.name, field.encode_name) for field in msgspec.structs.fields(ClientMessage))
_SCHEMA_KEYS = frozenset(
    [
        "type",
        "format",
        "title",
        "description",
        "nullable",
        "enum",
        "default",
        "example",
        "items",
        "minItems",
        "maxItems",
        "properties",
        "required",
        "minProperties",
        "maxProperties",
        "propertyOrdering",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "pattern",
        "anyOf",
        "additionalProperties",
        "ref",
        "defs",
        "$ref",
        "$defs",
    ]
)
_MAX_SCHEMA_DEPTH = 32
_NOT_IN_LIVE = frozenset(
    {
        "stop_sequences",
        "response_mime_type",
        "response_schema",
        "response_json_schema",
        "response_json_schema_ordered",
        "response_logprobs",
        "logprobs",
    }
)
"""Fields of generationConfig that the grammar has and live sessions are documented not to."""


def refuse_key(key: str | None, allowed: Collection[str] | None = None) -> Close | None:
    """Return how a link with this API key is closed after its upgrade, None if the key is right.

    Args:
        key: As given in header or query; None or "" when there was none.
        allowed: The right keys; None takes any non-empty one.
    """
    if not key:
        return _NO_KEY
    return None if allowed is None or key in allowed else _BAD_KEY


def unknown_model(model: str, api_version: str) -> Close:
    """Return the refusal of a model this service does not have."""
    return Close(
        1008,
        f"{clean(model)} is not found for API version {clean(api_version)}, or is not supported for "
        "bidiGenerateContent. Call ListModels to see the list of available models and their supported methods.",
    )


def bad_json(why: str) -> Close:
    """Return the refusal of a frame that does not parse."""
    return Close(1007, f"Invalid JSON payload received. {clean(why)}")


def bad_base64(path: str) -> Close:
    """Return the refusal of a blob that is not base64."""
    return Close(1007, f"Invalid value at '{path}' (TYPE_BYTES), Base64 decoding failed")


def _unknown_name(path: str) -> Close:
    parent, _, name = path.rpartition(".")
    where = f" at '{parent}'" if parent else ""
    return bad_json(f'Unknown name "{name}"{where}: Cannot find field.')


def _bad_value(path: str, value: str) -> Close:
    return Close(1007, f"Invalid value at '{path}', \"{clean(value)}\"")


def check_shape(message: ClientMessage, unknown: Iterable[str]) -> Close | None:
    """Refuse fields nobody knows, and messages with none or several of the five keys."""
    first_unknown = next(iter(unknown), None)
    if first_unknown is not None:
        return _unknown_name(first_unknown)
    keys = [wire_name for name, wire_name in _MESSAGE_KEYS if getattr(message, name) is not None]
    if len(keys) > 1:
        return bad_json(f"Oneof field 'message_type' is already set. Cannot set '{keys[1]}'")
    return None


def check_setup(setup: Setup, profile: EmulatedProfile, frame: bytes | str, api_version: str) -> Close | None:
    """Refuse a setup the profile's models would not take.

    Args:
        setup: As decoded.
        profile: The row of the model it names.
        frame: As received: whether a handle is null or absent is lost by decoding.
        api_version: From the path of the link; some fields exist in v1alpha only.
    """
    return (
        _check_enums(setup)
        or _check_generation(setup.generation_config or GenerationConfig(), profile, api_version)
        or _check_proactivity(setup, profile, api_version)
        or _check_resumption(setup, profile, frame)
        or _check_detection(setup)
        or check_tools(setup.tools or (), "setup")
    )


def _check_enums(setup: Setup) -> Close | None:
    generation = setup.generation_config or GenerationConfig()
    realtime = setup.realtime_input_config
    detection = realtime.automatic_activity_detection if realtime else None
    generation_path, realtime_path = "setup.generation_config", "setup.realtime_input_config"
    detection_path = f"{realtime_path}.automatic_activity_detection"
    rows: list[tuple[str, str | None, frozenset[str]]] = [
        (f"{generation_path}.response_modalities", modality, _MODALITIES)
        for modality in generation.response_modalities or []
    ]
    rows.append((f"{generation_path}.media_resolution", generation.media_resolution, _MEDIA_RESOLUTIONS))
    if realtime:
        rows.append((f"{realtime_path}.activity_handling", realtime.activity_handling, _HANDLING))
        rows.append((f"{realtime_path}.turn_coverage", realtime.turn_coverage, _COVERAGE))
    if detection:
        start, end = detection.start_of_speech_sensitivity, detection.end_of_speech_sensitivity
        rows.append((f"{detection_path}.start_of_speech_sensitivity", start, _START))
        rows.append((f"{detection_path}.end_of_speech_sensitivity", end, _END))
    for path, value, known in rows:
        if value is not None and value not in known:
            return _bad_value(path, value)
    return None


def _check_generation(config: GenerationConfig, profile: EmulatedProfile, api_version: str) -> Close | None:
    modalities = config.response_modalities or ["AUDIO"]
    if modalities == ["TEXT"]:
        return Close(*profile.text_modality)
    if modalities != ["AUDIO"]:
        return INVALID_ARGUMENT
    thinking = config.thinking_config
    if thinking is not None:
        given = {name for name in thinking.__struct_fields__ if getattr(thinking, name) is not None}
        if not given <= profile.thinking_fields:
            return INVALID_ARGUMENT
    if any(getattr(config, name) is not None for name in _NOT_IN_LIVE):
        return INVALID_ARGUMENT
    if config.enable_affective_dialog is not None and api_version != "v1alpha":
        return _unknown_name("setup.generation_config.enableAffectiveDialog")
    if config.enable_affective_dialog and profile.v1alpha_extras == "removed":
        return INVALID_ARGUMENT
    return None


def _check_proactivity(setup: Setup, profile: EmulatedProfile, api_version: str) -> Close | None:
    if setup.proactivity is None:
        return None
    if profile.proactive_audio == "v1alpha_only" and api_version != "v1alpha":
        return _unknown_name("setup.proactivity")
    if profile.proactive_audio == "always_on" and setup.proactivity.proactive_audio is False:
        return INVALID_ARGUMENT
    return None


def _check_resumption(setup: Setup, profile: EmulatedProfile, frame: bytes | str) -> Close | None:
    resumption = setup.session_resumption
    if resumption is None:
        return None
    if resumption.transparent is not None:
        return _unknown_name("setup.session_resumption.transparent")  # Vertex only
    if profile.null_handle == "refused" and resumption.handle is None and _has_null_handle(frame):
        return INVALID_ARGUMENT
    return None


def _has_null_handle(frame: bytes | str) -> bool:
    try:
        raw: Any = msgspec.json.decode(frame)
    except msgspec.DecodeError:
        return False  # several objects in one frame; rare enough
    asked: Any = raw.get("setup", {})
    for key in ("sessionResumption", "session_resumption"):
        below: Any = asked.get(key)
        if isinstance(below, Mapping) and "handle" in below:
            return True
    return False


def _check_detection(setup: Setup) -> Close | None:
    realtime = setup.realtime_input_config
    detection = realtime.automatic_activity_detection if realtime else None
    if detection is None:
        return None
    lengths = (detection.prefix_padding_ms or 0, detection.silence_duration_ms or 0)
    return None if all(0 <= length <= 60_000 for length in lengths) else INVALID_ARGUMENT


def check_tools(tools: Sequence[Tool], path: str) -> Close | None:
    """Refuse tools Live models do not have, and declarations the service would not take."""
    functions = 0
    for index, tool in enumerate(tools):
        given = [name for name in tool.__struct_fields__ if getattr(tool, name) is not None]
        if any(name not in _SERVED_TOOLS for name in given):
            return INVALID_ARGUMENT
        for at, function in enumerate(tool.function_declarations or ()):
            functions += 1
            refused = _check_function(function, f"{path}.tools[{index}].function_declarations[{at}]")
            if refused:
                return refused
    return INVALID_ARGUMENT if functions > _MAX_FUNCTIONS else None


def _check_function(function: FunctionDeclaration, path: str) -> Close | None:
    if not _FUNCTION_NAME.fullmatch(function.name):
        return INVALID_ARGUMENT
    if function.behavior is not None and function.behavior not in _BEHAVIORS:
        return _bad_value(f"{path}.behavior", function.behavior)
    if function.parameters is None:
        return None
    if function.parameters_json_schema is not None:
        return INVALID_ARGUMENT
    return _check_schema(function.parameters, f"{path}.parameters")


def _check_schema(schema: Mapping[str, Any], path: str, depth: int = 0) -> Close | None:
    """Refuse JSON-Schema words that Google's dialect does not know."""
    if depth > _MAX_SCHEMA_DEPTH:
        return INVALID_ARGUMENT
    for key, value in schema.items():
        if _camel(key) not in _SCHEMA_KEYS:
            return _unknown_name(f"{path}.{key}")
        if key == "type" and not isinstance(value, str):
            return _bad_value(f"{path}.type", str(value))
    for where, below in _schemas_in(schema, path):
        refused = _check_schema(below, where, depth + 1)
        if refused:
            return refused
    return None


def _schemas_in(schema: Mapping[str, Any], path: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Yield the schemas right below this one, with where they stand."""
    properties = _objects(schema.get("properties"))
    for name, value in properties.items():
        yield f"{path}.properties.{name}", _objects(value)
    choices: Any = schema.get("anyOf", schema.get("any_of"))
    if isinstance(choices, list):
        for at, value in enumerate(cast("Sequence[Any]", choices)):
            yield f"{path}.any_of[{at}]", _objects(value)
    if "items" in schema:
        yield f"{path}.items", _objects(schema["items"])


def _objects(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def check_client_content(content: ClientContent) -> Close | None:
    """Refuse roles and parts a Live conversation does not take."""
    for turn in content.turns or ():
        if turn.role not in (None, "", "user", "model"):
            return INVALID_ARGUMENT
        for part in turn.parts or ():
            if part.function_call is not None or part.function_response is not None:
                return INVALID_ARGUMENT
    return None


def check_tool_response(message: ToolResponse) -> Close | None:
    """Refuse responses without an id, and schedules nobody knows."""
    for index, response in enumerate(message.function_responses or ()):
        if not response.id:
            return INVALID_ARGUMENT
        if response.scheduling is not None and response.scheduling not in _SCHEDULING:
            return _bad_value(f"tool_response.function_responses[{index}].scheduling", response.scheduling)
    return None

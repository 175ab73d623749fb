"""From a recorded setup to the options that say the same: model, backend, and the service's options."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from duologue.config import LiveConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.tapes.tape import Link

__all__ = ["Choice", "choice_of", "setup_differences", "unchecked"]

_ON_BY_DEFAULT = ("input_audio_transcription", "output_audio_transcription", "context_window_compression")
_OPTIONS = frozenset(field.name for field in fields(LiveConfig)) - {"setup_overrides", "http_options"}


async def token() -> str:
    """Return an access token, for a recording of Vertex AI."""
    return "ya29.tape"


@dataclass(frozen=True)
class Choice:
    """How a session of ours is set up as the recorded one was."""

    backend: dict[str, Any]
    """``model`` and, on Vertex AI, project, location and credentials; else an API key."""
    live: dict[str, Any]
    """Keywords of ``LiveConfig``."""
    instructions: str | None
    handle: str | None
    manual: bool
    notes: list[str] = field(default_factory=list[str])
    """What could not be said with an option, and went into ``setup_overrides``."""


def choice_of(link: Link) -> Choice:
    """Return the options for one link of a recording."""
    setup = dict(link.setup)
    overrides: dict[str, Any] = {}
    live: dict[str, Any] = dict.fromkeys(_ON_BY_DEFAULT)
    resumption = setup.pop("sessionResumption", None)
    live["session_resumption"] = resumption is not None
    generation = dict(setup.pop("generationConfig", {}))
    instructions = _paragraph(setup.pop("systemInstruction", None))
    if "tools" in setup:
        live["gemini_tools"] = setup.pop("tools")
    for where, options in (("generationConfig", generation), ("", setup)):
        for name, value in options.items():
            option = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
            if name == "model":
                continue
            if option in _OPTIONS:
                live[option] = value
            elif where:
                overrides.setdefault(where, {})[name] = value
            else:
                overrides[name] = value
    notes = [f"setup_overrides: {', '.join(overrides)}"] if overrides else []
    if overrides:
        live["setup_overrides"] = overrides
    detection = setup.get("realtimeInputConfig", {}).get("automaticActivityDetection", {})
    return Choice(
        _backend(setup["model"]),
        live,
        instructions,
        (resumption or {}).get("handle"),
        manual=bool(detection.get("disabled")),
        notes=notes,
    )


def unchecked(choice: Choice, link: Link) -> Choice:
    """Return the same with every option as an override: for what a profile of ours refuses."""
    rest = {
        k: v for k, v in link.setup.items() if k not in ("model", "systemInstruction", "sessionResumption")
    }
    live = {**dict.fromkeys(_ON_BY_DEFAULT), "session_resumption": choice.live["session_resumption"]}
    notes = [*choice.notes, "refused as options, sent as setup_overrides"]
    return Choice(
        choice.backend,
        {**live, "setup_overrides": rest},
        choice.instructions,
        choice.handle,
        choice.manual,
        notes,
    )


def _backend(model: str) -> dict[str, Any]:
    path = model.split("/")
    if "publishers" not in path:
        return {"model": model, "api_key": "tape-key"}
    place = dict(zip(path[::2], path[1::2], strict=False))
    return {
        "model": path[-1],
        "vertexai": True,
        "project": place.get("projects", "tape"),
        "location": place.get("locations", "us-central1"),
        "credentials": token,
    }


def _paragraph(instruction: Any) -> str | None:
    if instruction is None or isinstance(instruction, str):
        return instruction
    return "\n".join(part.get("text", "") for part in instruction.get("parts") or ())


def setup_differences(recorded: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """Return what our setup asks for otherwise than the recorded one; we may ask for more."""
    found: list[str] = []
    for what, take in (
        ("model", lambda s: s["model"].rsplit("/", 1)[-1]),
        ("instructions", lambda s: _paragraph(s.get("systemInstruction"))),
        ("modalities", lambda s: s.get("generationConfig", {}).get("responseModalities") or ["AUDIO"]),
        ("functions", _functions),
        ("input transcription", lambda s: "inputAudioTranscription" in s),
        ("output transcription", lambda s: "outputAudioTranscription" in s),
        ("handle", lambda s: (s.get("sessionResumption") or {}).get("handle")),
    ):
        if take(recorded) != take(ours):
            found.append(f"{what}: {take(recorded)} asked for as {take(ours)}")
    return found


def _functions(setup: Mapping[str, Any]) -> dict[str, Any]:
    declared = [d for tool in setup.get("tools") or () for d in tool.get("functionDeclarations") or ()]
    return {
        d.get("name", ""): (
            d.get("description"),
            d.get("behavior"),
            d.get("parameters"),
            d.get("parametersJsonSchema"),
        )
        for d in declared
    }

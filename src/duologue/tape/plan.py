"""What a session is made of, as the header holds it.

The profile's whole row is written, not only its name: a later table must not change what an old tape
replays to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, cast

import msgspec

from duologue.config import SessionOptions
from duologue.core.session import SessionPlan
from duologue.errors import ConfigError, TapeError
from duologue.wire.profiles import ModelProfile, profile_for

__all__ = ["model_of", "plan_from", "plan_value"]

_COMPOSED = ("profile", "options")
_CELLS = (str, int, float, tuple, type(None))


def plan_value(plan: SessionPlan) -> dict[str, Any]:
    """Return a plan as a JSON object; of a profile, what a session may go by (no prices, no evidence)."""
    value: dict[str, Any] = {field.name: getattr(plan, field.name) for field in fields(plan)}
    row = {field.name: getattr(plan.profile, field.name) for field in fields(plan.profile)}
    value["profile"] = {name: cell for name, cell in row.items() if isinstance(cell, _CELLS)}
    return cast("dict[str, Any]", msgspec.json.decode(msgspec.json.encode(value)))


def model_of(setup: Mapping[str, Any]) -> str:
    """Return the model a setup message names."""
    model = setup.get("model")
    if not isinstance(model, str):
        raise TapeError("its setup names no model")
    return model


def plan_from(value: Mapping[str, Any]) -> SessionPlan:
    """Return the plan that ``plan_value`` made an object of; fields of later versions are left out.

    Raises:
        TapeError: It is none.
    """
    try:
        setup = _mapping(value, "setup")
        if not isinstance(value["session_id"], str):
            raise TapeError("its plan has no session_id")
        row = _mapping(value, "profile")
        known = {field.name for field in fields(SessionPlan)}.difference(_COMPOSED)
        return SessionPlan(
            **{name: kept for name, kept in value.items() if name in known},
            profile=_profile(row, model_of(setup)),
            options=SessionOptions(**_known(_mapping(value, "options"), SessionOptions)),
        )
    except TapeError:
        raise
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise TapeError(f"its plan cannot be used: {error}") from error


def _profile(row: Mapping[str, Any], model: str) -> ModelProfile:
    backend: Any = row.get("backend", "developer")
    return replace(profile_for(model, backend), **_known(row, ModelProfile))


def _known(value: Mapping[str, Any], cls: Any) -> dict[str, Any]:
    names = {field.name for field in fields(cls)}
    return {
        name: tuple(cast("list[object]", kept)) if isinstance(kept, list) else kept
        for name, kept in value.items()
        if name in names and not isinstance(kept, Mapping)
    }


def _mapping(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value[name]
    if not isinstance(found, Mapping):
        raise TapeError(f"its {name} is a {type(found).__name__}, not an object")
    return cast("Mapping[str, Any]", found)

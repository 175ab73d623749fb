"""From a model's name to its row. Read ``profile`` for the columns, ``profile_table`` for the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duologue.checks import check_value, shown
from duologue.errors import ConfigError
from duologue.wire.profile import Backend, Evidence, ModelProfile, TokenPrices
from duologue.wire.profile_table import DEFAULT_MODEL, DEFAULT_VERTEX_MODEL, PROFILES, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DEFAULT_MODEL",
    "DEFAULT_MODELS",
    "DEFAULT_VERTEX_MODEL",
    "PROFILES",
    "Backend",
    "Evidence",
    "ModelProfile",
    "TokenPrices",
    "profile_for",
]

DEFAULT_MODELS: Mapping[Backend, str] = {"developer": DEFAULT_MODEL, "vertex": DEFAULT_VERTEX_MODEL}
"""What is taken when no model is named."""

_CALLED: Mapping[Backend, str] = {"developer": "the Gemini Developer API", "vertex": "Vertex AI"}
_OF_NO_ROW = ("gemini-live-2.5-flash-preview",)
"""Models whose names begin like a row's and that are none of it: half cascade of the Developer API, shut down."""


def profile_for(model: str, backend: Backend = "developer") -> ModelProfile:
    """Return the row of a model on a backend; the backend's safest row for a model nobody knows.

    The caller warns once when the row is not ``known``. Whether the key may use the model is not
    checked: only the service knows.

    Args:
        model: With or without what stands before the last slash, such as ``models/``.
        backend: Where it is to run.

    Raises:
        ConfigError: No text, an empty one, one with blanks or control characters, or a model of the other
            backend; says which and what to take instead.
    """
    check_value("model", model, str)
    default = DEFAULT_MODELS[backend]
    if not model or any(c.isspace() or not c.isprintable() for c in model):
        raise ConfigError(f"model is {shown(model)}; give a name without blanks, such as {default!r}")
    bare = model.rsplit("/", 1)[-1]
    row = None if bare in _OF_NO_ROW else _row_of(bare)
    if row is None:
        return UNKNOWN[backend]
    if row.backend != backend:
        raise ConfigError(
            f"model {bare!r} belongs to {_CALLED[row.backend]}, this session to {_CALLED[backend]}: "
            f"pass vertexai={row.backend == 'vertex'}, or take a model such as {default!r}"
        )
    return row


def _row_of(bare: str) -> ModelProfile | None:
    """Return the row whose prefix fits best; a prefix ends where a word of the name does."""
    fits = [
        (len(prefix), row)
        for row in PROFILES.values()
        for prefix in row.model_prefixes
        if bare == prefix or bare.startswith(f"{prefix}-")
    ]
    return max(fits, key=lambda fit: fit[0])[1] if fits else None

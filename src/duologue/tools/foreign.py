"""Types that other libraries declare: msgspec structs and pydantic models, with their constraints.

Neither library is imported before a hint of theirs is seen.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args, get_origin

from duologue.errors import ConfigError, ToolError
from duologue.tools.plain import plain_schema
from duologue.tools.shapes import Described, Foreign, Shape

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["foreign_shape", "standard_shape"]

_WRITTEN = {
    ("datetime", "date"): "date",
    ("datetime", "time"): "time",
    ("datetime", "datetime"): "date-time",
    ("datetime", "timedelta"): "duration",
    ("uuid", "UUID"): "uuid",
    ("decimal", "Decimal"): "decimal",
}


def foreign_shape(hint: Any, at: str, *, free_form: bool = False) -> Shape | None:
    """Read a hint that belongs to msgspec or pydantic; None if it is neither's.

    Theirs are structs and models, and any hint ``Annotated`` with their constraints
    (``msgspec.Meta``, ``pydantic.Field``, the ``annotated_types`` package).

    Raises:
        ConfigError: The library cannot describe the type, or its schema cannot be expressed.
    """
    extras: tuple[Any, ...] = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    if _is_msgspec(hint, extras):
        shape = _shape(_msgspec, hint, at, free_form)
    elif _is_pydantic(hint, extras):
        shape = _shape(_pydantic, hint, at, free_form)
    else:
        return None
    text = next((extra for extra in extras if isinstance(extra, str)), None)
    return Described(shape, text) if text else shape


def standard_shape(hint: Any, at: str) -> Shape | None:
    """Read a type of the standard library that has a text form in JSON; None if it is none.

    Dates and times (ISO 8601), durations, UUIDs and decimals; msgspec reads them.
    """
    written = _WRITTEN.get((getattr(hint, "__module__", ""), getattr(hint, "__qualname__", "")))
    if written is None:
        return None
    return Foreign(plain_schema({"type": "string", "format": written}, at), _msgspec_build(hint))


def _is_msgspec(hint: Any, extras: tuple[Any, ...]) -> bool:
    msgspec = sys.modules.get("msgspec")  # whoever uses its types has imported it
    if msgspec is None:
        return False
    kind = get_origin(hint) or hint  # a generic struct has its parameters beside it
    return _subclass(kind, msgspec.Struct) or any(isinstance(extra, msgspec.Meta) for extra in extras)


def _is_pydantic(hint: Any, extras: tuple[Any, ...]) -> bool:
    if any(type(extra).__module__.split(".")[0] in ("pydantic", "annotated_types") for extra in extras):
        return True
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and (
        _subclass(hint, pydantic.BaseModel) or "__pydantic_validator__" in getattr(hint, "__dict__", ())
    )


def _subclass(hint: Any, parent: type[Any]) -> bool:
    return isinstance(hint, type) and issubclass(hint, parent)


def _shape(
    library: Callable[[Any], tuple[dict[str, Any], Callable[[Any], Any]]], hint: Any, at: str, free_form: bool
) -> Foreign:
    try:
        declared, build = library(hint)
    except ImportError as exc:
        msg = f"{at}: {hint!r} needs the package {exc.name}, which is not installed"
        raise ConfigError(msg) from exc
    except Exception as exc:  # each library has its own errors, and several
        msg = f"{at}: {hint!r} cannot be described: {exc}"
        raise ConfigError(msg) from exc
    return Foreign(plain_schema(declared, at, free_form=free_form), build)


def _msgspec(hint: Any) -> tuple[dict[str, Any], Callable[[Any], Any]]:
    import msgspec

    return msgspec.json.schema(hint), _msgspec_build(hint)


def _msgspec_build(hint: Any) -> Callable[[Any], Any]:
    def build(value: Any) -> Any:
        import msgspec

        try:
            return msgspec.convert(value, hint)
        except msgspec.ValidationError as exc:
            raise ToolError(str(exc)) from exc

    return build


def _pydantic(hint: Any) -> tuple[dict[str, Any], Callable[[Any], Any]]:
    import pydantic

    adapter: Any = pydantic.TypeAdapter(hint)

    def build(value: Any) -> Any:
        try:
            return adapter.validate_python(value)
        except pydantic.ValidationError as exc:
            first = cast("Any", exc.errors(include_url=False, include_context=False, include_input=False)[0])
            place = ".".join(str(part) for part in first["loc"])
            raise ToolError(f"{place}: {first['msg']}" if place else str(first["msg"])) from exc

    return adapter.json_schema(), build

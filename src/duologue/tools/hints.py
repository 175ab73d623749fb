"""From a Python type hint to the shape of an argument."""

from __future__ import annotations

import dataclasses
import inspect
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Annotated, Any, Literal, NotRequired, Required, Union, cast, get_args, get_origin

from duologue.errors import ConfigError
from duologue.tools.docstrings import Documentation, read_docstring
from duologue.tools.foreign import foreign_shape, standard_shape
from duologue.tools.shapes import (
    AnyOf,
    Choice,
    Described,
    Field,
    Fixed,
    Flag,
    ListOf,
    Nullable,
    Number,
    Open,
    Record,
    Shape,
    Text,
    Whole,
)

__all__ = ["FreeForm", "describe", "resolve", "shape_of"]


class FreeForm:
    """Mark a parameter as an object with any keys: ``Annotated[dict[str, Any], FreeForm]``.

    It is declared as an OBJECT without properties: the model guesses the keys, and some models
    refuse such a declaration. Prefer a dataclass or a TypedDict.
    """


@dataclasses.dataclass(frozen=True, slots=True)
class _Context:
    """What is known on the way down into a hint."""

    at: str
    free_form: bool = False
    within: tuple[Any, ...] = ()
    """The records and aliases being read, to notice one that contains itself."""

    def fail(self, why: str) -> typing.NoReturn:
        msg = f"{self.at}: {why}"
        raise ConfigError(msg)

    def enter(self, hint: Any) -> _Context:
        if hint in self.within:
            self.fail(f"{hint.__name__} contains itself, which cannot be declared")
        return dataclasses.replace(self, within=(*self.within, hint))

    def field(self, name: str) -> _Context:
        return dataclasses.replace(self, at=f"{self.at}.{name}", free_form=False)


_SCALARS: dict[Any, Shape] = {str: Text(), int: Whole(), float: Number(), bool: Flag()}
_LISTS: dict[Any, Callable[[Iterable[Any]], Any]] = {
    list: list,
    Sequence: list,
    MutableSequence: list,
    Collection: list,
    Iterable: list,
    set: set,
    AbstractSet: set,
    frozenset: frozenset,
}
_MAPPINGS = (dict, Mapping, MutableMapping)


def shape_of(hint: Any, at: str) -> Shape:
    """Read a resolved type hint.

    Args:
        hint: str, int, float, bool, Literal, Enum, list, set, tuple, Optional, Union, Annotated,
            NewType, dataclass, TypedDict, msgspec.Struct, pydantic.BaseModel, or any nesting of them.
        at: Function and parameter, for error messages.

    Raises:
        ConfigError: The hint cannot be expressed; names ``at``, the hint and what to use instead.
    """
    return _shape(hint, _Context(at))


def resolve(hint: Any, owner: object, at: str) -> Any:
    """Evaluate a hint that may be a string, in the module of the function or class it stands in.

    Raises:
        ConfigError: A name in it does not exist at run time.
    """
    namespace: dict[str, Any] | None = getattr(owner, "__globals__", None)
    if namespace is None:
        module = sys.modules.get(getattr(owner, "__module__", ""))
        namespace = vars(module) if module is not None else {}
    holder = types.SimpleNamespace(__annotations__={"hint": hint})
    try:
        return typing.get_type_hints(holder, globalns=namespace, include_extras=True)["hint"]
    except (NameError, TypeError, SyntaxError, AttributeError) as exc:
        msg = f"{at}: the type hint {hint!r} cannot be evaluated at run time ({exc}); import what it names outside `if TYPE_CHECKING:` and define it at module level"
        raise ConfigError(msg) from exc


def describe(shape: Shape, text: str | None) -> Shape:
    """Add words from a docstring, unless an ``Annotated`` hint has already given some."""
    inner = shape.inner if isinstance(shape, Nullable) else shape
    return shape if not text or isinstance(inner, Described) else Described(shape, text)


def _shape(hint: Any, context: _Context) -> Shape:
    if isinstance(hint, type) and hint in _SCALARS:
        return _SCALARS[hint]
    if isinstance(hint, typing.NewType):
        return _shape(hint.__supertype__, context)
    foreign = foreign_shape(hint, context.at, free_form=context.free_form)
    if foreign is not None:
        return foreign
    origin = get_origin(hint)
    if type(hint).__name__ == "TypeAliasType":  # a `type X = ...` statement, Python 3.12 and newer
        return _shape(cast("Any", hint).__value__, context.enter(hint))
    if origin is Annotated:
        return _annotated(hint, context)
    if origin is Literal:
        return _literal(get_args(hint), context)
    if origin in (Union, types.UnionType):
        return _union(get_args(hint), context)
    if isinstance(hint, type):
        return _class(hint, context)
    return _generic(hint, origin, context)


def _annotated(hint: Any, context: _Context) -> Shape:
    inner, *extras = get_args(hint)
    if any(extra is FreeForm or isinstance(extra, FreeForm) for extra in extras):
        context = dataclasses.replace(context, free_form=True)
    shape = _shape(inner, context)
    for extra in extras:
        text = extra if isinstance(extra, str) else getattr(extra, "documentation", None)
        if isinstance(text, str):
            return Described(shape, text)
    return shape


def _literal(constants: tuple[Any, ...], context: _Context) -> Shape:
    kinds: dict[Any, dict[Any, Any]] = {}
    for constant in constants:
        value: object = _enum_text(constant) if isinstance(constant, Enum) else constant
        kinds.setdefault(type(value), {})[value] = constant
    nullable = kinds.pop(type(None), None) is not None
    shapes = [_choice(kind, options, context) for kind, options in kinds.items()]
    if not shapes:
        context.fail("Literal[None] leaves nothing to choose")
    shape = shapes[0] if len(shapes) == 1 else AnyOf(tuple(shapes))
    return Nullable(shape) if nullable else shape


def _choice(kind: Any, options: dict[Any, Any], context: _Context) -> Shape:
    if kind not in _SCALARS:
        context.fail(f"a choice of {kind.__name__} cannot be declared; use strings or numbers")
    if not options:
        context.fail("there is nothing to choose from")
    if "" in options:
        context.fail("the empty string cannot be one of the choices")
    return Choice(_SCALARS[kind], options)


def _union(members: tuple[Any, ...], context: _Context) -> Shape:
    shapes = tuple(_shape(member, context) for member in members if member is not type(None))
    shape = shapes[0] if len(shapes) == 1 else AnyOf(shapes)
    return Nullable(shape) if len(shapes) < len(members) else shape


def _class(hint: type[Any], context: _Context) -> Shape:
    if issubclass(hint, Enum):
        return _choice(str, {_enum_text(member): member for member in hint}, context)
    if dataclasses.is_dataclass(hint) or typing.is_typeddict(hint):
        inner = context.enter(hint)
        return _dataclass(hint, inner) if dataclasses.is_dataclass(hint) else _typed_dict(hint, inner)
    standard = standard_shape(hint, context.at)
    if standard is not None:
        return standard
    if hint in _LISTS or hint is tuple:
        context.fail(f"{hint.__name__} does not say what its items are; write e.g. {hint.__name__}[str]")
    if hint in _MAPPINGS:
        return _mapping(hint, (), context)
    return context.fail(f"{hint.__name__} cannot be declared to the model; use str, a dataclass, ...")


def _enum_text(member: Enum) -> str:
    """Names say more to a model than numbers do: only an enum of strings goes by its values."""
    by_value = all(isinstance(other.value, str) for other in type(member))
    return member.value if by_value else member.name


def _dataclass(hint: type[Any], context: _Context) -> Shape:
    docs = read_docstring(hint)
    fields: dict[str, Field] = {}
    for field in dataclasses.fields(hint):
        if not field.init:
            continue
        place = context.field(field.name)
        owner = _owner(hint, field)
        shape = describe(_shape(resolve(field.type, owner, place.at), place), docs.parameters.get(field.name))
        default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        fields[field.name] = Field(shape, required=not default)
    for parameter in inspect.signature(hint).parameters.values():
        if parameter.name not in fields and parameter.default is parameter.empty:
            context.fail(f"{hint.__name__} wants {parameter.name!r}, which is none of its fields")
    return _record(fields, hint, docs, context)


def _owner(hint: type[Any], field: dataclasses.Field[Any]) -> type[Any]:
    """Find the class that wrote a field: its module is where a string hint has its names from."""
    for base in reversed(hint.__mro__):
        if vars(base).get("__dataclass_fields__", {}).get(field.name) is field:
            return base
    return hint


def _typed_dict(hint: type[Any], context: _Context) -> Shape:
    docs = read_docstring(hint)
    fields: dict[str, Field] = {}
    for name, unresolved in hint.__annotations__.items():
        place = context.field(name)
        inner = resolve(unresolved, hint, place.at)
        required = name in cast("Any", hint).__required_keys__
        while get_origin(inner) in (Required, NotRequired):
            # With string annotations __required_keys__ has not seen these wrappers.
            required = get_origin(inner) is Required
            inner = get_args(inner)[0]
        fields[name] = Field(describe(_shape(inner, place), docs.parameters.get(name)), required)
    return _record(fields, dict, docs, context)


def _record(
    fields: dict[str, Field], build: Callable[..., Any], docs: Documentation, context: _Context
) -> Shape:
    if not fields and not context.free_form:
        context.fail("an object without fields cannot be declared; give it fields or mark it FreeForm")
    return Record(fields, build, docs.summary)


def _generic(hint: Any, origin: Any, context: _Context) -> Shape:
    args = get_args(hint)
    if origin is tuple and args:
        if len(args) == 2 and args[1] is Ellipsis:
            return ListOf(_shape(args[0], context), tuple)
        return Fixed(tuple(_shape(arg, context) for arg in args))
    if origin in _LISTS and args:
        item = _shape(args[0], context)
        build = _LISTS[origin]
        if build in (set, frozenset) and any(kind in item.label for kind in ("a list", "an object")):
            context.fail("the items of a set must be strings, numbers or choices")
        return ListOf(item, build)
    if origin in _MAPPINGS:
        return _mapping(hint, args, context)
    return context.fail(f"{hint!r} cannot be declared to the model; use str, a dataclass, ...")


def _mapping(hint: Any, args: tuple[Any, ...], context: _Context) -> Shape:
    if not context.free_form:
        context.fail(
            "an object with any keys cannot be declared; use a dataclass or a TypedDict, or Annotated[..., FreeForm]"
        )
    if not args or args[1] in (Any, object):
        return Open(None)
    if args[0] is not str:
        context.fail(f"the keys of {hint!r} must be str")
    return Open(_shape(args[1], context))

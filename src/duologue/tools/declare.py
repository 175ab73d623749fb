"""Turn a Python function into a tool the model can call.

Read this to see what ``@function_tool`` accepts and what the model is told.
"""

from __future__ import annotations

import functools
import inspect
import re
import types
import typing
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, Protocol, TypeVar, Union, cast, overload

from duologue.errors import ConfigError
from duologue.tools.docstrings import read_docstring
from duologue.tools.given import given_arguments
from duologue.tools.hints import describe, resolve, shape_of
from duologue.tools.shapes import Field, Nullable, Record

if TYPE_CHECKING:
    from duologue.config import Scheduling, ToolBehavior

__all__ = ["Confirm", "FunctionTool", "OnLost", "ToolContext", "function_tool"]

P = ParamSpec("P")
R = TypeVar("R")

OnLost = Literal["retry", "abandon"]
_Kind = Literal["sync", "async", "stream"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")  # what both published rules allow (Q-tool-names)


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a tool may know about its call; annotate a parameter with it to be given one.

    The parameter is not declared to the model.
    """

    call_id: str
    idempotency_key: str
    """Same session, turn, name and arguments: same key. Hand it to whatever must not act twice."""
    session: Any
    """The session the call came from."""


Confirm = Callable[[ToolContext, Mapping[str, Any]], bool | Awaitable[bool]]
"""Asked before the function runs; anything but a true answer means that it doesn't."""


class Arguments(Protocol):
    """All arguments of a tool: they can declare themselves, and read what a model sends."""

    def schema(self) -> dict[str, Any]:
        """Build the Schema for the wire: a new dict."""
        ...

    def read(self, value: Any, at: str) -> dict[str, Any]:
        """Check a JSON object and build the function's keywords; raise ``ToolError`` if it does not fit."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FunctionTool(Generic[P, R]):
    """A function the model may call. Made by ``function_tool``, called like the function itself."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """The wire's Schema, types in UPPER case: an OBJECT, maybe without properties."""
    function: Callable[P, R]
    behavior: ToolBehavior | None = None
    scheduling: Scheduling | None = None
    timeout_s: float | None = None
    """None: the runner's default."""
    interruptible: bool = True
    """Not honoured in this version: the service alone decides which calls an interruption ends."""
    on_lost: OnLost = "retry"
    """Not honoured in this version: a lost link ends the session, and every open call with it."""
    read_only: bool = False
    """Not honoured in this version: kept for whoever reads it, and treated like any other tool."""
    dedupe_within_s: float | None = None
    confirm: Confirm | None = None
    context_parameter: str | None = None
    """The name of the parameter that takes the ``ToolContext``."""
    arguments: Arguments = field(repr=False)
    """What ``parameters`` was made from; reads what the model sends."""
    kind: _Kind = "sync"

    def __post_init__(self) -> None:
        at = f"tool {self.name!r}"
        if not _NAME.fullmatch(self.name):
            msg = f"{at}: a tool's name is 1 to 64 letters, digits, '_' and '-', not beginning with a digit or '-'; give name=..."
            raise ConfigError(msg)
        _check_options(self, at)
        if self.behavior == "BLOCKING" and (self.kind == "stream" or self.scheduling is not None):
            msg = f"{at}: scheduling= and async generators are for NON_BLOCKING tools; the model waits for a BLOCKING one's only result"
            raise ConfigError(msg)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function as if it had not been decorated."""
        return self.function(*args, **kwargs)

    if not TYPE_CHECKING:  # a type checker would take it to mean that every attribute exists

        def __getattr__(self, name: str) -> Any:
            # Found on instances only: as class attributes, these would mislead `inspect` about the class.
            if name == "__wrapped__":
                return self.function
            if name in ("__name__", "__qualname__"):
                return getattr(self.function, name, self.name)
            raise AttributeError(f"FunctionTool has no attribute {name!r}")

    def declaration(self) -> dict[str, Any]:
        """Build the wire's FunctionDeclaration: a new dict; ``parameters`` only if there are any."""
        wire: dict[str, Any] = {"name": self.name, "description": self.description}
        parameters = self.arguments.schema()
        if parameters.get("properties"):
            wire["parameters"] = parameters
        if self.behavior is not None:
            wire["behavior"] = self.behavior
        return wire


@overload
def function_tool(function: Callable[P, R], /) -> FunctionTool[P, R]: ...
@overload
def function_tool(
    *,
    name: str | None = None,
    description: str | None = None,
    parameters: Mapping[str, Any] | type[Any] | None = None,
    behavior: ToolBehavior | None = None,
    scheduling: Scheduling | None = None,
    timeout_s: float | None = None,
    interruptible: bool = True,
    on_lost: OnLost = "retry",
    read_only: bool = False,
    dedupe_within_s: float | None = None,
    confirm: Confirm | None = None,
) -> Callable[[Callable[P, R]], FunctionTool[P, R]]: ...
def function_tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    parameters: Mapping[str, Any] | type[Any] | None = None,
    behavior: ToolBehavior | None = None,
    scheduling: Scheduling | None = None,
    timeout_s: float | None = None,
    interruptible: bool = True,
    on_lost: OnLost = "retry",
    read_only: bool = False,
    dedupe_within_s: float | None = None,
    confirm: Confirm | None = None,
) -> Any:
    """Declare a function, async function or async generator as a tool.

    Type hints become the Schema, the docstring (Google, NumPy or reST) the descriptions; words in
    ``Annotated[..., "words"]`` beat the docstring. Sync functions run in a thread. An async
    generator sends everything it yields at once; it is declared NON_BLOCKING. Does not register the
    tool anywhere: hand it to ``connect(tools=[...])``.

    Args:
        function: The function; its parameters must all have type hints.
        name: What the model calls it; default the function's name.
        description: Default the docstring without its sections.
        parameters: Declares the arguments instead of the type hints. A JSON Schema of an object: what
            fits all of it arrives as keywords. Or a type whose JSON form is an object (a pydantic model, a
            msgspec struct, a dataclass, a TypedDict): the function's one parameter gets an instance.
        behavior: Whether the model waits for the result; None leaves it to the service.
        scheduling: When a result of a NON_BLOCKING tool is taken up.
        timeout_s: How long one call may take, with its confirmation; default the session's.
        interruptible: Whether an interruption of the model ends the call. Not honoured in this version:
            a call ends when the service takes it back, whatever is given here.
        on_lost: After a lost link, whether the model may ask again. Not honoured in this version: a lost
            link ends the session.
        read_only: Promises that calling it changes nothing. Not honoured in this version: nothing is made
            of the promise.
        dedupe_within_s: A call with the idempotency key of one that is running, or that succeeded
            less than this ago, gets its result instead of running again.
        confirm: Asked before each run; in a thread if it is not async.

    Raises:
        ConfigError: Something cannot be declared; the message names function and parameter.

    Example:
        >>> @function_tool
        ... def add(a: int, b: int = 1) -> int:
        ...     "Add two numbers."
        ...     return a + b
        >>> add.declaration()["parameters"]["required"], add(1, 2)
        (['a'], 3)
    """

    def declare(decorated: Callable[..., Any]) -> FunctionTool[..., Any]:
        tool = _read(decorated, name, description, behavior, parameters)
        return replace(
            tool,
            scheduling=scheduling,
            timeout_s=timeout_s,
            interruptible=interruptible,
            on_lost=on_lost,
            read_only=read_only,
            dedupe_within_s=dedupe_within_s,
            confirm=confirm,
        )

    return declare if function is None else declare(function)


def _read(
    function: Callable[..., Any],
    name: str | None,
    description: str | None,
    behavior: ToolBehavior | None,
    parameters: object,
) -> FunctionTool[..., Any]:
    """Read a function's name, docstring, kind and signature; the other options are left alone."""
    plain = _plain_function(function)
    name = name if name is not None else str(getattr(plain, "__name__", type(plain).__name__))
    at = f"tool {name!r}"
    kind = _kind(function, at)
    documentation = read_docstring(plain)
    hints, context_parameter = _signature(function, plain, at)
    if parameters is None:
        arguments: Arguments = _by_hints(hints, documentation.parameters, at)
    else:
        arguments = given_arguments(parameters, [parameter for parameter, _ in hints], context_parameter, at)
    return FunctionTool(
        name=name,
        description=description if description is not None else documentation.summary,
        parameters=arguments.schema(),
        function=function,
        behavior="NON_BLOCKING" if kind == "stream" and behavior is None else behavior,
        context_parameter=context_parameter,
        arguments=arguments,
        kind=kind,
    )


def _plain_function(function: Any) -> Any:
    """Find the ``def`` beneath partials, wrappers and callable objects: it has docstring and module."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    if inspect.isroutine(function):
        return getattr(function, "__func__", function)
    call = inspect.getattr_static(cast("object", type(function)), "__call__", None)
    return call if inspect.isfunction(call) and not isinstance(function, type) else function


def _kind(function: Any, at: str) -> _Kind:
    if not callable(function) or isinstance(function, type):
        msg = f"{at}: {function!r} is not a function; decorate a function, async function or async generator"
        raise ConfigError(msg)
    plain = _plain_function(function)
    if inspect.isasyncgenfunction(function) or inspect.isasyncgenfunction(plain):
        return "stream"
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(plain):
        return "async"
    if inspect.isgeneratorfunction(plain):
        msg = f"{at}: a generator cannot be a tool; make it an async generator (async def)"
        raise ConfigError(msg)
    return "sync"


def _check_options(tool: FunctionTool[..., Any], at: str) -> None:
    allowed: tuple[tuple[str, object, tuple[object, ...]], ...] = (
        ("behavior", tool.behavior, (None, "BLOCKING", "NON_BLOCKING")),
        ("scheduling", tool.scheduling, (None, "SILENT", "WHEN_IDLE", "INTERRUPT")),
        ("on_lost", tool.on_lost, ("retry", "abandon")),
    )
    for option, value, values in allowed:
        if value not in values:
            msg = f"{at}: {option} is {value!r}; give one of {', '.join(map(repr, values))}"
            raise ConfigError(msg)
    for option, seconds in (("timeout_s", tool.timeout_s), ("dedupe_within_s", tool.dedupe_within_s)):
        if seconds is not None and not seconds > 0:
            msg = f"{at}: {option} is {seconds!r}; give a positive number of seconds"
            raise ConfigError(msg)


def _signature(function: Any, plain: Any, at: str) -> tuple[list[tuple[inspect.Parameter, Any]], str | None]:
    """Read the signature: its parameters with their hints, and the one that takes the context."""
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError, NameError) as exc:
        msg = f"{at}: its signature cannot be read ({exc})"
        raise ConfigError(msg) from exc
    hints: list[tuple[inspect.Parameter, Any]] = []
    context_parameter: str | None = None
    for parameter in signature.parameters.values():
        hint = resolve(parameter.annotation, plain, f"{at}, parameter {parameter.name!r}")
        if _is_context(hint):
            context_parameter = parameter.name
        else:
            hints.append((parameter, hint))
    return hints, context_parameter


def _by_hints(
    hints: Sequence[tuple[inspect.Parameter, Any]], documented: Mapping[str, str], at: str
) -> Record:
    """Declare the arguments by the type hints, with words from the docstring."""
    fields: dict[str, Field] = {}
    for parameter, hint in hints:
        place = f"{at}, parameter {parameter.name!r}"
        _check_parameter(parameter, place)
        shape = shape_of(hint, place)
        if parameter.default is None and not isinstance(shape, Nullable):
            shape = Nullable(shape)
        required = parameter.default is inspect.Parameter.empty
        fields[parameter.name] = Field(describe(shape, documented.get(parameter.name)), required)
    return Record(fields)


def _check_parameter(parameter: inspect.Parameter, at: str) -> None:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        msg = f"{at}: *args and **kwargs cannot be declared; name each parameter"
        raise ConfigError(msg)
    if parameter.kind is parameter.POSITIONAL_ONLY:
        msg = f"{at}: is positional-only, but arguments arrive by name; remove the '/'"
        raise ConfigError(msg)
    if parameter.annotation is parameter.empty:
        why = "has no type hint"
        if parameter.name == "self":
            why += "; make a tool of the bound method: function_tool(instance.method)"
        msg = f"{at}: {why}"
        raise ConfigError(msg)


def _is_context(hint: Any) -> bool:
    if typing.get_origin(hint) in (Union, types.UnionType, typing.Annotated):
        return ToolContext in typing.get_args(hint)
    return hint is ToolContext

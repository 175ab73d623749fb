"""Where google-genai would connect and where we do, for any mix of arguments and environment.

Both are asked through their public interface, with the same variables set, up to the WebSocket upgrade:
theirs is caught in the function it calls for that, ours in a transport. Where we differ on purpose stands
in ``DEVIATIONS``, each with its reason; a difference that is not there fails.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import re
import ssl
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import urlsplit

import pytest
from google import genai
from google.auth.exceptions import DefaultCredentialsError
from google.genai import live, types
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.io.accounts import PROJECT, TokenServer, token_server

from duologue import RealtimeModel
from duologue.errors import ConfigError, ConnectError
from duologue.io.auth import VARIABLES
from duologue.io.memory import MemoryLink, MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from duologue.wire.endpoint import Endpoint

PROJECT_OF_GIVEN = "project-of-the-given-credentials"
GOOGLES = "https://europe-west1-aiplatform.googleapis.com"
GATEWAY = "https://gateway.example/some/path/"


@dataclass(frozen=True)
class Case:
    """What a program passes and what its environment holds; None is not passed, absent is not set."""

    vertexai: bool | None = None
    api_key: str | None = None
    project: str | None = None
    location: str | None = None
    credentials: str | None = None
    """``token`` (knows no project) or ``service account`` (does)."""
    base_url: str | None = None
    api_version: str | None = None
    environ: tuple[tuple[str, str], ...] = ()

    def variable(self, name: str) -> str | None:
        return dict(self.environ).get(name) or None

    @property
    def wants_vertex(self) -> bool:
        if self.vertexai is not None:
            return self.vertexai
        said = dict(self.environ)
        first = next(
            (said[n] for n in ("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_VERTEXAI") if n in said), ""
        )
        return first.lower() in ("true", "1")

    @property
    def address(self) -> str | None:
        """The base URL that counts."""
        name = "GOOGLE_VERTEX_BASE_URL" if self.wants_vertex else "GOOGLE_GEMINI_BASE_URL"
        return self.base_url or self.variable(name)

    @property
    def at_gateway(self) -> bool:
        return self.wants_vertex and bool(self.address) and ".googleapis.com" not in str(self.address)


@dataclass(frozen=True)
class Seen:
    """What goes out at the upgrade, and the model's name in the first message."""

    scheme: str
    host: str
    path: str
    key: str | None
    authorization: str | None
    quota_project: str | None
    model: str


Outcome = Seen | None
"""None is a refusal before anything is sent."""


@dataclass(frozen=True)
class Deviation:
    """Where we differ: what it does to google-genai's input, or to what came of it."""

    why: str
    input: Callable[[Case], Case] = lambda case: case
    outcome: Callable[[Case, Outcome], Outcome] = lambda _, theirs: theirs


def _vertex_by_argument(case: Case) -> Case:
    return replace(case, vertexai=case.wants_vertex)


def _lacks_project(case: Case) -> bool:
    """Whether an account pays and nobody has named its project."""
    by_key = case.variable("GOOGLE_API_KEY") or case.variable("GEMINI_API_KEY")
    located = case.location or case.variable("GOOGLE_CLOUD_LOCATION")
    by_account = bool(case.credentials or located or not by_key) and not case.api_key
    named = case.project or case.variable("GOOGLE_CLOUD_PROJECT")
    return case.wants_vertex and by_account and not named and not case.at_gateway


def _with_project(case: Case, project: str) -> Case:
    return replace(case, environ=(*case.environ, ("GOOGLE_CLOUD_PROJECT", project)))


def _project_of_given(case: Case) -> Case:
    knows = case.credentials == "service account" and _lacks_project(case)
    return _with_project(case, PROJECT_OF_GIVEN) if knows else case


def _project_at_googles_host(case: Case) -> Case:
    return _with_project(case, PROJECT) if case.address and _lacks_project(case) else case


def _one_slash(_: Case, theirs: Outcome) -> Outcome:
    return theirs and replace(theirs, path=re.sub("//+", "/", theirs.path))


def _usual_version(case: Case, theirs: Outcome) -> Outcome:
    named = case.api_version or case.variable("GOOGLE_GENAI_API_VERSION")
    if theirs is None or case.wants_vertex or named:
        return theirs
    return replace(theirs, path=theirs.path.replace(".v1.", ".v1beta."))


def _token_once(_: Case, theirs: Outcome) -> Outcome:
    token = theirs is not None and (theirs.authorization or "").startswith("Token ")
    return replace(theirs, key=None) if theirs is not None and token else theirs


def _encrypted(_: Case, theirs: Outcome) -> Outcome:
    return theirs and replace(theirs, scheme=theirs.scheme.replace("https", "wss"))


def _refused(applies: Callable[[Case], bool]) -> Callable[[Case, Outcome], Outcome]:
    return lambda case, theirs: None if applies(case) else theirs


DEVIATIONS = {
    "base URL of the backend": Deviation(
        "google-genai reads GOOGLE_GEMINI_BASE_URL when the environment, not an argument, asks for Vertex AI: "
        "what is meant for one backend is not sent to the other here",
        input=_vertex_by_argument,
    ),
    "project of the credentials": Deviation(
        "given credentials that know their project keep it; google-genai asks the machine for another account's",
        input=_project_of_given,
    ),
    "project at Google's own host": Deviation(
        "google-genai takes a base URL of Google's for a gateway when no project is named, and sends nothing "
        "that pays; here the credentials' project is used, as without a base URL",
        input=_project_at_googles_host,
    ),
    "one slash": Deviation("a base URL that ends in a slash gives //ws there", outcome=_one_slash),
    "usual version": Deviation(
        "v1beta is the Developer API's reference version and has every field; google-genai 3.4.0 takes v1",
        outcome=_usual_version,
    ),
    "token once": Deviation("a token is sent once, not as an API key too", outcome=_token_once),
    "http means ws": Deviation(
        "https:// at a gateway is refused by the library beneath it", outcome=_encrypted
    ),
    "an account on the Developer API": Deviation(
        "google-genai ignores it and takes a key of the environment",
        outcome=_refused(lambda case: bool(case.credentials) and not case.wants_vertex),
    ),
    "half an account at a gateway": Deviation(
        "google-genai drops project, location and credentials unless project and location were both passed",
        outcome=_refused(
            lambda case: (
                case.at_gateway
                and not case.api_key
                and not (case.project and case.location)
                and bool(case.project or case.location or case.credentials)
            )
        ),
    ),
    "a token on Vertex AI": Deviation(
        "the service there has no such tokens; google-genai sends it as a key",
        outcome=_refused(lambda case: case.wants_vertex and (case.api_key or "").startswith("auth_tokens/")),
    ),
}


# --- asking both -----------------------------------------------------------------------------------------------------


class Caught(Exception):  # noqa: N818 -- no error
    """Ends google-genai's connecting."""


def ask_theirs(case: Case, credentials: Any) -> Outcome:
    """Return what google-genai 3.4.0 would send."""
    seen: list[Any] = []

    class Connection:
        def __init__(self, uri: str, *, additional_headers: dict[str, str], **_: Any) -> None:
            self.upgrade = (uri, additional_headers)

        async def __aenter__(self) -> Connection:
            return self

        async def __aexit__(self, *_: object) -> None:
            return None

        async def send(self, message: str) -> None:
            seen.append((*self.upgrade, json.loads(message)))
            raise Caught

    async def connect() -> None:
        options: dict[str, Any] = {"base_url": case.base_url, "api_version": case.api_version}
        client = genai.Client(
            vertexai=case.vertexai,
            api_key=case.api_key,
            project=case.project,
            location=case.location,
            credentials=credentials,
            http_options=types.HttpOptions(**options) if any(options.values()) else None,
        )
        model = "gemini-live-2.5-flash-native-audio" if client.vertexai else "gemini-3.8-live"
        try:
            async with client.aio.live.connect(model=model):
                raise AssertionError("nothing connects here")
        finally:
            await client.aio.aclose()
            client.close()

    with mock.patch.object(live, "ws_connect", Connection), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            asyncio.run(connect())
        except Caught:
            uri, headers, message = seen[0]
            return outcome_of(uri, headers, message["setup"]["model"])
        except (ValueError, DefaultCredentialsError):
            return None
    raise AssertionError("it neither connected nor refused")


def ask_ours(case: Case, credentials: Any) -> Outcome:
    """Return what we would send."""
    links: list[tuple[MemoryLink, Endpoint]] = []

    async def connect() -> dict[str, Any]:
        options: dict[str, Any] = {"api_version": case.api_version} if case.api_version else {}
        model = RealtimeModel(
            vertexai=case.vertexai,
            api_key=case.api_key,
            project=case.project,
            location=case.location,
            credentials=credentials,
            base_url=case.base_url,
            config=options,
        )
        session = model.session(
            transport=MemoryTransport(lambda link, endpoint: links.append((link, endpoint)))
        )
        entering = asyncio.create_task(session.__aenter__())
        while not links and not entering.done():
            await asyncio.sleep(0)
        if links:
            setup: dict[str, Any] = json.loads(await links[0][0].receive())["setup"]
            await links[0][0].close(1000, "enough")
            with pytest.raises(ConnectError):
                await entering
            return setup
        await entering
        raise AssertionError("it neither connected nor refused")

    try:
        setup = asyncio.run(connect())
    except ConfigError:
        return None
    endpoint = links[0][1]
    return outcome_of(endpoint.url, dict(endpoint.headers), setup["model"])


def outcome_of(url: str, headers: dict[str, str], model: str) -> Seen:
    parts = urlsplit(url)
    values = {name.lower(): value for name, value in headers.items()}
    return Seen(
        parts.scheme,
        parts.netloc,
        parts.path,
        values.get("x-goog-api-key"),
        values.get("authorization"),
        values.get("x-goog-user-project"),
        model,
    )


# --- the mixes -------------------------------------------------------------------------------------------------------


def maybe(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, *values])


SWITCH = maybe("", "0", "1", "true", "TRUE", "yes")
ENVIRON = st.fixed_dictionaries(
    {
        "GOOGLE_API_KEY": maybe("", "key-of-google-variable"),
        "GEMINI_API_KEY": maybe("", " key-of-gemini-variable\n"),
        "GOOGLE_GENAI_USE_ENTERPRISE": SWITCH,
        "GOOGLE_GENAI_USE_VERTEXAI": SWITCH,
        "GOOGLE_CLOUD_PROJECT": maybe("", "project-of-variable"),
        "GOOGLE_CLOUD_LOCATION": maybe("", "asia-east1", "us"),
        "GOOGLE_GENAI_API_VERSION": maybe("", "beta", "v1alpha"),
        "GOOGLE_GEMINI_BASE_URL": maybe("", "https://gemini.example"),
        "GOOGLE_VERTEX_BASE_URL": maybe("", "https://vertex.example/"),
    }
).map(lambda found: tuple((name, value) for name, value in found.items() if value is not None))
CASES = st.builds(
    Case,
    vertexai=maybe(True, True, False),
    api_key=maybe(None, "key-of-argument", "auth_tokens/of-argument"),
    project=maybe(None, "project-of-argument"),
    location=maybe(None, "us-central1", "eu", "global"),
    credentials=maybe(None, None, "token", "service account"),
    base_url=maybe(None, None, GATEWAY, GOOGLES),
    api_version=maybe(None, "v1"),
    environ=ENVIRON,
)


@pytest.fixture(scope="module")
def server() -> Iterator[TokenServer]:
    with token_server() as running:
        yield running


@pytest.fixture(scope="module")
def machine(server: TokenServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Case], Any]]:
    """A machine with an account of its own; gives what a case passes as credentials."""
    key_file = server.write(tmp_path_factory.mktemp("account"))
    make: Any = service_account.Credentials.from_service_account_info

    def credentials(case: Case) -> Any:
        if case.credentials == "token":
            return Credentials("ya29.given", quota_project_id="project-that-pays")  # type: ignore[no-untyped-call]
        if case.credentials == "service account":
            return make(server.account(project_id=PROJECT_OF_GIVEN), scopes=["s"])
        return None

    contexts = functools.cache(ssl.create_default_context)  # google-genai makes three for every client
    with (
        mock.patch.dict(
            os.environ, {"GOOGLE_APPLICATION_CREDENTIALS": str(key_file), "NO_GCE_CHECK": "true"}
        ),
        mock.patch.object(ssl, "create_default_context", contexts),
    ):
        yield credentials


@contextmanager
def environment(case: Case) -> Iterator[None]:
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    with mock.patch.dict(os.environ, {**kept, **dict(case.environ)}, clear=True):
        yield


def ask_both(case: Case, machine: Callable[[Case], Any]) -> tuple[Outcome, Outcome]:
    """Return (theirs as our deviations would have it, ours); access tokens are alike when both are fresh."""
    theirs_case = case
    for deviation in DEVIATIONS.values():
        theirs_case = deviation.input(theirs_case)
    with environment(theirs_case):
        theirs = ask_theirs(theirs_case, machine(case))
    for deviation in DEVIATIONS.values():
        theirs = deviation.outcome(case, theirs)
    with environment(case):
        ours = ask_ours(case, machine(case))
    return _any_token(theirs), _any_token(ours)


def _any_token(outcome: Outcome) -> Outcome:
    if outcome is None or outcome.authorization is None:
        return outcome
    return replace(outcome, authorization=re.sub(r"canary-\d+$", "canary", outcome.authorization))


IN_VERTEX_BY_VARIABLE = (("GOOGLE_GENAI_USE_VERTEXAI", "1"),)


@settings(
    max_examples=100,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(case=CASES)
@example(case=Case())
@example(case=Case(api_key="key"))
@example(case=Case(vertexai=True))
@example(case=Case(vertexai=True, project="p", location="us-central1"))
@example(case=Case(vertexai=True, base_url=GATEWAY))
@example(case=Case(vertexai=True, base_url=GATEWAY, project="p", location="us-central1"))
@example(case=Case(vertexai=True, base_url=GATEWAY, environ=(("GOOGLE_API_KEY", "k"),)))
@example(case=Case(vertexai=True, base_url=GOOGLES, project="p"))
@example(case=Case(environ=(*IN_VERTEX_BY_VARIABLE, ("GOOGLE_API_KEY", "k"))))
def test_both_go_to_the_same_place(case: Case, machine: Callable[[Case], Any]) -> None:
    theirs, ours = ask_both(case, machine)
    assert ours == theirs


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("base URL of the backend", Case(api_key="k", environ=(*IN_VERTEX_BY_VARIABLE, ("GOOGLE_GEMINI_BASE_URL", "https://gemini.example")))),
        ("project of the credentials", Case(vertexai=True, credentials="service account")),
        ("project at Google's own host", Case(vertexai=True, base_url=GOOGLES)),
        ("one slash", Case(api_key="k")),
        ("usual version", Case(api_key="k")),
        ("token once", Case(api_key="auth_tokens/x")),
        ("http means ws", Case(vertexai=True, base_url=GATEWAY)),
        ("an account on the Developer API", Case(credentials="token", environ=(("GOOGLE_API_KEY", "k"),))),
        ("half an account at a gateway", Case(vertexai=True, base_url=GATEWAY, project="p")),
        ("a token on Vertex AI", Case(vertexai=True, api_key="auth_tokens/x")),
    ],
)  # fmt: skip
def test_every_deviation_is_one(
    name: str, case: Case, machine: Callable[[Case], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, ours = ask_both(case, machine)
    assert ours == theirs
    monkeypatch.delitem(DEVIATIONS, name)
    theirs, ours = ask_both(case, machine)
    assert ours != theirs


def test_every_deviation_has_its_case_above() -> None:
    (marks,) = [mark for mark in test_every_deviation_is_one.pytestmark if mark.name == "parametrize"]
    assert sorted(name for name, _ in marks.args[1]) == sorted(DEVIATIONS)

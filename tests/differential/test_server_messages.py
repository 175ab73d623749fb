"""What google-genai makes of a server's frame and what we make of it, field by field, on both backends.

Theirs comes out of ``session.receive()`` on a connection of google-genai 3.4.0. Where the two differ on
purpose stands in ``DEVIATIONS``, each with its reason and a frame that shows it.
"""

from __future__ import annotations

import base64
import copy
import json
import typing
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from google.genai import errors, types
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.differential.configs import flag, language, octets, text
from tests.differential.google import canonical, client_of, read_frame

from duologue.wire.codec import ServerDecoder
from duologue.wire.server import ServerMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from duologue.wire.profiles import Backend

Json = dict[str, Any]
MODELS: dict[Backend, str] = {"developer": "gemini-3.8-live", "vertex": "gemini-live-2.5-flash"}


pytestmark = pytest.mark.usefixtures("empty_environment")


# -- frames -----------------------------------------------------------------------------------------------


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """An object with any of these fields, null among them, or with all of them."""
    return st.one_of(
        st.fixed_dictionaries({}, optional={name: field | st.none() for name, field in fields.items()}),
        st.fixed_dictionaries(fields),
        st.fixed_dictionaries(fields),
    )


def many(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, min_size=1, max_size=2)


def one_of(cls: Any) -> st.SearchStrategy[str]:
    """A value of one of their enums, by its word."""
    return st.sampled_from([member.value for member in cls])


count = st.integers(0, 2**31 - 1)
int64 = st.integers(0, 2**40) | st.integers(0, 2**40).map(str)
duration = st.sampled_from(["50s", "9.5s", "0s", "1.200s"])
number = st.floats(0, 1).map(lambda value: round(value, 3))
base64_text = octets.map(lambda raw: base64.b64encode(raw).decode())
free = st.dictionaries(
    text, st.one_of(st.integers(-9, 9), text, flag, st.lists(text, max_size=2)), max_size=2
)


blob = st.fixed_dictionaries(
    {"mimeType": st.sampled_from(["audio/pcm;rate=24000", "audio/pcm", "image/png"]), "data": base64_text},
    optional={"displayName": text},
)
transcription = some(
    text=text,
    finished=flag,
    languageCode=language,
    speakerLabel=text,
    words=many(some(word=text, startOffset=duration, endOffset=duration)),
    startOffset=duration,
    endOffset=duration,
)
function_call = some(id=text, name=text, args=free)
PARTS = (
    some(text=text, thought=flag, thoughtSignature=base64_text),
    some(
        inlineData=blob,
        partMetadata=free,
        mediaResolution=some(level=one_of(types.PartMediaResolutionLevel), numTokens=count),
    ),
    some(
        executableCode=some(id=text, code=text, language=one_of(types.Language)),
        codeExecutionResult=some(id=text, outcome=one_of(types.Outcome), output=text),
    ),
    some(
        fileData=some(fileUri=text, mimeType=text, displayName=text),
        videoMetadata=some(startOffset=duration, endOffset=duration, fps=number),
    ),
    some(
        functionCall=function_call,
        functionResponse=some(
            id=text,
            name=text,
            response=free,
            scheduling=one_of(types.FunctionResponseScheduling),
            willContinue=flag,
            parts=many(some(inlineData=blob, fileData=some(fileUri=text, mimeType=text, displayName=text))),
        ),
    ),
    some(
        audioTranscription=transcription,
        toolCall=some(id=text, toolType=one_of(types.ToolType), args=free),
        toolResponse=some(id=text, toolType=one_of(types.ToolType), response=free),
    ),
)
review = some(
    reviewId=text,
    googleMapsUri=text,
    title=text,
    review=text,
    authorAttribution=some(displayName=text, photoUri=text, uri=text),
    flagContentUri=text,
    relativePublishTimeDescription=text,
)
CHUNKS = (
    some(web=some(uri=text, title=text, domain=text)),
    some(image=some(sourceUri=text, imageUri=text, title=text, domain=text)),
    some(
        maps=some(
            uri=text,
            title=text,
            text=text,
            placeId=text,
            placeAnswerSources=some(
                reviewSnippets=many(review), reviewSnippet=many(review), flagContentUri=text
            ),
            route=some(distanceMeters=count, duration=duration, encodedPolyline=text),
        )
    ),
    some(
        retrievedContext=some(
            uri=text,
            title=text,
            text=text,
            documentName=text,
            ragChunk=some(
                text=text, pageSpan=some(firstPage=count, lastPage=count), chunkId=text, fileId=text
            ),
            customMetadata=many(
                some(key=text, stringValue=text, numericValue=number, stringListValue=some(values=many(text)))
            ),
            fileSearchStore=text,
            pageNumber=count,
            mediaId=text,
        )
    ),
)
grounding = some(
    searchEntryPoint=some(renderedContent=text, sdkBlob=base64_text),
    groundingChunks=many(st.one_of(CHUNKS)),
    groundingSupports=many(
        some(
            segment=some(partIndex=count, startIndex=count, endIndex=count, text=text),
            groundingChunkIndices=many(count),
            confidenceScores=many(number),
            renderedParts=many(count),
        )
    ),
    retrievalMetadata=some(googleSearchDynamicRetrievalScore=number),
    webSearchQueries=many(text),
    imageSearchQueries=many(text),
    retrievalQueries=many(text),
    googleMapsWidgetContextToken=text,
    sourceFlaggingUris=many(some(sourceId=text, flagContentUri=text)),
)
server_content = some(
    modelTurn=some(parts=st.lists(st.one_of(PARTS), max_size=3), role=st.just("model")),
    generationComplete=flag,
    turnComplete=flag,
    turnCompleteReason=one_of(types.TurnCompleteReason),
    interrupted=flag,
    waitingForInput=flag,
    interactionStatus=one_of(types.InteractionStatus),
    inputTranscription=transcription,
    outputTranscription=transcription,
    interimInputTranscription=transcription,
    groundingMetadata=grounding,
    urlContextMetadata=some(
        urlMetadata=many(some(retrievedUrl=text, urlRetrievalStatus=one_of(types.UrlRetrievalStatus)))
    ),
)
details = many(some(modality=one_of(types.MediaModality), tokenCount=count))


def usage(backend: Backend) -> st.SearchStrategy[Json]:
    """Token counts, in the words of the backend."""
    common = {
        **dict.fromkeys(("promptTokenCount", "cachedContentTokenCount", "toolUsePromptTokenCount"), count),
        **dict.fromkeys(("thoughtsTokenCount", "totalTokenCount"), count),
        **dict.fromkeys(("promptTokensDetails", "cacheTokensDetails", "toolUsePromptTokensDetails"), details),
    }
    if backend == "vertex":
        own = {
            "candidatesTokenCount": count,
            "candidatesTokensDetails": details,
            "trafficType": one_of(types.TrafficType),
        }
    else:
        own = {
            "responseTokenCount": count,
            "responseTokensDetails": details,
            "serviceTier": one_of(types.ServiceTier),
        }
    return some(**common, **own)


def frames(backend: Backend) -> st.SearchStrategy[Json]:
    """Any keys at once; nothing said to be absent."""
    return some(
        setupComplete=some(sessionId=text, voiceConsentSignature=some(signature=text)),
        serverContent=server_content,
        toolCall=some(functionCalls=st.lists(function_call, max_size=2)),
        toolCallCancellation=some(ids=st.lists(text, max_size=2)),
        goAway=some(timeLeft=duration),
        sessionResumptionUpdate=some(newHandle=text, resumable=flag, lastConsumedClientMessageIndex=int64),
        voiceActivity=some(type=one_of(types.VoiceActivityType), audioOffset=duration),
        voiceActivityDetectionSignal=some(vadSignalType=one_of(types.VadSignalType)),
        usageMetadata=usage(backend),
    )


# -- deviations -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Deviation:
    """Where we read otherwise: ``amend`` makes what they read what we read, unless ``they_fail``."""

    name: str
    why: str
    backend: Backend
    example: Json
    amend: Callable[[Json, Json], None] = lambda theirs, frame: None
    they_fail: Callable[[Json], bool] = lambda frame: False


def _type(theirs: Json, frame: Json) -> None:
    mark = theirs.get("voiceActivity", {})
    if "voiceActivityType" in mark:
        mark["type"] = mark.pop("voiceActivityType")


def _number(theirs: Json, frame: Json) -> None:
    update = frame.get("sessionResumptionUpdate") or {}
    if isinstance(index := update.get("lastConsumedClientMessageIndex"), str):
        assert theirs["sessionResumptionUpdate"]["lastConsumedClientMessageIndex"] == int(index)
        theirs["sessionResumptionUpdate"]["lastConsumedClientMessageIndex"] = index


def _candidates(theirs: Json, frame: Json) -> None:
    given = frame.get("usageMetadata") or {}
    for one, other in (
        ("candidatesTokenCount", "responseTokenCount"),
        ("candidatesTokensDetails", "responseTokensDetails"),
    ):
        if given.get(one) is not None:
            theirs["usageMetadata"][one] = theirs["usageMetadata"].pop(other)


DEVIATIONS: Final[Sequence[Deviation]] = (
    Deviation(
        "type",
        "the wire says type; google-genai renames it, since type is a word of Python's",
        "developer",
        {"voiceActivity": {"type": "ACTIVITY_START", "audioOffset": "0.200s"}},
        _type,
    ),
    Deviation(
        "int64",
        "read as it came, a number or a text, and turned into a number by wire.base.int64",
        "vertex",
        {"sessionResumptionUpdate": {"lastConsumedClientMessageIndex": "12"}},
        _number,
    ),
    Deviation(
        "candidates",
        "Vertex's words are kept on the wire's struct; core.usage takes either",
        "vertex",
        {"usageMetadata": {"candidatesTokenCount": 3, "candidatesTokensDetails": [{"modality": "AUDIO"}]}},
        _candidates,
    ),
    Deviation(
        "nothing but null",
        "absent is absent; google-genai takes such a message for an error, and fails to raise it",
        "developer",
        {"serverContent": None},
        they_fail=lambda frame: bool(frame) and all(value is None for value in frame.values()),
    ),
    Deviation(
        "interaction status at the top",
        "one client reads it there; google-genai takes a message of nothing else for an error",
        "developer",
        {"interactionStatus": "IDLE"},
        they_fail=lambda frame: set(frame) == {"interactionStatus"},
    ),
    Deviation(
        "errors",
        "google-genai raises where it reads; ours is a message, told as a SessionError, and the call goes on",
        "developer",
        {"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT", "details": [{"a": 1}]}},
        they_fail=lambda frame: set(frame) <= {"error", "code", "message", "status", "details"},
    ),
)


# -- comparison -------------------------------------------------------------------------------------------


def compare(frame: Json, backend: Backend, deviations: Sequence[Deviation] = DEVIATIONS) -> Json:
    """Compare field by field; return what was read."""
    raw = json.dumps(frame).encode()
    decoder = ServerDecoder()
    [ours] = decoder.decode(raw)
    assert decoder.unknown == {}
    read: Json = canonical(msgspec.to_builtins(ours))
    try:
        message = read_frame(client_of(backend), MODELS[backend], raw)
    except (TypeError, errors.APIError):
        expected = [deviation for deviation in deviations if deviation.they_fail(frame)]
        assert expected
        assert read == canonical(frame)
        return read
    theirs = canonical(json.loads(message.model_dump_json(by_alias=True, exclude_none=True)))
    for deviation in deviations:
        deviation.amend(theirs, copy.deepcopy(frame))
    assert read == theirs
    return read


def paths(value: Any, path: str = "") -> Iterator[str]:
    """The dotted names of every field that is set."""
    if isinstance(value, dict):
        for name, child in value.items():
            here = f"{path}.{name}" if path else name
            if child is not None:
                yield here
            if name not in ("args", "response", "partMetadata"):
                yield from paths(child, here)
    elif isinstance(value, list):
        for item in value:
            yield from paths(item, path)


@pytest.mark.parametrize("backend", MODELS)
def test_both_read_the_same(backend: Backend) -> None:
    met: Counter[str] = Counter()

    def each(frame: Json) -> None:
        met.update(set(paths(compare(frame, backend))))

    in_turn = [one.map(lambda part: {"modelTurn": {"parts": [part]}}) for one in PARTS]
    in_grounding = [
        one.map(lambda chunk: {"groundingMetadata": {"groundingChunks": [chunk]}}) for one in CHUNKS
    ]
    contents = [one.map(lambda content: {"serverContent": content}) for one in (*in_turn, *in_grounding)]
    for strategy, examples in ((frames(backend), 150), *((content, 30) for content in contents)):
        run = settings(
            max_examples=examples, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
        )
        run(given(strategy)(each))()

    strangers = {"responseTokenCount", "responseTokensDetails", "serviceTier"}
    if backend == "developer":
        strangers = {"candidatesTokenCount", "candidatesTokensDetails", "trafficType"}
    wanted = {path for path in fields_of(ServerMessage) if not strangers & set(path.split("."))}
    assert wanted - set(met) - OURS_ALONE == set()


# Fields of ours that google-genai 3.4.0 has no place for: see DEVIATIONS.
OURS_ALONE: Final = {
    *("interactionStatus", "error", "error.code", "error.message", "error.status", "error.details"),
    *("code", "message", "status", "details"),
}


def fields_of(cls: type[msgspec.Struct], path: str = "", depth: int = 0) -> Iterator[str]:
    for field in msgspec.structs.fields(cls):
        here = f"{path}.{field.encode_name}" if path else field.encode_name
        yield here
        for below in structs_in(field.type):
            yield from fields_of(below, here, depth + 1)


def structs_in(annotation: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from structs_in(argument)


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda deviation: deviation.name)
def test_every_deviation_shows(deviation: Deviation) -> None:
    compare(deviation.example, deviation.backend)
    others = [other for other in DEVIATIONS if other is not deviation]
    with pytest.raises(AssertionError):
        compare(deviation.example, deviation.backend, others)


@pytest.mark.parametrize("backend", MODELS)
@pytest.mark.parametrize(
    "frame",
    [
        {"serverContent": {"brandNew": 1, "turnComplete": True}},
        {"goAway": {"timeLeft": "5s"}, "brandNew": {"a": [1]}},
        {"toolCall": {"functionCalls": [{"id": "1", "name": "f", "args": {"a_b": 1}, "brandNew": None}]}},
    ],
)
def test_both_pass_over_what_is_new_and_keep_the_rest(backend: Backend, frame: Json) -> None:
    raw = json.dumps(frame).encode()
    message = read_frame(client_of(backend), MODELS[backend], raw)
    [ours] = ServerDecoder().decode(raw)
    theirs = canonical(json.loads(message.model_dump_json(by_alias=True, exclude_none=True)))
    assert canonical(msgspec.to_builtins(ours)) == theirs
    assert "brandNew" not in json.dumps(theirs)

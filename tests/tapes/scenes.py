"""Recordings of our own writing, for testing the judge: everything that strangers' recordings may hold."""

from __future__ import annotations

import base64
from typing import Any

__all__ = ["SCENES", "TALK"]

Interactions = list[dict[str, Any]]


def sent(data: Any) -> dict[str, Any]:
    return {"kind": "message", "direction": "sent", "data": data}


def got(*data: Any) -> Interactions:
    return [{"kind": "message", "direction": "received", "at": 0.5, "data": one} for one in data]


def setup(model: str = "models/gemini-2.5-flash-native-audio-latest", **more: Any) -> Interactions:
    audio = {"generationConfig": {"responseModalities": ["AUDIO"]}}
    words: dict[str, Any] = {"inputAudioTranscription": {}, "outputAudioTranscription": {}}
    return [sent({"setup": {"model": model, **audio, **words, **more}}), *got({"setupComplete": {}})]


def content(**fields: Any) -> dict[str, Any]:
    return {"serverContent": fields}


def sound(first: int, size_bytes: int = 33, mime_type: str = "audio/pcm;rate=24000") -> dict[str, Any]:
    pcm = bytes((first + n) % 251 for n in range(size_bytes))
    data = base64.urlsafe_b64encode(pcm).decode().rstrip("=") if first % 2 else base64.b64encode(pcm).decode()
    return content(
        modelTurn={"role": "model", "parts": [{"inlineData": {"mimeType": mime_type, "data": data}}]}
    )


def said(text: str) -> dict[str, Any]:
    return content(outputTranscription={"text": text})


def usage(prompt: int, response: int | None = None) -> dict[str, Any]:
    more = {} if response is None else {"candidatesTokenCount": response, "thoughtsTokenCount": "7"}
    modality = [{"modality": "AUDIO", "tokenCount": prompt}, {"modality": "TEXT"}]
    return {
        "promptTokenCount": prompt,
        "totalTokenCount": str(prompt + 3),
        "promptTokensDetails": modality,
        **more,
    }


def ask(text: str) -> dict[str, Any]:
    turns = [{"role": "user", "parts": [{"text": text}]}]
    return sent({"client_content": {"turns": turns, "turn_complete": True}})


def speak(size_bytes: int, first: int = 0, rate_hz: int = 16_000) -> dict[str, Any]:
    pcm = bytes((first + n) % 253 for n in range(size_bytes))
    blob = {"data": base64.urlsafe_b64encode(pcm).decode(), "mime_type": f"audio/pcm;rate={rate_hz}"}
    return sent({"realtime_input": {"audio": blob}})


def realtime(**fields: Any) -> dict[str, Any]:
    return sent({"realtimeInput": fields})


def done(**more: Any) -> dict[str, Any]:
    return {**content(turnComplete=True), **more}


def call(call_id: str | None, name: str, **arguments: Any) -> dict[str, Any]:
    return {**({"id": call_id} if call_id else {}), "name": name, "args": arguments}


def result(*responses: dict[str, Any]) -> dict[str, Any]:
    return sent({"toolResponse": {"functionResponses": list(responses)}})


WEATHER = {
    "functionDeclarations": [
        {
            "name": "get_weather",
            "parameters": {"type": "OBJECT", "properties": {"city_name": {"type": "STRING"}}},
        },
        {"name": "slow_thing", "behavior": "NON_BLOCKING"},
    ]
}
COMPLETE = content(generationComplete=True)

TALK: Interactions = [
    *setup(tools=[WEATHER], systemInstruction={"parts": [{"text": "Be brief."}]}),
    ask("Hello"),
    *got(
        {},
        content(modelTurn={"parts": [{"text": "They greet me.", "thought": True}]}),
        said("Good"),
        {**sound(1), "usageMetadata": usage(5)},
        sound(2),
        content(modelTurn=sound(3)["serverContent"]["modelTurn"], outputTranscription={"text": " day."}),
        COMPLETE,
        done(usageMetadata=usage(9, 4)),
    ),
    ask("Weather in two cities?"),
    *got(
        {
            "toolCall": {
                "functionCalls": [call("a", "get_weather", city_name="Rome"), call("b", "get_weather")]
            }
        }
    ),
    result({"id": "b", "name": "get_weather", "response": {"output": {"snake_key": 1}}}),
    result({"id": "a", "name": "get_weather", "response": {"error": "no"}}),
    *got(
        {"sessionResumptionUpdate": {"newHandle": "h-1", "resumable": True}},
        said("Fine"),
        sound(4, 34),
        said(" there."),
        COMPLETE,
        done(usageMetadata=usage(11, 6)),
    ),
]

_SPOKEN: Interactions = [
    *setup(),
    *[speak(33, n) for n in range(40)],
    *got(content(inputTranscription={"text": " Hello"}), content(inputTranscription={"text": " you"})),
    speak(1500),
    *got(said("Hi."), sound(6, 20)),
    speak(7),
    *got(content(interrupted=True, inputTranscription={"text": " stop"}), done()),
    realtime(audioStreamEnd=True),
    *got(
        sound(7), sound(8), content(interrupted=True), content(interrupted=True), done(usageMetadata=usage(3))
    ),
    speak(2000, rate_hz=24_000),
    *got(sound(9), COMPLETE, done()),
]

_MANUAL: Interactions = [
    *setup(realtimeInputConfig={"automaticActivityDetection": {"disabled": True}}),
    realtime(activityStart={}),
    speak(650),
    *got(content(inputTranscription={"text": "Yes"})),
    speak(101),
    realtime(activityEnd={}),
    *got(sound(1), COMPLETE, done()),
]

_TOOLS: Interactions = [
    *setup("models/gemini-3.8-live", tools=[WEATHER]),
    realtime(text="Do the slow thing"),
    *got(
        {"toolCall": {"functionCalls": [call("fc_1", "slow_thing", nested={"a_b": [1, None]})]}},
        sound(1),
        COMPLETE,
        done(usageMetadata=usage(4)),
    ),
    result({"id": "fc_1", "name": "slow_thing", "response": {"n": 1}, "willContinue": True}),
    result({"id": "fc_1", "name": "slow_thing", "response": {"n": 2}, "scheduling": "WHEN_IDLE"}),
    *got(
        said("Done."),
        {
            "toolCall": {
                "functionCalls": [call("fc_2", "get_weather", city_name="Bonn"), call("fc_3", "slow_thing")]
            }
        },
        {"toolCallCancellation": {"ids": ["fc_3", "fc_1", "never"]}},
    ),
    result({"id": "fc_2", "name": "get_weather", "response": {}}, {"id": "fc_3", "response": {"late": True}}),
    *got(COMPLETE, done(usageMetadata=usage(5))),
]

_VERTEX: Interactions = [
    *setup(
        "projects/p/locations/europe-west4/publishers/google/models/gemini-live-2.5-flash", tools=[WEATHER]
    )[:1],
    *got({"setupComplete": {"sessionId": "abc-1"}}),
    ask("Weather?"),
    *got(
        {
            "toolCall": {
                "functionCalls": [call(None, "get_weather", city_name="Oslo"), call(None, "slow_thing")]
            }
        }
    ),
    result(
        {"name": "slow_thing", "response": {"output": 1}}, {"name": "get_weather", "response": {"output": 2}}
    ),
    *got(
        content(groundingMetadata={}),
        content(groundingMetadata={"webSearchQueries": ["oslo"]}),
        said("Cold."),
        sound(1, 33, "audio/pcm"),
        done(usageMetadata=usage(8, 2), serverContent={"turnComplete": True, "groundingMetadata": {}}),
    ),
]

_ODDITIES: Interactions = [
    *setup(labels={"snake_key": "x"}, newerThanUs={"a": 1}),
    sent(
        {
            "clientContent": {
                "turns": [{"parts": [{"text": "I am Ann."}]}, {"role": "model", "parts": [{"text": "Hi"}]}]
            }
        }
    ),
    realtime(video={"mimeType": "image/jpeg", "data": "/9j/4AAQ"}),
    sent(
        {
            "clientContent": {
                "turns": [{"role": "user", "parts": [{"text": "Look"}, {"inlineData": {}}]}],
                "turnComplete": True,
            }
        }
    ),
    *got(
        [content(brandNew=1, outputTranscription={"text": "An"}), said(" image.")],
        '{"server_content": {"model_turn": {"parts": [{"inline_data": {"mime_type": "audio/pcm;rate=24000", "data": "AQID"}}]}}}',
        {"goAway": {"timeLeft": "9.5s"}, "alsoNew": {}},
        content(waitingForInput=True, modelTurn=None),
        content(turnComplete=True, turnCompleteReason="MALFORMED_FUNCTION_CALL"),
        {"usageMetadata": usage(2)},
        {"voiceActivity": {"type": "ACTIVITY_START", "audioOffset": "1.5s"}},
    ),
    {"kind": "close", "code": 1011, "reason": "Internal error", "ok": False},
    *setup(sessionResumption={"handle": "h-1"}),
    ask("Still there?"),
    *got(said("Yes"), sound(1)),
    {"kind": "close", "code": 1006, "reason": "", "ok": False},
    *setup()[:1],
    {"kind": "close", "code": 1007, "reason": "API key not valid.", "ok": False},
]

_TEXT: Interactions = [
    *setup(
        "models/gemini-9-live-of-the-future",
        generationConfig={"responseModalities": ["TEXT"], "temperature": 0.5},
    )[:1],
    ask("Asked before the session is ready"),
    *got({"sessionResumptionUpdate": {}}, {"setupComplete": {}}),
    *got(content(modelTurn={"parts": [{"text": "Early"}, {"text": " bird"}]}), COMPLETE, done()),
    sent({"clientContent": {"turnComplete": True}}),
    *got(content(modelTurn={"parts": [{"text": "More"}, {"executableCode": {"code": "1"}}]}), done()),
    realtime(mediaChunks=[{"mimeType": "audio/pcm;rate=16000", "data": "AAAAAAAA"}]),
    sent({"contextUpdate": {"systemInstruction": {"parts": [{"text": "Be long."}]}}}),
    *got(content(interrupted=True), content(modelTurn={"parts": [{"text": "Yes."}]})),
]

SCENES: dict[str, Interactions] = {
    "talk": TALK,
    "spoken": _SPOKEN,
    "manual": _MANUAL,
    "tools": _TOOLS,
    "vertex": _VERTEX,
    "oddities": _ODDITIES,
    "text": _TEXT,
}

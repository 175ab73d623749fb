"""Probes of what is refused, with which code and in which words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duologue.errors import ConnectError
from duologue.verify import marks
from duologue.verify.probe import Observed, Probe, held
from duologue.verify.rig import content, how_it_ended

if TYPE_CHECKING:
    from duologue.verify.rig import Rig
    from duologue.verify.sides import Credentials

__all__ = ["PROBES"]

_SETUP_FIRST = (1007, "setup must be the first", "setup_must_be_first")
_ARGUMENT = (1007, "invalid argument", "invalid_argument")
_INTERNAL = (1011, "internal error", "internal_error")
_VOICES = (1007, "cannot extract voices", "cannot_extract_voices")
_UNKNOWN_NAME = (1007, "unknown name", "unknown_name")
_PRECONDITION = (1007, "precondition", "precondition_failed")
_NO_MODEL = (1008, "is not found for api version", "model_not_found")
_BAD_KEY = (1007, "api key", "key_not_valid")
_NO_KEY = (1008, "unregistered callers", "unregistered_caller")


async def _second_setup(rig: Rig) -> Observed:
    async with rig.session() as wire:
        await wire.send(rig.setup())
        seen = await wire.watch(marks.never, rig.pace.quiet_s)
        return Observed("accepted") if seen.end == "silent" else how_it_ended(seen, "", _SETUP_FIRST)


async def _content_first(rig: Rig) -> Observed:
    async with rig.bare() as wire:
        await wire.send(content("Hello!"))
        seen = await wire.watch(marks.answers, rig.pace.patience_s)
        return how_it_ended(seen, "accepted", _SETUP_FIRST)


async def _unknown_field(rig: Rig) -> Observed:
    return await rig.refusal(rig.setup(noSuchField=True), _UNKNOWN_NAME)


async def _unknown_model(rig: Rig) -> Observed:
    return await rig.refusal(rig.setup(model="models/gemini-0.0-nobody"), _NO_MODEL)


async def _text_modality(rig: Rig) -> Observed:
    setup = rig.setup(generationConfig={"responseModalities": ["TEXT"]})
    return await rig.refusal(setup, _VOICES, _INTERNAL)


async def _null_handle(rig: Rig) -> Observed:
    return await rig.refusal(rig.setup(sessionResumption={"handle": None}), _ARGUMENT)


async def _plain_instruction(rig: Rig) -> Observed:
    found = await rig.refusal(rig.setup(systemInstruction="Be brief."))
    return Observed("refused_1007", found.detail) if found.found == "closed_1007" else found


async def _marks_under_automatic(rig: Rig) -> Observed:
    async with rig.session() as wire:
        await wire.send({"realtimeInput": {"activityStart": {}}})
        seen = await wire.watch(marks.never, rig.pace.quiet_s)
        return Observed("accepted") if seen.end == "silent" else how_it_ended(seen, "", _PRECONDITION)


async def _with_credentials(rig: Rig, credentials: Credentials) -> Observed:
    try:
        async with rig.bare(credentials=credentials) as wire:
            await wire.send(rig.setup())
            seen = await wire.watch(marks.set_up, rig.pace.patience_s)
            return how_it_ended(seen, "accepted", _BAD_KEY, _NO_KEY)
    except ConnectError as error:
        return _http(error)


async def _bad_key(rig: Rig) -> Observed:
    return await _with_credentials(rig, "wrong")


async def _no_key(rig: Rig) -> Observed:
    return await _with_credentials(rig, "none")


async def _wrong_version(rig: Rig) -> Observed:
    try:
        async with rig.bare(api_version="v9") as wire:
            await wire.send(rig.setup())
            return how_it_ended(await wire.watch(marks.set_up, rig.pace.patience_s), "accepted")
    except ConnectError as error:
        return _http(error)


def _http(error: ConnectError) -> Observed:
    """Read an upgrade that was refused; what has no status is no answer of the service."""
    if error.number is None:
        raise error
    return Observed("http_404" if error.number == 404 else "http_other", f"HTTP {error.number}")


_HTTP = ("http_404", "http_other")

PROBES = (
    Probe(
        id="second-setup",
        fact="A second setup closes with 1007 and says that setup must be the first message.",
        about="Q-setup-first",
        outcomes=("setup_must_be_first", "accepted"),
        claims=held("setup_must_be_first", "reported"),
        run=_second_setup,
        turns=0,
    ),
    Probe(
        id="content-before-setup",
        fact="Anything else than setup first closes with 1007 in the same words.",
        about="Q-setup-first",
        outcomes=("setup_must_be_first", "accepted"),
        claims=held("setup_must_be_first", "reported"),
        run=_content_first,
        turns=0,
    ),
    Probe(
        id="unknown-field",
        fact="A field the service does not know closes with 1007 and is named.",
        about="Q-refused-field",
        outcomes=("unknown_name", "accepted"),
        claims=held("unknown_name", "guessed"),
        run=_unknown_field,
        turns=0,
    ),
    Probe(
        id="bad-key",
        fact="A wrong API key is refused after the upgrade, with 1007.",
        about="Q-bad-key",
        outcomes=("key_not_valid", "unregistered_caller", "accepted", *_HTTP),
        claims=held("key_not_valid", "reported"),
        run=_bad_key,
        turns=0,
    ),
    Probe(
        id="no-key",
        fact="No API key is refused after the upgrade, with 1008 and other words.",
        about="Q-no-key",
        outcomes=("unregistered_caller", "key_not_valid", "accepted", *_HTTP),
        claims=held("unregistered_caller", "reported"),
        run=_no_key,
        turns=0,
    ),
    Probe(
        id="wrong-version",
        fact="A version that does not exist is refused at the upgrade, with HTTP 404.",
        about="Q-double-slash",
        outcomes=("http_404", "http_other", "accepted"),
        claims=held("http_404", "guessed"),
        run=_wrong_version,
        turns=0,
    ),
    Probe(
        id="unknown-model",
        fact="A model that does not exist closes with 1008 and names the API version.",
        about="Q-unknown-model",
        outcomes=("model_not_found", "accepted"),
        claims=held("model_not_found", "reported"),
        run=_unknown_model,
        turns=0,
    ),
    Probe(
        id="text-modality",
        fact="Written answers are refused where the model only speaks: 2.5 with 1007, later ones with 1011.",
        about="Q-text-on-native",
        outcomes=("cannot_extract_voices", "internal_error", "accepted"),
        claims=held("cannot_extract_voices", "reported", ("2.5-native",))
        | held("internal_error", "reported", ("3.1",))
        | held("internal_error", "guessed", ("3.8",)),
        run=_text_modality,
        turns=0,
    ),
    Probe(
        id="null-handle",
        fact="A handle that is null is refused with 1007; 2.5 takes it for none.",
        about="Q-null-is-absent",
        outcomes=("invalid_argument", "accepted"),
        claims=held("accepted", "reported", ("2.5-native",))
        | held("invalid_argument", "reported", ("3.1",))
        | held("invalid_argument", "guessed", ("3.8",)),
        run=_null_handle,
        turns=0,
    ),
    Probe(
        id="plain-instruction",
        fact="A system instruction that is a plain string is refused with 1007.",
        about="Q-instruction-is-content",
        outcomes=("refused_1007", "accepted"),
        claims=held("refused_1007", "guessed"),
        run=_plain_instruction,
        turns=0,
    ),
    Probe(
        id="marks-under-automatic",
        fact="activityStart under automatic detection closes with 1007 Precondition check failed.",
        about="Q-marks-need-manual",
        outcomes=("precondition_failed", "accepted"),
        claims=held("precondition_failed", "reported"),
        run=_marks_under_automatic,
        turns=0,
    ),
)

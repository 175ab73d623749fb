"""Canaries: a planted key and a planted handle are looked for in all that is shown or logged."""

from __future__ import annotations

import asyncio
import logging
import traceback

import pytest
from tests.realtime.conftest import open_place

from duologue import Event, RealtimeModel, ResumptionUpdate, TurnCompleted
from duologue.errors import DuologueError

KEY = "canary-key-AIzaSyD1234567890"
STRAY_HANDLE = "Cih" + "0canary0handle" * 7


def shown(error: BaseException | None) -> str:
    """Everything a traceback of it would print, causes included."""
    return "".join(traceback.format_exception(error)) if error is not None else ""


@pytest.mark.parametrize("quiet_below", [logging.DEBUG, 1])
async def test_no_secret_is_logged_or_shown(
    library: str, profile: str, caplog: pytest.LogCaptureFixture, quiet_below: int
) -> None:
    caplog.set_level(quiet_below)
    logging.getLogger("asyncio").setLevel(logging.INFO)
    seen: list[str] = []
    secrets = [KEY, STRAY_HANDLE]

    def note(event: Event) -> None:
        seen.append(repr(event))
        if isinstance(event, ResumptionUpdate) and event.handle:
            secrets.append(event.handle)

    async with open_place(profile, library, api_keys={KEY}) as place:
        model = place.model(api_key=KEY)
        seen += [repr(model), model.label, str(vars(model).keys())]
        async with model.session() as call:
            events = aiter(call)
            call.on(ResumptionUpdate, note)
            await call.send_text("Hi.")
            call.push_audio(bytes(3200))
            async with asyncio.timeout(5):
                async for event in events:
                    note(event)
                    if isinstance(event, TurnCompleted):
                        break
            await place.emulator.inject("close:code=1011,reason=Internal error encountered.")
            async for event in events:
                note(event)
                seen.append(shown(getattr(event, "error", None)))
            seen += [repr(call), str(call), repr(call.chat_ctx), repr(call.counters)]
            seen += [repr(call._address.account), repr(await call._address.endpoint())]
            with pytest.raises(DuologueError) as late:
                await call.send_text("late")
            seen.append(shown(late.value))
        failures = [
            model.session(resume=STRAY_HANDLE),
            place.model(api_key=KEY + "x").session(),
            place.model(api_key=KEY, base_url="http://127.0.0.1:9").session(),
            place.model(api_key=KEY, base_url=place.emulator.url + "/elsewhere").session(),
        ]
        for session in failures:
            with pytest.raises(DuologueError) as failed:
                await session.__aenter__()
            seen.append(shown(failed.value))
    assert len(secrets) > 2
    everything = "\n".join([*seen, caplog.text, *(str(record.args) for record in caplog.records)])
    assert [secret for secret in secrets if secret in everything] == []


def test_a_key_that_is_refused_here_is_not_shown() -> None:
    for key in (KEY + " x", KEY + "ü"):
        with pytest.raises(DuologueError) as caught:
            RealtimeModel(api_key=key).session()
        assert KEY not in shown(caught.value)

"""``duologue talk``: a conversation by microphone, recording, text or scene."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duologue.emulator.profiles import PROFILES

if TYPE_CHECKING:
    from duologue.cli.call import CallPlan
    from duologue.cli.screen import Screen

__all__ = ["talk"]

_EXIT_TERMINATED = 128 + signal.SIGTERM


def talk(
    local: Annotated[
        bool, typer.Option("--local", help="Talk to an emulator on this machine; needs no key.")
    ] = False,
    input: Annotated[
        list[Path] | None, typer.Option(help="A WAV file to speak; repeatable.", metavar="WAV")
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="A turn to type; repeatable.", metavar="T")] = None,
    scene: Annotated[
        Path | None, typer.Option(help="A TOML file that plays the caller.", metavar="FILE.toml")
    ] = None,
    output_dir: Annotated[Path, typer.Option(help="Where the files go.", metavar="DIR")] = Path("out"),
    record: Annotated[
        Path | None, typer.Option(help="Record the session to a tape, a file to be.", metavar="TAPE")
    ] = None,
    tools: Annotated[
        Path | None, typer.Option(help="A file with @function_tool functions.", metavar="FILE.py")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Name of the model.")] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            help=f"With --local, {' | '.join(PROFILES)}: whose rules the emulator plays, and its model.",
            metavar="P",
        ),
    ] = None,
    brain: Annotated[str | None, typer.Option(help="With --local: demo | scripted:FILE.")] = None,
    emulator_voice: Annotated[
        str | None, typer.Option(help="With --local: pico | tone | FILE.onnx.", metavar="V")
    ] = None,
    voice: Annotated[str | None, typer.Option(help="One of Gemini's voices.", metavar="NAME")] = None,
    headphones: Annotated[
        bool, typer.Option("--headphones", help="Leave the microphone open while the model speaks.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line; the last is a summary.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show logs and tracebacks.")] = False,
) -> int:
    """Have a conversation: by microphone and loudspeaker, or by --input, --text or --scene.

    Writes reply.wav, conversation.wav (caller left, model right), transcript.md and timeline.png.
    Recordings are played before texts are typed. Exit codes: 0, 2 for a named error, 130 for Ctrl-C.
    """
    from duologue.cli.plan import TalkOptions, make_plan
    from duologue.cli.screen import make_screen

    if debug:
        _log_to_stderr()
    else:
        _log_failures_only()
    plan = make_plan(
        TalkOptions(
            output_dir=output_dir,
            local=local,
            inputs=tuple(input or ()),
            texts=tuple(text or ()),
            scene=scene,
            record=record,
            tools=tools,
            model=model,
            profile=profile,
            brain=brain,
            emulator_voice=emulator_voice,
            voice=voice,
            headphones=headphones,
        )
    )
    return _run(plan, make_screen(as_json=json))


def _run(plan: CallPlan, screen: Screen) -> int:
    """Hold the call; Ctrl-C leaves as KeyboardInterrupt once the files are written."""
    screen.open()
    try:
        asyncio.run(_hold(plan, screen))
    except asyncio.CancelledError:  # by SIGTERM: Ctrl-C arrives as KeyboardInterrupt
        return _EXIT_TERMINATED
    finally:
        screen.close()
    return 0


async def _hold(plan: CallPlan, screen: Screen) -> None:
    from duologue.cli.call import hold_call

    task = asyncio.current_task()
    if task is not None:
        with contextlib.suppress(NotImplementedError):  # there are loops without signals
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await hold_call(plan, screen)


def _log_to_stderr() -> None:
    import logging

    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)8d ms %(name)s: %(message)s")
    logging.getLogger("duologue").setLevel(logging.DEBUG)


def _log_failures_only() -> None:
    """Keep the loss of the link out of the log: this command says itself how the call ended."""
    import logging

    logging.getLogger("duologue.link").setLevel(logging.ERROR)

"""Ears that understand: Whisper through CTranslate2, in a worker process.

Read this for how an utterance becomes text. Silence is never decoded. The sound is padded to ten
seconds, not to Whisper's thirty: five times faster with the same accuracy; below eight seconds the
model starts to invent words. Longer sound gets a longer window, beyond 29 seconds it is cut at its
quietest moments. Text is dropped when the model itself doubts that it was speech, and its length is
bounded by the sound's, so a repeating model stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duologue.emulator.ears import silero
from duologue.emulator.ears.energy import EnergyDetector, level_dbfs
from duologue.emulator.ears.weights import check_folder, loadable_folder
from duologue.emulator.workers import Answer, Handler, Worker
from duologue.errors import AudioError, ConfigError

if TYPE_CHECKING:
    from duologue.emulator.protocols import Detector

__all__ = ["WhisperEars", "engine_installed", "open_recognizer"]

_SAMPLE_RATE = 16_000
_MIN_WINDOW_S = 10
_MAX_WINDOW_S = 30
_MAX_PIECE_S = 29.0
_MAX_UTTERANCE_S = 600.0
_TAIL_S = 0.5
_NO_SPEECH_LIMIT = 0.6
_LOG_PROB_LIMIT = -1.0
_SILENT_DBFS = -60.0
_TOKENS_PER_S = 12
"""Fast English speech has about six tokens a second."""


def engine_installed() -> bool:
    """Tell whether CTranslate2 and numpy can be imported, without importing them."""
    return all(importlib.util.find_spec(name) is not None for name in ("ctranslate2", "numpy"))


class WhisperEars:
    """Transcribes utterances of up to ten minutes with a Whisper model.

    Requests are served one after another by one worker process. The model is loaded at the first
    request, or in the background after :meth:`warm`.

    Args:
        model_dir: A CTranslate2 Whisper folder; None is Whisper base from its data packages.
        language: Two-letter code of what is spoken, for multilingual models; None lets the model guess.
        beam_size: 1 (greedy) to 5 (a tenth slower on one thread, hears a few more words).
        threads: Cores that one request uses; two are no faster for base on a machine with two.

    Raises:
        ConfigError: ``beam_size`` is out of range, or the folder isn't a model.
    """

    def __init__(
        self,
        model_dir: Path | None = None,
        *,
        language: str | None = "en",
        beam_size: int = 5,
        threads: int = 1,
    ) -> None:
        if not 1 <= beam_size <= 5:
            raise ConfigError(f"beam_size is 1 to 5, not {beam_size}")
        options = {
            "model_dir": str(check_folder(model_dir)) if model_dir is not None else None,
            "language": language,
            "beam_size": beam_size,
            "threads": threads,
        }
        self._worker = Worker(f"{__name__}:open_recognizer", options, name="Whisper")

    def warm(self) -> None:
        """Load the model, and Silero, in the background; return at once."""
        self._worker.warm()
        if silero.is_installed():
            asyncio.get_running_loop().run_in_executor(None, _warm_silero)

    async def started(self) -> None:
        """Wait until the model, and Silero, are loaded.

        Raises:
            ConfigError: The model or a package is missing or damaged.
            WorkerError: The process died.
        """
        if silero.is_installed():
            await asyncio.to_thread(silero.warm)
        await self._worker.started()

    def detector(self) -> Detector:
        """Make a fresh Silero detector for one session, or one by energy where Silero isn't installed."""
        if not silero.is_installed():
            return EnergyDetector()
        made = silero.SileroDetector()
        with contextlib.suppress(RuntimeError):  # without a loop nobody is held up by making the next one
            asyncio.get_running_loop().run_in_executor(None, _warm_silero)
        return made

    async def transcribe(self, pcm: bytes) -> str:
        """Return the words in ``pcm`` (s16le mono 16 kHz, one utterance), "" when there are none.

        Raises:
            AudioError: Half a sample, or more than ten minutes.
            ConfigError: The model or a package is missing or damaged.
            WorkerError: The process died twice over this sound.
            QueueFull: 256 utterances are waiting already.
        """
        if len(pcm) % 2:
            raise AudioError(f"sound of {len(pcm)} bytes ends in half a sample")
        if len(pcm) > _MAX_UTTERANCE_S * 2 * _SAMPLE_RATE:
            raise AudioError(
                f"an utterance is at most {_MAX_UTTERANCE_S:g} s long, not {len(pcm) / 32_000:.0f} s"
            )
        answer = await self._worker.call({}, bytes(pcm))
        return str(answer.params["text"])

    async def aclose(self) -> None:
        """Stop the worker process; idempotent."""
        await self._worker.aclose()


def _warm_silero() -> None:
    # What goes wrong here goes wrong again, with somebody to tell, when a detector is asked for.
    with contextlib.suppress(ConfigError):
        silero.warm()


# ---------------------------------------------------------------------------------- in the worker


def open_recognizer(model_dir: str | None, language: str | None, beam_size: int, threads: int) -> Handler:
    """Load the model (in the worker process) and return what answers its jobs."""
    recognizer = _Recognizer(model_dir, language, beam_size, threads)

    def handle(params: dict[str, Any], blob: bytes) -> Answer:
        del params
        return Answer({"text": recognizer.transcribe(blob)}, b"")

    return handle


class _Recognizer:
    def __init__(self, model_dir: str | None, language: str | None, beam_size: int, threads: int) -> None:
        try:
            self._np: Any = importlib.import_module("numpy")
            self._ct2: Any = importlib.import_module("ctranslate2")
        except ImportError as error:
            raise ConfigError(f"Whisper needs {error.name}: pip install 'duologue[speech]'") from None
        self._log_mel: Any = importlib.import_module("duologue.emulator.ears.mel").log_mel
        own = contextlib.nullcontext(Path(model_dir)) if model_dir is not None else loadable_folder()
        with own as folder:
            try:
                self._model = self._ct2.models.Whisper(
                    str(folder), device="cpu", compute_type="int8", inter_threads=1, intra_threads=threads
                )
            except (RuntimeError, ValueError) as error:
                raise ConfigError(f"{folder} cannot be loaded as a Whisper model: {error}") from None
        self._language = language
        self._beam_size = beam_size
        self._warm_up()

    def _warm_up(self) -> None:
        """Run one second of faint noise: the first run allocates, which the first caller shouldn't wait for."""
        noise = self._np.random.default_rng(0).normal(0, 0.01, _SAMPLE_RATE)
        self._decode(noise.astype(self._np.float32))

    def transcribe(self, pcm: bytes) -> str:
        if level_dbfs(pcm) < _SILENT_DBFS:
            return ""
        samples = self._np.frombuffer(pcm, dtype="<i2").astype(self._np.float32) / 32768
        texts = [self._decode(piece) for piece in self._pieces(samples)]
        return " ".join(text for text in texts if text)

    def _pieces(self, samples: Any) -> list[Any]:
        """Cut sound that is too long for one window, each time at the quietest 0.2 s of the last third."""
        pieces: list[Any] = []
        longest = int(_MAX_PIECE_S * _SAMPLE_RATE)
        while len(samples) > longest:
            step = _SAMPLE_RATE // 5
            start = longest * 2 // 3
            blocks = samples[start : start + (longest - start) // step * step].reshape(-1, step)
            quietest = int(self._np.argmin((blocks**2).sum(axis=1)))
            cut = start + quietest * step + step // 2
            pieces.append(samples[:cut])
            samples = samples[cut:]
        return [*pieces, samples]

    def _decode(self, samples: Any) -> str:
        length_s = len(samples) / _SAMPLE_RATE
        window_s = min(max(_MIN_WINDOW_S, int(length_s + _TAIL_S) + 1), _MAX_WINDOW_S)
        padded = self._np.pad(samples, (0, window_s * _SAMPLE_RATE - len(samples)))
        mel = self._log_mel(padded, bands=self._model.n_mels)
        features = self._ct2.StorageView.from_array(self._np.ascontiguousarray(mel[None]))
        result = self._model.generate(
            features,
            [self._prompt(features)],
            beam_size=self._beam_size,
            max_length=min(440, 24 + int(_TOKENS_PER_S * length_s)),
            suppress_blank=True,
            suppress_tokens=[-1],
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        if result.no_speech_prob > _NO_SPEECH_LIMIT and result.scores[0] < _LOG_PROB_LIMIT:
            return ""
        return _text(result.sequences[0])

    def _prompt(self, features: Any) -> list[str]:
        prompt = ["<|startoftranscript|>"]
        if self._model.is_multilingual:
            language = f"<|{self._language}|>"
            if self._language is None:
                language = self._model.detect_language(features)[0][0][0]
            prompt += [language, "<|transcribe|>"]
        return [*prompt, "<|notimestamps|>"]


@lru_cache(maxsize=1)
def _byte_of() -> dict[str, int]:
    """Return the byte behind each character of a token: byte-level BPE writes every byte as a visible one.

    Bytes that are visible in Latin-1 stand for themselves; the others are numbered from U+0100 on.
    """
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in visible]
    table = {chr(byte): byte for byte in visible}
    table |= {chr(0x100 + index): byte for index, byte in enumerate(hidden)}
    return table


_SPECIAL = re.compile(r"<\|[^|]*\|>")


def _text(tokens: list[str]) -> str:
    """Join tokens into text; special ones are dropped, broken characters become U+FFFD and go too."""
    bytes_of = _byte_of()
    raw = bytes(
        bytes_of[character]
        for token in tokens
        if not _SPECIAL.fullmatch(token)
        for character in token
        if character in bytes_of
    )
    return " ".join(raw.decode("utf-8", errors="replace").replace("\ufffd", "").split())

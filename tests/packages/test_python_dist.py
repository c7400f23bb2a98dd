from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from packaging.metadata import Metadata

from deploy.packaging import python_dist
from deploy.packaging.source import Source, exported


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return exported(tmp_path_factory.mktemp("source") / "one")


@pytest.fixture(scope="module")
def made(source: Source, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {path.suffix: path for path in python_dist.build(source, tmp_path_factory.mktemp("dist"))}


@pytest.fixture
def other_habits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Somebody else's machine: another time zone, another umask, an epoch of something else."""
    for name, value in (("TZ", "Pacific/Auckland"), ("SOURCE_DATE_EPOCH", "1"), ("PYTHONHASHSEED", "7")):
        monkeypatch.setenv(name, value)
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("other_habits")
def test_two_builds_give_the_same_bytes(made: dict[str, Path], tmp_path: Path) -> None:
    again = python_dist.build(exported(tmp_path / "another" / "place"), tmp_path / "dist")
    assert {path.suffix: path.read_bytes() for path in again} == {
        suffix: path.read_bytes() for suffix, path in made.items()
    }


def test_the_source_archive_makes_the_same_wheel(source: Source, made: dict[str, Path], tmp_path: Path) -> None:
    with tarfile.open(made[".gz"]) as archive:
        archive.extractall(tmp_path, filter="data")
    [folder] = tmp_path.iterdir()
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(words, cwd=folder, env={**os.environ, **source.environment}, check=True, capture_output=True)
    [wheel] = (tmp_path / "dist").iterdir()
    assert wheel.read_bytes() == made[".whl"].read_bytes()


def test_every_file_is_as_old_as_its_commit(source: Source, made: dict[str, Path]) -> None:
    with tarfile.open(made[".gz"]) as archive:
        assert {member.mtime for member in archive} == {source.epoch}


def test_an_index_would_understand_what_they_say_of_themselves(source: Source, made: dict[str, Path]) -> None:
    with zipfile.ZipFile(made[".whl"]) as wheel:
        said = wheel.read(f"mailferry-{source.version}.dist-info/METADATA")
    with tarfile.open(made[".gz"]) as archive:
        inside = archive.extractfile(f"mailferry-{source.version}/PKG-INFO")
        assert inside is not None
        assert inside.read() == said
    metadata = Metadata.from_email(said, validate=True)
    assert (metadata.name, str(metadata.version)) == ("mailferry", source.version)
    assert metadata.description_content_type == "text/markdown"
    assert "# mailferry" in (metadata.description or "")


def test_the_wheel_holds_the_program_and_nothing_else(made: dict[str, Path]) -> None:
    with zipfile.ZipFile(made[".whl"]) as wheel:
        tops = {name.split("/")[0] for name in wheel.namelist()}
        assert {top for top in tops if not top.endswith(".dist-info")} == {"migrator", "jobs"}
        assert "jobs/web/locale/de.po" in wheel.namelist()
    [script] = [one for one in entry_points(group="console_scripts") if one.name == "mailferry"]
    assert script.value == "migrator.cli.main:main"


def test_what_only_stands_in_the_working_tree_is_not_in_the_source(source: Source) -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=Path(__file__).parent, check=True, capture_output=True, text=True)
    assert "test_python_dist.py" in tracked.stdout
    assert not (source.folder / ".venv").exists()
    assert not (source.folder / ".git").exists()

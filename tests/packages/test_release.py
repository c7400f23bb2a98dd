from __future__ import annotations

import dataclasses
import itertools
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from deploy.packaging import bill_of_materials, debian, release
from deploy.packaging.source import Source, changes_of, is_clean

SOURCE = Source(Path("/nowhere"), "1234567890abcdef", "1.2.0", 1_800_000_000, "v1.2.0")
ENTRY = "- **Moving mail.** Copies are proven before\n  anything is deleted.\n"
READY = (
    f"# Changelog\n\n## 1.2.0 (2027-01-15)\n\n{ENTRY}\n## 1.1.0 (2026-12-24)\n\n- Older words of an older release.\n"
)


def test_what_is_ready_is_released() -> None:
    assert release.unready(SOURCE, READY, clean=True) == []


@pytest.mark.parametrize(
    ("source", "changelog", "clean", "said"),
    [
        (SOURCE, READY, False, "the working tree is not what is committed"),
        (dataclasses.replace(SOURCE, tag=None), READY, True, "no tag v1.2.0"),
        (SOURCE, READY.replace("## 1.2.0", "## 1.3.0"), True, "no section `## 1.2.0"),
        (SOURCE, READY.replace("2027-01-15", "unreleased"), True, "dates 1.2.0 with 'unreleased'"),
        (SOURCE, READY.replace(ENTRY, ""), True, "has no entry"),
        (SOURCE, READY.replace(ENTRY, "- Merge branch 'main' into x\n"), True, "says nothing"),
        (SOURCE, READY.replace(ENTRY, "- Various fixes.\n"), True, "says nothing"),
        (SOURCE, READY.replace(ENTRY, "- 7f8152ad tests: laid out again\n"), True, "says nothing"),
    ],
)  # fmt: skip
def test_what_is_not_ready_is_not(source: Source, changelog: str, clean: bool, said: str) -> None:
    [reason] = release.unready(source, changelog, clean=clean)
    assert said in reason


def test_the_changelog_of_today_is_readable() -> None:
    text = (Path(__file__).parents[2] / "CHANGELOG.md").read_text()
    [version] = [line.split()[1] for line in text.splitlines() if line.startswith("## ")][:1]
    section = changes_of(version, text)
    assert section is not None
    assert release.unreadable(section[1]) == []


def test_a_working_tree_is_clean_until_something_changes(tmp_path: Path) -> None:
    for words in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    assert is_clean(tmp_path)
    (tmp_path / "new").touch()
    assert not is_clean(tmp_path)


def test_sums_are_read_by_sha256sum(tmp_path: Path) -> None:
    files = [tmp_path / "b.whl", tmp_path / "a.tar.gz"]
    for number, path in enumerate(files):
        path.write_bytes(b"%d" % number)
    sums = release.write_sums(tmp_path, files)
    assert [line.split()[1] for line in sums.read_text().splitlines()] == ["a.tar.gz", "b.whl"]
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path, check=True, capture_output=True)


def test_the_bill_of_materials_says_which_version_it_is_of() -> None:
    said = bill_of_materials.pyproject(dataclasses.replace(SOURCE, folder=Path(__file__).parents[2]))
    assert tomllib.loads(said)["project"]["version"] == "1.2.0"


def test_debian_gets_the_changelog_in_its_own_form(tmp_path: Path) -> None:
    (tmp_path / "CHANGELOG.md").write_text(READY)
    source = dataclasses.replace(SOURCE, folder=tmp_path)
    assert debian.changelog(source, "1.2.0") == (
        "mailferry (1.2.0) stable; urgency=medium\n"
        "\n"
        "  * Moving mail. Copies are proven before anything is deleted.\n"
        "\n"
        " -- The mailferry authors <mailferry@localhost.localdomain>  Fri, 15 Jan 2027 08:00:00 -0000\n"
    )


def test_what_is_not_released_is_older_than_the_release_and_younger_than_the_last_for_apt() -> None:
    versions = [
        "1.1.0",
        debian.package_version(dataclasses.replace(SOURCE, tag=None)),
        debian.package_version(dataclasses.replace(SOURCE, tag=None, epoch=SOURCE.epoch + 60, commit="0" * 40)),
        debian.package_version(SOURCE),
    ]
    dpkg = shutil.which("dpkg")
    assert versions[1] == "1.2.0~git20270115080000.12345678"
    assert versions[-1] == "1.2.0"
    if dpkg:
        for older, younger in itertools.pairwise(versions):
            subprocess.run([dpkg, "--compare-versions", older, "lt", younger], check=True)

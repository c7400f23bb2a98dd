"""What is built is a commit: its files, version and moment. What only stands in the working tree is never in it."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Source:
    """The files of a commit in a folder, and what is known of it."""

    folder: Path
    commit: str
    version: str
    epoch: int
    """Seconds since 1970 at which it was committed: each file of what is built is as old as that, whoever builds it."""
    tag: str | None
    """The tag of this version, if the commit has it."""

    @property
    def environment(self) -> dict[str, str]:
        """What makes builders repeat themselves to the byte."""
        return {"SOURCE_DATE_EPOCH": str(self.epoch), "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0"}


def exported(into: Path, top: Path = TOP) -> Source:
    """Write the files of the commit that is checked out in ``top`` to a folder that is made; return what it is."""
    packed = git(top, "archive", "--format=tar", "HEAD")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(into, filter="tar")
    version = version_of(into)
    tags = git(top, "tag", "--points-at", "HEAD").decode().split()
    return Source(
        folder=into,
        commit=git(top, "rev-parse", "HEAD").decode().strip(),
        version=version,
        epoch=int(git(top, "log", "-1", "--format=%ct")),
        tag=f"v{version}" if f"v{version}" in tags else None,
    )


def version_of(folder: Path) -> str:
    """Return the version that the program itself says."""
    for node in ast.parse((folder / "migrator/__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            return str(ast.literal_eval(node.value))
    raise SystemExit("migrator/__init__.py has no __version__")


def is_clean(top: Path = TOP) -> bool:
    """Say whether the working tree is what is committed; files that git ignores do not count."""
    return not git(top, "status", "--porcelain").strip()


def changes_of(version: str, changelog: str) -> tuple[str, str] | None:
    """Return when a version was released, as its heading says it, and what is written of it; None without a section."""
    found = re.search(rf"^## {re.escape(version)} \(([^)\n]*)\)\n(.*?)(?=^## |\Z)", changelog, re.M | re.S)
    return (found[1], found[2].strip()) if found else None


def git(top: Path, *words: str) -> bytes:
    """Return what git says; ends the program with git's own words where it fails."""
    ended = subprocess.run(["git", "-C", top, *words], capture_output=True, check=False)  # noqa: S607  # found by PATH
    if ended.returncode:
        raise SystemExit(f"git {words[0]}: {ended.stderr.decode(errors='replace').strip()}")
    return ended.stdout

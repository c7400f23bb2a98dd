"""The wheel, the source archive, and the wheels of all that they need, so that they install without a network."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from deploy.packaging.source import TOP, Source

LOCK = "deploy/requirements.txt"
"""Everything but what developers need, every extra included, each with its hashes."""

TOOLS = TOP / "build" / "release-tools"
"""A virtual environment of its own, from deploy/packaging/requirements.txt: ``make dist`` makes it."""


def build(source: Source, into: Path) -> list[Path]:
    """Build wheel and source archive; two builds of one commit give the same bytes, wherever they run."""
    into.mkdir(parents=True, exist_ok=True)
    before = set(into.iterdir())
    words = [sys.executable, "-m", "hatchling", "build", "-d", str(into.absolute()), "-t", "sdist", "-t", "wheel"]
    subprocess.run(words, cwd=source.folder, env={**os.environ, **source.environment}, check=True, stdout=sys.stderr)
    made = {into / f"mailferry-{source.version}.tar.gz", into / f"mailferry-{source.version}-py3-none-any.whl"}
    missing = [path.name for path in made if not path.is_file()]
    if missing or set(into.iterdir()) - before - made:
        raise SystemExit(f"expected {sorted(path.name for path in made)} in {into}")
    return sorted(made)


def gather_wheels(source: Source, into: Path) -> None:
    """Have all that the lock names, and fits this machine and Python, in a folder, each compared with its hash."""
    into.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--only-binary", ":all:"]
    words += ["--disable-pip-version-check", "--find-links", str(into), "--dest", str(into)]
    subprocess.run([*words, "--requirement", str(source.folder / LOCK)], check=True, stdout=sys.stderr)


def gather_builder(source: Source, into: Path) -> None:
    """Have, beside them, what builds a wheel from the source archive: pip asks for it where it has no network, too."""
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "--find-links", str(into)]
    words += ["--disable-pip-version-check", "--dest", str(into)]
    words += ["--constraint", str(source.folder / "requirements-dev.txt"), "hatchling"]
    subprocess.run(words, check=True, stdout=sys.stderr)


def check(made: Iterable[Path]) -> None:
    """Let twine say whether a package index would take these; ends the program if not."""
    if subprocess.run([TOOLS / "bin/python", "-m", "twine", "check", "--strict", *made], check=False).returncode:
        raise SystemExit("twine refuses what was built")

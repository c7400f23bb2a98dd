"""The Debian package, made by Debian's own tools from a commit and a folder of wheels."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

from deploy.packaging.source import Source, changes_of

MAINTAINER = "The mailferry authors <mailferry@localhost.localdomain>"


def build(source: Source, wheels: Path, into: Path, *, version: str | None = None) -> Path:
    """Build the package for this machine's architecture and Python, the same bytes each time; returns its path."""
    for program in ("dpkg-buildpackage", "dh"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is missing (on Debian: apt install dpkg-dev debhelper)")
    version = version or package_version(source)
    folder = source.folder
    if not (folder / "debian").exists():
        shutil.copytree(folder / "deploy/debian", folder / "debian")
    (folder / "debian/changelog").write_text(changelog(source, version))
    text = (folder / "debian/copyright").read_text()
    (folder / "debian/copyright").write_text(text.replace("@LICENSE@", licence((folder / "LICENSE").read_text())))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "DEB_", "PYTHON"))}
    environment |= source.environment | {"MAILFERRY_WHEELS": str(wheels.absolute())}
    words = ["dpkg-buildpackage", "--build=binary", "--unsigned-changes", "--unsigned-buildinfo", "--no-pre-clean"]
    subprocess.run(words, cwd=folder, env=environment, check=True, stdout=sys.stderr)
    [made] = folder.parent.glob(f"mailferry_{version}_*.deb")
    into.mkdir(parents=True, exist_ok=True)
    shutil.move(made, into)
    return into / made.name


def package_version(source: Source) -> str:
    """Return the version for Debian: what was not released sorts before what will be."""
    if source.tag:
        return source.version
    moment = time.strftime("%Y%m%d%H%M%S", time.gmtime(source.epoch))
    return f"{source.version}~git{moment}.{source.commit[:8]}"


def changelog(source: Source, version: str) -> str:
    """Return ``debian/changelog``: the section of CHANGELOG.md in Debian's form, dated as the commit is."""
    found = changes_of(source.version, (source.folder / "CHANGELOG.md").read_text())
    if found is None:
        raise SystemExit(f"CHANGELOG.md has no section {source.version}")
    distribution = "stable" if source.tag else "UNRELEASED"
    entries = "\n".join(entry_lines(found[1]))
    date = formatdate(source.epoch)
    return f"mailferry ({version}) {distribution}; urgency=medium\n\n{entries}\n\n -- {MAINTAINER}  {date}\n"


def entry_lines(section: str) -> Iterator[str]:
    """Yield the list of a section of CHANGELOG.md, indented as Debian wants it."""
    for entry in re.findall(r"^- (.*(?:\n  .*)*)", section, re.M):
        yield textwrap.fill(
            " ".join(entry.replace("**", "").split()),
            width=79,
            initial_indent="  * ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def licence(text: str) -> str:
    """Return the paragraphs of a licence as ``debian/copyright`` writes them, without title and copyright line."""
    body = text.partition("Permission is hereby")
    return "\n".join(f" {line.strip() or '.'}" for line in (body[1] + body[2]).strip().splitlines())

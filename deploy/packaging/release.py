"""A release: refuses a tree, a tag or a changelog that is not ready, then builds everything, and its hashes."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from deploy.packaging import bill_of_materials, debian, python_dist
from deploy.packaging.source import Source, changes_of, is_clean


def build(source: Source, wheels: Path, into: Path) -> None:
    """Build wheel, source archive, Debian package, bill of materials, notes and ``SHA256SUMS`` into an empty folder."""
    if reasons := unready(source, (source.folder / "CHANGELOG.md").read_text(), clean=is_clean()):
        raise SystemExit("not released:\n" + "\n".join(f"- {reason}" for reason in reasons))
    if into.exists() and any(into.iterdir()):
        raise SystemExit(f"not released: {into} must be empty, so that nothing old is given away; remove it")
    made = python_dist.build(source, into)
    python_dist.check(made)
    python_dist.gather_wheels(source, wheels)
    with_ours = source.folder.parent / "wheels"
    gather(wheels, made, with_ours)
    made.append(bill_of_materials.write(source, with_ours, into))
    made.append(debian.build(source, with_ours, into))
    notes = into / f"mailferry-{source.version}.md"
    notes.write_text(release_notes(source))
    sums = write_sums(into, [*made, notes])
    print(f"{sums} names {len(made) + 1} files. The image: docker build -f deploy/Dockerfile -t mailferry .")  # noqa: T201  # its result


def unready(source: Source, changelog: str, *, clean: bool) -> list[str]:
    """Return why this must not be released; empty if it may."""
    reasons = []
    if not clean:
        reasons.append("the working tree is not what is committed (git status)")
    if source.tag is None:
        reasons.append(f"the commit has no tag v{source.version}, which is the version that the program says")
    section = changes_of(source.version, changelog)
    if section is None:
        return [*reasons, f"CHANGELOG.md has no section `## {source.version} (YYYY-MM-DD)`"]
    when, text = section
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", when):
        reasons.append(f"CHANGELOG.md dates {source.version} with {when!r}: it takes a day, as 2026-12-24")
    return reasons + unreadable(text)


def unreadable(section: str) -> list[str]:
    """Return what keeps people from reading a section of the changelog: nothing there, or lines that say nothing."""
    entries = re.findall(r"^- (.*(?:\n  .*)*)", section, re.M)
    if not entries:
        return ["its section of CHANGELOG.md has no entry"]
    return [
        f"CHANGELOG.md: an entry says nothing to somebody who uses the program: {' '.join(entry.split())!r}"
        for entry in entries
        if len(entry.split()) < 4 or re.match(r"(merge|wip|fixup|squash|misc|various|[0-9a-f]{7,40}\b)", entry, re.I)
    ]


def release_notes(source: Source) -> str:
    """Return what stands beside the files of a release: its section of the changelog."""
    when, text = changes_of(source.version, (source.folder / "CHANGELOG.md").read_text()) or ("", "")
    return f"# mailferry {source.version} ({when})\n\n{text}\n"


def gather(wheels: Path, ours: Iterable[Path], into: Path) -> None:
    """Have a folder with the wheels of others and this build of ours, and no other build of ours."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    for path in [*wheels.glob("*.whl"), *ours]:
        shutil.copy(path, into)


def write_sums(into: Path, files: Iterable[Path]) -> Path:
    """Write ``SHA256SUMS`` as sha256sum does, so that ``sha256sum --check SHA256SUMS`` reads it."""
    sums = into / "SHA256SUMS"
    lines = sorted((path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files)
    sums.write_text("".join(f"{digest}  {name}\n" for name, digest in lines))
    return sums

"""Writes archived messages out, in forms that other programs read, with a manifest that ``sha256sum -c`` accepts.

Nothing that exists is ever overwritten. An export that was cut short goes on where it was when it is asked for again:
what stands there already is proven by its digest, not believed. The writers of the forms are in ``migrator.
interchange.export_formats``; where a form has a file for many messages, that file gets its name when it is whole.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path

from migrator.archive.reader import ArchiveReader, belonging
from migrator.errors import FerryError, Kind
from migrator.files import replace_file, storage_error
from migrator.interchange.export_folders import EmlFolder, MaildirFolder
from migrator.interchange.export_formats import EmlZip, MboxFile, Writer
from migrator.lazy_dataclasses import dataclass, field
from migrator.ledger.archive import ArchiveLedger
from migrator.model import Digest
from migrator.report import OnProgress, no_progress

MANIFEST = "SHA256SUMS"

_LINE = re.compile("([0-9a-f]{64})  (.+)")
_NO_NAME = frozenset({errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG})


class Form(StrEnum):
    """What to write."""

    MBOX = "mbox"
    MAILDIR = "maildir"
    EML = "eml"


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did. ``written + present + len(failed)`` is what was asked for."""

    written: int
    present: int
    failed: tuple[tuple[str, Digest, FerryError], ...]
    manifest: Path | None

    def as_json(self) -> dict[str, object]:
        """Return the document of the export."""
        return {
            "written": self.written,
            "present": self.present,
            "failed": len(self.failed),
            "manifest": None if self.manifest is None else str(self.manifest),
            "errors": [
                {"account": account, "digest": digest.hex(), "kind": str(error.kind), "message": str(error)}
                for account, digest, error in self.failed
            ],
        }


@dataclass(frozen=True, slots=True)
class Part:
    """One writer, and what it is to write: the messages of an account, or of several without repeating any."""

    account: str
    writer: Writer
    digests: Sequence[Digest]


def parts(
    path: Path,
    form: Form,
    accounts: Sequence[tuple[str, str]],
    reader: ArchiveReader,
    ledger: ArchiveLedger,
    wanted: set[Digest] | None,
) -> list[Part]:
    """Lay an export out. ``accounts`` are names, each with its file name; ``wanted`` limits it to these messages.

    A path that ends in ``.mbox`` (or ``.zip``, for eml) is one file for all. Otherwise it is a folder: of an mbox file
    for each account; or the Maildir or the folder of eml files itself, with one below it for each account where there
    are several.
    """
    chosen = {name: list(belonging(name, reader, ledger, wanted)) for name, _ in accounts}
    single = _single_file(path, form)
    if single is not None:
        together = dict.fromkeys(digest for digests in chosen.values() for digest in digests)
        return [Part(", ".join(chosen), single, list(together))]
    return [
        Part(name, _writer(path, form, file_name, is_only=len(accounts) == 1), chosen[name])
        for name, file_name in accounts
    ]


def _single_file(path: Path, form: Form) -> Writer | None:
    if path.is_dir():
        return None
    match form, path.suffix.lower():
        case Form.MBOX, ".mbox":
            return MboxFile(path)
        case Form.EML, ".zip":
            return EmlZip(path)
        case _:
            return None


def _writer(path: Path, form: Form, file_name: str, *, is_only: bool) -> Writer:
    folder = path if is_only else path / file_name
    match form:
        case Form.MBOX:
            return MboxFile(path / f"{file_name}.mbox")
        case Form.MAILDIR:
            return MaildirFolder(folder)
        case Form.EML:
            return EmlFolder(folder)


def export(
    path: Path, planned: Iterable[Part], reader: ArchiveReader, *, on_progress: OnProgress = no_progress
) -> Exported:
    """Write every part, then the manifest; all of it is durable when this returns.

    A message that cannot be read or written is named and passed over. What concerns a writer as a whole is raised.
    """
    done = _Done()
    manifest: Path | None = None
    sums: dict[Path, str] = {}
    with ExitStack() as stack, disk_errors():
        written = list(planned)
        for part in written:
            stack.callback(part.writer.close)
        for part in written:
            _write(part, reader, done, on_progress)
            sums |= part.writer.finish()
            part.writer.close()
        if sums:
            os.sync()  # one call for thousands of small files; what it misses, the next export finds by its digest
            manifest = _write_manifest(path, sums)
    return Exported(done.written, done.present, tuple(done.failed), manifest)


@dataclass(slots=True)
class _Done:
    written: int = 0
    present: int = 0
    failed: list[tuple[str, Digest, FerryError]] = field(default_factory=list)


def _write(part: Part, reader: ArchiveReader, done: _Done, on_progress: OnProgress) -> None:
    missing: list[Digest] = []
    for digest in part.digests:
        try:
            is_there = part.writer.has(digest)
        except FerryError as error:
            done.failed.append((part.account, digest, error))
            continue
        done.present += is_there
        if not is_there:
            missing.append(digest)
    for digest, body in reader.read(missing):
        try:
            if isinstance(body, FerryError):
                raise body  # one way for all that concerns one message
            part.writer.add(digest, body)
            done.written += 1
        except FerryError as error:
            done.failed.append((part.account, digest, error))
        on_progress(done.written + done.present)


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn what the disk that is exported to says into ours."""
    try:
        yield
    except OSError as error:
        raise _disk_error(error) from error


def _disk_error(error: OSError) -> FerryError:
    path = error.filename2 or error.filename
    failure = storage_error(error, "the export")
    if failure.kind is Kind.DISK_FULL:
        larger = "; this file system takes no larger file: write --format eml or maildir, or less with --query"
        failure.cure += larger if error.errno == errno.EFBIG else ""
        return failure
    name = " (its file system does not take this name)" if error.errno in _NO_NAME else ""
    what = f"cannot write{f' {path}' if path else ''}: {error.strerror}{name}"
    return FerryError(Kind.REFUSED, what)


def _write_manifest(path: Path, sums: dict[Path, str]) -> Path:
    """Replace the manifest, with what an earlier export into the same folder put into it."""
    manifest = _manifest_of(path, sums)
    root = manifest.parent
    lines = {str(file.relative_to(root)): digest for file, digest in sums.items()}
    if manifest.is_file() and not manifest.is_symlink():
        known = (match for match in map(_LINE.fullmatch, manifest.read_text("utf-8", "replace").splitlines()) if match)
        lines = {line[2]: line[1] for line in known if (root / line[2]).exists()} | lines
    content = "".join(f"{digest}  {name}\n" for name, digest in sorted(lines.items()))
    with replace_file(manifest) as file:
        file.write(content.encode("utf-8"))
    return manifest


def _manifest_of(path: Path, sums: Iterable[Path]) -> Path:
    """Return where the manifest goes: into the folder; beside a file, and beside a Maildir, in which only mail stands.

    Into a Maildir all the same where that is a disk of its own: beside it is another disk.
    """
    is_maildir = any(file.parent.parent == path and file.parent.name in ("new", "cur") for file in sums)
    is_alone = not path.is_dir() or (is_maildir and not path.is_mount() and bool(path.name))
    return path.with_name(f"{path.name}.sha256") if is_alone else path / MANIFEST

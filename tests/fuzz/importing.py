"""Mail of other programs: whatever a file holds, each message in it is mail, each is whole, and nothing is raised."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from migrator.destinations.mbox import mboxrd
from migrator.interchange.importing.envelopes import envelope_date, is_bare_envelope, is_envelope
from migrator.interchange.importing.items import Deleted, FoundMessage, Item, LeftOut
from migrator.interchange.importing.marks import of_apple, of_babyl, of_header, of_maildir
from migrator.interchange.importing.recognising import begins_a_field, foreign_mail, form_of, head_octets
from migrator.interchange.importing.sources import Sources
from migrator.interchange.mail_files import Variant
from migrator.message.digest import canonical, digest_of
from tests.fuzz.draw import Draw, said_well

FRAME = b"From a@b Mon Jan  1 00:00:00 2024\n"
NAMES = ("x", "x.eml", "x.mbox", "dovecot", "x.pst", "1.emlx", "2.partial.emlx")


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        yield Path(folder)


def _taken(path: Path, variant: Variant | None = None) -> list[tuple[bytes, FoundMessage]]:
    """Take everything at a path, and hold what every import must keep."""
    taken: list[tuple[bytes, FoundMessage]] = []
    items: list[Item] = []
    for item in Sources(variant, path.parent / "spool").found(path):
        items.append(item)
        match item:
            case FoundMessage(_, message):
                body = b"".join(message.body.chunks())
                assert len(body) == message.octets == message.body.octets
                assert message.digest == digest_of(body)
                assert body.strip(b"\r\n\0"), "a message of nothing"
                assert body.endswith(b"\n")
                assert canonical(body) == body
                taken.append((body, item))
            case LeftOut(_, reason):
                said_well(ValueError(reason))
            case Deleted():
                pass
    assert taken or any(not isinstance(item, LeftOut) or item.is_trouble for item in items), "nothing, and no word"
    assert not list((path.parent / "spool").glob("*"))
    return taken


def forms(data: bytes) -> None:
    """Say what bytes are, and read them as everything that may stand beside a message."""
    draw = Draw(data)
    name = draw.one_of(NAMES)
    content = draw.rest()
    form_of(content, name)
    foreign_mail(content, name)
    assert 0 <= head_octets(content) <= len(content)
    line = content.partition(b"\n")[0]
    date = envelope_date(line)
    assert date is None or is_envelope(line)
    is_bare_envelope(line)
    for marks in (of_header(content), of_apple(content), of_babyl(line), of_maildir(line.decode("latin-1"), None)):
        assert all(flag.startswith("\\") for flag in marks.flags)
    with _folder() as folder:
        (folder / name).write_bytes(content)
        _taken(folder / name)


def mbox(data: bytes) -> None:
    """Read anything as an mbox; what mboxrd wrote of mail comes back as it was."""
    draw = Draw(data)
    variant = draw.one_of((None, *Variant))
    messages = [b"Subject: x\r\n" + canonical(piece) for piece in draw.rest().split(b"\n\n")[:5]]
    messages = [message if message.endswith(b"\r\n") else message + b"\r\n" for message in messages]
    with _folder() as folder:
        (folder / "x").write_bytes(FRAME + data)
        for body, _ in _taken(folder / "x", variant):
            assert variant or begins_a_field(body.lstrip(b"\r\n\0")) or body.lstrip(b"\r\n\0>").startswith(b"From ")
        (folder / "y").write_bytes(b"".join(FRAME + mboxrd.encode(message) + b"\n" for message in messages))
        assert len(_taken(folder / "y", Variant.MBOXRD)) == len(messages)


def mmdf(data: bytes) -> None:
    """Read anything between the marks of MMDF."""
    with _folder() as folder:
        (folder / "x").write_bytes(b"\1\1\1\1\nFrom: a@b\nSubject: x\n\n" + data + b"\n\1\1\1\1\n")
        _taken(folder / "x")


def babyl(data: bytes) -> None:
    """Read anything behind the options of Rmail."""
    with _folder() as folder:
        (folder / "x").write_bytes(b"BABYL OPTIONS:\n\x1f\x0c\n1,,\n" + data)
        _taken(folder / "x")


def apple(data: bytes) -> None:
    """Read anything as a message of Apple Mail, with attachments beside it."""
    draw = Draw(data)
    length = draw.number(600)
    content = draw.rest()
    with _folder() as folder:
        for number in ("1", "2", "1.1"):
            (folder / f"A/Attachments/2/{number}").mkdir(parents=True)
            (folder / f"A/Attachments/2/{number}/file").write_bytes(content[:40])
        (folder / "A/Messages").mkdir()
        for name, octets in (("1.emlx", length), ("2.partial.emlx", len(content) + 11)):
            (folder / "A/Messages" / name).write_bytes(b"%d\nSubject: x\n" % octets + content)
        _taken(folder / "A")


def maildir(data: bytes) -> None:
    """Read anything as a file of a Maildir: it is one message at most."""
    with _folder() as folder:
        (folder / "M/cur").mkdir(parents=True)
        (folder / "M/cur/1000000000.a:2,S").write_bytes(data)
        assert len(_taken(folder / "M")) <= 1


PACKINGS: tuple[Callable[[bytes], bytes], ...] = (gzip.compress, bz2.compress, lzma.compress)


def packed(data: bytes) -> None:
    """Read what was packed, whole and then with a byte changed: all of it comes back, or something is named."""
    draw = Draw(data)
    kind, at, value = draw.number(5), draw.number(65536), draw.number(256)
    message = canonical(b"From: a@b\nSubject: x\n\n" + draw.rest() + b"\n")
    whole = PACKINGS[kind](message) if kind < len(PACKINGS) else _archived(message, is_zip=kind == 3)
    with _folder() as folder:
        path = folder / "x"
        path.write_bytes(whole)
        assert [body for body, _ in _taken(path)] == [message]
        at %= len(whole)
        path.write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
        _taken(path)
        path.write_bytes(whole[:at])
        _taken(path)


def _archived(message: bytes, *, is_zip: bool) -> bytes:
    file = io.BytesIO()
    if is_zip:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.eml", message)
    else:
        with tarfile.open(fileobj=file, mode="w") as archive_of_tar:
            member = tarfile.TarInfo("a.eml")
            member.size = len(message)
            archive_of_tar.addfile(member, io.BytesIO(message))
    return file.getvalue()

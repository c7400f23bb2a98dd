from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO

import pytest

from migrator.errors import FerryError
from migrator.interchange.importing import packing
from tests.unit.interchange.importing.letters import ONE, TWO, Taken, crlf, mbox, put

BOTH = [crlf(ONE), crlf(TWO)]
PACKINGS = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".lzma": partial(lzma.compress, format=lzma.FORMAT_ALONE),
}
each_packing = pytest.mark.parametrize("pack", PACKINGS.values(), ids=PACKINGS)


def tar(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), 1_276_528_487
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@each_packing
def test_what_is_compressed_is_taken_by_what_it_holds(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    for number, content in enumerate((mbox(ONE, TWO), mbox(ONE, TWO).replace(b"\n", b"\r"), tar(a=ONE, b=TWO))):
        assert Taken(put(tmp_path / f"{number}.bin", pack(content))).bodies == BOTH
    assert Taken(put(tmp_path / "one.eml.gz", pack(b"Subject: x\n\ny\n"))).bodies == [b"Subject: x\r\n\r\ny\r\n"]


@each_packing
def test_a_compressed_file_that_is_cut_off_gives_what_it_has_and_is_named(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    packed = pack(mbox(ONE, TWO))
    taken = Taken(put(tmp_path / "x.gz", packed[:-6]))
    assert taken.troubles
    assert set(taken.bodies) <= set(BOTH)


@each_packing
def test_a_compressed_file_that_is_damaged_is_named(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(mbox(ONE, TWO) * 9)
    for at in range(2, len(packed), 7):
        path = put(tmp_path / f"{at}", packed[:at] + bytes([packed[at] ^ 0x55]) + packed[at + 1 :])
        taken = Taken(path)
        assert taken.troubles or set(taken.bodies) == set(BOTH)


@each_packing
def test_a_maildir_may_be_compressed_file_by_file(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    put(tmp_path / "M/cur/1276528487.M1.host,S=9,W=9:2,SZ", pack(ONE))
    put(tmp_path / "M/new/1276528488.M1.host", pack(TWO))
    taken = Taken(tmp_path / "M")
    assert taken.bodies == BOTH
    assert taken.flags == [["\\Seen"], []]


def test_a_tar_is_read_with_its_maildirs(tmp_path: Path) -> None:
    names = {"M/cur/1.a:2,F": ONE, "M/tmp/2.a": b"Subject: half", "M/new/3.a": b"Subject: x\n", "notes.txt": b"no"}
    for content in (tar(**names), gzip.compress(tar(**names))):
        taken = Taken(put(tmp_path / "x.tar", content))
        assert taken.bodies == [crlf(ONE), b"Subject: x\r\n"]
        assert taken.flags == [["\\Flagged"], []]
        assert taken.messages[0].marks.date == 1_276_528_487
        assert list(taken.others) == ["!notes.txt"]


def test_a_tar_that_is_cut_off_gives_what_stands_before(tmp_path: Path) -> None:
    whole = tar(a=ONE, b=TWO)
    taken = Taken(put(tmp_path / "x.tar", whole[:1540]))
    assert taken.bodies == [crlf(ONE)]
    assert taken.troubles


def zipped(path: Path, *members: tuple[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path.read_bytes()


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_STORED])
def test_a_damaged_member_of_a_zip_costs_no_other(tmp_path: Path, kind: int) -> None:
    path = tmp_path / "x.zip"
    noise = b"From: a@b\nSubject: noise\n\n" + bytes(range(33, 127)) * 9
    whole = zipped(path, ("a.eml", ONE), ("b.eml", noise), ("c.eml", TWO), kind=kind)
    at = whole.index(b"b.eml") + 40
    path.write_bytes(whole[:at] + b"\xff\xff\xff" + whole[at + 3 :])
    taken = Taken(path)
    assert taken.bodies == BOTH
    assert list(taken.troubles) == ["!b.eml"]


@pytest.mark.parametrize(("offset", "value", "word"), [(8, 9, "7z"), (6, 1, "encrypted")])
def test_a_member_that_cannot_be_unpacked_is_named_and_the_others_are_taken(
    tmp_path: Path, offset: int, value: int, word: str
) -> None:
    """Deflate64, which Windows makes of large files; and an encrypted member."""
    path = tmp_path / "x.zip"
    whole = bytearray(zipped(path, ("a.eml", ONE), ("b.eml", TWO), ("c.eml", TWO)))
    local = whole.index(b"PK\3\4", 10)
    central = whole.index(b"PK\1\2", whole.index(b"PK\1\2") + 4)
    whole[local + offset], whole[central + offset + 2] = value, value
    path.write_bytes(whole)
    taken = Taken(path)
    assert taken.bodies == BOTH
    assert list(taken.troubles) == ["!b.eml"]
    assert word in taken.troubles["!b.eml"]


def test_a_zip_in_a_zip_is_read_and_too_many_are_named(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "i.zip", ("a.mbox", mbox(ONE, TWO)))
    zipped(tmp_path / "z/x.zip", ("i.zip", inner), ("t.tgz", gzip.compress(tar(**{"i.zip": inner}))))
    assert Taken(tmp_path / "z/x.zip").bodies == BOTH * 2
    for _ in range(6):
        inner = gzip.compress(inner)
    assert "too many times" in next(iter(Taken(put(tmp_path / "y.gz", inner)).troubles.values()))


def test_mail_of_apple_in_an_archive(tmp_path: Path) -> None:
    message = b"%d\n" % len(ONE) + ONE + b"<plist/>"
    zipped(
        tmp_path / "x.zip",
        ("A.mbox/Messages/1.emlx", message),
        ("A.mbox/Messages/2.partial.emlx", message),
        ("A.mbox/Attachments/2/2/forwarded.eml", TWO),
    )
    taken = Taken(tmp_path / "x.zip")
    assert taken.bodies == [crlf(ONE)]
    assert list(taken.troubles) == ["!A.mbox/Messages/2.partial.emlx"]


def test_an_archive_of_outlook_for_the_mac_is_named(tmp_path: Path) -> None:
    zipped(tmp_path / "x.olm", ("Accounts/a/com.microsoft.__Messages/Inbox/message_1.xml", b"<email/>"))
    assert "OLM" in Taken(tmp_path / "x.olm").troubles[""]


@pytest.mark.parametrize(
    ("magic", "word"),
    [(b"\x04\x22\x4d\x18", "lz4"), (b"Dovecot-LZ4\r*\x9b\xc5", "doveadm"), (b"\x1f\x9d", "uncompress")],
)
def test_packings_that_are_not_known_here_are_named(tmp_path: Path, magic: bytes, word: str) -> None:
    assert word in Taken(put(tmp_path / "x", magic + b"..")).troubles[""]


def test_of_what_is_no_mail_only_the_beginning_is_unpacked(tmp_path: Path) -> None:
    video = b"\xff\xd8\xff" + bytes(1 << 22)
    mail = b"Subject: x\n\n" + b"y" * 100_000 + b"\n"
    content = tar(**{"film": video, "M/cur/1.a": mail, "one.eml": mail, "box": mbox(ONE + b"z" * 100_000 + b"\n")})
    sizes: dict[str, int] = {}
    for member in packing.tar_members(lambda: io.BytesIO(content)):
        file = io.BytesIO()
        member.copy(file, False)
        sizes[member.name] = len(file.getvalue())
    assert sizes["film"] == 65_536
    assert sizes["box"] > 100_000
    taken = Taken(put(tmp_path / "x.tar", content))
    assert [len(body) for body in taken.bodies][:2] == [len(crlf(mail))] * 2
    assert Taken(put(tmp_path / "a.eml.gz", gzip.compress(mail))).bodies == [crlf(mail)]
    assert Taken(put(tmp_path / "M/cur/1.a:2,S", gzip.compress(mail)).parent.parent).bodies == [crlf(mail)]


def test_nothing_is_unpacked_without_room(tmp_path: Path) -> None:
    def write(file: IO[bytes]) -> None:
        file.write(b"x" * 100)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "LEAST_FREE_OCTETS", 1 << 60)
        with pytest.raises(FerryError, match="no room"), packing.spooled(tmp_path / "spool", write):
            pass
    assert not list((tmp_path / "spool").iterdir())


def test_line_ends_do_not_depend_on_the_cuts(tmp_path: Path) -> None:
    path = put(tmp_path / "x", b"a\r\nb\rc\r")
    with pytest.MonkeyPatch.context() as patch:
        for size in (1, 2, 3, 100):
            patch.setattr(packing, "_CHUNK", size)
            file = io.BytesIO()
            packing.with_line_feeds(path, file)
            assert file.getvalue() == b"a\nb\nc\n"

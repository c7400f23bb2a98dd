"""Out and in again: whatever a message is made of, it comes back byte for byte."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from tests.unit.archive.office import Office

LINES = st.one_of(
    st.sampled_from(
        [
            b"",
            b"From me",
            b">From you",
            b">>>From all",
            b"From",
            b" From x",
            b".",
            b"..",
            b"a\rb",
            b"\r",
            b"\0\x01\xff",
            b"x" * 1_000,
            b"Content-Length: 3",
            b"Content-Type: multipart/mixed; boundary=b",
            b"--b",
        ]
    ),
    st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")),
)
MESSAGES = st.lists(LINES, max_size=6).map(lambda lines: b"Subject: x\r\n" + b"".join(line + b"\r\n" for line in lines))
"""Messages as POP3 delivers them; the first line is a header, by which a file is known for mail."""


def everything(office: Office) -> set[bytes]:
    with office.opened() as (_, reader, _index):
        return {copy.digest for archive_folder in reader.all for copy in archive_folder.copies.all_copies()}


@pytest.mark.parametrize(
    ("name", "form"), [("o", "mbox"), ("o.mbox", "mbox"), ("o", "maildir"), ("o", "eml"), ("o.zip", "eml")]
)
@settings(deadline=None, max_examples=12)
@given(contents=st.lists(MESSAGES, min_size=1, max_size=8, unique=True))
def test_archive_export_import_archive(name: str, form: str, contents: Sequence[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for office in (root / "one", root / "two"):
            office.mkdir()
        first, second = Office(root / "one"), Office(root / "two")
        first.copy(contents, is_seen=False)
        assert first.call("-q", "export", "--to", str(root / name), "--format", form) == 0
        assert second.call("-q", "import", "alice", str(root / name)) == 0
        assert everything(second) == everything(first) == {sha256(content).digest() for content in contents}
        assert second.call("-q", "verify") == 0


@settings(deadline=None, max_examples=12)
@given(contents=st.lists(MESSAGES, min_size=1, max_size=8, unique=True))
def test_archive_restore_import_archive(contents: Sequence[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "two").mkdir()
        first, second = Office(root), Office(root / "two")
        first.copy(contents, is_seen=False)
        assert first.call("-q", "restore", "--to", f"maildir:{root}/restored") == 0
        assert second.call("-q", "import", "alice", str(root / "restored")) == 0
        assert everything(second) == everything(first)

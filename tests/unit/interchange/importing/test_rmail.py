from __future__ import annotations

import mailbox
from pathlib import Path

import pytest

from tests.unit.interchange.importing.letters import FRAME, ONE, TWO, Taken, crlf, put

MARK = b"\1\1\1\1\n"
OPTIONS = b"BABYL OPTIONS: -*- rmail -*-\nVersion: 5\nLabels:\n\x1f"


@pytest.mark.parametrize("frame", [b"", FRAME])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_mmdf_gives_back_every_byte(tmp_path: Path, frame: bytes, end: bytes) -> None:
    odd = ONE + b"From here\n>From there\n\n"
    content = b"".join(MARK + frame + message + MARK for message in (odd, TWO)).replace(b"\n", end)
    taken = Taken(put(tmp_path / "x", content))
    assert taken.bodies == [crlf(odd), crlf(TWO)]
    assert {message.marks.date for message in taken.messages} == {978344430.0 if frame else None}
    assert not taken.doubts


def test_mmdf_as_python_writes_it_is_read(tmp_path: Path) -> None:
    box = mailbox.MMDF(tmp_path / "x")
    box.add(mailbox.MMDFMessage(ONE))
    box.add(mailbox.MMDFMessage(TWO))
    box.close()
    assert [body.rstrip() for body in Taken(tmp_path / "x").bodies] == [crlf(ONE).rstrip(), crlf(TWO).rstrip()]


def test_a_message_of_mmdf_without_its_mark_is_stored_and_named(tmp_path: Path) -> None:
    taken = Taken(put(tmp_path / "x", MARK + ONE + MARK + MARK + TWO))
    assert len(taken.bodies) == 2
    assert len(taken.doubts) == 1


def babyl(message: bytes, attributes: bytes = b"1,,") -> bytes:
    header, _, body = message.partition(b"\n\n")
    shown = header.split(b"\n")[0]
    return b"\x0c\n" + attributes + b"\n" + header + b"\n\n*** EOOH ***\n" + shown + b"\n\n" + body + b"\x1f"


def test_babyl_gives_back_the_header_as_it_came(tmp_path: Path) -> None:
    content = OPTIONS + babyl(ONE) + babyl(TWO, b"1, unseen, answered,, work,")
    taken = Taken(put(tmp_path / "x", content))
    assert taken.bodies == [crlf(ONE), crlf(TWO)]
    assert taken.flags == [["\\Seen"], ["\\Answered"]]
    assert taken.messages[1].marks.labels == ("work",)


def test_babyl_whose_header_was_never_changed_is_read(tmp_path: Path) -> None:
    assert Taken(put(tmp_path / "x", OPTIONS + b"\x0c\n0,,\n*** EOOH ***\n" + ONE + b"\x1f")).bodies == [crlf(ONE)]


def test_babyl_as_python_writes_it_is_read(tmp_path: Path) -> None:
    box = mailbox.Babyl(tmp_path / "x")
    box.add(mailbox.BabylMessage(ONE))
    box.add(mailbox.BabylMessage(TWO))
    box.close()
    assert [body.replace(b"\r\n", b"\n").strip() for body in Taken(tmp_path / "x").bodies] == [ONE.strip(), TWO.strip()]


def test_deleted_and_damaged_messages_of_babyl_are_named(tmp_path: Path) -> None:
    content = OPTIONS + babyl(ONE, b"1, deleted,,") + b"\x0c\nno attributes\n\nx\n\x1f" + babyl(TWO)
    taken = Taken(put(tmp_path / "x", content))
    assert (taken.bodies, taken.deleted, list(taken.troubles)) == ([crlf(TWO)], [":1"], [":2"])

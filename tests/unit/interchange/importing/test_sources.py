from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.unit.interchange.importing.letters import FRAME, ONE, TWO, Taken, crlf, mbox, put

BOTH = [crlf(ONE), crlf(TWO)]


@pytest.mark.parametrize("name", ["dovecot", "Dovecot.mbox", "courierimap-users", ".Sent", "x.dat", "x.msf", "._x"])
def test_an_mbox_is_mail_whatever_its_name(tmp_path: Path, name: str) -> None:
    path = put(tmp_path / "in" / name, mbox(ONE, TWO))
    assert Taken(path).bodies == BOTH
    assert Taken(path.parent).bodies == BOTH


def test_a_named_path_that_gives_nothing_is_trouble(tmp_path: Path) -> None:
    put(tmp_path / "in/notes.txt", b"nothing\n")
    (tmp_path / "none").mkdir()
    put(tmp_path / "empty", b"")
    assert Taken(tmp_path / "in").troubles[""] == "no mail was found in it"
    assert Taken(tmp_path / "in/notes.txt").troubles[""] == "it does not look like mail"
    assert Taken(tmp_path / "none").troubles
    assert Taken(tmp_path / "empty").troubles


def test_links_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    put(tmp_path / "disk/cur/1.a:2,S", ONE)
    put(tmp_path / "disk/new/2.a", TWO)
    (tmp_path / "disk/loop").symlink_to(tmp_path / "disk", target_is_directory=True)
    (tmp_path / "Mail").symlink_to(tmp_path / "disk", target_is_directory=True)
    (tmp_path / "home").mkdir()
    for name in ("a", "b"):
        (tmp_path / "home" / name).symlink_to(tmp_path / "disk", target_is_directory=True)
    for path in (tmp_path / "Mail", tmp_path / "home"):
        taken = Taken(path)
        assert taken.bodies == BOTH
        assert not taken.troubles
        assert all("gone through already" in reason for reason in taken.others.values())


def test_a_link_to_nothing_may_have_been_mail(tmp_path: Path) -> None:
    put(tmp_path / "in/a.eml", ONE)
    (tmp_path / "in/old").symlink_to(tmp_path / "away")
    (tmp_path / "in/lock").symlink_to("127.0.1.1:+4711")
    taken = Taken(tmp_path / "in")
    assert (list(taken.troubles), list(taken.others)) == (["/old"], ["/lock"])


def test_a_child_that_cannot_be_read_costs_no_other(tmp_path: Path) -> None:
    put(tmp_path / "M/cur/2.a:2,S", ONE)
    put(tmp_path / "M/new/4.a", TWO)
    for name in ("cur/1.a", "new/3.a"):
        (tmp_path / "M" / name).symlink_to(name.rpartition("/")[2])  # a link to itself: it cannot be opened
    taken = Taken(tmp_path / "M")
    assert taken.bodies == BOTH
    assert sorted(taken.troubles) == ["/cur/1.a", "/new/3.a"]


def test_a_maildir_of_thunderbird_has_no_new_and_a_from_line_in_each_file(tmp_path: Path) -> None:
    put(tmp_path / "Inbox/cur/1.eml", FRAME + b"X-Mozilla-Status: 0001\n" + ONE + b"From here\n")
    put(tmp_path / "Inbox/cur/2", b"From - \r\n" + crlf(TWO))
    put(tmp_path / "Inbox/tmp/3", ONE + b"half")
    taken = Taken(tmp_path / "Inbox")
    assert taken.bodies == [crlf(b"X-Mozilla-Status: 0001\n" + ONE + b"From here\n"), crlf(TWO)]


def test_a_file_called_cur_makes_no_maildir(tmp_path: Path) -> None:
    put(tmp_path / "in/cur", mbox(ONE))
    put(tmp_path / "in/tmp/Old", mbox(TWO))
    assert Taken(tmp_path / "in").bodies == BOTH


def test_what_a_crash_left_in_a_maildir_is_named(tmp_path: Path) -> None:
    put(tmp_path / "M/cur/1.a:2,", b"")
    put(tmp_path / "M/cur/2.a:2,", b"\0" * 8192)
    put(tmp_path / "M/cur/3.a:2,", b"\x89PNG\r\n\x1a\n\0")
    put(tmp_path / "M/cur/4.a:2,T", ONE)
    put(tmp_path / "M/new/5.a", TWO)
    taken = Taken(tmp_path / "M")
    assert taken.bodies == [crlf(TWO)]
    assert list(taken.troubles) == ["/cur/1.a:2,", "/cur/2.a:2,", "/cur/3.a:2,"]
    assert taken.deleted == ["/cur/4.a:2,T"]


@pytest.mark.parametrize("info", [";2,FS", "!2,FS", "-2,FS", ":2,FS"])
def test_names_that_windows_had_to_write_otherwise(tmp_path: Path, info: str) -> None:
    put(tmp_path / f"M/cur/1000000000.a{info}", ONE)
    [message] = Taken(tmp_path / "M").messages
    assert sorted(message.marks.flags) == ["\\Flagged", "\\Seen"]
    assert message.marks.date == 1_000_000_000


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf_16_is_decoded(tmp_path: Path, encoding: str) -> None:
    text = ("" if encoding == "utf-16" else "\ufeff") + ONE.decode() + "Grüße\n"
    path = put(tmp_path / "x.eml", text.encode(encoding))
    assert Taken(path).bodies == [crlf(ONE + "Grüße\n".encode())]
    put(tmp_path / "in/list.txt", "\ufeffnothing".encode("utf-16-le"))
    put(tmp_path / "in/odd.eml", ONE.decode().encode("utf-16") + b"\0")
    taken = Taken(tmp_path / "in")
    assert (list(taken.troubles), list(taken.others)) == (["/odd.eml"], ["/list.txt"])


def test_a_mark_of_utf_8_is_passed_over(tmp_path: Path) -> None:
    assert Taken(put(tmp_path / "x.eml", b"\xef\xbb\xbf" + crlf(ONE))).bodies == [crlf(ONE)]


def test_other_files_of_a_profile_are_no_mail(tmp_path: Path) -> None:
    put(tmp_path / "P/logins.json", b'{"logins":[{"hostname":"x","encryptedPassword":"y"}]}')
    put(tmp_path / "P/abook.vcf", b"BEGIN:VCARD\nFN:Ann\nTo:x\nEND:VCARD\n")
    put(tmp_path / "P/prefs.js", b'user_pref("a", 1);\n')
    put(tmp_path / "P/Mail/Inbox", mbox(ONE))
    put(tmp_path / "P/Mail/Inbox.msf", b"// <!-- <mdb:mork:z v='1.4'/> -->\n")
    put(tmp_path / "P/Mail/Inbox.sbd/Old", mbox(TWO))
    taken = Taken(tmp_path / "P")
    assert sorted(taken.bodies) == sorted(BOTH)
    assert not taken.troubles


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("old.pst", b"!BDN\0\0"),
        ("old.pst", b"who knows"),
        ("Inbox.dbx", b"\xcf\xad\x12\xfe"),
        ("a.msg", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        ("INBOX", b"*mbx*\r\n"),
        ("x.mbox", b"no From_ line"),
        ("x.eml", b"no header"),
        ("x.eml", b""),
        ("x.mbox", b"\0" * 100),
        ("x.zip", b"PK"),
    ],
)
def test_what_may_be_mail_and_cannot_be_read_is_trouble(tmp_path: Path, name: str, content: bytes) -> None:
    put(tmp_path / "in" / name, content)
    put(tmp_path / "in/z.eml", ONE)
    taken = Taken(tmp_path / "in")
    assert (taken.bodies, list(taken.troubles)) == ([crlf(ONE)], [f"/{name}"])


def test_an_mbox_behind_a_banner_is_taken_and_named(tmp_path: Path) -> None:
    taken = Taken(put(tmp_path / "x.mbox", b"exported by a program\n\n" + mbox(ONE, TWO)))
    assert taken.bodies == BOTH
    assert "first 23 bytes" in taken.troubles[""]


def test_very_deep_folders_are_gone_through(tmp_path: Path) -> None:
    path = tmp_path / "in"
    for _ in range(600):
        path /= "d"
    path.mkdir(parents=True)
    put(path / "a.eml", ONE)
    assert len(Taken(tmp_path / "in").bodies) == 1


def test_a_socket_in_a_folder_is_no_mail() -> None:
    import tempfile

    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        put(Path(folder, "in/a.eml"), ONE)
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(f"{folder}/in/s")
            taken = Taken(Path(folder, "in"))
    assert list(taken.others) == ["/s"]
    assert not taken.troubles

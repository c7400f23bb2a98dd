"""Every way a volume can be damaged: ``verify`` names each message hit, none of those is deleted, new mail arrives."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command_line import Site, alice
from tests.faults import cut_tail, flip_bit, insert, overwrite, remove
from tests.mail import letter, letters
from tests.servers.pop3 import Pop3Server

EVERY = {1, 2, 3, 4, 5, 6}


def record_at(volume: Path, number: int) -> int:
    """Return where the record of a letter begins."""
    content = b"\n" + volume.read_bytes()
    return content.rindex(b"\nFrom ", 0, content.index(b"Message-ID: <%d@" % number))


def body(volume: Path) -> None:
    flip_bit(volume, volume.read_bytes().index(b"word 3"))


def header(volume: Path) -> None:
    flip_bit(volume, volume.read_bytes().index(b"letter 3"), bit=5)


def quote(volume: Path) -> None:
    """The ``>`` that keeps a line of the text from being a From_ line."""
    flip_bit(volume, volume.read_bytes().index(b">From here", record_at(volume, 3)), bit=3)


def first_byte(volume: Path) -> None:
    flip_bit(volume, record_at(volume, 3))


def date_of_the_from_line(volume: Path) -> None:
    flip_bit(volume, record_at(volume, 3) + 35)


def separator(volume: Path) -> None:
    """The blank line behind a message."""
    flip_bit(volume, record_at(volume, 4) - 1)


def last_line_end(volume: Path) -> None:
    flip_bit(volume, record_at(volume, 4) - 2)


def truncated(volume: Path) -> None:
    cut_tail(volume, volume.stat().st_size - record_at(volume, 5) - 40)


def truncated_at_a_border(volume: Path) -> None:
    cut_tail(volume, volume.stat().st_size - record_at(volume, 5))


def emptied(volume: Path) -> None:
    volume.write_bytes(b"")


def zeros(volume: Path) -> None:
    overwrite(volume, record_at(volume, 2), bytes(record_at(volume, 4) - record_at(volume, 2)))


def inserted(volume: Path) -> None:
    insert(volume, record_at(volume, 3), b"\n")


def status_headers(volume: Path) -> None:
    """What mail readers do: a header of theirs in every message."""
    volume.write_bytes(volume.read_bytes().replace(b"\nSubject: ", b"\nStatus: RO\nSubject: "))


def status_headers_in_a_new_file(volume: Path) -> None:
    """The same by writing a new file and giving it the name."""
    new = volume.with_name("new")
    new.write_bytes(volume.read_bytes().replace(b"\nSubject: ", b"\nStatus: RO\nSubject: "))
    new.rename(volume)


def a_message_expunged(volume: Path) -> None:
    content = volume.read_bytes()
    volume.write_bytes(content[: record_at(volume, 2)] + content[record_at(volume, 3) :])


def messages_exchanged(volume: Path) -> None:
    content = volume.read_bytes()
    one, two, three = (record_at(volume, number) for number in (1, 2, 3))
    volume.write_bytes(content[:one] + content[two:three] + content[one:two] + content[three:])


def missing(volume: Path) -> None:
    remove(volume)


def a_folder(volume: Path) -> None:
    volume.rename(volume.parent.parent / "aside")
    volume.mkdir()


def a_link_to_nothing(volume: Path) -> None:
    remove(volume)
    volume.symlink_to(volume.parent / "nothing")


def a_link_to_something_else(volume: Path) -> None:
    remove(volume)
    volume.symlink_to("/etc/passwd")


HARMS: list[tuple[Callable[[Path], None], set[int], set[int]]] = [
    (body, {3}, {3}),
    (header, {3}, {3}),
    (quote, {3}, {3}),
    (first_byte, {3}, {3}),
    (date_of_the_from_line, {3}, set()),
    (separator, {3}, {3}),
    (last_line_end, {3}, {3}),
    (truncated, {5, 6}, {5, 6}),
    (truncated_at_a_border, {5, 6}, {5, 6}),
    (emptied, EVERY, EVERY),
    (zeros, {2, 3}, {2, 3}),
    (inserted, {3, 4, 5, 6}, set()),
    (status_headers, EVERY, EVERY),
    (status_headers_in_a_new_file, EVERY, EVERY),
    (a_message_expunged, {2, 3, 4, 5, 6}, {2}),
    (messages_exchanged, {1, 2}, set()),
    (a_link_to_something_else, EVERY, EVERY),
]
"""Each with the letters that do not stand any more where the ledger knows them, and those that stand nowhere."""

AWAY = [missing, a_folder, a_link_to_nothing]
"""What leaves nothing at all of an archive."""


def unique_ids(numbers: set[int]) -> set[str]:
    return {f"uid-{number:08}" for number in numbers}


def state_of(path: Path) -> object:
    """Return what can be seen of a volume: nothing of it may change by our doing."""
    if path.is_symlink():
        return path.readlink()
    return path.read_bytes() if path.is_file() else path.exists()


@pytest.mark.parametrize(("harm", "hit", "lost"), HARMS, ids=[harm[0].__name__ for harm in HARMS])
def test_what_a_harm_hit_is_named_and_kept_and_new_mail_arrives(
    server: Pop3Server, site: Site, harm: Callable[[Path], None], hit: set[int], lost: set[int]
) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    [volume] = (site.folder / "archive/alice").glob("*.mbox")
    harm(volume)
    before = state_of(volume)

    verified = site.call("verify", "--json")
    assert verified.code == 1
    named = {damage["uidl"] for damage in verified.document["damaged"]}
    assert named == unique_ids(hit)
    assert all(damage["file"] == str(volume) and damage["reason"] for damage in verified.document["damaged"])

    server.maildrop.add(letter(7))
    site.writes(alice(server.port, leave_on_server=False))
    for _ in range(2):
        done = site.migrate()
        assert done.code == 1
        assert {"archive", "mismatch"} & {error["kind"] for error in done.report["errors"]}
        assert "Traceback" not in done.err
        assert set(server.maildrop.left()) >= {letter(number) for number in lost}
        assert state_of(volume) == before, "written to"
    assert letter(7) not in server.maildrop.left()
    others = [path for path in volume.parent.glob("*.mbox") if path != volume]
    assert re.sub(rb"\r\n", b"\n", letter(7)).splitlines()[2] in b"".join(path.read_bytes() for path in others)


@pytest.mark.parametrize("harm", AWAY)
def test_an_archive_of_which_nothing_is_there_is_named_and_nothing_is_stored_or_deleted_until_it_is_back(
    server: Pop3Server, site: Site, harm: Callable[[Path], None]
) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    [volume] = (site.folder / "archive/alice").glob("*.mbox")
    (site.folder / "kept").hardlink_to(volume)
    harm(volume)
    before = state_of(volume)
    server.maildrop.add(letter(7))
    site.writes(alice(server.port, leave_on_server=False))
    for command in ("verify", "migrate", "verify"):
        done = site.call(command, "--json")
        assert done.code == 1
        assert "is its disk mounted" in done.out
        assert "Traceback" not in done.err
    assert server.maildrop.left() == letters(7)
    assert (state_of(volume), list(volume.parent.glob("*.mbox"))) == (before, [volume] if before else [])
    if volume.is_dir():
        volume.rmdir()
    (site.folder / "kept").replace(volume)
    assert site.call("verify", "--json").code == 0
    done = site.migrate()
    assert (done.code, done.report["copied"], done.report["deleted"]) == (0, 1, 7)
    assert site.stored() == letters(7)


def test_a_sound_archive_stays_unharmed_by_the_check(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    verified = site.call("verify", "--json")
    assert (verified.code, verified.document["ok"], verified.document["damaged"]) == (0, 6, [])
    assert site.stored() == letters(6)

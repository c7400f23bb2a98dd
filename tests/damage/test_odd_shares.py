"""Archives, exports and restores on file systems that lack what local disks have: all is stored, proven, and told."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from tests.command_line import Site, account, maildir, mbox, source
from tests.damage.odd_share import beside
from tests.mail import letters
from tests.rig import mboxrd
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server

REFUSALS = [(errno.EPERM, errno.EINVAL), (errno.ENOTSUP, errno.EBADF), (errno.EOPNOTSUPP, errno.ENOTSUP)]


@pytest.fixture(params=REFUSALS, ids=lambda pair: f"{errno.errorcode[pair[0]]}-{errno.errorcode[pair[1]]}")
def share(request: pytest.FixtureRequest, site: Site, tmp_path: Path) -> Path:
    """Give a folder on such a share, on which the site keeps its archives."""
    folder = tmp_path / "share"
    folder.mkdir()
    chmod, fsync = request.param
    site.environment |= beside(tmp_path / "calls", folder.resolve(), chmod=chmod, fsync=fsync)
    return folder


def lf(content: bytes) -> bytes:
    return re.sub(rb"\r\n", b"\n", content)


@pytest.mark.parametrize("kind", [mbox, maildir])
def test_an_archive_on_a_share_is_stored_proven_exported_and_restored(
    server: Pop3Server, site: Site, share: Path, kind: object
) -> None:
    assert callable(kind)
    site.writes(account("alice", source(server.port, leave_on_server=False), kind(str(share / "archive"))))
    done = site.migrate()
    assert (done.code, done.report["copied"], done.report["deleted"]) == (0, 6, 6), done
    assert site.call("verify", "--json").document["ok"] == 6
    assert site.migrate().code == 0
    for form in ("mbox", "maildir", "eml"):
        for count in (6, 0):
            exported = site.call("export", "--to", share / form, "--format", form, "--json")
            assert (exported.code, exported.document["written"]) == (0, count), exported
    [box] = (share / "mbox").glob("*.mbox")
    assert sorted(mboxrd(box.read_bytes())) == sorted(letters(6))
    assert sorted(path.read_bytes() for path in (share / "maildir/new").iterdir()) == sorted(map(lf, letters(6)))
    assert sorted(path.read_bytes() for path in (share / "eml").glob("*.eml")) == sorted(letters(6))
    restored = site.call("restore", "--to", f"maildir:{share}/restored", "--json")
    assert (restored.code, restored.document["restored"]) == (0, 6), restored
    assert not [path for path in share.rglob("*") if ".partial" in path.name or ":" in path.name]


def test_check_says_what_the_share_does_not_promise(server: Pop3Server, site: Site, share: Path) -> None:
    site.writes(account("alice", source(server.port), mbox(str(share / "archive"))))
    assert "its file system decides when new names are on the disk" in site.call("check").out


def test_everything_stands_on_a_stick_the_state_and_what_is_kept_for_the_moment_too(site: Site, tmp_path: Path) -> None:
    large = b"Message-ID: <large@example.org>\r\n\r\n" + b"From a line\r\n" * 400_000
    site.environment |= beside(tmp_path / "calls", site.folder.resolve())
    with Pop3Server(Maildrop([*letters(2), large])) as server:
        site.writes(account("alice", source(server.port, leave_on_server=False), mbox(), maildir("mail")))
        done = site.migrate()
        assert (done.code, done.report["copied"], done.report["deleted"]) == (0, 3, 3), done
    assert sorted(site.stored()) == site.maildir("mail") == sorted([*letters(2), large])
    assert site.call("search", "*", "--json").document["total"] == 3
    assert site.call("verify", "--json").document["ok"] == 6

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.operations.file_system import Shortfall, file_system_facts, file_system_of

MOUNTS = r"""/dev/sda1 / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
//nas/mail /mnt/nas cifs rw,uid=1000,serverino,mapposix 0 0
//nas/unix /mnt/unix cifs rw,posix,serverino 0 0
//old/mail /mnt/old smb3 rw,nomapposix,noserverino 0 0
/dev/sdb1 /media/A\040STICK exfat rw 0 0
/dev/sdc1 /media/old vfat rw 0 0
/dev/sdd1 /media/win ntfs3 rw 0 0
/dev/sde1 /media/3g fuseblk rw,windows_names 0 0
server:/x /mnt/nfs nfs4 rw,local_lock=none 0 0
server:/x /mnt/nfs3 nfs rw,nolock,local_lock=all 0 0
me@host: /home/me/remote fuse.sshfs rw 0 0
/srv/stick.img /mnt/image fuse rw 0 0
tmpfs /tmp tmpfs rw 0 0
/dev/sdf1 /mnt/nas/inner ext4 rw 0 0
//nas/two /mnt/twice cifs rw 0 0
/dev/sdg1 /mnt/twice ext4 rw 0 0
a line that is none
"""


@pytest.mark.parametrize(
    ("path", "kind", "names"),
    [
        ("/srv/archive", "ext4", ""),
        ("/mnt/nas/archive", "cifs", "RIGHTS NEW_NAMES CASE"),
        ("/mnt/nas", "cifs", "RIGHTS NEW_NAMES CASE"),
        ("/mnt/nasty", "ext4", ""),
        ("/mnt/nas/inner/archive", "ext4", ""),
        ("/mnt/unix/archive", "cifs", "NEW_NAMES"),
        ("/mnt/old/archive", "smb3", "RIGHTS NEW_NAMES CASE COLON NUMBERS"),
        ("/media/A STICK/archive", "exfat", "RIGHTS CASE COLON NUMBERS"),
        ("/media/old/archive", "vfat", "RIGHTS CASE COLON LARGE_FILES NUMBERS"),
        ("/media/win/archive", "ntfs3", "RIGHTS CASE"),
        ("/media/3g/archive", "fuseblk", "RIGHTS CASE COLON"),
        ("/mnt/nfs/archive", "nfs4", ""),
        ("/mnt/nfs3/archive", "nfs", "LOCKS"),
        ("/home/me/remote/archive", "fuse.sshfs", "RIGHTS NEW_NAMES LOCKS NUMBERS"),
        ("/mnt/image/archive", "fuse", "RIGHTS NEW_NAMES"),
        ("/tmp/archive", "tmpfs", "MEMORY"),
        ("/mnt/twice/archive", "ext4", ""),
    ],
)
def test_what_a_file_system_cannot_promise(path: str, kind: str, names: str) -> None:
    facts = file_system_facts(Path(path), MOUNTS)
    assert (facts.kind, " ".join(one.name for one in facts.shortfalls)) == (kind, names)
    assert file_system_of(Path(path), MOUNTS) == kind


def test_what_the_folder_itself_said_counts_too() -> None:
    facts = file_system_facts(Path("/srv/archive"), MOUNTS, can_sync_folder=False)
    assert facts.shortfalls == (Shortfall.NEW_NAMES,)


def test_nothing_is_said_of_what_is_not_known() -> None:
    facts = file_system_facts(Path("/srv/archive"), "")
    assert (facts.kind, facts.shortfalls, facts.is_remote) == ("", (), False)


@pytest.mark.parametrize(("path", "is_remote"), [("/mnt/nas", True), ("/mnt/nfs", True), ("/media/old", False)])
def test_what_is_on_another_machine(path: str, is_remote: bool) -> None:
    assert file_system_facts(Path(path), MOUNTS).is_remote is is_remote

"""Files that survive a power cut, are private whatever the umask, and are locked against other writers.

Owns what everything that writes files shares: creation of folders and files, fsync of them and of the folders that
name them, files that stand under their name whole or not at all, kernel locks with a bounded wait, and the words for
what can go wrong there. Refuses to know anything about mail.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import IO

from migrator.backoff import LOCK
from migrator.errors import Advice, AwayError, FerryError, Kind
from migrator.lazy_dataclasses import dataclass
from migrator.read_back import IO_CHUNK_OCTETS

Step = Callable[[str], None]
"""Called with the name of each durable step that has just been taken; tests end the process there."""

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_RIGHTS_HERE = frozenset({errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
_NO_FOLDER_SYNC_HERE = frozenset({errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
_NOT_FOR_WRITING = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_NO_LOCKS_HERE = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_ONE_KIND_OF_LOCK = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p"})


def no_step(_name: str) -> None:
    """Do nothing at a durable step."""


@dataclass(frozen=True, slots=True)
class Device:
    """The system calls that fail when a disk is full, read-only or dying, or that a share does not have.

    Tests put failing ones in their place. ``write_size`` is how many bytes are gathered before a write.
    """

    write: Callable[[int, bytes | memoryview], int] = os.write
    fsync: Callable[[int], None] = os.fsync
    truncate: Callable[[int, int], None] = os.ftruncate
    fchmod: Callable[[int, int], None] = os.fchmod
    chmod: Callable[[Path, int], None] = os.chmod
    link: Callable[..., None] = os.link
    write_size: int = IO_CHUNK_OCTETS


_SYSTEM = Device()


@dataclass(frozen=True, slots=True)
class LockTimeout:
    """How long to wait for somebody else's lock, in seconds."""

    seconds: float = 30.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def until(self, attempt: Callable[[], bool]) -> bool:
        """Repeat an attempt until it succeeds; False when time is up first."""
        deadline = self.clock() + self.seconds
        attempts = 0
        while not attempt():
            if self.clock() >= deadline:
                return False
            attempts += 1
            self.sleep(LOCK.retry_delay(attempts))
        return True


def storage_error(error: OSError, doing: str, *, read_only: str = "archive-read-only") -> FerryError:
    """Turn what the file system says into ours: ``disk-full`` where room is missing, ``archive`` otherwise.

    What it said is the cause of the error, even where nobody raises that. ``read_only`` is the finding that it becomes
    where nothing may be written.
    """
    failure = _storage_error(error, doing)
    failure.__cause__ = error
    if error.errno in _NOT_FOR_WRITING:
        failure.finding = read_only
    return failure


def _storage_error(error: OSError, doing: str) -> FerryError:
    if error.errno in _NO_ROOM:
        return FerryError(
            Kind.DISK_FULL,
            f"there is no room left for {doing}: {error.strerror}",
            cure="free some space (or raise the quota); the next run goes on where this one stopped",
            finding="disk-full",
        )
    cures = {
        errno.EROFS: "the file system is mounted read-only: mount it for writing",
        errno.EACCES: "give the user that runs mailferry the right to read and write there",
        errno.EPERM: "give the user that runs mailferry the right to read and write there",
        errno.ENOTDIR: "the path must be that of a folder: name another one, or move the file away",
        errno.EIO: "the disk reports errors: look at the system's log and at the disk's health",
    }
    cure = cures.get(error.errno or 0, "look at the file system; the next run tries again")
    return FerryError(Kind.ARCHIVE, f"{doing} failed: {error.strerror}", cure=cure, advice=Advice.LATER)


def away_error(archive: str, known: int = 0) -> AwayError:
    """Say that an archive in which something is known to stand is not there as a whole."""
    what = f"{known:,} messages are" if known > 1 else "mail is"
    return AwayError(
        f"{archive} is not there, and {what} known to be in it: is its disk mounted?"
        " Nothing is stored there until it is back",
        cure="mount it, which is all that is needed; if it has another path now, `mailferry moved OLD NEW`; if it is"
        " lost for good, create the folder and run `mailferry repair`, which stores again what it can",
    )


def key_of(identity: str) -> str:
    """Return what our own files about a destination are called by in the state folder."""
    return sha256(os.fsencode(identity)).hexdigest()[:16]


# ------------------------------------------------------------------------------------ folders and files


def sync_folder(folder: Path, device: Device = _SYSTEM) -> bool:
    """Make the names in a folder durable; False where its file system, as some shares do, refuses to be asked."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        device.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC_HERE:
            raise
        return False
    finally:
        os.close(handle)
    return True


def make_folder(folder: Path, device: Device = _SYSTEM) -> bool:
    """Create a folder (0700) with its parents, durably; False if it was there already."""
    if folder.is_dir():
        return False
    missing = [folder, *folder.parents]
    missing = missing[: next((i for i, parent in enumerate(missing) if parent.exists()), len(missing))]
    for new in reversed(missing):
        try:
            new.mkdir(mode=0o700)
        except FileExistsError:
            continue  # somebody else was quicker; it is theirs to protect
        with share_decides():
            device.chmod(new, 0o700)  # a umask takes rights away from the owner too
        sync_folder(new.parent, device)
    return bool(missing)


def create_file(path: Path, device: Device = _SYSTEM) -> int:
    """Create a file that must not exist yet (0600) and return its handle, for appending and reading.

    Its name is not durable before ``sync_folder``.
    """
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with share_decides():
            device.fchmod(handle, 0o600)
    except BaseException:
        os.close(handle)
        raise
    return handle


@contextmanager
def share_decides() -> Iterator[None]:
    """Go on where rights cannot be set on what we made: CIFS, exFAT and FUSE give everything those of the mount."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_RIGHTS_HERE:
            raise


@contextmanager
def replace_file(
    path: Path, *, mode: int = 0o600, is_durable: bool = True, device: Device = _SYSTEM
) -> Iterator[IO[bytes]]:
    """Give a file to write, which then takes the place of ``path``: there stands all of it, or what stood there before.

    Without ``is_durable`` it may be gone after a power cut, and costs no fsync. Raises ``OSError``.
    """
    # The thread's number keeps two writers apart: the second would begin the first one's file again.
    fresh = path.with_name(f".{path.name}.{threading.get_native_id()}.new")
    fresh.unlink(missing_ok=True)
    try:
        handle = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(handle, "w+b") as file:
            with share_decides():
                device.fchmod(handle, mode)  # whatever the umask
            yield file
            file.flush()
            if is_durable:
                device.fsync(handle)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    if is_durable:
        sync_folder(path.parent, device)


def publish(whole: Path, path: Path, *, is_durable: bool = True, device: Device = _SYSTEM) -> None:
    """Give a file that is whole its name; raises ``FileExistsError`` where something else has that name already.

    With ``is_durable`` its content is on the disk before it gets the name, and the name on return.
    """
    if is_durable:
        sync_file(whole)
    try:
        device.link(whole, path, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # a file system without links: then at least look first
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        whole.rename(path)
    else:
        whole.unlink()
    if is_durable:
        sync_folder(path.parent, device)


def sync_file(path: Path) -> None:
    """Have what was written to a file, by whatever handle, on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def folder_facts(folder: Path, device: Device = _SYSTEM) -> dict[str, object]:
    """Say whether a folder exists, can be written to (or created), and how many bytes fit there; creates nothing.

    ``can_sync_folder`` stands there, False, where new names are on the disk only when the file system likes.
    """
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    room = os.statvfs(nearest)
    return {
        "path": str(folder),
        "exists": folder.is_dir(),
        "writable": nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK) and not room.f_flag & os.ST_RDONLY,
        "free_bytes": room.f_bavail * room.f_frsize,
    } | ({} if can_sync_folder(nearest, device) else {"can_sync_folder": False})


def can_sync_folder(folder: Path, device: Device = _SYSTEM) -> bool:
    """Say whether new names in a folder are on the disk when that is asked for; True where it cannot be known."""
    with suppress(OSError):
        return not folder.is_dir() or sync_folder(folder, device)
    return True  # a run will say why


def write_all(handle: int, content: bytes, device: Device) -> None:
    """Write everything; a disk that takes less than it was given is asked again until it says why."""
    written = device.write(handle, content)
    if written == len(content):
        return
    rest = memoryview(content)[written:]
    while rest:
        rest = rest[device.write(handle, rest) :]


def stamp_of(status: os.stat_result) -> str:
    """Return what changes whenever somebody touches a file."""
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def is_regular_file(status: os.stat_result) -> bool:
    """Tell a file from folders, pipes and devices."""
    return stat.S_ISREG(status.st_mode)


# ------------------------------------------------------------------------------------------------ locks


@contextmanager
def lock_file(
    path: Path, timeout: LockTimeout, device: Device, holder: str, *, is_shared: bool = False
) -> Iterator[None]:
    """Hold a lock (a shared one: beside others) named by a file in our state folder; it dies with the process."""
    handle = -1
    try:
        make_folder(path.parent, device)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with share_decides():  # or it was made by another user, whose business its rights are
            device.fchmod(handle, 0o600)
    except OSError as error:
        if handle >= 0:
            os.close(handle)
        raise storage_error(error, f"opening the lock file {path}", read_only="state-read-only") from error
    try:
        if not timeout.until(lambda: _flock(handle, fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX)):
            raise locked_error(holder, timeout)
        yield
    finally:
        os.close(handle)


def lock_volume(handle: int, path: Path, timeout: LockTimeout) -> None:
    """Lock an open file against everybody who honours flock or fcntl locks; closing the handle lets go.

    Raises ``locked`` when somebody holds it for longer than we wait.
    """
    if not timeout.until(lambda: _lock_both_ways(handle)):
        raise locked_error(str(path), timeout)


def locked_error(what: str, timeout: LockTimeout) -> FerryError:
    """Say that somebody else has held a lock for too long."""
    return FerryError(
        Kind.LOCKED,
        f"another program holds {what} (waited {timeout.seconds:g} seconds)",
        cure="let it finish or close it; the next run tries again",
    )


def _lock_both_ways(handle: int) -> bool:
    if not _range_lock(handle):
        return False
    # Over a network both calls end in one lock table there, and the second would wait for the first without end.
    if _file_system_of(handle) in _ONE_KIND_OF_LOCK or _flock(handle):
        return True
    _range_unlock(handle)
    return False


def _flock(handle: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        return _is_without_locks(error)
    return True


def _range_lock(handle: int) -> bool:
    """Take an fcntl lock on the whole file: an open-file-description lock, which no other handle's closing drops."""
    try:
        if hasattr(fcntl, "F_OFD_SETLK"):
            fcntl.fcntl(handle, fcntl.F_OFD_SETLK, _whole_file(fcntl.F_WRLCK))
        else:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX allows EAGAIN and EACCES alike
        return False
    except OSError as error:
        # EBADF: opened for reading only, on a read-only archive; nobody can write there then.
        return error.errno == errno.EBADF or _is_without_locks(error)
    return True


def _range_unlock(handle: int) -> None:
    if hasattr(fcntl, "F_OFD_SETLK"):
        fcntl.fcntl(handle, fcntl.F_OFD_SETLK, _whole_file(fcntl.F_UNLCK))
    else:
        fcntl.lockf(handle, fcntl.LOCK_UN)


def _whole_file(kind: int) -> bytes:
    """Return a ``struct flock``: type, whence, start, length (0: to the end and beyond), and no process."""
    return struct.pack("hhqqi0q", kind, os.SEEK_SET, 0, 0, 0)


def _is_without_locks(error: OSError) -> bool:
    """Go on unlocked where a file system has no locks: our own lock file still keeps out our other writers."""
    if error.errno in _NO_LOCKS_HERE:
        return True
    raise storage_error(error, "locking") from error


def _file_system_of(handle: int) -> str:
    """Return the type of the file system that holds an open file, or nothing where that cannot be known."""
    device = os.fstat(handle).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    for line in mounts.splitlines():
        fields, _, kinds = line.partition(" - ")
        if fields.split()[2:3] == [number]:
            return kinds.partition(" ")[0]
    return ""

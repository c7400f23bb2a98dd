"""What a process does to one folder and says on the line, as a list of operations in the order of the kernel.

SQLite writes through C, so no stand-in for ``os`` would see it: strace does, as root and as anybody else.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Write:
    path: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Resize:
    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    """Of a file's content, or of a folder's names."""

    path: str


@dataclass(frozen=True, slots=True)
class Make:
    path: str
    is_folder: bool


@dataclass(frozen=True, slots=True)
class Rename:
    path: str
    new: str


@dataclass(frozen=True, slots=True)
class Remove:
    path: str


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes given to a socket."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """The process named a step that it has just done."""

    name: str


Operation = Write | Resize | Sync | Make | Rename | Remove | Send | Step

_CALLS = (
    "open,openat,creat,write,pwrite64,lseek,ftruncate,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,"
    "fsync,fdatasync,sendto,"
    # what the program does not use today; a recording that shows one is refused, for it would be misread
    "writev,pwritev,pwritev2,truncate,fallocate,link,linkat,symlink,symlinkat,rmdir,dup,dup2,dup3,"
    "copy_file_range,sendfile,sync_file_range,sync,syncfs,sendmsg,sendmmsg"
)
_LINE = re.compile(r"\d+\s+(\w+)\((.*)\)\s+= (\d+)(?:<.*>(?:\(deleted\))?)?$")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_HANDLE = re.compile(r"(\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2})*)>(\(deleted\))?")
STEPS = "steps"
"""The file in which the process writes the names of its steps; it is no part of what is recorded."""


def why_not() -> str:
    """Return why nothing can be recorded here, ``""`` if it can."""
    if shutil.which("strace") is None:
        return "strace is not installed, which records what a run writes and when it syncs"
    tried = subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.strip()[:200]}"


def record(command: Sequence[str], folder: Path, log: Path) -> list[Operation]:
    """Run a command to its end, which must be a good one, and return what it did below ``folder`` and sent."""
    options = ["-f", "-qq", "-y", "-xx", "-s", "100000000", "-e", "status=successful", "-e", f"trace={_CALLS}"]
    sizes = {str(path): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    subprocess.run(["strace", *options, "-o", str(log), *command], check=True, stdout=subprocess.DEVNULL)
    return list(_operations(log, _Reading(str(folder), sizes)))


def _operations(log: Path, reading: _Reading) -> Iterator[Operation]:
    with log.open() as lines:
        for line in lines:
            found = _LINE.match(line)
            assert found, f"strace says what is not understood: {line[:200]}"
            yield from reading.call(found[1], found[2], int(found[3], 0))


_BY_HANDLE = frozenset({"lseek", "ftruncate", "write", "pwrite64", "fsync", "fdatasync"})


@dataclass(slots=True)
class _Place:
    """Where an open file is written next, unless it is always at its end."""

    offset: int
    is_appending: bool


class _Reading:
    """Turns calls into operations: knows the open files, their sizes and places."""

    def __init__(self, folder: str, sizes: dict[str, int]) -> None:
        self.folder = folder
        self.sizes = sizes
        self.places: dict[int, _Place] = {}

    def call(self, name: str, arguments: str, result: int) -> Iterator[Operation]:
        strings = [_bytes(text) for text in _STRING.findall(arguments)]
        handle = _HANDLE.match(arguments)
        path = _bytes(handle[2]).decode() if handle else ""
        if name in {"open", "openat", "creat"}:
            yield from self._opened(strings[0].decode(), arguments, result)
        elif name == "sendto":
            yield Send(strings[0])
        elif name == "write" and path.endswith(f"/{STEPS}"):
            yield Step(strings[0].decode())
        elif name in _BY_HANDLE:
            if path.startswith(self.folder) and handle and not handle[3]:  # else elsewhere, or it has no name any more
                yield from self._used(name, path, int(handle[1]), strings, _last(arguments), result)
        elif any(one.startswith(self.folder) for one in (path, *map(os.fsdecode, strings))):
            yield from self._named(name, [os.fsdecode(string) for string in strings])

    def _named(self, name: str, paths: Sequence[str]) -> Iterator[Operation]:
        """Tell what a call does to names."""
        match name:
            case "mkdir" | "mkdirat":
                yield Make(paths[0], is_folder=True)
            case "unlink" | "unlinkat":
                yield Remove(paths[0])
                del self.sizes[paths[0]]
            case "rename" | "renameat" | "renameat2":
                yield Rename(paths[0], paths[1])
                self.sizes[paths[1]] = self.sizes.pop(paths[0])
            case _:
                raise AssertionError(f"a call that this recording does not understand: {name}{tuple(paths)}")

    def _used(
        self, name: str, path: str, handle: int, strings: Sequence[bytes], last: int, result: int
    ) -> Iterator[Operation]:
        """Tell what a call does to an open file; ``last`` is its last argument."""
        match name:
            case "fsync" | "fdatasync":
                yield Sync(path)
            case "lseek":
                self.places[handle].offset = result
            case "ftruncate":
                self.sizes[path] = last
                yield Resize(path, last)
            case _:
                place = self.places[handle]
                offset = last if name == "pwrite64" else self.sizes[path] if place.is_appending else place.offset
                if name == "write":
                    place.offset = offset + result
                self.sizes[path] = max(self.sizes[path], offset + result)
                yield Write(path, offset, strings[0][:result])

    def _opened(self, path: str, flags: str, handle: int) -> Iterator[Operation]:
        if not path.startswith(self.folder):
            return
        if "O_CREAT" in flags and path not in self.sizes:
            self.sizes[path] = 0
            yield Make(path, is_folder=False)
        if "O_TRUNC" in flags and self.sizes[path]:
            self.sizes[path] = 0
            yield Resize(path, 0)
        self.places[handle] = _Place(0, "O_APPEND" in flags)


def _last(arguments: str) -> int:
    last = arguments.rpartition(", ")[2]
    return int(last) if last.isdecimal() else 0


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))

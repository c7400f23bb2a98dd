"""A disk as a power cut may leave it: what was synced is there; of all else each piece may be there, torn or missing.

Stricter than any file system in use: a new name is lost unless its folder was synced, though ext4, XFS and Btrfs keep
it when the file was; pieces of one write come and go on their own, and a hole reads as zeros.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Protocol

from tests.power.operations import Make, Operation, Remove, Rename, Resize, Send, Step, Sync, Write

SECTOR = 512
BLOCK = 4096


class Fate(Protocol):
    """What becomes of what was not synced."""

    def keeps(self) -> bool:
        """Whether a change of a name, or of a size, reached the disk."""

    def part(self, octets: int) -> int:
        """How many of a piece's bytes, from its beginning, reached the disk."""


class Lost:
    """None of it."""

    def keeps(self) -> bool:
        return False

    def part(self, octets: int) -> int:
        return 0


class Kept:
    """All of it."""

    def keeps(self) -> bool:
        return True

    def part(self, octets: int) -> int:
        return octets


class NamesKept(Kept):
    """Every name and size, and no content: files of the right length, full of zeros."""

    def part(self, octets: int) -> int:
        return 0


class Torn(Kept):
    """All of it, but only the first half of every piece."""

    def part(self, octets: int) -> int:
        return octets // 2


@dataclass
class Chance:
    """Any of it, by a seed: a piece is whole, missing or torn at a sector or at any byte."""

    seed: int
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    def keeps(self) -> bool:
        return self.random.random() < 0.5

    def part(self, octets: int) -> int:
        match self.random.randrange(4):
            case 0:
                return 0
            case 1:
                return self.random.randrange(octets + 1) // SECTOR * SECTOR
            case 2:
                return self.random.randrange(octets + 1)
            case _:
                return octets


@dataclass(eq=False)
class _File:
    durable: bytes = b""
    pending: list[Write | Resize] = field(default_factory=list)

    def after(self, fate: Fate) -> bytes:
        content = bytearray(self.durable)
        for change in self.pending:
            match change:
                case Resize(_, size):
                    if fate.keeps():
                        content = content[:size] + bytes(max(0, size - len(content)))
                case Write(_, offset, data):
                    _overlay(content, offset, data, fate)
        return bytes(content)

    def sync(self) -> None:
        self.durable, self.pending = self.after(Kept()), []


def _overlay(content: bytearray, offset: int, data: bytes, fate: Fate) -> None:
    """Put those pieces of a write into a file that reached the disk; sizes grow with ``NamesKept`` too."""
    if isinstance(fate, NamesKept):
        content += bytes(max(0, offset + len(data) - len(content)))
        return
    for start, piece in _pieces(offset, data):
        part = piece[: fate.part(len(piece))]
        if part:
            content += bytes(max(0, start - len(content)))
            content[start : start + len(part)] = part


def _pieces(offset: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    """Cut a write where the blocks of the disk end."""
    while data:
        here = BLOCK - offset % BLOCK
        yield offset, data[:here]
        offset, data = offset + here, data[here:]


@dataclass(eq=False)
class _Change:
    """One or two names that change at once; durable when ``folder`` is synced."""

    folder: _Folder
    name: str
    node: _File | _Folder | None
    moved_from: tuple[_Folder, str] | None = None


@dataclass(eq=False)
class _Folder:
    now: dict[str, _File | _Folder] = field(default_factory=dict)
    durable: dict[str, _File | _Folder] = field(default_factory=dict)


class Disk:
    """Takes operations one by one; tells at any time what a power cut leaves."""

    def __init__(self, root: Path, found: Mapping[str, bytes | None]) -> None:
        """Begin with files that are durable, by their path below ``root``; None for a folder."""
        self._root_path = root
        self._root = _Folder()
        self._pending: list[_Change] = []
        for path, content in sorted(found.items()):
            folder, name = self._place(str(root / path))
            folder.now[name] = folder.durable[name] = _Folder() if content is None else _File(content)

    def do(self, operation: Operation) -> None:
        """Let an operation happen."""
        match operation:
            case Write(path) | Resize(path):
                self._file(path).pending.append(operation)
            case Make(path, is_folder):
                self._change(path, _Folder() if is_folder else _File())
            case Remove(path):
                self._change(path, None)
            case Rename(path, new):
                old_folder, old_name = self._place(path)
                self._change(new, old_folder.now.pop(old_name), moved_from=(old_folder, old_name))
            case Sync(path):
                self._sync(path)
            case Send() | Step():
                return

    def unsynced(self, below: Path) -> list[str]:
        """Return what below a folder a power cut could take away now."""
        names = [self._path_of(change.folder) + "/" + change.name for change in self._pending]
        names += [
            path for path, node in _walk(self._root, str(self._root_path)) if isinstance(node, _File) and node.pending
        ]
        return sorted({name for name in names if name.startswith(f"{below}/") or name == str(below)})

    def after_power_cut(self, fate: Fate) -> Mapping[str, bytes | None]:
        """Return the files that are found afterwards, by path; None for a folder."""
        durable = {id(folder): dict(folder.durable) for folder in self._folders()}
        for change in self._pending:
            if not fate.keeps():
                continue
            if change.moved_from is not None:
                durable[id(change.moved_from[0])].pop(change.moved_from[1], None)
            if change.node is None:
                durable[id(change.folder)].pop(change.name, None)
            else:
                durable[id(change.folder)][change.name] = change.node
        return dict(self._contents(self._root, durable, fate, ""))

    def _contents(
        self, folder: _Folder, names: Mapping[int, Mapping[str, _File | _Folder]], fate: Fate, where: str
    ) -> Iterator[tuple[str, bytes | None]]:
        for name, node in sorted(names[id(folder)].items()):
            path = f"{where}{name}"
            if isinstance(node, _Folder):
                yield path, None
                yield from self._contents(node, names, fate, f"{path}/")
            else:
                yield path, node.after(fate)

    def _change(self, path: str, node: _File | _Folder | None, moved_from: tuple[_Folder, str] | None = None) -> None:
        folder, name = self._place(path)
        if node is None:
            del folder.now[name]
        else:
            folder.now[name] = node
        self._pending.append(_Change(folder, name, node, moved_from))

    def _sync(self, path: str) -> None:
        node = self._node(path)
        if isinstance(node, _File):
            node.sync()
            return
        for change in [change for change in self._pending if change.folder is node]:
            self._pending.remove(change)
            if change.moved_from is not None:
                self._forget(*change.moved_from)
            if change.node is None:
                node.durable.pop(change.name, None)
            else:
                node.durable[change.name] = change.node

    def _forget(self, folder: _Folder, name: str) -> None:
        """Let a name be gone for good, with what was pending about it before it was moved away."""
        folder.durable.pop(name, None)
        if name not in folder.now:
            self._pending = [one for one in self._pending if (one.folder, one.name) != (folder, name)]

    def _node(self, path: str) -> _File | _Folder:
        if path == str(self._root_path):
            return self._root
        folder, name = self._place(path)
        return folder.now[name]

    def _file(self, path: str) -> _File:
        node = self._node(path)
        assert isinstance(node, _File)
        return node

    def _place(self, path: str) -> tuple[_Folder, str]:
        *above, name = os.path.relpath(path, self._root_path).split("/")
        folder = self._root
        for one in above:
            inner = folder.now[one]
            assert isinstance(inner, _Folder)
            folder = inner
        return folder, name

    def _folders(self) -> Iterator[_Folder]:
        """Yield every folder that may be found again, each once."""
        waiting, seen = [self._root], set[int]()
        while waiting:
            folder = waiting.pop()
            if id(folder) in seen:
                continue
            seen.add(id(folder))
            yield folder
            nodes = [*folder.now.values(), *folder.durable.values(), *(change.node for change in self._pending)]
            waiting += [node for node in nodes if isinstance(node, _Folder)]

    def _path_of(self, folder: _Folder) -> str:
        if folder is self._root:
            return str(self._root_path)
        return next((path for path, node in _walk(self._root, str(self._root_path)) if node is folder), "gone")


def _walk(folder: _Folder, where: str) -> Iterator[tuple[str, _File | _Folder]]:
    for name, node in folder.now.items():
        yield f"{where}/{name}", node
        if isinstance(node, _Folder):
            yield from _walk(node, f"{where}/{name}")


def taken_in(root: Path) -> dict[str, bytes | None]:
    """Return what a folder holds, by path below it; None for a folder."""
    return {str(path.relative_to(root)): None if path.is_dir() else path.read_bytes() for path in root.rglob("*")}


def lay_out(found: Mapping[str, bytes | None], root: Path) -> None:
    """Make a folder hold these files and nothing else."""
    if root.exists():
        shutil.rmtree(root)
    root.mkdir()
    for path, content in sorted(found.items()):
        if content is None:
            (root / path).mkdir(mode=0o700)
        else:
            (root / path).write_bytes(content)

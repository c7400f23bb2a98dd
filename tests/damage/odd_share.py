"""A folder on a share as people have them: rights, folder fsync, hard links, colons in names are refused below it.

The calls of ``os`` are replaced before anything of ours is imported, in a process that has ``install`` run for it by
the ``sitecustomize.py`` that ``beside`` leaves. What a share refuses is what was seen: fchmod on CIFS and gvfs, fsync
of a folder on SMB and FUSE, links and colons on exFAT and NTFS, O_TMPFILE on all of them.
"""

from __future__ import annotations

import errno
import os
import posix
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def beside(place: Path, share: Path, *, chmod: int = errno.EPERM, fsync: int = errno.EINVAL) -> dict[str, str]:
    """Have processes with this environment find ``share`` to be such a folder."""
    place.mkdir(exist_ok=True)
    words = f"install({str(share)!r}, {chmod}, {fsync})"
    (place / "sitecustomize.py").write_text(f"from tests.damage.odd_share import install\n{words}\n")
    return {"PYTHONPATH": os.pathsep.join([str(place), str(ROOT)])}


def install(share: str, chmod: int, fsync: int) -> None:
    """Refuse, from now on in this process, what such a share refuses."""
    _refuse("chmod", chmod, lambda path, *_, **_options: _is_below(os.fsdecode(path), share))
    _refuse("fchmod", chmod, lambda handle, *_: _is_below(_path_of(handle), share))
    _refuse("fsync", fsync, lambda handle: _is_below(_path_of(handle), share) and _is_folder(handle))
    _refuse("link", errno.EPERM, lambda _source, target, **_options: _is_below(os.fsdecode(target), share))
    for name in ("open", "mkdir"):
        _refuse(name, errno.EINVAL, lambda path, *_rest, **_options: _has_colon(path, share))
    _refuse("open", errno.EOPNOTSUPP, lambda path, flags=0, *_rest, **_options: _is_nameless(path, flags, share))
    for name in ("rename", "replace"):
        _refuse(name, errno.EINVAL, lambda _source, target, **_options: _has_colon(target, share))


def _refuse(name: str, error: int, is_refused: Callable[..., bool]) -> None:
    call = getattr(os, name)

    def refusing(*arguments: Any, **options: Any) -> Any:  # any call of os
        if is_refused(*arguments, **options):
            raise OSError(error, os.strerror(error), os.fsdecode(arguments[0]) if name == "open" else None)
        return call(*arguments, **options)

    for module in (os, posix):
        setattr(module, name, refusing)


def _path_of(handle: int) -> str:
    return str(Path(f"/proc/self/fd/{handle}").readlink())


def _is_folder(handle: int) -> bool:
    return stat.S_ISDIR(os.fstat(handle).st_mode)


def _is_below(path: str, share: str) -> bool:
    return path == share or path.startswith(f"{share}/")


def _has_colon(path: Any, share: str) -> bool:
    name = os.fsdecode(path) if not isinstance(path, int) else ""
    return _is_below(name, share) and ":" in name.removeprefix(share)


def _is_nameless(path: Any, flags: int, share: str) -> bool:
    return not isinstance(path, int) and flags & os.O_TMPFILE == os.O_TMPFILE and _is_below(os.fsdecode(path), share)

"""What figures depend on: the machine, the versions of the programs, the commit. No name of a host, user or folder."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from statistics import median

_REPOSITORY = Path(__file__).parents[1]
_ASKED = {
    "mpop": ["mpop", "--version"],
    "fetchmail": ["fetchmail", "--version"],
    "getmail6": ["getmail", "--version"],
    "mbsync": ["mbsync", "--version"],
    "Dovecot": ["/usr/sbin/dovecot", "--version"],
    "strace": ["strace", "--version"],
}
_SYNCS = 20


def facts(folder: Path | None) -> Mapping[str, str | float]:
    """Return what the machine is, and how fast its disk says that something is durable (``folder`` is on it)."""
    return {
        "architecture": platform.machine(),
        "processor": _first(Path("/proc/cpuinfo"), r"^model name\s*: (.*)$") or "unknown",
        "processors": len(os.sched_getaffinity(0)),
        "memory_mb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e6),
        "kernel": platform.release(),
        "filesystem": _filesystem(Path(folder or tempfile.gettempdir()).resolve()),
        "fsync_ms": round(_fsync_seconds(folder) * 1e3, 2),
        "load": round(os.getloadavg()[0], 1),
    }


def versions() -> Mapping[str, str]:
    """Return the version of each program that is there."""
    asked = {name: version for name, command in _ASKED.items() if (version := _version(command))}
    return {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version, **asked}


def commit() -> str:
    """Return the commit of this working tree, with a plus if it was changed; empty outside of one."""
    head = _said(["git", "-C", str(_REPOSITORY), "rev-parse", "--short=12", "HEAD"])
    if not head:
        return ""
    changes = _said(["git", "-C", str(_REPOSITORY), "status", "--porcelain", "--untracked-files=no"])
    return head.strip() + ("+" if changes.strip() else "")


def version_in(said: str) -> str:
    """Return the first thing that looks like a version."""
    found = re.search(r"\d+\.\d[\w.]*", said)
    return found[0] if found else ""


def _version(command: list[str]) -> str:
    return version_in(_said(command))


def _said(command: list[str]) -> str:
    """Return what it prints; nothing if it is not there or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _first(path: Path, pattern: str) -> str:
    with suppress(OSError):
        if found := re.search(pattern, path.read_text(), re.M):
            return found[1]
    return ""


def _filesystem(folder: Path) -> str:
    """Return the kind of file system that a folder is on."""
    best = ("", "unknown")
    with suppress(OSError):
        for line in Path("/proc/mounts").read_text().splitlines():
            _, mounted, kind, *_ = line.split()
            if folder.is_relative_to(mounted) and len(mounted) >= len(best[0]):
                best = (mounted, kind)
    return best[1]


def _fsync_seconds(folder: Path | None) -> float:
    taken = []
    with tempfile.NamedTemporaryFile(prefix="mailferry-bench-", dir=folder) as file:
        for _ in range(_SYNCS):
            file.write(bytes(4096))
            file.flush()
            began = time.monotonic()
            os.fsync(file.fileno())
            taken.append(time.monotonic() - began)
    return median(taken)

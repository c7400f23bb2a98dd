"""A long line on loopback: the kernel's netem in a network namespace of our own, else a delaying proxy.

With netem the whole benchmark, servers included, lives in the namespace, and the delay is a property of its loopback
device. The proxy stamps each chunk and forwards it when it is due, so that it delays a pipelined stream once; but it
is a program on the same machine, and takes CPU time that server and client would otherwise have.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_INSIDE = "MAILFERRY_BENCH_NAMESPACE"


class Line(Protocol):
    """How the benchmark makes round trips long."""

    @property
    def name(self) -> str:
        """What to call it in the results."""

    @contextmanager
    def at(self, port: int, milliseconds: int) -> Iterator[int]:
        """Yield the port at which the server on ``port`` is that far away."""


class Netem:
    """The namespace's loopback device delays every packet by half a round trip."""

    name = "netem"

    @contextmanager
    def at(self, port: int, milliseconds: int) -> Iterator[int]:
        """Yield the same port, farther away."""
        if milliseconds:
            _tc("replace", "netem", "delay", f"{milliseconds / 2}ms", "limit", "1000000")
        try:
            yield port
        finally:
            if milliseconds:
                _tc("del")


class Proxies:
    """A proxy process for each delay; at 0 ms there is none."""

    name = "a delaying proxy (this kernel has no netem, or this user may not use it)"

    @contextmanager
    def at(self, port: int, milliseconds: int) -> Iterator[int]:
        """Yield the proxy's port."""
        if not milliseconds:
            yield port
            return
        command = [sys.executable, "-m", "tests.servers.delay", str(port), "--round-trip", str(milliseconds)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as proxy:
            assert proxy.stdin is not None
            assert proxy.stdout is not None
            try:
                yield int(json.loads(proxy.stdout.readline())["port"])
            finally:
                proxy.stdin.close()


def best_line() -> Line:
    """Return the best line there is; may begin this program anew inside a namespace."""
    if os.environ.get(_INSIDE):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return Netem()
    if _has_netem():
        again = ["unshare", "--net", "--", sys.executable, "-m", "benchmarks", *sys.argv[1:]]
        raise SystemExit(subprocess.run(again, env={**os.environ, _INSIDE: "1"}, check=False).returncode)
    return Proxies()


def _has_netem() -> bool:
    """Try it in a namespace that is gone at once."""
    if os.geteuid() != 0:
        return False
    attempt = "ip link set lo up && tc qdisc add dev lo root netem delay 1ms"
    try:
        tried = subprocess.run(["unshare", "--net", "--", "sh", "-c", attempt], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return tried.returncode == 0


def _tc(verb: str, *what: str) -> None:
    subprocess.run(["tc", "qdisc", verb, "dev", "lo", "root", *what], check=True)

"""A long line on loopback: a delaying proxy for each server.

The proxy stamps each chunk and forwards it when it is due, so that it delays a pipelined stream once; but it is a
program on the same machine, and takes CPU time that server and client would otherwise have.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def far_away(port: int, milliseconds: int) -> Iterator[int]:
    """Yield the port at which the server on ``port`` is that far away; at 0 ms its own."""
    if not milliseconds:
        yield port
        return
    command = [sys.executable, "-m", "tests.servers.delay", str(port), "--round-trip", str(milliseconds)]
    # A session of its own: Ctrl-C is for the benchmark, which ends the proxy by closing its standard input.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as proxy:
        assert proxy.stdin is not None
        assert proxy.stdout is not None
        try:
            yield int(json.loads(proxy.stdout.readline())["port"])
        finally:
            proxy.stdin.close()

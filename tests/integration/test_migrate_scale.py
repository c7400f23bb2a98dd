"""From outside: a huge message and a huge listing stay within 150 MB of memory, and many accounts share theirs."""

from __future__ import annotations

import contextlib
import hashlib
import platform
import sys
from pathlib import Path

import pytest

from jobs.memory import ARENAS
from tests.command_line import Site, account, alice, mbox, source
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server
from tests.servers.pop3_faults import ManyMessages

LIMIT_KIB = 150 * 1024
LARGE = 200 * 1024 * 1024


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, {"PASSWORD": "open-sesame"})


# The kernel's ru_maxrss of a child begins with what its parent held; VmHWM is of the program alone.
_AND_TELL_PEAK = """
import re, sys
from pathlib import Path
from migrator.cli.main import main
code = main(sys.argv[2:])
Path(sys.argv[1]).write_text(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
sys.exit(code)
"""


def migrate(site: Site, *arguments: str) -> dict[str, object]:
    """Migrate within the bound on memory; returns the report."""
    peak_file = site.folder / "peak"
    done = site.run([sys.executable, "-c", _AND_TELL_PEAK, peak_file, "migrate", "--json", *arguments])
    peak = int(peak_file.read_text())
    assert done.code == 0, done.report
    assert peak < LIMIT_KIB, f"{peak // 1024} MiB"
    return done.report


@pytest.mark.slow
def test_a_message_of_200_mb_is_moved_in_flat_memory(site: Site) -> None:
    body = b"".join(b"%08d " % n + b"x" * 66 + b"\r\n" for n in range(LARGE // 77))
    large = b"Message-ID: <large@example.org>\r\nSubject: large\r\n\r\n" + body
    with Pop3Server(Maildrop([large])) as server:
        site.writes(alice(server.port, leave_on_server=False))
        report = migrate(site)
        assert (report["copied"], report["verified"], report["deleted"]) == (1, 1, 1)
    [volume] = (site.folder / "archive/alice").glob("*.mbox")
    with volume.open("rb") as file:
        file.readline()
        digest = hashlib.sha256()
        left = len(large)
        for line in file:
            line = line.replace(b"\n", b"\r\n")[:left]  # noqa: PLW2901  # canonical
            digest.update(line)
            left -= len(line)
    assert digest.digest() == hashlib.sha256(large).digest()


@pytest.mark.slow
def test_a_listing_of_a_million_is_read_in_flat_memory(site: Site) -> None:
    with Pop3Server(Maildrop(), faults=[ManyMessages(1_000_000)]) as server:
        site.writes(alice(server.port))
        report = migrate(site, "--limit", "10")
        assert (report["listed"], report["copied"], report["remaining"]) == (1_000_000, 10, 999_990)


# malloc_info(3) tells of each arena as a heap.
_AND_TELL_ARENAS = """
import ctypes, os, sys
from pathlib import Path
from migrator.cli.main import main
code = main(sys.argv[2:])
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(os.fsencode(sys.argv[1]), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
sys.exit(code)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has an arena for each thread")
def test_accounts_side_by_side_take_their_memory_from_few_arenas(site: Site) -> None:
    names = [f"user{number}" for number in range(6)]
    servers = [Pop3Server(Maildrop([b"Subject: %d\r\n\r\n" % number])) for number, _ in enumerate(names)]
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(server).port for server in servers]
        site.writes(
            *(account(name, source(port), mbox(f"archive/{name}")) for name, port in zip(names, ports, strict=True))
        )
        done = site.run([sys.executable, "-c", _AND_TELL_ARENAS, site.folder / "arenas", "migrate", "--json"])
    assert [report["copied"] for report in done.reports] == [1] * len(names)
    assert (site.folder / "arenas").read_text().count("<heap ") <= ARENAS

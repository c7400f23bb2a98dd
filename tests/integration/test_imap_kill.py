"""kill -9 at every named step of an upload, then a new run: each message stands there once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from migrator.copy_records import ImapAnchor, Intended, Intent
from migrator.destinations.imap import STEPS, ImapDestination
from migrator.model import ImapLocator
from tests.conftest import StartDovecot
from tests.contract.support import Memory, content_of, recover, store
from tests.integration.imap_child import messages
from tests.integration.imap_support import Bench, bodies_of
from tests.servers import imap_faults as faults
from tests.servers.dovecot import Backend
from tests.servers.imap_proxy import ImapProxy

FOLDER = "Fresh"
WAYS = {"multiappend": [], "pipelined": [faults.Capabilities(without=["MULTIAPPEND"])]}


@pytest.mark.parametrize("step", [*STEPS, "none"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("backend", ["maildir", "mdbox"])
def test_killed_anywhere_a_new_run_completes_without_doubles(
    start_dovecot: StartDovecot, tmp_path: Path, backend: Backend, way: str, step: str
) -> None:
    server = start_dovecot(backend)
    cut = [faults.DropUnanswered("APPEND", times=1)] if step == "imap.resolved" else []
    with ImapProxy(server.imap_port, faults=[*WAYS[way], *cut]) as proxy:
        arguments = [str(proxy.port), server.password, str(tmp_path), FOLDER, step]
        child = subprocess.run([sys.executable, "-m", "tests.integration.imap_child", *arguments], check=False)
    assert child.returncode == (0 if step == "none" else -signal.SIGKILL)
    bench = Bench(server, tmp_path)
    destination, memory = bench.open(folder=FOLDER), _remembered(tmp_path)
    recover(destination, memory)
    left = [each for each in messages() if each.digest not in memory.copies]
    if left:
        store(destination, memory, left)
    assert _read(destination, memory) == bodies_of(messages())
    bench.close()
    assert sorted(bench.contents(FOLDER)) == sorted(bodies_of(messages()))


def _remembered(state: Path) -> Memory:
    """Return what the ledger would know after the crash."""
    memory = Memory()
    if (state / "stored.json").exists():
        for each, place in zip(messages(), json.loads((state / "stored.json").read_text()), strict=True):
            memory.copies[each.digest] = [ImapLocator(*place)]
    elif (state / "intent.json").exists():
        intent = json.loads((state / "intent.json").read_text())
        meant = tuple(
            Intended(each.digest, each.octets, bytes.fromhex(copy_key))
            for each, copy_key in zip(messages(), intent["recognition"], strict=True)
        )
        memory.intents.append(Intent(ImapAnchor(*intent["anchor"]), meant))
    return memory


def _read(destination: ImapDestination, memory: Memory) -> list[bytes]:
    places = [memory.copies[each.digest][0] for each in messages()]
    return [content_of(copy) for copy in destination.read(places)]

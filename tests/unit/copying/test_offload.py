"""A child is a copier in another process: the same outcomes, the same ledger, and nothing rests on its life."""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from migrator.copying.copier import Copier, CopyResult, Outcome
from migrator.copying.offload import ChildCopierPool
from migrator.copying.offload_process import LENGTH, SHARED_OCTETS
from migrator.destinations.maildir.destination import MaildirDestination
from migrator.destinations.mbox.destination import MboxDestination
from migrator.errors import Advice, FerryError, Kind, Scope
from migrator.ledger import Ledger
from migrator.message.body import Message
from migrator.message.spool import SpoolFile
from migrator.model import CopyState
from migrator.pop3.assembly import Collector, small_message
from tests.mail import simple
from tests.memory_destination import MemoryDestination
from tests.rig import mboxrd

NOW = partial(datetime.now, UTC)
OF_OTHERS: set[int] = set()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path / "state")) as ledger:
        yield ledger


@pytest.fixture
def copier(ledger: Ledger, tmp_path: Path) -> Copier:
    place = MboxDestination(tmp_path / "archive", state_dir=tmp_path / "state", clock=NOW)
    return Copier(place, ledger.copies(place.identity, place.kind), clock=lambda: 7.0)


def stored(tmp_path: Path) -> list[bytes]:
    return [message for volume in (tmp_path / "archive").glob("*.mbox") for message in mboxrd(volume.read_bytes())]


def content(message: Message) -> bytes:
    return b"".join(message.body.chunks())


def in_pieces(folder: Path, size: int) -> Message:
    collector = Collector(lambda: SpoolFile(folder))
    collector.add(b"Subject: long\r\n\r\n")
    while collector.received < size:
        collector.add(b"From me\r\nbare\rCR\r\n" * 5_000)
    return collector.message()


def all_children() -> set[int]:
    return {int(child) for task in Path("/proc/self/task").glob("*/children") for child in task.read_text().split()}


@pytest.fixture(scope="module", autouse=True)
def of_others() -> Iterator[None]:
    """What other tests have running meanwhile, such as an office that lasts to the end of them all, is none of ours."""
    OF_OTHERS.update(all_children())
    yield
    OF_OTHERS.clear()


def children() -> list[int]:
    return sorted(all_children() - OF_OTHERS)


def the_only_child() -> int:
    [child] = children()
    return child


@contextmanager
def end_of(process: int) -> Iterator[None]:
    """Wait, behind the block, until a process has ended."""
    handle = os.pidfd_open(process)
    try:
        yield
        assert select.select([handle], [], [], 60)[0]
    finally:
        os.close(handle)


def test_a_child_stores_proves_and_records_like_the_copier_itself(copier: Copier, tmp_path: Path) -> None:
    batch = [simple(1), simple(2), simple(1), in_pieces(tmp_path, 1_000_000), small_message(b"")]
    with ChildCopierPool(worth_it=1).lent(copier, 5) as child:
        assert child.copy(batch) == [*[CopyResult.COPIED] * 2, CopyResult.DUPLICATE, *[CopyResult.COPIED] * 2]
        assert child.copy([simple(2), simple(3)]) == [CopyResult.DUPLICATE, CopyResult.COPIED]
        assert children()
    wanted = [content(message) for message in (simple(1), simple(2), batch[3], batch[4], simple(3))]
    assert stored(tmp_path) == wanted
    found = copier.copies.find([message.digest for message in batch])
    assert {copy.state for copy in found.values()} == {CopyState.VERIFIED}
    assert set(copier.verify_again(list(found)).values()) == {None}


def test_a_maildir_can_be_carried_to_as_well(ledger: Ledger, tmp_path: Path) -> None:
    place = MaildirDestination(tmp_path / "archive", state_dir=tmp_path / "state", clock=NOW)
    copier = Copier(place, ledger.copies(place.identity, place.kind), clock=lambda: 7.0)
    with ChildCopierPool(worth_it=1).lent(copier, 1) as child:
        assert child.copy([simple(1)]) == [CopyResult.COPIED]
    [file] = (tmp_path / "archive" / "new").iterdir()
    assert file.read_bytes().replace(b"\n", b"\r\n") == content(simple(1))


def test_what_is_not_in_memory_is_brought_from_here(copier: Copier, tmp_path: Path) -> None:
    large = in_pieces(tmp_path, 17 * 1024 * 1024)
    with ChildCopierPool(worth_it=1).lent(copier, 2) as child:
        assert child.copy([simple(1)]) == [CopyResult.COPIED]
        assert child.copy([large, simple(2)]) == [CopyResult.COPIED] * 2
        assert child.copy([simple(3)]) == [CopyResult.COPIED]
    assert stored(tmp_path) == [content(message) for message in (simple(1), large, simple(2), simple(3))]


def test_what_goes_wrong_there_is_raised_here_with_all_its_words(copier: Copier, tmp_path: Path) -> None:
    with ChildCopierPool(worth_it=1).lent(copier, 1) as child:
        (tmp_path / "archive").write_bytes(b"a file where the archive should be")
        with pytest.raises(FerryError) as caught:
            child.copy([simple(1)])
    assert caught.value.kind is Kind.ARCHIVE
    assert str(tmp_path / "archive") in caught.value.message
    assert caught.value.cure


def test_an_error_travels_whole() -> None:
    error = FerryError(
        Kind.QUOTA, "full", server_words="no", cure="buy", scope=Scope.MESSAGE, advice=Advice.NEVER, wait=3
    )
    make, arguments = error.__reduce__()
    assert vars(make(*arguments)) == vars(error)


def test_the_copier_takes_over_where_the_child_has_died(copier: Copier, tmp_path: Path) -> None:
    with ChildCopierPool(worth_it=1).lent(copier, 2) as child:
        assert child.copy([simple(1)]) == [CopyResult.COPIED]
        pid = the_only_child()
        with end_of(pid):
            os.kill(pid, signal.SIGKILL)
        assert child.copy([simple(1), simple(2)]) == [CopyResult.DUPLICATE, CopyResult.COPIED]
        assert child.copy([simple(3)]) == [CopyResult.COPIED]
    assert stored(tmp_path) == [content(simple(number)) for number in (1, 2, 3)]


@pytest.mark.parametrize("program", ["/no/such/program", "/bin/false"])
def test_the_copier_takes_over_where_no_child_can_start(
    copier: Copier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(sys, "executable", program)
    with ChildCopierPool(worth_it=1).lent(copier, 1) as child:
        assert child.copy([simple(1)]) == [CopyResult.COPIED]
    assert stored(tmp_path) == [content(simple(1))]


def test_a_signal_to_the_group_ends_no_child(copier: Copier) -> None:
    with ChildCopierPool(worth_it=1).lent(copier, 2) as child:
        assert child.copy([simple(1)]) == [CopyResult.COPIED]
        pid = the_only_child()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
        assert child.copy([simple(2)]) == [CopyResult.COPIED]
        assert the_only_child() == pid


@pytest.mark.parametrize("cut", [1, 20, 1_000])
def test_nothing_of_a_batch_is_brought_that_does_not_come_in_full(copier: Copier, tmp_path: Path, cut: int) -> None:
    one, other = simple(1), small_message(b"x" * 2_000)
    lines = [content(message).replace(b"\r\n", b"\n") for message in (one, other)]
    about = [(*message[:4], [len(text)]) for message, text in zip((one, other), lines, strict=True)]
    copies = copier.copies
    request = pickle.dumps((copier.destination, copies.opener(), copies.destination_id, copier.lease, about))
    whole = LENGTH.pack(len(request)) + request
    shared = os.memfd_create("test")
    os.truncate(shared, SHARED_OCTETS)
    os.pwrite(shared, b"".join(lines), 0)
    command = [sys.executable, "-P", "-m", "migrator.copying.offload_process", str(shared)]

    def ask(said: bytes) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(command, capture_output=True, check=False, pass_fds=[shared], input=said)

    child = ask(whole[:-cut])
    assert (child.returncode, child.stdout, child.stderr) == (0, b"", b"")
    assert stored(tmp_path) == []
    assert ask(whole).stdout
    os.close(shared)
    assert stored(tmp_path) == [content(one), content(other)]


def test_what_is_more_than_the_shared_memory_holds_is_copied_from_here(
    copier: Copier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("migrator.copying.offload_process.SHARED_OCTETS", 4096)
    large = small_message(b"x" * 4_000 + b"\r\n" * 50)
    with ChildCopierPool(worth_it=1).lent(copier, 3) as child:
        assert child.copy([simple(1), large]) == [CopyResult.COPIED] * 2
        assert len(children()) == 1
    assert stored(tmp_path) == [content(simple(1)), content(large)]


def test_a_system_without_shared_memory_gets_no_child(
    copier: Copier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "memfd_create")
    with ChildCopierPool(worth_it=1).lent(copier, 1) as child:
        assert child.copy([simple(1)]) == [CopyResult.COPIED]
        assert not children()
    assert stored(tmp_path) == [content(simple(1))]


def test_a_child_knows_no_secret_of_the_environment(copier: Copier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALICE_PASSWORD", "open sesame")
    with ChildCopierPool(worth_it=1).lent(copier, 1):
        assert b"open sesame" not in Path(f"/proc/{the_only_child()}/environ").read_bytes()


def test_a_child_takes_no_code_from_the_folder_it_is_started_in(
    copier: Copier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pickle.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    with ChildCopierPool(worth_it=1).lent(copier, 1) as child:
        pid = the_only_child()
        assert child.copy([simple(1)]) == [CopyResult.COPIED]
        assert the_only_child() == pid


_PARENT = """
import os, signal, sys, time
from pathlib import Path
from tests.unit.copying.test_offload import NOW, Copier, Ledger, MboxDestination, ChildCopierPool, simple, the_only_child
state = Path(sys.argv[1])
place = MboxDestination(state / "archive", state_dir=state, clock=NOW)
copier = Copier(place, Ledger.open(state).copies(place.identity, place.kind), clock=time.time)
with ChildCopierPool(worth_it=1).lent(copier, 1) as child:
    child.copy([simple(1)])
    print(the_only_child(), flush=True)
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_child_ends_with_the_process_that_lent_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        with end_of(int(parent.stdout.readline())):
            parent.communicate("go\n")
    assert parent.returncode == -signal.SIGKILL


def test_few_messages_and_mailboxes_get_no_child(copier: Copier, ledger: Ledger) -> None:
    mailbox = Copier(MemoryDestination("box", kind="imap"), ledger.copies("box", "imap"), clock=lambda: 7.0)
    child_copiers = ChildCopierPool(worth_it=10)
    with child_copiers.lent(copier, 9) as one, child_copiers.lent(mailbox, 10) as two:
        assert one.copy([simple(1)]) == [CopyResult.COPIED]
        assert two is mailbox
        assert not children()


def test_small_runs_together_get_one_and_it_goes_with_the_last(copier: Copier, tmp_path: Path) -> None:
    child_copiers = ChildCopierPool(worth_it=10)
    with child_copiers.lent(copier, 5) as one:
        with child_copiers.lent(copier, 5) as two:
            assert two.copy([simple(1)]) == [CopyResult.COPIED]
            pid = the_only_child()
        assert one.copy([simple(2)]) == [CopyResult.COPIED]
        assert the_only_child() == pid
    assert not children()
    with child_copiers.lent(copier, 9) as three:
        assert three.copy([simple(3)]) == [CopyResult.COPIED]
        assert not children()
    assert stored(tmp_path) == [content(simple(number)) for number in (1, 2, 3)]


def test_while_the_child_is_busy_others_copy_themselves(ledger: Ledger, tmp_path: Path, copier: Copier) -> None:
    child_copiers = ChildCopierPool(worth_it=1)
    places = [MboxDestination(tmp_path / name, state_dir=tmp_path / "state", clock=NOW) for name in "abc"]
    copiers = [Copier(place, ledger.copies(place.identity, "mbox"), clock=lambda: 7.0) for place in places]

    def copy(copier: Copier) -> Sequence[Outcome]:
        with child_copiers.lent(copier, 30) as copier_for:
            return [outcome for number in range(30) for outcome in copier_for.copy([simple(number)])]

    with ThreadPoolExecutor() as threads:
        outcomes = list(threads.map(copy, copiers))
    assert outcomes == [[CopyResult.COPIED] * 30] * 3
    assert not children()

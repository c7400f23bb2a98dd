from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from migrator.destinations import Destination
from migrator.errors import Kind
from migrator.model import Proof, UniqueId
from migrator.policy import DeleteWhenVerified, Policy, SourceProof
from migrator.report import Status
from tests.mail import message_of
from tests.rig import Rig, deleting
from tests.scripted_destination import ScriptedFolder, ScriptedMailbox
from tests.servers.pop3 import Fault, Maildrop, Pop3Server
from tests.servers.pop3_faults import (
    Answers,
    AtMessages,
    DropBefore,
    ExclusiveAccess,
    InSessions,
    OnlyFirst,
    QuitRefused,
)

LETTERS = [b"Message-ID: <%d@example.org>\r\n\r\nletter %d\r\n" % (n, n) for n in range(1, 6)]
TWINS = [b"Message-ID: <twin@example.org>\r\n\r\n" + word for word in (b"one\r\n", b"two\r\n")]
BY_HEADERS = Policy(DeleteWhenVerified(), SourceProof.HEADERS)


@pytest.fixture
def folder() -> ScriptedFolder:
    return ScriptedFolder("one")


def rig_of(root: Path, server: Pop3Server, folder: ScriptedFolder) -> Rig:
    def places(_: Rig) -> Sequence[Destination]:
        return [folder]

    return Rig(root, server, destinations=places)


def kept(root: Path, server: Pop3Server, folder: ScriptedFolder) -> Rig:
    """Copy everything and keep it; the next run is to delete what headers prove."""
    rig = rig_of(root, server, folder)
    assert rig.migrate().status is Status.OK
    folder.calls.clear()
    rig.policy = BY_HEADERS
    return rig


def by_headers(maildrop: Maildrop, *faults: Fault) -> Pop3Server:
    return Pop3Server(maildrop, faults=faults, allows_top_proof=True)


def test_the_steps_of_a_deletion_come_in_this_order(tmp_path: Path) -> None:
    steps: list[str] = []
    with Pop3Server(Maildrop(LETTERS)) as server:
        rig = deleting(Rig(tmp_path, server, step=steps.append))
        assert rig.migrate().deleted == 5
    begin = steps.index("deletion.requested")
    assert steps[begin : begin + 4] == ["deletion.requested", "source.dele-sent", "source.quit", "deletion.recorded"]


def test_what_headers_prove_is_verified_again_and_not_retrieved(tmp_path: Path, folder: ScriptedFolder) -> None:
    with by_headers(Maildrop(LETTERS)) as server:
        report = kept(tmp_path, server, folder).migrate()
        assert (report.status, report.verified, report.deleted, server.counts()["RETR"]) == (Status.OK, 5, 5, 5)
        assert folder.calls == ["read 5"]


def test_proof_by_headers_goes_on_where_a_server_shows_parts(tmp_path: Path, folder: ScriptedFolder) -> None:
    view = OnlyFirst(2)
    with by_headers(Maildrop(LETTERS), view) as server:
        rig = deleting(rig_of(tmp_path, server, folder))
        assert rig.migrate().deleted == 5  # and it is known now that this server shows parts
        for letter in LETTERS:
            server.maildrop.add(letter)
        view.count, rig.policy = 5, Policy()
        assert rig.migrate().duplicates == 5
        view.count, rig.policy = 2, BY_HEADERS
        assert (rig.migrate().deleted, server.maildrop.left()) == (5, [])


def test_what_was_only_recognised_is_retrieved_before_it_is_deleted(tmp_path: Path, folder: ScriptedFolder) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        rig = kept(tmp_path, server, folder)
    moved = Maildrop()
    for number, content in enumerate(LETTERS):
        moved.add(content, b"other-%d" % number)
    with by_headers(moved) as server:
        rig.server, rig.policy = server, Policy()
        assert rig.migrate().known == 5
        moved.add(b"Subject: new\r\n\r\nnew\r\n")
        assert rig.migrate().copied == 1
        before = server.counts()
        rig.policy = BY_HEADERS
        report = rig.migrate()
        assert (report.status, report.deleted, moved.left()) == (Status.OK, 6, [])
        assert (server.counts()["RETR"] - before["RETR"], server.counts()["TOP"] - before["TOP"]) == (5, 1)


def test_a_line_that_breaks_over_headers_is_no_refusal(tmp_path: Path, folder: ScriptedFolder) -> None:
    with by_headers(Maildrop(LETTERS), InSessions(DropBefore("TOP"), first=3)) as server:
        report = kept(tmp_path, server, folder).migrate()
        assert (report.status, report.problems, report.deleted) == (Status.OK, [], 5)
        assert (server.counts()["TOP"], server.counts()["RETR"]) == (2, 10)


def test_headers_prove_nothing_while_a_copy_is_damaged(tmp_path: Path, folder: ScriptedFolder) -> None:
    with by_headers(Maildrop(LETTERS)) as server:
        rig = kept(tmp_path, server, folder)
        folder.stored["copy-2"] = b"damage"
        report = rig.migrate()
        assert (report.status, report.deleted, server.maildrop.left()) == (Status.PARTIAL, 4, [LETTERS[2]])
        assert [(problem.kind, problem.unique_id) for problem in report.problems] == [(Kind.MISMATCH, b"uid-00000003")]
        assert server.counts()["RETR"] == 5


def test_headers_delete_nothing_of_which_a_person_took_a_copy_out(tmp_path: Path, folder: ScriptedFolder) -> None:
    with by_headers(Maildrop(LETTERS)) as server:
        rig = kept(tmp_path, server, folder)
        folder.stored.pop("copy-2")
        report = rig.migrate()
        assert (report.status, report.deleted, server.maildrop.left()) == (Status.OK, 4, [LETTERS[2]])
        assert report.notes == ["it is gone"]


def test_what_a_server_altered_is_proven_by_content(tmp_path: Path) -> None:
    mailbox = ScriptedMailbox(required_proof=Proof.CANONICAL, alter=lambda content: content.removesuffix(b"\r\n"))
    mailbox.alters = {message_of(LETTERS[0]).digest}
    with by_headers(Maildrop(LETTERS)) as server:
        report = kept(tmp_path, server, mailbox).migrate()
        assert (report.status, report.deleted, server.counts()["RETR"]) == (Status.OK, 5, 6)


def test_headers_that_several_messages_of_one_unique_id_share_tell_nothing(
    tmp_path: Path, folder: ScriptedFolder
) -> None:
    maildrop = Maildrop()
    for twin in TWINS:
        maildrop.add(twin, b"same")
    with by_headers(maildrop) as server:
        report = kept(tmp_path, server, folder).migrate()
        assert (report.status, report.deleted, maildrop.left()) == (Status.PARTIAL, 0, TWINS)
        assert {problem.kind for problem in report.problems} == {Kind.AMBIGUOUS}


def test_a_session_with_nothing_to_delete_ends_with_quit(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        Rig(tmp_path, server).migrate()
        assert server.counts()["QUIT"] == len(server.logins)


def test_a_quit_that_is_refused_says_why_nothing_is_deleted(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[QuitRefused(times=9)]) as server:
        report = deleting(Rig(tmp_path, server)).migrate()
        assert (report.status, report.deleted) == (Status.PARTIAL, 0)
        named = [problem.message for problem in report.problems if problem.unique_id]
        assert len(named) == 5
        assert not [words for words in named if "the session ended before its QUIT" in words]


def test_a_dele_that_breaks_the_line_says_of_the_others_that_they_had_no_quit(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[DropBefore("DELE")]) as server:
        report = deleting(Rig(tmp_path, server)).migrate()
        assert (report.copied, report.failed, report.deleted) == (5, 0, 0)
        named = {problem.unique_id: problem.message for problem in report.problems}
        assert "the session ended before its QUIT" in named[UniqueId(b"uid-00000005")]


def test_a_dele_that_breaks_the_line_keeps_no_other_from_going(tmp_path: Path) -> None:
    faults = [AtMessages("DELE", [2], DropBefore("DELE"))]
    with Pop3Server(Maildrop(LETTERS), faults=faults) as server:
        report = deleting(Rig(tmp_path, server)).migrate()
        assert (report.copied, report.failed, report.deleted) == (5, 0, 4)
        assert [problem.unique_id for problem in report.problems] == [b"uid-00000002"]
        assert "quarantine --accept" in report.problems[0].message


@pytest.mark.parametrize(("most", "deleted"), [(5, 5), (4, 0)])
def test_more_than_may_be_deleted_means_none(tmp_path: Path, most: int, deleted: int) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        rig = Rig(tmp_path, server)
        rig.migrate()
        rig.policy = Policy(DeleteWhenVerified(), max_delete=most)
        report = rig.migrate()
        assert (report.deleted, server.counts()["DELE"]) == (deleted, deleted)
        told = [problem.message for problem in report.problems]
        assert [words.partition(":")[0] for words in told] == (
            [] if deleted else ["5 messages would be deleted at the source and --max-delete allows 4"]
        )


def test_a_line_is_dropped_although_quit_was_refused(tmp_path: Path) -> None:
    faults = [Answers("QUIT", words="-ERR no"), ExclusiveAccess()]
    with Pop3Server(Maildrop(LETTERS), faults=faults) as server:
        report = Rig(tmp_path, server).migrate()
        assert (report.status, report.copied, len(server.logins)) == (Status.OK, 5, 2)

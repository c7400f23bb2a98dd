"""Server, archive and ledger as a model: whatever happens in whatever order, no message is ever absent from both."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from migrator.policy import DeleteAfter, DeleteWhenVerified, Keep, Policy, SourceProof
from tests.kept_numbers import wrongly_kept
from tests.rig import Rig
from tests.servers.maildrop import StoredMessage
from tests.servers.pop3 import Maildrop, Pop3Server
from tests.servers.pop3_faults import (
    DropAfterBytes,
    DropUnanswered,
    NoUniqueIds,
    OnlyFirst,
    QuitRefused,
    RepeatedUniqueIds,
    ReplyStray,
    SeenEmpty,
    WrongSizes,
)
from tests.servers.pop3_session import Fault

POLICIES = (
    Policy(leave_on_server=Keep()),
    Policy(leave_on_server=DeleteWhenVerified()),
    Policy(leave_on_server=DeleteWhenVerified(), source_proof=SourceProof.HEADERS),
    Policy(leave_on_server=DeleteAfter(timedelta(days=2))),
)

STEPS = (
    "listing.noted",
    "copies.intended",
    "mbox.appended",
    "mbox.fsynced",
    "copies.stored",
    "copies.judged",
    "messages.copied",
    "deletion.requested",
    "source.dele-sent",
    "source.quit",
)


class KilledError(BaseException):
    """Stands for the end of the process; tests/crash has the real one."""


def faults() -> st.SearchStrategy[Sequence[Fault]]:
    one = st.one_of(
        st.integers(200, 4000).map(DropAfterBytes),
        st.just(DropUnanswered("QUIT", times=1)),
        st.just(QuitRefused(times=1)),
        st.just(ReplyStray("RETR", times=1)),
        st.just(NoUniqueIds()),
        st.just(OnlyFirst(2)),
        st.just(SeenEmpty(1)),
        st.just(RepeatedUniqueIds(2)),
        st.integers(-5, 50).map(WrongSizes),
    )
    return st.lists(one, max_size=2)


class Mailferry(RuleBasedStateMachine):
    """The rules are what a server's owner, its other clients, the line and the machine may do."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="mailferry-model-"))
        self.maildrop = Maildrop()
        self.now = 1_790_000_000.0
        self.known: set[bytes] = set()
        self.removed: set[bytes] = set()
        self.count = 0
        self.policy = POLICIES[0]

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize()
    def first_mail(self) -> None:
        self.deliver(7, has_headers=True)

    @rule(length=st.integers(0, 9), has_headers=st.booleans())
    def deliver(self, length: int, has_headers: bool) -> None:
        """New mail; lengths repeat, so that octets are equal and contents are not."""
        self.count += 1
        header = b"Message-ID: <%05d@example.org>\r\n" % self.count if has_headers else b"Subject: hello\r\n"
        content = header + b"\r\nFrom %05d\r\n.\r\n%s\r\n" % (self.count, b"x" * length)
        self.known.add(content)
        self.maildrop.add(content)

    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        """The very same bytes once more."""
        content = data.draw(st.sampled_from(sorted(self.known)))
        self.removed.discard(content)
        self.maildrop.add(content)

    @rule(data=st.data())
    def deliver_under_a_used_unique_id(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(1, max(1, self.count)))
        self.count += 1
        content = b"Subject: reuse\r\n\r\n%05d\r\n" % self.count
        self.known.add(content)
        self.maildrop.add(content, b"uid-%08d" % number)

    @rule(data=st.data())
    def another_client_removes(self, data: st.DataObject) -> None:
        if stored := self.maildrop.stored():
            message: StoredMessage = data.draw(st.sampled_from(stored))
            self.maildrop.remove(message)
            self.removed.add(message.content)

    @rule()
    def the_server_renumbers(self) -> None:
        for message in self.maildrop.stored():
            self.maildrop.remove(message)
            self.count += 1
            self.maildrop.add(message.content, b"new-%08d" % self.count)

    @rule(policy=st.sampled_from(POLICIES))
    def the_owner_decides(self, policy: Policy) -> None:
        self.policy = policy

    @rule(days=st.integers(1, 3))
    def time_passes(self, days: int) -> None:
        self.now += days * 86_400

    def server(self, faults: Sequence[Fault] = ()) -> Pop3Server:
        """Return the source, which lets headers stand for a RETR where the owner does."""
        by_headers = self.policy.source_proof is SourceProof.HEADERS
        return Pop3Server(self.maildrop, faults=faults, allows_top_proof=by_headers)

    @rule(faults=faults())
    def a_run(self, faults: Sequence[Fault]) -> None:
        with self.server(faults) as server:
            self.rig(server).migrate()

    @rule(name=st.sampled_from(STEPS), count=st.integers(1, 3))
    def a_run_is_killed(self, name: str, count: int) -> None:
        seen: Counter[str] = Counter()

        def step(reached: str) -> None:
            seen[reached] += 1
            if (reached, seen[reached]) == (name, count):
                raise KilledError

        with self.server() as server:
            rig = self.rig(server)
            rig.step = step
            try:
                rig.migrate()
            except KilledError:
                return

    @rule()
    def a_run_that_nothing_disturbs(self) -> None:
        with self.server() as server:
            report = self.rig(server).migrate()
            if any("deleted by its age" in problem.message for problem in report.problems):
                report = self.rig(server).migrate()  # as the problem's cure says: somebody has looked at the clock
            kinds = {str(problem.kind) for problem in report.problems}
            assert kinds <= {"changed", "short", "ambiguous"}, report.problems

    @invariant()
    def no_message_is_absent_from_both(self) -> None:
        stored, left = Counter(self.rig(None).stored()), set(self.maildrop.left())
        assert not {content for content, count in stored.items() if count > 1}, "stored twice"
        assert not stored.keys() - self.known, "stored what nobody sent"
        assert not self.known - self.removed - stored.keys() - left, "lost"

    @invariant()
    def the_numbers_that_are_kept_are_counted_ones(self) -> None:
        assert wrongly_kept(self.rig(None).state) == {}

    def rig(self, server: Pop3Server | None) -> Rig:
        return Rig(
            self.folder,
            server or Pop3Server.__new__(Pop3Server),
            timeout=2.0,
            policy=self.policy,
            clock=lambda: self.now,
        )


TestMailferry = Mailferry.TestCase
TestMailferry.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)

"""A real server behind a line that breaks in every session: one run brings everything home."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from migrator.report import Status
from tests.mail import letters
from tests.rig import At, Rig, deleting, keeping
from tests.servers.delay import DelayProxy
from tests.servers.dovecot import Dovecot

MAIL = letters(1_000, octets=5_000)


@pytest.mark.parametrize("policy", [keeping, deleting])
@pytest.mark.parametrize("carries", [900_000, 150_000])
def test_a_line_that_carries_so_many_octets_in_a_session_is_enough_for_a_thousand_messages(
    dovecot: Dovecot, tmp_path: Path, carries: int, policy: Callable[[Rig], Rig]
) -> None:
    dovecot.deliver("alice", MAIL)
    with DelayProxy(dovecot.pop3_port, carries=carries) as line:
        rig = policy(Rig(tmp_path, At(line.port, dovecot.password)))
        report = rig.migrate()
    assert (report.status, report.copied, report.problems) == (Status.OK, len(MAIL), [])
    assert sorted(rig.stored()) == sorted(MAIL)
    assert dovecot.count("alice") == (0 if policy is deleting else len(MAIL))

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from migrator.errors import Advice, Kind
from migrator.ledger.lease import LeaseLostError
from migrator.ledger.postgres.failures import failure
from migrator.ledger.postgres.leases import LOST


class LeaseTakenOver(psycopg.Error):  # as psycopg names its own
    sqlstate = LOST


class IllegalMove(psycopg.Error):  # as above
    sqlstate = "MF002"


@pytest.mark.parametrize(
    ("error", "kind", "advice", "finding"),
    [
        (psycopg.OperationalError("connection refused\nis it running?"), Kind.INTERNAL, Advice.LATER, "ledger-away"),
        (errors.AdminShutdown("x"), Kind.INTERNAL, Advice.LATER, "ledger-away"),
        (errors.CannotConnectNow("x"), Kind.INTERNAL, Advice.LATER, "ledger-away"),
        (errors.TooManyConnections("x"), Kind.INTERNAL, Advice.LATER, "ledger-away"),
        (errors.QueryCanceled("x"), Kind.INTERNAL, Advice.LATER, "ledger-away"),
        (errors.ReadOnlySqlTransaction("x"), Kind.INTERNAL, Advice.LATER, "ledger-away"),
        (errors.InvalidPassword("x"), Kind.INTERNAL, Advice.LATER, "ledger-away"),
        (errors.InvalidCatalogName("x"), Kind.INTERNAL, Advice.LATER, "ledger-away"),
        (errors.DiskFull("x"), Kind.DISK_FULL, Advice.LATER, ""),
        (errors.LockNotAvailable("x"), Kind.LOCKED, Advice.LATER, ""),
        (errors.DeadlockDetected("x"), Kind.LOCKED, Advice.LATER, ""),
        (errors.SerializationFailure("x"), Kind.LOCKED, Advice.LATER, ""),
        (LeaseTakenOver("x"), Kind.LOCKED, Advice.LATER, ""),
        (errors.UniqueViolation("x"), Kind.INTERNAL, Advice.NEVER, ""),
        (IllegalMove("x"), Kind.INTERNAL, Advice.NEVER, ""),
        (errors.UndefinedTable("x"), Kind.INTERNAL, Advice.NEVER, ""),
    ],
)
def test_what_an_error_means_for_a_run(error: psycopg.Error, kind: Kind, advice: Advice, finding: str) -> None:
    ours = failure(error, "mailferry at db")
    assert (ours.kind, ours.advice, ours.finding) == (kind, advice, finding)
    assert "\n" not in ours.message
    assert isinstance(ours, LeaseLostError) == isinstance(error, LeaseTakenOver)

"""What PostgreSQL's errors mean for a run: foreign exceptions become ours here, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from migrator.errors import Advice, FerryError, Kind, Scope
from migrator.ledger.lease import LeaseLostError
from migrator.ledger.postgres.leases import LOST

ILLEGAL = "MF002"
"""SQLSTATE of a move that the ledger's rules forbid."""

_LOCKED = frozenset({"55P03", "40P01", "40001"})
_AWAY = ("08", "57P", "53300")
_TOO_SLOW = frozenset({"57014", "25P03"})
_READ_ONLY = "25006"
_AWAY_CURE = "start the database again; nothing was deleted meanwhile, and the next run goes on by itself"
_STANDBY_CURE = (
    "it is a standby: name every machine, as postgresql://ONE,OTHER/DATABASE?target_session_attrs=read-write"
)


class LedgerAwayError(FerryError):
    """The database is away, be it for a moment: nothing of it is the account's fault."""


@contextmanager
def mapped(place: str) -> Iterator[None]:
    """Turn PostgreSQL's errors into ours, naming the database and the cure."""
    try:
        yield
    except psycopg.Error as error:
        raise failure(error, place) from error


def failure(error: psycopg.Error, place: str) -> FerryError:
    """Say what an error of this database means."""
    state = error.sqlstate or ""
    words = next(iter((error.diag.message_primary or str(error)).strip().splitlines()), "it says nothing")
    if state == "53100":
        cure = "make room on the disk of the database"
        return FerryError(Kind.DISK_FULL, f"there is no room to write the ledger {place}: {words}", cure=cure)
    if state == LOST:
        return LeaseLostError()
    if state in _LOCKED:
        return FerryError(Kind.LOCKED, f"another session holds what is needed in the ledger {place}: {words}")
    if state.startswith("23") or state == ILLEGAL:
        return FerryError(Kind.INTERNAL, f"the ledger {place} refused a step that would break its rules: {words}")
    if state in _TOO_SLOW or (state.startswith(_AWAY) if state else isinstance(error, psycopg.OperationalError)):
        return _away(place, words)
    if state == _READ_ONLY:
        return _away(place, words, _STANDBY_CURE)
    if state.startswith(("28", "3D", "42501")):
        cure = "check the address, the role and its rights; the password stands in libpq's passfile or service file"
        return FerryError(
            Kind.INTERNAL,
            f"the ledger {place} cannot be used: {words}",
            cure=cure,
            scope=Scope.SERVICE,
            advice=Advice.LATER,
            finding="ledger-away",
        )
    return FerryError(Kind.INTERNAL, f"the ledger {place} answered with an error: {words}", scope=Scope.SERVICE)


def _away(place: str, words: str, cure: str = _AWAY_CURE) -> LedgerAwayError:
    """Of an answer that did not come it is not known what became of the question: it counts as failed."""
    return LedgerAwayError(
        Kind.INTERNAL,
        f"the ledger {place} does not answer: {words}",
        cure=cure,
        scope=Scope.ACCOUNT,
        advice=Advice.LATER,
        finding="ledger-away",
    )

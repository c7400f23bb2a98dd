"""A worker that owns something, to be stopped and woken by a test: it says what it does, and does what it is told.

    python -m tests.unit.ledger.postgres.sleeper DSN SECONDS

It takes the lease ``account ann`` and says ``owned EPOCH``. Told ``begin`` it begins a fenced transaction and writes a
row; told ``write``, a whole one; told ``commit``, the end of the first; told ``ask``, whether its lease holds.
"""

from __future__ import annotations

import sys
from functools import partial

import psycopg

from migrator.ledger.postgres.leases import FENCE, Leases, Ownership


def main() -> None:
    dsn, seconds = sys.argv[1], float(sys.argv[2])
    leases = Leases(partial(psycopg.connect, dsn, autocommit=True), "sleeper", seconds=seconds)
    own = Ownership(leases)
    work = psycopg.connect(dsn)
    with own.owning("account ann"):
        [fence] = own.fences
        say(f"owned {fence.epoch}")
        for line in sys.stdin:
            try:
                match line.strip():
                    case "begin":
                        work.execute(FENCE, fence)
                        work.execute("insert into effects (epoch) values (%s)", [fence.epoch])
                        say("begun")
                    case "commit":
                        work.commit()
                        say("committed")
                    case "write":
                        with work.transaction():
                            work.execute(FENCE, fence)
                            work.execute("insert into effects (epoch) values (%s)", [fence.epoch])
                        say("written")
                    case "ask":
                        say("holds" if own.holds(0.1) else "lost")
                    case unknown:
                        say(f"cannot {unknown}")
            except psycopg.Error as error:
                say(f"refused {error.sqlstate}")


def say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

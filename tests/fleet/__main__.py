"""Real workers tortured for as long as it is asked: killed, frozen or cut off for a moment or a minute; and their database.

    python -m tests.fleet [--minutes 10] [--accounts 300] [--workers 3] [--seed 1] [--keep FOLDER]

New mail comes all the time. At the end every message must be at its destination exactly once, and at no source; and
the server's log must show no effect of an epoch after the next one was taken. What is not so is named. A worker that is
frozen in the very moment between its last look at its lease and the end of an APPEND may leave a second copy
(docs/promises.md).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from tests.fleet.torture import Torture
from tests.servers.postgres import Postgres

EACH = 5
PATIENCE = 300.0
"""How long it may take, once nothing happens any more, until all is done."""


def say(words: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {words}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description="Torture real workers.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--accounts", type=int, default=300)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="keep the logs in this folder")
    options = parser.parse_args()
    chance = Random(options.seed)
    with (
        tempfile.TemporaryDirectory(prefix="mf-fleet-") as folder,
        Postgres() as server,
        Torture(options.keep or Path(folder), server, accounts=options.accounts, chance=chance) as torture,
    ):
        fleet = torture.fleet
        fleet.deliver(EACH)
        with torture.at_work(options.workers):
            began = time.monotonic()
            end = began + 60 * options.minutes
            restarts = [began + 60 * options.minutes * share for share in (0.3, 0.6)]
            while time.monotonic() < end:
                torture.once()
                for _ in range(10):
                    fleet.deliver_to(chance.randrange(options.accounts), 1)
                if restarts and time.monotonic() > restarts[0]:
                    restarts.pop(0)
                    torture.restart_database()
                time.sleep(3)
                say(f"{fleet.left()} left, {dict(torture.happened)}")
            torture.relieve_all()
            until = time.monotonic() + PATIENCE
            while fleet.left() and time.monotonic() < until:
                time.sleep(3)
                say(f"{fleet.left()} left")
            say(f"all that is left took {time.monotonic() - until + PATIENCE:.0f} s")
            wrong = torture.wrong()
            if options.keep:
                (options.keep / "dovecot.log").write_text(fleet.dovecot.log())
            say(f"{dict(torture.happened)}; {torture.counted()}; {len(wrong)} things are not as they should be")
        for line in wrong:
            say(line)
        return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""Real workers tortured for as long as it is asked: killed, frozen for a moment or a minute, their database restarted.

    python -m tests.fleet [--minutes 10] [--accounts 300] [--workers 3] [--seed 1]

New mail comes all the time. At the end every message must be at its destination exactly once, and at no source; each
account that is not so is named. A worker that is frozen in the very moment between its last look at its lease and the
end of an APPEND may leave a second copy (docs/promises.md).
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random

from tests.fleet.real import RealFleet
from tests.servers.dovecot import Dovecot
from tests.servers.postgres import Postgres

EACH = 5
LEASE = 60.0


def say(words: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {words}\n")
    sys.stdout.flush()


class Torture:
    """What happens to a fleet, by chance."""

    def __init__(self, fleet: RealFleet, server: Postgres, chance: Random) -> None:
        self._fleet = fleet
        self._server = server
        self._chance = chance
        self._asleep: dict[str, float] = {}
        self._hired = len(fleet.workers)
        self.happened: Counter[str] = Counter()

    def once(self) -> None:
        """Wake who has slept long enough; let something happen to somebody."""
        for name, until in list(self._asleep.items()):
            if time.monotonic() > until:
                del self._asleep[name]
                with suppress(KeyError):
                    self._fleet.tell(name, signal.SIGCONT)
        awake = [name for name in self._fleet.workers if name not in self._asleep]
        what = self._chance.choice(["kill", "freeze", "freeze", "nap", "nothing"])
        if len(awake) < 2 or what == "nothing":  # one is left to do the work
            return
        name = self._chance.choice(awake)
        self.happened[what] += 1
        if what == "kill":
            self._fleet.kill(name)
            self._fleet.hire(f"w{self._hired}")
            self._hired += 1
            return
        self._fleet.tell(name, signal.SIGSTOP)
        seconds = self._chance.uniform(1, 8) if what == "nap" else self._chance.uniform(LEASE, 1.5 * LEASE)
        self._asleep[name] = time.monotonic() + seconds

    def restart_database(self) -> None:
        """Restart the database, as a person would who upgrades it."""
        self.happened["restart"] += 1
        self._server.restart()

    def end(self) -> None:
        """Wake everybody."""
        for name in self._asleep:
            with suppress(KeyError):
                self._fleet.tell(name, signal.SIGCONT)
        self._asleep.clear()


def main() -> int:
    parser = argparse.ArgumentParser(description="Torture real workers.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--accounts", type=int, default=300)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    settings = {"mail_max_userip_connections": "1000"}
    with (
        tempfile.TemporaryDirectory(prefix="mf-fleet-") as folder,
        Postgres() as server,
        server.database() as database,
        Dovecot(settings=settings) as dovecot,
    ):
        fleet = RealFleet(Path(folder), server.dsn(database), dovecot, options.accounts, per_host=8, every="2 minutes")
        chance = Random(options.seed)
        fleet.deliver(EACH)
        with fleet.working(options.workers):
            torture = Torture(fleet, server, chance)
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
            torture.end()
            until = time.monotonic() + 300
            while fleet.left() and time.monotonic() < until:
                time.sleep(3)
                say(f"{fleet.left()} left")
        wrong, left = fleet.wrong(), fleet.left()
        say(
            f"{dict(torture.happened)}; {left} messages left at their sources; {len(wrong)} accounts not as they should be"
        )
        for line in wrong:
            say(line)
        return 1 if wrong or left else 0


if __name__ == "__main__":
    sys.exit(main())

"""``python -m tests.model --histories 1000 --seed S``: play random histories and print the small ones that break a law."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from tests.model.histories import PLACES, history_of, play, play_moments, shrunk
from tests.model.stage import Stage
from tests.model.steps import KINDS
from tests.servers.postgres import Postgres

_TELL_EVERY = 50


def main() -> int:
    """Play; exit with 1 if any history broke a law."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--histories", type=int, default=100, help="how many (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="of the first; the others follow it")
    parser.add_argument("--shrink", type=float, default=60.0, help="seconds for making a failing history small")
    parser.add_argument("--stop-after", type=int, default=1_000_000, help="failures (default: never)")
    parser.add_argument("--places", default=PLACES, help=f"only these destinations (default: {PLACES})")
    parser.add_argument("--without", default="", help="kinds of steps to leave out, with commas between")
    parser.add_argument("--postgres", action="store_true", help="with the ledgers in databases of PostgreSQL")
    parser.add_argument("--moments", action="store_true", help="go on with the state of every moment of each history")
    options = parser.parse_args()
    how = play_moments if options.moments else play
    for name in filter(None, options.without.split(",")):
        del KINDS[name]
    broken: Counter[str] = Counter()
    fast = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="mailferry-model-", dir=fast if fast.is_dir() else None) as name:
        folder = Path(name)
        (folder / "stage").mkdir()
        with ExitStack() as stack:
            server = stack.enter_context(Postgres()) if options.postgres else None
            stage = stack.enter_context(Stage(folder / "stage", server))
            for seed in range(options.seed, options.seed + options.histories):
                if seed > options.seed and (seed - options.seed) % _TELL_EVERY == 0:
                    _print(f"... {seed - options.seed} histories, {broken.total()} broken laws")
                failure = how(history_of(seed, options.places), stage, folder)
                if failure is None:
                    continue
                small = shrunk(failure, stage, folder, seconds=options.shrink, how=how)
                broken[small.law] += 1
                _print(f"--- history {seed} breaks the law {small.law!r}\n{small}\n")
                if broken.total() >= options.stop_after:
                    break
    _print(f"{options.histories} histories from seed {options.seed}: {broken.total()} broken laws {dict(broken)}")
    return 1 if broken else 0


def _print(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

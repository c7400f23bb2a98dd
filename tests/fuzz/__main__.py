"""Fuzz every parser, or those named, for a time: ``python -m tests.fuzz [--seconds N] [TARGET…]``.

What covers something new is kept in a cache folder between runs; input that breaks a parser is kept there, too, and
named at the end: put it into ``tests/fuzz/corpus/TARGET`` together with the repair.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.targets import CORPUS, TARGETS

SLOWEST_SECONDS = 10
"""A single input that takes longer is a finding."""
MEMORY_MIB = 1024
LONGEST_INPUT = 4096


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz every parser, or those named.")
    parser.add_argument("--seconds", type=int, default=600, help="for all targets together (default: 600)")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}")
    options = parser.parse_args()
    if unknown := sorted(set(options.targets) - set(TARGETS)):
        parser.error(f"no such target: {', '.join(unknown)}")
    if find_spec("atheris") is None:
        parser.error("atheris is missing; it comes with the development environment on Python 3.11 to 3.13")
    targets = options.targets or list(TARGETS)
    kept = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mailferry-fuzz"
    broken = [
        target
        for target in targets
        if not fuzz(target, kept, [f"-max_total_time={options.seconds // len(targets) or 1}"])
    ]
    print(f"fuzz: {len(targets) - len(broken)} of {len(targets)} targets held")  # noqa: T201  its answer
    for target in broken:
        print(f"fuzz: {target} broke; see {kept / target / 'broken'}")  # noqa: T201  its answer
    return 1 if broken else 0


def fuzz(target: str, kept: Path, options: Sequence[str]) -> bool:
    """Let atheris try a target; False if something broke it, and then the input is kept in ``broken``."""
    found, broken = kept / target / "corpus", kept / target / "broken"
    for folder in (found, broken):
        folder.mkdir(parents=True, exist_ok=True)
    bounds = [f"-timeout={SLOWEST_SECONDS}", f"-rss_limit_mb={MEMORY_MIB}", f"-max_len={LONGEST_INPUT}"]
    command = [sys.executable, "-m", "tests.fuzz.engine", target, str(found), str(CORPUS / target)]
    command += [f"-artifact_prefix={broken}/", "-verbosity=0", "-print_final_stats=1", *bounds, *options]
    same_order = {**os.environ, "PYTHONHASHSEED": "0"}  # so that a seed means the same run
    return subprocess.run(command, check=False, env=same_order).returncode == 0


if __name__ == "__main__":
    sys.exit(main())

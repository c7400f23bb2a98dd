"""A sheet of many accounts: what reading it costs, and what going through all accounts does, in a process of its own.

python -m benchmarks.sheet_rows [--rows N] [--hosts N]
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]

_MEASURED = """
import resource, sys, time
from pathlib import Path
from migrator.config import load

def most():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:")) / 1024

def said(what, began):
    print(f"{what:32} {time.process_time() - began:6.2f} s of CPU, {most():4.0f} MiB at most so far")

began = time.process_time()
config = load(Path(sys.argv[1]))
said("the configuration is read", began)
began = time.process_time()
assert sum(1 for account in config.accounts if account.source.host) == int(sys.argv[2])
said("all accounts, one after another", began)
began = time.process_time()
assert config.named(next(config.names())) is not None
said("one account by its name", began)
"""


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--hosts", type=int, default=400)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mailferry-bench-") as folder:
        config = configuration(Path(folder), wanted.rows, wanted.hosts)
        command = [sys.executable, "-c", _MEASURED, str(config), str(wanted.rows)]
        return subprocess.run(command, cwd=REPOSITORY, check=False).returncode


def configuration(folder: Path, rows: int, hosts: int) -> Path:
    """Write a sheet of so many accounts at so many hosts, and the configuration that names it; returns its path."""
    with (folder / "accounts.csv").open("w", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(["name", "host", "username", "password", "mbox"])
        for number in range(rows):
            user = f"user{number:06}@example.org"
            host = f"pop{number % hosts}.example.org"
            sheet.writerow([user, host, user, f"secret-{number:08}", f"archive/user{number:06}"])
    (folder / "accounts.csv").chmod(0o600)
    config = folder / "config.toml"
    config.write_text('accounts_file = "accounts.csv"\n')
    return config


if __name__ == "__main__":
    sys.exit(main())

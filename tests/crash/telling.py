"""Changes whom to tell in a process of its own that dies, as by SIGKILL, at the n-th change to a folder.

    python -m tests.crash.telling FOLDER N

Exit code 0: N was beyond the last.
"""

from __future__ import annotations

import sys
from pathlib import Path

from migrator.config import load
from migrator.operations.change_account import Author
from migrator.operations.change_telling import ByMail, Telling, save_telling, settings_text, with_telling
from tests.crash.adding import dies_at


def mail(host: str, password: str) -> Telling:
    return Telling(ByMail(host, 25, "starttls", "ferry@example.org", ["ann@example.org"], "ferry", password))


def main() -> None:
    folder, number, host, password = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    config = load(folder / "config.toml")
    proposal = with_telling(settings_text(config), mail(host, password), config)
    dies_at(number, folder)
    save_telling(proposal, config, Author("ann", 2.0))


if __name__ == "__main__":
    main()

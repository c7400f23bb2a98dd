"""Changes an account in a process of its own that dies, as by SIGKILL, at the n-th change to a folder.

    python -m tests.crash.changing FOLDER N

Exit code 0: N was beyond the last.
"""

from __future__ import annotations

import sys
from pathlib import Path

from migrator.config import load
from migrator.config.edited import Change, edited
from migrator.operations.change_account import Author, OwnFile, free_name, own_file, save
from tests.crash.adding import dies_at

PASSWORD = "open-barley"


def main() -> None:
    folder, number = Path(sys.argv[1]), int(sys.argv[2])
    config = load(folder / "config.toml")
    [account] = config.accounts
    own = own_file(account)
    assert isinstance(own, OwnFile)
    name = free_name(account.name, "source", config)
    text = edited(own.path, own.text, Change({"host": "new.example.org", "password": {"vault": name}}))
    dies_at(number, folder)
    save(own, text, account, {name: PASSWORD}, config, Author("ann", 2.0))


if __name__ == "__main__":
    main()

"""Move a ledger between the file in the state folder and PostgreSQL: the next poll downloads nothing again.

Every row comes along under its number, and what was written is read back and compared before it counts. At each moment
one of the two is the ledger, and the other says so to anyone who opens it; a move that was killed is begun again, or
finished, by asking for it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from migrator.config import Config
from migrator.config.state_places import why_refused
from migrator.errors import ConfigError
from migrator.files import Step, no_step, replace_file, storage_error
from migrator.lazy_dataclasses import dataclass
from migrator.ledger import FILE_NAME, with_psycopg
from migrator.ledger.transfer import MARK, Copied, Sum
from migrator.run.account_lock import account_locks
from migrator.wiring.stored_accounts import stored_rows

TO_FILE = "sqlite"
"""What stands for the file in the state folder, in place of the address of a database."""
STEPS = ("ledger.filled", "ledger.marked", "ledger.renamed", "ledger.opened")
"""What is durable after each; ``step`` is called with it right after."""
ARRIVING = f"{FILE_NAME}.arriving"


@dataclass(frozen=True, slots=True)
class MovedLedger:
    """A ledger that is somewhere else now. ``rows`` has how many of each table came along, none where it had come.

    ``kept`` is the file of before, which nothing reads any more. ``line`` is what the configuration has to say.
    """

    came_from: str
    goes_to: str
    rows: Mapping[str, int]
    kept: Path | None
    line: str

    def as_json(self) -> dict[str, object]:
        """Return the document of ``ledger move``."""
        kept = str(self.kept) if self.kept else None
        return {"from": self.came_from, "to": self.goes_to, "rows": dict(self.rows), "kept": kept, "line": self.line}


def move_ledger(config: Config, to: str, came_from: str, copied: Copied, step: Step = no_step) -> MovedLedger:
    """Move the ledger of a configuration to the address of a database, or, for ``sqlite``, back into its state folder.

    The caller holds the worker's lock. ``came_from`` is the database that is left, where the configuration does not
    name it any more. Durable on return. Raises ``ConfigError`` where there is nothing to move, ``FerryError`` where
    somebody uses either of the two, or what was written is not what was read.
    """
    with _owned(config):
        if to == TO_FILE or to.startswith(f"{TO_FILE}:"):
            return _to_file(config, came_from or config.ledger, copied, step)
        return _to_database(config, to, copied, step)


@contextmanager
def _owned(config: Config) -> Iterator[None]:
    with account_locks(config.state_dir, (account.name for account in config.accounts)):
        try:
            yield
        except OSError as error:
            what = f"moving the ledger of {config.state_dir}"
            raise storage_error(error, what, read_only="state-read-only") from error


def _to_database(config: Config, address: str, copied: Copied, step: Step) -> MovedLedger:
    _check(address)
    with with_psycopg():
        from migrator.ledger.postgres import transfer
    from migrator.ledger.sqlite.transfer import set_aside, whole

    path, mark = config.state_dir / FILE_NAME, config.state_dir / MARK
    line, kept, sums = f'ledger = "{address}"', None, dict[str, Sum]()
    if path.exists():
        with closing(whole(path)) as database, database.reading() as sql:
            sums = transfer.fill(sql, address, copied)
        step("ledger.filled")
        with replace_file(mark) as file:
            file.write(f"{address}\n".encode())
        step("ledger.marked")
        kept = set_aside(path)
        step("ledger.renamed")
    elif not (mark.exists() and mark.read_text(encoding="utf-8").strip() == address):
        raise ConfigError([f"there is no ledger in {config.state_dir}: nothing can be moved"])
    transfer.open_up(address)
    step("ledger.opened")
    return MovedLedger(str(path), address, _rows(sums), kept, line)


def _to_file(config: Config, address: str, copied: Copied, step: Step) -> MovedLedger:
    if not address:
        problem = "the configuration names no database that the ledger is in: say which with --from"
        raise ConfigError([problem])
    _check(address)
    with with_psycopg():
        from migrator.ledger.postgres import transfer
    from migrator.ledger.sqlite.transfer import put_in_place

    path, arriving = config.state_dir / FILE_NAME, config.state_dir / ARRIVING
    has_left = transfer.is_moved_to(address, str(path))
    if path.exists() and not has_left:
        raise ConfigError([f"there is a ledger in {config.state_dir} already: move it away, or name another state_dir"])
    sums: dict[str, Sum] = {}
    if not (has_left and (arriving.exists() or path.exists())):
        _refuse_accounts(address, config)
        sums = transfer.empty_into(address, arriving, str(path), copied)
        step("ledger.filled")
    if not path.exists():
        put_in_place(arriving, path)
        step("ledger.renamed")
    for left_over in (arriving, config.state_dir / MARK):
        left_over.unlink(missing_ok=True)
    return MovedLedger(address, str(path), _rows(sums), None, "")


def _refuse_accounts(address: str, config: Config) -> None:
    """Let no account be lost of sight: a ledger that is a file keeps none."""
    if next(iter(stored_rows(address)), None) is not None:
        cure = (
            'mailferry accounts export > accounts.csv, write accounts_file = "accounts.csv" at the top of'
            f" {config.path}, then mailferry accounts import --replace with an empty sheet"
        )
        raise ConfigError([f"accounts are kept in that database, and a ledger that is a file keeps none: {cure}"])


def _check(address: str) -> None:
    if reason := why_refused(address):
        raise ConfigError([f"the place of a ledger {reason}"])  # and is not repeated: a password may stand in it


def _rows(sums: Mapping[str, Sum]) -> dict[str, int]:
    return {name: total.rows for name, total in sums.items()}

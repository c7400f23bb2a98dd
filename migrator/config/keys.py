"""The keys of the file that stand in no model: at its top, and in an account."""

from __future__ import annotations

from migrator.config.table import FIRST_RELEASE
from migrator.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """A key that stands in no model: how it is written, what holds without it, what it means, since which release."""

    written: str
    default: str
    meaning: str
    since: str = FIRST_RELEASE


TOP_KEYS = {
    "state_dir": Key("path", '`"state"`', "the ledger, locks and whatever else must be remembered; on a local disk"),
    "ledger": Key(
        "address",
        "",
        '`"postgresql://HOST/DATABASE"`: the ledger is in this database, for several machines ([fleet](fleet.md)), '
        "instead of in a file in `state_dir`; without a password",
    ),
    "defaults": Key(
        "table",
        "",
        "`[defaults.source]` and `[defaults.imap]`: any key of these, for all accounts; `[defaults.destination]`: "
        "where the mail of a row of a sheet, or of the database, goes that says nothing of that",
    ),
    "schedule": Key("table", "", "when `mailferry run` works the accounts"),
    "verify": Key("table", "", "how often `mailferry run` reads the archive again"),
    "limits": Key("table", "", "how much `mailferry run` does at one time"),
    "metrics": Key("table", "", "what monitoring may ask"),
    "notify": Key("table", "", "who hears of what goes wrong"),
    "pings": Key("table", "", "dead-man switches"),
    "web": Key("table", "", "the page that `mailferry run` serves ([web](web.md))"),
    "oauth": Key("tables", "", "`[oauth.NAME]` each: where access tokens come from ([OAuth](oauth.md))"),
    "accounts": Key("tables", "", "the accounts, `[[accounts]]` each"),
    "accounts_file": Key(
        "path",
        "",
        "more accounts, from a sheet (see below); or from a database ([fleet](fleet.md#the-accounts))",
    ),
}
ACCOUNT_KEYS = {
    "name": Key("text", "needed", "unique; letters, digits and `. _ - @`. An account is known by it"),
    "source": Key("table", "needed", "`[accounts.source]`: where mail is fetched from"),
    "destinations": Key("tables", "needed", "`[[accounts.destinations]]` each: where a copy of every message goes"),
    "schedule": Key("table", "", "`[accounts.schedule]`: instead of the common `[schedule]`"),
}

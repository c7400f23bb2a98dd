"""The page docs/configuration.md, from the models that read the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import Enum
from types import UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic.fields import FieldInfo

from migrator.config.bulk import ALIASES, PASSWORD_COLUMNS
from migrator.config.keys import ACCOUNT_KEYS, TOP_KEYS, Key
from migrator.config.oauth import OAuthTable
from migrator.config.openid_table import OpenIdTable
from migrator.config.server_tables import ImapTable, MaildirTable, MboxTable, SourceTable
from migrator.config.store_table import S3Table
from migrator.config.table import FIRST_RELEASE, Table, Written
from migrator.config.worker_tables import (
    LimitsTable,
    MetricsTable,
    NotifyTable,
    PingsTable,
    ScheduleTable,
    SmtpTable,
    VerifyTable,
    WebTable,
)
from migrator.net.tls import TlsMode
from migrator.policy import Keep

TABLES: Mapping[str, type[Table]] = {
    "`[accounts.source]`": SourceTable,
    '`[[accounts.destinations]]` with `type = "mbox"`': MboxTable,
    '`[[accounts.destinations]]` with `type = "maildir"`': MaildirTable,
    '`[[accounts.destinations]]` with `type = "s3"`': S3Table,
    '`[[accounts.destinations]]` with `type = "imap"`': ImapTable,
    "`[schedule]`, `[accounts.schedule]`": ScheduleTable,
    "`[verify]`": VerifyTable,
    "`[limits]`": LimitsTable,
    "`[metrics]`": MetricsTable,
    "`[notify]`": NotifyTable,
    "`[notify.smtp]`": SmtpTable,
    "`[pings]`": PingsTable,
    "`[web]`": WebTable,
    "`[web.oidc]`": OpenIdTable,
    "`[oauth.NAME]`": OAuthTable,
}

_HEAD = """\
# Configuration, key by key

`-c FILE` names the file; without it `./config.toml`, `$XDG_CONFIG_HOME/mailferry/config.toml` and `/etc/mailferry/config.toml` are
tried in turn. Everything in it is checked before anything is touched: an unknown key, a wrong value, a file that is not there end
every command with 2, and all problems are named at once. [config.example.toml](../config.example.toml) is a file to begin with.

What a command has found right is kept for the next one of the same user, in `$XDG_CACHE_HOME/mailferry` (`~/.cache/mailferry`), since most of a
short command's time is the checking. It holds no password, and counts only while every file of the configuration, its place and the program are
those of then; files that must be there, folders and links are looked at each time. It may be deleted at any time. A sheet is checked each time.

This page is printed from the code (`make docs`); to change it, change the tables in `migrator/config/`.

## How values are written

| kind | written |
| --- | --- |
| text | `"…"`, not empty, without control characters |
| path | `"…"`; a relative one starts at the configuration's folder, `~` is the home folder |
| host | a name or an address, without port or scheme |
| duration | a number and `seconds`, `minutes`, `hours`, `days` or `weeks`, or their first letters: `"30 days"`, `"45s"` |
| size | a number and `kB`, `MB`, `GB` (powers of ten) or `KiB`, `MiB`, `GiB` (of two): `"50 MB"` |
| fingerprint | SHA-256 of the server's DER certificate: 64 hexadecimal digits, with or without colons |
| password | see below |

### Passwords

| written | the password is |
| --- | --- |
| `{ command = "pass show mail/alice" }` | what the command prints; it is split into words as a shell would and run without one |
| `{ env = "VAR" }` | in an environment variable |
| `{ file = "PATH" }` | in a file |
| `{ keyring = "SERVICE" }` | in the desktop's keyring, under the username (needs the package `keyring`) |
| `{ credential = "NAME" }` | a credential that systemd hands to the service |
| `{ oauth = "google" }` | no password: an access token of a provider, which is named or is a table as `[oauth.NAME]` ([OAuth](oauth.md)) |
| `{ vault = "NAME" }` | typed into the page and kept locked in `state_dir` ([web](web.md)); the page writes it so |
| `"text"` | this text; the file must then be readable by you alone |

One final newline of a file's or command's password is dropped. Its bytes need not be UTF-8: they are sent as they are (SCRAM alone wants UTF-8).
"""

_TAIL = """
## The sheet: `accounts_file`

A CSV file in UTF-8, UTF-16 or cp1252, with commas, semicolons or tabs; or an XLSX file (`pip install 'mailferry[xlsx]'`), of which the first
sheet that is shown is read. The first row names the columns, in any case and spacing. An empty cell is a key that is not there.

| column | means |
| --- | --- |
| `name` | the account's name; without such a column it is the address, or user and host |
| `address` | whose mail; its server is looked for where neither `host` nor `[defaults.source]` says it, and remembered; also the username where that is not said |
| {source} | as in `[accounts.source]` |
| {passwords} | where the password comes from, in place of `password` |
| `mbox`, `maildir` | a path: a destination |
| `imap_` and any key of a destination of type imap, `imap_password_env` and so on | another one |
| `imap_address` | the mailbox's username, where `imap_username` does not say it |
| {schedule} | as in `[accounts.schedule]` |

The columns of other programs' lists are taken as they are:

| there | here |
| --- | --- |
{aliases}
A row without a destination takes `[defaults.destination]` (in its path `{{name}}` stands for the account's), else `archive/NAME`. A row that cannot be an
account is named with its line, as a finding and at the end of `migrate`, whose exit code is 1 then; all others are worked. A first row that names
no account, an unknown column or a file that is no sheet is an error of the configuration. In XLSX a formula, a date or a fraction makes the row a bad one;
a password of digits is safe in a column that is formatted as text.
"""

_DEFAULTS = """
`[defaults.source]` takes any key of `[accounts.source]`, `[defaults.imap]` any key of a destination of type imap. What an account says
itself goes before them. `[defaults.destination]` is a whole destination, for rows of the `accounts_file` that have none.
"""

_ROWS = "| key | written | default | meaning | since |\n| --- | --- | --- | --- | --- |\n"


def page() -> str:
    """Return the whole page."""
    sections = [
        _section("At the top of the file", TOP_KEYS),
        _DEFAULTS,
        _section("`[[accounts]]`", ACCOUNT_KEYS),
        *(_section(heading, _keys(model), model) for heading, model in TABLES.items()),
    ]
    return _HEAD + "".join(sections) + _sheet()


def _sheet() -> str:
    return _TAIL.format(
        source=_listed(SourceTable.key_names()),
        passwords=_listed(PASSWORD_COLUMNS),
        schedule=_listed(ScheduleTable.key_names()),
        aliases="".join(
            f"| `{there}` | {f'`{here}`' if here else 'passed over'} |\n" for there, here in ALIASES.items()
        ),
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _section(heading: str, keys: Mapping[str, Key], model: type[Table] | None = None) -> str:
    rows = "".join(
        f"| `{name}` | {key.written} | {key.default} | {key.meaning} | {key.since} |\n" for name, key in keys.items()
    )
    told = f"\n{_promise(model)}\n" if model is not None else ""
    return f"\n## {heading}\n{told}\n{_ROWS}{rows}"


def _promise(model: type[Table]) -> str:
    return (model.__doc__ or "").partition("\n")[0].replace("``", "`")


def _keys(model: type[Table]) -> Mapping[str, Key]:
    return {
        name: Key(_written(field), _default(model, name, field), field.description or "", _since(field))
        for name, field in model.model_fields.items()
    }


def _since(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    return str(extra["since"]) if isinstance(extra, dict) and "since" in extra else FIRST_RELEASE


def _written(field: FieldInfo) -> str:
    name = _kind(Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation)
    lowest = [bound.ge for bound in field.metadata if isinstance(bound, Ge)]
    highest = [bound.le for bound in field.metadata if isinstance(bound, Le)]
    return " ".join([name, *(f"from {bound}" for bound in lowest), *(f"to {bound}" for bound in highest)])


def _kind(annotation: object) -> str:
    """Say how a value of this type is written."""
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin is Annotated:
        names = [mark.name for mark in arguments[1:] if isinstance(mark, Written)]
        return names[0] if names else _kind(arguments[0])
    if origin in (Union, UnionType):
        return _kind(next(one for one in arguments if one is not type(None)))
    if origin is Literal:
        return _choices(arguments)
    if origin is tuple:
        return f"list of {_kind(arguments[0])}s"
    if isinstance(annotation, type):
        return _simple(annotation)
    raise TypeError(f"nobody has said how a {annotation} is written")


def _simple(kind: type[object]) -> str:
    if issubclass(kind, Enum):
        return _choices(kind)
    if issubclass(kind, Table):
        return "table"
    return {bool: "`true` or `false`", int: "number", str: "text"}[kind]


def _choices(values: Iterable[object]) -> str:
    return " ".join(f'`"{value}"`' for value in values)


def _default(model: type[Table], name: str, field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    if name == "port":
        return _ports(field)
    needs_nothing = not any(other.is_required() for other in model.model_fields.values())
    value = getattr(model(), name) if needs_nothing else field.default
    return "" if value is None or value in ({}, ()) else f"`{_shown(value, _written(field))}`"


def _ports(field: FieldInfo) -> str:
    factory = field.default_factory
    assert factory is not None
    by_port: dict[object, list[str]] = {}
    for mode in TlsMode:
        by_port.setdefault(factory({"tls": mode}), []).append(f"`{mode}`")  # type: ignore[call-arg]  # it takes the table
    return ", ".join(f"{port} ({', '.join(modes)})" for port, modes in by_port.items())


def _shown(value: object, written: str) -> str:
    match value:
        case Keep():
            return "true"
        case bool():
            return str(value).lower()
        case timedelta():
            return f'"{_duration(value)}"'
        case int() if written == "size":
            return f'"{value // 10**9} GB"'
        case int():
            return str(value)
        case _:
            return f'"{value}"'


def _duration(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds % length == 0 and seconds // length > 1:
            return f"{seconds // length} {unit}"
    return f"{seconds} seconds"

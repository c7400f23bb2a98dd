"""Where the state is: a folder, and the address of a database where the ledger is no file in it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from migrator.config.values import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migrator.config.problems import Place

SCHEMES = ("postgresql", "postgres")

_CURE = (
    "keep it out of the configuration: libpq finds it in ~/.pgpass (or the file that PGPASSFILE or ?passfile= names),"
    " in a service file (?service=NAME), or needs none with a client certificate"
)


def state_folder(document: Mapping[str, object], top: Place, problems: list[str]) -> str:
    """Return the path of the state folder as it is written; what is wrong with it is added to the problems."""
    written = document.get("state_dir", "state")
    if isinstance(written, str) and written and "\0" not in written:
        return written
    problems.append(top.say(f"{shown(written)} must be a path", "state_dir"))
    return "state"


def ledger_address(document: Mapping[str, object], top: Place, problems: list[str]) -> str:
    """Return the address of the ledger's database, empty where it is a file; what is wrong is added to the problems."""
    written = document.get("ledger", "")
    if "ledger" in document and (reason := why_refused(written)):
        problems.append(top.say(reason, "ledger"))
    return written if isinstance(written, str) else ""


def why_refused(written: object) -> str:
    """Say what is wrong with the address of a ledger, empty where nothing is."""
    if not isinstance(written, str) or urlsplit(written).scheme not in SCHEMES or "://" not in written:
        return 'must be an address as "postgresql://HOST/DATABASE"; without this key the ledger is a file in state_dir'
    parts = urlsplit(written)
    names = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    if parts.password is not None or names & {"password", "sslpassword"}:
        return f"must not hold a password; {_CURE}"
    return ""

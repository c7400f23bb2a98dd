"""``mailferry check``: log in at every end and show what it offers; change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrator.cli.context import configuration, with_passwords
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.operations.check_account import CheckedAccount, Facts, check_accounts
from migrator.ui.console import Console, Style
from migrator.ui.text import plain, plural, size

if TYPE_CHECKING:
    from argparse import Namespace


def run(arguments: Namespace, screen: Console) -> int:
    """Look at every end of the accounts asked for, several at once."""
    config = configuration(arguments, screen)
    accounts = config.select(arguments.accounts)
    with_passwords(config, accounts)
    checked = check_accounts(accounts, config.state_dir)
    if screen.is_json:
        screen.document({"accounts": [account.as_json() for account in checked]})
    for account in checked:
        _show(account, screen)
    return DONE if all(account.is_ok for account in checked) else NOT_ALL_DONE


def _show(account: CheckedAccount, screen: Console) -> None:
    verdict = screen.styled("ok", Style.GOOD) if account.is_ok else screen.styled("FAILED", Style.BAD)
    if not screen.is_quiet or not account.is_ok:
        screen.result(f"{account.name}: {verdict}")
    for end in (account.source, *account.destinations):
        if end.error is not None:
            screen.result(plain(f"  {end.label}: [{end.error.kind}] {end.error}"))
        elif not screen.is_quiet:
            screen.result(plain(f"  {end.label}: {_in_words(end.facts)}"))


_NOT_TOLD = ("path", "folder", "capabilities", "uidnext", "uidvalidity")
_SIZES = ("bytes", "free_bytes", "append_limit", "quota_used", "quota_limit")
_NAMES = {
    "bytes": "in all",
    "free_bytes": "room on the disk",
    "append_limit": "largest message",
    "quota_used": "quota used",
    "quota_limit": "of",
}


def _in_words(facts: Facts) -> str:
    """Return what an end offers as a person reads it; its name stands before, its capabilities (many) come last."""
    words = [_fact(name, value) for name, value in facts.items() if name not in _NOT_TOLD]
    offered = facts.get("capabilities")
    if isinstance(offered, list):
        words.append(f"offers {' '.join(map(str, offered)) or 'nothing beyond the oldest commands'}")
    return ", ".join(words)


def _fact(name: str, value: object) -> str:
    if name in ("exists", "writable"):
        word = {"exists": ("is there", "will be made"), "writable": ("can be written", "CANNOT BE WRITTEN")}[name]
        return word[0] if value else word[1]
    if name in _SIZES and isinstance(value, int):
        return f"{size(value)} {_NAMES[name]}" if name in ("bytes", "free_bytes") else f"{_NAMES[name]} {size(value)}"
    return plural(value, name.removesuffix("s")) if isinstance(value, int) else f"{name} {value}"

"""``mailferry check``: log in at every end and show what it offers; change nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from migrator.cli.context import configuration_to_work, with_passwords
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE, not_done
from migrator.cli.finding_lines import as_json, invocation_of, show_finding
from migrator.findings.model import Severity
from migrator.operations.check_account import CheckedAccount, Facts, check_accounts, with_what_is_known
from migrator.operations.check_report import report_rows, write_report
from migrator.operations.look_at_accounts import problem_of
from migrator.policy import DeleteAfter, DeleteWhenVerified, Keep
from migrator.ui.console import Console, Style
from migrator.ui.text import plain, plural, size, span

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Config, Source
    from migrator.findings.model import Finding


def run(arguments: Namespace, screen: Console) -> int:
    """Look at every end of the accounts asked for, several at once."""
    config = configuration_to_work(arguments, screen)
    accounts = config.select(arguments.accounts)
    with_passwords(config, accounts)
    checked = check_accounts(accounts, config.state_dir)
    found = _findings(config, checked, arguments)
    checked = [with_what_is_known(account, found) for account in checked]
    if screen.is_json:
        screen.document({"accounts": [account.as_json() for account in checked], "findings": as_json(found)})
    is_brief = len(checked) > MANY and not screen.verbosity
    for account, configured in zip(checked, accounts, strict=True):
        if is_brief and account.is_ok:
            _show_briefly(account, configured.source, screen)
            continue
        _show(account, screen)
        if not screen.is_quiet:
            screen.result(f"  {policy_in_words(configured.source)}")
    said = {problem_of(error).message for account in checked for error in account.errors}
    for finding in found:
        if finding.text not in said and not (screen.is_quiet and finding.severity is not Severity.BROKEN):
            show_finding(finding, screen)
    bad_rows = [] if arguments.accounts else list(config.bad_rows)
    if arguments.report is not None:
        write_report(arguments.report, report_rows(accounts, checked, bad_rows))
    if bad_rows:
        return NOT_ALL_DONE
    refused = [error.kind for account in checked for error in account.errors]
    return DONE if all(account.is_ok for account in checked) else not_done(refused)


MANY = 10
"""With more accounts than that, one whose every end answers gets one line."""


def _findings(config: Config, checked: Sequence[CheckedAccount], arguments: Namespace) -> list[Finding]:
    """Return what is found of the accounts that were checked, by looking and by how their ends answered."""
    from jobs.doctor import examine_answers

    names = [account.name for account in checked]
    found = examine_answers(config, checked, time.time(), invocation_of(arguments))
    return [finding for finding in found if not finding.accounts or not set(names).isdisjoint(finding.accounts)]


def policy_in_words(source: Source) -> str:
    """Say what happens to mail at its source once it is safe."""
    match source.leave_on_server:
        case Keep():
            return "policy: everything stays on the server"
        case DeleteWhenVerified():
            return "policy: deleted at the server once every copy is proven"
        case DeleteAfter(age):
            return f"policy: deleted at the server {span(age.total_seconds())} after every copy was proven"


def _show(account: CheckedAccount, screen: Console) -> None:
    verdict = screen.styled("ok", Style.GOOD) if account.is_ok else screen.styled("FAILED", Style.BAD)
    if not screen.is_quiet or not account.is_ok:
        screen.result(f"{account.name}: {verdict}")
    for end in (account.source, *account.destinations):
        if end.error is not None:
            screen.result(plain(f"  {end.label}: [{end.error.kind}] {end.error}"))
        elif not screen.is_quiet:
            screen.result(plain(f"  {end.label}: {_in_words(end.facts, screen.verbosity)}"))


def _show_briefly(account: CheckedAccount, source: Source, screen: Console) -> None:
    if not screen.is_quiet:
        facts = _in_words(account.source.facts, screen.verbosity)
        ok = screen.styled("ok", Style.GOOD)
        screen.result(f"{account.name}: {ok}, {plain(facts)}; {policy_in_words(source)}")


_NOT_TOLD = ("path", "place", "bucket", "folder", "capabilities", "uidnext", "uidvalidity")
_SIZES = ("bytes", "free_bytes", "append_limit", "quota_used", "quota_limit")
_NAMES = {
    "bytes": "in all",
    "free_bytes": "room on the disk",
    "append_limit": "largest message",
    "quota_used": "quota used",
    "quota_limit": "of",
}


def _in_words(facts: Facts, verbosity: int) -> str:
    """Return what an end offers as a person reads it; its name stands before, its capabilities (many) if asked for."""
    words = [_fact(name, value) for name, value in facts.items() if name not in _NOT_TOLD]
    offered = facts.get("capabilities") if verbosity else None
    if isinstance(offered, list):
        words.append(f"offers {' '.join(map(str, offered)) or 'nothing beyond the oldest commands'}")
    return ", ".join(words)


def _fact(name: str, value: object) -> str:
    if name in ("exists", "writable"):
        word = {"exists": ("is there", "will be made"), "writable": ("can be written", "CANNOT BE WRITTEN")}[name]
        return word[0] if value else word[1]
    if name == "keeps_versions":
        return "keeps versions" if value else "keeps no versions"
    if name == "can_sync_folder":
        return "its file system decides when new names are on the disk"
    if name in _SIZES and isinstance(value, int):
        return f"{size(value)} {_NAMES[name]}" if name in ("bytes", "free_bytes") else f"{_NAMES[name]} {size(value)}"
    return plural(value, name.removesuffix("s")) if isinstance(value, int) else f"{name.replace('_', ' ')} {value}"
